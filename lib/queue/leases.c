/* A hash table with chains. */
#include "queue/leases.h"

#include "base/alloc.h"

#include <string.h>

enum { SLOTS_FIRST = 64, SWEEP_MS = 60000 };

struct lease {
    struct lease *next;
    int64_t received_ms, until_ms;
    size_t length;
    char handle[];
};

static size_t home_of(const struct leases *leases, struct str handle)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < handle.len; i++)
        hash = (hash ^ (unsigned char)handle.ptr[i]) * 1099511628211u;
    return (size_t)hash & (leases->slot_count - 1);
}

/* The place that points to it, or to NULL at the end of its chain. */
static struct lease **find(const struct leases *leases, struct str handle)
{
    struct lease **place = &leases->slots[home_of(leases, handle)];
    while (*place && !str_eq((struct str){(*place)->handle, (*place)->length}, handle))
        place = &(*place)->next;
    return place;
}

static void drop(struct leases *leases, struct lease **place)
{
    struct lease *lease = *place;
    *place = lease->next;
    leases->count--;
    xfree(lease);
}

static void grow(struct leases *leases)
{
    struct leases old = *leases;
    if (old.slots && old.count < old.slot_count)
        return;
    leases->slot_count = old.slot_count ? old.slot_count * 2 : SLOTS_FIRST;
    leases->slots = xcalloc(leases->slot_count, sizeof(struct lease *));
    for (size_t i = 0; i < old.slot_count; i++) {
        for (struct lease *lease = old.slots[i], *next; lease; lease = next) {
            next = lease->next;
            lease->next = NULL;
            *find(leases, (struct str){lease->handle, lease->length}) = lease;
        }
    }
    xfree(old.slots);
}

static void sweep(struct leases *leases, int64_t now_ms)
{
    if (now_ms < leases->sweep_ms)
        return;
    leases->sweep_ms = now_ms + SWEEP_MS;
    for (size_t i = 0; i < leases->slot_count; i++)
        for (struct lease **place = &leases->slots[i]; *place;) {
            if ((*place)->until_ms <= now_ms)
                drop(leases, place);
            else
                place = &(*place)->next;
        }
}

void leases_clear(struct leases *leases)
{
    for (size_t i = 0; i < leases->slot_count; i++)
        while (leases->slots[i])
            drop(leases, &leases->slots[i]);
    xfree(leases->slots);
    *leases = (struct leases){0};
}

void leases_add(struct leases *leases, struct str handle, int64_t now_ms, int64_t lease_ms)
{
    struct lease *lease = xcalloc(1, sizeof *lease + handle.len + 1);
    sweep(leases, now_ms);
    leases_forget(leases, handle);
    grow(leases);
    lease->received_ms = now_ms;
    lease->until_ms = now_ms + lease_ms;
    lease->length = handle.len;
    memcpy(lease->handle, handle.ptr, handle.len);
    *find(leases, handle) = lease;
    leases->count++;
}

int64_t leases_may_extend(struct leases *leases, struct str handle, int64_t now_ms,
                          int64_t lease_ms, int64_t cap_ms)
{
    struct lease **place = leases->count ? find(leases, handle) : NULL;
    if (!place || !*place)
        return 0;
    int64_t left_ms = (*place)->received_ms + cap_ms - now_ms;
    if ((*place)->until_ms <= now_ms || left_ms <= 0) {
        drop(leases, place);
        return 0;
    }
    return lease_ms < left_ms ? lease_ms : left_ms;
}

void leases_extend(struct leases *leases, struct str handle, int64_t now_ms, int64_t lease_ms)
{
    struct lease **place = leases->count ? find(leases, handle) : NULL;
    if (!place || !*place)
        return;
    if (lease_ms <= 0)
        drop(leases, place);
    else
        (*place)->until_ms = now_ms + lease_ms;
}

void leases_forget(struct leases *leases, struct str handle)
{
    leases_extend(leases, handle, 0, 0);
}
