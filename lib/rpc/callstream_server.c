/* A call stream: its beginning, reading, writing, its end. callstream_core.h says how it works. */
#include "rpc/callstream.h"
#include "rpc/callstream_core.h"
#include "rpc/server_answer.h"
#include "rpc/server_quick.h"

#include "base/alloc.h"
#include "base/clock.h"

enum {
    UNREAD_BYTES_MAX = 8 << 20, /* answers that may wait before no more calls are read */
    GATHER_STREAMS_MAX = 16,
    LINGER_MS = 250, /* how long a client may take to close its side when it is asked to */
};

/* Streams that this thread has answers for, while it gathers. */
static _Thread_local struct gather {
    bool on;
    size_t count;
    struct call_stream *streams[GATHER_STREAMS_MAX];
} gather;

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

void callstream_flush(struct call_stream *stream)
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
        callstream_flush(gather.streams[i]);
        callstream_settle(gather.streams[i]);
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

void callstream_see_to(struct call_stream *stream)
{
    if (gather_later(stream))
        return;
    callstream_flush(stream);
    callstream_settle(stream);
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
        struct rpc_call *call;
        struct str bytes;
        uint64_t number;
        enum callstream_item item = callstream_next_call(&reader, &bytes, &number);
        if (item == CALLSTREAM_END)
            break;
        if (item == CALLSTREAM_CANCEL) {
            element_cancel(stream, number);
        } else if (item == CALLSTREAM_LIMIT) {
            set_limit(stream, number);
        } else if (item != CALLSTREAM_CALL || !(call = element_new(stream, bytes, now_us))) {
            good = false;
        } else if (!server_answer_admit(call)) {
            continue;
        } else if (goes_in_line(call)) {
            *last = call;
            last = &call->next_in_line;
        } else {
            dispatch(call);
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
    element_drop_all(stream);
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
    callstream_flush(stream);
    callstream_settle(stream);
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
    callstream_flush(stream);
    read_on(stream);
    callstream_settle(stream);
    server_call_release(call);
}

/* --- the end --- */

/* The client has had its time to close its side after it was asked to. */
static bool has_lingered(const struct call_stream *stream)
{
    return stream->closing && clock_mono_ms(clock_real()) - stream->closing_ms >= LINGER_MS;
}

void callstream_settle(struct call_stream *stream)
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
    callstream_leave_list(stream);
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
        element_drop_all(stream);
    pthread_mutex_unlock(&stream->lock);
    callstream_settle(stream);
}

void callstream_server_clear(struct rpc_call *call)
{
    struct call_stream *stream = call->elements;
    if (!stream)
        return;
    element_free_spare(stream);
    callstream_out_clear(&stream->out);
    pthread_mutex_destroy(&stream->lock);
    xfree(stream);
}

/* --- the beginning --- */

/* The first message is empty: it shows the client that this method is known. */
static void say_hello(struct call_stream *stream)
{
    write_message(stream, rpc_buffer_of(STR("")));
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
    callstream_enter_list(stream);
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
