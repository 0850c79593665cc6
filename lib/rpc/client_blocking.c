/*
 * Streams in straight-line code. Sending and receiving may be two threads: each has its own slot
 * for the one operation it waits for; the status has a third. Whatever ends the call also ends what
 * is being waited for, so nothing waits longer than the call's deadline.
 */
#include "base/alloc.h"
#include "rpc/client_core.h"

#include <assert.h>

struct slot {
    struct rpc_tag tag;
    struct rpc_blocking_stream *stream;
    bool waiting, ok;
};

struct rpc_blocking_stream {
    struct client_call base;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct slot headers, sending, receiving, status;
    bool started, send_ended, send_failed, receive_ended;
};

static void on_slot(struct rpc_tag *tag, bool ok)
{
    struct slot *slot = RPC_TAG_OWNER(tag, struct slot, tag);
    pthread_mutex_lock(&slot->stream->lock);
    slot->waiting = false;
    slot->ok = ok;
    pthread_cond_broadcast(&slot->stream->wake);
    pthread_mutex_unlock(&slot->stream->lock);
}

static void begin(struct slot *slot, const grpc_op *ops, size_t count)
{
    slot->waiting = true;
    rpc_batch(slot->stream->base.call, ops, count, &slot->tag);
}

static bool wait_for(struct slot *slot)
{
    struct rpc_blocking_stream *stream = slot->stream;
    pthread_mutex_lock(&stream->lock);
    while (slot->waiting)
        pthread_cond_wait(&stream->wake, &stream->lock);
    bool ok = slot->ok;
    pthread_mutex_unlock(&stream->lock);
    return ok;
}

struct rpc_blocking_stream *rpc_stream_new(struct rpc_client *client,
                                           const struct rpc_call_options *options)
{
    struct rpc_blocking_stream *stream = xcalloc(1, sizeof *stream);
    struct slot *const slots[] = {&stream->headers, &stream->sending, &stream->receiving,
                                  &stream->status};
    assert(!pthread_equal(pthread_self(), client->queue.thread)); /* it would wait for itself */
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->wake, NULL);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        slots[i]->stream = stream;
        slots[i]->tag.run = on_slot;
    }
    stream->started = client_call_open(&stream->base, client, options);
    if (stream->started) {
        grpc_op headers[] = {client_op_headers(&stream->base, options->wait_for_ready),
                             client_op_receive_headers(&stream->base)};
        grpc_op status = client_op_status(&stream->base);
        begin(&stream->headers, headers, 2);
        begin(&stream->status, &status, 1);
    }
    return stream;
}

bool rpc_stream_send(struct rpc_blocking_stream *stream, struct str message)
{
    if (!stream->started || stream->send_ended)
        return false;
    grpc_byte_buffer *buffer = rpc_buffer_of(message);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = buffer;
    begin(&stream->sending, &op, 1);
    bool ok = wait_for(&stream->sending);
    grpc_byte_buffer_destroy(buffer);
    stream->send_failed |= !ok;
    return ok;
}

bool rpc_stream_send_end(struct rpc_blocking_stream *stream)
{
    if (!stream->started || stream->send_ended)
        return false;
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    stream->send_ended = true;
    begin(&stream->sending, &op, 1);
    return wait_for(&stream->sending);
}

bool rpc_stream_receive(struct rpc_blocking_stream *stream, struct arena *arena,
                        struct str *message)
{
    grpc_byte_buffer *buffer = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    struct rpc_view view;
    bool readable = false;
    *message = (struct str){0};
    if (!stream->started || stream->receive_ended)
        return false;
    op.data.recv_message.recv_message = &buffer;
    begin(&stream->receiving, &op, 1);
    wait_for(&stream->receiving);
    if (buffer) {
        readable = rpc_view_open(&view, buffer);
        if (readable) {
            *message = arena_str(arena, view.bytes);
            rpc_view_close(&view);
        } else {
            grpc_call_cancel_with_status(stream->base.call, GRPC_STATUS_INTERNAL,
                                         "the server sent a message that cannot be read", NULL);
        }
        grpc_byte_buffer_destroy(buffer);
    }
    stream->receive_ended = !readable;
    return readable;
}

/* The core holds the status back while there are messages that nobody has read. */
static void read_rest(struct rpc_blocking_stream *stream)
{
    struct str message;
    struct arena arena;
    arena_init(&arena);
    while (rpc_stream_receive(stream, &arena, &message))
        arena_reset(&arena);
    arena_clear(&arena);
}

enum code rpc_stream_finish(struct rpc_blocking_stream *stream, struct error *err)
{
    if (stream->started) {
        /* A send fails because the call has ended: why, comes behind what is still unread. */
        if (stream->send_failed)
            read_rest(stream);
        else if (!stream->receive_ended)
            client_call_cancel(&stream->base, NULL);
        wait_for(&stream->status);
        wait_for(&stream->headers);
    }
    struct rpc_result result = client_call_result(&stream->base);
    enum code code = rpc_result_error(&result, err);
    client_call_close(&stream->base);
    pthread_cond_destroy(&stream->wake);
    pthread_mutex_destroy(&stream->lock);
    xfree(stream);
    return code;
}
