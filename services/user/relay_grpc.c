/* The relay's sender over lib/rpc. */
#include "user/relay.h"

#include "base/alloc.h"
#include "rpc/client.h"

enum { MESSAGE_BYTES_MAX = 4 * 1024 * 1024 };

struct grpc_sender {
    struct relay_sender base;
    struct rpc_client *client;
};

static enum code send_request(struct relay_sender *base, struct str request, int64_t deadline_ms,
                              struct error *err)
{
    struct grpc_sender *sender = (struct grpc_sender *)base;
    const struct rpc_call_options options = {
        .method = STR("/omnidata.analytics.v1.AnalyticsService/RecordEvents"),
        .deadline_ms = deadline_ms,
    };
    struct arena arena = {0};
    struct str response;
    enum code code = rpc_client_call(sender->client, &options, request, &arena, &response, err);
    arena_clear(&arena);
    return code;
}

static void free_sender(struct relay_sender *base)
{
    struct grpc_sender *sender = (struct grpc_sender *)base;
    rpc_client_free(sender->client);
    xfree(sender);
}

struct relay_sender *relay_sender_grpc(const char *target, struct rpc_identity *identity)
{
    struct grpc_sender *sender = xcalloc(1, sizeof *sender);
    sender->base.send = send_request;
    sender->base.free = free_sender;
    sender->client =
        rpc_client_new(&(struct rpc_client_options){.target = target,
                                                    .message_bytes_max = MESSAGE_BYTES_MAX,
                                                    .identity = identity,
                                                    .peer = "analytics"});
    return &sender->base;
}
