/*
 * Who a call is made by, as far as it is known beyond doubt: the peer at the other end, or the
 * client that a gateway speaks for. Handlers ask rpc_call_caller; nothing of it comes from metadata
 * that anybody could send.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct rpc_caller {
    struct str peer; /* the name of the process at the other end; empty: not known */
    bool is_client;  /* the peer is a gateway and speaks for a client: all below is the client's.
                        Otherwise the peer is the caller itself */
    struct str issuer, subject; /* the signed-in user; empty: nobody is signed in */
    struct str key_id;          /* the API key; empty: none */
    struct str address;         /* the client's IP address, without a port */
    struct str request_id;
    const struct str *scopes; /* of the user's token, or those that the grant gives to the peer */
    size_t scope_count;
    bool every_scope; /* nobody was asked who he is: rpc_server_options says so */
};

/* True when a signed-in user stands behind the call. */
static inline bool rpc_caller_signed_in(const struct rpc_caller *caller)
{
    return caller->issuer.len && caller->subject.len;
}

bool rpc_caller_holds(const struct rpc_caller *caller, struct str scope);

/*
 * Fills *caller's client part from an encoded omnidata.api.v1.Caller, copied into the arena; `peer`
 * stays. UNAUTHENTICATED (CALLER_MALFORMED) when it is none.
 */
enum code caller_decode(struct str bytes, struct arena *arena, struct rpc_caller *caller,
                        struct error *err) MUST_CHECK;
