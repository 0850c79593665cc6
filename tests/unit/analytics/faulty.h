/*
 * Ports around ports: at the n-th call, of whatever port, something happens: the call fails without
 * effect, or it takes effect and its reply is lost, or the process dies before or after the effect
 * (from then on nothing has any effect), or everybody else gets to run before the call goes on.
 */
#pragma once
#include "tests/unit/analytics/pipeline.h"

enum fault_mode {
    FAULT_NONE,
    FAULT_FAIL,
    FAULT_REPLY_LOST,
    FAULT_DIE_BEFORE,
    FAULT_DIE_AFTER,
    FAULT_PAUSE_BEFORE,
    FAULT_PAUSE_AFTER,
};

struct faults {
    enum fault_mode mode;
    int at, calls; /* the call it happens at, from 1; calls so far */
    bool dead, happened;
    void (*pause)(void *argument);
    void *argument;
    struct place inner;
    struct queue queue;
    struct ledger ledger;
    struct archive archive;
};

static struct faults *active_faults;

static inline enum code broken(struct error *err)
{
    return error_set(err, CODE_UNAVAILABLE, "FAULT", "made to fail");
}

/* True: the call does not take place. */
static inline bool fault_before(void)
{
    struct faults *f = active_faults;
    bool now = ++f->calls == f->at;
    f->happened |= now;
    if (now && f->mode == FAULT_DIE_BEFORE)
        f->dead = true;
    if (now && f->mode == FAULT_PAUSE_BEFORE)
        f->pause(f->argument);
    return f->dead || (now && f->mode == FAULT_FAIL);
}

static inline enum code fault_after(enum code code, struct error *err)
{
    struct faults *f = active_faults;
    bool now = f->calls == f->at;
    if (now && f->mode == FAULT_DIE_AFTER)
        f->dead = true;
    if (now && f->mode == FAULT_PAUSE_AFTER)
        f->pause(f->argument);
    return f->dead || (now && f->mode == FAULT_REPLY_LOST) ? broken(err) : code;
}

/* One forwarding function: name, parameters after the port, arguments after the port, error. */
#define FAULTY(port, name, parameters, arguments) \
    static inline enum code faulty_##port##_##name parameters \
    { \
        struct port *inner = active_faults->inner.port; \
        (void)self; \
        if (fault_before()) \
            return broken(err); \
        return fault_after(inner->vtable->name arguments, err); \
    }

FAULTY(queue, receive,
       (struct queue * self, size_t max, int64_t lease_ms, int64_t wait_ms, struct arena *arena,
        struct queue_message *messages, size_t *count, struct error *err),
       (inner, max, lease_ms, wait_ms, arena, messages, count, err))
FAULTY(queue, extend, (struct queue * self, struct str handle, int64_t lease_ms, struct error *err),
       (inner, handle, lease_ms, err))
FAULTY(queue, extend_many,
       (struct queue * self, const struct str *handles, size_t count, int64_t lease_ms, bool *lost,
        struct error *err),
       (inner, handles, count, lease_ms, lost, err))
FAULTY(queue, remove,
       (struct queue * self, const struct str *handles, size_t count, struct error *err),
       (inner, handles, count, err))
FAULTY(queue, stats, (struct queue * self, struct queue_stats *stats, struct error *err),
       (inner, stats, err))

FAULTY(archive, create,
       (struct archive * self, struct str key, const struct archive_source *source,
        struct error *err),
       (inner, key, source, err))
FAULTY(archive, stat,
       (struct archive * self, struct str key, struct archive_object *object, struct error *err),
       (inner, key, object, err))

FAULTY(ledger, begin, (struct ledger * self, const struct ledger_intent *intent, struct error *err),
       (inner, intent, err))
FAULTY(ledger, claim,
       (struct ledger * self, struct ledger_claim *claims, size_t count, struct error *err),
       (inner, claims, count, err))
FAULTY(ledger, steal,
       (struct ledger * self, struct part_id part, struct id holder, struct id to, bool *stolen,
        struct error *err),
       (inner, part, holder, to, stolen, err))
FAULTY(ledger, seal,
       (struct ledger * self, struct id intent, const struct ledger_seal *seal, struct error *err),
       (inner, intent, seal, err))
FAULTY(ledger, finish,
       (struct ledger * self, struct id intent, enum ledger_state state, struct error *err),
       (inner, intent, state, err))
FAULTY(ledger, get,
       (struct ledger * self, struct id intent, struct ledger_intent *found, struct error *err),
       (inner, intent, found, err))
FAULTY(ledger, holds,
       (struct ledger * self, struct id intent, struct part_id part, bool *held, struct error *err),
       (inner, intent, part, held, err))
FAULTY(ledger, stale,
       (struct ledger * self, struct id consumer, int64_t before_ms, struct id *intents, size_t max,
        size_t *count, struct error *err),
       (inner, consumer, before_ms, intents, max, count, err))
FAULTY(ledger, beat, (struct ledger * self, struct id consumer, int64_t seen_ms, struct error *err),
       (inner, consumer, seen_ms, err))
FAULTY(ledger, fold, (struct ledger * self, size_t max, size_t *folded, struct error *err),
       (inner, max, folded, err))
FAULTY(ledger, count_duplicates, (struct ledger * self, uint64_t batches, struct error *err),
       (inner, batches, err))
FAULTY(ledger, purge,
       (struct ledger * self, int64_t before_ms, int64_t trends_before_s, struct error *err),
       (inner, before_ms, trends_before_s, err))

static const struct queue_vtable FAULTY_QUEUE = {
    .receive = faulty_queue_receive,
    .extend = faulty_queue_extend,
    .extend_many = faulty_queue_extend_many,
    .remove = faulty_queue_remove,
    .stats = faulty_queue_stats,
};
static const struct archive_vtable FAULTY_ARCHIVE = {
    .create = faulty_archive_create,
    .stat = faulty_archive_stat,
};
static const struct ledger_vtable FAULTY_LEDGER = {
    .begin = faulty_ledger_begin,
    .claim = faulty_ledger_claim,
    .steal = faulty_ledger_steal,
    .seal = faulty_ledger_seal,
    .finish = faulty_ledger_finish,
    .get = faulty_ledger_get,
    .holds = faulty_ledger_holds,
    .stale = faulty_ledger_stale,
    .beat = faulty_ledger_beat,
    .fold = faulty_ledger_fold,
    .count_duplicates = faulty_ledger_count_duplicates,
    .purge = faulty_ledger_purge,
};

/* A place whose ports fail as `faults` says; `faults` must outlive it. */
static inline struct place faulty_place(struct faults *faults, const struct place *place,
                                        enum fault_mode mode, int at)
{
    struct place outer = *place;
    *faults = (struct faults){.mode = mode, .at = at, .inner = *place};
    faults->queue.vtable = &FAULTY_QUEUE;
    faults->archive.vtable = &FAULTY_ARCHIVE;
    faults->ledger.vtable = &FAULTY_LEDGER;
    outer.queue = &faults->queue;
    outer.archive = &faults->archive;
    outer.ledger = &faults->ledger;
    active_faults = faults;
    return outer;
}

/* --- running a consumer over a place --- */

enum { PLACE_ROUNDS_MAX = 400 };

static inline bool place_is_empty(struct place *p)
{
    struct queue_stats stats;
    struct error err;
    assert_int_equal(p->queue->vtable->stats(p->queue, &stats, &err), CODE_OK);
    return stats.messages == 0;
}

/* Rounds with heartbeats, the clock going on, until everything is done or the process is dead. */
static inline void place_run(struct place *p, struct consumer *c, const struct faults *faults)
{
    for (int round = 0; round < PLACE_ROUNDS_MAX && !(faults && faults->dead); round++) {
        consumer_step(c, 0);
        consumer_heartbeat(c);
        now_ms += 700;
        if (place_is_empty(p) && consumer_segment_count(c) == 0)
            break;
    }
}

static inline void place_finish(struct place *p, const char *spool)
{
    struct consumer *c = place_consumer(p, spool);
    consumer_recover(c, INT64_MAX);
    place_run(p, c, NULL);
    assert_true(place_is_empty(p));
    assert_true(consumer_drain(c, 0));
    consumer_free(c);
}
