/*
 * A call stream on the server. Three kinds of threads meet under its lock: the completion thread
 * reads, ends what is late and writes what waited for a write; workers answer elements; the drain
 * says goodbye. One read and one write are under way at most, each holds a reference to the call.
 *
 *   element:  in a bucket ──worker answers──▶ out of it, freed by the worker
 *                  └─deadline, cancelled, stream lost──▶ out of it, the worker finds it answered
 *
 * The stream ends when its client has closed its side and all is answered, or when it was cut off,
 * or when the client broke the rules. What workers still answer afterwards is dropped; they hold a
 * reference to the call as well.
 */
#include "rpc/callstream_server.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "rpc/callstream.h"
#include "rpc/callstream_out.h"
#include "rpc/server_answer.h"
#include "rpc/server_quick.h"
#include "rpc/status_details.h"

#include <string.h>

enum {
    BUCKETS = 256, /* elements are found by their id, which most clients count up */
    SPARE_MAX = 256,
    SPARE_ARENA_BYTES = 16 * 1024,
    UNREAD_BYTES_MAX = 8 << 20, /* answers that may wait before no more calls are read */
    GATHER_STREAMS_MAX = 16,
    ANSWER_OVERHEAD_BYTES = 64,
    LINGER_MS = 250, /* how long a client may take to close its side when it is asked to */
};

struct element {
    struct rpc_call call;
    uint64_t id;
    struct call_stream *stream;
    struct element *next, **link; /* in its bucket; or among the spare ones */
    bool answered;                /* under the stream's lock: then it is in no bucket */
};

struct call_stream {
    struct rpc_call *call;
    struct call_stream *next, **link; /* in the server's list, under its lock; link NULL: not */
    struct rpc_tag read_tag, write_tag;
    grpc_byte_buffer *incoming;
    pthread_mutex_t lock; /* for all below */
    struct callstream_out out;
    size_t answer_bytes_max;
    struct element *buckets[BUCKETS];
    size_t unanswered;
    struct element *spare;
    int spare_count;
    bool reading, read_over; /* a read is under way; there is nothing more to read */
    bool writing;
    bool lost;    /* nobody is there any more */
    bool closing; /* the client has been told to close */
    int64_t closing_ms;
    bool malformed, finished;
};

/* Streams that this thread has answers for, while it gathers. */
static _Thread_local struct gather {
    bool on;
    size_t count;
    struct call_stream *streams[GATHER_STREAMS_MAX];
} gather;

static void settle(struct call_stream *stream);

/* --- writing --- */

static void write_message(struct call_stream *stream, grpc_byte_buffer *message)
{
    struct rpc_call *call = stream->call;
    grpc_op ops[2] = {{0}};
    size_t count = 0;
    if (!call->headers_sent)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    call->headers_sent = true;
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = message;
    server_call_reference(call);
    rpc_batch(call->call, ops, count, &stream->write_tag);
    grpc_byte_buffer_destroy(message);
}

/* Writes what waits, unless a write is under way: then its end will. */
static void flush(struct call_stream *stream)
{
    grpc_byte_buffer *message = NULL;
    pthread_mutex_lock(&stream->lock);
    if (!stream->writing && !stream->finished && !stream->lost)
        message = callstream_out_take(&stream->out);
    stream->writing |= message != NULL;
    pthread_mutex_unlock(&stream->lock);
    if (message)
        write_message(stream, message);
}

void callstream_gather_begin(void)
{
    gather.on = true;
}

void callstream_gather_end(void)
{
    gather.on = false;
    for (size_t i = 0; i < gather.count; i++) {
        flush(gather.streams[i]);
        settle(gather.streams[i]);
        server_call_release(gather.streams[i]->call);
    }
    gather.count = 0;
}

/* True when gather_end will see to the stream. */
static bool gather_later(struct call_stream *stream)
{
    if (!gather.on)
        return false;
    for (size_t i = 0; i < gather.count; i++)
        if (gather.streams[i] == stream)
            return true;
    if (gather.count == GATHER_STREAMS_MAX)
        return false;
    gather.streams[gather.count++] = stream;
    server_call_reference(stream->call);
    return true;
}

static void see_to(struct call_stream *stream)
{
    if (gather_later(stream))
        return;
    flush(stream);
    settle(stream);
}

/* --- answers; the lock is held --- */

static const struct rpc_metadata *trailers_of(struct rpc_call *call)
{
    struct rpc_metadata *trailers =
        arena_alloc(&call->own, (call->trailer_count + 1) * sizeof *trailers);
    size_t i = call->trailer_count;
    for (const struct call_trailer *one = call->trailers; one; one = one->next)
        trailers[--i] = (struct rpc_metadata){one->key, one->value};
    return trailers;
}

static void add_answer(struct call_stream *stream, struct element *element, const struct error *err,
                       const ProtobufCMessage *response)
{
    struct rpc_call *call = &element->call;
    struct callstream_answer answer = {.id = element->id, .status = (uint32_t)err->code};
    if (err->code != CODE_OK) {
        answer.message = str_of(err->text);
        answer.details = status_details_encode(&call->own, err);
        response = NULL;
    }
    if (response)
        answer.payload.len = protobuf_c_message_get_packed_size(response);
    const struct rpc_metadata *trailers = call->trailer_count ? trailers_of(call) : NULL;
    size_t size =
        answer.payload.len + answer.message.len + answer.details.len + ANSWER_OVERHEAD_BYTES;
    for (size_t i = 0; i < call->trailer_count; i++)
        size += trailers[i].key.len + trailers[i].value.len + ANSWER_OVERHEAD_BYTES;
    if (size > stream->answer_bytes_max) {
        struct error large;
        error_set(&large, CODE_RESOURCE_EXHAUSTED, NULL,
                  "the answer of %zu bytes is larger than the caller takes", size);
        call->trailer_count = 0;
        add_answer(stream, element, &large, NULL);
        return;
    }
    struct buf *out = callstream_out_room(&stream->out, size);
    char *to = callstream_add_answer(out, &answer, trailers, call->trailer_count);
    if (to && response)
        protobuf_c_message_pack(response, (uint8_t *)to);
}

static void unlink_element(struct element *element)
{
    *element->link = element->next;
    if (element->next)
        element->next->link = element->link;
    element->answered = true;
    element->stream->unanswered--;
}

/* Ends an element that waits or runs; its worker will find it answered. */
static void answer_early(struct element *element, enum code code, const char *text)
{
    struct error err;
    error_set(&err, code, NULL, "%s", text);
    unlink_element(element);
    atomic_store_explicit(&element->call.cancelled, true, memory_order_release);
    /* The trailers and the arenas are the worker's: nothing of them is looked at. */
    struct callstream_answer answer = {
        .id = element->id, .status = (uint32_t)code, .message = str_of(err.text)};
    struct buf *out = callstream_out_room(&element->stream->out, ANSWER_OVERHEAD_BYTES);
    (void)callstream_add_answer(out, &answer, NULL, 0);
}

/* Nobody waits for any of them. */
static void drop_elements(struct call_stream *stream)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (stream->buckets[i]) {
            struct element *element = stream->buckets[i];
            unlink_element(element);
            atomic_store_explicit(&element->call.cancelled, true, memory_order_release);
        }
    }
}

/* --- elements --- */

static struct element *find(struct call_stream *stream, uint64_t id)
{
    struct element *element = stream->buckets[id % BUCKETS];
    while (element && element->id != id)
        element = element->next;
    return element;
}

static void free_element(struct element *element)
{
    arena_clear(&element->call.arena);
    arena_clear(&element->call.own);
    xfree(element);
}

static void recycle_arena(struct arena *arena)
{
    if (arena->used_bytes > SPARE_ARENA_BYTES)
        arena_clear(arena);
    else
        arena_reset(arena);
}

static void recycle(struct call_stream *stream, struct element *element)
{
    recycle_arena(&element->call.arena);
    recycle_arena(&element->call.own);
    pthread_mutex_lock(&stream->lock);
    bool kept = stream->spare_count < SPARE_MAX;
    if (kept) {
        stream->spare_count++;
        element->next = stream->spare;
        stream->spare = element;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!kept)
        free_element(element);
}

static struct element *make_element(struct call_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    struct element *element = stream->spare;
    if (element) {
        stream->spare = element->next;
        stream->spare_count--;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!element)
        return xcalloc(1, sizeof *element);
    struct arena arena = element->call.arena, own = element->call.own;
    memset(element, 0, sizeof *element);
    element->call.arena = arena;
    element->call.own = own;
    return element;
}

/* What came with the element, copied: the message it came in is gone before the handler. */
static bool take_facts(struct element *element, struct str bytes, int64_t now_us)
{
    struct rpc_call *call = &element->call;
    struct callstream_call facts;
    if (!callstream_read_call(arena_str(&call->own, bytes), &facts))
        return false;
    element->id = facts.id;
    call->path = facts.method;
    call->request = facts.payload;
    call->pair_count = facts.metadata_count;
    if (facts.metadata_count) {
        size_t size = facts.metadata_count * sizeof *facts.metadata;
        call->pairs = memcpy(arena_alloc(&call->own, size), facts.metadata, size);
    }
    call->started_us = now_us;
    call->deadline_ms = INT64_MAX;
    if (facts.timeout_ms && facts.timeout_ms < INT64_MAX / 2)
        call->deadline_ms = now_us / 1000 + 1 + (int64_t)facts.timeout_ms;
    struct str parent = rpc_call_metadata(call, STR("traceparent"));
    if (parent.len)
        trace_parse(parent, &call->trace);
    return true;
}

/* NULL when the bytes are no call, or its id is one that waits for its answer. */
static struct element *new_element(struct call_stream *stream, struct str bytes, int64_t now_us)
{
    struct element *element = make_element(stream);
    struct rpc_call *call = &element->call;
    call->server = stream->call->server;
    call->carrier = stream->call;
    element->stream = stream;
    bool good = take_facts(element, bytes, now_us);
    pthread_mutex_lock(&stream->lock);
    good = good && !find(stream, element->id);
    if (good) {
        struct element **bucket = &stream->buckets[element->id % BUCKETS];
        element->next = *bucket;
        element->link = bucket;
        if (element->next)
            element->next->link = &element->next;
        *bucket = element;
        stream->unanswered++;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!good) {
        recycle(stream, element);
        return NULL;
    }
    call->method = server_find_method(call->server, call->path);
    server_call_reference(stream->call);
    return element;
}

void callstream_server_answer(struct rpc_call *call, const struct error *err,
                              const ProtobufCMessage *response)
{
    struct element *element = (struct element *)call;
    struct call_stream *stream = element->stream;
    struct rpc_call *carrier = call->carrier;
    pthread_mutex_lock(&stream->lock);
    if (!element->answered) {
        unlink_element(element);
        add_answer(stream, element, err, response);
    }
    pthread_mutex_unlock(&stream->lock);
    recycle(stream, element);
    see_to(stream);
    server_call_release(carrier);
}

/* --- reading --- */

static void start_read(struct call_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &stream->incoming;
    server_call_reference(stream->call);
    rpc_batch(stream->call->call, &op, 1, &stream->read_tag);
}

/* Reads on unless there is nothing more to come or too much waits for being read. */
static void read_on(struct call_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool start = !stream->reading && !stream->read_over && !stream->malformed &&
                 !stream->finished && callstream_out_bytes(&stream->out) < UNREAD_BYTES_MAX;
    stream->reading |= start;
    pthread_mutex_unlock(&stream->lock);
    if (start)
        start_read(stream);
}

static bool goes_in_line(const struct rpc_call *call)
{
    return call->method && call->method->run == RUN_QUICK && call->server->quick;
}

static void dispatch(struct rpc_call *call)
{
    if (!call->method)
        server_refuse(call, CODE_UNIMPLEMENTED, "METHOD_UNKNOWN", "this server has no such method");
    else if (!call->method->method->unary)
        server_refuse(call, CODE_UNIMPLEMENTED, "METHOD_STREAMS",
                      "a method with streams needs a call of its own");
    else
        server_answer_soon(call);
}

static void cancel(struct call_stream *stream, uint64_t id)
{
    pthread_mutex_lock(&stream->lock);
    struct element *element = find(stream, id);
    if (element)
        answer_early(element, CODE_CANCELLED, "the caller has gone");
    pthread_mutex_unlock(&stream->lock);
}

static void set_limit(struct call_stream *stream, uint64_t answer_bytes_max)
{
    pthread_mutex_lock(&stream->lock);
    if (answer_bytes_max)
        stream->answer_bytes_max = answer_bytes_max < CALLSTREAM_MESSAGE_BYTES_MAX
                                       ? answer_bytes_max
                                       : CALLSTREAM_MESSAGE_BYTES_MAX;
    if (stream->answer_bytes_max < CALLSTREAM_GATHER_BYTES)
        stream->out.message_bytes_max = stream->answer_bytes_max;
    pthread_mutex_unlock(&stream->lock);
}

/* The quick ones among the calls of a message go into their line together. */
static void receive(struct call_stream *stream, struct str message)
{
    struct callstream_reader reader = callstream_read(message);
    struct rpc_call *quick = NULL, **last = &quick;
    int64_t now_us = server_now_us();
    bool good = true;
    while (good) {
        struct element *element;
        struct str bytes;
        uint64_t number;
        enum callstream_item item = callstream_next_call(&reader, &bytes, &number);
        if (item == CALLSTREAM_END)
            break;
        if (item == CALLSTREAM_CANCEL) {
            cancel(stream, number);
        } else if (item == CALLSTREAM_LIMIT) {
            set_limit(stream, number);
        } else if (item != CALLSTREAM_CALL || !(element = new_element(stream, bytes, now_us))) {
            good = false;
        } else if (!server_answer_admit(&element->call)) {
            continue;
        } else if (goes_in_line(&element->call)) {
            *last = &element->call;
            last = &element->call.next_in_line;
        } else {
            dispatch(&element->call);
        }
    }
    struct rpc_call *left = quick ? quick_line_add(stream->call->server->quick, quick) : NULL;
    while (left) {
        struct rpc_call *next = left->next_in_line;
        server_refuse(left, CODE_RESOURCE_EXHAUSTED, "OVERLOADED", "too many calls are waiting");
        left = next;
    }
    if (good)
        return;
    pthread_mutex_lock(&stream->lock);
    stream->malformed = true;
    drop_elements(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void on_read(struct rpc_tag *tag, bool ok)
{
    struct call_stream *stream = RPC_TAG_OWNER(tag, struct call_stream, read_tag);
    struct rpc_call *call = stream->call;
    grpc_byte_buffer *incoming = stream->incoming;
    struct rpc_view view;
    stream->incoming = NULL;
    bool readable = ok && incoming && rpc_view_open(&view, incoming);
    if (readable) {
        callstream_gather_begin();
        receive(stream, view.bytes);
        callstream_gather_end();
        rpc_view_close(&view);
    }
    if (incoming)
        grpc_byte_buffer_destroy(incoming);
    atomic_store_explicit(&call->server->queue.ticking, true, memory_order_release);
    pthread_mutex_lock(&stream->lock);
    stream->reading = false;
    stream->read_over |= !incoming;
    stream->malformed |= incoming && !readable;
    pthread_mutex_unlock(&stream->lock);
    read_on(stream);
    flush(stream);
    settle(stream);
    server_call_release(call);
}

static void on_written(struct rpc_tag *tag, bool ok)
{
    struct call_stream *stream = RPC_TAG_OWNER(tag, struct call_stream, write_tag);
    struct rpc_call *call = stream->call;
    pthread_mutex_lock(&stream->lock);
    stream->writing = false;
    stream->lost |= !ok;
    pthread_mutex_unlock(&stream->lock);
    flush(stream);
    read_on(stream);
    settle(stream);
    server_call_release(call);
}

/* --- the end --- */

static void leave_list(struct call_stream *stream)
{
    struct rpc_server *server = stream->call->server;
    pthread_mutex_lock(&server->lock);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    stream->link = NULL;
    pthread_mutex_unlock(&server->lock);
}

/* The client has had its time to close its side after it was asked to. */
static bool has_lingered(const struct call_stream *stream)
{
    return stream->closing && clock_mono_ms(clock_real()) - stream->closing_ms >= LINGER_MS;
}

/* Finishes the stream when there is nothing left to do for it. */
static void settle(struct call_stream *stream)
{
    struct error err;
    error_clear(&err);
    pthread_mutex_lock(&stream->lock);
    bool idle = stream->unanswered == 0 && !stream->out.first;
    bool over = stream->lost || stream->malformed || (idle && stream->read_over);
    if (!over && idle && has_lingered(stream)) {
        error_set(&err, CODE_UNAVAILABLE, NULL, "the server is shutting down");
        over = true;
    }
    if (stream->malformed)
        error_set(&err, CODE_INVALID_ARGUMENT, "MALFORMED_BATCH",
                  "this is no message of a call stream");
    over = over && !stream->writing && !stream->finished;
    stream->finished |= over;
    pthread_mutex_unlock(&stream->lock);
    if (!over)
        return;
    leave_list(stream);
    server_call_finish(stream->call, &err, NULL);
}

void callstream_server_closed(struct rpc_call *call)
{
    struct call_stream *stream = call->elements;
    if (!stream)
        return;
    pthread_mutex_lock(&stream->lock);
    stream->lost |= atomic_load_explicit(&call->cancelled, memory_order_acquire);
    if (stream->lost)
        drop_elements(stream);
    pthread_mutex_unlock(&stream->lock);
    settle(stream);
}

void callstream_server_clear(struct rpc_call *call)
{
    struct call_stream *stream = call->elements;
    if (!stream)
        return;
    while (stream->spare) {
        struct element *next = stream->spare->next;
        free_element(stream->spare);
        stream->spare = next;
    }
    callstream_out_clear(&stream->out);
    pthread_mutex_destroy(&stream->lock);
    xfree(stream);
}

/* --- all streams of a server --- */

/* References to those that are open now. */
static size_t hold_all(struct rpc_server *server,
                       struct call_stream *streams[CALLSTREAM_STREAMS_MAX])
{
    size_t count = 0;
    pthread_mutex_lock(&server->lock);
    for (struct call_stream *one = server->first_stream; one && count < CALLSTREAM_STREAMS_MAX;
         one = one->next) {
        server_call_reference(one->call);
        streams[count++] = one;
    }
    pthread_mutex_unlock(&server->lock);
    return count;
}

static void end_late(struct call_stream *stream, int64_t now_ms)
{
    pthread_mutex_lock(&stream->lock);
    for (size_t i = 0; stream->unanswered && i < BUCKETS; i++) {
        for (struct element *one = stream->buckets[i], *next; one; one = next) {
            next = one->next;
            if (one->call.deadline_ms <= now_ms)
                answer_early(one, CODE_DEADLINE_EXCEEDED, "the deadline has passed");
        }
    }
    pthread_mutex_unlock(&stream->lock);
}

void callstream_server_tick(void *argument)
{
    struct rpc_server *server = argument;
    struct call_stream *streams[CALLSTREAM_STREAMS_MAX];
    int64_t now_ms = clock_mono_ms(clock_real());
    bool busy = false;
    size_t count = hold_all(server, streams);
    for (size_t i = 0; i < count; i++) {
        struct call_stream *stream = streams[i];
        end_late(stream, now_ms);
        flush(stream);
        settle(stream);
        pthread_mutex_lock(&stream->lock);
        busy |= !stream->finished && (stream->unanswered || stream->out.first || stream->closing);
        pthread_mutex_unlock(&stream->lock);
        server_call_release(stream->call);
    }
    if (server->quick)
        quick_line_tick(server->quick);
    /* Elements come in this thread only, and set it again. */
    pthread_mutex_lock(&server->lock);
    atomic_store_explicit(&server->queue.ticking, busy || server->draining, memory_order_release);
    pthread_mutex_unlock(&server->lock);
}

/* Asks the client to go elsewhere; the lock is held. */
static void say_closing(struct call_stream *stream)
{
    enum { CLOSING_BYTES = 2 };
    if (stream->closing)
        return;
    stream->closing = true;
    stream->closing_ms = clock_mono_ms(clock_real());
    callstream_add_closing(callstream_out_room(&stream->out, CLOSING_BYTES));
}

void callstream_server_drain(struct rpc_server *server)
{
    struct call_stream *streams[CALLSTREAM_STREAMS_MAX];
    pthread_mutex_lock(&server->lock);
    server->draining = true;
    atomic_store_explicit(&server->queue.ticking, true, memory_order_release);
    pthread_mutex_unlock(&server->lock);
    size_t count = hold_all(server, streams);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&streams[i]->lock);
        say_closing(streams[i]);
        pthread_mutex_unlock(&streams[i]->lock);
        flush(streams[i]);
        server_call_release(streams[i]->call);
    }
}

/* --- the beginning --- */

/* The first message is empty: it shows the client that this method is known. */
static void say_hello(struct call_stream *stream)
{
    write_message(stream, rpc_buffer_of(STR("")));
}

static void enter_list(struct call_stream *stream)
{
    struct rpc_server *server = stream->call->server;
    pthread_mutex_lock(&server->lock);
    stream->next = server->first_stream;
    stream->link = &server->first_stream;
    if (stream->next)
        stream->next->link = &stream->next;
    server->first_stream = stream;
    if (server->draining)
        say_closing(stream);
    pthread_mutex_unlock(&server->lock);
}

void callstream_server_start(struct rpc_call *call)
{
    if (!server_budget_take(call)) {
        server_refuse(call, CODE_RESOURCE_EXHAUSTED, "OVERLOADED", "too many streams are open");
        return;
    }
    struct call_stream *stream = xcalloc(1, sizeof *stream);
    (void)rpc_call_peer(call); /* elements ask for it from several threads */
    stream->call = call;
    stream->read_tag.run = on_read;
    stream->write_tag.run = on_written;
    stream->answer_bytes_max = CALLSTREAM_ANSWER_BYTES;
    pthread_mutex_init(&stream->lock, NULL);
    stream->writing = stream->reading = true; /* before anybody can find it in the list */
    call->elements = stream;
    enter_list(stream);
    say_hello(stream);
    start_read(stream);
}

const struct rpc_service *callstream_service(void)
{
    static const struct rpc_method methods[] = {
        {.name = "Exchange", .client_streams = true, .server_streams = true}};
    static const struct rpc_service service = {"omnidata.rpc.v1.CallStreamService", methods, 1,
                                               .context = NULL};
    return &service;
}
