/*
 * The way in: bytes to exchanges. One read at most per connection and round, into memory that all
 * connections of the loop share; only what is incomplete is kept (in conn->in), so that an idle
 * connection holds no buffer. conn->in never holds more than a head and one read: nothing is read
 * while answers are owed for limits.pipeline requests, or while a request is held (see must_wait).
 */
#include "http/loop.h"

#include "http/h2.h"
#include "http/tls.h"

#include <errno.h>
#include <string.h>

enum {
    SMALL_BODY_BYTES = 8192,        /* up to here a body lies in the exchange's arena */
    DISCARD_BYTES_MAX = 64 * 1024,  /* of a body that nobody wants, before the connection goes */
    LINGER_BYTES_MAX = 1024 * 1024, /* that may come behind the last answer */
};

static const struct http_server_options *options_of(const struct http_conn *conn)
{
    return &conn->loop->server->options;
}

void http_conn_fail(struct http_conn *conn, int status, const char *text)
{
    struct http_exchange *exchange = conn->reading;
    if (status == 408)
        atomic_fetch_add_explicit(&conn->loop->stat_timeouts, 1, memory_order_relaxed);
    if (conn->shaking || conn->h2) { /* there is nobody whom an answer would reach */
        http_conn_close(conn, false);
        return;
    }
    if (conn->body != CONN_BODY_DISCARD) {
        if (!exchange)
            exchange = http_exchange_new(conn->loop, conn);
        if (!exchange->listed)
            http_conn_append(conn, exchange);
        exchange->close = true;
        if (exchange->interim_left == HTTP_INTERIM_BYTES)
            exchange->interim_left = 0;
        http_answer_error(exchange, status, text);
    }
    conn->reading = NULL;
    conn->in_head = false;
    http_conn_end_input(conn, true);
    http_conn_settle(conn);
}

/* --- heads --- */

static struct str moved(const char *to, struct h1_span span)
{
    return (struct str){to + span.at, span.len};
}

/* Copies the head to memory of the exchange and points the request into it. */
static void make_request(struct http_exchange *exchange, const char *data)
{
    const struct h1_head *head = &exchange->head;
    struct http_request *request = &exchange->request;
    const char *copy = arena_cstr(&exchange->arena, (struct str){data, head->size});
    struct http_header *headers =
        arena_alloc(&exchange->arena, head->field_count * sizeof *headers);
    for (uint32_t i = 0; i < head->field_count; i++) {
        headers[i].name = moved(copy, head->fields[i].name);
        headers[i].value = moved(copy, head->fields[i].value);
    }
    request->method = moved(copy, head->method);
    request->target = moved(copy, head->target);
    request->path = moved(copy, head->path);
    if (head->path_is_root)
        request->path = str_eq(request->method, STR("OPTIONS")) ? STR("*") : STR("/");
    request->query = moved(copy, head->query);
    request->host = moved(copy, head->host);
    request->has_body = head->framing != H1_NO_BODY;
    request->minor_version = head->minor_version;
    if (exchange->conn->tls) {
        request->secure = true;
        request->client_subject =
            arena_str(&exchange->arena, tls_client_subject(exchange->conn->tls));
    }
    request->header_count = head->field_count;
    request->headers = headers;
    exchange->head_only = str_eq(request->method, STR("HEAD"));
    exchange->close = head->close;
}

/* What could be made out of a head that is refused: for the log. */
static void salvage_request(struct http_exchange *exchange, const char *data)
{
    const struct h1_head *head = &exchange->head;
    exchange->request.method = arena_str(&exchange->arena, moved(data, head->method));
    exchange->request.target = arena_str(&exchange->arena, moved(data, head->target));
    exchange->head_only = str_eq(exchange->request.method, STR("HEAD"));
}

/* All of the request has been read. */
static void end_request(struct http_conn *conn, const struct http_exchange *exchange)
{
    conn->reading = NULL;
    conn->body = CONN_BODY_NONE;
    deadline_clear(&conn->read_deadline);
    if (exchange->close)
        http_conn_end_input(conn, false);
}

static void call_request(struct http_conn *conn, struct http_exchange *exchange)
{
    const struct http_handler *handler = &options_of(conn)->handler;
    exchange->request.body = buf_str(&exchange->body);
    end_request(conn, exchange);
    handler->request(handler->context, exchange);
}

/* --- bodies --- */

static void begin_body(struct http_conn *conn, struct http_exchange *exchange, bool more_is_here)
{
    uint64_t max = (uint64_t)options_of(conn)->limits.body_bytes;
    const struct h1_head *head = &exchange->head;
    conn->body = CONN_BODY_KEEP;
    conn->reading = exchange;
    conn->body_left = head->content_length;
    deadline_set(&conn->loop->body, &conn->read_deadline, conn->loop->now_ms);
    if (head->framing == H1_CHUNKED)
        h1_chunk_begin(&conn->chunk, max);
    if (head->framing == H1_LENGTH && head->content_length <= SMALL_BODY_BYTES) {
        buf_init_arena(&exchange->body, &exchange->arena, (size_t)head->content_length);
        buf_reserve(&exchange->body, (size_t)head->content_length);
    } else {
        buf_init(&exchange->body, (size_t)max);
    }
    if (head->expect_continue && !more_is_here) {
        exchange->interim_left = HTTP_INTERIM_BYTES;
        http_conn_flush_later(conn);
    }
}

/*
 * The handler has answered on seeing the headers. A short body is read and thrown away; before a
 * long one the connection ends. So it does when the client waits for `100 Continue`: whether it
 * will send the body now is not known (RFC 9110 section 10.1.1), so what comes next cannot be told.
 */
static void begin_discard(struct http_conn *conn, struct http_exchange *exchange)
{
    const struct h1_head *head = &exchange->head;
    if (head->expect_continue ||
        (head->framing == H1_LENGTH && head->content_length > DISCARD_BYTES_MAX)) {
        exchange->close = true;
        http_conn_end_input(conn, true);
        return;
    }
    conn->body = CONN_BODY_DISCARD;
    conn->body_left = head->content_length;
    if (head->framing == H1_CHUNKED)
        h1_chunk_begin(&conn->chunk, DISCARD_BYTES_MAX);
    conn->discard_close = exchange->close;
    conn->chunked = head->framing == H1_CHUNKED;
    deadline_set(&conn->loop->body, &conn->read_deadline, conn->loop->now_ms);
}

static void end_body(struct http_conn *conn)
{
    if (conn->body == CONN_BODY_KEEP) {
        call_request(conn, conn->reading);
        return;
    }
    conn->body = CONN_BODY_NONE;
    deadline_clear(&conn->read_deadline);
    if (conn->discard_close)
        http_conn_end_input(conn, false);
}

static size_t take_length(struct http_conn *conn, const char *data, size_t len)
{
    size_t taken = conn->body_left < len ? (size_t)conn->body_left : len;
    if (conn->body == CONN_BODY_KEEP)
        buf_add_mem(&conn->reading->body, data, taken);
    conn->body_left -= taken;
    if (conn->body_left == 0)
        end_body(conn);
    return taken;
}

static size_t take_chunks(struct http_conn *conn, const char *data, size_t len)
{
    size_t at = 0, used;
    while (at < len) {
        struct str piece;
        enum h1_verdict verdict = h1_chunk_next(&conn->chunk, data + at, len - at, &used, &piece);
        at += used;
        if (verdict == H1_BAD) {
            http_conn_fail(conn, conn->chunk.status, conn->chunk.text);
            return len;
        }
        if (conn->body == CONN_BODY_KEEP)
            buf_add(&conn->reading->body, piece);
        if (verdict == H1_DONE) {
            end_body(conn);
            return at;
        }
    }
    return at;
}

/* --- requests --- */

static bool is_safe(struct str method)
{
    return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) ||
           str_eq(method, STR("OPTIONS"));
}

/*
 * Requests run at once only when all of them are safe (RFC 9112 section 9.3.2): one that changes
 * something has nothing beside it. Nor has a stream, which may last.
 */
static bool must_wait(const struct http_conn *conn, struct str method)
{
    return conn->first && (conn->alone || !is_safe(method));
}

/* The head is complete; `more_is_here`: bytes follow it already. */
static void begin_request(struct http_conn *conn, struct http_exchange *exchange, const char *data,
                          bool more_is_here)
{
    const struct http_handler *handler = &options_of(conn)->handler;
    const struct h1_head *head = &exchange->head;
    conn->held = false;
    conn->reading = NULL;
    atomic_fetch_add_explicit(&conn->loop->stat_requests, 1, memory_order_relaxed);
    make_request(exchange, data);
    http_conn_append(conn, exchange);
    conn->alone = !is_safe(exchange->request.method);
    if (head->framing == H1_LENGTH &&
        head->content_length > (uint64_t)options_of(conn)->limits.body_bytes) {
        conn->reading = exchange;
        http_conn_fail(conn, 413, "The body is too large");
        return;
    }
    conn->chunked = head->framing == H1_CHUNKED;
    if (http_exchange_admit(exchange, exchange == conn->first) && handler->headers)
        handler->headers(handler->context, exchange);
    if (http_exchange_is_answered(exchange)) {
        if (head->framing != H1_NO_BODY)
            begin_discard(conn, exchange);
        else
            end_request(conn, exchange);
    } else if (head->framing == H1_NO_BODY) {
        call_request(conn, exchange);
    } else {
        begin_body(conn, exchange, more_is_here);
    }
}

/* How much of `data` was taken: 0 when the head is incomplete, or held. */
static size_t take_head(struct http_conn *conn, const char *data, size_t len)
{
    const struct http_limits *limits = &options_of(conn)->limits;
    const struct h1_limits bounds = {(size_t)limits->target_bytes, (size_t)limits->header_bytes};
    struct http_exchange *exchange = conn->reading;
    if (!exchange)
        exchange = conn->reading = http_exchange_new(conn->loop, conn);
    switch (conn->held ? H1_DONE : h1_head_parse(&exchange->head, data, len, &bounds)) {
    case H1_BAD:
        salvage_request(exchange, data);
        http_conn_fail(conn, exchange->head.status, exchange->head.text);
        return len;
    case H1_MORE:
        if (!conn->in_head && !h1_head_is_blank(&exchange->head, len)) {
            conn->in_head = true;
            deadline_set(&conn->loop->header, &conn->read_deadline, conn->loop->now_ms);
        }
        return 0;
    default: {
        size_t size = exchange->head.size;
        conn->in_head = false;
        deadline_clear(&conn->read_deadline);
        conn->held = must_wait(conn, moved(data, exchange->head.method));
        if (conn->held)
            return 0;
        begin_request(conn, exchange, data, len > size);
        return size;
    }
    }
}

static bool has_room(const struct http_conn *conn)
{
    if (conn->held)
        return !conn->first;
    return conn->body != CONN_BODY_NONE ||
           conn->unanswered < (uint64_t)options_of(conn)->limits.pipeline;
}

/* The socket is to be read from. */
static bool wants_more(const struct http_conn *conn)
{
    return conn->readable && !conn->input_done && has_room(conn) && http_transport_may_read(conn);
}

static size_t consume(struct http_conn *conn, const char *data, size_t len)
{
    size_t at = 0;
    while (at < len && !conn->input_done && has_room(conn)) {
        size_t taken;
        if (conn->body == CONN_BODY_NONE)
            taken = take_head(conn, data + at, len - at);
        else if (conn->chunked)
            taken = take_chunks(conn, data + at, len - at);
        else
            taken = take_length(conn, data + at, len - at);
        if (taken == 0)
            break;
        at += taken;
    }
    if (conn->input_done && at < len)
        conn->linger = true;
    return at;
}

static void consume_kept(struct http_conn *conn)
{
    size_t used = consume(conn, conn->in.ptr, conn->in.len);
    if (conn->closed)
        return;
    buf_drop_front(&conn->in, used);
    if (conn->in.len == 0 || conn->input_done)
        buf_clear(&conn->in);
}

/* Plain HTTP/2 begins with its preface (RFC 9113 section 3.3); no request of HTTP/1 does. */
static bool is_preface(struct http_conn *conn, struct str begin)
{
    size_t len = begin.len < H2_PREFACE_BYTES ? begin.len : H2_PREFACE_BYTES;
    conn->fresh = memcmp(begin.ptr, H2_PREFACE, len) == 0;
    return conn->fresh;
}

/* True when the bytes have been taken or kept: it is, or may become, a connection of HTTP/2. */
static bool feed_fresh(struct http_conn *conn, const char *data, size_t len)
{
    buf_add_mem(&conn->in, data, len);
    if (!is_preface(conn, buf_str(&conn->in)))
        return false;
    if (conn->in.len < H2_PREFACE_BYTES) {
        if (!conn->in_head)
            deadline_set(&conn->loop->header, &conn->read_deadline, conn->loop->now_ms);
        conn->in_head = true;
        return true;
    }
    struct buf begin = conn->in;
    buf_init(&conn->in, SIZE_MAX / 2);
    conn->fresh = conn->in_head = false;
    deadline_clear(&conn->read_deadline);
    h2_open(conn);
    h2_feed(conn, begin.ptr, begin.len);
    buf_clear(&begin);
    return true;
}

static void feed(struct http_conn *conn, const char *data, size_t len)
{
    if (conn->h2) {
        h2_feed(conn, data, len);
        return;
    }
    if (conn->fresh) {
        if (!feed_fresh(conn, data, len))
            consume_kept(conn);
        return;
    }
    if (conn->in.len) {
        buf_add_mem(&conn->in, data, len);
        consume_kept(conn);
        return;
    }
    size_t used = consume(conn, data, len);
    if (used < len && !conn->input_done)
        buf_add_mem(&conn->in, data + used, len - used);
}

static void end_of_input(struct http_conn *conn)
{
    conn->ended = true;
    http_exchange_tell_end(conn->first);
    if (conn->h2) {
        h2_end_of_input(conn);
        return;
    }
    bool partial = conn->body == CONN_BODY_KEEP || conn->in_head;
    if (partial)
        http_conn_fail(conn, 400, "The request is incomplete");
    else
        http_conn_end_input(conn, false);
}

/* The client is to see our end of the connection first; what it still sends is thrown away. */
static void linger(struct http_conn *conn)
{
    ssize_t got;
    while ((got = http_transport_read(conn, conn->loop->scratch, HTTP_SCRATCH_BYTES)) > 0) {
        conn->discarded += (uint64_t)got;
        if (conn->discarded > LINGER_BYTES_MAX)
            break;
    }
    if (got < 0 && errno == EINTR && http_transport_may_read(conn))
        http_conn_work(conn);
    else if (got >= 0 || errno != EAGAIN)
        http_conn_close(conn, got > 0);
}

static void receive(struct http_conn *conn)
{
    char *scratch = conn->loop->scratch;
    ssize_t got = http_transport_read(conn, scratch, HTTP_SCRATCH_BYTES);
    if (got > 0) {
        /* A short read has emptied the socket, unless the client's end is behind it, or TLS, which
         * gives a record at a time. */
        conn->readable = got == HTTP_SCRATCH_BYTES || conn->half_closed || conn->tls;
        feed(conn, scratch, (size_t)got);
    } else if (got == 0) {
        conn->readable = false;
        end_of_input(conn);
    } else if (errno == EAGAIN) {
        conn->readable = false;
    } else if (errno != EINTR) {
        http_conn_close(conn, false);
    }
    if (!http_transport_is_flushed(conn)) /* TLS may have replied by itself */
        http_conn_flush_later(conn);
}

static void shake(struct http_conn *conn)
{
    switch (tls_handshake(conn->tls)) {
    case TLS_AGAIN:
        conn->readable = false;
        if (!http_transport_is_flushed(conn))
            conn->blocked = true; /* the deadline is the handshake's */
        break;
    case TLS_FAILED:
        http_conn_close(conn, false);
        break;
    case TLS_DONE:
        conn->shaking = false;
        deadline_clear(&conn->read_deadline);
        if (tls_chose_http2(conn->tls))
            h2_open(conn);
        if (!http_transport_is_flushed(conn))
            http_conn_flush_later(conn);
        break;
    }
}

void http_conn_read(struct http_conn *conn)
{
    if (conn->closed)
        return;
    if (conn->shaking) {
        shake(conn);
        if (conn->closed || conn->shaking) {
            http_conn_settle(conn);
            return;
        }
    }
    if (conn->lingering) {
        linger(conn);
        return;
    }
    if (conn->in.len && !conn->input_done && !conn->in_head && has_room(conn))
        consume_kept(conn);
    if (!conn->closed && wants_more(conn)) {
        receive(conn);
        if (wants_more(conn))
            http_conn_work(conn);
    }
    http_conn_settle(conn);
}
