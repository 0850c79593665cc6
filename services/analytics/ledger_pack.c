/* See ledger_pack.h. */
#include "analytics/ledger_pack.h"

#include "analytics/wire.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { HOURS_BYTES_MAX = 1 << 20 };

static int by_part(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct part_id));
}

struct str ledger_pack_members(const struct ledger_seal *seal, struct arena *arena)
{
    size_t size_bytes = seal->member_count * sizeof *seal->members;
    struct part_id *sorted = arena_alloc(arena, size_bytes + 1);
    if (size_bytes) {
        memcpy(sorted, seal->members, size_bytes);
        qsort(sorted, seal->member_count, sizeof *sorted, by_part);
    }
    return (struct str){(const char *)sorted, size_bytes};
}

bool ledger_has_member(struct str members, struct part_id part)
{
    return members.len &&
           bsearch(part.bytes, members.ptr, members.len / sizeof part, sizeof part, by_part);
}

struct str ledger_pack_hours(const struct ledger_seal *seal, struct arena *arena)
{
    struct buf out;
    buf_init_arena(&out, arena, HOURS_BYTES_MAX);
    for (size_t i = 0; i < seal->hour_count; i++) {
        wire_add_varint(&out, (uint64_t)seal->hours[i].hour_s);
        wire_add_varint(&out, seal->hours[i].events);
    }
    return buf_str(&out);
}

bool ledger_next_hour(struct str *hours, struct ledger_hour *hour)
{
    uint64_t hour_s;
    if (!hours->len || !wire_take_varint(hours, &hour_s) || !wire_take_varint(hours, &hour->events))
        return false;
    hour->hour_s = (int64_t)hour_s;
    return true;
}
