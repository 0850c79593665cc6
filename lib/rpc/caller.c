/* The message that gateways send, as a value. */
#include "rpc/caller.h"

#include "omnidata/api/v1/caller.pb-c.h"
#include "pb/proto.h"
#include "rpc/reasons.h"

bool rpc_caller_holds(const struct rpc_caller *caller, struct str scope)
{
    for (size_t i = 0; i < caller->scope_count; i++)
        if (str_eq(caller->scopes[i], scope))
            return true;
    return caller->every_scope;
}

enum code caller_decode(struct str bytes, struct arena *arena, struct rpc_caller *caller,
                        struct error *err)
{
    const Omnidata__Api__V1__Caller *message =
        proto_decode(arena, &omnidata__api__v1__caller__descriptor, bytes);
    if (!message || proto_check_utf8(&message->base, err) != CODE_OK)
        return error_set(err, CODE_UNAUTHENTICATED, REASON_CALLER_MALFORMED,
                         "omni-caller-bin is no omnidata.api.v1.Caller");
    struct str *scopes = arena_alloc(arena, (message->n_scopes + 1) * sizeof *scopes);
    for (size_t i = 0; i < message->n_scopes; i++)
        scopes[i] = str_of(message->scopes[i]);
    *caller = (struct rpc_caller){
        .peer = caller->peer,
        .is_client = true,
        .issuer = str_of(message->issuer),
        .subject = str_of(message->subject),
        .key_id = str_of(message->key_id),
        .address = str_of(message->address),
        .request_id = str_of(message->request_id),
        .scopes = scopes,
        .scope_count = message->n_scopes,
    };
    return CODE_OK;
}
