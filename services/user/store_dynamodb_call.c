/* Operations within a deadline; what cancelled a transaction decides whether it is run again. */
#include "user/store_dynamodb_call.h"

#include "base/log.h"
#include "user/reasons.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    ATTEMPTS_MAX = 40,
    PAUSE_MS = 4,
    PAUSE_DOUBLINGS_MAX = 6,
    WAIT_MS_MAX = 60 * 1000, /* for calls without a deadline */
};

void store_table_init(struct store_table *table, const struct store_dynamodb_port *port,
                      struct str name, const struct clock *clock)
{
    table->port = *port;
    table->clock = clock;
    atomic_init(&table->failing, false);
    snprintf(table->name, sizeof table->name, "%.*s", STR_ARG(name));
}

int64_t dynamodb_until(const struct store_table *table, int64_t remaining_ms)
{
    int64_t most = remaining_ms < WAIT_MS_MAX ? remaining_ms : WAIT_MS_MAX;
    return clock_mono_ms(table->clock) + most;
}

/* What AWS says is for the log, and what callers need to know is for callers. */
static enum code tell_failure(struct store_table *table, const char *operation,
                              const struct dynamodb_refusal *refusal, struct error *err)
{
    bool passing = err->code == CODE_UNAVAILABLE || err->code == CODE_DEADLINE_EXCEEDED ||
                   err->code == CODE_RESOURCE_EXHAUSTED || err->code == CODE_CANCELLED;
    if (err->code == CODE_ABORTED || err->code == CODE_FAILED_PRECONDITION)
        return err->code; /* conditions: the caller knows what they mean */
    if (str_eq(refusal->error, STR("ResourceNotFoundException")))
        return error_set(err, CODE_FAILED_PRECONDITION, "TABLE_MISSING",
                         "there is no table \"%s\"; `omnictl aws init` makes it", table->name);
    if (!passing || !atomic_exchange(&table->failing, true)) /* once, not for each of thousands */
        log_error("store_failed", LOG_C("operation", operation), LOG_ERR(err),
                  LOG_C("reason", err->reason));
    if (err->code == CODE_DEADLINE_EXCEEDED)
        return error_set(err, err->code, REASON_DEADLINE, "the store did not answer in time");
    if (passing)
        return error_set(err, CODE_UNAVAILABLE, REASON_STORE_UNAVAILABLE,
                         "the store cannot be reached or has too much to do");
    return error_set(err, CODE_INTERNAL, REASON_STORE_REFUSED, "the store refused a request");
}

enum code dynamodb_do(struct store_table *table, const char *operation, struct str body,
                      int64_t until_ms, struct arena *arena, const struct json_value **answer,
                      struct dynamodb_refusal *refusal, struct error *err)
{
    int64_t left_ms = until_ms - clock_mono_ms(table->clock);
    memset(refusal, 0, sizeof *refusal);
    if (left_ms <= 0)
        return error_set(err, CODE_DEADLINE_EXCEEDED, REASON_DEADLINE,
                         "the store was not asked in time");
    enum code code = table->port.call(table->port.context, str_of(operation), body, left_ms, arena,
                                      answer, refusal, err);
    if (code == CODE_OK) {
        if (atomic_load(&table->failing) && atomic_exchange(&table->failing, false))
            log_info("store_works_again", LOG_C("operation", operation));
        return CODE_OK;
    }
    return tell_failure(table, operation, refusal, err);
}

enum code dynamodb_pause(struct store_table *table, int attempt, int64_t until_ms,
                         struct error *err)
{
    int doublings = attempt < PAUSE_DOUBLINGS_MAX ? attempt : PAUSE_DOUBLINGS_MAX;
    uint32_t dice;
    id_random_nonce(&dice, sizeof dice);
    int64_t pause_us = 1 + (int64_t)(dice % (PAUSE_MS * 1000U << doublings));
    if (attempt >= ATTEMPTS_MAX)
        return error_set(err, CODE_UNAVAILABLE, REASON_STORE_UNAVAILABLE,
                         "too much happens to these records at once");
    if (clock_mono_ms(table->clock) + pause_us / 1000 >= until_ms)
        return error_set(err, CODE_DEADLINE_EXCEEDED, REASON_DEADLINE,
                         "the store was too busy to answer in time");
    nanosleep(&(struct timespec){0, pause_us * 1000}, NULL);
    return CODE_OK;
}

struct json_out dynamodb_body(struct store_table *table, struct buf *body, struct arena *arena)
{
    buf_init_arena(body, arena, DYNAMODB_BODY_MAX);
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("TableName"));
    json_string(&json, str_of(table->name));
    return json;
}

enum code dynamodb_delete(struct store_table *table, struct item_key key, int64_t until_ms,
                          struct arena *arena, struct error *err)
{
    struct buf body;
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct json_out json = dynamodb_body(table, &body, arena);
    json_key(&json, STR("Key"));
    json_object_begin(&json);
    item_put_key(&json, key);
    json_object_end(&json);
    json_object_end(&json);
    return dynamodb_do(table, "DeleteItem", buf_str(&body), until_ms, arena, &answer, &refusal,
                       err);
}

/* --- transactions --- */

void transaction_begin(struct transaction *tx, struct store_table *table, struct arena *arena)
{
    *tx = (struct transaction){.table = table};
    buf_init_arena(&tx->body, arena, DYNAMODB_BODY_MAX);
    tx->json = json_out_to(&tx->body);
    json_object_begin(&tx->json);
    json_key(&tx->json, STR("TransactItems"));
    json_array_begin(&tx->json);
}

static int action_begin(struct transaction *tx, const char *kind, const char *key_name,
                        struct item_key key)
{
    json_object_begin(&tx->json);
    json_key(&tx->json, str_of(kind));
    json_object_begin(&tx->json);
    json_key(&tx->json, STR("TableName"));
    json_string(&tx->json, str_of(tx->table->name));
    json_key(&tx->json, str_of(key_name));
    json_object_begin(&tx->json);
    item_put_key(&tx->json, key);
    return tx->count++;
}

/* What stands behind key or item. */
static void action_end(struct transaction *tx, const struct condition *condition)
{
    struct json_out *json = &tx->json;
    if (condition && condition->expression) {
        json_key(json, STR("ConditionExpression"));
        json_string(json, str_of(condition->expression));
        json_key(json, STR("ReturnValuesOnConditionCheckFailure"));
        json_string(json, STR("ALL_OLD"));
    }
    if (condition && (condition->a.ptr || condition->has_n)) {
        json_key(json, STR("ExpressionAttributeValues"));
        json_object_begin(json);
        if (condition->a.ptr)
            item_put_s(json, ":a", condition->a);
        if (condition->has_n)
            item_put_n(json, ":n", condition->n);
        json_object_end(json);
    }
    json_object_end(json);
    json_object_end(json);
}

int transaction_put_begin(struct transaction *tx, struct item_key key)
{
    return action_begin(tx, "Put", "Item", key);
}

void transaction_put_end(struct transaction *tx, const struct condition *condition)
{
    json_object_end(&tx->json);
    action_end(tx, condition);
}

int transaction_delete(struct transaction *tx, struct item_key key,
                       const struct condition *condition)
{
    int action = action_begin(tx, "Delete", "Key", key);
    json_object_end(&tx->json);
    action_end(tx, condition);
    return action;
}

int transaction_check(struct transaction *tx, struct item_key key,
                      const struct condition *condition)
{
    int action = action_begin(tx, "ConditionCheck", "Key", key);
    json_object_end(&tx->json);
    action_end(tx, condition);
    return action;
}

int transaction_add(struct transaction *tx, struct item_key key, const char *name, int64_t add)
{
    struct json_out *json = &tx->json;
    char expression[16] = "ADD ";
    int action = action_begin(tx, "Update", "Key", key);
    json_object_end(json);
    json_key(json, STR("UpdateExpression"));
    expression[4] = name[0];
    memcpy(expression + 5, " :n", 4);
    json_string(json, str_of(expression));
    action_end(tx, &(struct condition){.n = add, .has_n = true});
    return action;
}

static void new_token(struct transaction *tx)
{
    id_format(id_new(tx->table->clock), tx->token);
}

/* The body with the token, which may have to be another one next time. */
static struct str whole_body(struct transaction *tx, size_t length)
{
    tx->body.len = length;
    buf_add_cstr(&tx->body, "],\"ClientRequestToken\":\"");
    buf_add_cstr(&tx->body, tx->token);
    buf_add_cstr(&tx->body, "\"}");
    return buf_str(&tx->body);
}

bool transaction_failed(const struct dynamodb_refusal *refusal, int action)
{
    return action >= 0 && (size_t)action < refusal->reason_count &&
           str_eq(refusal->reasons[action], STR("ConditionalCheckFailed"));
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

/* The first reason that is neither a condition nor passes: the table or our rights are not as they
 * should be. */
static enum code tell_cancelled(const struct dynamodb_refusal *refusal, struct error *err)
{
    struct str reason = refusal->error;
    for (size_t i = refusal->reason_count; i > 0; i--)
        if (!str_eq(refusal->reasons[i - 1], STR("None")))
            reason = refusal->reasons[i - 1];
    log_error("store_refused_transaction", LOG_S("reason", reason), LOG_ERR(err));
    return error_set(err, CODE_INTERNAL, REASON_STORE_REFUSED, "the store refused a transaction");
}

static bool any_failed(const struct dynamodb_refusal *refusal)
{
    for (size_t i = 0; i < refusal->reason_count; i++)
        if (transaction_failed(refusal, (int)i))
            return true;
    return false;
}

enum code transaction_run(struct transaction *tx, int64_t until_ms, struct arena *arena,
                          struct dynamodb_refusal *refusal, bool *unsure, struct error *err)
{
    struct store_table *table = tx->table;
    const struct json_value *answer;
    size_t length = tx->body.len;
    *unsure = false;
    new_token(tx);
    for (int attempt = 0;; attempt++) {
        struct str body = whole_body(tx, length);
        if (tx->body.overflow)
            return error_set(err, CODE_INTERNAL, NULL, "a transaction is too large");
        error_clear(err);
        enum code code =
            dynamodb_do(table, "TransactWriteItems", body, until_ms, arena, &answer, refusal, err);
        if (code == CODE_OK || (code == CODE_ABORTED && any_failed(refusal)))
            return code;
        *unsure = *unsure || refusal->unsure || !refusal->error.len;
        if (code != CODE_ABORTED)
            return code;
        if (!is_passing(refusal))
            return tell_cancelled(refusal, err);
        /* The same token stands for the same attempt only as long as that one may be under way. */
        if (refusal->reason_count && !refusal->unsure)
            new_token(tx);
        error_clear(err);
        if (dynamodb_pause(table, attempt, until_ms, err) != CODE_OK)
            return err->code;
    }
}

/* --- reading --- */

static void put_expression(struct json_out *json, const struct query *query)
{
    const char *text = "pk = :p";
    if (query->below.len)
        text = "pk = :p AND sk BETWEEN :f AND :g";
    else if (query->prefix)
        text = "pk = :p AND begins_with(sk, :f)";
    else if (query->from.len)
        text = "pk = :p AND sk >= :f";
    json_key(json, STR("KeyConditionExpression"));
    json_string(json, str_of(text));
    json_key(json, STR("ExpressionAttributeValues"));
    json_object_begin(json);
    item_put_s(json, ":p", query->pk);
    if (query->from.len)
        item_put_s(json, ":f", query->from);
    if (query->below.len)
        item_put_s(json, ":g", query->below);
    json_object_end(json);
}

enum code dynamodb_query(struct store_table *table, struct query *query, size_t limit,
                         int64_t until_ms, struct arena *arena, const struct json_value **items,
                         struct error *err)
{
    struct buf body;
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct json_out json = dynamodb_body(table, &body, arena);
    json_key(&json, STR("ConsistentRead"));
    json_bool(&json, true);
    json_key(&json, STR("Limit"));
    json_u64(&json, limit);
    put_expression(&json, query);
    if (query->projection) {
        json_key(&json, STR("ProjectionExpression"));
        json_string(&json, str_of(query->projection));
    }
    if (query->start.len) {
        json_key(&json, STR("ExclusiveStartKey"));
        json_object_begin(&json);
        item_put_key(&json, (struct item_key){query->pk, query->start});
        json_object_end(&json);
    }
    json_object_end(&json);
    if (dynamodb_do(table, "Query", buf_str(&body), until_ms, arena, &answer, &refusal, err) !=
        CODE_OK)
        return err->code;
    *items = json_get(answer, STR("Items"));
    query->start = item_s(json_get(answer, STR("LastEvaluatedKey")), "sk");
    if (!*items || (*items)->kind != JSON_ARRAY)
        return error_set(err, CODE_INTERNAL, REASON_STORE_REFUSED,
                         "the store answered without items");
    return CODE_OK;
}

enum { KEY_WAITS, KEY_ASKED, KEY_DONE };

static bool same_key(const struct item_key *key, const struct json_value *item)
{
    return str_eq(key->sk, item_s(item, "sk")) && str_eq(key->pk, item_s(item, "pk"));
}

/* As many distinct keys as one request takes. */
static size_t ask(struct store_table *table, const struct item_key *keys, uint8_t *states,
                  size_t count, struct buf *body, struct arena *arena)
{
    size_t asked = 0;
    buf_init_arena(body, arena, DYNAMODB_BODY_MAX);
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("RequestItems"));
    json_object_begin(&json);
    json_key(&json, str_of(table->name));
    json_object_begin(&json);
    json_key(&json, STR("ConsistentRead"));
    json_bool(&json, true);
    json_key(&json, STR("Keys"));
    json_array_begin(&json);
    for (size_t i = 0; i < count && asked < DYNAMODB_BATCH_KEYS; i++) {
        bool repeated = false;
        if (states[i] != KEY_WAITS)
            continue;
        for (size_t k = 0; k < i && !repeated; k++)
            repeated = states[k] == KEY_ASKED && str_eq(keys[k].sk, keys[i].sk) &&
                       str_eq(keys[k].pk, keys[i].pk);
        states[i] = KEY_ASKED;
        if (repeated)
            continue;
        json_object_begin(&json);
        item_put_key(&json, keys[i]);
        json_object_end(&json);
        asked++;
    }
    json_array_end(&json);
    json_object_end(&json);
    json_object_end(&json);
    json_object_end(&json);
    return asked;
}

static void take_answers(struct store_table *table, const struct json_value *answer,
                         const struct item_key *keys, uint8_t *states, size_t count,
                         const struct json_value **items, bool *left_over)
{
    struct str name = str_of(table->name);
    const struct json_value *found = json_get(json_get(answer, STR("Responses")), name);
    const struct json_value *left =
        json_get(json_get(json_get(answer, STR("UnprocessedKeys")), name), STR("Keys"));
    *left_over = left && left->count;
    for (const struct json_value *item = found ? found->first : NULL; item; item = item->next)
        for (size_t i = 0; i < count; i++)
            if (states[i] == KEY_ASKED && same_key(&keys[i], item))
                items[i] = item;
    for (const struct json_value *key = left ? left->first : NULL; key; key = key->next)
        for (size_t i = 0; i < count; i++)
            if (states[i] == KEY_ASKED && same_key(&keys[i], key))
                states[i] = KEY_WAITS;
    for (size_t i = 0; i < count; i++)
        if (states[i] == KEY_ASKED)
            states[i] = KEY_DONE; /* whether found or not */
}

enum code dynamodb_fetch(struct store_table *table, const struct item_key *keys, size_t count,
                         int64_t until_ms, struct arena *arena, const struct json_value **items,
                         struct error *err)
{
    uint8_t *states = arena_alloc0(arena, count + 1);
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct buf body;
    bool left_over = false;
    for (size_t i = 0; i < count; i++)
        items[i] = NULL;
    for (int attempt = 0; ask(table, keys, states, count, &body, arena); attempt++) {
        if (left_over && dynamodb_pause(table, attempt, until_ms, err) != CODE_OK)
            return err->code;
        if (dynamodb_do(table, "BatchGetItem", buf_str(&body), until_ms, arena, &answer, &refusal,
                        err) != CODE_OK)
            return err->code;
        take_answers(table, answer, keys, states, count, items, &left_over);
    }
    return CODE_OK;
}
