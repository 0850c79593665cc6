/*
 * Working with one table of ours (dynamodb_table.h): single items, partitions in order, many items
 * by key, each within a deadline. dynamodb_write.h has the transactions. What the items mean is the
 * caller's.
 */
#pragma once
#include "aws/dynamodb.h"
#include "aws/dynamodb_item.h"
#include "base/buf.h"

enum {
    DYNAMODB_BATCH_KEYS = 100, /* that BatchGetItem takes */
    DYNAMODB_BODY_MAX = 16 << 20,
};

/* How operations reach DynamoDB: as dynamodb_call does it. */
struct dynamodb_port {
    enum code (*call)(void *context, struct str operation, struct str body, int64_t deadline_ms,
                      struct arena *arena, const struct json_value **answer,
                      struct dynamodb_refusal *refusal, struct error *err);
    void *context;
};

/* The client is the caller's. */
struct dynamodb_port dynamodb_port_of(struct aws_client *client);

/*
 * Hears what became of each operation, and may put it into the caller's words. `err` is CODE_OK
 * when it worked; `refusal` is NULL when nothing was sent because there was no time or no use.
 */
typedef void (*dynamodb_told_fn)(void *context, const char *operation,
                                 const struct dynamodb_refusal *refusal, struct error *err);

/* A table; may be used by many threads. */
struct dynamodb_ops {
    struct dynamodb_port port;
    char table[256];
    const struct clock *clock;
    dynamodb_told_fn told; /* may be NULL */
    void *told_context;
};

void dynamodb_ops_init(struct dynamodb_ops *ops, const struct dynamodb_port *port, struct str table,
                       const struct clock *clock);

/*
 * Errors of all that follows: those of dynamodb_call, and
 *   DEADLINE_EXCEEDED (DEADLINE)         no time is left
 *   FAILED_PRECONDITION (TABLE_MISSING)
 */

/* A moment of clock_mono_ms, a minute away at most. */
int64_t dynamodb_until(const struct dynamodb_ops *ops, int64_t remaining_ms);

/* Waits a little, at random, longer with each attempt. UNAVAILABLE (CONFLICTS) after many,
 * DEADLINE_EXCEEDED when there is no time. */
enum code dynamodb_pause(const struct dynamodb_ops *ops, int attempt, int64_t until_ms,
                         struct error *err) MUST_CHECK;

/* --- an operation as it is --- */

/* Begins a body: {"TableName": … */
struct json_out dynamodb_body(const struct dynamodb_ops *ops, struct buf *body,
                              struct arena *arena);
enum code dynamodb_do(const struct dynamodb_ops *ops, const char *operation, struct str body,
                      int64_t until_ms, struct arena *arena, const struct json_value **answer,
                      struct dynamodb_refusal *refusal, struct error *err) MUST_CHECK;

/* --- single items --- */

/* What has to hold, with up to two values; {0}: nothing. */
struct dynamodb_condition {
    const char *expression;
    struct dynamodb_value a, b; /* name NULL: none */
};

static inline struct dynamodb_condition dynamodb_if(const char *expression)
{
    return (struct dynamodb_condition){.expression = expression};
}
/* With a number, :n. */
static inline struct dynamodb_condition dynamodb_if_n(const char *expression, int64_t n)
{
    return (struct dynamodb_condition){.expression = expression, .a = dynamodb_n(":n", n)};
}

/* The condition of an operation, not of a transaction, did not hold: FAILED_PRECONDITION.
 * refusal->unsure: it may be an earlier attempt of this very call that made it so. */
bool dynamodb_condition_failed(const struct dynamodb_refusal *refusal);

/* *item is NULL when there is none. A consistent read. */
enum code dynamodb_get(const struct dynamodb_ops *ops, struct dynamodb_key key, int64_t until_ms,
                       struct arena *arena, const struct json_value **item,
                       struct error *err) MUST_CHECK;

enum code dynamodb_put(const struct dynamodb_ops *ops, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count,
                       struct dynamodb_condition condition, int64_t until_ms, struct arena *arena,
                       struct dynamodb_refusal *refusal, struct error *err) MUST_CHECK;

/* What an update says: `values` are those of its expression. `ttl` is a reserved word: write #ttl.
 */
struct dynamodb_update {
    const char *expression;
    const struct dynamodb_value *values;
    size_t count;
    struct dynamodb_condition condition;
};

/* *item (may be NULL) is the item as it is now. */
enum code dynamodb_change(const struct dynamodb_ops *ops, struct dynamodb_key key,
                          const struct dynamodb_update *update, int64_t until_ms,
                          struct arena *arena, const struct json_value **item,
                          struct dynamodb_refusal *refusal, struct error *err) MUST_CHECK;

/* Without a condition: whether it is there or not. */
enum code dynamodb_delete(const struct dynamodb_ops *ops, struct dynamodb_key key,
                          struct dynamodb_condition condition, int64_t until_ms,
                          struct arena *arena, struct dynamodb_refusal *refusal,
                          struct error *err) MUST_CHECK;

/* --- many items --- */

/* A partition, read in the order of sort keys. */
struct dynamodb_query {
    struct str pk;
    struct str from, to;    /* sort keys, both included; empty: no bound */
    bool prefix;            /* those that begin with `from` only */
    const char *projection; /* NULL: everything */
    struct str start;       /* out: where the next page begins, behind; empty: it was all */
};
/* One page of at most `limit` items; *items is the array. A consistent read. */
enum code dynamodb_page(const struct dynamodb_ops *ops, struct dynamodb_query *query, size_t limit,
                        int64_t until_ms, struct arena *arena, const struct json_value **items,
                        struct error *err) MUST_CHECK;

/* items[i] is NULL where there is none. Keys may repeat. Consistent reads, of different moments. */
enum code dynamodb_fetch(const struct dynamodb_ops *ops, const struct dynamodb_key *keys,
                         size_t count, int64_t until_ms, struct arena *arena,
                         const struct json_value **items, struct error *err) MUST_CHECK;
