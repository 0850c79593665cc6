/*
 * Exchanges: their memory, which is reused, and who holds them.
 *
 *   OUT ──claim──▶ ANSWERED            answered while the client was there (or its leaving was
 *    │                                 not told to anybody)
 *    └─client left─▶ GONE_RUNNING ──▶ GONE ──claim──▶ ANSWERED
 *
 * `gone` runs in GONE_RUNNING; an answer from another thread waits for its end, so that what `gone`
 * looks at may be freed as soon as the exchange has been answered.
 */
#include "http/loop.h"

#include "base/alloc.h"
#include "http/resume.h"

#include <sched.h>
#include <string.h>

enum {
    SPARE_MAX = 256,           /* exchanges kept per loop */
    SPARE_ARENA_BYTES = 16384, /* an arena that has grown beyond is given back */
};

static struct http_exchange *make(struct http_loop *loop)
{
    struct http_exchange *exchange = loop->spare;
    if (exchange) {
        loop->spare = exchange->next;
        loop->spare_count--;
        return exchange;
    }
    exchange = xmalloc(sizeof *exchange);
    memset(exchange, 0, offsetof(struct http_exchange, head));
    pthread_mutex_init(&exchange->lock, NULL);
    exchange->loop = loop;
    return exchange;
}

struct http_exchange *http_exchange_new(struct http_loop *loop, struct http_conn *conn)
{
    struct http_exchange *exchange = make(loop);
    exchange->conn = conn;
    exchange->next = NULL;
    memcpy(exchange->peer, conn->peer, sizeof exchange->peer);
    exchange->request = (struct http_request){
        .method = STR(""), .target = STR(""), .path = STR(""), .peer = str_of(exchange->peer)};
    h1_head_begin(&exchange->head);
    atomic_store_explicit(&exchange->hold, HOLD_OUT, memory_order_relaxed);
    loop->exchanges_out++;
    return exchange;
}

/* Leaves what a new one needs: zeros, the mutex, the loop and a small empty arena. */
static void wipe(struct http_exchange *exchange)
{
    if (exchange->arena.used_bytes > SPARE_ARENA_BYTES)
        arena_clear(&exchange->arena);
    else
        arena_reset(&exchange->arena);
    buf_clear(&exchange->body);
    buf_clear(&exchange->pending);
    buf_clear(&exchange->sending);
    exchange->user = NULL;
    exchange->gone = NULL;
    atomic_store_explicit(&exchange->peer_ended, false, memory_order_relaxed);
    exchange->status = 0;
    exchange->out = NULL;
    exchange->out_len = exchange->out_split = exchange->out_sent = exchange->date_at = 0;
    exchange->insert = (struct str){NULL, 0};
    exchange->interim_left = exchange->unsent = exchange->sending_at = 0;
    exchange->body_bytes = 0;
    exchange->head_only = exchange->ready = exchange->complete = exchange->listed = false;
    exchange->counted = exchange->given_up = exchange->close = exchange->framed_by_end =
        exchange->streaming = false;
    exchange->chunked = exchange->has_length = false;
    exchange->stream_id = exchange->refused_status = 0;
    exchange->fields = NULL;
    exchange->discarded = 0;
    exchange->field_count = exchange->field_room = exchange->field_bytes = 0;
    exchange->reading = exchange->submitted = exchange->whole = false;
    exchange->resumed = exchange->queued = exchange->ended = exchange->dropped = exchange->cut =
        exchange->failed = false;
}

void http_exchange_tell_end(struct http_exchange *first)
{
    for (struct http_exchange *e = first; e; e = e->next)
        atomic_store_explicit(&e->peer_ended, true, memory_order_relaxed);
}

bool http_exchange_peer_ended(const struct http_exchange *exchange)
{
    return atomic_load_explicit(&exchange->peer_ended, memory_order_relaxed);
}

void http_exchange_free(struct http_exchange *exchange)
{
    arena_clear(&exchange->arena);
    buf_clear(&exchange->body);
    buf_clear(&exchange->pending);
    buf_clear(&exchange->sending);
    pthread_mutex_destroy(&exchange->lock);
    xfree(exchange);
}

void http_exchange_finish(struct http_exchange *exchange, bool aborted)
{
    struct http_loop *loop = exchange->loop;
    const struct http_handler *handler = &loop->server->options.handler;
    if (exchange->counted)
        atomic_fetch_sub_explicit(&loop->server->in_flight, 1, memory_order_relaxed);
    if (exchange->listed && handler->finished)
        handler->finished(handler->context, exchange, exchange->status, exchange->body_bytes,
                          aborted);
    loop->exchanges_out--;
    if (loop->spare_count >= SPARE_MAX) {
        http_exchange_free(exchange);
        return;
    }
    wipe(exchange);
    exchange->next = loop->spare;
    loop->spare = exchange;
    loop->spare_count++;
}

bool http_exchange_admit(struct http_exchange *exchange, bool single)
{
    struct http_server *server = exchange->loop->server;
    const struct http_handler *handler = &server->options.handler;
    exchange->counted = true;
    if (atomic_fetch_add_explicit(&server->in_flight, 1, memory_order_relaxed) <
        server->options.limits.in_flight)
        return true;
    if (single && handler->is_exempt && handler->is_exempt(handler->context, &exchange->request))
        return true;
    atomic_fetch_add_explicit(&exchange->loop->stat_refused, 1, memory_order_relaxed);
    http_answer_error(exchange, 503, "There are too many requests at once");
    return false;
}

void http_exchange_refill(struct http_exchange *exchange)
{
    if (exchange->sending_at < exchange->sending.len)
        return;
    buf_reset(&exchange->sending);
    exchange->sending_at = 0;
    pthread_mutex_lock(&exchange->lock);
    struct buf taken = exchange->pending;
    exchange->pending = exchange->sending;
    exchange->sending = taken;
    pthread_mutex_unlock(&exchange->lock);
}

void http_exchange_cut(struct http_exchange *exchange)
{
    exchange->conn = NULL;
    pthread_mutex_lock(&exchange->lock);
    exchange->cut = true;
    buf_clear(&exchange->pending);
    pthread_mutex_unlock(&exchange->lock);
    int out = HOLD_OUT;
    if (!exchange->gone ||
        !atomic_compare_exchange_strong(&exchange->hold, &out, HOLD_GONE_RUNNING))
        return;
    exchange->gone(exchange->gone_argument, exchange);
    /* It may have answered the exchange itself. */
    int running = HOLD_GONE_RUNNING;
    atomic_compare_exchange_strong(&exchange->hold, &running, HOLD_GONE);
}

void http_exchange_claim(struct http_exchange *exchange)
{
    bool in_loop = http_loop_here == exchange->loop;
    int hold = atomic_load(&exchange->hold);
    do {
        while (hold == HOLD_GONE_RUNNING && !in_loop) {
            sched_yield();
            hold = atomic_load(&exchange->hold);
        }
    } while (!atomic_compare_exchange_weak(&exchange->hold, &hold, HOLD_ANSWERED));
}

void http_resume(struct http_exchange *exchange)
{
    exchange->resumed = true;
    http_inbox_push(exchange, true);
}

const struct http_request *http_exchange_request(const struct http_exchange *exchange)
{
    return &exchange->request;
}

struct arena *http_exchange_arena(struct http_exchange *exchange)
{
    return &exchange->arena;
}

void *http_exchange_user(const struct http_exchange *exchange)
{
    return exchange->user;
}

void http_exchange_set_user(struct http_exchange *exchange, void *user)
{
    exchange->user = user;
}

void http_exchange_on_gone(struct http_exchange *exchange,
                           void (*gone)(void *argument, struct http_exchange *exchange),
                           void *argument)
{
    exchange->gone = gone;
    exchange->gone_argument = argument;
}
