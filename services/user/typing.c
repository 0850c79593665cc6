/* A table of the callers' last searches, by a hash of who they are, one place each. */
#include "user/typing.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "user/fold.h"

#include <string.h>

struct typing {
    size_t count;
    struct arena arena; /* for folding, between two events */
    bool taken[TYPING_CALLERS];
    omnidata_event_v1_Event last[TYPING_CALLERS];
};

struct typing *typing_new(void)
{
    return xcalloc(1, sizeof(struct typing));
}

void typing_free(struct typing *typing)
{
    if (!typing)
        return;
    arena_clear(&typing->arena);
    xfree(typing);
}

size_t typing_held(const struct typing *typing)
{
    return typing->count;
}

static const char *caller_of(const omnidata_event_v1_Event *event)
{
    return event->actor[0] ? event->actor : event->key_id;
}

static size_t place_of(const omnidata_event_v1_Event *event)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *at = caller_of(event); *at; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    return hash % TYPING_CALLERS;
}

static int64_t time_ms(const omnidata_event_v1_Event *event)
{
    return event->time.seconds * 1000 + event->time.nanos / 1000000;
}

static bool goes_on(struct typing *typing, const omnidata_event_v1_Event *from,
                    const omnidata_event_v1_Event *to)
{
    if (strcmp(caller_of(from), caller_of(to)) != 0 || time_ms(to) - time_ms(from) > TYPING_STEP_MS)
        return false;
    struct str start = fold_search(&typing->arena, str_of(from->query));
    struct str whole = fold_search(&typing->arena, str_of(to->query));
    bool goes_on = start.len && start.len < whole.len && str_starts(whole, start);
    arena_reset(&typing->arena);
    return goes_on;
}

static void swap(omnidata_event_v1_Event *a, omnidata_event_v1_Event *b)
{
    omnidata_event_v1_Event kept = *a;
    *a = *b;
    *b = kept;
}

bool typing_pass(struct typing *typing, omnidata_event_v1_Event *event)
{
    if (event->kind != (omnidata_event_v1_EventKind)EVENT_USERS_SEARCHED ||
        event->status != CODE_OK || !event->query[0])
        return true;
    size_t place = place_of(event);
    omnidata_event_v1_Event *last = &typing->last[place];
    if (!typing->taken[place]) {
        *last = *event;
        typing->taken[place] = true;
        typing->count++;
        return false;
    }
    /* Threads may tell of two searches in the wrong order. */
    if (time_ms(event) >= time_ms(last))
        swap(last, event);
    event->partial = goes_on(typing, event, last);
    return true;
}

bool typing_release(struct typing *typing, int64_t now_ms, omnidata_event_v1_Event *event)
{
    for (size_t i = 0; typing->count && i < TYPING_CALLERS; i++) {
        int64_t age_ms = typing->taken[i] ? now_ms - time_ms(&typing->last[i]) : 0;
        /* A clock that was set back holds nothing for longer. */
        if (age_ms <= TYPING_STEP_MS && age_ms >= -TYPING_STEP_MS)
            continue;
        *event = typing->last[i];
        typing->taken[i] = false;
        typing->count--;
        return true;
    }
    return false;
}
