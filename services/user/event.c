/*
 * Fills nanopb structs, and writes them and EventBatch by hand: every read is told of, and nanopb
 * takes as long over an event (12,800 instructions) as SQLite over the read itself. Its encoding
 * stays the measure: the tests hold ours against it.
 */
#include "user/event.h"

#include "base/error.h"

#include <string.h>

enum {
    SCHEMA_VERSION = 1,
    BATCH_LOST = 5,
    HEADER_BYTES_MAX = 80,
    TAG_LENGTH_BYTES_MAX = 4,
    TIME_BYTES_MAX = 22, /* two numbers of ten bytes and their tags */
};

static bool set_text(char *to, size_t size, struct str text)
{
    struct str kept = str_utf8_cut(text, size - 1);
    if (kept.len)
        memcpy(to, kept.ptr, kept.len);
    to[kept.len] = '\0';
    return kept.len < text.len;
}

void event_make(omnidata_event_v1_Event *event, const struct clock *clock,
                const struct event_facts *facts)
{
    int64_t now_us = clock_wall_us(clock);
    memset(event, 0, sizeof *event);
    id_format(id_new(clock), event->id);
    event->schema_version = SCHEMA_VERSION;
    event->has_time = true;
    event->time.seconds = now_us / 1000000;
    event->time.nanos = (int32_t)(now_us % 1000000) * 1000;
    event->kind = (omnidata_event_v1_EventKind)facts->kind;
    event->status = facts->status;
    event->result_count = facts->result_count;
    bool cut = set_text(event->actor, sizeof event->actor, facts->actor);
    cut |= set_text(event->key_id, sizeof event->key_id, facts->key_id);
    cut |= set_text(event->user_id, sizeof event->user_id, facts->user_id);
    cut |= set_text(event->query, sizeof event->query, facts->query);
    cut |= set_text(event->trace_id, sizeof event->trace_id, facts->trace_id);
    event->truncated = cut;
}

/* A field that the proto gains has to be written here as well; a tag has one byte below 16. */
#define FIELD(arena, kind, rule, type, name, number) FIELD_##name,
enum { omnidata_event_v1_Event_FIELDLIST(FIELD, 0) FIELD_COUNT };
_Static_assert(FIELD_COUNT == 14, "fields of Event");

static void add_varint(struct buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_add_char(out, (char)(value | 0x80));
    buf_add_char(out, (char)value);
}

/* Fields with their default value are left out, as proto3 has it; all numbers are below 16. */
static void add_number(struct buf *out, unsigned field, uint64_t value)
{
    if (!value)
        return;
    buf_add_char(out, (char)(field << 3));
    add_varint(out, value);
}

static void add_text(struct buf *out, unsigned field, struct str text)
{
    if (!text.len)
        return;
    buf_add_char(out, (char)(field << 3 | 2));
    add_varint(out, text.len);
    buf_add(out, text);
}

static void add_time(struct buf *out, unsigned field, const google_protobuf_Timestamp *time)
{
    char memory[TIME_BYTES_MAX + 1];
    struct buf inner = {.ptr = memory, .cap = sizeof memory, .max = TIME_BYTES_MAX};
    add_number(&inner, 1, (uint64_t)time->seconds);
    add_number(&inner, 2, (uint64_t)(int64_t)time->nanos);
    buf_add_char(out, (char)(field << 3 | 2));
    add_varint(out, inner.len);
    buf_add(out, buf_str(&inner));
}

void event_encode(struct buf *out, const omnidata_event_v1_Event *event)
{
    add_text(out, omnidata_event_v1_Event_id_tag, str_of(event->id));
    add_number(out, omnidata_event_v1_Event_schema_version_tag, event->schema_version);
    if (event->has_time)
        add_time(out, omnidata_event_v1_Event_time_tag, &event->time);
    add_number(out, omnidata_event_v1_Event_kind_tag, event->kind);
    add_number(out, omnidata_event_v1_Event_status_tag, (uint64_t)(int64_t)event->status);
    add_text(out, omnidata_event_v1_Event_actor_tag, str_of(event->actor));
    add_text(out, omnidata_event_v1_Event_key_id_tag, str_of(event->key_id));
    add_text(out, omnidata_event_v1_Event_user_id_tag, str_of(event->user_id));
    add_text(out, omnidata_event_v1_Event_query_tag, str_of(event->query));
    add_number(out, omnidata_event_v1_Event_result_count_tag, event->result_count);
    add_text(out, omnidata_event_v1_Event_trace_id_tag, str_of(event->trace_id));
    add_number(out, omnidata_event_v1_Event_truncated_tag, event->truncated);
    if (event->has_producer_time)
        add_time(out, omnidata_event_v1_Event_producer_time_tag, &event->producer_time);
    add_number(out, omnidata_event_v1_Event_partial_tag, event->partial);
}

int64_t event_hour_of(int64_t seconds)
{
    return seconds - seconds % EVENT_HOUR_S;
}

int64_t event_hour(const omnidata_event_v1_Event *event)
{
    return event_hour_of(event->time.seconds);
}

void event_batch_init(struct event_batch *batch, const struct clock *clock, int64_t hour)
{
    batch->id = id_new(clock);
    batch->hour = hour;
    batch->count = 0;
    buf_init(&batch->events, EVENT_BATCH_BYTES_MAX);
}

void event_batch_clear(struct event_batch *batch)
{
    buf_clear(&batch->events);
}

bool event_batch_add(struct event_batch *batch, struct str encoded_event)
{
    if (batch->count == EVENT_BATCH_EVENTS_MAX ||
        batch->events.len + encoded_event.len + TAG_LENGTH_BYTES_MAX + HEADER_BYTES_MAX >
            EVENT_BATCH_BYTES_MAX)
        return false;
    buf_add_char(&batch->events, 4 << 3 | 2);
    add_varint(&batch->events, encoded_event.len);
    buf_add(&batch->events, encoded_event);
    batch->count++;
    return true;
}

static void add_header(struct buf *out, struct id id, int64_t hour, uint32_t count)
{
    char text[ID_TEXT_BYTES + 1];
    struct buf time;
    id_format(id, text);
    buf_add_char(out, 1 << 3 | 2);
    add_varint(out, ID_TEXT_BYTES);
    buf_add(out, (struct str){text, ID_TEXT_BYTES});
    buf_init(&time, 16);
    buf_add_char(&time, 1 << 3);
    add_varint(&time, (uint64_t)hour);
    buf_add_char(out, 2 << 3 | 2);
    add_varint(out, time.len);
    buf_add(out, buf_str(&time));
    buf_clear(&time);
    buf_add_char(out, 3 << 3);
    add_varint(out, count);
}

void event_batch_seal(const struct event_batch *batch, struct buf *out)
{
    add_header(out, batch->id, batch->hour, batch->count);
    buf_add(out, buf_str(&batch->events));
}

void event_batch_say_lost(struct id id, int64_t hour, uint32_t count, struct buf *out)
{
    add_header(out, id, hour, count);
    buf_add_char(out, BATCH_LOST << 3);
    add_varint(out, 1);
}
