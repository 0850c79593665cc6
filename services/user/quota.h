/*
 * The arithmetic of quotas: what of a period's requests is out, and to whom. Pure: no store, no
 * clock, no I/O. A store keeps the state as bytes and changes it under a condition
 * (access_store.h).
 *
 * Promise: of a quota of N no more than N requests are admitted in a period, over any number of
 * gateways, servers, kills, restarts, lost, repeated and late messages. The argument:
 *
 *  1. `used` grows by a lease's amount before the gateway hears of it (the state is durable first),
 *     and a lease is granted only if `used` is at most N afterwards.
 *  2. A lease has an id of its gateway's making. Asked for again it is the same lease, so what a
 *     gateway holds under one id was added to `used` once. If it has been forgotten meanwhile it is
 *     another, and added once more.
 *  3. `used` shrinks in one way only: a gateway that has stopped spending a lease says how much of
 *     it was left. A lease is returned once, and by no more than its amount; a second return, or
 *     one of a lease that is not known, changes nothing. So what is forgotten counts as spent.
 *  4. So what all gateways admitted never exceeds `used`, which never exceeds N.
 *  5. A period's end forgets `used`. By then its leases must be spent or dead: a lease ends with
 * the period at the latest, and its gateway counts that time from before it asked, by a clock that
 *     does not go back, so it stops before the server's clock reaches the end. A lease that ends
 *     later all the same (the plan's kind of period was changed meanwhile) is taken along into the
 *     new period's `used`, also when it was forgotten.
 *
 * What gets lost: a lease whose gateway never returns it counts as spent to the end of the period.
 * It cannot come back earlier, since nobody else knows how much of it was admitted; a gateway that
 * lives returns what it has left, and one that was killed can if it kept count in a file. So at
 * most the leases that were out in lost gateways are admitted too little. They are small: a lease
 * is at most a quarter of what is left, or what a single request needs.
 *
 * The server's clock decides when a period begins; one that is set forward begins it early, and
 * what is then still spent of older leases belongs to the period before. When it goes back the
 * period that has begun goes on; only when it is more than a day before the period's begin (it was
 * far ahead once) is the period that of the clock again, with what was used since. When the plan's
 * quota changes, it is compared with the same `used`; when its kind of period changes, `used` is
 * taken along.
 */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    QUOTA_LEASES_MAX = 128, /* kept per state; see quota_lease */
    QUOTA_LEASE_ID_BYTES = 16,
};
#define QUOTA_MAX 1000000000000000 /* 10^15: sums of such numbers never overflow */

/* As in access.proto. */
enum quota_period { QUOTA_NONE, QUOTA_DAY, QUOTA_MONTH, QUOTA_WEEK };

struct quota_lease {
    uint8_t id[QUOTA_LEASE_ID_BYTES];
    uint64_t amount;
    int64_t end_ms;
    bool returned; /* kept as long as there is room, so that a late repetition is known as one */
};

struct quota_state {
    enum quota_period period; /* QUOTA_NONE: nothing was ever used */
    int64_t start_ms, end_ms; /* of the period, UTC */
    uint64_t used;            /* granted and not returned */
    size_t lease_count;
    struct quota_lease leases[QUOTA_LEASES_MAX];
};

/* The period of this kind that holds a point in time. */
void quota_period_of(enum quota_period period, int64_t now_ms, int64_t *start_ms, int64_t *end_ms);

/* Makes the state that of the period which runs at `now_ms`. To be called before all else. */
void quota_roll(struct quota_state *state, enum quota_period period, int64_t now_ms);

struct quota_grant {
    uint64_t amount;        /* 0: nothing, or less than needed, is left now */
    int64_t end_ms;         /* of the lease; its length is end_ms - now_ms, or 0 if that is less */
    int64_t retry_after_ms; /* with amount 0: when there may be something again */
    bool repeated;          /* it had been granted before; nothing has changed */
};

/*
 * A lease of at most `want` (above 0) out of what `quota` leaves, at most a quarter of that, but
 * never less than 1 or `need` (0, or at most `want`): then rather nothing. When QUOTA_LEASES_MAX
 * are kept, one of them is forgotten, so that it cannot be returned any more: one that has ended,
 * else one that was returned, else the one that ends first. An id is not all zeros.
 */
struct quota_grant quota_lease(struct quota_state *state, uint64_t quota,
                               const uint8_t id[QUOTA_LEASE_ID_BYTES], uint64_t want, uint64_t need,
                               int64_t lease_ms, int64_t now_ms);

/* Takes back `unspent` of a lease; false when that changes nothing. */
bool quota_return(struct quota_state *state, const uint8_t id[QUOTA_LEASE_ID_BYTES],
                  uint64_t unspent);

/* What `quota` leaves for leases; what is out in leases that have not ended. */
uint64_t quota_left(const struct quota_state *state, uint64_t quota);
uint64_t quota_leased(const struct quota_state *state, int64_t now_ms);

/* The state as bytes, and back; false when they are no state. Empty bytes are the first state. */
struct str quota_encode(const struct quota_state *state, struct arena *arena);
bool quota_decode(struct str bytes, struct quota_state *state);
