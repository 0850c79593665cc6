/* Quotas: an item per counter, replaced as a whole if nobody else has replaced it. */
#include "user/access_store_dynamodb_internal.h"

#include "user/access_refusals.h"

enum { TTL_SLACK_S = 3600 };

static struct item_key quota_key(struct arena *arena, uint32_t tenant,
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
    struct item_key key = quota_key(arena, call->tenant, counter);
    const struct json_value *item;
    *quota = (struct access_quota){0};
    if (dynamodb_fetch(&store->table, &key, 1, dynamodb_until(&store->table, call->remaining_ms),
                       arena, &item, err) != CODE_OK)
        return err->code;
    if (item && item_n(item, "x") > clock_wall_ms(store->clock)) {
        quota->version = (uint64_t)item_n(item, "v");
        quota->bytes = item_b(item, "b", arena);
    }
    return CODE_OK;
}

static struct str put_body(struct access_dynamodb *store, struct item_key key,
                           const struct access_quota *quota, int64_t forget_ms, struct arena *arena)
{
    struct buf body;
    struct json_out json = dynamodb_body(&store->table, &body, arena);
    json_key(&json, STR("Item"));
    json_object_begin(&json);
    item_put_key(&json, key);
    item_put_n(&json, "v", (int64_t)quota->version + 1);
    item_put_n(&json, "x", forget_ms);
    if (forget_ms < INT64_MAX)
        item_put_n(&json, "ttl", forget_ms / 1000 + TTL_SLACK_S);
    item_put_b(&json, "b", quota->bytes);
    json_object_end(&json);
    json_key(&json, STR("ConditionExpression"));
    json_string(&json, quota->version ? STR("v = :n") : STR("attribute_not_exists(pk) OR x <= :n"));
    json_key(&json, STR("ExpressionAttributeValues"));
    json_object_begin(&json);
    item_put_n(&json, ":n", quota->version ? (int64_t)quota->version : clock_wall_ms(store->clock));
    json_object_end(&json);
    json_object_end(&json);
    return buf_str(&body);
}

enum code access_dynamodb_put_quota(struct access_store *base, const struct store_call *call,
                                    const struct access_counter *counter,
                                    const struct access_quota *quota, int64_t forget_ms,
                                    struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct arena arena = {0};
    struct item_key key = quota_key(&arena, call->tenant, counter);
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    enum code code = dynamodb_do(
        &store->table, "PutItem", put_body(store, key, quota, forget_ms, &arena),
        dynamodb_until(&store->table, call->remaining_ms), &arena, &answer, &refusal, err);
    if (str_eq(refusal.error, STR("ConditionalCheckFailedException"))) {
        error_clear(err);
        code = access_refuse_changed_quota(err);
    }
    arena_clear(&arena);
    return code;
}
