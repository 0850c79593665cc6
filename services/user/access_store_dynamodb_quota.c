/* Quotas: an item per counter, replaced as a whole if nobody else has replaced it. */
#include "user/access_store_dynamodb_internal.h"

#include "user/access_refusals.h"

enum { TTL_SLACK_S = 3600 };

static struct dynamodb_key quota_key(struct arena *arena, uint32_t tenant,
                                     const struct access_counter *counter)
{
    return access_hash_key(arena, tenant, "q",
                           (struct str){(const char *)counter->bytes, sizeof counter->bytes});
}

enum code access_dynamodb_get_quota(struct access_store *base, const struct store_call *call,
                                    const struct access_counter *counter, struct arena *arena,
                                    struct access_quota *quota, struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct dynamodb_key key = quota_key(arena, call->tenant, counter);
    const struct json_value *item;
    *quota = (struct access_quota){0};
    if (dynamodb_fetch(&store->table.ops, &key, 1,
                       dynamodb_until(&store->table.ops, call->remaining_ms), arena, &item,
                       err) != CODE_OK)
        return err->code;
    if (item && dynamodb_number(item, "x") > clock_wall_ms(store->clock)) {
        quota->version = (uint64_t)dynamodb_number(item, "v");
        quota->bytes = dynamodb_bytes(item, "b", arena);
    }
    return CODE_OK;
}

enum code access_dynamodb_put_quota(struct access_store *base, const struct store_call *call,
                                    const struct access_counter *counter,
                                    const struct access_quota *quota, int64_t forget_ms,
                                    struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct arena arena = {0};
    struct dynamodb_key key = quota_key(&arena, call->tenant, counter);
    const struct dynamodb_value attributes[] = {
        dynamodb_n("v", (int64_t)quota->version + 1),
        dynamodb_n("x", forget_ms),
        dynamodb_b("b", quota->bytes),
        dynamodb_n("ttl", forget_ms / 1000 + TTL_SLACK_S),
    };
    struct dynamodb_condition condition =
        quota->version
            ? dynamodb_if_n("v = :n", (int64_t)quota->version)
            : dynamodb_if_n("attribute_not_exists(pk) OR x <= :n", clock_wall_ms(store->clock));
    struct dynamodb_refusal refusal;
    enum code code =
        dynamodb_put(&store->table.ops, key, attributes, forget_ms < INT64_MAX ? 4 : 3, condition,
                     dynamodb_until(&store->table.ops, call->remaining_ms), &arena, &refusal, err);
    if (dynamodb_condition_failed(&refusal)) {
        error_clear(err);
        code = access_refuse_changed_quota(err);
    }
    arena_clear(&arena);
    return code;
}
