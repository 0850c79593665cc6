/* Ten handles a call, and as many calls side by side as the pool has threads: twenty thousand
 * leases are extended in seconds. */
#include "queue/queue_sqs_internal.h"

#include "base/alloc.h"

#include <string.h>

enum {
    CAP_MS = (SQS_VISIBILITY_MAX_S - 60) * 1000, /* of a receipt, however often it is extended */
    TRIES = 3,
};

/* --- handles, ten at a time, batches side by side --- */

struct fan {
    struct queue_sqs *q;
    const struct str *handles;
    size_t count;
    int64_t visibility_s; /* -1: delete */
    bool *lost;           /* may be NULL */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    size_t left;
    struct error err; /* of the first batch that failed */
};

struct fan_job {
    struct fan *fan;
    size_t first, count;
};

/* The message is no longer ours: gone, expired, or past the twelve hours. */
static bool tells_of_loss(const struct sqs_outcome *outcome)
{
    static const char *const names[] = {
        "ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue",
        "AWS.SimpleQueueService.MessageNotInflight", "InvalidReceiptHandle"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(outcome->error, names[i]) == 0)
            return true;
    return outcome->senders_fault;
}

static enum code send_handles(const struct fan *fan, const struct str *handles, size_t count,
                              struct sqs_outcome *outcomes, struct error *err)
{
    struct queue_sqs *q = fan->q;
    if (fan->visibility_s < 0)
        return sqs_delete(q->queue, handles, count, q->call_ms, outcomes, err);
    return sqs_change_visibility(q->queue, handles, count, fan->visibility_s, q->call_ms, outcomes,
                                 err);
}

/* A batch that came twice is asked for twice by its last receipt; some servers refuse that. */
static bool is_among(struct str handle, const struct str *handles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(handle, handles[i]))
            return true;
    return false;
}

/* Those that failed by no fault of ours once more; lost[place] for those that are lost. */
static enum code run_batch(struct fan *fan, size_t first, size_t count, struct error *err)
{
    struct str handles[SQS_BATCH_MAX];
    size_t places[SQS_BATCH_MAX];
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_among(fan->handles[first + i], handles, distinct))
            continue;
        handles[distinct] = fan->handles[first + i];
        places[distinct++] = first + i;
    }
    count = distinct;
    for (int attempt = 0; count && attempt < TRIES; attempt++) {
        struct sqs_outcome outcomes[SQS_BATCH_MAX];
        size_t again = 0;
        if (send_handles(fan, handles, count, outcomes, err) != CODE_OK)
            return err->code;
        for (size_t i = 0; i < count; i++) {
            if (!outcomes[i].ok && tells_of_loss(&outcomes[i])) {
                if (fan->lost)
                    fan->lost[places[i]] = true;
            } else if (!outcomes[i].ok) {
                error_set(err, CODE_UNAVAILABLE, outcomes[i].error, "sqs: %s", outcomes[i].error);
                handles[again] = handles[i];
                places[again++] = places[i];
            }
        }
        count = again;
    }
    return count ? err->code : CODE_OK;
}

static void run_job(void *argument)
{
    struct fan_job *job = argument;
    struct fan *fan = job->fan;
    struct error err = {0};
    enum code code = run_batch(fan, job->first, job->count, &err);
    pthread_mutex_lock(&fan->lock);
    if (code != CODE_OK && !fan->err.code)
        fan->err = err;
    if (--fan->left == 0)
        pthread_cond_signal(&fan->changed);
    pthread_mutex_unlock(&fan->lock);
    xfree(job);
}

enum code sqs_for_all(struct queue_sqs *q, const struct str *handles, size_t count,
                      int64_t visibility_s, bool *lost, struct error *err)
{
    struct fan fan = {.q = q,
                      .handles = handles,
                      .count = count,
                      .visibility_s = visibility_s,
                      .lost = lost,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER,
                      .left = (count + SQS_BATCH_MAX - 1) / SQS_BATCH_MAX};
    for (size_t first = 0; first < count; first += SQS_BATCH_MAX) {
        struct fan_job *job = xcalloc(1, sizeof *job);
        size_t left = count - first;
        *job = (struct fan_job){&fan, first, left < SQS_BATCH_MAX ? left : SQS_BATCH_MAX};
        if (!worker_pool_submit(q->pool, run_job, job)) /* full: this thread helps */
            run_job(job);
    }
    pthread_mutex_lock(&fan.lock);
    while (fan.left)
        pthread_cond_wait(&fan.changed, &fan.lock);
    pthread_mutex_unlock(&fan.lock);
    pthread_mutex_destroy(&fan.lock);
    pthread_cond_destroy(&fan.changed);
    if (!fan.err.code)
        return CODE_OK;
    *err = fan.err;
    return err->code;
}

/* --- leases --- */

/* Sorts out what is lost by our own clock; the handles that are left go to `kept`, their places to
 * `places`. */
static size_t sort_out(struct queue_sqs *q, const struct str *handles, size_t count,
                       int64_t lease_ms, bool *lost, struct str *kept, size_t *places)
{
    size_t left = 0;
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < count; i++) {
        int64_t most = lease_ms > 0 ? lease_ms : 1;
        lost[i] = leases_may_extend(&q->leases, handles[i], sqs_now_ms(), most, CAP_MS) < most;
        if (!lost[i]) {
            places[left] = i;
            kept[left++] = handles[i];
        }
    }
    pthread_mutex_unlock(&q->lock);
    return left;
}

static void note(struct queue_sqs *q, const struct str *handles, size_t count, int64_t began_ms,
                 int64_t lease_ms, const bool *lost)
{
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < count; i++)
        leases_extend(&q->leases, handles[i], began_ms, lost[i] ? 0 : lease_ms);
    pthread_mutex_unlock(&q->lock);
}

enum code sqs_extend_all(struct queue_sqs *q, const struct str *handles, size_t count,
                         int64_t lease_ms, bool *lost, struct error *err)
{
    struct arena arena = {0};
    struct str *kept = arena_alloc(&arena, (count + 1) * sizeof *kept);
    size_t *places = arena_alloc(&arena, (count + 1) * sizeof *places);
    bool *kept_lost = arena_alloc0(&arena, count + 1);
    int64_t began_ms = sqs_now_ms();
    size_t left = sort_out(q, handles, count, lease_ms, lost, kept, places);
    enum code code = sqs_for_all(q, kept, left, sqs_seconds_of(lease_ms), kept_lost, err);
    if (code == CODE_OK) {
        note(q, kept, left, began_ms, lease_ms, kept_lost);
        for (size_t i = 0; i < left; i++)
            lost[places[i]] = kept_lost[i];
    }
    arena_clear(&arena);
    return code;
}
