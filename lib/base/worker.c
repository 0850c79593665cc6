/* A ring of jobs under one mutex: jobs here do I/O, so a cleverer queue would gain nothing. */
#include "base/worker.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    worker_job_fn run;
    void *argument;
};

struct worker_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *ring;
    size_t first, count, max;
    bool stopping;
    size_t thread_count;
    pthread_t *threads;
};

static void *work(void *argument)
{
    struct worker_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->count && !pool->stopping)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (!pool->count)
            break;
        struct job job = pool->ring[pool->first];
        pool->first = (pool->first + 1) % pool->max;
        pool->count--;
        pthread_mutex_unlock(&pool->lock);
        job.run(job.argument);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct worker_pool *worker_pool_new(const char *name, size_t threads, size_t queue_max)
{
    struct worker_pool *pool = xcalloc(1, sizeof *pool);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->max = queue_max ? queue_max : 1;
    pool->ring = xcalloc(pool->max, sizeof *pool->ring);
    pool->threads = xcalloc(threads, sizeof *pool->threads);
    pool->thread_count = threads;
    for (size_t i = 0; i < threads; i++) {
        char shown[16];
        if (pthread_create(&pool->threads[i], NULL, work, pool) != 0) {
            perror("pthread_create");
            abort();
        }
        snprintf(shown, sizeof shown, "%s", name);
        pthread_setname_np(pool->threads[i], shown);
    }
    return pool;
}

bool worker_pool_submit(struct worker_pool *pool, worker_job_fn run, void *job)
{
    pthread_mutex_lock(&pool->lock);
    bool taken = !pool->stopping && pool->count < pool->max;
    if (taken) {
        pool->ring[(pool->first + pool->count++) % pool->max] = (struct job){run, job};
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

size_t worker_pool_waiting(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t count = pool->count;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

void worker_pool_free(struct worker_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    xfree(pool->threads);
    xfree(pool->ring);
    xfree(pool);
}
