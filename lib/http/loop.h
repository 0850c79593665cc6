/*
 * What the engine's files share: server, loop, connection, exchange.
 *
 * A loop, its connections and their deadlines belong to one thread. An exchange belongs to whoever
 * is to answer it; it comes back to its loop through the loop's inbox (a lock-free stack, one
 * eventfd write per burst) or, from the loop's own thread, through a plain list. Only the loop
 * frees it, so that a client that vanishes never takes an exchange from under another thread.
 *
 *   bytes → conn_read → h1_parse → exchange → handler … http_answer → inbox → conn_write → bytes
 */
#pragma once
#include "base/clock.h"
#include "http/conn.h"

enum {
    HTTP_SCRATCH_BYTES = 64 * 1024, /* one read's worth */
    HTTP_THREADS_MAX = 64,
    HTTP_DATE_BYTES = 29,
};

struct http_loop {
    struct http_server *server;
    _Atomic(struct http_exchange *) inbox;
    _Atomic int64_t refs; /* the server's, pushers at work, exchanges out after the end */
    atomic_bool asleep;   /* in epoll_wait, or about to be: a push has to wake it */
    int event_fd, epoll_fd, listen_fd;
    pthread_t thread;
    int64_t now_ms;
    int64_t accept_again_ms; /* accepting pauses until then (no descriptors left); 0: it does not */
    bool draining, over;
    bool cut; /* something had to be cut off */
    int64_t drain_end_ms;
    char date[HTTP_DATE_BYTES + 1];
    int64_t date_s;
    struct http_exchange *local, **local_end; /* answered in the loop's own thread */
    struct http_exchange *spare;              /* kept for reuse */
    uint32_t spare_count;
    int64_t exchanges_out; /* not yet back in `spare` or freed */
    struct http_conn *conns, *work, *flush, *dead;
    int64_t conn_count;
    uint32_t refused_count;
    struct deadline_list header, body, idle, write, linger;
    struct deadline_list stream_body, stream_write, stream_linger; /* of exchanges of HTTP/2 */
    char *scratch;
    _Atomic uint64_t stat_connections, stat_requests, stat_refused, stat_timeouts, stat_dropped,
        stat_floods;
};

struct http_server {
    struct http_server_options options;
    struct http_loop **loops;
    int port;
    _Atomic int64_t connections, in_flight, refs;
    _Atomic int64_t drain_end_ms; /* 0: not draining */
};

/* --- inbox.c --- */
/* Back to the loop: complete (for good) or with more of a stream. Any thread. */
void http_inbox_push(struct http_exchange *exchange, bool complete);
/* All that came, in order. */
struct http_exchange *http_inbox_take(struct http_loop *loop);
/* Takes what came and sends everything later back to its pusher. */
struct http_exchange *http_inbox_close(struct http_loop *loop);
void http_loop_wake(struct http_loop *loop);
void http_loop_unref(struct http_loop *loop);
void http_server_unref(struct http_server *server);

/* --- loop.c --- */
extern _Thread_local struct http_loop *http_loop_here; /* the loop whose thread this is, or NULL */
void *http_loop_run(void *loop);

/* --- listen.c --- */
/* `count` sockets that listen on one address; nobody else's. */
enum code http_listen(const char *address, int *fds, int count, int *port,
                      struct error *err) MUST_CHECK;
