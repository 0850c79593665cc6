/* Connections, each of one loop and its thread. */
#pragma once
#include "http/deadline.h"
#include "http/exchange.h"

#include <sys/types.h>
#include <sys/uio.h>

enum conn_body { CONN_BODY_NONE, CONN_BODY_KEEP, CONN_BODY_DISCARD };

/* An idle one is this and nothing else: it holds no buffer and no exchange. */
struct http_conn {
    struct http_loop *loop;
    struct http_conn *prev, *next; /* all of the loop */
    struct http_conn *next_work, *next_flush;
    struct http_exchange *first, *last; /* unanswered, in order */
    struct http_exchange *reading;      /* head or body incomplete */
    struct buf in;                      /* bytes read and not yet understood */
    struct deadline read_deadline, write_deadline;
    struct tls_session *tls; /* NULL: plain */
    struct h2 *h2;           /* NULL: HTTP/1.1 */
    struct h1_chunk chunk;
    uint64_t body_left; /* of a body with Content-Length */
    uint64_t discarded;
    int fd;
    int unsent; /* http_transport_unsent when the deadline for writing was set */
    uint32_t unanswered;
    enum conn_body body;
    bool chunked;       /* how the body is framed */
    bool discard_close; /* the connection ends behind the discarded body */
    bool readable, blocked, ended /* by the client */, input_done, linger, lingering, closed;
    bool half_closed; /* the client's end has arrived, perhaps behind bytes still to be read */
    bool in_head;     /* the deadline for a head is set */
    bool held;        /* a head is complete, and waits for the answers before it */
    bool alone;       /* nothing is begun beside what is unanswered */
    bool shaking;     /* the TLS handshake is not complete */
    bool fresh;       /* plain, and nothing has come: HTTP/2 may begin with its preface */
    bool in_work, in_flush, refused;
    char peer[HTTP_PEER_BYTES];
};

/* --- conn.c --- */
void http_conn_open(struct http_loop *loop, int fd, const char *peer, bool refused);
void http_conn_close(struct http_conn *conn, bool reset);
/* To be read from in the next round; to be written to in this one. */
void http_conn_work(struct http_conn *conn);
void http_conn_flush_later(struct http_conn *conn);
/* An answer, or more of one, is there. */
void http_conn_take(struct http_exchange *exchange);
/* Adds to the order of answers. */
void http_conn_append(struct http_conn *conn, struct http_exchange *exchange);
/* The first answer has gone out in full. */
void http_conn_pop(struct http_conn *conn);
/* The first answer has been given up: the connection ends with what was sent before it. */
void http_conn_give_up(struct http_conn *conn);
/* After the answers that are owed the connection ends. */
void http_conn_end_input(struct http_conn *conn, bool linger);
/* Nothing more is owed: sends our end, and waits a moment for the client's. */
void http_conn_end(struct http_conn *conn);
/* It is idle, for as long as `until` lets it be. */
void http_conn_rest(struct http_conn *conn, struct deadline_list *until);
/* Between requests, nothing owed: closes it or lets it rest. */
void http_conn_settle(struct http_conn *conn);

/* --- conn_read.c, conn_write.c --- */
void http_conn_read(struct http_conn *conn);
/* Refuses what is being read: answers `status`, then the connection ends. */
void http_conn_fail(struct http_conn *conn, int status, const char *text);
void http_conn_write(struct http_conn *conn);
/* The deadline for progress in writing has passed. */
void http_conn_write_late(struct http_conn *conn);
/* The socket takes no more: waits for it, for a bounded time. */
void http_conn_block(struct http_conn *conn);

/* --- transport.c: plain or TLS --- */
/* As read(2) and writev(2): -1 and errno; never SIGPIPE. */
ssize_t http_transport_read(struct http_conn *conn, char *to, size_t size_bytes);
ssize_t http_transport_write(struct http_conn *conn, const struct iovec *parts, int count);
/* Sends what was taken and not sent yet: true when nothing is left; else errno says why. */
bool http_transport_flush(struct http_conn *conn);
bool http_transport_is_flushed(const struct http_conn *conn);
/* Nothing is under way: gives back memory. */
void http_transport_rest(struct http_conn *conn);
/* False when the client makes output by what it sends, and takes none. */
bool http_transport_may_read(const struct http_conn *conn);
/* Bytes that were taken and that the client has not got. */
int http_transport_unsent(const struct http_conn *conn);
/* Says that nothing more will be sent. */
void http_transport_finish(struct http_conn *conn);
