/* A set is two cache lines; a stripe of locks stands beside them. */
#include "gateway/throttle.h"

#include "base/alloc.h"
#include "base/id.h"
#include "base/siphash.h"

#include <pthread.h>
#include <string.h>

enum { WAYS = 8, LOCKS = 64, MICRO = 1000000 };

static const int64_t SPAN_MAX_NS = INT64_MAX / 4;
static const uint64_t TOKEN_NUMERATOR = 1000000000000000; /* ns of a second × MICRO */

struct throttle_set {
    uint64_t names[WAYS]; /* 0: free */
    int64_t full_at_ns[WAYS];
};

struct throttle_lock {
    pthread_mutex_t mutex;
} __attribute__((aligned(64)));

struct throttle {
    struct siphash_key key;
    uint32_t mask;
    struct throttle_set *sets;
    struct throttle_lock *locks;
};

static int64_t bounded(unsigned __int128 span)
{
    return span > (unsigned __int128)SPAN_MAX_NS ? SPAN_MAX_NS : (int64_t)span;
}

struct throttle_limit throttle_limit_of(double rate, uint32_t burst)
{
    double micro = rate * MICRO;
    uint64_t per_second = micro >= 1e18 ? (uint64_t)1000000000000000000 : 1;
    if (micro > 1 && micro < 1e18)
        per_second = (uint64_t)micro;
    struct throttle_limit limit = {.burst = burst ? burst : 1};
    limit.token_ns = (int64_t)((TOKEN_NUMERATOR + per_second - 1) / per_second);
    limit.depth_ns = bounded((unsigned __int128)limit.token_ns * limit.burst);
    return limit;
}

struct throttle_result throttle_apply(int64_t *full_at_ns, const struct throttle_limit *limit,
                                      uint32_t cost, int64_t now_ns)
{
    int64_t from = *full_at_ns > now_ns ? *full_at_ns : now_ns;
    if (cost > limit->burst)
        cost = limit->burst;
    int64_t debt = from - now_ns;
    int64_t after = debt + bounded((unsigned __int128)limit->token_ns * cost);
    struct throttle_result result = {.admitted = after <= limit->depth_ns};
    if (result.admitted) {
        *full_at_ns = now_ns + after;
        debt = after;
    } else {
        result.wait_ns = after - limit->depth_ns;
    }
    result.full_ns = debt;
    if (debt < limit->depth_ns)
        result.left = (uint32_t)((limit->depth_ns - debt) / limit->token_ns);
    return result;
}

struct throttle *throttle_new(uint32_t buckets)
{
    struct throttle *throttle = xcalloc(1, sizeof *throttle);
    uint32_t sets = 1;
    while (sets < buckets / WAYS && sets < 1U << 24)
        sets *= 2;
    id_random_bytes(&throttle->key, sizeof throttle->key);
    throttle->mask = sets - 1;
    throttle->sets = xcalloc(sets, sizeof *throttle->sets);
    throttle->locks = xcalloc(LOCKS, sizeof *throttle->locks);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&throttle->locks[i].mutex, NULL);
    return throttle;
}

void throttle_free(struct throttle *throttle)
{
    if (!throttle)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&throttle->locks[i].mutex);
    xfree(throttle->locks);
    xfree(throttle->sets);
    xfree(throttle);
}

/* The bucket's place, or the one it may take. */
static size_t place_of(const struct throttle_set *set, uint64_t name)
{
    size_t least = 0;
    for (size_t i = 0; i < WAYS; i++) {
        if (set->names[i] == name)
            return i;
        if (set->full_at_ns[i] < set->full_at_ns[least])
            least = i;
    }
    return least;
}

struct throttle_result throttle_take(struct throttle *throttle, struct str name,
                                     const struct throttle_limit *limit, uint32_t cost,
                                     int64_t now_ns)
{
    uint64_t hash = siphash(throttle->key, name);
    uint32_t index = (uint32_t)hash & throttle->mask;
    struct throttle_set *set = &throttle->sets[index];
    pthread_mutex_t *mutex = &throttle->locks[index % LOCKS].mutex;
    hash += !hash;
    pthread_mutex_lock(mutex);
    size_t at = place_of(set, hash);
    int64_t full_at_ns = set->full_at_ns[at];
    bool own = set->names[at] == hash;
    if ((cost || !own) && full_at_ns > now_ns + limit->depth_ns)
        full_at_ns = now_ns + limit->depth_ns;
    struct throttle_result result = throttle_apply(&full_at_ns, limit, cost, now_ns);
    if (result.admitted || own) {
        set->names[at] = hash;
        set->full_at_ns[at] = full_at_ns;
    }
    pthread_mutex_unlock(mutex);
    return result;
}
