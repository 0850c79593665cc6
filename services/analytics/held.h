/*
 * The messages that a consumer holds: by batch, with the receipt's handle and the parts that are
 * not archived yet. Heartbeats read it from another thread, so it has a lock of its own.
 */
#pragma once
#include "analytics/batch.h"
#include "queue/queue.h"

#include <pthread.h>

struct held_message {
    struct id batch; /* all zero: a free slot */
    char *handle;
    uint8_t pending; /* bit per part kind */
    bool lost;       /* the lease; no more heartbeats */
};

struct held {
    pthread_mutex_t lock;
    struct held_message *slots;
    size_t count, slot_count; /* slot_count: a power of two, or 0 */
};

void held_init(struct held *held);
void held_clear(struct held *held);
size_t held_count(struct held *held);

/* A receipt of a batch; one that is held already gets the new handle, and its pending parts grow.
 */
void held_add(struct held *held, struct id batch, struct str handle, uint8_t pending);

/* The part needs no more work; *pending (may be NULL) gets what is left. False when the batch is
 * not held. */
bool held_settle(struct held *held, struct id batch, enum batch_part_kind kind, uint8_t *pending);

/* What is pending; 0 when the batch is not held. */
uint8_t held_pending(struct held *held, struct id batch);

/* The handle, the caller's to free; NULL when the batch is not held. `take`: it is not held any
 * more. */
char *held_handle(struct held *held, struct id batch, bool take);

/* Extends every lease that was not lost. */
enum code held_extend(struct held *held, struct queue *queue, int64_t lease_ms,
                      struct error *err) MUST_CHECK;

/* Gives all leases back and holds nothing any more. */
void held_release_all(struct held *held, struct queue *queue);
