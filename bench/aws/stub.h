/*
 * The stub of AWS that bench/aws measures against: SQS, S3 and DynamoDB as far as our programs ask
 * for them, over HTTP/1.1. It checks no signature and keeps next to nothing, so that it is fast;
 * whether the programs are right is for the tests of tests/interop to say.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "http/server.h"
#include "json/json_in.h"

#include <stdatomic.h>
#include <stdint.h>

enum { STUB_BODY_MAX = 32 << 20 };

struct stub_counts {
    atomic_uint_fast64_t messages_received, messages_deleted, messages_released;
    atomic_uint_fast64_t events_deleted, messages_sent;
    atomic_uint_fast64_t puts, put_bytes;
    atomic_uint_fast64_t reads, keys_read, other_calls; /* of DynamoDB; reads are BatchGetItem */
    atomic_uint_fast64_t reads_under_way, reads_under_way_max;
};
extern struct stub_counts stub_counts;

/* The request's body; NULL, and answered with 400, when it is no JSON. */
const struct json_value *stub_read(struct http_exchange *exchange);

/* Answers with JSON after the simulated latency and `more_ms`; clears `body`. */
void stub_answer(struct http_exchange *exchange, struct buf *body, int64_t more_ms);

/* Calls back once, later, from another thread. */
void stub_later(int64_t delay_ms, void (*fn)(void *argument), void *argument);

/* The text of a member, or an empty one. */
struct str stub_text(const struct json_value *object, const char *name);

/* --- SQS --- */

/* Prepares different batches of `events` events each; `messages` of them will be handed out. */
void stub_sqs_begin(int64_t events, int64_t messages);
void stub_sqs_end(void);
void stub_sqs(struct http_exchange *exchange, struct str operation);

/* --- DynamoDB --- */

void stub_dynamodb(struct http_exchange *exchange, struct str operation);

/* What has to be found again, and nothing else: intents and deltas of the ledger. The lock is
 * inside. */
void stub_items_put(const struct json_value *item);
void stub_items_delete(const struct json_value *key);
/* SET name = :value, … only. */
void stub_items_update(const struct json_value *request);
/* Appends {"Item":…} or {}. */
void stub_items_get(const struct json_value *key, struct buf *out);
/* Appends the answer to a Query for all of a partition, `limit` items at most. */
void stub_items_query(struct str pk, size_t limit, struct buf *out);
void stub_items_end(void);
