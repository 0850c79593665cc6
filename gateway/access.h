/*
 * What the stages that admit requests share: who may come (keys), how often (throttles) and how
 * much (quotas). In open mode there are no keys and no quotas; the limit of an address is always
 * there.
 */
#pragma once
#include "gateway/address.h"
#include "gateway/gateway.h"
#include "gateway/keys.h"
#include "gateway/quota_rpc.h"
#include "gateway/throttle.h"

struct access {
    struct address_list *trusted;
    struct throttle *addresses; /* NULL: no limit */
    struct throttle_limit address_limit;
    struct keys *keys; /* NULL: open */
    struct quota *quota;
    struct throttle *by_key, *by_caller;
    struct quota_rpc lessor;
};

/*
 * INVALID_ARGUMENT or FAILED_PRECONDITION naming the setting. `client` reaches the access service;
 * not needed in open mode.
 */
enum code access_new(const struct gateway_options *options, struct rpc_client *client,
                     struct access **access, struct error *err) MUST_CHECK;

/* Gives leases back; when no request will come any more. */
void access_drain(struct access *access);

/* Ends what uses the client; before the client is freed. NULL is allowed. */
void access_stop(struct access *access);

/* After the client was freed. NULL is allowed. */
void access_free(struct access *access);
