/* Operations that write: each is atomic, and all or nothing. */
#include "tests/support/dynamodb_fake_operation.h"

#include <string.h>

enum { ITEM_BYTES = 550 * 1024 /* 400 KB, in base64 */, WRITES_MAX = 25 };

struct action {
    const struct json_value *body;
    enum { PUT, DELETE, CHECK, UPDATE } kind;
    struct str pk, sk;
};

static bool read_action(const struct json_value *wrapper, struct action *action)
{
    static const char *const names[] = {"Put", "Delete", "ConditionCheck", "Update"};
    for (int i = 0; i < 4; i++) {
        const struct json_value *body = json_get(wrapper, str_of(names[i]));
        if (!body)
            continue;
        const struct json_value *key = json_get(body, i == PUT ? STR("Item") : STR("Key"));
        *action = (struct action){body, (unsigned)i, fake_text(key, "pk"), fake_text(key, "sk")};
        return key && fake_key_fits(key) && (i == PUT || key->count == 2);
    }
    return false;
}

static bool holds(struct fake_operation *op, const struct action *action)
{
    struct str expression = fake_text_at(action->body, "ConditionExpression");
    const struct fake_item *item = fake_find(&op->fake->table, action->pk, action->sk);
    return !expression.len ||
           fake_condition(expression, item ? item->root : NULL,
                          json_get(action->body, STR("ExpressionAttributeValues")));
}

static bool apply(struct fake_operation *op, const struct action *action)
{
    struct fake_table *table = &op->fake->table;
    const struct fake_item *item = fake_find(table, action->pk, action->sk);
    struct buf text;
    struct str json = {0};
    if (action->kind == CHECK)
        return true;
    if (action->kind == DELETE) {
        fake_remove(table, action->pk, action->sk);
        return true;
    }
    if (action->kind == PUT) {
        buf_init_arena(&text, op->arena, FAKE_ANSWER_MAX);
        fake_write(&text, json_get(action->body, STR("Item")));
        json = buf_str(&text);
    } else {
        json = fake_update(fake_text_at(action->body, "UpdateExpression"), action->pk, action->sk,
                           item ? item->root : NULL,
                           json_get(action->body, STR("ExpressionAttributeValues")), op->arena);
    }
    if (json.len > ITEM_BYTES)
        return false;
    fake_put(table, action->pk, action->sk, json);
    return true;
}

/* --- single writes --- */

enum code fake_write_one(struct fake_operation *op, const char *kind)
{
    struct buf text;
    struct action action;
    const struct json_value *wrapper;
    struct json_limits limits = {.bytes = FAKE_ANSWER_MAX, .depth = 40};
    buf_init_arena(&text, op->arena, FAKE_ANSWER_MAX);
    buf_addf(&text, "{\"%s\":", kind);
    fake_write(&text, op->request);
    buf_add_char(&text, '}');
    if (json_read(op->arena, buf_str(&text), limits, &wrapper, op->err) != CODE_OK)
        return op->err->code;
    if (!read_action(wrapper, &action) || !fake_values_fit(op->request, op->arena))
        return fake_invalid(op, kind);
    if (!holds(op, &action))
        return fake_condition_failed(op);
    if (!apply(op, &action))
        return fake_invalid(op, "the item is too large");
    json_object_begin(&op->json);
    if (str_eq(fake_text_at(op->request, "ReturnValues"), STR("ALL_NEW"))) {
        json_key(&op->json, STR("Attributes"));
        fake_show(op, fake_find(&op->fake->table, action.pk, action.sk), STR(""));
    }
    json_object_end(&op->json);
    return CODE_OK;
}

/* --- transactions --- */

/* True: the answer is known; *code says which. */
static bool known_token(struct fake_operation *op, enum code *code)
{
    struct str token = fake_text_at(op->request, "ClientRequestToken");
    uint8_t body[CRYPTO_SHA256_BYTES];
    struct buf text;
    buf_init_arena(&text, op->arena, FAKE_ANSWER_MAX);
    fake_write(&text, json_get(op->request, STR("TransactItems")));
    crypto_sha256(buf_str(&text), body);
    for (size_t i = 0; i < op->fake->token_count; i++) {
        const struct fake_token *known = &op->fake->tokens[i];
        if (!str_eq(known->text, token))
            continue;
        *code = CODE_OK;
        if (memcmp(known->body, body, sizeof body) != 0) {
            op->refusal->error = STR("IdempotentParameterMismatchException");
            *code = error_set(op->err, CODE_INVALID_ARGUMENT, NULL, "another body");
        }
        return true;
    }
    return false;
}

static void keep_token(struct fake_operation *op)
{
    struct dynamodb_fake *fake = op->fake;
    struct fake_token *token = &fake->tokens[fake->token_count++ % FAKE_TOKENS_MAX];
    struct buf text;
    buf_init_arena(&text, op->arena, FAKE_ANSWER_MAX);
    fake_write(&text, json_get(op->request, STR("TransactItems")));
    token->text = arena_str(&fake->arena, fake_text_at(op->request, "ClientRequestToken"));
    crypto_sha256(buf_str(&text), token->body);
}

static enum code check_actions(struct fake_operation *op, struct action *actions, size_t *count)
{
    const struct json_value *list = json_get(op->request, STR("TransactItems"));
    if (!list || !list->count || list->count > FAKE_ACTIONS_MAX)
        return fake_invalid(op, "too many actions, or none");
    for (const struct json_value *one = list->first; one; one = one->next) {
        struct action *action = &actions[*count];
        if (!read_action(one, action) || !fake_values_fit(action->body, op->arena))
            return fake_invalid(op, "an action");
        for (size_t i = 0; i < *count; i++)
            if (str_eq(actions[i].pk, action->pk) && str_eq(actions[i].sk, action->sk))
                return fake_invalid(op, "two actions on one item");
        *count += 1;
    }
    return CODE_OK;
}

enum code fake_transact(struct fake_operation *op)
{
    struct action actions[FAKE_ACTIONS_MAX];
    size_t count = 0;
    enum code code = CODE_OK;
    bool failed = false;
    if (known_token(op, &code)) {
        json_raw(&op->json, STR("{}"));
        return code;
    }
    if (check_actions(op, actions, &count) != CODE_OK)
        return op->err->code;
    for (size_t i = 0; i < count; i++) {
        const struct fake_item *item = fake_find(&op->fake->table, actions[i].pk, actions[i].sk);
        bool wanted = fake_text_at(actions[i].body, "ReturnValuesOnConditionCheckFailure").len > 0;
        op->refusal->reasons[i] = STR("None");
        op->refusal->items[i] = NULL;
        if (holds(op, &actions[i]))
            continue;
        failed = true;
        op->refusal->reasons[i] = STR("ConditionalCheckFailed");
        op->refusal->items[i] = item && wanted ? item->root : NULL;
    }
    if (failed)
        return fake_cancelled(op, count);
    for (size_t i = 0; i < count; i++)
        if (!apply(op, &actions[i]))
            return fake_invalid(op, "an item is too large");
    keep_token(op);
    json_raw(&op->json, STR("{}"));
    return CODE_OK;
}

/* --- batches --- */

enum code fake_batch_write(struct fake_operation *op)
{
    struct str table;
    const struct json_value *list = fake_batch_of(op, &table, NULL, WRITES_MAX);
    if (!list)
        return fake_invalid(op, "a batch of writes");
    size_t left = op->leave_over ? (list->count + 1) / 2 : 0, at = 0;
    for (const struct json_value *one = list->first; one; one = one->next, at++) {
        const struct json_value *key = json_get(json_get(one, STR("DeleteRequest")), STR("Key"));
        if (!key || !fake_key_fits(key))
            return fake_invalid(op, "a write");
        if (at < left)
            continue;
        fake_remove(&op->fake->table, fake_text(key, "pk"), fake_text(key, "sk"));
    }
    json_object_begin(&op->json);
    fake_leave(op, "UnprocessedItems", table, NULL, list, left);
    json_object_end(&op->json);
    return CODE_OK;
}
