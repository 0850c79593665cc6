/* See dynamodb_ops.h. */
#include "aws/dynamodb_ops.h"

#include "aws/dynamodb_expression.h"
#include "base/id.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    ATTEMPTS_MAX = 40,
    PAUSE_MS = 4,
    PAUSE_DOUBLINGS_MAX = 6,
    WAIT_MS_MAX = 60 * 1000, /* for calls without a deadline */
};

static enum code call_client(void *context, struct str operation, struct str body,
                             int64_t deadline_ms, struct arena *arena,
                             const struct json_value **answer, struct dynamodb_refusal *refusal,
                             struct error *err)
{
    return dynamodb_call(context, operation, body, deadline_ms, arena, answer, refusal, err);
}

struct dynamodb_port dynamodb_port_of(struct aws_client *client)
{
    return (struct dynamodb_port){call_client, client};
}

void dynamodb_ops_init(struct dynamodb_ops *ops, const struct dynamodb_port *port, struct str table,
                       const struct clock *clock)
{
    *ops = (struct dynamodb_ops){.port = *port, .clock = clock};
    snprintf(ops->table, sizeof ops->table, "%.*s", STR_ARG(table));
}

int64_t dynamodb_until(const struct dynamodb_ops *ops, int64_t remaining_ms)
{
    int64_t most = remaining_ms < WAIT_MS_MAX ? remaining_ms : WAIT_MS_MAX;
    return clock_mono_ms(ops->clock) + most;
}

enum code dynamodb_tell(const struct dynamodb_ops *ops, const char *operation,
                        const struct dynamodb_refusal *refusal, struct error *err)
{
    if (ops->told)
        ops->told(ops->told_context, operation, refusal, err);
    return err->code;
}

enum code dynamodb_pause(const struct dynamodb_ops *ops, int attempt, int64_t until_ms,
                         struct error *err)
{
    int doublings = attempt < PAUSE_DOUBLINGS_MAX ? attempt : PAUSE_DOUBLINGS_MAX;
    uint32_t dice;
    id_random_nonce(&dice, sizeof dice);
    int64_t pause_us = 1 + (int64_t)(dice % (PAUSE_MS * 1000U << doublings));
    bool late = clock_mono_ms(ops->clock) + pause_us / 1000 >= until_ms;
    if (attempt < ATTEMPTS_MAX && !late) {
        nanosleep(&(struct timespec){0, pause_us * 1000}, NULL);
        return CODE_OK;
    }
    error_set(err, late ? CODE_DEADLINE_EXCEEDED : CODE_UNAVAILABLE,
              late ? "DEADLINE" : "CONFLICTS", "dynamodb: too much happens to these items at once");
    return dynamodb_tell(ops, "pause", NULL, err);
}

/* --- operations --- */

enum code dynamodb_do(const struct dynamodb_ops *ops, const char *operation, struct str body,
                      int64_t until_ms, struct arena *arena, const struct json_value **answer,
                      struct dynamodb_refusal *refusal, struct error *err)
{
    int64_t left_ms = until_ms - clock_mono_ms(ops->clock);
    memset(refusal, 0, sizeof *refusal);
    error_clear(err);
    if (left_ms <= 0) {
        error_set(err, CODE_DEADLINE_EXCEEDED, "DEADLINE", "dynamodb: no time is left");
        return dynamodb_tell(ops, operation, NULL, err);
    }
    enum code code = ops->port.call(ops->port.context, str_of(operation), body, left_ms, arena,
                                    answer, refusal, err);
    if (code != CODE_OK && str_eq(refusal->error, STR("ResourceNotFoundException")))
        error_set(err, CODE_FAILED_PRECONDITION, "TABLE_MISSING",
                  "there is no table \"%s\"; `omnictl aws init` makes it", ops->table);
    return dynamodb_tell(ops, operation, refusal, err);
}

struct json_out dynamodb_body(const struct dynamodb_ops *ops, struct buf *body, struct arena *arena)
{
    buf_init_arena(body, arena, DYNAMODB_BODY_MAX);
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("TableName"));
    json_string(&json, str_of(ops->table));
    return json;
}

void dynamodb_add_key(struct json_out *json, const char *name, struct dynamodb_key key)
{
    json_key(json, str_of(name));
    json_object_begin(json);
    dynamodb_put_key(json, key);
    json_object_end(json);
}

void dynamodb_add_text(struct json_out *json, const char *name, const char *text)
{
    json_key(json, str_of(name));
    json_string(json, str_of(text));
}

void dynamodb_add_item(struct json_out *json, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count)
{
    json_key(json, STR("Item"));
    json_object_begin(json);
    dynamodb_put_key(json, key);
    for (size_t i = 0; i < count; i++)
        dynamodb_put_value(json, &attributes[i]);
    json_object_end(json);
}

void dynamodb_add_condition(struct json_out *json, const struct dynamodb_condition *condition,
                            const struct dynamodb_value *values, size_t count)
{
    if (condition->expression)
        dynamodb_add_text(json, "ConditionExpression", condition->expression);
    if (!count && !condition->a.name && !condition->b.name)
        return;
    json_key(json, STR("ExpressionAttributeValues"));
    json_object_begin(json);
    for (size_t i = 0; i < count; i++)
        dynamodb_put_value(json, &values[i]);
    if (condition->a.name)
        dynamodb_put_value(json, &condition->a);
    if (condition->b.name)
        dynamodb_put_value(json, &condition->b);
    json_object_end(json);
}

void dynamodb_add_update(struct json_out *json, const struct dynamodb_update *update)
{
    dynamodb_add_text(json, "UpdateExpression", update->expression);
    if (strstr(update->expression, "#ttl")) {
        json_key(json, STR("ExpressionAttributeNames"));
        json_raw(json, STR("{\"#ttl\":\"ttl\"}"));
    }
    dynamodb_add_condition(json, &update->condition, update->values, update->count);
}

/* --- single items --- */

bool dynamodb_condition_failed(const struct dynamodb_refusal *refusal)
{
    return str_eq(refusal->error, STR("ConditionalCheckFailedException"));
}

static void be_consistent(struct json_out *json)
{
    json_key(json, STR("ConsistentRead"));
    json_bool(json, true);
}

enum code dynamodb_get(const struct dynamodb_ops *ops, struct dynamodb_key key, int64_t until_ms,
                       struct arena *arena, const struct json_value **item, struct error *err)
{
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct buf body;
    struct json_out json = dynamodb_body(ops, &body, arena);
    be_consistent(&json);
    dynamodb_add_key(&json, "Key", key);
    json_object_end(&json);
    if (dynamodb_do(ops, "GetItem", buf_str(&body), until_ms, arena, &answer, &refusal, err) !=
        CODE_OK)
        return err->code;
    *item = json_get(answer, STR("Item"));
    return CODE_OK;
}

enum code dynamodb_put(const struct dynamodb_ops *ops, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count,
                       struct dynamodb_condition condition, int64_t until_ms, struct arena *arena,
                       struct dynamodb_refusal *refusal, struct error *err)
{
    const struct json_value *answer;
    struct buf body;
    struct json_out json = dynamodb_body(ops, &body, arena);
    dynamodb_add_item(&json, key, attributes, count);
    dynamodb_add_condition(&json, &condition, NULL, 0);
    json_object_end(&json);
    return dynamodb_do(ops, "PutItem", buf_str(&body), until_ms, arena, &answer, refusal, err);
}

enum code dynamodb_change(const struct dynamodb_ops *ops, struct dynamodb_key key,
                          const struct dynamodb_update *update, int64_t until_ms,
                          struct arena *arena, const struct json_value **item,
                          struct dynamodb_refusal *refusal, struct error *err)
{
    const struct json_value *answer;
    struct buf body;
    struct json_out json = dynamodb_body(ops, &body, arena);
    dynamodb_add_key(&json, "Key", key);
    dynamodb_add_update(&json, update);
    if (item)
        dynamodb_add_text(&json, "ReturnValues", "ALL_NEW");
    json_object_end(&json);
    if (dynamodb_do(ops, "UpdateItem", buf_str(&body), until_ms, arena, &answer, refusal, err) !=
        CODE_OK)
        return err->code;
    if (item)
        *item = json_get(answer, STR("Attributes"));
    return CODE_OK;
}

enum code dynamodb_delete(const struct dynamodb_ops *ops, struct dynamodb_key key,
                          struct dynamodb_condition condition, int64_t until_ms,
                          struct arena *arena, struct dynamodb_refusal *refusal, struct error *err)
{
    const struct json_value *answer;
    struct buf body;
    struct json_out json = dynamodb_body(ops, &body, arena);
    dynamodb_add_key(&json, "Key", key);
    dynamodb_add_condition(&json, &condition, NULL, 0);
    json_object_end(&json);
    return dynamodb_do(ops, "DeleteItem", buf_str(&body), until_ms, arena, &answer, refusal, err);
}

/* --- a partition --- */

static const char *key_condition(const struct dynamodb_query *query)
{
    if (query->prefix)
        return "pk = :p AND begins_with(sk, :f)";
    if (query->from.len)
        return query->to.len ? "pk = :p AND sk BETWEEN :f AND :t" : "pk = :p AND sk >= :f";
    return query->to.len ? "pk = :p AND sk <= :t" : "pk = :p";
}

static void add_query(struct json_out *json, const struct dynamodb_query *query)
{
    dynamodb_add_text(json, "KeyConditionExpression", key_condition(query));
    json_key(json, STR("ExpressionAttributeValues"));
    json_object_begin(json);
    dynamodb_put_s(json, ":p", query->pk);
    if (query->from.len || query->prefix)
        dynamodb_put_s(json, ":f", query->from);
    if (query->to.len && !query->prefix)
        dynamodb_put_s(json, ":t", query->to);
    json_object_end(json);
    if (query->projection)
        dynamodb_add_text(json, "ProjectionExpression", query->projection);
    if (query->start.len)
        dynamodb_add_key(json, "ExclusiveStartKey", (struct dynamodb_key){query->pk, query->start});
}

enum code dynamodb_page(const struct dynamodb_ops *ops, struct dynamodb_query *query, size_t limit,
                        int64_t until_ms, struct arena *arena, const struct json_value **items,
                        struct error *err)
{
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct buf body;
    struct json_out json = dynamodb_body(ops, &body, arena);
    be_consistent(&json);
    json_key(&json, STR("Limit"));
    json_u64(&json, limit);
    add_query(&json, query);
    json_object_end(&json);
    if (dynamodb_do(ops, "Query", buf_str(&body), until_ms, arena, &answer, &refusal, err) !=
        CODE_OK)
        return err->code;
    *items = json_get(answer, STR("Items"));
    query->start = dynamodb_text(json_get(answer, STR("LastEvaluatedKey")), "sk");
    if (*items && (*items)->kind == JSON_ARRAY)
        return CODE_OK;
    error_set(err, CODE_INTERNAL, NULL, "dynamodb: a query answered without items");
    return dynamodb_tell(ops, "Query", &refusal, err);
}

/* --- many by key --- */

struct fetch {
    const struct dynamodb_ops *ops;
    const struct dynamodb_key *keys;
    const struct json_value **items;
    size_t count;
    uint8_t *states;
};

enum { KEY_WAITS, KEY_ASKED, KEY_DONE };

/* The keys of as many distinct items as one request takes. */
static size_t add_keys(const struct fetch *fetch, struct json_out *json)
{
    size_t asked = 0;
    for (size_t i = 0; i < fetch->count && asked < DYNAMODB_BATCH_KEYS; i++) {
        bool repeated = false;
        if (fetch->states[i] != KEY_WAITS)
            continue;
        for (size_t k = 0; k < i && !repeated; k++)
            repeated = fetch->states[k] == KEY_ASKED &&
                       dynamodb_same_key(&fetch->keys[k], &fetch->keys[i]);
        fetch->states[i] = KEY_ASKED;
        if (repeated)
            continue;
        json_object_begin(json);
        dynamodb_put_key(json, fetch->keys[i]);
        json_object_end(json);
        asked++;
    }
    return asked;
}

static size_t ask(const struct fetch *fetch, struct buf *body, struct arena *arena)
{
    buf_init_arena(body, arena, DYNAMODB_BODY_MAX);
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("RequestItems"));
    json_object_begin(&json);
    json_key(&json, str_of(fetch->ops->table));
    json_object_begin(&json);
    be_consistent(&json);
    json_key(&json, STR("Keys"));
    json_array_begin(&json);
    size_t asked = add_keys(fetch, &json);
    json_array_end(&json);
    json_object_end(&json);
    json_object_end(&json);
    json_object_end(&json);
    return asked;
}

static bool is_asked(const struct fetch *fetch, size_t index, const struct json_value *item)
{
    const struct dynamodb_key key = {dynamodb_text(item, "pk"), dynamodb_text(item, "sk")};
    return fetch->states[index] == KEY_ASKED && dynamodb_same_key(&fetch->keys[index], &key);
}

static void take_answers(const struct fetch *fetch, const struct json_value *answer,
                         bool *left_over)
{
    struct str table = str_of(fetch->ops->table);
    const struct json_value *found = json_get(json_get(answer, STR("Responses")), table);
    const struct json_value *left =
        json_get(json_get(json_get(answer, STR("UnprocessedKeys")), table), STR("Keys"));
    *left_over = left && left->count;
    for (const struct json_value *item = found ? found->first : NULL; item; item = item->next)
        for (size_t i = 0; i < fetch->count; i++)
            if (is_asked(fetch, i, item))
                fetch->items[i] = item;
    for (const struct json_value *key = left ? left->first : NULL; key; key = key->next)
        for (size_t i = 0; i < fetch->count; i++)
            if (is_asked(fetch, i, key))
                fetch->states[i] = KEY_WAITS;
    for (size_t i = 0; i < fetch->count; i++)
        if (fetch->states[i] == KEY_ASKED)
            fetch->states[i] = KEY_DONE; /* whether found or not */
}

enum code dynamodb_fetch(const struct dynamodb_ops *ops, const struct dynamodb_key *keys,
                         size_t count, int64_t until_ms, struct arena *arena,
                         const struct json_value **items, struct error *err)
{
    const struct fetch fetch = {ops, keys, items, count, arena_alloc0(arena, count + 1)};
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct buf body;
    bool left_over = false;
    for (size_t i = 0; i < count; i++)
        items[i] = NULL;
    for (int attempt = 0; ask(&fetch, &body, arena); attempt++) {
        if (left_over && dynamodb_pause(ops, attempt, until_ms, err) != CODE_OK)
            return err->code;
        if (dynamodb_do(ops, "BatchGetItem", buf_str(&body), until_ms, arena, &answer, &refusal,
                        err) != CODE_OK)
            return err->code;
        take_answers(&fetch, answer, &left_over);
    }
    return CODE_OK;
}
