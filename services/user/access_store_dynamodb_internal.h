/*
 * What the rooms of the DynamoDB access store share:
 *   access_store_dynamodb.c         opening, closing, the vtable, the state
 *   access_store_dynamodb_plans.c   plans
 *   access_store_dynamodb_keys.c    keys, the snapshot
 *   access_store_dynamodb_quota.c   quotas
 */
#pragma once
#include "user/access_store_dynamodb.h"
#include "user/store_dynamodb_call.h"

struct access_dynamodb {
    struct access_store base;
    struct store_table table;
    const struct clock *clock;
};

/* The state as it was read with what a change looks at. */
struct access_state {
    uint64_t version;
    int64_t keys, plans;
};

struct dynamodb_key access_state_key(struct arena *arena, uint32_t tenant);
struct access_state access_read_state(const struct json_value *item);
/* The change's last part: the state with a new version, if it is still as it was read. */
void access_put_state(struct access_dynamodb *store, struct dynamodb_write *tx, struct arena *arena,
                      uint32_t tenant, const struct access_state *before, int keys, int plans);

/* "1/access/WHAT", the partition. */
struct str access_pk(struct arena *arena, uint32_t tenant, const char *what);
/* "1/access/WHAT/HASH" of any bytes. */
struct dynamodb_key access_hash_key(struct arena *arena, uint32_t tenant, const char *what,
                                    struct str bytes);

/* --- plans --- */
struct dynamodb_key access_plan_key(struct arena *arena, uint32_t tenant, struct str id);
enum code access_dynamodb_put_plan(struct access_store *, const struct store_call *,
                                   const struct access_plan *, struct error *);
enum code access_dynamodb_get_plan(struct access_store *, const struct store_call *, struct str,
                                   struct arena *, struct access_plan *, struct error *);
enum code access_dynamodb_list_plans(struct access_store *, const struct store_call *,
                                     struct arena *, struct access_plan **, size_t *,
                                     struct error *);

/* --- keys --- */
enum code access_dynamodb_create_key(struct access_store *, const struct store_call *,
                                     const struct access_key *, const struct store_once *,
                                     struct error *);
enum code access_dynamodb_get_key(struct access_store *, const struct store_call *, struct id,
                                  struct arena *, struct access_key *, struct error *);
enum code access_dynamodb_list_keys(struct access_store *, const struct store_call *,
                                    const struct id *, size_t, struct arena *,
                                    struct access_key_page *, struct error *);
enum code access_dynamodb_change_key(struct access_store *, const struct store_call *,
                                     const struct access_key *, struct error *);
enum code access_dynamodb_snapshot(struct access_store *, const struct store_call *, struct arena *,
                                   struct access_snapshot *, struct error *);

/* --- quotas --- */
enum code access_dynamodb_get_quota(struct access_store *, const struct store_call *,
                                    const struct access_counter *, struct arena *,
                                    struct access_quota *, struct error *);
enum code access_dynamodb_put_quota(struct access_store *, const struct store_call *,
                                    const struct access_counter *, const struct access_quota *,
                                    int64_t, struct error *);
