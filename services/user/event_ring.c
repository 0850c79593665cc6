/*
 * Dmitry Vyukov's bounded queue: each slot carries the number of the turn it is ready for, so that
 * producers meet only at one counter and the consumer at none.
 */
#include "user/event_ring.h"

#include "base/alloc.h"

#include <stdatomic.h>

struct slot {
    atomic_size_t turn;
    struct ring_event event;
};

struct event_ring {
    size_t mask;
    struct slot *slots;
    char apart_1[64]; /* producers and consumer do not share a cache line */
    atomic_size_t next_put;
    char apart_2[64];
    atomic_size_t next_take;
    atomic_uint_fast64_t dropped;
};

struct event_ring *event_ring_new(size_t slots)
{
    size_t size = 2;
    while (size < slots)
        size *= 2;
    struct event_ring *ring = xcalloc(1, sizeof *ring);
    ring->mask = size - 1;
    ring->slots = xcalloc(size, sizeof *ring->slots);
    for (size_t i = 0; i < size; i++)
        atomic_init(&ring->slots[i].turn, i);
    return ring;
}

void event_ring_free(struct event_ring *ring)
{
    if (ring)
        xfree(ring->slots);
    xfree(ring);
}

bool event_ring_put(struct event_ring *ring, const struct ring_event *event)
{
    size_t at = atomic_load_explicit(&ring->next_put, memory_order_relaxed);
    for (;;) {
        struct slot *slot = &ring->slots[at & ring->mask];
        size_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn == at) {
            if (atomic_compare_exchange_weak_explicit(&ring->next_put, &at, at + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                slot->event = *event;
                atomic_store_explicit(&slot->turn, at + 1, memory_order_release);
                return true;
            }
        } else if ((ptrdiff_t)(turn - at) < 0) {
            atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
            return false;
        } else {
            at = atomic_load_explicit(&ring->next_put, memory_order_relaxed);
        }
    }
}

bool event_ring_take(struct event_ring *ring, struct ring_event *event)
{
    size_t at = atomic_load_explicit(&ring->next_take, memory_order_relaxed);
    struct slot *slot = &ring->slots[at & ring->mask];
    if (atomic_load_explicit(&slot->turn, memory_order_acquire) != at + 1)
        return false;
    *event = slot->event;
    atomic_store_explicit(&slot->turn, at + ring->mask + 1, memory_order_release);
    atomic_store_explicit(&ring->next_take, at + 1, memory_order_relaxed);
    return true;
}

size_t event_ring_waiting(const struct event_ring *ring)
{
    size_t put = atomic_load_explicit(&ring->next_put, memory_order_relaxed);
    size_t taken = atomic_load_explicit(&ring->next_take, memory_order_relaxed);
    return put - taken;
}

uint64_t event_ring_dropped(const struct event_ring *ring)
{
    return atomic_load_explicit(&ring->dropped, memory_order_relaxed);
}

size_t event_ring_slots(const struct event_ring *ring)
{
    return ring->mask + 1;
}
