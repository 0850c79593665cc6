/*
 * Who makes a call, whether it may be made, and the audit log: the server's side of identity.h and
 * guard.h. Runs in the completion thread, so nothing here blocks.
 */
#include "rpc/authorise.h"

#include "base/log.h"
#include "rpc/identity_core.h"
#include "rpc/reasons.h"

/* --- policies --- */

static void keep_policy(void *argument, struct str path, const struct rpc_policy *policy)
{
    struct rpc_server *server = argument;
    for (size_t i = 0; i < server->method_count; i++) {
        struct server_method *method = &server->methods[i];
        if (!str_eq(path, str_of(method->path)))
            continue;
        struct str *scopes =
            arena_alloc(&server->arena, (policy->scope_count + 1) * sizeof *scopes);
        for (size_t k = 0; k < policy->scope_count; k++)
            scopes[k] = arena_str(&server->arena, policy->scopes[k]);
        method->policy = *policy;
        method->policy.scopes = scopes;
    }
}

void server_read_policies(struct rpc_server *server, struct str descriptor_set)
{
    policy_each(descriptor_set, keep_policy, server);
}

/* --- who, and may he --- */

/* Of the connection, by its certificate, and the token that came with the call. */
static enum code find_peer(struct rpc_call *call, struct str *peer, struct error *err)
{
    const struct rpc_identity *identity = call->server->identity;
    struct str token = rpc_metadata_find(&call->metadata, IDENTITY_TOKEN_KEY);
    struct str by_token = token.len ? identity_of_token(identity, token) : token;
    struct str by_name = identity_of_call(identity, call->call);
    if (token.len && (!by_token.len || (by_name.len && !str_eq(by_name, by_token))))
        return error_set(err, CODE_UNAUTHENTICATED, REASON_PEER_TOKEN_WRONG,
                         by_token.len ? "the token is not that of the certificate's peer"
                                      : "the token is nobody's");
    *peer = by_name.len ? by_name : by_token;
    return CODE_OK;
}

/* Nobody is asked who he is, but who says it is heard. */
static enum code admit_all(struct rpc_call *call, struct str caller, struct error *err)
{
    if (caller.len && caller_decode(caller, &call->own, &call->caller, err) != CODE_OK)
        return err->code;
    call->caller.every_scope = true;
    return CODE_OK;
}

enum code server_admit(struct rpc_call *call, struct error *err)
{
    const struct rpc_server *server = call->server;
    struct str caller = rpc_call_metadata(call, STR("omni-caller-bin")), peer = {0};
    call->caller = (struct rpc_caller){0};
    if (!server->identity)
        return admit_all(call, caller, err);
    if (!call->method || call->method->admit == ADMIT_EVERYBODY)
        return CODE_OK;
    if (call->carrier)
        peer = call->carrier->caller.peer;
    else if (find_peer(call, &peer, err) != CODE_OK)
        return err->code;
    call->caller.peer = peer;
    if (call->method->admit == ADMIT_ANY_PEER && peer.len)
        return CODE_OK;
    const struct guard_call asked = {str_of(call->method->path), &call->method->policy, peer,
                                     caller};
    return guard_admit(&server->guard, &asked, &call->own, &call->caller, err);
}

/* --- audit --- */

static bool is_worth_a_line(const struct rpc_call *call, const struct error *err)
{
    if (!call->server->identity || !call->method || call->method->admit == ADMIT_EVERYBODY)
        return false;
    return call->method->policy.writes || err->code == CODE_UNAUTHENTICATED ||
           err->code == CODE_PERMISSION_DENIED;
}

/* Long enough for what OpenID Connect allows, and a line always has room for all of it. */
static struct log_field field(const char *key, struct str text)
{
    enum { AUDIT_TEXT_BYTES = 255 };
    return LOG_S(key, str_utf8_cut(text, AUDIT_TEXT_BYTES));
}

void server_audit(const struct rpc_call *call, const struct error *err)
{
    const struct rpc_caller *caller = &call->caller;
    if (!is_worth_a_line(call, err))
        return;
    struct str address = caller->is_client ? caller->address : rpc_call_peer(call);
    struct str request_id = caller->request_id;
    if (!caller->is_client)
        request_id = rpc_call_metadata(call, STR("x-request-id"));
    log_audit("audit", LOG_C("method", call->method->path), LOG_C("code", code_name(err->code)),
              LOG_C("reason", err->code == CODE_OK ? "" : err->reason), field("about", call->about),
              LOG_S("peer", caller->peer), field("issuer", caller->issuer),
              field("subject", caller->subject), field("key_id", caller->key_id),
              field("address", address), field("request_id", request_id));
}
