/*
 * The way out: answers in the order of their requests, as many as are ready in one system call.
 */
#include "http/loop.h"

#include "http/h2.h"

#include <errno.h>
#include <sys/uio.h>

enum { PARTS_MAX = 64, PARTS_PER_EXCHANGE = 5 };

static const char INTERIM[] = "HTTP/1.1 100 Continue\r\n\r\n";
_Static_assert(sizeof INTERIM - 1 == HTTP_INTERIM_BYTES, "the text and its length");

struct gather {
    struct iovec parts[PARTS_MAX];
    int count;
    size_t total;
};

/* Adds `len` bytes at `ptr` without the first *skip of them, and takes those off *skip. */
static void add(struct gather *gather, const char *ptr, size_t len, size_t *skip)
{
    size_t skipped = *skip < len ? *skip : len;
    *skip -= skipped;
    if (skipped == len)
        return;
    gather->parts[gather->count++] =
        (struct iovec){.iov_base = (char *)ptr + skipped, .iov_len = len - skipped};
    gather->total += len - skipped;
}

static size_t out_left(const struct http_exchange *exchange)
{
    return exchange->out_len + exchange->insert.len - exchange->out_sent;
}

static void add_exchange(struct gather *gather, struct http_exchange *exchange)
{
    size_t skip = HTTP_INTERIM_BYTES - exchange->interim_left;
    add(gather, INTERIM, HTTP_INTERIM_BYTES, &skip);
    if (!exchange->ready)
        return;
    skip = exchange->out_sent;
    if (exchange->insert.len) {
        add(gather, exchange->out, exchange->out_split, &skip);
        add(gather, exchange->insert.ptr, exchange->insert.len, &skip);
        add(gather, exchange->out + exchange->out_split, exchange->out_len - exchange->out_split,
            &skip);
    } else {
        add(gather, exchange->out, exchange->out_len, &skip);
    }
    if (exchange->streaming) {
        http_exchange_refill(exchange);
        skip = exchange->sending_at;
        add(gather, exchange->sending.ptr, exchange->sending.len, &skip);
    }
}

/* True when behind what has been gathered of it the next exchange may follow. */
static bool is_whole(struct http_exchange *exchange)
{
    /* The end has been seen, so nobody writes to `pending` any more. */
    return exchange->complete && exchange->pending.len == 0;
}

static void gather_all(struct http_conn *conn, struct gather *gather)
{
    gather->count = 0;
    gather->total = 0;
    for (struct http_exchange *e = conn->first; e && !e->given_up; e = e->next) {
        add_exchange(gather, e);
        if (!is_whole(e) || gather->count > PARTS_MAX - PARTS_PER_EXCHANGE)
            return;
    }
}

static size_t take(size_t *from, size_t sent)
{
    size_t taken = *from < sent ? *from : sent;
    *from -= taken;
    return taken;
}

/* `sent` bytes of this exchange's share have gone; returns those that belong to the next ones. */
static size_t advance(struct http_exchange *exchange, size_t sent)
{
    sent -= take(&exchange->interim_left, sent);
    size_t left = exchange->ready ? out_left(exchange) : 0;
    size_t taken = take(&left, sent);
    exchange->out_sent += taken;
    sent -= taken;
    if (exchange->streaming && sent) {
        left = exchange->sending.len - exchange->sending_at;
        taken = take(&left, sent);
        exchange->sending_at += taken;
        sent -= taken;
        pthread_mutex_lock(&exchange->lock);
        exchange->unsent -= taken;
        pthread_mutex_unlock(&exchange->lock);
    }
    return sent;
}

static bool is_sent(struct http_exchange *exchange)
{
    return exchange->complete && out_left(exchange) == 0 && exchange->interim_left == 0 &&
           exchange->sending_at == exchange->sending.len && exchange->pending.len == 0;
}

static void account(struct http_conn *conn, size_t sent)
{
    struct http_exchange *exchange = conn->first;
    while (sent && exchange) {
        sent = advance(exchange, sent);
        exchange = exchange->next;
    }
    while (conn->first && is_sent(conn->first)) {
        bool last = conn->first->close;
        http_conn_pop(conn);
        if (last && conn->first) {
            http_conn_close(conn, true); /* requests behind the last one have no answer */
            return;
        }
    }
    if (conn->first && conn->first->given_up)
        http_conn_give_up(conn);
}

static void expect_progress(struct http_conn *conn, int unsent)
{
    conn->unsent = unsent;
    deadline_set(&conn->loop->write, &conn->write_deadline, conn->loop->now_ms);
}

void http_conn_block(struct http_conn *conn)
{
    conn->blocked = true;
    if (!deadline_is_set(&conn->write_deadline))
        expect_progress(conn, http_transport_unsent(conn));
}

/* False when there is nothing to send, the socket takes no more, or the connection is gone. */
static bool send_some(struct http_conn *conn)
{
    struct gather gather;
    gather_all(conn, &gather);
    if (gather.count == 0) {
        /* The end of a stream may be known only after its last byte has gone. */
        const struct http_exchange *first = conn->first;
        account(conn, 0);
        return !conn->closed && conn->first && conn->first != first;
    }
    ssize_t sent = http_transport_write(conn, gather.parts, gather.count);
    if (sent >= 0) {
        deadline_clear(&conn->write_deadline);
        account(conn, (size_t)sent);
        return !conn->closed;
    }
    if (errno == EINTR)
        return true;
    if (errno != EAGAIN) {
        http_conn_close(conn, false);
        return false;
    }
    http_conn_block(conn);
    return false;
}

/* What TLS has made of bytes that count as sent already. */
static void flush(struct http_conn *conn)
{
    if (http_transport_flush(conn))
        deadline_clear(&conn->write_deadline);
    else if (errno == EAGAIN)
        http_conn_block(conn);
    else
        http_conn_close(conn, false);
}

void http_conn_write_late(struct http_conn *conn)
{
    /* The kernel asks for more only when a good part of its buffer is free: a slow client may have
     * read all the time. */
    int unsent = http_transport_unsent(conn);
    if (unsent < conn->unsent) {
        expect_progress(conn, unsent);
        return;
    }
    atomic_fetch_add_explicit(&conn->loop->stat_timeouts, 1, memory_order_relaxed);
    http_conn_close(conn, true);
}

void http_conn_write(struct http_conn *conn)
{
    if (conn->closed)
        return;
    if (conn->shaking) { /* the socket takes more of the handshake */
        http_conn_work(conn);
        return;
    }
    if (conn->h2)
        h2_write(conn);
    while (!conn->closed && !conn->blocked && conn->first && send_some(conn))
        ;
    if (!conn->closed && !conn->blocked && conn->tls)
        flush(conn);
    if (conn->closed)
        return;
    if ((conn->readable || conn->in.len) && !conn->input_done)
        http_conn_work(conn);
    http_conn_settle(conn);
}
