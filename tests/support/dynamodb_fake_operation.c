/* What operations have in common: refusals, what makes a request valid, how answers look. */
#include "tests/support/dynamodb_fake_operation.h"

#include <string.h>

enum { PK_BYTES = 2048, SK_BYTES = 1024 };

/* --- refusals --- */

enum code fake_invalid(struct fake_operation *op, const char *why)
{
    op->refusal->error = STR("ValidationException");
    return error_set(op->err, CODE_INTERNAL, "ValidationException", "ValidationException: %s", why);
}

enum code fake_condition_failed(struct fake_operation *op)
{
    op->refusal->error = STR("ConditionalCheckFailedException");
    return error_set(op->err, CODE_FAILED_PRECONDITION, "ConditionalCheckFailedException",
                     "the conditional request failed");
}

enum code fake_cancelled(struct fake_operation *op, size_t count)
{
    op->refusal->error = STR("TransactionCanceledException");
    op->refusal->reason_count = count;
    return error_set(op->err, CODE_ABORTED, "TransactionCanceledException", "cancelled");
}

/* --- what operations have in common --- */

struct str fake_text_at(const struct json_value *object, const char *key)
{
    const struct json_value *value = json_get(object, str_of(key));
    return value ? value->text : (struct str){0};
}

bool fake_values_fit(const struct json_value *action, struct arena *arena)
{
    const struct json_value *values = json_get(action, STR("ExpressionAttributeValues"));
    struct str texts[3] = {fake_text_at(action, "ConditionExpression"),
                           fake_text_at(action, "UpdateExpression"),
                           fake_text_at(action, "KeyConditionExpression")};
    const char *all = arena_printf(arena, "%.*s %.*s %.*s ", STR_ARG(texts[0]), STR_ARG(texts[1]),
                                   STR_ARG(texts[2]));
    size_t colons = 0, distinct = 0;
    for (const struct json_value *one = values ? values->first : NULL; one; one = one->next) {
        if (!strstr(all, arena_cstr(arena, one->key)))
            return false;
        distinct++;
    }
    for (const char *at = all; (at = strchr(at, ':')) != NULL; at++) {
        if (!values || !json_get(values, (struct str){at, 2}))
            return false;
        colons++;
    }
    return colons >= distinct;
}

bool fake_key_fits(const struct json_value *key)
{
    struct str pk = fake_text(key, "pk"), sk = fake_text(key, "sk");
    return pk.len && pk.len <= PK_BYTES && sk.len && sk.len <= SK_BYTES;
}

void fake_show(struct fake_operation *op, const struct fake_item *item, struct str projection)
{
    if (!projection.len) {
        struct buf text;
        buf_init_arena(&text, op->arena, FAKE_ANSWER_MAX);
        fake_write(&text, item->root);
        json_raw(&op->json, buf_str(&text));
        return;
    }
    json_object_begin(&op->json);
    for (const struct json_value *one = item->root->first; one; one = one->next) {
        struct str rest = projection, name;
        while (str_next(&rest, ',', &name)) {
            if (!str_eq(str_trim(name), one->key))
                continue;
            struct buf text;
            buf_init_arena(&text, op->arena, FAKE_ANSWER_MAX);
            fake_write(&text, one);
            json_key(&op->json, one->key);
            json_raw(&op->json, buf_str(&text));
        }
    }
    json_object_end(&op->json);
}

const struct json_value *fake_batch_of(const struct fake_operation *op, struct str *table,
                                       const char *inside, size_t max)
{
    const struct json_value *items = json_get(op->request, STR("RequestItems"));
    if (!items || items->count != 1)
        return NULL;
    *table = items->first->key;
    const struct json_value *list = inside ? json_get(items->first, str_of(inside)) : items->first;
    return list && list->kind == JSON_ARRAY && list->count && list->count <= max ? list : NULL;
}

void fake_leave(struct fake_operation *op, const char *name, struct str table, const char *inside,
                const struct json_value *list, size_t left)
{
    size_t at = 0;
    struct json_out *json = &op->json;
    json_key(json, str_of(name));
    json_object_begin(json);
    if (left) {
        json_key(json, table);
        if (inside) {
            json_object_begin(json);
            json_key(json, str_of(inside));
        }
        json_array_begin(json);
        for (const struct json_value *one = list->first; one; one = one->next) {
            struct buf text;
            if (at++ == left)
                break;
            buf_init_arena(&text, op->arena, FAKE_ANSWER_MAX);
            fake_write(&text, one);
            json_raw(json, buf_str(&text));
        }
        json_array_end(json);
        if (inside)
            json_object_end(json);
    }
    json_object_end(json);
}
