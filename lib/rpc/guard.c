/* The table of guard.h, row by row. */
#include "rpc/guard.h"

#include "rpc/reasons.h"

static bool names_method(struct str methods, struct str path)
{
    return str_ends(methods, STR("/")) ? str_starts(path, methods) : str_eq(path, methods);
}

/* All of a peer's grants that name the method count; each may bring a scope. */
static enum code admit_peer(const struct rpc_guard *guard, const struct guard_call *call,
                            struct arena *arena, struct rpc_caller *caller, struct error *err)
{
    struct str *scopes = arena_alloc(arena, (guard->grant_count + 1) * sizeof *scopes);
    bool granted = false;
    for (size_t i = 0; i < guard->grant_count; i++) {
        const struct rpc_grant *grant = &guard->grants[i];
        if (!str_eq(str_of(grant->peer), call->peer) ||
            !names_method(str_of(grant->methods), call->path))
            continue;
        granted = true;
        if (grant->scope)
            scopes[caller->scope_count++] = str_of(grant->scope);
    }
    caller->scopes = scopes;
    if (granted)
        return CODE_OK;
    return error_set(err, CODE_PERMISSION_DENIED, REASON_METHOD_NOT_GRANTED,
                     "nothing grants this method to the peer \"%.*s\"",
                     STR_ARG(str_utf8_cut(call->peer, 64)));
}

static enum code admit_client(const struct rpc_guard *guard, const struct rpc_policy *policy,
                              struct rpc_caller *caller, struct error *err)
{
    if (policy->access == RPC_ACCESS_INTERNAL)
        return error_set(err, CODE_PERMISSION_DENIED, REASON_METHOD_INTERNAL,
                         "this method is for services only");
    caller->every_scope = guard->open;
    if (guard->open || policy->access == RPC_ACCESS_PUBLIC)
        return CODE_OK;
    if (!caller->key_id.len)
        return error_set(err, CODE_UNAUTHENTICATED, REASON_KEY_REQUIRED,
                         "this method wants an API key");
    if (policy->access == RPC_ACCESS_SIGNED_IN && !rpc_caller_signed_in(caller))
        return error_set(err, CODE_UNAUTHENTICATED, REASON_SIGN_IN_REQUIRED,
                         "this method wants a signed-in user");
    for (size_t i = 0; i < policy->scope_count; i++)
        if (!rpc_caller_holds(caller, policy->scopes[i]))
            return error_set(err, CODE_PERMISSION_DENIED, REASON_SCOPE_REQUIRED,
                             "this method wants the scope \"%.*s\"", STR_ARG(policy->scopes[i]));
    return CODE_OK;
}

enum code guard_admit(const struct rpc_guard *guard, const struct guard_call *call,
                      struct arena *arena, struct rpc_caller *caller, struct error *err)
{
    *caller = (struct rpc_caller){.peer = call->peer};
    if (!call->peer.len)
        return error_set(err, CODE_UNAUTHENTICATED, REASON_PEER_UNKNOWN,
                         "the call came without credentials of a peer that is known here");
    if (!call->caller.len)
        return admit_peer(guard, call, arena, caller, err);
    if (!str_eq(call->peer, str_of(guard->gateway)))
        return error_set(err, CODE_PERMISSION_DENIED, REASON_CALLER_NOT_BELIEVED,
                         "only a gateway may say for whom it calls");
    if (caller_decode(call->caller, arena, caller, err) != CODE_OK)
        return err->code;
    return admit_client(guard, call->policy, caller, err);
}
