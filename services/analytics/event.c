/* The batch is walked by the wire format; nanopb decodes the single event. */
#include "analytics/event.h"

#include "analytics/wire.h"
#include "pb/nano.h"

enum {
    BATCH_ID = 1,
    BATCH_HOUR = 2,
    BATCH_COUNT = 3,
    BATCH_EVENTS = 4,
    BATCH_LOST = 5,
};

/* Event's fields are numbered from 1 without gaps: as many as there are is the last one. */
#define FIELD(arena, kind, rule, type, name, number) FIELD_##name,
enum { omnidata_event_v1_Event_FIELDLIST(FIELD, 0) EVENT_FIELD_COUNT };

static const int64_t HOUR_S = 3600;
static const int64_t YEAR_9999_S = 253402300800;

static bool read_timestamp(struct str bytes, int64_t *seconds, uint64_t *nanos)
{
    struct wire_field field;
    *seconds = 0;
    *nanos = 0;
    while (bytes.len) {
        if (!wire_next(&bytes, &field))
            return false;
        if (field.number == 1 && field.type == WIRE_VARINT)
            *seconds = (int64_t)field.value;
        if (field.number == 2 && field.type == WIRE_VARINT)
            *nanos = field.value;
    }
    return true;
}

static void read_field(const struct wire_field *field, struct event_header *header)
{
    uint64_t nanos;
    if (field->number == BATCH_ID && field->type == WIRE_BYTES)
        header->has_id = id_parse(field->bytes, &header->id) && header->id.bytes[6] >> 4 == 7;
    else if (field->number == BATCH_HOUR && field->type == WIRE_BYTES)
        header->has_hour = read_timestamp(field->bytes, &header->hour_s, &nanos) && nanos == 0 &&
                           header->hour_s >= 0 && header->hour_s < YEAR_9999_S &&
                           header->hour_s % HOUR_S == 0;
    else if (field->number == BATCH_COUNT && field->type == WIRE_VARINT)
        header->count = field->value;
    else if (field->number == BATCH_EVENTS && field->type == WIRE_BYTES)
        header->present++;
    else if (field->number == BATCH_LOST && field->type == WIRE_VARINT)
        header->lost = field->value != 0;
}

static const char *wrong_count(const struct event_header *header)
{
    if (header->present != (header->lost ? 0 : header->count))
        return "the batch does not hold as many events as it says";
    if (header->count < 1 || header->count > EVENT_BATCH_EVENTS_MAX)
        return "the batch does not hold 1 to 1000 events";
    return NULL;
}

void event_read_header(struct str batch, struct event_header *header)
{
    struct wire_field field;
    *header = (struct event_header){0};
    while (batch.len && !header->wrong) {
        if (wire_next(&batch, &field))
            read_field(&field, header);
        else
            header->wrong = "the batch is no protobuf message";
    }
    if (header->wrong)
        return;
    if (!header->has_id)
        header->wrong = "the batch's id is no UUID version 7";
    else if (!header->has_hour)
        header->wrong = "the batch's hour is not the beginning of an hour";
    else
        header->wrong = wrong_count(header);
}

bool event_next(struct str *rest, struct str *event)
{
    struct wire_field field;
    while (rest->len && wire_next(rest, &field)) {
        if (field.number == BATCH_EVENTS && field.type == WIRE_BYTES) {
            *event = field.bytes;
            return true;
        }
    }
    return false;
}

static bool has_unknown(struct str bytes)
{
    struct wire_field field;
    while (bytes.len && wire_next(&bytes, &field))
        if (field.number > EVENT_FIELD_COUNT)
            return true;
    return false;
}

bool event_decode(struct str bytes, omnidata_event_v1_Event *event, bool *unknown,
                  const char **reason)
{
    struct id id;
    if (!nano_decode(bytes, omnidata_event_v1_Event_fields, event, reason))
        return false;
    if (!id_parse(str_of(event->id), &id)) {
        *reason = "the event's id is no UUID";
        return false;
    }
    *unknown = has_unknown(bytes);
    return true;
}

const char *event_kind_name(int32_t kind)
{
    static const char *const NAMES[] = {
        "UNSPECIFIED", "USER_CREATED", "USER_UPDATED",   "USER_DELETED",
        "USER_READ",   "USERS_LISTED", "USERS_SEARCHED",
    };
    bool known = kind >= 0 && (size_t)kind < sizeof NAMES / sizeof *NAMES;
    return known ? NAMES[kind] : NULL;
}
