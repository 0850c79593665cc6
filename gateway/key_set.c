/* Keys, plans and texts lie in one arena; the table is open addressing, at most half full. */
#include "gateway/key_set.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "omnidata/access/v1/access.pb-c.h"
#include "pb/proto.h"

#include <string.h>

struct secret {
    uint8_t hash[CRYPTO_SHA256_BYTES];
    const struct key *key; /* NULL: a free place */
    int64_t until_us;
};

struct key_set {
    struct arena arena;
    uint64_t version;
    size_t key_count, plan_count, mask;
    struct key_plan *plans;
    struct secret *secrets;
};

static enum code broken(struct error *err, const char *what, const char *id)
{
    return error_set(err, CODE_INVALID_ARGUMENT, "BROKEN_SNAPSHOT", "the snapshot of keys: %s%s",
                     what, id);
}

static int64_t time_us(const Google__Protobuf__Timestamp *time)
{
    if (!time || time->seconds > INT64_MAX / 1000000 - 1)
        return INT64_MAX;
    if (time->seconds < 0)
        return 0;
    return time->seconds * 1000000 + time->nanos / 1000;
}

static void add_plan(struct key_set *set, const Omnidata__Access__V1__Plan *plan)
{
    static const enum key_period periods[] = {KEY_PERIOD_NONE, KEY_PERIOD_DAY, KEY_PERIOD_MONTH,
                                              KEY_PERIOD_WEEK};
    struct key_plan *made = &set->plans[set->plan_count++];
    made->id = arena_str(&set->arena, str_of(plan->id));
    made->rate = throttle_limit_of(plan->rate, plan->burst);
    made->period = (size_t)plan->quota_period < sizeof periods / sizeof *periods
                       ? periods[plan->quota_period]
                       : KEY_PERIOD_OTHER;
    made->quota = made->period == KEY_PERIOD_NONE ? 0 : plan->quota;
}

static const struct key_plan *plan_of(const struct key_set *set, struct str id)
{
    for (size_t i = 0; i < set->plan_count; i++)
        if (str_eq(set->plans[i].id, id))
            return &set->plans[i];
    return NULL;
}

static size_t place_of(const struct key_set *set, const uint8_t *hash)
{
    uint64_t first;
    memcpy(&first, hash, sizeof first);
    return (size_t)first & set->mask;
}

static void add_secret(struct key_set *set, const struct key *key, const uint8_t *hash,
                       int64_t until_us)
{
    size_t at = place_of(set, hash);
    while (set->secrets[at].key)
        at = (at + 1) & set->mask;
    memcpy(set->secrets[at].hash, hash, CRYPTO_SHA256_BYTES);
    set->secrets[at].key = key;
    set->secrets[at].until_us = until_us;
}

/* The newest secret ends with the key; those before it have ends of their own. */
static int64_t secret_end_us(const Omnidata__Access__V1__SnapshotKey *key, size_t index)
{
    int64_t end_us = time_us(key->expire_time);
    if (index == 0 || index > key->n_old_secret_expire_times)
        return end_us;
    int64_t own_us = time_us(key->old_secret_expire_times[index - 1]);
    return own_us < end_us ? own_us : end_us;
}

static enum code add_key(struct key_set *set, struct key *made,
                         const Omnidata__Access__V1__SnapshotKey *key, struct error *err)
{
    made->id = arena_str(&set->arena, str_of(key->id));
    made->plan = plan_of(set, str_of(key->plan_id));
    made->is_public = key->public_;
    if (!made->id.len || !made->plan)
        return broken(err, made->id.len ? "no plan for the key " : "a key without id", key->id);
    for (size_t i = 0; i < key->n_secret_hashes; i++) {
        if (key->secret_hashes[i].len != CRYPTO_SHA256_BYTES)
            return broken(err, "no SHA-256 of a secret of the key ", key->id);
        add_secret(set, made, key->secret_hashes[i].data, secret_end_us(key, i));
    }
    return CODE_OK;
}

static enum code fill(struct key_set *set, const Omnidata__Access__V1__Snapshot *snapshot,
                      struct error *err)
{
    size_t secrets = 0, slots = 4;
    set->version = snapshot->version;
    set->plans = arena_alloc0(&set->arena, (snapshot->n_plans + 1) * sizeof *set->plans);
    for (size_t i = 0; i < snapshot->n_plans; i++)
        add_plan(set, snapshot->plans[i]);
    for (size_t i = 0; i < snapshot->n_keys; i++)
        secrets += snapshot->keys[i]->n_secret_hashes;
    while (slots < secrets * 2)
        slots *= 2;
    set->mask = slots - 1;
    set->secrets = arena_alloc0(&set->arena, slots * sizeof *set->secrets);
    struct key *keys = arena_alloc0(&set->arena, (snapshot->n_keys + 1) * sizeof *keys);
    for (size_t i = 0; i < snapshot->n_keys; i++)
        if (add_key(set, &keys[i], snapshot->keys[i], err) != CODE_OK)
            return err->code;
    set->key_count = snapshot->n_keys;
    return CODE_OK;
}

enum code key_set_new(struct str snapshot, struct key_set **set, struct error *err)
{
    struct arena arena = {0};
    struct key_set *made = xcalloc(1, sizeof *made);
    const Omnidata__Access__V1__Snapshot *message =
        proto_decode(&arena, &omnidata__access__v1__snapshot__descriptor, snapshot);
    enum code code = message ? fill(made, message, err) : broken(err, "no such message", "");
    arena_clear(&arena);
    if (code != CODE_OK) {
        key_set_free(made);
        made = NULL;
    }
    *set = made;
    return code;
}

void key_set_free(struct key_set *set)
{
    if (!set)
        return;
    arena_clear(&set->arena);
    xfree(set);
}

const struct key *key_set_find(const struct key_set *set, const uint8_t hash[CRYPTO_SHA256_BYTES],
                               int64_t now_us)
{
    for (size_t at = place_of(set, hash); set->secrets[at].key; at = (at + 1) & set->mask)
        if (crypto_equal(set->secrets[at].hash, hash, CRYPTO_SHA256_BYTES))
            return now_us < set->secrets[at].until_us ? set->secrets[at].key : NULL;
    return NULL;
}

uint64_t key_set_version(const struct key_set *set)
{
    return set->version;
}

size_t key_set_count(const struct key_set *set)
{
    return set->key_count;
}
