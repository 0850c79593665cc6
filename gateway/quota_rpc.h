/* The access service as quota.h's lessor: AccessService/LeaseQuota. */
#pragma once
#include "gateway/quota.h"
#include "rpc/client.h"

struct quota_rpc {
    struct quota_lessor lessor; /* first */
    struct rpc_client *client;
};

struct quota_rpc quota_rpc_of(struct rpc_client *client);
