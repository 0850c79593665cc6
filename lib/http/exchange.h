/*
 * An exchange from the inside: the request and its answer. It belongs to whoever is to answer it
 * and comes back to its loop by the inbox; only the loop frees it.
 */
#pragma once
#include "http/deadline.h"
#include "http/h1_parse.h"
#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>

struct http_loop;
struct http_conn;

enum {
    HTTP_PEER_BYTES = 46,    /* an address as text */
    HTTP_INTERIM_BYTES = 25, /* `100 Continue` and its empty line */
};

/* Who may touch what: see exchange.c. */
enum exchange_hold { HOLD_OUT, HOLD_GONE_RUNNING, HOLD_GONE, HOLD_ANSWERED };

struct http_exchange {
    struct http_request request;
    struct arena arena;
    struct http_loop *loop;
    struct http_conn *conn;           /* NULL: the client is gone; of the loop */
    struct http_exchange *next;       /* in the connection's order, or free; of the loop */
    struct http_exchange *next_inbox; /* on the way back to the loop */
    void *user;
    void (*gone)(void *argument, struct http_exchange *exchange);
    void *gone_argument;
    _Atomic int hold;
    atomic_bool peer_ended; /* the client has ended its sending side */
    struct buf body;        /* a body that is too large for the arena */

    /* The answer: made by the answering thread, then the loop's. */
    int status;
    char *out; /* head, and body unless streamed; of HTTP/2 the body only */
    size_t out_len, out_sent;
    size_t out_split;    /* where `insert` goes */
    size_t date_at;      /* where the date's text goes */
    struct str insert;   /* a Connection header, or empty */
    size_t interim_left; /* bytes of `100 Continue` still to be sent */
    uint64_t body_bytes;
    bool head_only;     /* answer without body: HEAD */
    bool ready;         /* `out` may be sent */
    bool complete;      /* all of the answer is known: the loop owns the exchange */
    bool listed;        /* in its connection's order */
    bool counted;       /* in server->in_flight */
    bool resumed;       /* on its way to `request` once more, not answered */
    bool given_up;      /* dropped or failed: nothing more of it is sent */
    bool close;         /* the last exchange of the connection */
    bool chunked;       /* streamed to HTTP/1.1 */
    bool framed_by_end; /* streamed to HTTP/1.0: the connection's end is the body's */
    char peer[HTTP_PEER_BYTES];

    /* A streamed answer: what `lock` protects is written by one thread, taken by the loop. */
    bool streaming;
    pthread_mutex_t lock;
    struct buf pending;
    size_t unsent; /* bytes written and not yet taken by the kernel */
    bool queued, ended, dropped, cut, failed;
    struct buf sending; /* of the loop */
    size_t sending_at;

    /* HTTP/2: a stream is an exchange. */
    int32_t stream_id;          /* 0: it is of HTTP/1 */
    struct deadline deadline;   /* for its body, or for the client to take what is there */
    struct http_header *fields; /* of the request while it is read, of the answer afterwards */
    size_t field_count, field_room, field_bytes;
    uint64_t content_length; /* of the answer, when it is known */
    bool has_length;
    uint64_t discarded;    /* of a body that nobody wants */
    int refused_status;    /* what its headers have earned; 0: nothing */
    bool reading;          /* the request is not complete */
    bool submitted, whole; /* the answer's head, its last byte, is with nghttp2 */

    struct h1_head head;
};

struct http_exchange *http_exchange_new(struct http_loop *loop, struct http_conn *conn);
/* Tells `finished`, and keeps or frees it. Only a complete one, or one nobody else has seen. */
void http_exchange_finish(struct http_exchange *exchange, bool aborted);
/* When all of `sending` has gone, takes what the answering thread has added since. */
void http_exchange_refill(struct http_exchange *exchange);
/* Its client is gone: it stays valid until it is answered. */
void http_exchange_cut(struct http_exchange *exchange);
/* Frees the memory; for one that comes back when its loop is over. */
void http_exchange_free(struct http_exchange *exchange);
/* To these, one after the other, the client sends nothing more. */
void http_exchange_tell_end(struct http_exchange *first);
/* Counts it as in flight. False when there are too many at once; then it has been answered.
 * `single`: its connection has no other, so that what the handler exempts stays bounded. */
bool http_exchange_admit(struct http_exchange *exchange, bool single);

static inline bool http_exchange_is_answered(const struct http_exchange *exchange)
{
    return exchange->streaming ||
           atomic_load_explicit(&exchange->hold, memory_order_relaxed) == HOLD_ANSWERED;
}

/* The right to answer; afterwards `gone` neither runs nor will run. */
void http_exchange_claim(struct http_exchange *exchange);
