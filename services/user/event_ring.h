/*
 * Where reads leave their events: a bounded queue that many threads put into without waiting and
 * one thread takes from. When it is full the event is dropped and counted.
 */
#pragma once
#include "user/event.h"
#include "user/store_values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_ring;

/* An event whose actor has no pseudonym yet: finding it may take time. */
struct ring_event {
    omnidata_event_v1_Event event;
    bool has_actor;
    struct store_actor actor;
};

/* `slots` is rounded up to a power of two. */
struct event_ring *event_ring_new(size_t slots);
void event_ring_free(struct event_ring *ring);

/* Any thread; never waits. False: full, the event is dropped and counted. */
bool event_ring_put(struct event_ring *ring, const struct ring_event *event);

/* One thread only. False: empty. */
bool event_ring_take(struct event_ring *ring, struct ring_event *event);

/* About how many wait; for deciding whether to hurry. */
size_t event_ring_waiting(const struct event_ring *ring);

uint64_t event_ring_dropped(const struct event_ring *ring);
size_t event_ring_slots(const struct event_ring *ring);
