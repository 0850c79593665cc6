/*
 * What the protos say about who may call a method (omnidata.api.v1.policy, google.api.http), read
 * from a FileDescriptorSet. The gateway reads the same options with a reader of its own; these are
 * two readers of one truth.
 */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* A method that no descriptor knows, and one that is not offered over HTTP and says nothing, is
 * internal: the zero value. */
enum rpc_access {
    RPC_ACCESS_INTERNAL, /* no client, only services */
    RPC_ACCESS_PUBLIC,
    RPC_ACCESS_KEY,
    RPC_ACCESS_SIGNED_IN,
};

struct rpc_policy {
    enum rpc_access access;
    bool writes;              /* its HTTP method is not GET */
    const struct str *scopes; /* that a client's user must all hold */
    size_t scope_count;
};

/* `path` is "/package.Service/Method"; it and *policy are good during the call only. */
typedef void (*policy_fn)(void *argument, struct str path, const struct rpc_policy *policy);

/* Calls `each` for every method of the set. Bytes that are no such set have none. */
void policy_each(struct str descriptor_set, policy_fn each, void *argument);
