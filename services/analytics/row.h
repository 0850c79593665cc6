/*
 * The lines of the archive: NDJSON, one object a line, always the same fields in the same order.
 *
 * events/    {"id","time","kind","status","actor","key_id","user_id","result_count","trace_id",
 *            "schema_version","truncated","producer_time","batch_id","raw"}
 * searches/  {"id","time","query","status","result_count","actor","partial","truncated","batch_id"}
 * errors/    {"batch_id","position","events","hour","reason","received","raw"}
 *
 * Times are RFC 3339 in UTC with microseconds. `producer_time` is null unless the producer's time
 * was out of range and `time` is the time of acceptance. `raw` is null unless the event has fields
 * that this version does not know: then it is the event's bytes in base64. In errors/, `raw` is
 * what could not be read, `position` its place in the batch (null: the whole batch), `events` how
 * many events it stands for.
 */
#pragma once
#include "analytics/event.h"
#include "base/buf.h"

struct row_time {
    int64_t seconds;
    int32_t nanos;
};

struct row_context {
    char batch_id[ID_TEXT_BYTES + 1];
    struct row_time time;     /* what the row says */
    struct row_time producer; /* what the producer said */
    bool clamped;             /* the two differ */
    bool has_producer;
};

void row_add_event(struct buf *out, const omnidata_event_v1_Event *event,
                   const struct row_context *context, struct str raw);
void row_add_search(struct buf *out, const omnidata_event_v1_Event *event,
                    const struct row_context *context);

struct row_error {
    const char *batch_id; /* "" when not known */
    int64_t position;     /* -1: the whole batch */
    uint64_t events;
    int64_t hour_s, received_ms;
    const char *reason;
    struct str raw;
};

void row_add_error(struct buf *out, const struct row_error *error);
