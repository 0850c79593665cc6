/* The ring's consumer, and the store's sealer. */
#include "user/emitter.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/wait.h"
#include "user/direct.h"
#include "user/event_ring.h"
#include "user/pseudonyms.h"
#include "user/reasons.h"
#include "user/typing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    FLUSH_EVERY_MS = 400,
    SAY_EVERY_MS = 10 * 1000,
    BATCHES_AT_ONCE = 8,
    BATCH_BYTES = EVENT_BATCH_BYTES_MAX + 1024,
};

struct emitter {
    struct emitter_options options;
    struct event_ring *ring;
    struct pseudonyms *pseudonyms;
    atomic_uint_fast64_t shed;  /* dropped after the ring */
    atomic_size_t in_hand;      /* held by `typing`, or taken from the ring and not kept yet */
    atomic_bool hurry;          /* the thread was told already that the ring fills */
    pthread_mutex_t flush_lock; /* one flush at a time; guards the three that follow */
    struct typing *typing;
    uint64_t unsaid;      /* dropped, and not in the log yet */
    int64_t said_ms;      /* monotonic; 0: never */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stopping, thread_runs;
    pthread_t thread;
};

void emitter_put(struct emitter *emitter, const struct event_facts *facts)
{
    struct ring_event told;
    event_make(&told.event, emitter->options.clock, facts);
    told.has_actor = facts->by != NULL;
    if (facts->by)
        told.actor = *facts->by;
    event_ring_put(emitter->ring, &told);
    if (event_ring_waiting(emitter->ring) * 2 > event_ring_slots(emitter->ring) &&
        !atomic_exchange(&emitter->hurry, true)) {
        pthread_mutex_lock(&emitter->lock);
        pthread_cond_signal(&emitter->wake);
        pthread_mutex_unlock(&emitter->lock);
    }
}

enum code emitter_admit(struct emitter *emitter, struct error *err)
{
    struct store_outbox_stats stats;
    emitter->options.store->vtable->outbox_stats(emitter->options.store, &stats);
    if (stats.bytes < emitter->options.outbox_bytes_max)
        return CODE_OK;
    error_set(err, CODE_RESOURCE_EXHAUSTED, REASON_OUTBOX_FULL,
              "too many events wait for the analytics service; reads still work");
    err->retry_after_ms = 5000;
    return err->code;
}

static void set_actor(omnidata_event_v1_Event *event, struct id pseudonym)
{
    id_format(pseudonym, event->actor);
}

struct store_event emitter_write(struct emitter *emitter, const struct store_call *call,
                                 const struct event_facts *facts, struct arena *arena)
{
    omnidata_event_v1_Event event;
    struct buf bytes;
    struct id pseudonym;
    struct error err = {0};
    event_make(&event, emitter->options.clock, facts);
    if (facts->by &&
        pseudonyms_find(emitter->pseudonyms, call, facts->by, &pseudonym, 1, &err) == CODE_OK)
        set_actor(&event, pseudonym);
    buf_init_arena(&bytes, arena, EVENT_BYTES_MAX);
    event_encode(&bytes, &event);
    return (struct store_event){buf_str(&bytes), event_hour(&event)};
}

enum code emitter_forget_actor(struct emitter *emitter, const struct store_call *call,
                               const struct store_actor *actor, struct error *err)
{
    return pseudonyms_forget(emitter->pseudonyms, call, actor, err);
}

uint64_t emitter_dropped(const struct emitter *emitter)
{
    return event_ring_dropped(emitter->ring) + atomic_load(&emitter->shed);
}

size_t emitter_waiting(const struct emitter *emitter)
{
    size_t in_ring = event_ring_waiting(emitter->ring);
    return in_ring + atomic_load(&emitter->in_hand);
}

/* --- flushing --- */

struct flush {
    struct event_batch open; /* the one being filled */
    bool is_open;
    struct store_batch sealed[BATCHES_AT_ONCE];
    size_t count;
    struct arena arena;
    struct ring_event taken[PSEUDONYMS_AT_ONCE];
    bool nameless; /* pseudonyms are not to be had: not asked again in this flush */
};

static void seal_open(struct flush *flush)
{
    struct buf body;
    if (!flush->is_open)
        return;
    buf_init_arena(&body, &flush->arena, BATCH_BYTES);
    event_batch_seal(&flush->open, &body);
    flush->sealed[flush->count++] =
        (struct store_batch){flush->open.id, flush->open.hour, flush->open.count, buf_str(&body)};
    event_batch_clear(&flush->open);
    flush->is_open = false;
}

/* Every ten seconds is often enough to say so: while a queue is away, each flush drops. */
static void drop(struct emitter *emitter, uint64_t events, const char *why)
{
    int64_t now_ms = clock_mono_ms(emitter->options.clock);
    atomic_fetch_add(&emitter->shed, events);
    emitter->unsaid += events;
    if (emitter->said_ms && now_ms < emitter->said_ms + SAY_EVERY_MS)
        return;
    log_warn("read_events_dropped", LOG_I("count", emitter->unsaid), LOG_C("reason", why));
    emitter->unsaid = 0;
    emitter->said_ms = now_ms;
}

static uint64_t events_of(const struct store_batch *batches, size_t count)
{
    uint64_t events = 0;
    for (size_t i = 0; i < count; i++)
        events += batches[i].count;
    return events;
}

/* Keeps what there is room for; in the flush stays what goes to the outbox in its place. */
static void keep_bodies(struct emitter *emitter, struct flush *flush)
{
    size_t kept = 0;
    uint64_t events = 0;
    for (size_t i = 0; i < flush->count; i++) {
        struct store_batch *batch = &flush->sealed[i];
        struct buf lost;
        if (!direct_keep(emitter->options.direct, batch)) {
            events += batch->count;
            continue;
        }
        buf_init_arena(&lost, &flush->arena, BATCH_BYTES);
        event_batch_say_lost(batch->id, batch->hour, batch->count, &lost);
        batch->body = buf_str(&lost);
        flush->sealed[kept++] = *batch;
    }
    flush->count = kept;
    if (events)
        drop(emitter, events, "too many wait for the queue");
}

/* Counted as emitted, or dropped after all: what the relay has sent meanwhile is neither. */
static void settle_bodies(struct emitter *emitter, struct flush *flush, bool announced)
{
    size_t dropped = 0;
    for (size_t i = 0; i < flush->count; i++) {
        if (announced)
            direct_announced(emitter->options.direct, flush->sealed[i].id);
        else if (direct_drop(emitter->options.direct, flush->sealed[i].id))
            flush->sealed[dropped++] = flush->sealed[i];
    }
    flush->count = dropped;
}

static void store_sealed(struct emitter *emitter, struct flush *flush)
{
    struct store *store = emitter->options.store;
    struct store_outbox_stats stats;
    struct error err = {0};
    store->vtable->outbox_stats(store, &stats);
    if (stats.bytes >= emitter->options.outbox_bytes_max / 5 * 4) {
        if (flush->count)
            drop(emitter, events_of(flush->sealed, flush->count), "the outbox is nearly full");
        flush->count = 0;
    }
    if (emitter->options.direct)
        keep_bodies(emitter, flush);
    if (flush->count) {
        enum code code = store->vtable->outbox_add(store, flush->sealed, flush->count, &err);
        if (emitter->options.direct)
            settle_bodies(emitter, flush, code == CODE_OK);
        if (code != CODE_OK)
            drop(emitter, events_of(flush->sealed, flush->count), err.text);
    }
    flush->count = 0;
    arena_reset(&flush->arena);
}

static void add_event(struct emitter *emitter, struct flush *flush,
                      const omnidata_event_v1_Event *event)
{
    char memory[EVENT_BYTES_MAX + 1];
    struct buf bytes = {.ptr = memory, .cap = sizeof memory, .max = EVENT_BYTES_MAX};
    int64_t hour = event_hour(event);
    event_encode(&bytes, event);
    if (flush->is_open && flush->open.hour == hour &&
        event_batch_add(&flush->open, buf_str(&bytes)))
        return;
    seal_open(flush);
    if (flush->count == BATCHES_AT_ONCE)
        store_sealed(emitter, flush);
    event_batch_init(&flush->open, emitter->options.clock, hour);
    flush->is_open = true;
    if (!event_batch_add(&flush->open, buf_str(&bytes)))
        drop(emitter, 1, "an event is larger than a batch");
}

static size_t take_some(struct emitter *emitter, struct flush *flush)
{
    size_t count = 0;
    while (count < PSEUDONYMS_AT_ONCE && event_ring_take(emitter->ring, &flush->taken[count]))
        count++;
    return count;
}

/* An event of which cannot be told who acted is told without. */
static void name_actors(struct emitter *emitter, struct flush *flush, size_t count)
{
    const struct store_call call = {STORE_TENANT, INT64_MAX};
    struct store_actor actors[PSEUDONYMS_AT_ONCE];
    struct id found[PSEUDONYMS_AT_ONCE];
    size_t place[PSEUDONYMS_AT_ONCE], actor_count = 0;
    struct error err = {0};
    for (size_t i = 0; i < count; i++) {
        if (!flush->taken[i].has_actor)
            continue;
        place[actor_count] = i;
        actors[actor_count++] = flush->taken[i].actor;
    }
    if (!actor_count || flush->nameless)
        return;
    if (pseudonyms_find(emitter->pseudonyms, &call, actors, found, actor_count, &err) != CODE_OK) {
        flush->nameless = true;
        log_warn("actors_unknown", LOG_I("events", actor_count), LOG_ERR(&err));
        return;
    }
    for (size_t i = 0; i < actor_count; i++)
        set_actor(&flush->taken[place[i]].event, found[i]);
}

/* Hardly more than the ring holds, so that a flush ends under any load. */
static void add_from_ring(struct emitter *emitter, struct flush *flush)
{
    size_t left = event_ring_slots(emitter->ring), count;
    while (left && (count = take_some(emitter, flush)) > 0) {
        name_actors(emitter, flush, count);
        for (size_t i = 0; i < count; i++)
            if (typing_pass(emitter->typing, &flush->taken[i].event))
                add_event(emitter, flush, &flush->taken[i].event);
        left -= count < left ? count : left;
    }
}

static bool flush_ring(struct emitter *emitter, int64_t now_ms)
{
    struct flush *flush = xcalloc(1, sizeof *flush);
    omnidata_event_v1_Event let_go;
    atomic_store(&emitter->hurry, false);
    /* Told twice for a moment, rather than not at all. */
    atomic_store(&emitter->in_hand,
                 typing_held(emitter->typing) + event_ring_waiting(emitter->ring));
    add_from_ring(emitter, flush);
    while (typing_release(emitter->typing, now_ms, &let_go))
        add_event(emitter, flush, &let_go);
    bool any = flush->is_open;
    if (flush->is_open && flush->count == BATCHES_AT_ONCE)
        store_sealed(emitter, flush);
    seal_open(flush);
    store_sealed(emitter, flush);
    atomic_store(&emitter->in_hand, typing_held(emitter->typing));
    arena_clear(&flush->arena);
    xfree(flush);
    return any;
}

/* As many as wait at the beginning, however small the batches turn out that an hour's end or their
 * bytes cut short; what comes meanwhile is for the next flush, so that this one ends. */
static bool seal_writes(struct emitter *emitter)
{
    struct store *store = emitter->options.store;
    struct store_outbox_stats stats;
    struct error err = {0};
    size_t sealed = 0, some;
    store->vtable->outbox_stats(store, &stats);
    while (sealed < stats.unsealed) {
        if (store->vtable->outbox_seal(store, &some, &err) != CODE_OK) {
            log_error("seal_failed", LOG_ERR(&err));
            break;
        }
        if (!some)
            break;
        sealed += some;
    }
    return sealed > 0;
}

/* What `typing` has held since TYPING_STEP_MS before now_ms goes as well. */
static void flush_until(struct emitter *emitter, int64_t now_ms)
{
    pthread_mutex_lock(&emitter->flush_lock);
    bool any = flush_ring(emitter, now_ms);
    any = seal_writes(emitter) || any;
    pthread_mutex_unlock(&emitter->flush_lock);
    if (any && emitter->options.sealed)
        emitter->options.sealed(emitter->options.argument);
}

void emitter_flush(struct emitter *emitter)
{
    flush_until(emitter, INT64_MAX);
}

static void *run(void *argument)
{
    struct emitter *emitter = argument;
    for (bool stopping = false; !stopping;) {
        struct timespec until = wait_deadline(FLUSH_EVERY_MS);
        pthread_mutex_lock(&emitter->lock);
        if (!emitter->stopping && !atomic_load(&emitter->hurry))
            pthread_cond_timedwait(&emitter->wake, &emitter->lock, &until);
        stopping = emitter->stopping;
        pthread_mutex_unlock(&emitter->lock);
        flush_until(emitter, stopping ? INT64_MAX : clock_wall_ms(emitter->options.clock));
    }
    return NULL;
}

struct emitter *emitter_new_idle(const struct emitter_options *options)
{
    struct emitter *emitter = xcalloc(1, sizeof *emitter);
    emitter->options = *options;
    emitter->ring = event_ring_new(options->ring_slots);
    emitter->pseudonyms = pseudonyms_new(options->store, options->clock);
    emitter->typing = typing_new();
    pthread_mutex_init(&emitter->flush_lock, NULL);
    pthread_mutex_init(&emitter->lock, NULL);
    wait_cond_init(&emitter->wake);
    return emitter;
}

struct emitter *emitter_new(const struct emitter_options *options)
{
    struct emitter *emitter = emitter_new_idle(options);
    emitter->thread_runs = pthread_create(&emitter->thread, NULL, run, emitter) == 0;
    if (emitter->thread_runs) {
        pthread_setname_np(emitter->thread, "emitter");
        return emitter;
    }
    emitter_free(emitter);
    return NULL;
}

void emitter_free(struct emitter *emitter)
{
    if (!emitter)
        return;
    if (emitter->thread_runs) {
        pthread_mutex_lock(&emitter->lock);
        emitter->stopping = true;
        pthread_cond_signal(&emitter->wake);
        pthread_mutex_unlock(&emitter->lock);
        pthread_join(emitter->thread, NULL);
    }
    if (emitter->unsaid)
        log_warn("read_events_dropped", LOG_I("count", emitter->unsaid),
                 LOG_C("reason", "as said before"));
    event_ring_free(emitter->ring);
    pseudonyms_free(emitter->pseudonyms);
    typing_free(emitter->typing);
    pthread_cond_destroy(&emitter->wake);
    pthread_mutex_destroy(&emitter->lock);
    pthread_mutex_destroy(&emitter->flush_lock);
    xfree(emitter);
}
