/*
 * A bounded pool of threads that run jobs in the order they came. Full means refused, at once:
 * waiting happens nowhere else.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct worker_pool;

typedef void (*worker_job_fn)(void *job);

/* `queue_max` jobs may wait beside the ones that run. Threads are named `name` (15 bytes shown). */
struct worker_pool *worker_pool_new(const char *name, size_t threads, size_t queue_max);

/* False when the queue is full or the pool stops; then `run` is never called. Thread-safe. */
bool worker_pool_submit(struct worker_pool *pool, worker_job_fn run, void *job)
    __attribute__((warn_unused_result));

/* Jobs that wait now. */
size_t worker_pool_waiting(struct worker_pool *pool);

/* Runs what is queued, refuses more, joins the threads, frees. NULL is allowed. */
void worker_pool_free(struct worker_pool *pool);
