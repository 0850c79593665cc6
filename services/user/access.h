/*
 * API keys and plans as values of the domain, and what a secret looks like.
 *
 * A secret is `omni_` and 256 random bits in base64url. Stored is its SHA-256 and no more: a plain
 * hash is right here, since nobody can try 2^256 of them; salt and slow hashes are for passwords,
 * which people choose.
 */
#pragma once
#include "base/id.h"
#include "base/str.h"
#include "user/quota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ACCESS_HASH_BYTES = 32,
    ACCESS_SECRET_CHARS = 48, /* "omni_" and 43 */
    ACCESS_PREFIX_CHARS = 11, /* shown of a secret: 6 of its characters, 36 of its bits */
    ACCESS_SECRETS_MAX = 4,   /* of a key, good at the same time */
    ACCESS_SECRETS_BYTES = ACCESS_SECRETS_MAX * (ACCESS_HASH_BYTES + 8),
    ACCESS_PLANS_MAX = 100,
    ACCESS_KEYS_MAX = 10000, /* not disabled; a snapshot of them stays below 4 MiB */
    ACCESS_PLAN_ID_CHARS = 63,
    ACCESS_KEY_NAME_CHARS = 200,
    ACCESS_SUBJECT_BYTES = 1024,
    ACCESS_GATEWAY_ID_BYTES = 128,
    ACCESS_OVERLAP_S_MAX = 30 * 24 * 3600,
    ACCESS_ETAG_CHARS = 16,
};

struct access_plan {
    struct str id;
    double rate;
    uint32_t burst;
    uint64_t quota; /* 0: none */
    enum quota_period period;
};

struct access_secret {
    uint8_t hash[ACCESS_HASH_BYTES];
    int64_t expire_us; /* 0: with the key */
};

struct access_key {
    struct id id;
    struct str name, plan_id;
    bool is_public;
    int64_t create_us, rotate_us;
    int64_t expire_us;  /* 0: never */
    int64_t disable_us; /* 0: it is not disabled */
    char prefix[ACCESS_PREFIX_CHARS + 1];
    struct access_secret secrets[ACCESS_SECRETS_MAX]; /* the newest first */
    size_t secret_count;                              /* at least 1 */
    uint64_t version;                                 /* grows with every change */
};

/* A new secret as text; the key gets its hash as the only one, and its prefix. */
void access_key_make_secret(struct access_key *key, char secret[ACCESS_SECRET_CHARS + 1]);

/* A new secret beside the others: the newest of these ends after `overlap_us` (0: all end), older
 * ones when they were to end anyway. */
void access_key_rotate(struct access_key *key, int64_t now_us, int64_t overlap_us,
                       char secret[ACCESS_SECRET_CHARS + 1]);

/* What tells two states of a key apart: of all that is shown and can change, but what changes by
 * the clock alone. The version would not do: a writer does not learn which one it made. */
void access_key_etag(const struct access_key *key, char etag[ACCESS_ETAG_CHARS + 1]);

/* Secrets that are good at `now_us`: that many from the front on. */
size_t access_key_secrets(const struct access_key *key, int64_t now_us);

/* The secrets as stores keep them: hash and end (little-endian) of each. Points into `bytes`. */
struct str access_key_pack_secrets(const struct access_key *key,
                                   uint8_t bytes[ACCESS_SECRETS_BYTES]);
/* False when they are not that. */
bool access_key_unpack_secrets(struct str bytes, struct access_key *key);
