/*
 * Batches of read events that go from memory straight to the queue. The outbox holds in place of
 * such a batch only what says that it is lost (event_batch_say_lost), under the same id: it is
 * counted as emitted with that, before anything is sent. The relay sends the batch itself for as
 * long as it lies here, and what the outbox holds when it does not any more: after kill -9. So the
 * body never passes the store, nothing is sent that is not counted, and what is counted and lost is
 * told to the other side, which takes the first batch of an id that comes and no other.
 *
 * Bounded: what does not fit is not kept, and not counted as emitted. Thread-safe.
 */
#pragma once
#include "base/arena.h"
#include "user/store_values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct direct;

struct direct *direct_new(size_t bytes_max);
void direct_free(struct direct *direct);

/* Copies the body; false when there is no room. */
bool direct_keep(struct direct *direct, const struct store_batch *batch);
/* The outbox has its like: from here on it may turn out to be an orphan. */
void direct_announced(struct direct *direct, struct id id);
/* False when it is not here. */
bool direct_drop(struct direct *direct, struct id id);

/* Puts the bodies, copied into `arena`, into those batches that lie here. */
void direct_fill(struct direct *direct, struct store_batch *batches, size_t count,
                 struct arena *arena);

/*
 * What was announced before the mark and is not in the outbox's line any more will never be sent
 * from here: another process has its shard of the outbox. Returns how many events that were.
 */
uint64_t direct_mark(struct direct *direct);
uint64_t direct_drop_orphans(struct direct *direct, uint64_t mark);
