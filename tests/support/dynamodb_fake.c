/* Operations: each reads its request, works on the table under one lock, and writes its answer. */
#include "tests/support/dynamodb_fake.h"

#include "base/alloc.h"
#include "base/json_out.h"
#include "crypto/crypto.h"
#include "tests/support/dynamodb_fake_items.h"

#include <pthread.h>
#include <string.h>

enum {
    ANSWER_MAX = 32 << 20,
    PAGE_BYTES = 1 << 20,
    ITEM_BYTES = 550 * 1024, /* 400 KB, in base64 */
    PK_BYTES = 2048,
    SK_BYTES = 1024,
    ACTIONS_MAX = 100,
    WRITES_MAX = 25,
    TOKENS_MAX = 1 << 16,
    KINDS_MAX = 16,
};

struct token {
    struct str text;
    uint8_t body[CRYPTO_SHA256_BYTES];
};

struct dynamodb_fake {
    pthread_mutex_t lock;
    struct fake_table table;
    struct arena arena; /* tokens */
    struct token *tokens;
    size_t token_count;
    enum fake_fault fault;
    int fault_at, operations;
    bool every;
    size_t page_items;
    struct {
        char name[32];
        int count;
    } kinds[KINDS_MAX];
    void (*before)(void *argument, struct str operation);
    void *before_argument;
};

/* One operation under way. */
struct operation {
    struct dynamodb_fake *fake;
    struct arena *arena;
    const struct json_value *request;
    struct buf out;
    struct json_out json;
    struct dynamodb_refusal *refusal;
    struct error *err;
    bool leave_over;
};

struct dynamodb_fake *dynamodb_fake_new(void)
{
    struct dynamodb_fake *fake = xcalloc(1, sizeof *fake);
    pthread_mutex_init(&fake->lock, NULL);
    fake->tokens = xcalloc(TOKENS_MAX, sizeof *fake->tokens);
    fake->page_items = SIZE_MAX;
    return fake;
}

void dynamodb_fake_free(struct dynamodb_fake *fake)
{
    fake_table_clear(&fake->table);
    arena_clear(&fake->arena);
    pthread_mutex_destroy(&fake->lock);
    xfree(fake->tokens);
    xfree(fake);
}

/* --- refusals --- */

static enum code invalid(struct operation *op, const char *why)
{
    op->refusal->error = STR("ValidationException");
    return error_set(op->err, CODE_INTERNAL, "ValidationException", "ValidationException: %s", why);
}

static enum code condition_failed(struct operation *op)
{
    op->refusal->error = STR("ConditionalCheckFailedException");
    return error_set(op->err, CODE_FAILED_PRECONDITION, "ConditionalCheckFailedException",
                     "the conditional request failed");
}

static enum code cancelled(struct operation *op, size_t count)
{
    op->refusal->error = STR("TransactionCanceledException");
    op->refusal->reason_count = count;
    return error_set(op->err, CODE_ABORTED, "TransactionCanceledException", "cancelled");
}

static enum code unavailable(struct operation *op, bool unsure)
{
    op->refusal->error = STR("");
    op->refusal->unsure = unsure;
    return error_set(op->err, CODE_UNAVAILABLE, "ServiceUnavailable", "a fault");
}

/* --- what operations have in common --- */

static struct str text_at(const struct json_value *object, const char *key)
{
    const struct json_value *value = json_get(object, str_of(key));
    return value ? value->text : (struct str){0};
}

/* Each value is used, and each that is used is there. */
static bool values_fit(const struct json_value *action, struct arena *arena)
{
    const struct json_value *values = json_get(action, STR("ExpressionAttributeValues"));
    struct str texts[3] = {text_at(action, "ConditionExpression"),
                           text_at(action, "UpdateExpression"),
                           text_at(action, "KeyConditionExpression")};
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

static bool key_fits(const struct json_value *key)
{
    struct str pk = fake_text(key, "pk"), sk = fake_text(key, "sk");
    return pk.len && pk.len <= PK_BYTES && sk.len && sk.len <= SK_BYTES;
}

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
        return key && key_fits(key) && (i == PUT || key->count == 2);
    }
    return false;
}

static bool holds(struct operation *op, const struct action *action)
{
    struct str expression = text_at(action->body, "ConditionExpression");
    const struct fake_item *item = fake_find(&op->fake->table, action->pk, action->sk);
    return !expression.len ||
           fake_condition(expression, item ? item->root : NULL,
                          json_get(action->body, STR("ExpressionAttributeValues")));
}

static bool apply(struct operation *op, const struct action *action)
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
        buf_init_arena(&text, op->arena, ANSWER_MAX);
        fake_write(&text, json_get(action->body, STR("Item")));
        json = buf_str(&text);
    } else {
        json = fake_update(text_at(action->body, "UpdateExpression"), action->pk, action->sk,
                           item ? item->root : NULL,
                           json_get(action->body, STR("ExpressionAttributeValues")), op->arena);
    }
    if (json.len > ITEM_BYTES)
        return false;
    fake_put(table, action->pk, action->sk, json);
    return true;
}

/* The item, or only its attributes that a projection names. */
static void show(struct operation *op, const struct fake_item *item, struct str projection)
{
    if (!projection.len) {
        struct buf text;
        buf_init_arena(&text, op->arena, ANSWER_MAX);
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
            buf_init_arena(&text, op->arena, ANSWER_MAX);
            fake_write(&text, one);
            json_key(&op->json, one->key);
            json_raw(&op->json, buf_str(&text));
        }
    }
    json_object_end(&op->json);
}

/* --- single writes --- */

static enum code write_one(struct operation *op, const char *kind)
{
    struct buf text;
    struct action action;
    const struct json_value *wrapper;
    struct json_limits limits = {.bytes = ANSWER_MAX, .depth = 40};
    buf_init_arena(&text, op->arena, ANSWER_MAX);
    buf_addf(&text, "{\"%s\":", kind);
    fake_write(&text, op->request);
    buf_add_char(&text, '}');
    if (json_read(op->arena, buf_str(&text), limits, &wrapper, op->err) != CODE_OK)
        return op->err->code;
    if (!read_action(wrapper, &action) || !values_fit(op->request, op->arena))
        return invalid(op, kind);
    if (!holds(op, &action))
        return condition_failed(op);
    if (!apply(op, &action))
        return invalid(op, "the item is too large");
    json_object_begin(&op->json);
    if (str_eq(text_at(op->request, "ReturnValues"), STR("ALL_NEW"))) {
        json_key(&op->json, STR("Attributes"));
        show(op, fake_find(&op->fake->table, action.pk, action.sk), STR(""));
    }
    json_object_end(&op->json);
    return CODE_OK;
}

/* --- transactions --- */

/* True: the answer is known; *code says which. */
static bool known_token(struct operation *op, enum code *code)
{
    struct str token = text_at(op->request, "ClientRequestToken");
    uint8_t body[CRYPTO_SHA256_BYTES];
    struct buf text;
    buf_init_arena(&text, op->arena, ANSWER_MAX);
    fake_write(&text, json_get(op->request, STR("TransactItems")));
    crypto_sha256(buf_str(&text), body);
    for (size_t i = 0; i < op->fake->token_count; i++) {
        const struct token *known = &op->fake->tokens[i];
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

static void keep_token(struct operation *op)
{
    struct dynamodb_fake *fake = op->fake;
    struct token *token = &fake->tokens[fake->token_count++ % TOKENS_MAX];
    struct buf text;
    buf_init_arena(&text, op->arena, ANSWER_MAX);
    fake_write(&text, json_get(op->request, STR("TransactItems")));
    token->text = arena_str(&fake->arena, text_at(op->request, "ClientRequestToken"));
    crypto_sha256(buf_str(&text), token->body);
}

static enum code check_actions(struct operation *op, struct action *actions, size_t *count)
{
    const struct json_value *list = json_get(op->request, STR("TransactItems"));
    if (!list || !list->count || list->count > ACTIONS_MAX)
        return invalid(op, "too many actions, or none");
    for (const struct json_value *one = list->first; one; one = one->next) {
        struct action *action = &actions[*count];
        if (!read_action(one, action) || !values_fit(action->body, op->arena))
            return invalid(op, "an action");
        for (size_t i = 0; i < *count; i++)
            if (str_eq(actions[i].pk, action->pk) && str_eq(actions[i].sk, action->sk))
                return invalid(op, "two actions on one item");
        *count += 1;
    }
    return CODE_OK;
}

static enum code transact(struct operation *op)
{
    struct action actions[ACTIONS_MAX];
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
        bool wanted = text_at(actions[i].body, "ReturnValuesOnConditionCheckFailure").len > 0;
        op->refusal->reasons[i] = STR("None");
        op->refusal->items[i] = NULL;
        if (holds(op, &actions[i]))
            continue;
        failed = true;
        op->refusal->reasons[i] = STR("ConditionalCheckFailed");
        op->refusal->items[i] = item && wanted ? item->root : NULL;
    }
    if (failed)
        return cancelled(op, count);
    for (size_t i = 0; i < count; i++)
        if (!apply(op, &actions[i]))
            return invalid(op, "an item is too large");
    keep_token(op);
    json_raw(&op->json, STR("{}"));
    return CODE_OK;
}

/* --- reading --- */

static bool in_query(struct str expression, struct str sk, struct str from, struct str below)
{
    if (str_eq(expression, STR("pk = :p")))
        return true;
    if (str_eq(expression, STR("pk = :p AND sk >= :f")))
        return str_cmp(sk, from) >= 0;
    if (str_eq(expression, STR("pk = :p AND begins_with(sk, :f)")))
        return str_starts(sk, from);
    return str_cmp(sk, from) >= 0 && str_cmp(sk, below) <= 0;
}

static enum code query(struct operation *op)
{
    const struct json_value *values = json_get(op->request, STR("ExpressionAttributeValues"));
    const struct json_value *start = json_get(op->request, STR("ExclusiveStartKey"));
    struct str expression = text_at(op->request, "KeyConditionExpression");
    struct str from = fake_text(values, ":f"), below = fake_text(values, ":g");
    struct str pk = fake_text(values, ":p");
    struct fake_partition *partition = fake_partition(&op->fake->table, pk, false);
    const struct fake_item *last = NULL;
    uint64_t limit = 0;
    size_t count = 0, bytes = 0, at = 0;
    if (!values_fit(op->request, op->arena) || !str_to_u64(text_at(op->request, "Limit"), &limit) ||
        !limit || (start && !key_fits(start)))
        return invalid(op, "a query");
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
        if (!in_query(expression, item->sk, from, below))
            break;
        show(op, item, text_at(op->request, "ProjectionExpression"));
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

/* The list of the one table in a batch; NULL when it is not as it should be. */
static const struct json_value *batch_of(const struct operation *op, struct str *table,
                                         const char *inside, size_t max)
{
    const struct json_value *items = json_get(op->request, STR("RequestItems"));
    if (!items || items->count != 1)
        return NULL;
    *table = items->first->key;
    const struct json_value *list = inside ? json_get(items->first, str_of(inside)) : items->first;
    return list && list->kind == JSON_ARRAY && list->count && list->count <= max ? list : NULL;
}

/* The first `left` of the list, under the table's name. */
static void leave(struct operation *op, const char *name, struct str table, const char *inside,
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
            buf_init_arena(&text, op->arena, ANSWER_MAX);
            fake_write(&text, one);
            json_raw(json, buf_str(&text));
        }
        json_array_end(json);
        if (inside)
            json_object_end(json);
    }
    json_object_end(json);
}

static enum code batch_get(struct operation *op)
{
    struct str table;
    const struct json_value *keys = batch_of(op, &table, "Keys", ACTIONS_MAX);
    if (!keys)
        return invalid(op, "a batch of keys");
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
                return invalid(op, "a key twice");
        if (!key_fits(key) || key->count != 2)
            return invalid(op, "a key");
        const struct fake_item *item =
            fake_find(&op->fake->table, fake_text(key, "pk"), fake_text(key, "sk"));
        if (item && at >= left)
            show(op, item, STR(""));
    }
    json_array_end(&op->json);
    json_object_end(&op->json);
    leave(op, "UnprocessedKeys", table, "Keys", keys, left);
    json_object_end(&op->json);
    return CODE_OK;
}

static enum code batch_write(struct operation *op)
{
    struct str table;
    const struct json_value *list = batch_of(op, &table, NULL, WRITES_MAX);
    if (!list)
        return invalid(op, "a batch of writes");
    size_t left = op->leave_over ? (list->count + 1) / 2 : 0, at = 0;
    for (const struct json_value *one = list->first; one; one = one->next, at++) {
        const struct json_value *key = json_get(json_get(one, STR("DeleteRequest")), STR("Key"));
        if (!key || !key_fits(key))
            return invalid(op, "a write");
        if (at < left)
            continue;
        fake_remove(&op->fake->table, fake_text(key, "pk"), fake_text(key, "sk"));
    }
    json_object_begin(&op->json);
    leave(op, "UnprocessedItems", table, NULL, list, left);
    json_object_end(&op->json);
    return CODE_OK;
}

/* --- dispatch and faults --- */

static enum code dispatch(struct operation *op, struct str name)
{
    if (str_eq(name, STR("TransactWriteItems")))
        return transact(op);
    if (str_eq(name, STR("Query")))
        return query(op);
    if (str_eq(name, STR("BatchGetItem")))
        return batch_get(op);
    if (str_eq(name, STR("BatchWriteItem")))
        return batch_write(op);
    if (str_eq(name, STR("PutItem")))
        return write_one(op, "Put");
    if (str_eq(name, STR("DeleteItem")))
        return write_one(op, "Delete");
    if (str_eq(name, STR("UpdateItem")))
        return write_one(op, "Update");
    return invalid(op, "an operation that is not known");
}

static enum fake_fault count_operation(struct dynamodb_fake *fake, struct str name)
{
    size_t kind = 0;
    while (fake->kinds[kind].name[0] && !str_eq(str_of(fake->kinds[kind].name), name))
        kind++;
    memcpy(fake->kinds[kind].name, name.ptr, name.len);
    fake->kinds[kind].count++;
    fake->operations++;
    if (!fake->fault_at)
        return FAKE_NONE;
    bool due =
        fake->every ? fake->operations % fake->fault_at == 0 : fake->operations == fake->fault_at;
    return due ? fake->fault : FAKE_NONE;
}

static enum code cancel_by(struct operation *op, struct str name, struct str reason)
{
    const struct json_value *list = json_get(op->request, STR("TransactItems"));
    if (!list)
        return dispatch(op, name);
    for (size_t i = 0; i < list->count; i++)
        op->refusal->reasons[i] = i ? STR("None") : reason;
    return cancelled(op, list->count);
}

static enum code carry_out(struct operation *op, struct str name, enum fake_fault fault)
{
    struct operation first = *op;
    switch (fault) {
    case FAKE_REFUSED:
        return unavailable(op, false);
    case FAKE_CONFLICT:
        return cancel_by(op, name, STR("TransactionConflict"));
    case FAKE_THROTTLED:
        return cancel_by(op, name, STR("ThrottlingError"));
    case FAKE_LOST:
        (void)dispatch(op, name);
        error_clear(op->err);
        memset(op->refusal, 0, sizeof *op->refusal);
        return unavailable(op, true);
    case FAKE_LOST_RETRY: {
        (void)dispatch(&first, name);
        error_clear(op->err);
        memset(op->refusal, 0, sizeof *op->refusal);
        buf_init_arena(&op->out, op->arena, ANSWER_MAX);
        op->json = json_out_to(&op->out);
        enum code code = dispatch(op, name);
        op->refusal->unsure = true;
        return code;
    }
    default:
        op->leave_over = fault == FAKE_LEFT_OVER;
        return dispatch(op, name);
    }
}

enum code dynamodb_fake_call(void *context, struct str name, struct str body, int64_t deadline_ms,
                             struct arena *arena, const struct json_value **answer,
                             struct dynamodb_refusal *refusal, struct error *err)
{
    struct dynamodb_fake *fake = context;
    struct json_limits limits = {.bytes = ANSWER_MAX, .depth = 40};
    struct operation op = {.fake = fake, .arena = arena, .refusal = refusal, .err = err};
    (void)deadline_ms;
    memset(refusal, 0, sizeof *refusal);
    error_clear(err);
    if (json_read(arena, body, limits, &op.request, err) != CODE_OK)
        return err->code;
    buf_init_arena(&op.out, arena, ANSWER_MAX);
    op.json = json_out_to(&op.out);
    if (fake->before)
        fake->before(fake->before_argument, name);
    pthread_mutex_lock(&fake->lock);
    enum code code = carry_out(&op, name, count_operation(fake, name));
    /* Items in refusals lie in the table: they are the caller's from here on. */
    for (size_t i = 0; i < refusal->reason_count; i++) {
        struct buf text;
        if (!refusal->items[i])
            continue;
        buf_init_arena(&text, arena, ANSWER_MAX);
        fake_write(&text, refusal->items[i]);
        struct error ignored = {0};
        (void)!json_read(arena, buf_str(&text), limits, &refusal->items[i], &ignored);
    }
    pthread_mutex_unlock(&fake->lock);
    if (code != CODE_OK)
        return code;
    return json_read(arena, buf_str(&op.out), limits, answer, err);
}

/* --- for tests --- */

void dynamodb_fake_fail(struct dynamodb_fake *fake, enum fake_fault fault, int at, bool every)
{
    pthread_mutex_lock(&fake->lock);
    fake->fault = fault;
    fake->fault_at = at;
    fake->every = every;
    fake->operations = 0;
    pthread_mutex_unlock(&fake->lock);
}

int dynamodb_fake_operations(struct dynamodb_fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    int operations = fake->operations;
    pthread_mutex_unlock(&fake->lock);
    return operations;
}

int dynamodb_fake_count(struct dynamodb_fake *fake, const char *operation)
{
    int count = 0;
    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < KINDS_MAX; i++)
        if (strcmp(fake->kinds[i].name, operation) == 0)
            count = fake->kinds[i].count;
    pthread_mutex_unlock(&fake->lock);
    return count;
}

size_t dynamodb_fake_items(struct dynamodb_fake *fake, const char *pk_prefix)
{
    size_t count = 0;
    pthread_mutex_lock(&fake->lock);
    for (size_t b = 0; b < FAKE_BUCKETS; b++)
        for (const struct fake_partition *at = fake->table.buckets[b]; at; at = at->next)
            if (str_starts(at->pk, str_of(pk_prefix)))
                count += at->count;
    pthread_mutex_unlock(&fake->lock);
    return count;
}

void dynamodb_fake_page(struct dynamodb_fake *fake, size_t items)
{
    fake->page_items = items;
}

void dynamodb_fake_before(struct dynamodb_fake *fake, void (*before)(void *, struct str),
                          void *argument)
{
    fake->before = before;
    fake->before_argument = argument;
}
