/*
 * Requests of HTTP/2. nghttp2 checks the framing and the rules of RFC 9113 section 8 (pseudo
 * headers, lower-case names, content-length against the data) and resets what breaks them; limits,
 * targets and hosts are checked here, by the rules of HTTP/1.1.
 *
 * Nothing in a callback closes the connection: nghttp2 is still at work then. Answers that handlers
 * give at once come back by the loop's list, as all answers do.
 */
#include "http/h2_session.h"

#include "base/alloc.h"
#include "http/tls.h"

#include <string.h>

enum {
    FIELDS_AT_FIRST = 16,
    FIELD_OVERHEAD = 32, /* of a header in the size that RFC 9113 section 10.5.1 counts */
    BUDGET_MAX = 1000,
    BUDGET_PER_SECOND = 100,
    WASTED_REQUEST = 4,              /* cost of one that was begun and thrown away */
    USEFUL_REQUEST = 8,              /* what a whole answer adds */
    DISCARD_BYTES_MAX = 1024 * 1024, /* of a body that nobody wants, before it is stopped */
    ACKS_MAX = 1000,                 /* answers to PING and SETTINGS that may wait to be sent */
    UPDATE_BYTES = 4096,             /* a client may say as often as that what it has taken */
    UPDATES_MAX = 128 * 1024,        /* WINDOW_UPDATEs that may be owed: 256 MiB on their way */
};

static const struct http_limits *limits_of(const struct http_conn *conn)
{
    return &conn->loop->server->options.limits;
}

/* --- the budget --- */

static void earn(struct h2 *h2, int64_t credit)
{
    h2->budget = h2->budget + credit < BUDGET_MAX ? h2->budget + credit : BUDGET_MAX;
}

/*
 * For these bytes the client owes WINDOW_UPDATEs, for the stream and for the connection, which cost
 * nothing. They may come all at once after megabytes on their way: no budget could hold so many.
 */
static void expect_updates(struct h2 *h2, size_t bytes)
{
    uint64_t owed = h2->updates_owed + 2 * (1 + bytes / UPDATE_BYTES);
    h2->updates_owed = owed < UPDATES_MAX ? owed : UPDATES_MAX;
}

static bool was_owed(struct h2 *h2, const nghttp2_frame *frame)
{
    bool owed = frame->hd.type == NGHTTP2_WINDOW_UPDATE && h2->updates_owed > 0;
    h2->updates_owed -= owed;
    return owed;
}

static void note_flood(struct http_conn *conn)
{
    if (!conn->h2->flooded)
        atomic_fetch_add_explicit(&conn->loop->stat_floods, 1, memory_order_relaxed);
    conn->h2->flooded = true;
}

static void spend(struct http_conn *conn, int64_t cost)
{
    struct h2 *h2 = conn->h2;
    int64_t now = conn->loop->now_ms;
    int64_t grown = h2->budget + (now - h2->budget_ms) * BUDGET_PER_SECOND / 1000;
    if (grown > h2->budget) {
        h2->budget = grown < BUDGET_MAX ? grown : BUDGET_MAX;
        h2->budget_ms = now;
    }
    h2->budget -= cost;
    if (h2->budget >= 0 || h2->flooded)
        return;
    note_flood(conn);
    nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* --- headers --- */

/* Refused when the headers are complete; the first reason stands. */
static void note_refusal(struct http_exchange *exchange, int status)
{
    if (!exchange->refused_status)
        exchange->refused_status = status;
}

static void add_field(struct http_exchange *exchange, struct str name, struct str value)
{
    if (exchange->field_count == exchange->field_room) {
        size_t room = exchange->field_room ? 2 * exchange->field_room : FIELDS_AT_FIRST;
        struct http_header *fields = arena_alloc(&exchange->arena, room * sizeof *fields);
        if (exchange->field_count)
            memcpy(fields, exchange->fields, exchange->field_count * sizeof *fields);
        exchange->fields = fields;
        exchange->field_room = room;
    }
    exchange->fields[exchange->field_count++] =
        (struct http_header){arena_str(&exchange->arena, name), arena_str(&exchange->arena, value)};
}

static void take_field(struct http_conn *conn, struct http_exchange *exchange, struct str name,
                       struct str value)
{
    struct http_request *request = &exchange->request;
    const struct http_limits *limits = limits_of(conn);
    exchange->field_bytes += name.len + value.len + FIELD_OVERHEAD;
    bool pseudo = name.len && name.ptr[0] == ':';
    if (str_eq(name, STR(":path")) && value.len > (size_t)limits->target_bytes)
        note_refusal(exchange, 414);
    else if (exchange->field_bytes > (size_t)limits->header_bytes ||
             (!pseudo && exchange->field_count == HTTP_HEADERS_MAX))
        note_refusal(exchange, 431);
    else if (str_eq(name, STR(":method")))
        request->method = arena_str(&exchange->arena, value);
    else if (str_eq(name, STR(":path")))
        request->target = arena_str(&exchange->arena, value);
    else if (str_eq(name, STR(":authority")))
        request->host = arena_str(&exchange->arena, value);
    else if (!pseudo)
        add_field(exchange, name, value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct http_conn *conn = user;
    struct http_exchange *exchange =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    /* Trailers are read, checked by nghttp2, and dropped, as those of chunked bodies are. */
    if (exchange && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        take_field(conn, exchange, (struct str){(const char *)name, name_len},
                   (struct str){(const char *)value, value_len});
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http_conn *conn = user;
    struct h2 *h2 = conn->h2;
    h2->heading = true;
    deadline_set(&conn->loop->header, &conn->read_deadline, conn->loop->now_ms);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http_exchange *exchange = http_exchange_new(conn->loop, conn);
    exchange->stream_id = frame->hd.stream_id;
    exchange->reading = exchange->listed = true;
    exchange->request.minor_version = 2;
    exchange->next = h2->streams;
    h2->streams = exchange;
    h2->stream_count++;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange);
    return 0;
}

/* --- a request --- */

/* Path, query and host by the rules that HTTP/1.1 has for them. NULL, or what is wrong. */
static const char *split_target(struct http_exchange *exchange)
{
    struct http_request *request = &exchange->request;
    struct str host_header = http_header_find(request, STR("host"));
    if (!h1_is_token(request->method))
        return "The method is no token";
    if (!h1_is_target(request->target))
        return "The request target has a character that no target has";
    if (http_header_count(request, STR("host")) > 1)
        return "There is more than one Host";
    if (!request->host.ptr && host_header.ptr)
        request->host = host_header;
    else if (host_header.ptr && !str_eq_case(host_header, request->host))
        return "Host and :authority name different hosts";
    if (!h1_host_is_valid(request->host))
        return "The authority is not a host name with an optional port";
    const char *text = arena_cstr(&exchange->arena, request->target);
    if (request->target.len == 0 || (text[0] != '/' && !str_eq(request->target, STR("*"))))
        return "The path does not begin with /";
    if (text[0] == '*' && !str_eq(request->method, STR("OPTIONS")))
        return "Only OPTIONS may have the target *";
    ptrdiff_t mark = str_find(request->target, '?');
    size_t path = mark < 0 ? request->target.len : (size_t)mark;
    request->path = (struct str){text, path};
    request->query =
        mark < 0 ? STR("") : (struct str){text + path + 1, request->target.len - path - 1};
    return NULL;
}

/* The client has not ended the stream: it has to in time, also when it announces no body. */
static void await_end(struct http_exchange *exchange)
{
    struct http_conn *conn = exchange->conn;
    struct str expect = http_header_find(&exchange->request, STR("expect"));
    buf_init(&exchange->body, (size_t)limits_of(conn)->body_bytes);
    deadline_set(&conn->loop->stream_body, &exchange->deadline, conn->loop->now_ms);
    if (exchange->request.has_body && expect.ptr && str_eq_case(expect, STR("100-continue"))) {
        static const nghttp2_nv CONTINUE = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, 0};
        nghttp2_submit_headers(conn->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NULL,
                               &CONTINUE, 1, NULL);
    }
}

/* 413 for a body whose announced length is beyond the limit. */
static bool length_fits(const struct http_exchange *exchange)
{
    struct str length = http_header_find(&exchange->request, STR("content-length"));
    uint64_t bytes;
    return !length.ptr || !str_to_u64(length, &bytes) ||
           bytes <= (uint64_t)limits_of(exchange->conn)->body_bytes;
}

static void refuse(struct http_exchange *exchange)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{414, "The request target is too long"},
                 {431, "The headers are too large"},
                 {413, "The body is too large"},
                 {501, "This is not a proxy: CONNECT is not understood"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].status == exchange->refused_status)
            http_answer_error(exchange, texts[i].status, texts[i].text);
    }
}

static void fill_request(struct http_exchange *exchange)
{
    struct http_request *request = &exchange->request;
    request->headers = exchange->fields;
    request->header_count = exchange->field_count;
    exchange->head_only = str_eq(request->method, STR("HEAD"));
    if (exchange->conn->tls) {
        request->secure = true;
        request->client_subject =
            arena_str(&exchange->arena, tls_client_subject(exchange->conn->tls));
    }
}

static void headers_complete(struct http_conn *conn, struct http_exchange *exchange, bool ends)
{
    const struct http_handler *handler = &conn->loop->server->options.handler;
    atomic_fetch_add_explicit(&conn->loop->stat_requests, 1, memory_order_relaxed);
    fill_request(exchange);
    if (str_eq(exchange->request.method, STR("CONNECT")))
        note_refusal(exchange, 501);
    const char *wrong = exchange->refused_status ? NULL : split_target(exchange);
    if (!wrong && !length_fits(exchange))
        note_refusal(exchange, 413);
    struct str length = http_header_find(&exchange->request, STR("content-length"));
    exchange->request.has_body = !ends && !str_eq(length, STR("0"));
    if (exchange->refused_status)
        refuse(exchange);
    else if (wrong)
        http_answer_error(exchange, 400, wrong);
    else if (http_exchange_admit(exchange, conn->h2->stream_count == 1) && handler->headers)
        handler->headers(handler->context, exchange);
    if (!ends && !http_exchange_is_answered(exchange))
        await_end(exchange);
}

static void request_complete(struct http_conn *conn, struct http_exchange *exchange)
{
    const struct http_handler *handler = &conn->loop->server->options.handler;
    exchange->reading = false;
    deadline_clear(&exchange->deadline);
    if (http_exchange_is_answered(exchange))
        return;
    exchange->request.body = buf_str(&exchange->body);
    handler->request(handler->context, exchange);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user)
{
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)flags;
    (void)user;
    if (!exchange || !exchange->reading)
        return 0;
    if (http_exchange_is_answered(exchange)) {
        exchange->discarded += len;
        if (exchange->whole && exchange->discarded > DISCARD_BYTES_MAX)
            h2_linger_late(exchange);
        return 0;
    }
    buf_add_mem(&exchange->body, data, len);
    if (exchange->body.overflow) {
        exchange->refused_status = 413;
        refuse(exchange);
    }
    return 0;
}

/* --- frames --- */

/* No other frame comes between the parts of a header block. */
static void heading_ended(struct http_conn *conn)
{
    if (conn->h2->heading)
        deadline_clear(&conn->read_deadline);
    conn->h2->heading = false;
}

/* What a frame costs that asks for nothing. */
static int64_t cost_of(const nghttp2_frame *frame)
{
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        return frame->hd.length == 0 && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    case NGHTTP2_HEADERS:
        return 0;
    case NGHTTP2_RST_STREAM:
        return WASTED_REQUEST;
    default:
        return 1;
    }
}

/*
 * nghttp2 passes over headers for a stream that it does not know any more. That is right for one
 * that was closed (trailers may be on their way when we reset it); for one that was left out RFC
 * 9113 section 5.1.1 wants the connection to end. The client's have odd numbers: when all were
 * begun, none was left out.
 */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user)
{
    struct http_conn *conn = user;
    struct h2 *h2 = conn->h2;
    if (head->type != NGHTTP2_HEADERS)
        return 0;
    if (head->stream_id > h2->last_stream) {
        h2->last_stream = head->stream_id;
        h2->begun++;
    } else if (head->stream_id < h2->last_stream &&
               !nghttp2_session_find_stream(session, head->stream_id)) {
        spend(conn, WASTED_REQUEST);
        if (h2->begun <= h2->last_stream / 2)
            nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http_conn *conn = user;
    struct http_exchange *exchange =
        frame->hd.stream_id ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id)
                            : NULL;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!was_owed(conn->h2, frame))
        spend(conn, cost_of(frame));
    heading_ended(conn);
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) &&
        conn->h2->goaway && !conn->h2->last_goaway) {
        conn->h2->last_goaway = true;
        nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR,
                              NULL, 0);
    }
    if (!exchange || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        headers_complete(conn, exchange, ends);
    if (ends)
        request_complete(conn, exchange);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    struct http_conn *conn = user;
    (void)session;
    (void)frame;
    (void)error;
    spend(conn, WASTED_REQUEST);
    heading_ended(conn);
    return 0;
}

/* --- the end of a stream --- */

static void unlist(struct h2 *h2, const struct http_exchange *exchange)
{
    struct http_exchange **at = &h2->streams;
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    h2->stream_count--;
}

static void part(struct http_exchange *exchange, bool aborted)
{
    deadline_clear(&exchange->deadline);
    if (exchange->reading && !http_exchange_is_answered(exchange)) {
        exchange->status = 499; /* nobody has it but the engine: it has not been read in full */
        http_exchange_finish(exchange, true);
    } else if (exchange->complete) {
        http_exchange_finish(exchange, aborted || !exchange->whole);
    } else {
        http_exchange_cut(exchange);
    }
}

static int on_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user)
{
    struct http_conn *conn = user;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, stream_id);
    if (!exchange)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    unlist(conn->h2, exchange);
    part(exchange, error != NGHTTP2_NO_ERROR);
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http_conn *conn = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_DATA)
        expect_updates(conn->h2, frame->hd.length);
    if (!frame->hd.stream_id || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    earn(conn->h2, USEFUL_REQUEST);
    struct http_exchange *exchange = h2_exchange(conn->h2, frame->hd.stream_id);
    if (!exchange)
        return 0;
    exchange->whole = true;
    /* Answered before it was read in full: the rest is not wanted. Clients that are still sending
     * (curl 7) lose the answer to a reset that comes with it, so they get a moment to see it. */
    if (exchange->reading)
        deadline_set(&conn->loop->stream_linger, &exchange->deadline, conn->loop->now_ms);
    return 0;
}

/* --- the connection --- */

static nghttp2_session *new_session(struct http_conn *conn)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_option *option;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        alloc_failed("HTTP/2");
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    if (nghttp2_session_server_new2(&session, callbacks, conn, option) != 0)
        alloc_failed("HTTP/2");
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

void h2_open(struct http_conn *conn)
{
    const struct http_limits *limits = limits_of(conn);
    struct h2 *h2 = xcalloc(1, sizeof *h2);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)limits->streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_bytes},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 0},
    };
    conn->h2 = h2;
    h2->session = new_session(conn);
    h2->budget = BUDGET_MAX;
    h2->budget_ms = conn->loop->now_ms;
    buf_init(&h2->out, SIZE_MAX / 2); /* bounded by how it is filled: see h2_write.c */
    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, 2);
    http_conn_flush_later(conn);
}

void h2_feed(struct http_conn *conn, const char *data, size_t len)
{
    struct h2 *h2 = conn->h2;
    ssize_t read = nghttp2_session_mem_recv(h2->session, (const uint8_t *)data, len);
    if (read < 0) { /* not HTTP/2 at all, or more answers to PINGs than may wait */
        if (read == NGHTTP2_ERR_FLOODED)
            note_flood(conn);
        http_conn_close(conn, false);
        return;
    }
    if (h2->streams && !h2->heading)
        deadline_clear(&conn->read_deadline); /* the idle one */
    http_conn_flush_later(conn);
}

void h2_end_of_input(struct http_conn *conn)
{
    http_exchange_tell_end(conn->h2->streams);
    /* A request that has not come in full never will. */
    for (struct http_exchange *e = conn->h2->streams; e; e = e->next) {
        if (e->reading)
            nghttp2_submit_rst_stream(conn->h2->session, NGHTTP2_FLAG_NONE, e->stream_id,
                                      NGHTTP2_CANCEL);
    }
    http_conn_flush_later(conn);
}

void h2_settle(struct http_conn *conn)
{
    struct h2 *h2 = conn->h2;
    struct http_loop *loop = conn->loop;
    if (loop->draining && !h2->goaway) {
        /* Requests that are on their way are still taken: the last one is named a round trip later
         * (RFC 9113 section 6.8). */
        h2->goaway = true;
        deadline_clear(
            &conn->read_deadline); /* from idle to linger: who does not answer is closed */
        nghttp2_submit_shutdown_notice(h2->session);
        nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
        http_conn_flush_later(conn);
        return;
    }
    if (h2->out.len > h2->out_at || nghttp2_session_want_write(h2->session))
        return;
    if (!nghttp2_session_want_read(h2->session) ||
        (!h2->streams && (conn->ended || h2->last_goaway)))
        http_conn_end(conn);
    else if (h2->streams)
        return;
    else if (!deadline_is_set(&conn->read_deadline))
        http_conn_rest(conn, loop->draining ? &loop->linger : &loop->idle);
}

void h2_close(struct http_conn *conn, bool reset)
{
    struct h2 *h2 = conn->h2;
    if (!reset && !conn->blocked && !h2->last_goaway &&
        nghttp2_session_terminate_session(h2->session, h2->flooded ? NGHTTP2_ENHANCE_YOUR_CALM
                                                                   : NGHTTP2_NO_ERROR) == 0) {
        const uint8_t *bytes;
        ssize_t len;
        while ((len = nghttp2_session_mem_send(h2->session, &bytes)) > 0) {
            const struct iovec part_of = {(void *)(uintptr_t)bytes, (size_t)len};
            if (http_transport_write(conn, &part_of, 1) != len)
                break;
        }
    }
    while (h2->streams) {
        struct http_exchange *exchange = h2->streams;
        h2->streams = exchange->next;
        part(exchange, true);
    }
    conn->h2 = NULL;
    nghttp2_session_del(h2->session);
    buf_clear(&h2->out);
    xfree(h2);
}

void h2_linger_late(struct http_exchange *exchange)
{
    struct http_conn *conn = exchange->conn;
    deadline_clear(&exchange->deadline);
    nghttp2_submit_rst_stream(conn->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id,
                              NGHTTP2_NO_ERROR);
    http_conn_flush_later(conn);
}

void h2_body_late(struct http_exchange *exchange)
{
    deadline_clear(&exchange->deadline);
    if (http_exchange_is_answered(exchange))
        return;
    atomic_fetch_add_explicit(&exchange->loop->stat_timeouts, 1, memory_order_relaxed);
    http_answer_error(exchange, 408, "The body took too long");
}
