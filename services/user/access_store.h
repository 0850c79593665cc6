/*
 * API keys, plans and quotas as a port of the domain. Each function is one condition or one
 * transaction on few items, so that a key-value store can implement it: none looks through rows
 * but list_keys and snapshot. When a write returns OK it is durable. Implementations:
 * access_store_sqlite, access_store_dynamodb.
 *
 * All functions are thread-safe and block at most until the call's deadline (DEADLINE_EXCEEDED; a
 * write may then still be carried out) or the end of a commit that is under way. Results live in
 * the arena that was handed in. RESOURCE_EXHAUSTED (DISK_FULL) when there is no room.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "user/access.h"
#include "user/store.h"

struct access_store {
    const struct access_store_vtable *vtable;
};

struct access_key_page {
    struct access_key *keys;
    size_t count;
    bool more;
};

/* All that a gateway needs: keys that are not disabled, by id; plans, by id. */
struct access_snapshot {
    uint64_t version;
    struct access_key *keys;
    struct access_plan *plans;
    size_t key_count, plan_count;
};

/* Whose quota: SHA-256 of the key's id and, with a public key, the subject. */
struct access_counter {
    uint8_t bytes[ACCESS_HASH_BYTES];
};

/* A quota_state's bytes. */
struct access_quota {
    struct str bytes; /* empty: there is none yet */
    uint64_t version; /* 0: there is none yet */
};

struct access_store_vtable {
    /* --- plans: every change makes the snapshot's version grow, in the same transaction --- */

    /* Makes or replaces. RESOURCE_EXHAUSTED (PLANS_FULL) for one beyond ACCESS_PLANS_MAX. */
    enum code (*put_plan)(struct access_store *store, const struct store_call *call,
                          const struct access_plan *plan, struct error *err);
    /* NOT_FOUND (PLAN_NOT_FOUND). */
    enum code (*get_plan)(struct access_store *store, const struct store_call *call, struct str id,
                          struct arena *arena, struct access_plan *plan, struct error *err);
    /* By id; all of them. */
    enum code (*list_plans)(struct access_store *store, const struct store_call *call,
                            struct arena *arena, struct access_plan **plans, size_t *count,
                            struct error *err);

    /* --- keys: likewise --- */

    /* A key complete but for its version. `once` may be NULL; used before with this hash:
     * ALREADY_EXISTS (KEY_CREATED_BEFORE) naming the key, with another: INVALID_ARGUMENT
     * (IDEMPOTENCY_KEY_REUSED). FAILED_PRECONDITION (PLAN_NOT_FOUND). RESOURCE_EXHAUSTED
     * (KEYS_FULL) for one beyond ACCESS_KEYS_MAX that are not disabled. */
    enum code (*create_key)(struct access_store *store, const struct store_call *call,
                            const struct access_key *key, const struct store_once *once,
                            struct error *err);
    /* NOT_FOUND (KEY_NOT_FOUND). */
    enum code (*get_key)(struct access_store *store, const struct store_call *call, struct id id,
                         struct arena *arena, struct access_key *key, struct error *err);
    /* By id, those behind `after` (NULL: from the first). */
    enum code (*list_keys)(struct access_store *store, const struct store_call *call,
                           const struct id *after, size_t limit, struct arena *arena,
                           struct access_key_page *page, struct error *err);
    /* Replaces all but id, is_public and create_us if the key still has key->version; ABORTED
     * (KEY_CHANGED), NOT_FOUND (KEY_NOT_FOUND), FAILED_PRECONDITION (PLAN_NOT_FOUND). */
    enum code (*change_key)(struct access_store *store, const struct store_call *call,
                            const struct access_key *key, struct error *err);

    /* --- for gateways --- */

    /* Of the snapshot; cheap: asked for all the time. It differs from that of every other database,
     * and of this one before any change. */
    enum code (*version)(struct access_store *store, const struct store_call *call,
                         uint64_t *version, struct error *err);
    /* It holds every change up to its version, and may hold newer ones; the plan of each of its
     * keys in any case. */
    enum code (*snapshot)(struct access_store *store, const struct store_call *call,
                          struct arena *arena, struct access_snapshot *snapshot, struct error *err);

    /* --- quotas --- */

    enum code (*get_quota)(struct access_store *store, const struct store_call *call,
                           const struct access_counter *counter, struct arena *arena,
                           struct access_quota *quota, struct error *err);
    /* Replaces the bytes if the version is still quota->version. ABORTED (QUOTA_CHANGED). From
     * `forget_ms` (UTC) on the store may drop it. */
    enum code (*put_quota)(struct access_store *store, const struct store_call *call,
                           const struct access_counter *counter, const struct access_quota *quota,
                           int64_t forget_ms, struct error *err);

    void (*free)(struct access_store *store);
};

static inline void access_store_free(struct access_store *store)
{
    if (store)
        store->vtable->free(store);
}
