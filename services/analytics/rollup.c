/* Counts in a small hash table, texts in sketches; a delta's encoding is its own, version 1. */
#include "analytics/rollup.h"

#include "analytics/wire.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, ROOM_FIRST = 32 };

void rollup_clear(struct rollup_delta *delta)
{
    for (size_t i = 0; i < delta->texts_used; i++)
        sketch_free(delta->texts[i].sketch);
    xfree(delta->texts);
    xfree(delta->counts);
    xfree(delta->table);
    *delta = (struct rollup_delta){0};
}

static uint32_t *slot_of(const struct rollup_delta *delta, int64_t time_s, int32_t kind,
                         int32_t status)
{
    size_t mask = delta->count_room * 2 - 1;
    uint64_t hash = (uint64_t)time_s / ROLLUP_MINUTE_S * 0x9E3779B97F4A7C15u ^
                    (uint64_t)(uint32_t)kind * 0xC2B2AE3D27D4EB4Fu ^
                    (uint64_t)(uint32_t)status * 0x165667B19E3779F9u;
    size_t at = (size_t)(hash >> 32) & mask;
    for (; delta->table[at]; at = (at + 1) & mask) {
        const struct rollup_count *c = &delta->counts[delta->table[at] - 1];
        if (c->time_s == time_s && c->kind == kind && c->status == status)
            break;
    }
    return &delta->table[at];
}

static void grow(struct rollup_delta *delta)
{
    delta->count_room = delta->count_room ? delta->count_room * 2 : ROOM_FIRST;
    delta->counts = xrealloc(delta->counts, delta->count_room * sizeof *delta->counts);
    xfree(delta->table);
    delta->table = xcalloc(delta->count_room * 2, sizeof *delta->table);
    for (size_t i = 0; i < delta->count_used; i++) {
        const struct rollup_count *c = &delta->counts[i];
        *slot_of(delta, c->time_s, c->kind, c->status) = (uint32_t)i + 1;
    }
}

/* Rounded down, also before 1970. */
static int64_t floor_to(int64_t time_s, int64_t width_s)
{
    int64_t rest = time_s % width_s;
    return time_s - (rest < 0 ? rest + width_s : rest);
}

void rollup_add_count(struct rollup_delta *delta, int64_t time_s, int32_t kind, int32_t status,
                      uint64_t count)
{
    int64_t minute_s = floor_to(time_s, ROLLUP_MINUTE_S);
    if (delta->count_used == delta->count_room)
        grow(delta);
    uint32_t *slot = slot_of(delta, minute_s, kind, status);
    if (!*slot) {
        delta->counts[delta->count_used] = (struct rollup_count){minute_s, kind, status, 0};
        *slot = (uint32_t)++delta->count_used;
    }
    delta->counts[*slot - 1].count += count;
}

struct sketch *rollup_texts(struct rollup_delta *delta, int64_t hour_s, enum rollup_class class)
{
    for (size_t i = 0; i < delta->texts_used; i++)
        if (delta->texts[i].hour_s == hour_s && delta->texts[i].class == class)
            return delta->texts[i].sketch;
    if (delta->texts_used == delta->texts_room) {
        delta->texts_room = delta->texts_room ? delta->texts_room * 2 : 2;
        delta->texts = xrealloc(delta->texts, delta->texts_room * sizeof *delta->texts);
    }
    struct sketch *sketch = sketch_new(ROLLUP_TEXTS);
    delta->texts[delta->texts_used++] = (struct rollup_texts){hour_s, class, sketch};
    return sketch;
}

/* In order of first appearance: the same batch always gives the same bytes. */
void rollup_encode(const struct rollup_delta *delta, struct buf *out)
{
    wire_add_varint(out, VERSION);
    wire_add_varint(out, delta->claimed);
    wire_add_varint(out, delta->count_used);
    for (size_t i = 0; i < delta->count_used; i++) {
        wire_add_varint(out, wire_zigzag(delta->counts[i].time_s / ROLLUP_MINUTE_S));
        wire_add_varint(out, wire_zigzag(delta->counts[i].kind));
        wire_add_varint(out, wire_zigzag(delta->counts[i].status));
        wire_add_varint(out, delta->counts[i].count);
    }
    wire_add_varint(out, delta->texts_used);
    for (size_t i = 0; i < delta->texts_used; i++) {
        wire_add_varint(out, wire_zigzag(delta->texts[i].hour_s / ROLLUP_HOUR_S));
        wire_add_varint(out, delta->texts[i].class);
        sketch_encode(delta->texts[i].sketch, out);
    }
}

/* A time as a number of `width_s`; false outside the years 1 to 9999. */
static bool take_time(struct str *bytes, int64_t width_s, int64_t *time_s)
{
    static const int64_t MOST_S = 253402300800;
    uint64_t value;
    if (!wire_take_varint(bytes, &value))
        return false;
    int64_t units = wire_unzigzag(value);
    *time_s = units <= MOST_S / width_s && units >= -MOST_S / width_s ? units * width_s : 0;
    return *time_s != 0 || units == 0;
}

static bool merge_counts(struct rollup_delta *into, struct str *bytes)
{
    uint64_t used, kind, status, count;
    int64_t minute_s;
    if (!wire_take_varint(bytes, &used))
        return false;
    for (uint64_t i = 0; i < used; i++) {
        if (!take_time(bytes, ROLLUP_MINUTE_S, &minute_s) || !wire_take_varint(bytes, &kind) ||
            !wire_take_varint(bytes, &status) || !wire_take_varint(bytes, &count))
            return false;
        rollup_add_count(into, minute_s, (int32_t)wire_unzigzag(kind),
                         (int32_t)wire_unzigzag(status), count);
    }
    return true;
}

bool rollup_merge_encoded(struct rollup_delta *into, struct str bytes)
{
    uint64_t version, claimed, used, class;
    int64_t hour_s;
    if (!wire_take_varint(&bytes, &version) || version != VERSION ||
        !wire_take_varint(&bytes, &claimed) || !merge_counts(into, &bytes) ||
        !wire_take_varint(&bytes, &used))
        return false;
    for (uint64_t i = 0; i < used; i++) {
        if (!take_time(&bytes, ROLLUP_HOUR_S, &hour_s) || !wire_take_varint(&bytes, &class) ||
            class >= ROLLUP_CLASSES)
            return false;
        if (!sketch_decode(&bytes, rollup_texts(into, hour_s, (enum rollup_class) class)))
            return false;
    }
    into->claimed += claimed;
    return true;
}
