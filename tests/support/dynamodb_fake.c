/* The fake's life, its faults, and what tests ask it: one lock around every operation. */
#include "tests/support/dynamodb_fake_operation.h"

#include "base/alloc.h"

#include <string.h>

struct dynamodb_fake *dynamodb_fake_new(void)
{
    struct dynamodb_fake *fake = xcalloc(1, sizeof *fake);
    pthread_mutex_init(&fake->lock, NULL);
    fake->tokens = xcalloc(FAKE_TOKENS_MAX, sizeof *fake->tokens);
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

/* --- dispatch and faults --- */

static enum code unavailable(struct fake_operation *op, bool unsure)
{
    op->refusal->error = STR("");
    op->refusal->unsure = unsure;
    return error_set(op->err, CODE_UNAVAILABLE, "ServiceUnavailable", "a fault");
}

static enum code dispatch(struct fake_operation *op, struct str name)
{
    if (str_eq(name, STR("TransactWriteItems")))
        return fake_transact(op);
    if (str_eq(name, STR("Query")))
        return fake_query(op);
    if (str_eq(name, STR("BatchGetItem")))
        return fake_batch_get(op);
    if (str_eq(name, STR("BatchWriteItem")))
        return fake_batch_write(op);
    if (str_eq(name, STR("PutItem")))
        return fake_write_one(op, "Put");
    if (str_eq(name, STR("DeleteItem")))
        return fake_write_one(op, "Delete");
    if (str_eq(name, STR("UpdateItem")))
        return fake_write_one(op, "Update");
    return fake_invalid(op, "an operation that is not known");
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

static enum code cancel_by(struct fake_operation *op, struct str name, struct str reason)
{
    const struct json_value *list = json_get(op->request, STR("TransactItems"));
    if (!list)
        return dispatch(op, name);
    for (size_t i = 0; i < list->count; i++)
        op->refusal->reasons[i] = i ? STR("None") : reason;
    return fake_cancelled(op, list->count);
}

static enum code carry_out(struct fake_operation *op, struct str name, enum fake_fault fault)
{
    struct fake_operation first = *op;
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
        buf_init_arena(&op->out, op->arena, FAKE_ANSWER_MAX);
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
    struct json_limits limits = {.bytes = FAKE_ANSWER_MAX, .depth = 40};
    struct fake_operation op = {.fake = fake, .arena = arena, .refusal = refusal, .err = err};
    (void)deadline_ms;
    memset(refusal, 0, sizeof *refusal);
    error_clear(err);
    if (json_read(arena, body, limits, &op.request, err) != CODE_OK)
        return err->code;
    buf_init_arena(&op.out, arena, FAKE_ANSWER_MAX);
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
        buf_init_arena(&text, arena, FAKE_ANSWER_MAX);
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
    for (size_t i = 0; i < FAKE_KINDS_MAX; i++)
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
