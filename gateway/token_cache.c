/*
 * Sets of eight entries, chosen by the digest, which nobody can steer without finding tokens that
 * verify. The sets share a few locks.
 */
#include "gateway/token_cache.h"

#include "base/alloc.h"

#include <pthread.h>
#include <string.h>

enum { WAYS = 8, LOCKS = 16 };

struct slot {
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct token_entry entry; /* subject and scopes lie in `texts` */
    uint64_t used;            /* the set's clock when it was last found; 0: empty */
    char *texts;
};

struct set {
    struct slot slots[WAYS];
    uint64_t clock;
};

struct token_cache {
    pthread_mutex_t locks[LOCKS];
    size_t set_count; /* a power of two */
    struct set *sets;
};

struct token_cache *token_cache_new(size_t entries)
{
    struct token_cache *cache = xcalloc(1, sizeof *cache);
    cache->set_count = 1;
    while (cache->set_count * WAYS < entries)
        cache->set_count *= 2;
    cache->sets = xcalloc(cache->set_count, sizeof *cache->sets);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&cache->locks[i], NULL);
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->set_count; i++)
        for (size_t k = 0; k < WAYS; k++)
            xfree(cache->sets[i].slots[k].texts);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&cache->locks[i]);
    xfree(cache->sets);
    xfree(cache);
}

/* The set of a digest, locked; *lock is to be unlocked. */
static struct set *lock_set(struct token_cache *cache, const uint8_t *digest,
                            pthread_mutex_t **lock)
{
    uint64_t number;
    memcpy(&number, digest, sizeof number);
    size_t index = (size_t)number & (cache->set_count - 1);
    *lock = &cache->locks[index % LOCKS];
    pthread_mutex_lock(*lock);
    return &cache->sets[index];
}

static struct slot *slot_of(struct set *set, const uint8_t *digest)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set->slots[i].used && memcmp(set->slots[i].digest, digest, CRYPTO_SHA256_BYTES) == 0)
            return &set->slots[i];
    return NULL;
}

/* An empty one, else one that has ended, else the one that was not used for longest. */
static struct slot *slot_to_give_up(struct set *set, int64_t now_s)
{
    struct slot *oldest = &set->slots[0];
    for (size_t i = 0; i < WAYS; i++) {
        struct slot *slot = &set->slots[i];
        if (!slot->used || slot->entry.good_until_s <= now_s)
            return slot;
        if (slot->used < oldest->used)
            oldest = slot;
    }
    return oldest;
}

bool token_cache_find(struct token_cache *cache, const uint8_t digest[CRYPTO_SHA256_BYTES],
                      int64_t now_s, struct arena *arena, struct token_entry *entry)
{
    pthread_mutex_t *lock;
    struct set *set = lock_set(cache, digest, &lock);
    struct slot *slot = slot_of(set, digest);
    bool found = slot && slot->entry.good_until_s > now_s;
    if (found) {
        slot->used = ++set->clock;
        *entry = slot->entry;
        entry->subject = arena_str(arena, entry->subject);
        entry->scopes = arena_str(arena, entry->scopes);
    }
    pthread_mutex_unlock(lock);
    return found;
}

void token_cache_add(struct token_cache *cache, const uint8_t digest[CRYPTO_SHA256_BYTES],
                     int64_t now_s, const struct token_entry *entry)
{
    pthread_mutex_t *lock;
    size_t subject = entry->subject.len, scopes = entry->scopes.len;
    if (subject + scopes > TOKEN_CACHE_TEXT_BYTES_MAX)
        return;
    char *texts = xmalloc(subject + scopes + 1);
    if (subject)
        memcpy(texts, entry->subject.ptr, subject);
    if (scopes)
        memcpy(texts + subject, entry->scopes.ptr, scopes);
    struct set *set = lock_set(cache, digest, &lock);
    struct slot *slot = slot_of(set, digest);
    if (!slot)
        slot = slot_to_give_up(set, now_s);
    char *old = slot->texts;
    memcpy(slot->digest, digest, CRYPTO_SHA256_BYTES);
    slot->entry = *entry;
    slot->entry.subject = (struct str){texts, subject};
    slot->entry.scopes = (struct str){texts + subject, scopes};
    slot->texts = texts;
    slot->used = ++set->clock;
    pthread_mutex_unlock(lock);
    xfree(old);
}
