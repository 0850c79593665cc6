/*
 * Server-streaming methods as server-sent events (the HTML standard, section 9.2): each message is
 * a `data:` line of JSON, a failure is `event: error` with the usual error body, a comment comes
 * when nothing else did for a while. Who accepts application/x-ndjson gets lines of JSON instead: a
 * message, or at the end {"error":…}; an empty line is the sign of life. Messages that are
 * google.api.HttpBody are neither: their bytes are the answer, which is cut off when it fails.
 * Nothing can be slipped in among them to try whether a client that has ended its side still reads:
 * it is taken to be gone when it has got nothing for SILENT_HEARTBEATS.
 *
 * The answer begins with the first message, or a moment after the call; what fails before that is
 * an ordinary error with its status. A reader who does not keep up fills the engine's bounded
 * buffer, then the stream is dropped, and the upstream call cancelled. A stream ends with the key
 * and with the token that it was opened with.
 */
#include "gateway/request.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/wait.h"
#include "gateway/conditional.h"
#include "gateway/http_body.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { BEGIN_AFTER_MS = 250, TICK_MS = 100, SILENT_HEARTBEATS = 3 };

struct stream {
    struct request *request;
    struct rpc_stream *rpc;
    struct arena arena;    /* for one message at a time */
    pthread_mutex_t write; /* for all below: the upstream's thread and the ticker write */
    bool begun, broken;
    bool peer_ended; /* has been seen: a sign of life was sent, or silence is counted from there */
    bool malformed;  /* the upstream's message was none */
    struct error refused; /* what a new one would be told by now; CODE_OK: nothing */
    enum { EVENTS_OF_JSON, LINES_OF_JSON, BYTES } form;
    int64_t opened_ms, wrote_ms;
    struct stream *next, **link; /* in the table, under its lock */
};

struct stream_table {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct stream *first;
    bool draining, stop;
    int64_t heartbeat_ms;
    pthread_t ticker;
    bool ticking;
};

void stream_cancel(struct stream *stream)
{
    rpc_stream_cancel(stream->rpc);
}

static bool is_refused(const struct stream *stream)
{
    return stream->refused.code != CODE_OK;
}

/* --- writing, under stream->write --- */

static struct str content_type(const struct stream *stream)
{
    return stream->form == BYTES           ? STR("application/octet-stream")
           : stream->form == LINES_OF_JSON ? STR("application/x-ndjson")
                                           : STR("text/event-stream");
}

static void begin(struct stream *stream, struct str type)
{
    struct request *request = stream->request;
    stream->begun = true;
    request_header(request, STR("Content-Type"), type.len ? type : content_type(stream));
    request_header(request, STR("Cache-Control"), STR("no-store"));
    request_header(request, STR("X-Accel-Buffering"), STR("no"));
    http_stream_begin(request->exchange, 200, request->headers, request->header_count);
}

static void add(struct stream *stream, struct str bytes)
{
    if (stream->broken)
        return;
    if (!stream->begun)
        begin(stream, STR(""));
    stream->wrote_ms = clock_mono_ms(clock_real());
    stream->broken = !http_stream_write(stream->request->exchange, bytes);
}

/* --- the ticker --- */

/* True once. */
static bool peer_ends(struct stream *stream)
{
    bool ends = !stream->peer_ended && http_exchange_peer_ended(stream->request->exchange);
    stream->peer_ended |= ends;
    return ends;
}

/* A client that has ended its side may still read, or be gone: what is sent to it tells at once. */
static bool owes_sign_of_life(struct stream *stream, int64_t now, int64_t heartbeat_ms)
{
    if (!stream->begun)
        return now - stream->opened_ms >= BEGIN_AFTER_MS;
    return peer_ends(stream) || now - stream->wrote_ms >= heartbeat_ms;
}

static bool is_lost(struct stream *stream, int64_t now, int64_t heartbeat_ms)
{
    if (peer_ends(stream))
        stream->wrote_ms = now;
    return stream->peer_ended && now - stream->wrote_ms >= SILENT_HEARTBEATS * heartbeat_ms;
}

static void tick(const struct stream_table *table, struct stream *stream, int64_t now)
{
    pthread_mutex_lock(&stream->write);
    bool was_ending = stream->broken || is_refused(stream);
    bool refused = !was_ending && !table->draining &&
                   admit_again(stream->request, &stream->refused) != CODE_OK;
    if (stream->form == BYTES)
        stream->broken |= is_lost(stream, now, table->heartbeat_ms);
    else if (owes_sign_of_life(stream, now, table->heartbeat_ms))
        add(stream, stream->form == LINES_OF_JSON ? STR("\n") : STR(":\n\n"));
    if (!was_ending && (stream->broken || refused))
        rpc_stream_cancel(stream->rpc);
    pthread_mutex_unlock(&stream->write);
}

static void *run(void *argument)
{
    struct stream_table *table = argument;
    pthread_mutex_lock(&table->lock);
    while (!table->stop) {
        if (!table->first) {
            pthread_cond_wait(&table->wake, &table->lock);
            continue;
        }
        int64_t now = clock_mono_ms(clock_real());
        for (struct stream *stream = table->first; stream; stream = stream->next)
            tick(table, stream, now);
        struct timespec until = wait_deadline(TICK_MS);
        while (!table->stop &&
               pthread_cond_timedwait(&table->wake, &table->lock, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&table->lock);
    return NULL;
}

struct stream_table *stream_table_new(int64_t heartbeat_ms)
{
    struct stream_table *table = xcalloc(1, sizeof *table);
    pthread_mutex_init(&table->lock, NULL);
    wait_cond_init(&table->wake);
    table->heartbeat_ms = heartbeat_ms;
    table->ticking = pthread_create(&table->ticker, NULL, run, table) == 0;
    if (table->ticking)
        pthread_setname_np(table->ticker, "streams");
    return table;
}

void stream_table_drain(struct stream_table *table)
{
    pthread_mutex_lock(&table->lock);
    table->draining = true;
    for (struct stream *stream = table->first; stream; stream = stream->next)
        rpc_stream_cancel(stream->rpc);
    pthread_mutex_unlock(&table->lock);
}

void stream_table_free(struct stream_table *table)
{
    if (!table)
        return;
    pthread_mutex_lock(&table->lock);
    table->stop = true;
    pthread_cond_signal(&table->wake);
    pthread_mutex_unlock(&table->lock);
    if (table->ticking)
        pthread_join(table->ticker, NULL);
    pthread_cond_destroy(&table->wake);
    pthread_mutex_destroy(&table->lock);
    xfree(table);
}

/* Under table->lock and stream->write, in this order, as the ticker takes them. */
static void enter(struct stream_table *table, struct stream *stream)
{
    stream->next = table->first;
    stream->link = &table->first;
    if (table->first)
        table->first->link = &stream->next;
    table->first = stream;
    pthread_cond_signal(&table->wake);
    if (table->draining)
        rpc_stream_cancel(stream->rpc);
}

/* True when the gateway is going away. */
static bool leave(struct stream_table *table, struct stream *stream)
{
    pthread_mutex_lock(&table->lock);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    bool draining = table->draining;
    pthread_mutex_unlock(&table->lock);
    return draining;
}

/* --- what the upstream says, in its completion thread --- */

static void end_message(const struct stream *stream, struct buf *scratch)
{
    buf_add(scratch, stream->form == LINES_OF_JSON ? STR("\n") : STR("\n\n"));
}

/* The end of a failed stream, for those who have seen it begin. */
static void add_error(struct stream *stream, const struct failure *failure, struct buf *scratch)
{
    struct buf body;
    const struct request *request = stream->request;
    buf_init_arena(&body, &stream->arena, 256 << 10);
    status_body(failure, request_shape(request->gateway, request->http, &stream->arena),
                &request->gateway->types, &stream->arena, &body);
    buf_reset(scratch);
    if (stream->form == EVENTS_OF_JSON)
        buf_add(scratch, STR("event: error\ndata: "));
    buf_add(scratch, buf_str(&body));
    end_message(stream, scratch);
    stream->request->code = failure->code;
    memcpy(stream->request->reason, failure->err->reason, sizeof stream->request->reason);
    add(stream, buf_str(scratch));
}

static struct buf *scratch_of(const struct stream *stream)
{
    const struct endpoint *endpoint = stream->request->match.route->user;
    return &endpoint->upstream->scratch;
}

/* A piece of the body. Called under stream->write. */
static void add_bytes(struct stream *stream, struct str message)
{
    struct str type, data;
    if (!http_body_take(stream->request->match.route->response_field, message, &type, &data)) {
        stream->malformed = stream->broken = true;
        return;
    }
    /* The head is sent later: until then its texts must last, and the message does not. */
    if (!stream->begun && !stream->broken)
        begin(stream, arena_str(stream->request->arena, type));
    add(stream, data);
}

/* Called under stream->write. */
static void add_json(struct stream *stream, struct str message)
{
    struct request *request = stream->request;
    const struct route *route = request->match.route;
    struct buf *scratch = scratch_of(stream);
    struct error err;
    error_clear(&err);
    buf_reset(scratch);
    if (stream->form == EVENTS_OF_JSON)
        buf_add(scratch, STR("data: "));
    struct transcode_out to = {request->gateway->schema, scratch, &stream->arena, false};
    enum code code =
        route->response_field
            ? transcode_field_out(&to, route->method->output, route->response_field, message, &err)
            : transcode_message_out(&to, route->method->output, message, &err);
    end_message(stream, scratch);
    if (code == CODE_OK) {
        add(stream, buf_str(scratch));
        return;
    }
    struct rpc_result result = {.code = code, .message = str_of(err.text)};
    struct failure failure = status_upstream(&result, false, &err);
    add_error(stream, &failure, scratch);
    stream->broken = true;
}

static bool on_message(void *argument, struct str message)
{
    struct stream *stream = argument;
    pthread_mutex_lock(&stream->write);
    if (!is_refused(stream))
        (stream->form == BYTES ? add_bytes : add_json)(stream, message);
    bool more = !stream->broken && !is_refused(stream);
    pthread_mutex_unlock(&stream->write);
    arena_reset(&stream->arena);
    if (!more)
        rpc_stream_cancel(stream->rpc);
    return more;
}

static struct failure failure_of(const struct stream *stream, const struct rpc_result *result,
                                 struct error *err)
{
    return is_refused(stream) ? status_own(0, &stream->refused)
                              : status_upstream(result, false, err);
}

static void on_done(void *argument, const struct rpc_result *result)
{
    struct stream *stream = argument;
    struct request *request = stream->request;
    struct http_exchange *exchange = request->exchange;
    bool draining = leave(request->gateway->streams, stream);
    struct rpc_result ending = {.code = CODE_UNAVAILABLE,
                                .message = STR("The gateway is going away; connect again.")};
    struct rpc_result malformed = {.code = CODE_INTERNAL,
                                   .message = STR("a message is no google.api.HttpBody")};
    struct error err;
    pthread_mutex_lock(&request->lock);
    request->over = true;
    bool gone = atomic_load(&request->gone);
    pthread_mutex_unlock(&request->lock);
    pthread_mutex_lock(&stream->write); /* the ticker may have begun the answer a moment ago */
    if (stream->malformed)
        result = &malformed;
    else if (draining && result->code != CODE_OK)
        result = &ending;
    bool begun = stream->begun || result->code == CODE_OK;
    bool bytes = stream->form == BYTES;
    if (result->code != CODE_OK && begun && bytes)
        request->code = is_refused(stream) ? stream->refused.code : result->code;
    if (result->code != CODE_OK && begun && !bytes && !gone) {
        struct failure failure = failure_of(stream, result, &err);
        add_error(stream, &failure, scratch_of(stream));
    }
    if (begun && !stream->begun)
        begin(stream, STR(""));
    pthread_mutex_unlock(&stream->write);
    pthread_mutex_destroy(&stream->write);
    arena_clear(&stream->arena);
    if (!begun && is_refused(stream))
        request_fail_own(request, 0, &stream->refused);
    else if (!begun)
        request_fail_upstream(request, result);
    else if (bytes && result->code != CODE_OK)
        http_stream_abort(exchange);
    else
        http_stream_end(exchange);
}

static const struct rpc_stream_events EVENTS = {on_message, on_done};

static struct stream *new_stream(struct request *request)
{
    static const struct str EVENTS_TYPE = STR("text/event-stream");
    struct str accept = http_header_list(request->http, STR("Accept"), request->arena);
    struct stream *stream = arena_alloc0(request->arena, sizeof *stream);
    stream->request = request;
    if (http_body_out(request->match.route))
        stream->form = BYTES;
    else if (conditional_prefers(accept, STR("application/x-ndjson"), EVENTS_TYPE) ||
             conditional_prefers(accept, STR("application/jsonl"), EVENTS_TYPE))
        stream->form = LINES_OF_JSON;
    return stream;
}

enum stage_result stream_call(struct request *request, const struct rpc_call_options *options)
{
    struct rpc_call_options longer = *options;
    const struct endpoint *endpoint = request->match.route->user;
    struct stream *stream = new_stream(request);
    if (request->is_head) {
        begin(stream, STR(""));
        http_stream_end(request->exchange);
        return STAGE_ANSWERED;
    }
    stream->opened_ms = clock_mono_ms(clock_real());
    pthread_mutex_init(&stream->write, NULL);
    longer.deadline_ms = request->gateway->options.stream_deadline_ms;
    request->stream = stream;
    http_exchange_on_gone(request->exchange, request_gone, request);
    /* Held until `rpc` is known and the stream is in the table: what it says comes after. */
    struct stream_table *table = request->gateway->streams;
    pthread_mutex_lock(&table->lock);
    pthread_mutex_lock(&stream->write);
    stream->rpc = rpc_client_open(endpoint->upstream->client, &longer, buf_str(&request->wire),
                                  &EVENTS, stream);
    enter(table, stream);
    pthread_mutex_unlock(&stream->write);
    pthread_mutex_unlock(&table->lock);
    return STAGE_ANSWERED;
}
