/*
 * Connections: their life from accept to close, and the order of their answers.
 *
 *   open ──▶ (idle ⇄ requests) ──input_done──▶ answers owed ──▶ lingering ──▶ closed
 *
 * `input_done`: no more requests will be read, because the client asked for the end, because a
 * request was refused, or because the server drains. A close while the client is still sending
 * would destroy the last answer on its way (RFC 9112 section 9.6): so the sending side is closed
 * first and what comes is thrown away for a moment: lingering.
 */
#include "http/loop.h"

#include "base/alloc.h"
#include "http/h2.h"
#include "http/tls.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void count_out(struct http_conn *conn)
{
    conn->loop->conn_count--;
    if (conn->refused)
        conn->loop->refused_count--;
    else
        atomic_fetch_sub_explicit(&conn->loop->server->connections, 1, memory_order_relaxed);
}

void http_conn_open(struct http_loop *loop, int fd, const char *peer, bool refused)
{
    struct http_conn *conn = xcalloc(1, sizeof *conn);
    conn->loop = loop;
    conn->fd = fd;
    conn->refused = refused;
    buf_init(&conn->in, SIZE_MAX / 2); /* bounded by how it is filled: see conn_read.c */
    memcpy(conn->peer, peer, strnlen(peer, sizeof conn->peer - 1));
    conn->next = loop->conns;
    if (conn->next)
        conn->next->prev = conn;
    loop->conns = conn;
    loop->conn_count++;
    loop->refused_count += refused;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = conn};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        http_conn_close(conn, true);
        return;
    }
    const struct http_server_options *options = &loop->server->options;
    conn->fresh = options->http2 && !options->tls;
    if (options->tls && !refused) {
        conn->tls = tls_session_new(options->tls, fd);
        conn->shaking = true;
        deadline_set(&loop->header, &conn->read_deadline, loop->now_ms);
    } else if (options->tls) {
        http_conn_close(conn, true); /* a handshake only to be told 503 would cost the most */
    } else if (refused) {
        http_conn_fail(conn, 503, "There are too many connections");
    } else {
        http_conn_settle(conn);
    }
}

/* What becomes of an exchange whose connection is closed. */
static void part(struct http_conn *conn, struct http_exchange *exchange)
{
    if (exchange == conn->reading) {
        exchange->status = 499; /* nobody has it but the engine: it has not been read in full */
        http_exchange_finish(exchange, true);
    } else if (exchange->complete) {
        http_exchange_finish(exchange, true);
    } else {
        http_exchange_cut(exchange);
    }
}

static void part_from_all(struct http_conn *conn)
{
    if (conn->reading && !conn->reading->listed)
        http_exchange_finish(conn->reading, true);
    while (conn->first) {
        struct http_exchange *exchange = conn->first;
        conn->first = exchange->next;
        part(conn, exchange);
    }
    conn->reading = NULL;
    conn->held = conn->in_head = false;
    buf_clear(&conn->in);
}

void http_conn_close(struct http_conn *conn, bool reset)
{
    struct http_loop *loop = conn->loop;
    if (conn->closed)
        return;
    conn->closed = true;
    deadline_clear(&conn->read_deadline);
    deadline_clear(&conn->write_deadline);
    if (conn->h2)
        h2_close(conn, reset);
    part_from_all(conn);
    if (conn->tls && !reset)
        tls_finish(conn->tls);
    tls_session_free(conn->tls);
    conn->tls = NULL;
    if (reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(conn->fd);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        loop->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    count_out(conn);
    /* Events and lists of this round may still name it. */
    conn->next = loop->dead;
    loop->dead = conn;
}

void http_conn_work(struct http_conn *conn)
{
    if (conn->in_work || conn->closed)
        return;
    conn->in_work = true;
    conn->next_work = conn->loop->work;
    conn->loop->work = conn;
}

void http_conn_flush_later(struct http_conn *conn)
{
    if (conn->in_flush || conn->closed)
        return;
    conn->in_flush = true;
    conn->next_flush = conn->loop->flush;
    conn->loop->flush = conn;
}

void http_conn_append(struct http_conn *conn, struct http_exchange *exchange)
{
    exchange->listed = true;
    exchange->next = NULL;
    if (conn->first)
        conn->last->next = exchange;
    else
        conn->first = exchange;
    conn->last = exchange;
    conn->unanswered++;
}

void http_conn_pop(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->first;
    conn->first = exchange->next;
    conn->unanswered--;
    conn->alone &= conn->first != NULL;
    if (exchange->close && !conn->input_done)
        http_conn_end_input(conn, true);
    http_exchange_finish(exchange, false);
}

/* A part of an answer must not look like a whole one. When none of it has gone, the answers before
 * it may still be on their way, and a reset would destroy them. */
void http_conn_give_up(struct http_conn *conn)
{
    if (conn->first->out_sent) {
        http_conn_close(conn, true);
        return;
    }
    part_from_all(conn);
    http_conn_end_input(conn, true);
    http_conn_flush_later(conn);
}

void http_conn_end_input(struct http_conn *conn, bool linger)
{
    conn->input_done = true;
    conn->linger |= linger;
    conn->body = CONN_BODY_NONE;
    deadline_clear(&conn->read_deadline);
}

void http_conn_end(struct http_conn *conn)
{
    if (conn->ended || (!conn->linger && !conn->readable)) {
        http_conn_close(conn, false);
        return;
    }
    conn->lingering = true;
    conn->discarded = 0;
    http_transport_finish(conn);
    deadline_set(&conn->loop->linger, &conn->read_deadline, conn->loop->now_ms);
    conn->readable = true;
    http_conn_work(conn);
}

void http_conn_rest(struct http_conn *conn, struct deadline_list *until)
{
    http_transport_rest(conn);
    deadline_set(until, &conn->read_deadline, conn->loop->now_ms);
}

void http_conn_settle(struct http_conn *conn)
{
    if (conn->closed || conn->lingering || conn->first || conn->body != CONN_BODY_NONE ||
        !http_transport_is_flushed(conn))
        return;
    bool draining = conn->loop->draining;
    if (conn->h2) {
        h2_settle(conn);
        return;
    }
    if (conn->in_head || (conn->shaking && !draining))
        return;
    bool idle = !conn->readable && !conn->held && (conn->in.len == 0 || conn->reading);
    if (conn->input_done)
        http_conn_end(conn);
    else if (conn->shaking || (draining && idle))
        http_conn_close(conn, false);
    else if (!deadline_is_set(&conn->read_deadline))
        http_conn_rest(conn, &conn->loop->idle);
}

/* The loop decides what the client is told about the connection: it knows what else is to come. */
static void finish_head(struct http_conn *conn, struct http_exchange *exchange)
{
    struct http_loop *loop = conn->loop;
    memcpy(exchange->out + exchange->date_at, loop->date, HTTP_DATE_BYTES);
    bool last = exchange == conn->last && !conn->reading;
    if (exchange->framed_by_end || (loop->draining && last && conn->body == CONN_BODY_NONE)) {
        exchange->close = true;
        http_conn_end_input(conn, true);
    }
    if (exchange->close)
        exchange->insert = STR("Connection: close\r\n");
    else if (exchange->head.keep_alive)
        exchange->insert = STR("Connection: keep-alive\r\n");
    exchange->ready = true;
}

void http_conn_take(struct http_exchange *exchange)
{
    bool complete = true, dropped = false, failed = false;
    if (exchange->resumed) {
        const struct http_handler *handler = &exchange->loop->server->options.handler;
        exchange->resumed = false;
        handler->request(handler->context, exchange);
        return;
    }
    if (exchange->streaming) {
        pthread_mutex_lock(&exchange->lock);
        exchange->queued = false;
        complete = exchange->ended;
        dropped = exchange->dropped;
        failed = exchange->failed;
        pthread_mutex_unlock(&exchange->lock);
    }
    exchange->complete = complete;
    struct http_conn *conn = exchange->conn;
    if (!conn) {
        if (complete)
            http_exchange_finish(exchange, true);
        return;
    }
    if (dropped && !exchange->given_up)
        atomic_fetch_add_explicit(&conn->loop->stat_dropped, 1, memory_order_relaxed);
    exchange->given_up = dropped || failed;
    if (conn->h2) {
        h2_take(exchange, dropped ? H2_READER_TOO_SLOW : failed ? H2_ANSWER_FAILED : H2_NO_RESET);
        return;
    }
    if (exchange->given_up) {
        if (exchange == conn->first)
            http_conn_give_up(conn);
        return;
    }
    conn->alone |= exchange->streaming;
    if (!exchange->ready)
        finish_head(conn, exchange);
    http_conn_flush_later(conn);
}
