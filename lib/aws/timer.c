/* A list in the order of time: there are few entries, as pauses are rare. */
#include "aws/timer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/wait.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

struct entry {
    struct entry *next;
    int64_t at_ms; /* CLOCK_MONOTONIC */
    aws_timer_fn fn;
    void *argument;
};

struct aws_timer {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct entry *first;
    bool stopping, joined;
};

static int64_t now_ms(void)
{
    return clock_mono_ms(clock_real());
}

static struct entry *take_due(struct aws_timer *timer)
{
    struct entry *entry = timer->first;
    if (!entry || (entry->at_ms > now_ms() && !timer->stopping))
        return NULL;
    timer->first = entry->next;
    return entry;
}

static void call(struct entry *entry)
{
    entry->fn(entry->argument);
    xfree(entry);
}

static void wait_for_change(struct aws_timer *timer)
{
    if (!timer->first) {
        pthread_cond_wait(&timer->changed, &timer->lock);
        return;
    }
    struct timespec until = {timer->first->at_ms / 1000, timer->first->at_ms % 1000 * 1000000};
    pthread_cond_timedwait(&timer->changed, &timer->lock, &until);
}

static void *run(void *argument)
{
    struct aws_timer *timer = argument;
    pthread_mutex_lock(&timer->lock);
    while (!timer->stopping) {
        struct entry *entry = take_due(timer);
        if (entry) {
            pthread_mutex_unlock(&timer->lock);
            call(entry);
            pthread_mutex_lock(&timer->lock);
        } else {
            wait_for_change(timer);
        }
    }
    pthread_mutex_unlock(&timer->lock);
    return NULL;
}

struct aws_timer *aws_timer_new(void)
{
    struct aws_timer *timer = xcalloc(1, sizeof *timer);
    pthread_mutex_init(&timer->lock, NULL);
    wait_cond_init(&timer->changed);
    if (pthread_create(&timer->thread, NULL, run, timer) != 0) {
        timer->stopping = timer->joined = true;
        aws_timer_free(timer);
        return NULL;
    }
    pthread_setname_np(timer->thread, "aws-timer");
    return timer;
}

bool aws_timer_after(struct aws_timer *timer, int64_t delay_ms, aws_timer_fn fn, void *argument)
{
    struct entry *entry = xcalloc(1, sizeof *entry), **place;
    *entry = (struct entry){NULL, now_ms() + delay_ms, fn, argument};
    pthread_mutex_lock(&timer->lock);
    bool taken = !timer->stopping;
    if (taken) {
        for (place = &timer->first; *place && (*place)->at_ms <= entry->at_ms;)
            place = &(*place)->next;
        entry->next = *place;
        *place = entry;
        pthread_cond_signal(&timer->changed);
    }
    pthread_mutex_unlock(&timer->lock);
    if (!taken)
        xfree(entry);
    return taken;
}

void aws_timer_stop(struct aws_timer *timer)
{
    pthread_mutex_lock(&timer->lock);
    timer->stopping = true;
    pthread_cond_signal(&timer->changed);
    pthread_mutex_unlock(&timer->lock);
    if (!timer->joined)
        pthread_join(timer->thread, NULL);
    timer->joined = true;
    for (struct entry *entry; (entry = take_due(timer));)
        call(entry);
}

void aws_timer_free(struct aws_timer *timer)
{
    if (!timer)
        return;
    aws_timer_stop(timer);
    pthread_cond_destroy(&timer->changed);
    pthread_mutex_destroy(&timer->lock);
    xfree(timer);
}
