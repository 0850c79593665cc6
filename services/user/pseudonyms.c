/*
 * A table of fixed size, each actor in the one place that its hash gives; who comes later takes the
 * place. A hash is as good as random, so nothing more is needed for that.
 */
#include "user/pseudonyms.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "crypto/crypto.h"

#include <pthread.h>
#include <string.h>

enum { PLACES = 4096, REMEMBER_MS = 60 * 1000, HASHED_BYTES_MAX = 64 * 1024 };

struct place {
    struct store_actor actor;
    struct id pseudonym;
    int64_t until_ms; /* by the monotonic clock; 0: empty */
};

struct pseudonyms {
    struct store *store;
    const struct clock *clock;
    pthread_mutex_t lock; /* guards what follows */
    uint64_t forgotten;   /* how many times somebody was */
    struct place places[PLACES];
};

struct pseudonyms *pseudonyms_new(struct store *store, const struct clock *clock)
{
    struct pseudonyms *pseudonyms = xcalloc(1, sizeof *pseudonyms);
    pseudonyms->store = store;
    pseudonyms->clock = clock;
    pthread_mutex_init(&pseudonyms->lock, NULL);
    return pseudonyms;
}

void pseudonyms_free(struct pseudonyms *pseudonyms)
{
    if (!pseudonyms)
        return;
    pthread_mutex_destroy(&pseudonyms->lock);
    xfree(pseudonyms);
}

struct store_actor pseudonyms_actor(struct str issuer, struct str subject)
{
    struct store_actor actor;
    struct buf text;
    buf_init(&text, HASHED_BYTES_MAX);
    buf_addf(&text, "%zu:", issuer.len); /* so that no two pairs make one text */
    buf_add(&text, issuer);
    buf_add(&text, subject);
    crypto_sha256(buf_str(&text), actor.hash);
    buf_clear(&text);
    return actor;
}

static bool same(const struct store_actor *a, const struct store_actor *b)
{
    return memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

static struct place *place_of(struct pseudonyms *pseudonyms, const struct store_actor *actor)
{
    return &pseudonyms->places[(actor->hash[0] << 8 | actor->hash[1]) % PLACES];
}

static bool recall(struct pseudonyms *pseudonyms, const struct store_actor *actor,
                   struct id *pseudonym)
{
    int64_t now_ms = clock_mono_ms(pseudonyms->clock);
    struct place *place = place_of(pseudonyms, actor);
    pthread_mutex_lock(&pseudonyms->lock);
    bool found = place->until_ms > now_ms && same(&place->actor, actor);
    if (found)
        *pseudonym = place->pseudonym;
    pthread_mutex_unlock(&pseudonyms->lock);
    return found;
}

static uint64_t times_forgotten(struct pseudonyms *pseudonyms)
{
    pthread_mutex_lock(&pseudonyms->lock);
    uint64_t times = pseudonyms->forgotten;
    pthread_mutex_unlock(&pseudonyms->lock);
    return times;
}

/* Nothing, if somebody was forgotten since `forgotten` was read, before the store was asked: its
 * answer may be of before that. */
static void remember(struct pseudonyms *pseudonyms, uint64_t forgotten,
                     const struct store_actor *actors, const struct id *found, size_t count)
{
    int64_t until_ms = clock_mono_ms(pseudonyms->clock) + REMEMBER_MS;
    pthread_mutex_lock(&pseudonyms->lock);
    for (size_t i = 0; pseudonyms->forgotten == forgotten && i < count; i++)
        *place_of(pseudonyms, &actors[i]) = (struct place){actors[i], found[i], until_ms};
    pthread_mutex_unlock(&pseudonyms->lock);
}

/* A UUID version 4: nothing about it says when, or for whom, it was made. */
static struct id random_pseudonym(void)
{
    struct id id;
    id_random_bytes(id.bytes, sizeof id.bytes);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0F) | 0x40);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3F) | 0x80);
    return id;
}

static size_t index_of(const struct store_actor *actors, size_t count,
                       const struct store_actor *actor)
{
    size_t i = 0;
    while (i < count && !same(&actors[i], actor))
        i++;
    return i;
}

enum code pseudonyms_find(struct pseudonyms *pseudonyms, const struct store_call *call,
                          const struct store_actor *actors, struct id *found, size_t count,
                          struct error *err)
{
    struct store_actor missing[PSEUDONYMS_AT_ONCE];
    struct id proposed[PSEUDONYMS_AT_ONCE];
    size_t place[PSEUDONYMS_AT_ONCE], missing_count = 0;
    uint64_t forgotten = times_forgotten(pseudonyms);
    for (size_t i = 0; i < count; i++) {
        place[i] = PSEUDONYMS_AT_ONCE;
        if (recall(pseudonyms, &actors[i], &found[i]))
            continue;
        place[i] = index_of(missing, missing_count, &actors[i]);
        if (place[i] == missing_count) {
            missing[missing_count] = actors[i];
            proposed[missing_count++] = random_pseudonym();
        }
    }
    if (!missing_count)
        return CODE_OK;
    struct store *store = pseudonyms->store;
    if (store->vtable->actors(store, call, missing, proposed, missing_count, err) != CODE_OK)
        return err->code;
    remember(pseudonyms, forgotten, missing, proposed, missing_count);
    for (size_t i = 0; i < count; i++)
        if (place[i] < PSEUDONYMS_AT_ONCE)
            found[i] = proposed[place[i]];
    return CODE_OK;
}

enum code pseudonyms_forget(struct pseudonyms *pseudonyms, const struct store_call *call,
                            const struct store_actor *actor, struct error *err)
{
    struct store *store = pseudonyms->store;
    struct place *place = place_of(pseudonyms, actor);
    enum code code = store->vtable->actor_forget(store, call, actor, err);
    /* After the store's answer: who asks the store from now on does not get it there either. */
    pthread_mutex_lock(&pseudonyms->lock);
    pseudonyms->forgotten++;
    if (same(&place->actor, actor))
        place->until_ms = 0;
    pthread_mutex_unlock(&pseudonyms->lock);
    return code;
}
