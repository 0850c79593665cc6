/* Periods, grants, returns, and the state as bytes. */
#include "user/quota.h"

#include "base/time_text.h"

#include <string.h>

enum { STATE_VERSION = 1, SHARE = 4, DAY_MS = 24 * 3600 * 1000, HEAD_BYTES = 28, LEASE_BYTES = 33 };

/* --- periods --- */

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

void quota_period_of(enum quota_period period, int64_t now_ms, int64_t *start_ms, int64_t *end_ms)
{
    if (period == QUOTA_MONTH) {
        struct time_utc first = time_utc_of(floor_div(now_ms, 1000));
        first.day = 1;
        first.hour = first.minute = first.second = 0;
        *start_ms = time_seconds_of(first) * 1000;
        first.month = first.month == 12 ? 1 : first.month + 1;
        first.year += first.month == 1;
        *end_ms = time_seconds_of(first) * 1000;
        return;
    }
    /* The first day of all, 1970-01-01, was a Thursday: three days into its week. */
    int64_t day = floor_div(now_ms, DAY_MS), days = period == QUOTA_WEEK ? 7 : 1;
    if (period == QUOTA_WEEK)
        day = floor_div(day + 3, 7) * 7 - 3;
    *start_ms = day * DAY_MS;
    *end_ms = *start_ms + days * DAY_MS;
}

/* Leases that go on beyond `now_ms` count in the period that begins. */
static void begin_period(struct quota_state *state, int64_t now_ms)
{
    size_t kept = 0;
    state->used = 0;
    for (size_t i = 0; i < state->lease_count; i++) {
        if (state->leases[i].end_ms <= now_ms)
            continue;
        if (!state->leases[i].returned)
            state->used += state->leases[i].amount;
        state->leases[kept++] = state->leases[i];
    }
    state->lease_count = kept;
}

void quota_roll(struct quota_state *state, enum quota_period period, int64_t now_ms)
{
    bool same = state->period == period && now_ms >= state->start_ms - DAY_MS;
    if (same && now_ms < state->end_ms)
        return;
    if (state->period != QUOTA_NONE && now_ms >= state->end_ms)
        begin_period(state, now_ms);
    state->period = period;
    quota_period_of(period, now_ms, &state->start_ms, &state->end_ms);
}

/* --- leases --- */

static struct quota_lease *find(struct quota_state *state, const uint8_t *id)
{
    for (size_t i = 0; i < state->lease_count; i++)
        if (memcmp(state->leases[i].id, id, QUOTA_LEASE_ID_BYTES) == 0)
            return &state->leases[i];
    return NULL;
}

/* How little a lease is missed: most of all one that has ended and was returned, least one that is
 * still out. */
static int spare(const struct quota_lease *lease, int64_t now_ms)
{
    return 2 * (lease->end_ms <= now_ms) + lease->returned;
}

/* The one that is missed least, and of several the one that ends first. */
static struct quota_lease *least_missed(struct quota_state *state, const struct quota_lease *but,
                                        int64_t now_ms)
{
    struct quota_lease *found = NULL;
    for (size_t i = 0; i < state->lease_count; i++) {
        struct quota_lease *lease = &state->leases[i];
        int more = found ? spare(lease, now_ms) - spare(found, now_ms) : 1;
        if (lease != but && (more > 0 || (more == 0 && lease->end_ms < found->end_ms)))
            found = lease;
    }
    return found;
}

/* A place for one more. When all are out one is forgotten, and only its amount and end are kept,
 * with those of others: for begin_period, as part of a lease that nobody can return. */
static struct quota_lease *find_room(struct quota_state *state, int64_t now_ms)
{
    static const uint8_t nobodys[QUOTA_LEASE_ID_BYTES];
    if (state->lease_count < QUOTA_LEASES_MAX)
        return &state->leases[state->lease_count++];
    struct quota_lease *room = least_missed(state, NULL, now_ms), *sum = find(state, nobodys);
    if (spare(room, now_ms) > 0)
        return room;
    if (!sum) {
        sum = room;
        memcpy(sum->id, nobodys, sizeof nobodys);
    }
    room = least_missed(state, sum, now_ms);
    sum->amount += room->amount;
    sum->end_ms = room->end_ms > sum->end_ms ? room->end_ms : sum->end_ms;
    return room;
}

uint64_t quota_left(const struct quota_state *state, uint64_t quota)
{
    return quota > state->used ? quota - state->used : 0;
}

uint64_t quota_leased(const struct quota_state *state, int64_t now_ms)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < state->lease_count; i++)
        if (state->leases[i].end_ms > now_ms && !state->leases[i].returned)
            sum += state->leases[i].amount;
    return sum;
}

/* Until the next lease ends, whose gateway may then return something, or the period does. */
static int64_t wait_ms(const struct quota_state *state, int64_t now_ms)
{
    int64_t until_ms = state->end_ms;
    for (size_t i = 0; i < state->lease_count; i++)
        if (state->leases[i].end_ms > now_ms && state->leases[i].end_ms < until_ms &&
            !state->leases[i].returned)
            until_ms = state->leases[i].end_ms;
    return until_ms - now_ms;
}

struct quota_grant quota_lease(struct quota_state *state, uint64_t quota,
                               const uint8_t id[QUOTA_LEASE_ID_BYTES], uint64_t want, uint64_t need,
                               int64_t lease_ms, int64_t now_ms)
{
    struct quota_lease *lease = find(state, id);
    uint64_t left = quota_left(state, quota), most = left / SHARE + (left % SHARE != 0);
    if (most < need)
        most = need;
    if (lease)
        return (struct quota_grant){.amount = lease->returned ? 0 : lease->amount,
                                    .end_ms = lease->end_ms,
                                    .retry_after_ms = wait_ms(state, now_ms),
                                    .repeated = true};
    if (!left || left < need)
        return (struct quota_grant){.retry_after_ms = wait_ms(state, now_ms)};
    lease = find_room(state, now_ms);
    memcpy(lease->id, id, QUOTA_LEASE_ID_BYTES);
    lease->amount = want < most ? want : most;
    lease->end_ms = now_ms + lease_ms < state->end_ms ? now_ms + lease_ms : state->end_ms;
    lease->returned = false;
    state->used += lease->amount;
    return (struct quota_grant){.amount = lease->amount, .end_ms = lease->end_ms};
}

bool quota_return(struct quota_state *state, const uint8_t id[QUOTA_LEASE_ID_BYTES],
                  uint64_t unspent)
{
    struct quota_lease *lease = find(state, id);
    if (!lease || lease->returned)
        return false;
    lease->returned = true;
    state->used -= unspent < lease->amount ? unspent : lease->amount;
    return true;
}

/* --- bytes: version, period, start, end, used, count; id, amount, end, returned of each lease,
 * little-endian --- */

static void put(char **at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *(*at)++ = (char)(value >> 8 * i);
}

static uint64_t take(const char **at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t) * (*at)++ << 8 * i;
    return value;
}

struct str quota_encode(const struct quota_state *state, struct arena *arena)
{
    size_t bytes = HEAD_BYTES + state->lease_count * LEASE_BYTES;
    char *start = arena_alloc(arena, bytes), *at = start;
    put(&at, STATE_VERSION, 1);
    put(&at, state->period, 1);
    put(&at, (uint64_t)state->start_ms, 8);
    put(&at, (uint64_t)state->end_ms, 8);
    put(&at, state->used, 8);
    put(&at, state->lease_count, 2);
    for (size_t i = 0; i < state->lease_count; i++) {
        const struct quota_lease *lease = &state->leases[i];
        memcpy(at, lease->id, QUOTA_LEASE_ID_BYTES);
        at += QUOTA_LEASE_ID_BYTES;
        put(&at, lease->amount, 8);
        put(&at, (uint64_t)lease->end_ms, 8);
        put(&at, lease->returned, 1);
    }
    return (struct str){start, bytes};
}

/* Numbers that the arithmetic above can bear. */
static bool is_sound(const struct quota_state *state)
{
    uint64_t out = 0;
    for (size_t i = 0; i < state->lease_count; i++) {
        const struct quota_lease *lease = &state->leases[i];
        if (lease->amount > QUOTA_MAX)
            return false;
        out += lease->returned ? 0 : lease->amount;
    }
    return state->period >= QUOTA_DAY && state->period <= QUOTA_WEEK &&
           state->start_ms < state->end_ms && state->used <= QUOTA_MAX && out <= state->used;
}

bool quota_decode(struct str bytes, struct quota_state *state)
{
    const char *at = bytes.ptr;
    memset(state, 0, sizeof *state);
    if (!bytes.len)
        return true;
    if (bytes.len < HEAD_BYTES || take(&at, 1) != STATE_VERSION)
        return false;
    state->period = (enum quota_period)take(&at, 1);
    state->start_ms = (int64_t)take(&at, 8);
    state->end_ms = (int64_t)take(&at, 8);
    state->used = take(&at, 8);
    state->lease_count = (size_t)take(&at, 2);
    if (state->lease_count > QUOTA_LEASES_MAX ||
        bytes.len != HEAD_BYTES + state->lease_count * LEASE_BYTES)
        return false;
    for (size_t i = 0; i < state->lease_count; i++) {
        struct quota_lease *lease = &state->leases[i];
        memcpy(lease->id, at, QUOTA_LEASE_ID_BYTES);
        at += QUOTA_LEASE_ID_BYTES;
        lease->amount = take(&at, 8);
        lease->end_ms = (int64_t)take(&at, 8);
        lease->returned = take(&at, 1) != 0;
    }
    return is_sound(state);
}
