/*
 * Working with one table of ours (dynamodb_table.h): items by key, partitions in order,
 * transactions and what cancelled them, each within a deadline. What the items mean is the
 * caller's.
 */
#pragma once
#include "aws/dynamodb.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/json_out.h"

enum { DYNAMODB_WRITE_MAX = 100 /* actions of a transaction */ };

/* How operations reach DynamoDB: as dynamodb_call does it. */
struct dynamodb_port {
    enum code (*call)(void *context, struct str operation, struct str body, int64_t deadline_ms,
                      struct arena *arena, const struct json_value **answer,
                      struct dynamodb_refusal *refusal, struct error *err);
    void *context;
};

/* The client is the caller's. */
struct dynamodb_port dynamodb_port_of(struct aws_client *client);

/* A table; may be used by many threads. */
struct dynamodb_ops {
    struct dynamodb_port port;
    struct str table;
    const struct clock *clock;
    int64_t call_ms; /* of one function here, with all its attempts */
};

struct dynamodb_key {
    struct str pk, sk;
};

/* --- values --- */

enum dynamodb_kind { DYNAMODB_TEXT, DYNAMODB_NUMBER, DYNAMODB_BYTES };

/* `ttl` is a reserved word: in expressions it is written #ttl. */

/* An attribute, or a value of an expression when its name begins with ':'. */
struct dynamodb_value {
    const char *name;
    enum dynamodb_kind kind;
    struct str text; /* TEXT, BYTES */
    int64_t number;
};

static inline struct dynamodb_value dynamodb_s(const char *name, struct str text)
{
    return (struct dynamodb_value){name, DYNAMODB_TEXT, text, 0};
}
static inline struct dynamodb_value dynamodb_n(const char *name, int64_t number)
{
    return (struct dynamodb_value){name, DYNAMODB_NUMBER, {0}, number};
}
static inline struct dynamodb_value dynamodb_b(const char *name, struct str bytes)
{
    return (struct dynamodb_value){name, DYNAMODB_BYTES, bytes, 0};
}

/* Of an item in an answer; what is not there is empty or 0. Bytes are decoded into `arena`. */
struct str dynamodb_text(const struct json_value *item, const char *name);
int64_t dynamodb_number(const struct json_value *item, const char *name);
struct str dynamodb_bytes(const struct json_value *item, const char *name, struct arena *arena);

/* --- single operations --- */

/* *item is NULL when there is none. A consistent read. */
enum code dynamodb_ops_get(const struct dynamodb_ops *ops, struct dynamodb_key key,
                           struct arena *arena, const struct json_value **item,
                           struct error *err) MUST_CHECK;

/* FAILED_PRECONDITION when the condition (may be NULL) does not hold. *unsure: it may be an earlier
 * attempt of this very call that made it so. */
enum code dynamodb_ops_update(const struct dynamodb_ops *ops, struct dynamodb_key key,
                              const char *update, const char *condition,
                              const struct dynamodb_value *values, size_t count,
                              struct arena *arena, bool *unsure, struct error *err) MUST_CHECK;

/* A partition in the order of sort keys, from `from` on up to (and with) `to`; empty: no bound. */
struct dynamodb_range {
    struct str pk, from, to;
    struct str start; /* out: where the next page begins, behind; empty: that was all */
};
/* One page of at most `limit` items; *items is the array. A consistent read. */
enum code dynamodb_ops_query(const struct dynamodb_ops *ops, struct dynamodb_range *range,
                             size_t limit, struct arena *arena, const struct json_value **items,
                             struct error *err) MUST_CHECK;

/* --- transactions --- */

struct dynamodb_write {
    const struct dynamodb_ops *ops;
    struct buf body;
    struct json_out json;
    int count;
    char token[ID_TEXT_BYTES + 1];
};

/* Everything lies in `arena`. */
void dynamodb_write_begin(struct dynamodb_write *write, const struct dynamodb_ops *ops,
                          struct arena *arena);

/* A condition with its values; {0}: none. The item as it is comes back when it does not hold. */
struct dynamodb_condition {
    const char *expression;
    const struct dynamodb_value *values;
    size_t count;
};

/* Each adds an action and says its number. */
int dynamodb_write_put(struct dynamodb_write *write, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count,
                       struct dynamodb_condition condition);
int dynamodb_write_delete(struct dynamodb_write *write, struct dynamodb_key key,
                          struct dynamodb_condition condition);
/* `condition.values` are those of the update as well. */
int dynamodb_write_update(struct dynamodb_write *write, struct dynamodb_key key, const char *update,
                          struct dynamodb_condition condition);

/* Bytes of the request so far. */
size_t dynamodb_write_bytes(const struct dynamodb_write *write);

/*
 * CODE_OK: committed. ABORTED: a condition has failed, refusal->reasons says which; conflicts and
 * throttling alone are tried again until the deadline. After any other error it is not known
 * whether it has been committed.
 */
enum code dynamodb_write_run(struct dynamodb_write *write, struct arena *arena,
                             struct dynamodb_refusal *refusal, struct error *err) MUST_CHECK;
bool dynamodb_write_failed(const struct dynamodb_refusal *refusal, int action);
