/* Collects what asynchronous calls bring, for tests that wait for it. */
#pragma once
#include "tests/unit/rpc/pair.h"

#include <pthread.h>

enum { ASYNC_TEXT_BYTES = 64 };

struct async {
    pthread_mutex_t lock;
    pthread_cond_t change;
    int done, messages;
    int pause_after; /* this many messages, then false; 0: never */
    struct error err;
    char last_id[ASYNC_TEXT_BYTES];
};

static inline void async_init(struct async *async)
{
    memset(async, 0, sizeof *async);
    pthread_mutex_init(&async->lock, NULL);
    pthread_cond_init(&async->change, NULL);
}

static inline void async_clear(struct async *async)
{
    pthread_cond_destroy(&async->change);
    pthread_mutex_destroy(&async->lock);
}

/* The id of an encoded User. */
static inline void async_take_id(struct async *async, struct str bytes)
{
    struct arena arena;
    arena_init(&arena);
    USER *user = proto_decode(&arena, USER_TYPE, bytes);
    snprintf(async->last_id, sizeof async->last_id, "%s", user ? user->id : "(undecodable)");
    arena_clear(&arena);
}

static inline void async_done(void *argument, const struct rpc_result *result)
{
    struct async *async = argument;
    pthread_mutex_lock(&async->lock);
    async->done++;
    (void)!rpc_result_error(result, &async->err);
    if (result->response.len)
        async_take_id(async, result->response);
    pthread_cond_broadcast(&async->change);
    pthread_mutex_unlock(&async->lock);
}

static inline bool async_message(void *argument, struct str message)
{
    struct async *async = argument;
    pthread_mutex_lock(&async->lock);
    async->messages++;
    async_take_id(async, message);
    bool more = async->messages != async->pause_after;
    pthread_cond_broadcast(&async->change);
    pthread_mutex_unlock(&async->lock);
    return more;
}

static const struct rpc_stream_events ASYNC_EVENTS = {async_message, async_done};

/* Until `*counter` (a member of *async) is at least `wanted`; asserts that it gets there. */
static inline void async_wait(struct async *async, const int *counter, int wanted)
{
    struct timespec until;
    int failed = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PAIR_DEADLINE_MS / 1000;
    pthread_mutex_lock(&async->lock);
    while (*counter < wanted && !failed)
        failed = pthread_cond_timedwait(&async->change, &async->lock, &until);
    pthread_mutex_unlock(&async->lock);
    assert_int_equal(failed, 0);
}
