/*
 * Speaking with DynamoDB: items, operations, transactions and what cancelled them, queries page by
 * page. Knows a table and nothing of what its items mean, but for a user's.
 */
#pragma once
#include "base/buf.h"
#include "base/json_out.h"
#include "user/search_terms.h"
#include "user/store_dynamodb.h"

#include <stdatomic.h>

enum {
    DYNAMODB_BATCH_KEYS = 100,  /* that BatchGetItem takes */
    DYNAMODB_ACTIONS_MAX = 100, /* of a transaction */
    DYNAMODB_BODY_MAX = 16 << 20,
};

/* A table, and how it is reached; several stores may share one. */
struct store_table {
    struct store_dynamodb_port port;
    const struct clock *clock;
    char name[256];
    atomic_bool failing; /* the last operation did not work; for the log */
};

void store_table_init(struct store_table *table, const struct store_dynamodb_port *port,
                      struct str name, const struct clock *clock);

struct item_key {
    struct str pk, sk;
};

/* --- store_dynamodb_item.c --- */
void item_put_s(struct json_out *json, const char *name, struct str value);
void item_put_n(struct json_out *json, const char *name, int64_t value);
void item_put_b(struct json_out *json, const char *name, struct str bytes);
void item_put_key(struct json_out *json, struct item_key key);      /* "pk": …, "sk": … */
struct str item_s(const struct json_value *item, const char *name); /* empty: none */
int64_t item_n(const struct json_value *item, const char *name);    /* 0: none */
struct str item_b(const struct json_value *item, const char *name, struct arena *arena);
/* A user's attributes but for the key; `terms` as the index has them. */
void item_put_user(struct json_out *json, const struct user *user,
                   const struct search_terms *terms);
/* Texts point into the item's tree; DATA_LOSS when it is damaged. */
enum code item_user(const struct json_value *item, struct arena *arena, struct user *user,
                    struct error *err);

/* --- store_dynamodb_call.c --- */

/* A moment of clock_mono_ms, a minute away at most. */
int64_t dynamodb_until(const struct store_table *table, int64_t remaining_ms);
/* One operation. */
enum code dynamodb_do(struct store_table *table, const char *operation, struct str body,
                      int64_t until_ms, struct arena *arena, const struct json_value **answer,
                      struct dynamodb_refusal *refusal, struct error *err);
/* Waits a little, at random, longer with each attempt; DEADLINE_EXCEEDED when there is no time. */
enum code dynamodb_pause(struct store_table *table, int attempt, int64_t until_ms,
                         struct error *err);
/* Begins a body: {"TableName": … */
struct json_out dynamodb_body(struct store_table *table, struct buf *body, struct arena *arena);

/* Deletes an item, whether it is there or not. */
enum code dynamodb_delete(struct store_table *table, struct item_key key, int64_t until_ms,
                          struct arena *arena, struct error *err);

struct transaction {
    struct store_table *table;
    struct buf body;
    struct json_out json;
    int count;
    char token[ID_TEXT_BYTES + 1];
};

void transaction_begin(struct transaction *tx, struct store_table *table, struct arena *arena);
/* Each begins an action and says its number. After put_begin come the item's attributes. A
 * condition may use :a (text) and :n (number); the item as it is comes back when it fails. */
struct condition {
    const char *expression; /* NULL: none */
    struct str a;           /* ptr NULL: not used */
    int64_t n;
    bool has_n;
};
int transaction_put_begin(struct transaction *tx, struct item_key key);
void transaction_put_end(struct transaction *tx, const struct condition *condition);
int transaction_delete(struct transaction *tx, struct item_key key,
                       const struct condition *condition);
int transaction_check(struct transaction *tx, struct item_key key,
                      const struct condition *condition);
/* Adds to a number, whose name is one letter. */
int transaction_add(struct transaction *tx, struct item_key key, const char *name, int64_t add);

/*
 * CODE_OK: committed. ABORTED with refusal->reasons: a condition has failed. Conflicts and
 * throttling are tried again until the deadline. *unsure: it is not known whether it committed.
 */
enum code transaction_run(struct transaction *tx, int64_t until_ms, struct arena *arena,
                          struct dynamodb_refusal *refusal, bool *unsure, struct error *err);
bool transaction_failed(const struct dynamodb_refusal *refusal, int action);

/* Reads a partition in order. */
struct query {
    struct str pk;
    struct str from;        /* the first sort key, included; or the prefix */
    bool prefix;            /* those that begin with `from` only */
    struct str below;       /* not from this sort key on; empty: to the end */
    const char *projection; /* NULL: everything */
    struct str start;       /* out: where the next page begins, behind; empty: it was all */
};
/* One page of at most `limit` items. *items: the array. */
enum code dynamodb_query(struct store_table *table, struct query *query, size_t limit,
                         int64_t until_ms, struct arena *arena, const struct json_value **items,
                         struct error *err);

/* Fetches by key: items[i] is NULL where there is none. Keys may repeat. */
enum code dynamodb_fetch(struct store_table *table, const struct item_key *keys, size_t count,
                         int64_t until_ms, struct arena *arena, const struct json_value **items,
                         struct error *err);
