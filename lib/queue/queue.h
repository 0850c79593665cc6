/*
 * A durable queue as a port: messages are received under a lease and stay until they are deleted;
 * a lease that ends unextended makes its message receivable again (at-least-once, like SQS).
 * Implementations: queue_sqlite.c, queue_sqs.c. All functions are thread-safe.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct queue_message {
    struct str id;     /* the sender's: the batch id */
    struct str handle; /* of this receipt: for extend, release and delete */
    struct str body;
    int64_t receive_count; /* this receipt included */
    int64_t sent_ms;       /* UTC */
};

struct queue_stats {
    uint64_t messages; /* leased ones included */
    uint64_t units;    /* the sum of what senders gave as `units`; 0 when not known */
    int64_t oldest_ms; /* UTC time of the oldest message; 0 when there is none, or not known */
    int64_t since_ms;  /* UTC; no message that waits was sent before; 0 when there is none */
};

struct queue_item {
    struct str id, body;
    uint64_t units;
};

struct queue {
    const struct queue_vtable *vtable;
};

struct queue_vtable {
    /* Durable when it returns OK; after an error send all again. An id that waits already is not
     * stored twice by queues that can tell; others deliver it twice.
     * RESOURCE_EXHAUSTED when the disk or the queue is full, INVALID_ARGUMENT for an item that the
     * queue can never take: none is stored then by queues that can tell beforehand. */
    enum code (*send)(struct queue *queue, const struct queue_item *items, size_t count,
                      struct error *err);
    /* Up to `max` messages in `arena`, leased for `lease_ms`; waits up to `wait_ms` for the first.
     * *count may be 0. */
    enum code (*receive)(struct queue *queue, size_t max, int64_t lease_ms, int64_t wait_ms,
                         struct arena *arena, struct queue_message *messages, size_t *count,
                         struct error *err);
    /* A new lease from now on. NOT_FOUND when the lease was lost or the message is gone. */
    enum code (*extend)(struct queue *queue, struct str handle, int64_t lease_ms,
                        struct error *err);
    /* The same for many at once: lost[i] says that the i-th lease was lost. An error says nothing
     * about any of them. */
    enum code (*extend_many)(struct queue *queue, const struct str *handles, size_t count,
                             int64_t lease_ms, bool *lost, struct error *err);
    /* Deletes; a stale handle is not an error and deletes nothing. */
    enum code (*remove)(struct queue *queue, const struct str *handles, size_t count,
                        struct error *err);
    /* Wakes receivers that wait, for shutdown: nobody should wait for messages any more. */
    void (*wake)(struct queue *queue);
    enum code (*stats)(struct queue *queue, struct queue_stats *stats, struct error *err);
    void (*free)(struct queue *queue);
};

static inline void queue_free(struct queue *queue)
{
    if (queue)
        queue->vtable->free(queue);
}
