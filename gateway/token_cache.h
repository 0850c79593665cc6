/*
 * What is known about tokens that came before, by their SHA-256: who they are, or that they are
 * worth nothing. Of a fixed number of entries; which one goes when room is needed is decided among
 * eight. Thread-safe.
 */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "crypto/crypto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOKEN_CACHE_TEXT_BYTES_MAX = 8 << 10 };

struct token_cache;

struct token_entry {
    uint32_t issuer;            /* which one of the gateway's */
    uint64_t generation;        /* of the issuer's keys when it was verified */
    int64_t good_until_s;       /* since 1970 */
    int64_t expires_s;          /* when the token itself ends, which may be later */
    struct str subject, scopes; /* both at most TOKEN_CACHE_TEXT_BYTES_MAX together */
};

/* For at least this many entries. */
struct token_cache *token_cache_new(size_t entries);
void token_cache_free(struct token_cache *cache); /* NULL is allowed */

/* An entry that is good at `now_s`; its texts are copied into the arena. */
bool token_cache_find(struct token_cache *cache, const uint8_t digest[CRYPTO_SHA256_BYTES],
                      int64_t now_s, struct arena *arena, struct token_entry *entry);

/* Adds or replaces. Too long texts are not kept. */
void token_cache_add(struct token_cache *cache, const uint8_t digest[CRYPTO_SHA256_BYTES],
                     int64_t now_s, const struct token_entry *entry);
