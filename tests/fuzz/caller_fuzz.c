/*
 * Bytes that say for whom a call is made, a token file and a descriptor set: whatever they are, a
 * client without key and sign-in gets in nowhere, and nobody becomes a gateway by what he says.
 */
#include "rpc/guard.h"
#include "rpc/token_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const struct rpc_grant GRANTS[] = {{"operator", "/", "admin"}};

static void ask(const char *peer, enum rpc_access access, struct str caller_bytes)
{
    static const struct rpc_guard guard = {"gateway", GRANTS, 1, false};
    const struct rpc_policy policy = {.access = access};
    const struct guard_call call = {STR("/a.S/M"), &policy, str_of(peer), caller_bytes};
    struct rpc_caller caller;
    struct error err = {0};
    struct arena arena = {0};
    enum code code = guard_admit(&guard, &call, &arena, &caller, &err);
    require(code == CODE_OK || err.reason[0]);
    require(code == CODE_OK || code == CODE_UNAUTHENTICATED || code == CODE_PERMISSION_DENIED);
    require(caller.is_client ? str_eq(caller.peer, STR("gateway")) : !caller.subject.len);
    require(code != CODE_OK || access != RPC_ACCESS_INTERNAL || !caller.is_client);
    require(code != CODE_OK || access != RPC_ACCESS_KEY || caller.key_id.len || !caller.is_client);
    require(code != CODE_OK || access != RPC_ACCESS_SIGNED_IN || rpc_caller_signed_in(&caller) ||
            !caller.is_client);
    require(!rpc_caller_holds(&caller, STR("")) || caller.scope_count);
    arena_clear(&arena);
}

static void look_at(void *argument, struct str path, const struct rpc_policy *policy)
{
    size_t *bytes = argument;
    *bytes += path.len;
    for (size_t i = 0; i < policy->scope_count; i++)
        *bytes += policy->scopes[i].len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct arena arena = {0};
    struct error err = {0};
    struct peer_token *tokens;
    size_t count, seen = 0;
    for (int access = RPC_ACCESS_INTERNAL; access <= RPC_ACCESS_SIGNED_IN; access++) {
        ask("gateway", (enum rpc_access)access, bytes);
        ask("operator", (enum rpc_access)access, bytes);
        ask("", (enum rpc_access)access, bytes);
    }
    if (token_file_parse("FILE", bytes, &arena, &tokens, &count, &err) == CODE_OK)
        for (size_t i = 0; i < count; i++)
            require(token_name_is_legal(tokens[i].name) && tokens[i].token.len >= TOKEN_BYTES_MIN);
    policy_each(bytes, look_at, &seen);
    arena_clear(&arena);
    return 0;
}
