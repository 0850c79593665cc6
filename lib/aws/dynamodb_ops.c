/* See dynamodb_ops.h. */
#include "aws/dynamodb_ops.h"

#include "base/encode.h"

#include <string.h>
#include <time.h>

enum {
    BODY_MAX = 16 << 20,
    ATTEMPTS_MAX = 40,
    PAUSE_MS = 4,
    PAUSE_DOUBLINGS_MAX = 6,
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

/* --- values --- */

static void put_value(struct json_out *json, const struct dynamodb_value *value)
{
    static const char *const types[] = {"S", "N", "B"};
    char digits[24];
    struct buf number = {.ptr = digits, .cap = sizeof digits, .max = sizeof digits - 1};
    json_key(json, str_of(value->name));
    json_object_begin(json);
    json_key(json, str_of(types[value->kind]));
    if (value->kind == DYNAMODB_NUMBER) {
        buf_add_i64(&number, value->number);
        json_string(json, buf_str(&number));
    } else if (value->kind == DYNAMODB_TEXT) {
        json_string(json, value->text);
    } else {
        json_raw(json, STR("\""));
        encode_base64(json->out, value->text);
        buf_add_char(json->out, '"');
    }
    json_object_end(json);
}

static void put_key(struct json_out *json, struct dynamodb_key key)
{
    const struct dynamodb_value pk = dynamodb_s("pk", key.pk), sk = dynamodb_s("sk", key.sk);
    put_value(json, &pk);
    put_value(json, &sk);
}

static void put_values(struct json_out *json, const char *name, const struct dynamodb_value *values,
                       size_t count)
{
    if (!count)
        return;
    json_key(json, str_of(name));
    json_object_begin(json);
    for (size_t i = 0; i < count; i++)
        put_value(json, &values[i]);
    json_object_end(json);
}

static struct str value_of(const struct json_value *item, const char *name, const char *type)
{
    const struct json_value *value = json_get(json_get(item, str_of(name)), str_of(type));
    return value && value->kind == JSON_STRING ? value->text : (struct str){"", 0};
}

struct str dynamodb_text(const struct json_value *item, const char *name)
{
    return value_of(item, name, "S");
}

int64_t dynamodb_number(const struct json_value *item, const char *name)
{
    int64_t number = 0;
    struct str text = value_of(item, name, "N");
    return json_is_number(text) && json_number_i64(text, &number) ? number : 0;
}

struct str dynamodb_bytes(const struct json_value *item, const char *name, struct arena *arena)
{
    struct str text = value_of(item, name, "B");
    struct buf bytes;
    buf_init_arena(&bytes, arena, text.len + 1);
    return decode_base64(&bytes, text, true) ? buf_str(&bytes) : (struct str){"", 0};
}

/* --- operations --- */

static int64_t deadline_of(const struct dynamodb_ops *ops)
{
    return clock_mono_ms(ops->clock) + ops->call_ms;
}

static enum code run(const struct dynamodb_ops *ops, const char *operation, struct str body,
                     int64_t until_ms, struct arena *arena, const struct json_value **answer,
                     struct dynamodb_refusal *refusal, struct error *err)
{
    int64_t left_ms = until_ms - clock_mono_ms(ops->clock);
    memset(refusal, 0, sizeof *refusal);
    if (left_ms <= 0)
        return error_set(err, CODE_DEADLINE_EXCEEDED, "DEADLINE", "dynamodb: no time is left");
    enum code code = ops->port.call(ops->port.context, str_of(operation), body, left_ms, arena,
                                    answer, refusal, err);
    if (code != CODE_OK && str_eq(refusal->error, STR("ResourceNotFoundException")))
        return error_set(err, CODE_FAILED_PRECONDITION, "TABLE_MISSING",
                         "there is no table \"%.*s\"; `omnictl aws init` makes it",
                         STR_ARG(ops->table));
    return code;
}

static struct json_out begin_body(const struct dynamodb_ops *ops, struct buf *body,
                                  struct arena *arena)
{
    buf_init_arena(body, arena, BODY_MAX);
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("TableName"));
    json_string(&json, ops->table);
    return json;
}

static void add_key(struct json_out *json, const char *name, struct dynamodb_key key)
{
    json_key(json, str_of(name));
    json_object_begin(json);
    put_key(json, key);
    json_object_end(json);
}

static void add_text(struct json_out *json, const char *name, const char *text)
{
    json_key(json, str_of(name));
    json_string(json, str_of(text));
}

/* TTL is a reserved word: expressions write #ttl. */
static void add_names(struct json_out *json, const char *one, const char *other)
{
    if ((one && strstr(one, "#ttl")) || (other && strstr(other, "#ttl"))) {
        json_key(json, STR("ExpressionAttributeNames"));
        json_raw(json, STR("{\"#ttl\":\"ttl\"}"));
    }
}

enum code dynamodb_ops_get(const struct dynamodb_ops *ops, struct dynamodb_key key,
                           struct arena *arena, const struct json_value **item, struct error *err)
{
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct buf body;
    struct json_out json = begin_body(ops, &body, arena);
    json_key(&json, STR("ConsistentRead"));
    json_bool(&json, true);
    add_key(&json, "Key", key);
    json_object_end(&json);
    if (run(ops, "GetItem", buf_str(&body), deadline_of(ops), arena, &answer, &refusal, err) !=
        CODE_OK)
        return err->code;
    *item = json_get(answer, STR("Item"));
    return CODE_OK;
}

enum code dynamodb_ops_update(const struct dynamodb_ops *ops, struct dynamodb_key key,
                              const char *update, const char *condition,
                              const struct dynamodb_value *values, size_t count,
                              struct arena *arena, bool *unsure, struct error *err)
{
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct buf body;
    struct json_out json = begin_body(ops, &body, arena);
    add_key(&json, "Key", key);
    add_text(&json, "UpdateExpression", update);
    if (condition)
        add_text(&json, "ConditionExpression", condition);
    add_names(&json, update, condition);
    put_values(&json, "ExpressionAttributeValues", values, count);
    json_object_end(&json);
    enum code code =
        run(ops, "UpdateItem", buf_str(&body), deadline_of(ops), arena, &answer, &refusal, err);
    *unsure = refusal.unsure;
    return code;
}

static void add_range(struct json_out *json, const struct dynamodb_range *range)
{
    struct dynamodb_value values[3] = {dynamodb_s(":p", range->pk)};
    size_t count = 1;
    if (range->from.len)
        values[count++] = dynamodb_s(":f", range->from);
    if (range->to.len)
        values[count++] = dynamodb_s(":t", range->to);
    add_text(json, "KeyConditionExpression",
             range->from.len && range->to.len ? "pk = :p AND sk BETWEEN :f AND :t"
             : range->from.len                ? "pk = :p AND sk >= :f"
             : range->to.len                  ? "pk = :p AND sk <= :t"
                                              : "pk = :p");
    put_values(json, "ExpressionAttributeValues", values, count);
}

enum code dynamodb_ops_query(const struct dynamodb_ops *ops, struct dynamodb_range *range,
                             size_t limit, struct arena *arena, const struct json_value **items,
                             struct error *err)
{
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct buf body;
    struct json_out json = begin_body(ops, &body, arena);
    json_key(&json, STR("ConsistentRead"));
    json_bool(&json, true);
    json_key(&json, STR("Limit"));
    json_u64(&json, limit);
    add_range(&json, range);
    if (range->start.len)
        add_key(&json, "ExclusiveStartKey", (struct dynamodb_key){range->pk, range->start});
    json_object_end(&json);
    if (run(ops, "Query", buf_str(&body), deadline_of(ops), arena, &answer, &refusal, err) !=
        CODE_OK)
        return err->code;
    *items = json_get(answer, STR("Items"));
    range->start = dynamodb_text(json_get(answer, STR("LastEvaluatedKey")), "sk");
    if (!*items || (*items)->kind != JSON_ARRAY)
        return error_set(err, CODE_INTERNAL, NULL, "dynamodb: a query answered without items");
    return CODE_OK;
}

/* --- transactions --- */

void dynamodb_write_begin(struct dynamodb_write *write, const struct dynamodb_ops *ops,
                          struct arena *arena)
{
    *write = (struct dynamodb_write){.ops = ops};
    buf_init_arena(&write->body, arena, BODY_MAX);
    write->json = json_out_to(&write->body);
    json_object_begin(&write->json);
    json_key(&write->json, STR("TransactItems"));
    json_array_begin(&write->json);
}

static void begin_action(struct dynamodb_write *write, const char *kind)
{
    json_object_begin(&write->json);
    json_key(&write->json, str_of(kind));
    json_object_begin(&write->json);
    json_key(&write->json, STR("TableName"));
    json_string(&write->json, write->ops->table);
}

static int end_action(struct dynamodb_write *write, struct dynamodb_condition condition)
{
    struct json_out *json = &write->json;
    if (condition.expression) {
        add_text(json, "ConditionExpression", condition.expression);
        add_text(json, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    }
    put_values(json, "ExpressionAttributeValues", condition.values, condition.count);
    json_object_end(json);
    json_object_end(json);
    return write->count++;
}

int dynamodb_write_put(struct dynamodb_write *write, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count,
                       struct dynamodb_condition condition)
{
    begin_action(write, "Put");
    json_key(&write->json, STR("Item"));
    json_object_begin(&write->json);
    put_key(&write->json, key);
    for (size_t i = 0; i < count; i++)
        put_value(&write->json, &attributes[i]);
    json_object_end(&write->json);
    return end_action(write, condition);
}

int dynamodb_write_delete(struct dynamodb_write *write, struct dynamodb_key key,
                          struct dynamodb_condition condition)
{
    begin_action(write, "Delete");
    add_key(&write->json, "Key", key);
    return end_action(write, condition);
}

int dynamodb_write_update(struct dynamodb_write *write, struct dynamodb_key key, const char *update,
                          struct dynamodb_condition condition)
{
    begin_action(write, "Update");
    add_key(&write->json, "Key", key);
    add_text(&write->json, "UpdateExpression", update);
    add_names(&write->json, update, condition.expression);
    return end_action(write, condition);
}

size_t dynamodb_write_bytes(const struct dynamodb_write *write)
{
    return write->body.len;
}

bool dynamodb_write_failed(const struct dynamodb_refusal *refusal, int action)
{
    return action >= 0 && (size_t)action < refusal->reason_count &&
           str_eq(refusal->reasons[action], STR("ConditionalCheckFailed"));
}

static bool any_failed(const struct dynamodb_refusal *refusal)
{
    for (size_t i = 0; i < refusal->reason_count; i++)
        if (dynamodb_write_failed(refusal, (int)i))
            return true;
    return false;
}

/* Nothing but what passes by itself? */
static bool is_passing(const struct dynamodb_refusal *refusal)
{
    static const char *const names[] = {"None", "TransactionConflict", "ThrottlingError",
                                        "ProvisionedThroughputExceeded"};
    for (size_t i = 0; i < refusal->reason_count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            known = known || str_eq(refusal->reasons[i], str_of(names[k]));
        if (!known)
            return false;
    }
    return true;
}

/* Waits a little, at random, longer with each attempt. */
static enum code pause_between(const struct dynamodb_ops *ops, int attempt, int64_t until_ms,
                               struct error *err)
{
    int doublings = attempt < PAUSE_DOUBLINGS_MAX ? attempt : PAUSE_DOUBLINGS_MAX;
    uint32_t dice;
    id_random_nonce(&dice, sizeof dice);
    int64_t pause_us = 1 + (int64_t)(dice % (PAUSE_MS * 1000U << doublings));
    if (attempt >= ATTEMPTS_MAX || clock_mono_ms(ops->clock) + pause_us / 1000 >= until_ms)
        return error_set(err, CODE_UNAVAILABLE, "CONFLICTS",
                         "dynamodb: too much happens to these items at once");
    nanosleep(&(struct timespec){0, pause_us * 1000}, NULL);
    return CODE_OK;
}

static void new_token(struct dynamodb_write *write)
{
    id_format(id_new(write->ops->clock), write->token);
}

/* The body with the token, which may have to be another one next time. */
static struct str whole_body(struct dynamodb_write *write, size_t length)
{
    write->body.len = length;
    buf_add_cstr(&write->body, "],\"ClientRequestToken\":\"");
    buf_add_cstr(&write->body, write->token);
    buf_add_cstr(&write->body, "\"}");
    return buf_str(&write->body);
}

enum code dynamodb_write_run(struct dynamodb_write *write, struct arena *arena,
                             struct dynamodb_refusal *refusal, struct error *err)
{
    const struct dynamodb_ops *ops = write->ops;
    const struct json_value *answer;
    size_t length = write->body.len;
    int64_t until_ms = deadline_of(ops);
    new_token(write);
    for (int attempt = 0;; attempt++) {
        struct str body = whole_body(write, length);
        if (write->body.overflow)
            return error_set(err, CODE_INTERNAL, NULL, "dynamodb: a transaction is too large");
        error_clear(err);
        enum code code =
            run(ops, "TransactWriteItems", body, until_ms, arena, &answer, refusal, err);
        if (code != CODE_ABORTED || any_failed(refusal))
            return code;
        if (!is_passing(refusal))
            return error_set(err, CODE_INTERNAL, NULL, "dynamodb: a transaction was refused");
        /* The same token stands for the same attempt only as long as that one may be under way. */
        if (refusal->reason_count && !refusal->unsure)
            new_token(write);
        if (pause_between(ops, attempt, until_ms, err) != CODE_OK)
            return err->code;
    }
}
