/* Open addressing with backward shifting; a batch id's last bytes are random enough to hash by. */
#include "analytics/held.h"

#include "base/alloc.h"

#include <string.h>

enum { SLOTS_FIRST = 64 };

static bool is_free(const struct held_message *message)
{
    return !message->handle;
}

static size_t home_of(const struct held *held, struct id batch)
{
    uint64_t hash;
    memcpy(&hash, batch.bytes + 8, sizeof hash);
    hash *= 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 32) & (held->slot_count - 1);
}

static struct held_message *find(struct held *held, struct id batch)
{
    size_t at = held->slot_count ? home_of(held, batch) : 0;
    while (held->slot_count && !is_free(&held->slots[at])) {
        if (memcmp(held->slots[at].batch.bytes, batch.bytes, sizeof batch.bytes) == 0)
            return &held->slots[at];
        at = (at + 1) & (held->slot_count - 1);
    }
    return NULL;
}

static struct held_message *free_slot(struct held *held, struct id batch)
{
    size_t at = home_of(held, batch);
    while (!is_free(&held->slots[at]))
        at = (at + 1) & (held->slot_count - 1);
    return &held->slots[at];
}

static void grow(struct held *held)
{
    struct held old = *held;
    if (old.count * 2 < old.slot_count)
        return;
    held->slot_count = old.slot_count ? old.slot_count * 2 : SLOTS_FIRST;
    held->slots = xcalloc(held->slot_count, sizeof *held->slots);
    for (size_t i = 0; i < old.slot_count; i++)
        if (!is_free(&old.slots[i]))
            *free_slot(held, old.slots[i].batch) = old.slots[i];
    xfree(old.slots);
}

/* Leaves no hole between a message and its home. */
static void drop(struct held *held, struct held_message *message)
{
    size_t mask = held->slot_count - 1;
    size_t hole = (size_t)(message - held->slots);
    xfree(message->handle);
    for (size_t at = (hole + 1) & mask; !is_free(&held->slots[at]); at = (at + 1) & mask) {
        size_t distance = (at - home_of(held, held->slots[at].batch)) & mask;
        if (distance >= ((at - hole) & mask)) {
            held->slots[hole] = held->slots[at];
            hole = at;
        }
    }
    held->slots[hole] = (struct held_message){0};
    held->count--;
}

static char *copy_handle(struct str handle)
{
    char *copy = xmalloc(handle.len + 1);
    memcpy(copy, handle.ptr, handle.len);
    copy[handle.len] = '\0';
    return copy;
}

void held_init(struct held *held)
{
    *held = (struct held){0};
    pthread_mutex_init(&held->lock, NULL);
}

void held_clear(struct held *held)
{
    for (size_t i = 0; i < held->slot_count; i++)
        xfree(held->slots[i].handle);
    xfree(held->slots);
    pthread_mutex_destroy(&held->lock);
    *held = (struct held){0};
}

size_t held_count(struct held *held)
{
    pthread_mutex_lock(&held->lock);
    size_t count = held->count;
    pthread_mutex_unlock(&held->lock);
    return count;
}

void held_add(struct held *held, struct id batch, struct str handle, uint8_t pending)
{
    pthread_mutex_lock(&held->lock);
    struct held_message *message = find(held, batch);
    if (message) {
        xfree(message->handle);
    } else {
        grow(held);
        message = free_slot(held, batch);
        *message = (struct held_message){.batch = batch};
        held->count++;
    }
    message->handle = copy_handle(handle);
    message->pending |= pending;
    message->lost = false;
    pthread_mutex_unlock(&held->lock);
}

bool held_settle(struct held *held, struct id batch, enum batch_part_kind kind, uint8_t *pending)
{
    pthread_mutex_lock(&held->lock);
    struct held_message *message = find(held, batch);
    if (message)
        message->pending &= (uint8_t) ~(1u << kind);
    if (message && pending)
        *pending = message->pending;
    pthread_mutex_unlock(&held->lock);
    return message != NULL;
}

uint8_t held_pending(struct held *held, struct id batch)
{
    pthread_mutex_lock(&held->lock);
    struct held_message *message = find(held, batch);
    uint8_t pending = message ? message->pending : 0;
    pthread_mutex_unlock(&held->lock);
    return pending;
}

char *held_handle(struct held *held, struct id batch, bool take)
{
    char *handle = NULL;
    pthread_mutex_lock(&held->lock);
    struct held_message *message = find(held, batch);
    if (message)
        handle = copy_handle(str_of(message->handle));
    if (message && take)
        drop(held, message);
    pthread_mutex_unlock(&held->lock);
    return handle;
}

struct copies {
    struct id *batches;
    struct str *handles;
    bool *lost;
    size_t count;
};

static void copy_all(struct held *held, struct copies *copies)
{
    pthread_mutex_lock(&held->lock);
    copies->batches = xcalloc(held->count + 1, sizeof *copies->batches);
    copies->handles = xcalloc(held->count + 1, sizeof *copies->handles);
    copies->lost = xcalloc(held->count + 1, sizeof *copies->lost);
    for (size_t i = 0; i < held->slot_count; i++) {
        const struct held_message *message = &held->slots[i];
        if (is_free(message) || message->lost)
            continue;
        copies->batches[copies->count] = message->batch;
        copies->handles[copies->count++] = str_of(copy_handle(str_of(message->handle)));
    }
    pthread_mutex_unlock(&held->lock);
}

static void mark_lost(struct held *held, const struct copies *copies)
{
    pthread_mutex_lock(&held->lock);
    for (size_t i = 0; i < copies->count; i++) {
        struct held_message *message = copies->lost[i] ? find(held, copies->batches[i]) : NULL;
        if (message && str_eq(str_of(message->handle), copies->handles[i]))
            message->lost = true;
    }
    pthread_mutex_unlock(&held->lock);
}

static void free_copies(struct copies *copies)
{
    for (size_t i = 0; i < copies->count; i++)
        xfree((char *)copies->handles[i].ptr);
    xfree(copies->batches);
    xfree(copies->handles);
    xfree(copies->lost);
}

enum code held_extend(struct held *held, struct queue *queue, int64_t lease_ms, struct error *err)
{
    struct copies copies = {0};
    enum code code = CODE_OK;
    copy_all(held, &copies);
    if (copies.count)
        code = queue->vtable->extend_many(queue, copies.handles, copies.count, lease_ms,
                                          copies.lost, err);
    if (code == CODE_OK)
        mark_lost(held, &copies);
    free_copies(&copies);
    return code;
}

void held_release_all(struct held *held, struct queue *queue)
{
    struct error ignored; /* what cannot be released becomes free when its lease ends */
    (void)!held_extend(held, queue, 0, &ignored);
    pthread_mutex_lock(&held->lock);
    for (size_t i = 0; i < held->slot_count; i++) {
        xfree(held->slots[i].handle);
        held->slots[i] = (struct held_message){0};
    }
    held->count = 0;
    pthread_mutex_unlock(&held->lock);
}
