/*
 * DynamoDB as far as the user store asks for it, in memory: conditions, transactions with their
 * reasons and tokens, queries page by page, batches with what they leave over. What the service
 * refuses is refused: two actions on one item, too many actions or keys, values that no expression
 * uses, keys that are too long. Every operation is atomic. Faults are told by their number.
 */
#pragma once
#include "aws/dynamodb.h"

#include <stdbool.h>

enum fake_fault {
    FAKE_NONE,
    FAKE_REFUSED,    /* UNAVAILABLE; nothing was done */
    FAKE_LOST,       /* it was done; the answer is lost: UNAVAILABLE */
    FAKE_LOST_RETRY, /* it was done, the answer lost, and the same was asked again */
    FAKE_CONFLICT,   /* a transaction: cancelled by a conflict; else none */
    FAKE_THROTTLED,  /* a transaction: cancelled by throttling; else none */
    FAKE_LEFT_OVER,  /* a batch: half of it is left over */
    FAKE_FAULTS
};

struct dynamodb_fake;

struct dynamodb_fake *dynamodb_fake_new(void);
void dynamodb_fake_free(struct dynamodb_fake *fake);

/* As dynamodb_call, for struct dynamodb_port. */
enum code dynamodb_fake_call(void *fake, struct str operation, struct str body, int64_t deadline_ms,
                             struct arena *arena, const struct json_value **answer,
                             struct dynamodb_refusal *refusal, struct error *err);

/* Faults: the operation number `at` (from 1, counted from now on), or with `every` each such one.
 */
void dynamodb_fake_fail(struct dynamodb_fake *fake, enum fake_fault fault, int at, bool every);
/* Operations since then; and of one kind since the beginning. */
int dynamodb_fake_operations(struct dynamodb_fake *fake);
int dynamodb_fake_count(struct dynamodb_fake *fake, const char *operation);

/* Items whose pk begins so. */
size_t dynamodb_fake_items(struct dynamodb_fake *fake, const char *pk_prefix);

/* The most items that a page of a query holds, besides 1 MB. */
void dynamodb_fake_page(struct dynamodb_fake *fake, size_t items);

/* Called before each operation is carried out, without a lock; NULL: none. */
void dynamodb_fake_before(struct dynamodb_fake *fake,
                          void (*before)(void *argument, struct str operation), void *argument);
