/* One lock for all: publishing copies a few hundred bytes per listener under it. */
#include "analytics/tail.h"

#include "base/alloc.h"
#include "base/wait.h"
#include "pb/nano.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { EVENT_BYTES_MAX = 4096 };

struct tail_listener {
    struct tail *tail;
    struct tail_listener *next;
    struct buf ring[TAIL_RING];
    size_t first, count;
    uint64_t missed;
};

struct tail {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct tail_listener *listeners;
    atomic_bool heard; /* there is a listener */
    bool queries, closed;
};

struct tail *tail_new(bool queries)
{
    struct tail *tail = xcalloc(1, sizeof *tail);
    pthread_mutex_init(&tail->lock, NULL);
    wait_cond_init(&tail->changed);
    tail->queries = queries;
    return tail;
}

void tail_free(struct tail *tail)
{
    if (!tail)
        return;
    pthread_cond_destroy(&tail->changed);
    pthread_mutex_destroy(&tail->lock);
    xfree(tail);
}

void tail_close(struct tail *tail)
{
    pthread_mutex_lock(&tail->lock);
    tail->closed = true;
    pthread_cond_broadcast(&tail->changed);
    pthread_mutex_unlock(&tail->lock);
}

struct tail_listener *tail_join(struct tail *tail)
{
    struct tail_listener *listener = xcalloc(1, sizeof *listener);
    listener->tail = tail;
    for (size_t i = 0; i < TAIL_RING; i++)
        buf_init(&listener->ring[i], EVENT_BYTES_MAX);
    pthread_mutex_lock(&tail->lock);
    listener->next = tail->listeners;
    tail->listeners = listener;
    atomic_store(&tail->heard, true);
    pthread_mutex_unlock(&tail->lock);
    return listener;
}

void tail_leave(struct tail_listener *listener)
{
    struct tail *tail = listener->tail;
    pthread_mutex_lock(&tail->lock);
    struct tail_listener **at = &tail->listeners;
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    atomic_store(&tail->heard, tail->listeners != NULL);
    pthread_mutex_unlock(&tail->lock);
    for (size_t i = 0; i < TAIL_RING; i++)
        buf_clear(&listener->ring[i]);
    xfree(listener);
}

/* A full ring loses its oldest event. */
static void offer(struct tail_listener *listener, struct str event)
{
    if (listener->count == TAIL_RING) {
        listener->first = (listener->first + 1) % TAIL_RING;
        listener->count--;
        listener->missed++;
    }
    struct buf *slot = &listener->ring[(listener->first + listener->count) % TAIL_RING];
    buf_reset(slot);
    buf_add(slot, event);
    listener->count++;
}

/* The event as the archive has it: its time in range, what the producer said beside it. */
static bool rewrite(const struct tail *tail, const struct batch *batch, struct str bytes,
                    struct buf *out)
{
    omnidata_event_v1_Event event;
    const char *reason;
    bool unknown;
    if (!event_decode(bytes, &event, &unknown, &reason))
        return false;
    struct row_time time = {event.time.seconds, event.time.nanos};
    if (batch_clamp(event.has_time, &time, batch->partition_s, batch->sent_ms)) {
        event.has_producer_time = event.has_time;
        event.producer_time = event.time;
        event.has_time = true;
        event.time.seconds = time.seconds;
        event.time.nanos = time.nanos;
    }
    if (!tail->queries)
        event.query[0] = '\0';
    buf_reset(out);
    return nano_encode(out, omnidata_event_v1_Event_fields, &event);
}

void tail_publish(struct tail *tail, const struct batch *batch, struct str body)
{
    struct buf bytes;
    struct str event;
    if (!atomic_load(&tail->heard))
        return;
    buf_init(&bytes, EVENT_BYTES_MAX);
    pthread_mutex_lock(&tail->lock);
    while (event_next(&body, &event))
        if (rewrite(tail, batch, event, &bytes))
            for (struct tail_listener *l = tail->listeners; l; l = l->next)
                offer(l, buf_str(&bytes));
    pthread_cond_broadcast(&tail->changed);
    pthread_mutex_unlock(&tail->lock);
    buf_clear(&bytes);
}

enum tail_result tail_next(struct tail_listener *listener, int64_t wait_ms, struct arena *arena,
                           struct str *event, uint64_t *missed)
{
    struct tail *tail = listener->tail;
    struct timespec until = wait_deadline(wait_ms);
    enum tail_result result = TAIL_NOTHING;
    int waited = 0;
    pthread_mutex_lock(&tail->lock);
    while (!listener->count && !tail->closed && waited == 0)
        waited = pthread_cond_timedwait(&tail->changed, &tail->lock, &until);
    if (tail->closed) {
        result = TAIL_CLOSED;
    } else if (listener->count) {
        struct buf *slot = &listener->ring[listener->first];
        *event = arena_str(arena, buf_str(slot));
        *missed = listener->missed;
        listener->missed = 0;
        listener->first = (listener->first + 1) % TAIL_RING;
        listener->count--;
        result = TAIL_EVENT;
    }
    pthread_mutex_unlock(&tail->lock);
    return result;
}
