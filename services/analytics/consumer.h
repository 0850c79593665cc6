/*
 * The consumer: from the queue to the archive and the trends, each batch exactly once, whatever
 * dies, stops or is repeated. The protocol, per part of a batch (batch.h):
 *
 *   claim    one conditional insert in the ledger: dedupe, ownership and counting in one
 *   spool    its rows go to the object of their hour, on the local disk
 *   seal     the object's members and digest, in the ledger
 *   commit   the object is created, if its key is free
 *   mark     the ledger takes note
 *   ack      batches whose parts are all archived are deleted from the queue
 *
 * Somebody else's claim whose owner gives no sign of life is settled at its key: a tombstone (an
 * object without rows) is created there. If that succeeds, the owner's object can never land and
 * the claim may be taken over; if the key is taken, what lies there tells whether the part is
 * archived. The owner, should it wake up, finds the tombstone, forgets its work and writes nothing.
 * tests/model/archive_protocol.py checks this exhaustively for small numbers.
 *
 * A consumer is one thread's; consumer_heartbeat may run beside it. consumer_run.h has the threads.
 */
#pragma once
#include "analytics/archive.h"
#include "analytics/ledger.h"
#include "base/clock.h"
#include "queue/queue.h"

/* Called for each batch whose events were claimed by nobody before. */
typedef void (*consumer_fresh_fn)(void *argument, const struct batch *batch, struct str body);

struct consumer_options {
    struct queue *queue;
    struct archive *archive;
    struct ledger *ledger;
    const struct clock *clock;
    const char *spool_dir; /* its own; what lies there is removed */
    int64_t lease_ms;      /* of messages; heartbeats come every third of it */
    int64_t stale_ms;      /* a consumer that was not seen for so long is taken for dead */
    int64_t segment_age_ms, segment_bytes;
    int64_t retention_ms;        /* of the ledger */
    int64_t trends_retention_ms; /* of minutes and search texts */
    int64_t retry_ms;            /* pause after a failure */
    int compression_level;
    size_t group_max;    /* messages taken at once */
    size_t held_max;     /* messages held at most */
    size_t segments_max; /* objects open at once */
    consumer_fresh_fn fresh;
    void *fresh_argument;
};

struct consumer;

/* Makes and clears the spool directory. FAILED_PRECONDITION naming it when that cannot be done. */
enum code consumer_new(const struct consumer_options *options, struct consumer **consumer,
                       struct error *err) MUST_CHECK;

/* Forgets everything, as a crash would; nothing is released or acknowledged. NULL is allowed. */
void consumer_free(struct consumer *consumer);

/* Settles unfinished intents of consumers that were last seen before `before_ms` (wall clock). */
void consumer_recover(struct consumer *consumer, int64_t before_ms);

/*
 * One round: finish what is due, take a group of messages (waiting up to `wait_ms` for the first),
 * claim, spool, fold. Failures are logged and tried again in later rounds. Returns how long to
 * pause before the next round, in milliseconds; 0: no pause.
 */
int64_t consumer_step(struct consumer *consumer, int64_t wait_ms);

/* Keeps the leases of all messages held, and says that this consumer lives. Thread-safe. */
void consumer_heartbeat(struct consumer *consumer);

/* Closes all objects; call consumer_step no more. Tries for up to `grace_ms`, releases what is not
 * done by then. True when all was done. */
bool consumer_drain(struct consumer *consumer, int64_t grace_ms);

/* Objects that are open or not acknowledged yet. */
size_t consumer_segment_count(const struct consumer *consumer);
