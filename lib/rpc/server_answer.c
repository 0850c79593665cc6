/*
 * How a unary call is answered, whether it came by itself or as an element of a call stream:
 * decode, handler, outcome. Nothing here is of the core but the bytes of a call of its own.
 */
#include "rpc/server_answer.h"

#include "base/clock.h"
#include "base/log.h"
#include "pb/proto.h"
#include "rpc/authorise.h"
#include "rpc/server_quick.h"

#include <time.h>

enum { OVERLOADED_RETRY_MS = 1000 };

int64_t server_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const struct server_method *server_find_method(const struct rpc_server *server, struct str path)
{
    for (size_t i = 0; i < server->method_count; i++)
        if (str_eq(path, str_of(server->methods[i].path)))
            return &server->methods[i];
    return NULL;
}

/* --- log --- */

void server_call_trace(const struct rpc_call *call)
{
    log_set_trace(call ? str_of(call->trace.id) : (struct str){0});
}

struct str server_call_path(const struct rpc_call *call)
{
    if (call->method)
        return str_of(call->method->path);
    return call->carrier ? call->path : rpc_slice_str(&call->details.method);
}

void server_call_log(const struct rpc_call *call, const struct error *err)
{
    bool ours =
        err->code == CODE_INTERNAL || err->code == CODE_UNKNOWN || err->code == CODE_DATA_LOSS;
    if (!log_writes(ours ? LOG_WARN : LOG_DEBUG))
        return;
    struct str path = server_call_path(call);
    double duration_ms = (double)(server_now_us() - call->started_us) / 1000.0;
    if (err->code == CODE_OK)
        log_debug("rpc.call", LOG_S("method", path), LOG_C("code", "OK"),
                  LOG_D("duration_ms", duration_ms));
    else
        LOG_AT(ours ? LOG_WARN : LOG_DEBUG, "rpc.call", LOG_S("method", path), LOG_ERR(err),
               LOG_D("duration_ms", duration_ms));
}

/* --- outcomes --- */

void server_refuse(struct rpc_call *call, enum code code, const char *reason, const char *text)
{
    struct error err;
    error_set(&err, code, reason, "%s", text);
    if (code == CODE_RESOURCE_EXHAUSTED)
        err.retry_after_ms = OVERLOADED_RETRY_MS;
    server_call_finish(call, &err, NULL);
}

enum code server_call_gone(const struct rpc_call *call, struct error *err)
{
    if (rpc_call_remaining_ms(call) == 0)
        return error_set(err, CODE_DEADLINE_EXCEEDED, NULL, "the deadline has passed");
    return error_set(err, CODE_CANCELLED, NULL, "the caller has gone");
}

enum code server_call_outcome(const struct rpc_call *call, enum code code, struct error *err)
{
    /* Who stops because of rpc_call_cancelled need not know which of the two reasons it had. */
    if (code == CODE_CANCELLED && rpc_call_remaining_ms(call) == 0)
        return server_call_gone(call, err);
    if (code == CODE_OK)
        error_clear(err);
    err->code = code; /* whatever a handler left there */
    return code;
}

/* --- messages --- */

enum code server_decode(struct rpc_call *call, struct str bytes, void **message, struct error *err)
{
    const ProtobufCMessageDescriptor *type = call->method->method->input;
    char path[ERROR_FIELD_BYTES];
    *message = proto_decode(&call->arena, type, bytes);
    if (*message)
        return proto_check_utf8(*message, err);
    if (proto_nul_path(type, bytes, path, sizeof path))
        return error_field(err, path, "holds a NUL character");
    return error_set(err, CODE_INVALID_ARGUMENT, "MALFORMED_REQUEST",
                     "the request cannot be decoded as %s", type->name);
}

enum code server_decode_buffer(struct rpc_call *call, grpc_byte_buffer *payload, void **message,
                               struct error *err)
{
    struct rpc_view view;
    *message = NULL;
    if (!rpc_view_open(&view, payload))
        return error_set(err, CODE_INVALID_ARGUMENT, "MALFORMED_REQUEST",
                         "the request cannot be decompressed");
    enum code code = server_decode(call, view.bytes, message, err);
    rpc_view_close(&view);
    return code;
}

/* --- the handler --- */

static enum code decode_request(struct rpc_call *call, void **request, struct error *err)
{
    if (call->carrier)
        return server_decode(call, call->request, request, err);
    if (call->payload)
        return server_decode_buffer(call, call->payload, request, err);
    return error_set(err, CODE_UNIMPLEMENTED, "MESSAGE_MISSING", "%s takes one message, none came",
                     call->method->method->name);
}

static enum code answer(struct rpc_call *call, ProtobufCMessage **response, struct error *err)
{
    const struct rpc_method *method = call->method->method;
    void *request;
    if (rpc_call_cancelled(call))
        return server_call_gone(call, err);
    enum code code = decode_request(call, &request, err);
    if (code != CODE_OK)
        return code;
    *response = arena_alloc(&call->arena, method->output->sizeof_message);
    protobuf_c_message_init(method->output, *response);
    return server_call_outcome(call, method->unary(call, request, *response, err), err);
}

void server_answer_run(void *argument)
{
    struct rpc_call *call = argument;
    ProtobufCMessage *response = NULL;
    struct error err;
    error_clear(&err);
    server_call_trace(call);
    (void)!answer(call, &response, &err); /* err says it as well */
    server_call_finish(call, &err, response);
    server_call_trace(NULL);
}

bool server_answer_admit(struct rpc_call *call)
{
    struct error err;
    error_clear(&err);
    if (server_admit(call, &err) == CODE_OK)
        return true;
    server_call_trace(call);
    server_call_finish(call, &err, NULL);
    server_call_trace(NULL);
    return false;
}

void server_answer_soon(struct rpc_call *call)
{
    struct rpc_server *server = call->server;
    bool taken = true;
    if (call->method->run == RUN_HERE)
        server_answer_run(call);
    else if (call->method->run == RUN_QUICK && server->quick)
        taken = !quick_line_add(server->quick, call);
    else
        taken = worker_pool_submit(server->pool, server_answer_run, call);
    if (!taken)
        server_refuse(call, CODE_RESOURCE_EXHAUSTED, "OVERLOADED", "too many calls are waiting");
}
