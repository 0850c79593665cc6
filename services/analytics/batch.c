/* One pass over the events: decode, clamp, write the row, count. */
#include "analytics/batch.h"

#include "analytics/rollup.h"
#include "analytics/searches.h"
#include "crypto/crypto.h"

#include <string.h>

static const int64_t BACK_S = 7 * 86400;
static const int64_t AHEAD_S = 5 * 60;
static const int64_t FUTURE_ID_MS = 86400 * 1000;

struct reading {
    struct batch *batch;
    struct buf searches, errors; /* rows, until all events are read */
    struct rollup_delta events_delta, searches_delta;
    struct row_context row;
};

static int64_t hour_of(int64_t ms)
{
    int64_t seconds = ms / 1000;
    return seconds - seconds % ROLLUP_HOUR_S;
}

static int64_t partition_of(int64_t hour_s, int64_t sent_ms)
{
    int64_t sent_s = sent_ms / 1000;
    bool in_range = hour_s + ROLLUP_HOUR_S > sent_s - BACK_S && hour_s <= sent_s + AHEAD_S;
    return in_range ? hour_s : hour_of(sent_ms);
}

bool batch_clamp(bool has_time, struct row_time *time, int64_t partition_s, int64_t sent_ms)
{
    int64_t sent_s = sent_ms / 1000;
    int64_t end_s = partition_s + ROLLUP_HOUR_S;
    bool good = has_time && time->nanos >= 0 && time->nanos < 1000000000 &&
                time->seconds >= partition_s && time->seconds < end_s &&
                time->seconds >= sent_s - BACK_S && time->seconds <= sent_s + AHEAD_S;
    if (good)
        return false;
    *time = (struct row_time){sent_s, (int32_t)(sent_ms % 1000) * 1000000};
    if (sent_s < partition_s)
        *time = (struct row_time){partition_s, 0};
    else if (sent_s >= end_s)
        *time = (struct row_time){end_s - 1, 999999000};
    return true;
}

static bool valid_time(struct row_time time)
{
    return time.seconds >= -62135596800 && time.seconds < 253402300800 && time.nanos >= 0 &&
           time.nanos < 1000000000;
}

static void read_search(struct reading *r, const omnidata_event_v1_Event *event)
{
    struct batch_part *part = &r->batch->parts[PART_SEARCHES];
    part->events++;
    row_add_search(&r->searches, event, &r->row);
    if (event->status == CODE_OK && !event->partial)
        searches_count(&r->searches_delta, str_of(event->query),
                       str_of(event->actor[0] ? event->actor : event->key_id),
                       event->result_count == 0, r->row.time.seconds);
}

static void read_event(struct reading *r, struct str bytes, int64_t position, struct buf *rows)
{
    omnidata_event_v1_Event event;
    struct batch *batch = r->batch;
    const char *reason;
    bool unknown;
    if (!event_decode(bytes, &event, &unknown, &reason)) {
        struct row_error error = {.batch_id = r->row.batch_id,
                                  .position = position,
                                  .events = 1,
                                  .hour_s = batch->hour_s,
                                  .received_ms = batch->sent_ms,
                                  .reason = reason,
                                  .raw = bytes};
        batch->parts[PART_ERRORS].events++;
        row_add_error(&r->errors, &error);
        return;
    }
    r->row.time = (struct row_time){event.time.seconds, event.time.nanos};
    r->row.producer = r->row.time;
    r->row.has_producer = event.has_time && valid_time(r->row.time);
    r->row.clamped = batch_clamp(event.has_time, &r->row.time, batch->partition_s, batch->sent_ms);
    if (event.has_producer_time && !r->row.clamped) { /* clamped once already, on the way */
        r->row.producer = (struct row_time){event.producer_time.seconds, event.producer_time.nanos};
        r->row.has_producer = r->row.clamped = valid_time(r->row.producer);
    }
    row_add_event(rows, &event, &r->row, unknown ? bytes : (struct str){0});
    batch->parts[PART_EVENTS].events++;
    rollup_add_count(&r->events_delta, r->row.time.seconds, (int32_t)event.kind, event.status, 1);
    if (event.kind == omnidata_event_v1_EventKind_EVENT_KIND_USERS_SEARCHED && event.query[0])
        read_search(r, &event);
}

static void finish_part(struct batch_part *part, const struct rollup_delta *delta,
                        struct buf *deltas)
{
    part->delta_start = deltas->len;
    rollup_encode(delta, deltas);
    part->delta_bytes = deltas->len - part->delta_start;
}

static void take_rows(struct batch_part *part, struct buf *rows, const struct buf *from)
{
    part->row_start = rows->len;
    part->row_bytes = from->len;
    buf_add(rows, buf_str(from));
}

/* A batch that is of no use as a whole stands for the events it said it has, at least for one. */
static void read_whole_as_error(const struct queue_message *message,
                                const struct event_header *header, const char *reason,
                                struct reading *r)
{
    uint64_t events = header->count > header->present ? header->count : header->present;
    if (events < 1 || events > EVENT_BATCH_EVENTS_MAX)
        events = header->present ? header->present : 1;
    struct row_error error = {.batch_id = r->row.batch_id,
                              .position = -1,
                              .events = events,
                              .hour_s = r->batch->hour_s,
                              .received_ms = message->sent_ms,
                              .reason = reason,
                              .raw = message->body};
    r->batch->parts[PART_ERRORS].events = events;
    row_add_error(&r->errors, &error);
}

/* Counted where they were made, and gone: a row tells it. */
static void read_lost(const struct queue_message *message, const struct event_header *header,
                      struct buf *rows, struct reading *r)
{
    struct batch_part *part = &r->batch->parts[PART_EVENTS];
    const struct row_error error = {.batch_id = r->row.batch_id,
                                    .position = -1,
                                    .events = header->count,
                                    .hour_s = r->batch->hour_s,
                                    .received_ms = message->sent_ms,
                                    .reason = "the events were lost before they could be sent",
                                    .raw = message->body};
    part->events = header->count;
    part->folder = PART_ERRORS;
    row_add_error(rows, &error);
}

/* The batch's own id; else the message's; else one made of the bytes, the same each time. */
static struct id identify(const struct queue_message *message, const struct event_header *header)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct id id = header->id;
    if (header->has_id || id_parse(message->id, &id))
        return id;
    crypto_sha256(message->body, digest);
    memcpy(id.bytes, digest, sizeof id.bytes);
    return id;
}

static const char *unusable(const struct batch *batch, const struct event_header *header,
                            int64_t retention_ms)
{
    if (header->wrong)
        return header->wrong;
    if (id_time_ms(batch->id) < batch->sent_ms - retention_ms)
        return "the batch's id is older than the ledger's memory";
    if (id_time_ms(batch->id) > batch->sent_ms + FUTURE_ID_MS)
        return "the batch's id is of the future";
    return NULL;
}

void batch_read(const struct queue_message *message, int64_t retention_ms, struct buf *rows,
                struct buf *deltas, struct batch *batch)
{
    struct event_header header;
    struct reading r = {.batch = batch};
    struct rollup_delta errors_delta = {0};
    struct str rest = message->body, event;
    event_read_header(message->body, &header);
    *batch = (struct batch){.id = identify(message, &header), .sent_ms = message->sent_ms};
    batch->hour_s = header.has_hour ? header.hour_s : hour_of(message->sent_ms);
    batch->partition_s = partition_of(batch->hour_s, message->sent_ms);
    id_format(batch->id, r.row.batch_id);
    buf_init(&r.searches, rows->max);
    buf_init(&r.errors, rows->max);
    for (int kind = 0; kind < PART_KINDS; kind++)
        batch->parts[kind].folder = (enum batch_part_kind)kind;
    const char *reason = unusable(batch, &header, retention_ms);
    batch->parts[PART_EVENTS].row_start = rows->len;
    if (reason)
        read_whole_as_error(message, &header, reason, &r);
    else if (header.lost)
        read_lost(message, &header, rows, &r);
    else
        for (int64_t position = 0; event_next(&rest, &event); position++)
            read_event(&r, event, position, rows);
    batch->parts[PART_EVENTS].row_bytes = rows->len - batch->parts[PART_EVENTS].row_start;
    take_rows(&batch->parts[PART_SEARCHES], rows, &r.searches);
    take_rows(&batch->parts[PART_ERRORS], rows, &r.errors);
    r.events_delta.claimed = batch->parts[PART_EVENTS].events;
    errors_delta.claimed = batch->parts[PART_ERRORS].events;
    finish_part(&batch->parts[PART_EVENTS], &r.events_delta, deltas);
    finish_part(&batch->parts[PART_SEARCHES], &r.searches_delta, deltas);
    finish_part(&batch->parts[PART_ERRORS], &errors_delta, deltas);
    rollup_clear(&r.events_delta);
    rollup_clear(&r.searches_delta);
    buf_clear(&r.searches);
    buf_clear(&r.errors);
}
