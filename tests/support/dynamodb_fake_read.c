/* Operations that read. */
#include "tests/support/dynamodb_fake_operation.h"

enum { PAGE_BYTES = 1 << 20 };

static bool in_query(struct str expression, struct str sk, struct str from, struct str to)
{
    if (str_eq(expression, STR("pk = :p")))
        return true;
    if (str_eq(expression, STR("pk = :p AND sk >= :f")))
        return str_cmp(sk, from) >= 0;
    if (str_eq(expression, STR("pk = :p AND begins_with(sk, :f)")))
        return str_starts(sk, from);
    return str_cmp(sk, from) >= 0 && str_cmp(sk, to) <= 0;
}

enum code fake_query(struct fake_operation *op)
{
    const struct json_value *values = json_get(op->request, STR("ExpressionAttributeValues"));
    const struct json_value *start = json_get(op->request, STR("ExclusiveStartKey"));
    struct str expression = fake_text_at(op->request, "KeyConditionExpression");
    struct str from = fake_text(values, ":f"), to = fake_text(values, ":t");
    struct str pk = fake_text(values, ":p");
    struct fake_partition *partition = fake_partition(&op->fake->table, pk, false);
    const struct fake_item *last = NULL;
    uint64_t limit = 0;
    size_t count = 0, bytes = 0, at = 0;
    if (!fake_values_fit(op->request, op->arena) ||
        !str_to_u64(fake_text_at(op->request, "Limit"), &limit) || !limit ||
        (start && !fake_key_fits(start)))
        return fake_invalid(op, "a query");
    if (limit > op->fake->page_items)
        limit = op->fake->page_items;
    json_object_begin(&op->json);
    json_key(&op->json, STR("Items"));
    json_array_begin(&op->json);
    if (partition && start) {
        struct str sk = fake_text(start, "sk");
        at = fake_lower(partition, sk);
        at += at < partition->count && str_eq(partition->items[at]->sk, sk);
    } else if (partition && from.len) {
        at = fake_lower(partition, from);
    }
    for (; partition && at < partition->count && count < limit && bytes < PAGE_BYTES; at++) {
        const struct fake_item *item = partition->items[at];
        if (!in_query(expression, item->sk, from, to))
            break;
        fake_show(op, item, fake_text_at(op->request, "ProjectionExpression"));
        bytes += item->bytes;
        count++;
        last = item;
    }
    json_array_end(&op->json);
    if (last && (count == limit || bytes >= PAGE_BYTES)) { /* there need not be any more */
        json_key(&op->json, STR("LastEvaluatedKey"));
        json_object_begin(&op->json);
        for (int i = 0; i < 2; i++) {
            json_key(&op->json, i ? STR("sk") : STR("pk"));
            json_object_begin(&op->json);
            json_key(&op->json, STR("S"));
            json_string(&op->json, i ? last->sk : last->pk);
            json_object_end(&op->json);
        }
        json_object_end(&op->json);
    }
    json_object_end(&op->json);
    return CODE_OK;
}

enum code fake_batch_get(struct fake_operation *op)
{
    struct str table;
    const struct json_value *keys = fake_batch_of(op, &table, "Keys", FAKE_ACTIONS_MAX);
    if (!keys)
        return fake_invalid(op, "a batch of keys");
    size_t left = op->leave_over ? (keys->count + 1) / 2 : 0, at = 0;
    json_object_begin(&op->json);
    json_key(&op->json, STR("Responses"));
    json_object_begin(&op->json);
    json_key(&op->json, table);
    json_array_begin(&op->json);
    for (const struct json_value *key = keys->first; key; key = key->next, at++) {
        for (const struct json_value *other = keys->first; other != key; other = other->next)
            if (str_eq(fake_text(key, "sk"), fake_text(other, "sk")) &&
                str_eq(fake_text(key, "pk"), fake_text(other, "pk")))
                return fake_invalid(op, "a key twice");
        if (!fake_key_fits(key) || key->count != 2)
            return fake_invalid(op, "a key");
        const struct fake_item *item =
            fake_find(&op->fake->table, fake_text(key, "pk"), fake_text(key, "sk"));
        if (item && at >= left)
            fake_show(op, item, STR(""));
    }
    json_array_end(&op->json);
    json_object_end(&op->json);
    fake_leave(op, "UnprocessedKeys", table, "Keys", keys, left);
    json_object_end(&op->json);
    return CODE_OK;
}
