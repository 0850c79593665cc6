/*
 * Reads of single users that arrive together share a request. There are no threads here: of those
 * who wait, one asks for all (at most 100), and hands the answers out; who arrives while as many
 * requests as allowed are under way waits for the next. Nobody waits beyond its own deadline: who
 * leaves takes its name off the list, and when the one who asks runs out of time the others are
 * asked for again by one of them.
 */
#include "user/store_dynamodb_internal.h"

#include "base/alloc.h"
#include "base/wait.h"
#include "user/reasons.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* An answer to many, kept until the last of them has copied its own. Guarded by the lock. */
struct flight {
    struct arena arena;
    int references;
};

enum waiter_state { WAITER_QUEUED, WAITER_ASKED, WAITER_LEADS, WAITER_DONE };

/* On the stack of the one who waits. Guarded by the lock. */
struct waiter {
    struct waiter *next, *before;
    enum waiter_state state;
    uint32_t tenant;
    struct id id;
    struct waiter **place; /* WAITER_ASKED: where the leader keeps it; NULL there when it left */
    pthread_cond_t wake;
    struct flight *flight; /* WAITER_DONE: holds the user */
    struct user *user;
    struct error *err;
};

struct gather {
    struct store_dynamodb *store;
    int under_way, requests_max;
    pthread_mutex_t lock;
    struct waiter *first, *last; /* queued */
};

struct gather *gather_new(struct store_dynamodb *store, int requests_max)
{
    struct gather *gather = xcalloc(1, sizeof *gather);
    gather->store = store;
    gather->requests_max = requests_max;
    pthread_mutex_init(&gather->lock, NULL);
    return gather;
}

void gather_free(struct gather *gather)
{
    if (!gather)
        return;
    pthread_mutex_destroy(&gather->lock);
    xfree(gather);
}

size_t gather_waiting(struct gather *gather)
{
    size_t count = 0;
    pthread_mutex_lock(&gather->lock);
    for (const struct waiter *waiter = gather->first; waiter; waiter = waiter->next)
        count++;
    pthread_mutex_unlock(&gather->lock);
    return count;
}

static void enqueue(struct gather *gather, struct waiter *waiter)
{
    waiter->state = WAITER_QUEUED;
    waiter->next = NULL;
    waiter->before = gather->last;
    *(gather->last ? &gather->last->next : &gather->first) = waiter;
    gather->last = waiter;
}

static void take_out(struct gather *gather, struct waiter *waiter)
{
    *(waiter->before ? &waiter->before->next : &gather->first) = waiter->next;
    *(waiter->next ? &waiter->next->before : &gather->last) = waiter->before;
}

/* Somebody who waits asks next, if one may. */
static void promote(struct gather *gather)
{
    struct waiter *waiter = gather->first;
    if (!waiter || gather->under_way == gather->requests_max)
        return;
    take_out(gather, waiter);
    gather->under_way++;
    waiter->state = WAITER_LEADS;
    pthread_cond_signal(&waiter->wake);
}

static void drop_flight(struct gather *gather, struct flight *flight)
{
    pthread_mutex_lock(&gather->lock);
    bool last = --flight->references == 0;
    pthread_mutex_unlock(&gather->lock);
    if (!last)
        return;
    arena_clear(&flight->arena);
    xfree(flight);
}

/* The leader itself stands first; with it those of its tenant that come next in line. */
static size_t board(struct gather *gather, struct waiter *leader, struct waiter **aboard)
{
    size_t count = 0;
    aboard[count++] = leader;
    for (struct waiter *waiter = gather->first, *next; waiter && count < DYNAMODB_BATCH_KEYS;
         waiter = next) {
        next = waiter->next;
        if (waiter->tenant != leader->tenant)
            continue;
        take_out(gather, waiter);
        waiter->state = WAITER_ASKED;
        waiter->place = &aboard[count];
        aboard[count++] = waiter;
    }
    return count;
}

static void hand_out(struct gather *gather, struct waiter **aboard, struct user *const *users,
                     size_t count, struct flight *flight, const struct error *err)
{
    bool late = err->code == CODE_DEADLINE_EXCEEDED;
    for (size_t i = 1; i < count; i++) {
        struct waiter *waiter = aboard[i];
        if (!waiter)
            continue;
        if (late) { /* the leader's time was short; theirs may not be */
            enqueue(gather, waiter);
            continue;
        }
        waiter->state = WAITER_DONE;
        *waiter->err = *err;
        if (err->code == CODE_OK) {
            waiter->user = users[i];
            waiter->flight = flight;
            flight->references++;
        }
        pthread_cond_signal(&waiter->wake);
    }
}

static enum code lead(struct gather *gather, struct waiter *leader, int64_t until_ms)
{
    struct flight *flight = xcalloc(1, sizeof *flight);
    struct waiter *aboard[DYNAMODB_BATCH_KEYS];
    struct user *users[DYNAMODB_BATCH_KEYS] = {0};
    struct id ids[DYNAMODB_BATCH_KEYS];
    flight->references = 1;
    pthread_mutex_lock(&gather->lock);
    size_t count = board(gather, leader, aboard);
    for (size_t i = 0; i < count; i++)
        ids[i] = aboard[i]->id;
    pthread_mutex_unlock(&gather->lock);
    enum code code = dynamodb_load_many(gather->store, leader->tenant, ids, count, until_ms,
                                        &flight->arena, users, leader->err);
    pthread_mutex_lock(&gather->lock);
    hand_out(gather, aboard, users, count, flight, leader->err);
    gather->under_way--;
    promote(gather);
    pthread_mutex_unlock(&gather->lock);
    leader->flight = flight;
    leader->user = users[0];
    return code;
}

/* Until it leads, is answered, or its time is over. */
static void wait_turn(struct gather *gather, struct waiter *waiter, int64_t remaining_ms)
{
    struct timespec until = wait_deadline(remaining_ms);
    int late = 0;
    while (waiter->state != WAITER_LEADS && waiter->state != WAITER_DONE && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&waiter->wake, &gather->lock, &until);
    if (waiter->state == WAITER_QUEUED)
        take_out(gather, waiter);
    else if (waiter->state == WAITER_ASKED)
        *waiter->place = NULL;
    else
        return;
    waiter->state = WAITER_DONE;
    error_set(waiter->err, CODE_DEADLINE_EXCEEDED, REASON_DEADLINE,
              "the store did not answer in time");
}

static void init_wake(struct waiter *waiter)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

enum code gather_get(struct gather *gather, const struct store_call *call, struct id id,
                     struct arena *arena, struct user *user, bool *found, struct error *err)
{
    struct waiter waiter = {.tenant = call->tenant, .id = id, .err = err};
    int64_t until_ms = dynamodb_until(&gather->store->table.ops, call->remaining_ms);
    *found = false;
    init_wake(&waiter);
    pthread_mutex_lock(&gather->lock);
    enqueue(gather, &waiter);
    promote(gather);
    wait_turn(gather, &waiter, call->remaining_ms);
    bool leads = waiter.state == WAITER_LEADS;
    pthread_mutex_unlock(&gather->lock);
    enum code code = leads ? lead(gather, &waiter, until_ms) : err->code;
    if (code == CODE_OK && waiter.user) {
        *user = user_copy(arena, waiter.user);
        *found = true;
    }
    if (waiter.flight)
        drop_flight(gather, waiter.flight);
    pthread_cond_destroy(&waiter.wake);
    return code;
}
