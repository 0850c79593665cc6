/*
 * The life of a call of the core, from its request event to the last reference. The completion
 * thread only moves it along; decoding, the handler and encoding happen on the pool.
 *
 * Unary methods are registered with the core, so that their one message comes together with the
 * call; everything else comes as a generic call and is looked up by its path.
 */
#include "rpc/server_call.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "rpc/authorise.h"
#include "rpc/callstream_server.h"
#include "rpc/health.h"
#include "rpc/server_answer.h"
#include "rpc/status_details.h"

#include <grpc/support/time.h>
#include <string.h>
#include <time.h>

enum { FINISH_OPS_MAX = 3 };

/* --- references --- */

void server_call_reference(struct rpc_call *call)
{
    atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
}

static void call_free(struct rpc_call *call)
{
    server_stream_clear(call);
    callstream_server_clear(call);
    if (call->payload)
        grpc_byte_buffer_destroy(call->payload);
    grpc_metadata_array_destroy(&call->metadata);
    if (call->generic)
        grpc_call_details_destroy(&call->details);
    if (call->call)
        grpc_call_unref(call->call);
    arena_clear(&call->arena);
    arena_clear(&call->own);
    xfree(call);
}

void server_call_release(struct rpc_call *call)
{
    struct rpc_server *server = call->server;
    struct server_budget *budget = call->budget;
    if (atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) != 1)
        return;
    call_free(call);
    pthread_mutex_lock(&server->lock);
    if (budget)
        budget->used--;
    if (--server->active == 0)
        pthread_cond_broadcast(&server->quiet);
    pthread_mutex_unlock(&server->lock);
}

bool server_budget_take(struct rpc_call *call)
{
    struct server_budget *budget = call->method->budget;
    pthread_mutex_lock(&call->server->lock);
    bool taken = budget->used < budget->max;
    budget->used += taken;
    pthread_mutex_unlock(&call->server->lock);
    call->budget = taken ? budget : NULL;
    return taken;
}

/* --- the end --- */

static void on_finished(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* a reply that did not get through has nobody left to be told */
    server_call_release(RPC_TAG_OWNER(tag, struct rpc_call, finish_tag));
}

/* The trailers, the error's details among them; memory is the arena's, the slices are new. */
static grpc_metadata *make_trailers(struct rpc_call *call, const struct error *err, size_t *count)
{
    if (err->code != CODE_OK) {
        struct str details = status_details_encode(&call->own, err);
        if (details.len)
            rpc_call_add_trailer(call, STR("grpc-status-details-bin"), details);
    }
    if (!call->trailer_count)
        return NULL;
    grpc_metadata *trailers = arena_alloc0(&call->own, call->trailer_count * sizeof *trailers);
    for (struct call_trailer *one = call->trailers; one; one = one->next) {
        trailers[*count].key = rpc_slice_copy(one->key);
        trailers[(*count)++].value = rpc_slice_copy(one->value);
    }
    return trailers;
}

void server_call_finish(struct rpc_call *call, const struct error *err,
                        const ProtobufCMessage *response)
{
    grpc_op ops[FINISH_OPS_MAX] = {0};
    grpc_byte_buffer *message = NULL;
    size_t count = 0, trailer_count = 0;
    server_call_log(call, err);
    server_audit(call, err);
    if (call->carrier) {
        callstream_server_answer(call, err, response);
        return;
    }
    grpc_metadata *trailers = make_trailers(call, err, &trailer_count);
    grpc_slice text = rpc_slice_copy(str_of(err->text));
    if (!call->headers_sent)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (response && err->code == CODE_OK) {
        message = rpc_buffer_pack(response);
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = message;
    }
    ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[count].data.send_status_from_server.status = (grpc_status_code)err->code;
    ops[count].data.send_status_from_server.status_details = &text;
    ops[count].data.send_status_from_server.trailing_metadata = trailers;
    ops[count++].data.send_status_from_server.trailing_metadata_count = trailer_count;
    call->finish_tag.run = on_finished;
    server_call_reference(call);
    rpc_batch(call->call, ops, count, &call->finish_tag);
    if (message)
        grpc_byte_buffer_destroy(message);
    grpc_slice_unref(text);
    for (size_t i = 0; i < trailer_count; i++) {
        grpc_slice_unref(trailers[i].key);
        grpc_slice_unref(trailers[i].value);
    }
    server_call_release(call);
}

/* --- the beginning --- */

static void on_closed(struct rpc_tag *tag, bool ok)
{
    struct rpc_call *call = RPC_TAG_OWNER(tag, struct rpc_call, close_tag);
    (void)ok; /* this operation always succeeds */
    if (call->close_cancelled)
        atomic_store_explicit(&call->cancelled, true, memory_order_release);
    health_call_closed(call);
    callstream_server_closed(call);
    server_call_release(call);
}

static void watch_close(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->close_cancelled;
    call->close_tag.run = on_closed;
    server_call_reference(call);
    rpc_batch(call->call, &op, 1, &call->close_tag);
}

static void take_facts(struct rpc_call *call)
{
    gpr_timespec deadline = call->generic ? call->details.deadline : call->core_deadline;
    call->started_us = server_now_us();
    call->deadline_ms = INT64_MAX;
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) != 0) {
        gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
        /* Rounded up: a handler must not find the deadline passed before the caller does. */
        call->deadline_ms =
            clock_mono_ms(clock_real()) + left.tv_sec * 1000 + left.tv_nsec / 1000000 + 2;
    }
    struct str parent = rpc_metadata_find(&call->metadata, STR("traceparent"));
    if (parent.len)
        trace_parse(parent, &call->trace);
}

static void dispatch(struct rpc_call *call)
{
    if (!call->method) {
        server_refuse(call, CODE_UNIMPLEMENTED, "METHOD_UNKNOWN", "this server has no such method");
        return;
    }
    switch (call->method->run) {
    case RUN_POOL:
    case RUN_QUICK:
    case RUN_HERE:
        server_answer_soon(call);
        break;
    case RUN_THREAD:
        server_stream_start(call);
        break;
    case RUN_WATCH:
        health_watch(call);
        break;
    case RUN_CALLS:
        callstream_server_start(call);
        break;
    }
}

static void on_request(struct rpc_tag *tag, bool ok)
{
    struct rpc_call *call = RPC_TAG_OWNER(tag, struct rpc_call, request_tag);
    struct rpc_server *server = call->server;
    if (!ok) { /* the server shuts down */
        call_free(call);
        return;
    }
    server_post(server, call->method);
    pthread_mutex_lock(&server->lock);
    server->active++;
    pthread_mutex_unlock(&server->lock);
    if (call->generic)
        call->method = server_find_method(server, rpc_slice_str(&call->details.method));
    take_facts(call);
    watch_close(call);
    if (server_answer_admit(call))
        dispatch(call);
}

void server_post(struct rpc_server *server, const struct server_method *method)
{
    struct rpc_call *call = xcalloc(1, sizeof *call);
    grpc_call_error error;
    call->server = server;
    call->method = method;
    call->generic = !method;
    call->references = 1;
    call->request_tag.run = on_request;
    grpc_metadata_array_init(&call->metadata);
    if (method) {
        error = grpc_server_request_registered_call(
            server->core, method->registered, &call->call, &call->core_deadline, &call->metadata,
            &call->payload, server->queue.cq, server->queue.cq, rpc_tag_arm(&call->request_tag));
    } else {
        grpc_call_details_init(&call->details);
        error = grpc_server_request_call(server->core, &call->call, &call->details, &call->metadata,
                                         server->queue.cq, server->queue.cq,
                                         rpc_tag_arm(&call->request_tag));
    }
    if (error != GRPC_CALL_OK)
        call_free(call);
}
