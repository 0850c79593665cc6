/*
 * Where events begin: those of reads and failures go through a ring that never waits, those of
 * writes are encoded here and committed by the store with their row. A thread seals both into
 * batches of one hour, so that the relay has something to send at most half a second later; the
 * last search of a caller two seconds later, because whoever types may go on (typing.h). With a
 * `direct` (direct.h) the bodies of read batches wait there and not in the store.
 *
 * When the outbox fills up, reads give way first (from four fifths on their events are dropped and
 * counted), then writes are refused; an event that has committed is never dropped.
 */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "user/event.h"
#include "user/store.h"

struct emitter;

struct emitter_options {
    struct store *store;
    struct direct *direct; /* the caller's; may be NULL */
    const struct clock *clock;
    size_t ring_slots;
    uint64_t outbox_bytes_max;
    void (*sealed)(void *argument); /* called after sealing; may be NULL */
    void *argument;
};

struct emitter *emitter_new(const struct emitter_options *options);

/* Seals what there is, joins, frees. NULL is allowed. */
void emitter_free(struct emitter *emitter);

/* A read, or anything that failed. Never waits. Thread-safe. */
void emitter_put(struct emitter *emitter, const struct event_facts *facts);

/* RESOURCE_EXHAUSTED (OUTBOX_FULL) when no more writes can be told of. */
enum code emitter_admit(struct emitter *emitter, struct error *err) MUST_CHECK;

/* The event of a write that is about to be carried out, in `arena`. The first one of an actor waits
 * for the store to keep its pseudonym. */
struct store_event emitter_write(struct emitter *emitter, const struct store_call *call,
                                 const struct event_facts *facts, struct arena *arena);

/* Nobody can tell any more by whom the events of this actor were; see pseudonyms.h. */
enum code emitter_forget_actor(struct emitter *emitter, const struct store_call *call,
                               const struct store_actor *actor, struct error *err) MUST_CHECK;

/* Read events dropped since the start. */
uint64_t emitter_dropped(const struct emitter *emitter);

/* About how many events of reads and failures are not in the store's books yet; 0 only when none
 * is, and then all that were put before are in the books. */
size_t emitter_waiting(const struct emitter *emitter);

/* Seals all there is, now, in the caller's thread; for tests without a thread. */
void emitter_flush(struct emitter *emitter);

/* As emitter_new, without the thread. */
struct emitter *emitter_new_idle(const struct emitter_options *options);
