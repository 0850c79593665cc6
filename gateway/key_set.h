/*
 * All API keys and plans at one moment, immutable: an omnidata.access.v1.Snapshot made into a hash
 * table by the SHA-256 of the secret. Only hashes are known here. A secret is found by the first
 * bytes of its hash, which say nothing about the secret, and compared in constant time.
 */
#pragma once
#include "base/error.h"
#include "crypto/crypto.h"
#include "gateway/throttle.h"

#include <stddef.h>

enum key_period {
    KEY_PERIOD_NONE,
    KEY_PERIOD_DAY,
    KEY_PERIOD_MONTH,
    KEY_PERIOD_WEEK,
    KEY_PERIOD_OTHER, /* of a newer service: enforced all the same */
};

struct key_plan {
    struct str id;
    struct throttle_limit rate;
    uint64_t quota; /* 0: none */
    enum key_period period;
};

struct key {
    struct str id;
    const struct key_plan *plan;
    bool is_public; /* limits count each user or network by itself */
};

struct key_set;

/*
 * Reads an encoded Snapshot; the set needs nothing of it afterwards. INVALID_ARGUMENT saying what
 * is wrong: no snapshot, a hash of another length, a plan that is not there.
 */
enum code key_set_new(struct str snapshot, struct key_set **set, struct error *err) MUST_CHECK;
void key_set_free(struct key_set *set);

/* NULL when no key has this secret, or key or secret have ended at `now_us` (UTC). */
const struct key *key_set_find(const struct key_set *set, const uint8_t hash[CRYPTO_SHA256_BYTES],
                               int64_t now_us);

uint64_t key_set_version(const struct key_set *set);
size_t key_set_count(const struct key_set *set);
