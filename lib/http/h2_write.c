/*
 * Answers of HTTP/2: headers and bodies to nghttp2, frames to the socket. nghttp2 decides which
 * stream goes next and how much its windows allow; at most OUT_BYTES of frames wait for the socket.
 */
#include "http/h2_session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { OUT_BYTES = 64 * 1024, PSEUDO_FIELDS = 3 };

/* --- bodies --- */

static size_t copy_some(const char *from, size_t len, size_t *at, uint8_t *to, size_t room)
{
    size_t size = len - *at < room ? len - *at : room;
    if (size)
        memcpy(to, from + *at, size);
    *at += size;
    return size;
}

static ssize_t read_streamed(struct http_exchange *exchange, uint8_t *to, size_t room,
                             uint32_t *flags)
{
    http_exchange_refill(exchange);
    size_t size =
        copy_some(exchange->sending.ptr, exchange->sending.len, &exchange->sending_at, to, room);
    pthread_mutex_lock(&exchange->lock);
    exchange->unsent -= size;
    bool more = exchange->pending.len > 0;
    pthread_mutex_unlock(&exchange->lock);
    if (!more && exchange->complete && exchange->sending_at == exchange->sending.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (size == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)size;
}

/* There is something for the client to take: it must take some of it in time. */
static void expect_taking(struct http_exchange *exchange)
{
    struct http_loop *loop = exchange->loop;
    deadline_set(&loop->stream_write, &exchange->deadline, loop->now_ms);
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct http_exchange *exchange = source->ptr;
    (void)session;
    (void)stream_id;
    (void)user;
    if (exchange->streaming) {
        ssize_t size = read_streamed(exchange, to, room, flags);
        if (size == NGHTTP2_ERR_DEFERRED)
            deadline_clear(&exchange->deadline);
        else
            expect_taking(exchange);
        return size;
    }
    size_t size = copy_some(exchange->out, exchange->out_len, &exchange->out_sent, to, room);
    if (exchange->out_sent == exchange->out_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    expect_taking(exchange);
    return (ssize_t)size;
}

/* --- headers --- */

static nghttp2_nv field(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr, name.len,
                        value.len, NGHTTP2_NV_FLAG_NONE};
}

static void submit(struct http_conn *conn, struct http_exchange *exchange)
{
    nghttp2_nv fields[HTTP_HEADERS_MAX + PSEUDO_FIELDS];
    char status[12], length[24];
    size_t count = 0;
    snprintf(status, sizeof status, "%d", exchange->status);
    fields[count++] = field(STR(":status"), str_of(status));
    fields[count++] = field(STR("date"), (struct str){conn->loop->date, HTTP_DATE_BYTES});
    if (exchange->has_length) {
        snprintf(length, sizeof length, "%llu", (unsigned long long)exchange->content_length);
        fields[count++] = field(STR("content-length"), str_of(length));
    }
    for (size_t i = 0; i < exchange->field_count && i < HTTP_HEADERS_MAX; i++)
        fields[count++] = field(exchange->fields[i].name, exchange->fields[i].value);
    const nghttp2_data_provider body = {.source.ptr = exchange, .read_callback = read_body};
    bool bodiless = exchange->head_only || (!exchange->streaming && exchange->out_len == 0);
    exchange->submitted = true;
    if (nghttp2_submit_response(conn->h2->session, exchange->stream_id, fields, count,
                                bodiless ? NULL : &body) != 0)
        nghttp2_submit_rst_stream(conn->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id,
                                  NGHTTP2_INTERNAL_ERROR);
}

void h2_take(struct http_exchange *exchange, enum h2_reset reset)
{
    struct http_conn *conn = exchange->conn;
    nghttp2_session *session = conn->h2->session;
    bool first = !exchange->submitted;
    if (reset)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, exchange->stream_id,
                                  reset == H2_ANSWER_FAILED ? NGHTTP2_INTERNAL_ERROR
                                                            : NGHTTP2_CANCEL);
    else if (first)
        submit(conn, exchange);
    else if (!exchange->head_only)
        (void)nghttp2_session_resume_data(session, exchange->stream_id);
    /* From the first on the deadline is no longer the body's. */
    if (first || !deadline_is_set(&exchange->deadline))
        expect_taking(exchange);
    http_conn_flush_later(conn);
}

/* --- frames --- */

static void fill(struct h2 *h2)
{
    const uint8_t *bytes;
    ssize_t len;
    buf_reset(&h2->out);
    h2->out_at = 0;
    while (h2->out.len < OUT_BYTES && (len = nghttp2_session_mem_send(h2->session, &bytes)) > 0)
        buf_add_mem(&h2->out, bytes, (size_t)len);
}

/* False when the socket takes no more, or the connection is gone. */
static bool send_out(struct http_conn *conn)
{
    struct h2 *h2 = conn->h2;
    const struct iovec rest = {h2->out.ptr + h2->out_at, h2->out.len - h2->out_at};
    ssize_t sent = http_transport_write(conn, &rest, 1);
    if (sent >= 0) {
        deadline_clear(&conn->write_deadline);
        h2->out_at += (size_t)sent;
        return true;
    }
    if (errno == EINTR)
        return true;
    if (errno == EAGAIN)
        http_conn_block(conn);
    else
        http_conn_close(conn, false);
    return false;
}

void h2_write(struct http_conn *conn)
{
    struct h2 *h2 = conn->h2;
    while (!conn->blocked) {
        if (h2->out_at == h2->out.len)
            fill(h2);
        if (h2->out.len == 0)
            break;
        if (!send_out(conn))
            return;
    }
    if (!conn->blocked && !h2->streams)
        buf_clear(&h2->out); /* an idle connection holds no buffer */
}

void h2_write_late(struct http_exchange *exchange)
{
    atomic_fetch_add_explicit(&exchange->loop->stat_timeouts, 1, memory_order_relaxed);
    deadline_clear(&exchange->deadline);
    nghttp2_submit_rst_stream(exchange->conn->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id,
                              NGHTTP2_CANCEL);
    http_conn_flush_later(exchange->conn);
}
