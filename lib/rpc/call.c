/* What a handler may ask of its call. */
#include "base/clock.h"
#include "base/log.h"
#include "rpc/server_call.h"

#include <grpc/support/alloc.h>

void *rpc_call_context(const struct rpc_call *call)
{
    return call->method->service->context;
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

int64_t rpc_call_remaining_ms(const struct rpc_call *call)
{
    if (call->deadline_ms == INT64_MAX)
        return INT64_MAX;
    int64_t left = call->deadline_ms - clock_mono_ms(clock_real());
    return left > 0 ? left : 0;
}

bool rpc_call_cancelled(const struct rpc_call *call)
{
    return atomic_load_explicit(&call->cancelled, memory_order_acquire) ||
           rpc_call_remaining_ms(call) == 0;
}

struct str rpc_call_metadata(const struct rpc_call *call, struct str key)
{
    for (size_t i = 0; i < call->pair_count; i++)
        if (str_eq(call->pairs[i].key, key))
            return call->pairs[i].value;
    return rpc_metadata_find(&call->metadata, key); /* an element has none there */
}

struct str rpc_call_trace_id(const struct rpc_call *call)
{
    return str_of(call->trace.id);
}

const struct rpc_caller *rpc_call_caller(const struct rpc_call *call)
{
    return &call->caller;
}

void rpc_call_about(struct rpc_call *call, struct str id)
{
    call->about = arena_str(&call->own, id);
}

struct str rpc_call_peer(const struct rpc_call *call)
{
    if (call->carrier)
        return rpc_call_peer(call->carrier);
    if (!call->peer) { /* few handlers ask, and the core makes a new text each time */
        struct rpc_call *mine = (struct rpc_call *)call;
        char *peer = grpc_call_get_peer(call->call);
        mine->peer = arena_cstr(&mine->own, str_of(peer));
        gpr_free(peer);
    }
    return str_of(call->peer);
}

void rpc_call_add_trailer(struct rpc_call *call, struct str key, struct str value)
{
    if (!rpc_metadata_is_legal(key,
                               value)) { /* it would cost the whole reply: a handler's mistake */
        log_error("rpc.trailer", LOG_S("key", key), LOG_C("error", "cannot be sent"));
        return;
    }
    struct call_trailer *trailer = arena_alloc(&call->own, sizeof *trailer);
    trailer->key = arena_str(&call->own, key);
    trailer->value = arena_str(&call->own, value);
    trailer->next = call->trailers;
    call->trailers = trailer;
    call->trailer_count++;
}
