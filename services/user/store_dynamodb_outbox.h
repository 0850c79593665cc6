/*
 * The outbox's rooms among themselves. Everything but what writes use is called with outbox_lock
 * held.
 */
#pragma once
#include "user/store_dynamodb_internal.h"

/* --- for writes, without the lock --- */
void outbox_put_event(struct store_dynamodb *store, struct dynamodb_write *tx, struct arena *arena,
                      const struct store_event *event);
void outbox_written(struct store_dynamodb *store, const struct store_event *event);

/* --- store_dynamodb_outbox.c --- */
struct dynamodb_key outbox_batch_key(struct arena *arena, char kind, int shard, struct id id);
struct dynamodb_key outbox_hour_key(struct arena *arena, int64_t hour, int shard);
/* A batch's attributes. */
void outbox_put_batch(struct json_out *json, const struct store_batch *batch);
void outbox_sealed(struct store_dynamodb *store, const struct store_batch *batch);

/* --- store_dynamodb_seal.c --- */
struct dynamodb_key outbox_sweep_key(struct arena *arena, int shard);
/* Ends what a sealing began: deletes the events that a batch has taken over. */
enum code outbox_sweep(struct store_dynamodb *store, int shard, int64_t until_ms,
                       struct error *err);
enum code store_dynamodb_outbox_seal(struct store *base, size_t *sealed, struct error *err);

/* --- store_dynamodb_line.c --- */
/* Counts anew what lies in the shards held. */
enum code outbox_count(struct store_dynamodb *store, int64_t until_ms, struct error *err);
/* Is there anything in a shard? */
enum code outbox_look(struct store_dynamodb *store, int shard, int64_t until_ms, bool *any,
                      struct error *err);
enum code store_dynamodb_outbox_oldest(struct store *, size_t, size_t, struct arena *,
                                       struct store_batch *, size_t *, struct error *);
enum code store_dynamodb_outbox_hours(struct store *, int64_t, int64_t, struct arena *,
                                      struct store_hour **, size_t *, struct error *);
void store_dynamodb_outbox_stats(struct store *, struct store_outbox_stats *);

/* --- store_dynamodb_lease.c --- */
struct dynamodb_key lease_key(struct arena *arena, int shard);
struct dynamodb_condition lease_condition(const struct store_dynamodb *store, int shard);
/* It turned out to be somebody else's. */
void lease_lost(struct store_dynamodb *store, int shard);
/* All leases there are; the tree is in `arena`. */
enum code lease_read_all(struct store_dynamodb *store, int64_t until_ms, struct arena *arena,
                         const struct json_value *leases[DYNAMODB_OUTBOX_SHARDS],
                         struct error *err);
enum code lease_take_home(struct store_dynamodb *store, int64_t until_ms, struct error *err);
void lease_give_all(struct store_dynamodb *store);

extern const struct store_vtable store_dynamodb_outbox_vtable; /* its outbox_* are used */
