/* An answer that cannot be read counts as none: the question is repeated under its id. */
#include "gateway/quota_rpc.h"

#include "base/alloc.h"
#include "omnidata/access/v1/access.pb-c.h"
#include "pb/proto.h"

enum { DEADLINE_MS = 2000 };

struct asked {
    quota_granted_fn granted;
    void *argument;
};

static int64_t span_ms(const Google__Protobuf__Duration *span)
{
    if (!span || span->seconds < 0 || span->nanos < 0)
        return 0;
    if (span->seconds > INT32_MAX)
        return (int64_t)INT32_MAX * 1000;
    return span->seconds * 1000 + span->nanos / 1000000;
}

static void read_answer(struct str message, struct quota_grant *grant)
{
    struct arena arena = {0};
    const Omnidata__Access__V1__LeaseQuotaResponse *answer =
        proto_decode(&arena, &omnidata__access__v1__lease_quota_response__descriptor, message);
    if (!answer) {
        grant->code = CODE_INTERNAL;
    } else {
        grant->granted = answer->granted;
        grant->remaining = answer->remaining;
        grant->valid_ms = span_ms(answer->valid_for);
        grant->retry_ms = span_ms(answer->retry_after);
        if (answer->reset_time && answer->reset_time->seconds < INT64_MAX / 1000000)
            grant->reset_us = answer->reset_time->seconds * 1000000;
    }
    arena_clear(&arena);
}

static void on_done(void *argument, const struct rpc_result *result)
{
    struct asked *asked = argument;
    struct quota_grant grant = {.code = result->code};
    if (result->code == CODE_OK)
        read_answer(result->response, &grant);
    asked->granted(asked->argument, &grant);
    xfree(asked);
}

static void ask(const struct quota_lessor *lessor, const struct quota_ask *ask,
                quota_granted_fn granted, void *argument)
{
    const struct quota_rpc *rpc = (const struct quota_rpc *)lessor;
    struct arena arena = {0};
    Omnidata__Access__V1__LeaseQuotaRequest request =
        OMNIDATA__ACCESS__V1__LEASE_QUOTA_REQUEST__INIT;
    struct rpc_call_options call = {.method = STR("/omnidata.access.v1.AccessService/LeaseQuota"),
                                    .deadline_ms = DEADLINE_MS};
    struct asked *asked = xmalloc(sizeof *asked);
    *asked = (struct asked){granted, argument};
    request.key_id = arena_cstr(&arena, ask->key_id);
    request.subject = arena_cstr(&arena, ask->subject);
    request.gateway_id = arena_cstr(&arena, ask->gateway_id);
    request.lease_id = arena_cstr(&arena, ask->lease_id);
    request.want = ask->want;
    request.need = ask->need;
    request.returned_lease_id = arena_cstr(&arena, ask->returned_lease_id);
    request.unspent = ask->unspent;
    rpc_client_start(rpc->client, &call, proto_encode_arena(&arena, &request.base), on_done, asked,
                     NULL);
    arena_clear(&arena);
}

struct quota_rpc quota_rpc_of(struct rpc_client *client)
{
    return (struct quota_rpc){{ask}, client};
}
