/* Heartbeats have a thread of their own because a round may take longer than a lease: an archive
 * that is slow must not cost the messages. */
#include "analytics/consumer_run.h"

#include "base/alloc.h"
#include "base/wait.h"

#include <pthread.h>
#include <time.h>

enum { WAIT_MS = 500 };

struct consumer_run {
    struct consumer *consumer;
    struct queue *queue;
    int64_t beat_ms, grace_ms;
    bool recover_all;
    pthread_t worker, heart;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, heart_stopping, finished;
};

/* Waits; true when *flag was set. */
static bool wait_for(struct consumer_run *run, const bool *flag, int64_t wait_ms)
{
    struct timespec until = wait_deadline(wait_ms);
    int result = 0;
    pthread_mutex_lock(&run->lock);
    while (!*flag && result == 0 && wait_ms > 0)
        result = pthread_cond_timedwait(&run->changed, &run->lock, &until);
    bool set = *flag;
    pthread_mutex_unlock(&run->lock);
    return set;
}

static void *work(void *argument)
{
    struct consumer_run *run = argument;
    int64_t pause_ms = 0;
    if (run->recover_all)
        consumer_recover(run->consumer, INT64_MAX);
    while (!wait_for(run, &run->stopping, pause_ms))
        pause_ms = consumer_step(run->consumer, WAIT_MS);
    run->finished = consumer_drain(run->consumer, run->grace_ms);
    return NULL;
}

static void *beat(void *argument)
{
    struct consumer_run *run = argument;
    do {
        consumer_heartbeat(run->consumer);
    } while (!wait_for(run, &run->heart_stopping, run->beat_ms));
    return NULL;
}

static void set_flag(struct consumer_run *run, bool *flag)
{
    pthread_mutex_lock(&run->lock);
    *flag = true;
    pthread_cond_broadcast(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

enum code consumer_run_start(const struct consumer_options *options, bool recover_all,
                             struct consumer_run **run, struct error *err)
{
    struct consumer_run *r = xcalloc(1, sizeof *r);
    if (consumer_new(options, &r->consumer, err) != CODE_OK) {
        xfree(r);
        return err->code;
    }
    r->queue = options->queue;
    r->beat_ms = options->lease_ms / 3 > 0 ? options->lease_ms / 3 : 1;
    r->recover_all = recover_all;
    pthread_mutex_init(&r->lock, NULL);
    wait_cond_init(&r->changed);
    if (pthread_create(&r->heart, NULL, beat, r) != 0)
        goto no_heart;
    if (pthread_create(&r->worker, NULL, work, r) != 0)
        goto no_worker;
    pthread_setname_np(r->heart, "heartbeat");
    pthread_setname_np(r->worker, "consumer");
    *run = r;
    return CODE_OK;
no_worker:
    set_flag(r, &r->heart_stopping);
    pthread_join(r->heart, NULL);
no_heart:
    consumer_free(r->consumer);
    xfree(r);
    return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the consumer's threads");
}

bool consumer_run_stop(struct consumer_run *run, int64_t grace_ms)
{
    if (!run)
        return true;
    run->grace_ms = grace_ms;
    set_flag(run, &run->stopping);
    run->queue->vtable->wake(run->queue);
    pthread_join(run->worker, NULL);
    set_flag(run, &run->heart_stopping);
    pthread_join(run->heart, NULL);
    bool finished = run->finished;
    consumer_free(run->consumer);
    pthread_cond_destroy(&run->changed);
    pthread_mutex_destroy(&run->lock);
    xfree(run);
    return finished;
}
