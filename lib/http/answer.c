/*
 * Making answers, in the thread that has them. The head is written with room for the date, which
 * the loop fills in; a Connection header goes between head and empty line when one is needed, which
 * only the loop knows.
 */
#include "http/loop.h"

#include <stdio.h>
#include <string.h>

static const struct str DATE = {"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 37};

enum {
    STATUS_LINE_BYTES_MAX = 80,
    LENGTH_LINE_BYTES_MAX = 48,
    ERROR_BODY_BYTES_MAX = 64 * 1024,
    ERROR_HEADERS_MAX = 16,
    CHUNK_HEAD_BYTES_MAX = 18,
};

static char *put(char *to, struct str text)
{
    if (text.len)
        memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static char *put_number(char *to, uint64_t value, unsigned base)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    return put(to, (struct str){digits + at, sizeof digits - at});
}

/* Those that the engine writes itself. */
static bool is_engines(struct str name)
{
    switch (name.len) {
    case 4:
        return str_eq_case(name, STR("date"));
    case 10:
        return str_eq_case(name, STR("connection"));
    case 14:
        return str_eq_case(name, STR("content-length"));
    case 17:
        return str_eq_case(name, STR("transfer-encoding"));
    default:
        return false;
    }
}

/* What came from outside must not end the header: control characters become spaces. */
static char *put_value(char *to, struct str value)
{
    char *end = put(to, value);
    if (h1_is_field_value(value))
        return end;
    for (; to < end; to++) {
        if (((unsigned char)*to < 0x20 && *to != '\t') || *to == 0x7f)
            *to = ' ';
    }
    return end;
}

static char *put_headers(char *to, const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_engines(headers[i].name) || !h1_is_token(headers[i].name))
            continue;
        to = put(to, headers[i].name);
        to = put(to, STR(": "));
        to = put_value(to, headers[i].value);
        to = put(to, STR("\r\n"));
    }
    return to;
}

static char *put_status_line(char *to, int status)
{
    if (status == 200)
        return put(to, STR("HTTP/1.1 200 OK\r\n"));
    return to +
           snprintf(to, STATUS_LINE_BYTES_MAX, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304 || status < 200;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : byte;
}

/* HTTP/2 has no text: the headers wait as a list, with lower-case names; nghttp2 writes them. */
static void make_fields(struct http_exchange *exchange, int status,
                        const struct http_header *headers, size_t header_count, struct str body)
{
    struct http_header *fields = arena_alloc(&exchange->arena, (header_count + 1) * sizeof *fields);
    size_t count = 0;
    for (size_t i = 0; i < header_count; i++) {
        if (is_engines(headers[i].name) || !h1_is_token(headers[i].name))
            continue;
        char *name = arena_alloc(&exchange->arena, headers[i].name.len);
        char *value = arena_alloc(&exchange->arena, headers[i].value.len + 1);
        for (size_t c = 0; c < headers[i].name.len; c++)
            name[c] = lower(headers[i].name.ptr[c]);
        put_value(value, headers[i].value);
        fields[count++] =
            (struct http_header){{name, headers[i].name.len}, {value, headers[i].value.len}};
    }
    exchange->fields = fields;
    exchange->field_count = count;
    exchange->out = arena_alloc(&exchange->arena, body.len + 1);
    put(exchange->out, body);
    exchange->out_len = body.len;
    exchange->body_bytes = body.len;
    exchange->status = status;
}

/* Writes the head into the exchange, and `body` behind it; `length_line` says how it is framed. */
static void make_out(struct http_exchange *exchange, int status, const struct http_header *headers,
                     size_t header_count, struct str length_line, struct str body)
{
    size_t room = STATUS_LINE_BYTES_MAX + DATE.len + length_line.len + 2 + body.len;
    for (size_t i = 0; i < header_count; i++)
        room += headers[i].name.len + headers[i].value.len + 4;
    char *out = arena_alloc(&exchange->arena, room), *at = put_status_line(out, status);
    exchange->out = out;
    exchange->date_at = (size_t)(at - out) + 6; /* behind "Date: " */
    at = put(at, DATE);
    at = put_headers(at, headers, header_count);
    at = put(at, length_line);
    exchange->out_split = (size_t)(at - out);
    at = put(at, STR("\r\n"));
    at = put(at, body);
    exchange->out_len = (size_t)(at - out);
    exchange->body_bytes = body.len;
    exchange->status = status;
}

/* Status numbers that are no final answer are a handler's mistake, not the client's. */
static int final_status(int status)
{
    return status >= 200 && status <= 999 ? status : 500;
}

static void answer(struct http_exchange *exchange, int status, const struct http_header *headers,
                   size_t header_count, struct str body)
{
    char line[LENGTH_LINE_BYTES_MAX], *end = line;
    status = final_status(status);
    if (!has_no_body(status)) {
        end = put(end, STR("Content-Length: "));
        end = put_number(end, body.len, 10);
        end = put(end, STR("\r\n"));
        exchange->content_length = body.len;
        exchange->has_length = true;
    }
    if (exchange->head_only || has_no_body(status))
        body = STR("");
    if (exchange->stream_id)
        make_fields(exchange, status, headers, header_count, body);
    else
        make_out(exchange, status, headers, header_count, (struct str){line, (size_t)(end - line)},
                 body);
    http_inbox_push(exchange, true);
}

void http_answer(struct http_exchange *exchange, int status, const struct http_header *headers,
                 size_t header_count, struct str body)
{
    http_exchange_claim(exchange);
    answer(exchange, status, headers, header_count, body);
}

void http_answer_error(struct http_exchange *exchange, int status, const char *text)
{
    const struct http_handler *handler = &exchange->loop->server->options.handler;
    struct http_header headers[2 + ERROR_HEADERS_MAX] = {
        {STR("Content-Type"), STR("text/plain; charset=utf-8")}, {STR("Retry-After"), STR("1")}};
    size_t count = status == 503 ? 2 : 1;
    struct buf body;
    http_exchange_claim(exchange);
    buf_init_arena(&body, &exchange->arena, ERROR_BODY_BYTES_MAX);
    if (handler->error_body)
        handler->error_body(handler->context, exchange, status, text, &body, &headers[0].value);
    else
        buf_addf(&body, "%s\n", text);
    if (handler->error_headers)
        count +=
            handler->error_headers(handler->context, exchange, headers + count, ERROR_HEADERS_MAX);
    answer(exchange, status, headers, count, buf_str(&body));
}

/* --- streamed answers --- */

/* Under the lock: true when the loop has to be told. */
static bool queue(struct http_exchange *exchange)
{
    bool tell = !exchange->queued;
    exchange->queued = true;
    return tell;
}

void http_stream_begin(struct http_exchange *exchange, int status,
                       const struct http_header *headers, size_t header_count)
{
    status = final_status(status);
    exchange->head_only |= has_no_body(status);
    exchange->framed_by_end = exchange->request.minor_version == 0;
    exchange->chunked = exchange->request.minor_version == 1;
    struct str line =
        exchange->chunked && !has_no_body(status) ? STR("Transfer-Encoding: chunked\r\n") : STR("");
    if (exchange->stream_id)
        make_fields(exchange, status, headers, header_count, STR(""));
    else
        make_out(exchange, status, headers, header_count, line, STR(""));
    pthread_mutex_lock(&exchange->lock);
    exchange->streaming = true;
    buf_init(&exchange->pending, SIZE_MAX / 2); /* bounded by http_stream_write */
    buf_init(&exchange->sending, SIZE_MAX / 2);
    bool tell = queue(exchange);
    pthread_mutex_unlock(&exchange->lock);
    if (tell)
        http_inbox_push(exchange, false);
}

static void add_chunk(struct http_exchange *exchange, struct str bytes)
{
    char *to = buf_reserve(&exchange->pending, bytes.len + CHUNK_HEAD_BYTES_MAX + 4), *from = to;
    if (exchange->chunked) {
        to = put_number(to, bytes.len, 16);
        to = put(to, STR("\r\n"));
    }
    to = put(to, bytes);
    if (exchange->chunked)
        to = put(to, STR("\r\n"));
    exchange->pending.len += (size_t)(to - from);
    exchange->unsent += (size_t)(to - from);
    exchange->body_bytes += bytes.len;
}

bool http_stream_write(struct http_exchange *exchange, struct str bytes)
{
    size_t limit = (size_t)exchange->loop->server->options.limits.stream_buffer_bytes;
    bool tell = false;
    pthread_mutex_lock(&exchange->lock);
    bool alive = !exchange->cut && !exchange->dropped;
    if (alive && bytes.len && !exchange->head_only) {
        /* Not by the size of these bytes: a reader who is up to date is not too slow for them. */
        if (exchange->unsent >= limit) {
            exchange->dropped = true;
            alive = false;
        } else {
            add_chunk(exchange, bytes);
        }
        tell = queue(exchange);
    }
    pthread_mutex_unlock(&exchange->lock);
    if (tell)
        http_inbox_push(exchange, false);
    return alive;
}

static void end_stream(struct http_exchange *exchange, bool failed)
{
    http_exchange_claim(exchange);
    pthread_mutex_lock(&exchange->lock);
    exchange->failed = failed;
    if (!failed && !exchange->cut && !exchange->dropped && exchange->chunked &&
        !exchange->head_only) {
        struct str last = STR("0\r\n\r\n");
        buf_add(&exchange->pending, last);
        exchange->unsent += last.len;
    }
    exchange->ended = true;
    bool tell = queue(exchange);
    pthread_mutex_unlock(&exchange->lock);
    if (tell)
        http_inbox_push(exchange, true);
}

void http_stream_end(struct http_exchange *exchange)
{
    end_stream(exchange, false);
}

void http_stream_abort(struct http_exchange *exchange)
{
    end_stream(exchange, true);
}

bool http_exchange_dropped(struct http_exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    bool dropped = exchange->dropped;
    pthread_mutex_unlock(&exchange->lock);
    return dropped;
}
