/*
 * What the files of the fake share:
 *   dynamodb_fake.c            its life, faults, what tests ask
 *   dynamodb_fake_operation.c  what operations have in common
 *   dynamodb_fake_write.c      single writes, transactions, batches of deletes
 *   dynamodb_fake_read.c       queries, batches of keys
 *   dynamodb_fake_items.c      the table
 */
#pragma once
#include "base/json_out.h"
#include "crypto/crypto.h"
#include "tests/support/dynamodb_fake.h"
#include "tests/support/dynamodb_fake_items.h"

#include <pthread.h>

enum {
    FAKE_ANSWER_MAX = 32 << 20,
    FAKE_ACTIONS_MAX = 100,
    FAKE_TOKENS_MAX = 1 << 16,
    FAKE_KINDS_MAX = 16,
};

struct fake_token {
    struct str text;
    uint8_t body[CRYPTO_SHA256_BYTES];
};

struct dynamodb_fake {
    pthread_mutex_t lock;
    struct fake_table table;
    struct arena arena; /* tokens */
    struct fake_token *tokens;
    size_t token_count;
    enum fake_fault fault;
    int fault_at, operations;
    bool every;
    size_t page_items;
    struct {
        char name[32];
        int count;
    } kinds[FAKE_KINDS_MAX];
    void (*before)(void *argument, struct str operation);
    void *before_argument;
};

/* One operation under way. */
struct fake_operation {
    struct dynamodb_fake *fake;
    struct arena *arena;
    const struct json_value *request;
    struct buf out;
    struct json_out json;
    struct dynamodb_refusal *refusal;
    struct error *err;
    bool leave_over;
};

/* --- dynamodb_fake_operation.c --- */
enum code fake_invalid(struct fake_operation *op, const char *why);
enum code fake_condition_failed(struct fake_operation *op);
enum code fake_cancelled(struct fake_operation *op, size_t count);
struct str fake_text_at(const struct json_value *object, const char *key);
/* Each value is used, and each that is used is there. */
bool fake_values_fit(const struct json_value *action, struct arena *arena);
bool fake_key_fits(const struct json_value *key);
/* The item, or only its attributes that a projection names. */
void fake_show(struct fake_operation *op, const struct fake_item *item, struct str projection);
/* The list of the one table in a batch; NULL when it is not as it should be. */
const struct json_value *fake_batch_of(const struct fake_operation *op, struct str *table,
                                       const char *inside, size_t max);
/* The first `left` of the list, under the table's name. */
void fake_leave(struct fake_operation *op, const char *name, struct str table, const char *inside,
                const struct json_value *list, size_t left);

/* --- dynamodb_fake_write.c --- */
enum code fake_write_one(struct fake_operation *op, const char *kind);
enum code fake_transact(struct fake_operation *op);
enum code fake_batch_write(struct fake_operation *op);

/* --- dynamodb_fake_read.c --- */
enum code fake_query(struct fake_operation *op);
enum code fake_batch_get(struct fake_operation *op);
