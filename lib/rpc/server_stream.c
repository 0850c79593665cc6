/*
 * Streaming calls: a handler in straight-line code on a thread of its own, which waits for each
 * message to come or go. Whatever ends the call on the other side (cancellation, deadline, a lost
 * connection, the drain's end) also ends the operation that is waited for.
 */
#include "base/alloc.h"
#include "rpc/server_answer.h"
#include "rpc/server_call.h"

#include <stdio.h>

struct call_io {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool waiting, ok;
    bool received_end;
    struct rpc_tag tag;
    struct rpc_call *call;
};

static void on_io(struct rpc_tag *tag, bool ok)
{
    struct call_io *io = RPC_TAG_OWNER(tag, struct call_io, tag);
    pthread_mutex_lock(&io->lock);
    io->waiting = false;
    io->ok = ok;
    pthread_cond_signal(&io->done);
    pthread_mutex_unlock(&io->lock);
}

/* Starts the operations and waits for them; false when they failed. */
static bool run_batch(struct rpc_call *call, const grpc_op *ops, size_t count)
{
    struct call_io *io = call->io;
    io->waiting = true;
    rpc_batch(call->call, ops, count, &io->tag);
    pthread_mutex_lock(&io->lock);
    while (io->waiting)
        pthread_cond_wait(&io->done, &io->lock);
    bool ok = io->ok;
    pthread_mutex_unlock(&io->lock);
    return ok;
}

enum code rpc_call_receive(struct rpc_call *call, void **message, struct error *err)
{
    grpc_byte_buffer *payload = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    *message = NULL;
    if (call->io->received_end)
        return CODE_OK;
    op.data.recv_message.recv_message = &payload;
    bool ok = run_batch(call, &op, 1);
    if (!payload) {
        call->io->received_end = true;
        if (!ok || rpc_call_cancelled(call) || grpc_call_failed_before_recv_message(call->call))
            return server_call_gone(call, err);
        return CODE_OK;
    }
    enum code code = server_decode_buffer(call, payload, message, err);
    grpc_byte_buffer_destroy(payload);
    return code;
}

enum code rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message, struct error *err)
{
    if (rpc_call_cancelled(call))
        return server_call_gone(call, err);
    grpc_byte_buffer *payload = rpc_buffer_pack(message);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = payload;
    bool ok = run_batch(call, &op, 1);
    grpc_byte_buffer_destroy(payload);
    return ok ? CODE_OK : server_call_gone(call, err);
}

/* The handler, with the one message of a method whose client does not stream. */
static enum code handle(struct rpc_call *call, struct error *err)
{
    const struct rpc_method *method = call->method->method;
    void *request = NULL;
    grpc_op headers = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    call->headers_sent = true;
    if (!run_batch(call, &headers, 1))
        return server_call_gone(call, err);
    if (!method->client_streams) {
        enum code code = rpc_call_receive(call, &request, err);
        if (code != CODE_OK)
            return code;
        if (!request)
            return error_set(err, CODE_UNIMPLEMENTED, "MESSAGE_MISSING",
                             "%s takes one message, none came", method->name);
    }
    return method->stream(call, request, err);
}

static void *run_stream(void *argument)
{
    struct rpc_call *call = argument;
    struct error err;
    error_clear(&err);
    server_call_trace(call);
    server_call_outcome(call, handle(call, &err), &err);
    server_call_finish(call, &err, NULL);
    server_call_trace(NULL);
    return NULL;
}

/* The thread is nobody's to join: its call's reference keeps the server until it is through. */
static bool start_thread(struct rpc_call *call)
{
    pthread_attr_t detached;
    pthread_t thread;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &detached, run_stream, call);
    pthread_attr_destroy(&detached);
    return failed == 0;
}

void server_stream_start(struct rpc_call *call)
{
    if (server_budget_take(call)) {
        struct call_io *io = xcalloc(1, sizeof *io);
        pthread_mutex_init(&io->lock, NULL);
        pthread_cond_init(&io->done, NULL);
        io->tag.run = on_io;
        io->call = call;
        call->io = io;
        if (start_thread(call))
            return;
    }
    server_refuse(call, CODE_RESOURCE_EXHAUSTED, "OVERLOADED", "too many streams are open");
}

void server_stream_clear(struct rpc_call *call)
{
    if (!call->io)
        return;
    pthread_cond_destroy(&call->io->done);
    pthread_mutex_destroy(&call->io->lock);
    xfree(call->io);
}
