/* The relay's sender over lib/rpc. */
#include "user/relay.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "rpc/client.h"

enum { MESSAGE_BYTES_MAX = 4 * 1024 * 1024 };

struct grpc_sender {
    struct relay_sender base;
    struct rpc_client *client;
};

static void add_varint(struct buf *out, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_add_char(out, (char)(value | 0x80));
    buf_add_char(out, (char)value);
}

/* RecordEventsRequest has the batches as field 1; a batch goes out as it was sealed. */
static struct str encode_request(const struct store_batch *batches, size_t count,
                                 struct arena *arena)
{
    struct buf request;
    buf_init_arena(&request, arena, MESSAGE_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&request, 1 << 3 | 2);
        add_varint(&request, batches[i].body.len);
        buf_add(&request, batches[i].body);
    }
    return buf_str(&request);
}

/* All or nothing: `taken` is never needed. */
static enum code send_batches(struct relay_sender *base, const struct store_batch *batches,
                              size_t count, int64_t deadline_ms, bool *taken, struct error *err)
{
    (void)taken;
    struct grpc_sender *sender = (struct grpc_sender *)base;
    const struct rpc_call_options options = {
        .method = STR("/omnidata.analytics.v1.AnalyticsService/RecordEvents"),
        .deadline_ms = deadline_ms,
    };
    struct arena arena = {0};
    struct str request = encode_request(batches, count, &arena), response;
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
    sender->base.send = send_batches;
    sender->base.free = free_sender;
    sender->client =
        rpc_client_new(&(struct rpc_client_options){.target = target,
                                                    .message_bytes_max = MESSAGE_BYTES_MAX,
                                                    .identity = identity,
                                                    .peer = "analytics"});
    return &sender->base;
}
