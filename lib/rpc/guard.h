/*
 * Who may call what: the one place where a call is let in or refused, before its message is looked
 * at. A client that a gateway speaks for is held to the method's policy; every other peer to the
 * program's grants.
 *
 *   peer       says for whom   held to
 *   nobody                     refused, but for health and reflection
 *   gateway    yes             the policy: access and scopes, internal methods never
 *   gateway    no              the grants
 *   others     yes             refused
 *   others     no              the grants
 */
#pragma once
#include "rpc/caller.h"
#include "rpc/policy.h"

/* What a peer may call by itself. */
struct rpc_grant {
    const char *peer;
    const char *methods; /* "/": all; "/package.Service/": a service's; or one method's path */
    const char *scope;   /* that the peer holds there, for handlers that ask; NULL: none */
};

struct rpc_guard {
    const char *gateway; /* the peer that speaks for clients */
    const struct rpc_grant *grants;
    size_t grant_count;
    bool open; /* clients are not held to policies: the gateway in front has no keys, no sign-in */
};

struct guard_call {
    struct str path;
    const struct rpc_policy *policy;
    struct str peer;   /* empty: nobody */
    struct str caller; /* omni-caller-bin, or empty */
};

/* Fills *caller, in the arena as far as it is new. The error's reason is one of rpc/reasons.h. */
enum code guard_admit(const struct rpc_guard *guard, const struct guard_call *call,
                      struct arena *arena, struct rpc_caller *caller, struct error *err) MUST_CHECK;
