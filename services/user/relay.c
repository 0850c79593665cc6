/* One thread, one call at a time: order is kept, and the store is asked only when there is need. */
#include "user/relay.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/log.h"
#include "base/wait.h"
#include "user/direct.h"

#include <pthread.h>
#include <time.h>

enum { BATCHES_MAX = 16, REQUEST_BYTES_MAX = 3 * 1024 * 1024 - 64 * 1024, DOUBLINGS_MAX = 20 };

struct relay {
    struct relay_options options;
    struct arena arena;   /* of a step */
    int failures;         /* in a row */
    int singles;          /* send one batch at a time for so many: one of them is refused */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool woken, stopping, thread_runs;
    struct timespec stop_at;
    pthread_t thread;
};

/* Full jitter: anything up to the doubled span, so that relays do not come in step. */
static int64_t backoff(struct relay *relay, const struct error *err)
{
    int doublings = relay->failures < DOUBLINGS_MAX ? relay->failures : DOUBLINGS_MAX;
    int64_t span = relay->options.backoff_min_ms << doublings;
    uint32_t dice;
    relay->failures++;
    if (span > relay->options.backoff_max_ms)
        span = relay->options.backoff_max_ms;
    id_random_bytes(&dice, sizeof dice);
    int64_t wait = relay->options.backoff_min_ms + (int64_t)(dice % (uint64_t)(span + 1));
    return wait > err->retry_after_ms ? wait : err->retry_after_ms;
}

static int64_t refused(struct relay *relay, const struct store_batch *batches, size_t count,
                       const struct error *refusal)
{
    struct store *store = relay->options.store;
    struct error err = {0};
    char id[ID_TEXT_BYTES + 1];
    if (count > 1) { /* which of them? */
        relay->singles = (int)count;
        return 0;
    }
    id_format(batches[0].id, id);
    log_error("batch_set_aside", LOG_C("batch", id), LOG_I("events", batches[0].count),
              LOG_ERR(refusal));
    if (store->vtable->outbox_set_aside(store, batches[0].id, refusal->text, &err) != CODE_OK) {
        log_error("set_aside_failed", LOG_ERR(&err));
        return backoff(relay, &err);
    }
    if (relay->options.direct)
        (void)direct_drop(relay->options.direct, batches[0].id);
    relay->singles = 0;
    return 0;
}

/* Forgets those that are durable on the other side. */
static enum code forget(struct relay *relay, const struct store_batch *batches, size_t count,
                        const bool *taken, struct error *err)
{
    struct store *store = relay->options.store;
    struct id ids[BATCHES_MAX];
    size_t forgotten = 0;
    for (size_t i = 0; i < count; i++)
        if (taken[i])
            ids[forgotten++] = batches[i].id;
    if (forgotten && store->vtable->outbox_forget(store, ids, forgotten, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; relay->options.direct && i < forgotten; i++)
        (void)direct_drop(relay->options.direct, ids[i]);
    return CODE_OK;
}

/* Nothing is in line: what we still have the body of is in somebody else's. */
static void drop_orphans(struct relay *relay, uint64_t mark)
{
    uint64_t events = relay->options.direct ? direct_drop_orphans(relay->options.direct, mark) : 0;
    if (events)
        log_warn("read_events_lost", LOG_I("count", events),
                 LOG_C("reason", "their shard was taken over, or their outbox damaged"));
}

static int64_t all_taken(struct relay *relay, const struct store_batch *batches, size_t count,
                         bool *taken)
{
    struct error err = {0};
    for (size_t i = 0; i < count; i++)
        taken[i] = true;
    if (forget(relay, batches, count, taken, &err) != CODE_OK) {
        /* They are sent again then; the other side knows them by their ids. */
        log_error("forget_failed", LOG_ERR(&err));
        return backoff(relay, &err);
    }
    if (relay->failures)
        log_info("relay_recovered", LOG_I("failures", relay->failures));
    relay->failures = 0;
    relay->singles -= relay->singles > 0;
    return 0;
}

int64_t relay_step(struct relay *relay)
{
    struct store *store = relay->options.store;
    struct relay_sender *sender = relay->options.sender;
    struct store_batch batches[BATCHES_MAX];
    struct error err = {0}, ignored;
    bool taken[BATCHES_MAX] = {false};
    size_t count = 0;
    uint64_t mark = relay->options.direct ? direct_mark(relay->options.direct) : 0;
    arena_reset(&relay->arena);
    if (store->vtable->outbox_oldest(store, relay->singles ? 1 : BATCHES_MAX, REQUEST_BYTES_MAX,
                                     &relay->arena, batches, &count, &err) != CODE_OK) {
        log_error("outbox_read_failed", LOG_ERR(&err));
        return backoff(relay, &err);
    }
    if (!count) {
        drop_orphans(relay, mark);
        return -1;
    }
    if (relay->options.direct)
        direct_fill(relay->options.direct, batches, count, &relay->arena);
    enum code code = sender->send(sender, batches, count, relay->options.call_ms, taken, &err);
    if (code == CODE_OK)
        return all_taken(relay, batches, count, taken);
    /* One that cannot be forgotten now is sent again: the other side knows it by its id. */
    (void)!forget(relay, batches, count, taken, &ignored);
    if (code == CODE_INVALID_ARGUMENT)
        return refused(relay, batches, count, &err);
    if (!relay->failures)
        log_warn("relay_waits", LOG_ERR(&err));
    return backoff(relay, &err);
}

/* --- the thread --- */

static bool past(const struct timespec *at)
{
    struct timespec now = wait_deadline(0);
    return now.tv_sec > at->tv_sec || (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

/* After a step that asks to wait; false: it is time to end. */
static bool wait_after(struct relay *relay, int64_t wait_ms)
{
    pthread_mutex_lock(&relay->lock);
    struct timespec until = wait_deadline(wait_ms);
    if (wait_ms < 0)
        while (!relay->woken && !relay->stopping)
            pthread_cond_wait(&relay->wake, &relay->lock);
    else if (wait_ms > 0)
        while (!relay->stopping && !past(&until))
            pthread_cond_timedwait(&relay->wake, &relay->lock, &until);
    /* A stopping relay goes on only while it succeeds, in the time that it was given. */
    bool go_on = !relay->stopping || (wait_ms == 0 && !past(&relay->stop_at)) ||
                 (wait_ms < 0 && relay->woken);
    relay->woken = false;
    pthread_mutex_unlock(&relay->lock);
    return go_on;
}

static void *run(void *argument)
{
    struct relay *relay = argument;
    struct error err = {0};
    if (relay->options.store->vtable->outbox_readmit(relay->options.store, &err) != CODE_OK)
        log_error("readmit_failed", LOG_ERR(&err));
    while (wait_after(relay, relay_step(relay)))
        ;
    return NULL;
}

struct relay *relay_new_idle(const struct relay_options *options)
{
    struct relay *relay = xcalloc(1, sizeof *relay);
    relay->options = *options;
    pthread_mutex_init(&relay->lock, NULL);
    wait_cond_init(&relay->wake);
    return relay;
}

struct relay *relay_new(const struct relay_options *options)
{
    struct relay *relay = relay_new_idle(options);
    relay->thread_runs = pthread_create(&relay->thread, NULL, run, relay) == 0;
    if (relay->thread_runs) {
        pthread_setname_np(relay->thread, "relay");
        return relay;
    }
    relay_free(relay, 0);
    return NULL;
}

void relay_wake(void *argument)
{
    struct relay *relay = argument;
    pthread_mutex_lock(&relay->lock);
    relay->woken = true;
    pthread_cond_signal(&relay->wake);
    pthread_mutex_unlock(&relay->lock);
}

void relay_free(struct relay *relay, int64_t grace_ms)
{
    if (!relay)
        return;
    if (relay->thread_runs) {
        pthread_mutex_lock(&relay->lock);
        relay->stopping = true;
        relay->stop_at = wait_deadline(grace_ms);
        pthread_cond_signal(&relay->wake);
        pthread_mutex_unlock(&relay->lock);
        pthread_join(relay->thread, NULL);
    }
    arena_clear(&relay->arena);
    pthread_cond_destroy(&relay->wake);
    pthread_mutex_destroy(&relay->lock);
    xfree(relay);
}
