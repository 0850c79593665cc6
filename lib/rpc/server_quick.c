/*
 * One thread is enough as long as calls are short: it stays awake under load, and each more would
 * cost wake-ups and make the jobs smaller. Another is woken when the first in line has waited for
 * LATE_US and either there are cores for it or nobody has taken a call for as long: then all that
 * are awake are stuck.
 */
#include "rpc/server_quick.h"

#include "base/alloc.h"
#include "rpc/callstream_server.h"
#include "rpc/server_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LATE_US = 2000,
    TOGETHER_MAX = 64,      /* calls in a job */
    TOGETHER_US_MAX = 1000, /* after so long a job takes no more: its answers are waited for */
};

struct quick_line {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct rpc_call *first, **last;
    int waiting, waiting_max;
    uint64_t added;   /* calls, since the start */
    int64_t taken_us; /* when the last one left the line */
    int awake;        /* threads that run calls or have been told to */
    int called;       /* of them, those that have not woken up yet */
    int cores;        /* how many may well be awake at once */
    bool stopping;
    int thread_count;
    pthread_t *threads;
};

/* --- the lock is held --- */

static void call_one(struct quick_line *line)
{
    if (line->awake == line->thread_count)
        return;
    line->awake++;
    line->called++;
    pthread_cond_signal(&line->wake);
}

static void call_if_late(struct quick_line *line, int64_t now_us)
{
    if (!line->first)
        return;
    bool late = now_us - line->first->started_us > LATE_US;
    bool stuck = now_us - line->taken_us > LATE_US;
    if (line->awake == 0 || (late && (stuck || line->awake < line->cores)))
        call_one(line);
}

static struct rpc_call *take_before(struct quick_line *line, uint64_t number)
{
    struct rpc_call *call = line->first;
    if (!call || call->number_in_line >= number)
        return NULL;
    line->first = call->next_in_line;
    if (!line->first)
        line->last = &line->first;
    line->waiting--;
    return call;
}

/* --- a job --- */

/* The bracket that a thread is in: of whom, and of what context. */
struct entered {
    const struct rpc_together *together;
    void *context;
};

static void enter(struct entered *entered, const struct rpc_together *together, void *context)
{
    if (entered->together == together && entered->context == context)
        return;
    if (entered->together)
        entered->together->end(entered->context);
    if (together)
        together->begin(context);
    *entered = (struct entered){together, context};
}

/* Runs what waits now; called and left with the lock held. */
static void run_together(struct quick_line *line)
{
    uint64_t end = line->added; /* who comes later must see what was written until then */
    struct rpc_call *call = take_before(line, end);
    struct entered entered = {0};
    bool alone = !line->first;
    int64_t began_us = server_now_us(), now_us = began_us;
    callstream_gather_begin();
    for (int ran = 1; call; ran++) {
        line->taken_us = now_us;
        pthread_mutex_unlock(&line->lock);
        if (!alone)
            enter(&entered, call->method->method->together, call->method->service->context);
        server_answer_run(call);
        now_us = server_now_us();
        pthread_mutex_lock(&line->lock);
        call = ran < TOGETHER_MAX && now_us - began_us < TOGETHER_US_MAX ? take_before(line, end)
                                                                         : NULL;
    }
    pthread_mutex_unlock(&line->lock);
    enter(&entered, NULL, NULL);
    callstream_gather_end();
    pthread_mutex_lock(&line->lock);
}

static void *work(void *argument)
{
    struct quick_line *line = argument;
    pthread_mutex_lock(&line->lock);
    for (;;) {
        while (!line->called && !line->stopping)
            pthread_cond_wait(&line->wake, &line->lock);
        if (!line->called)
            break;
        line->called--;
        while (line->first)
            run_together(line);
        line->awake--;
    }
    pthread_mutex_unlock(&line->lock);
    return NULL;
}

/* --- the rest --- */

struct rpc_call *quick_line_add(struct quick_line *line, struct rpc_call *calls)
{
    int64_t now_us = calls ? calls->started_us : 0;
    pthread_mutex_lock(&line->lock);
    while (calls && line->waiting < line->waiting_max && !line->stopping) {
        struct rpc_call *next = calls->next_in_line;
        calls->number_in_line = line->added++;
        calls->next_in_line = NULL;
        *line->last = calls;
        line->last = &calls->next_in_line;
        line->waiting++;
        calls = next;
    }
    call_if_late(line, now_us);
    pthread_mutex_unlock(&line->lock);
    return calls;
}

void quick_line_tick(struct quick_line *line)
{
    int64_t now_us = server_now_us();
    pthread_mutex_lock(&line->lock);
    call_if_late(line, now_us);
    pthread_mutex_unlock(&line->lock);
}

struct quick_line *quick_line_new(int threads, int waiting_max)
{
    struct quick_line *line = xcalloc(1, sizeof *line);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_mutex_init(&line->lock, NULL);
    pthread_cond_init(&line->wake, NULL);
    line->last = &line->first;
    line->waiting_max = waiting_max > 0 ? waiting_max : 1;
    line->cores = cores > 2 ? (int)(cores / 2) : 1;
    line->thread_count = threads;
    line->threads = xcalloc((size_t)threads, sizeof *line->threads);
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&line->threads[i], NULL, work, line) != 0) {
            perror("pthread_create");
            abort();
        }
        pthread_setname_np(line->threads[i], "rpc-quick");
    }
    return line;
}

void quick_line_free(struct quick_line *line)
{
    if (!line)
        return;
    pthread_mutex_lock(&line->lock);
    line->stopping = true;
    pthread_cond_broadcast(&line->wake);
    pthread_mutex_unlock(&line->lock);
    for (int i = 0; i < line->thread_count; i++)
        pthread_join(line->threads[i], NULL);
    pthread_cond_destroy(&line->wake);
    pthread_mutex_destroy(&line->lock);
    xfree(line->threads);
    xfree(line);
}
