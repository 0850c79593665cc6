/* What the two halves of the DynamoDB ledger share: claims and intents, totals. */
#pragma once
#include "analytics/ledger_dynamodb.h"

struct ledger_dynamodb {
    struct ledger base;
    struct dynamodb_ops ops;
    int64_t call_ms, retention_ms, trends_retention_ms;
};

static inline struct ledger_dynamodb *ledger_dynamodb_from(struct ledger *ledger)
{
    return (struct ledger_dynamodb *)ledger;
}

/* Of a function that begins now. */
static inline int64_t ledger_until(const struct ledger_dynamodb *l)
{
    return dynamodb_until(&l->ops, l->call_ms);
}

enum { LEDGER_SHARDS = 8, LEDGER_SLACK_S = 7 * 86400 };

/* Seconds since 1970 in an order that texts have too. */
struct str ledger_time_text(struct arena *arena, int64_t time_s);
bool ledger_read_time(struct str text, int64_t *time_s);

struct dynamodb_key ledger_delta_key(struct arena *arena, struct part_id part);
struct str ledger_delta_pk(struct arena *arena, int shard);

/* When something that is `retention_ms` old goes. */
int64_t ledger_ttl(int64_t from_s, int64_t retention_ms);

/* Adds hours and totals of an archived intent to the transaction. */
void ledger_write_archived(struct dynamodb_write *write, struct arena *arena,
                           enum batch_part_kind kind, struct str hours);

/* --- ledger_dynamodb_totals.c: functions of the port --- */
enum code ledger_dynamodb_fold(struct ledger *ledger, size_t max, size_t *folded,
                               struct error *err);
enum code ledger_dynamodb_count_duplicates(struct ledger *ledger, uint64_t batches,
                                           struct error *err);
enum code ledger_dynamodb_counts(struct ledger *ledger, int64_t width_s, int64_t start_s,
                                 int64_t end_s, ledger_count_fn each, void *argument,
                                 struct error *err);
enum code ledger_dynamodb_texts(struct ledger *ledger, enum rollup_class class, int64_t start_s,
                                int64_t end_s, struct sketch *into, struct error *err);
enum code ledger_dynamodb_hours(struct ledger *ledger, int64_t start_s, int64_t end_s,
                                ledger_hour_fn each, void *argument, struct error *err);
enum code ledger_dynamodb_status(struct ledger *ledger, struct ledger_status *status,
                                 struct error *err);
