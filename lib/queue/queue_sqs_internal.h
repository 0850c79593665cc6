/* Between the files of the SQS queue: queue_sqs.c (the port), queue_sqs_buffer.c (polls, and what
 * they brought), queue_sqs_handles.c (extending, releasing, deleting). */
#pragma once
#include "aws/sqs.h"
#include "base/clock.h"
#include "base/worker.h"
#include "queue/leases.h"
#include "queue/queue.h"

#include <pthread.h>

struct waiting {
    struct waiting *next;
    char *id, *handle;
    struct str body; /* as it came */
    int64_t receive_count, sent_ms;
    int64_t kept_ms; /* monotonic: of the last heartbeat */
};

struct queue_sqs {
    struct queue base;
    struct aws_client *client, *poll_client;
    struct sqs_queue *queue;
    struct worker_pool *pool;
    int64_t call_ms;
    pthread_t keeper;
    bool keeper_runs;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct waiting *first, **end;
    size_t count;
    struct leases leases;       /* of all receipts, handed out or not */
    size_t polls, polls_wanted; /* under way; side by side at most */
    int64_t lease_ms, wanted_until_ms, paused_until_ms;
    bool slow;  /* heartbeats take longer than they may */
    bool ended; /* woken for shutdown: no more polls, so that none takes what is released */
    bool stopping;
};

static inline int64_t sqs_now_ms(void)
{
    return clock_mono_ms(clock_real());
}

static inline int64_t sqs_seconds_of(int64_t ms)
{
    int64_t seconds = (ms + 999) / 1000;
    return seconds < SQS_VISIBILITY_MAX_S ? seconds : SQS_VISIBILITY_MAX_S;
}

/* --- the buffer; with the lock held --- */

/* Starts the polls that are wanted and for which there is room. */
void sqs_buffer_poll(struct queue_sqs *q);
/* The oldest message, the caller's; NULL when there is none. */
struct waiting *sqs_buffer_take(struct queue_sqs *q);
void sqs_buffer_free_message(struct waiting *message);
/* Extends the leases of what is due; gives up the lock meanwhile. */
void sqs_buffer_keep(struct queue_sqs *q);

/* --- handles: any number, in batches that go out side by side --- */

/* visibility_s -1: delete. lost[i] (may be NULL) is set for those that SQS no longer takes. */
enum code sqs_for_all(struct queue_sqs *q, const struct str *handles, size_t count,
                      int64_t visibility_s, bool *lost, struct error *err) MUST_CHECK;
/* Extends those that are still ours by our own clock; lost[i] for the others. */
enum code sqs_extend_all(struct queue_sqs *q, const struct str *handles, size_t count,
                         int64_t lease_ms, bool *lost, struct error *err) MUST_CHECK;
