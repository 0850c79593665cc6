/*
 * Written straight into the buffer, without a tree. This is the hot loop of the pipeline: times are
 * formatted by hand and the date only when the day changes.
 */
#include "analytics/row.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "base/time_text.h"

#include <string.h>

enum { DAY_S = 86400, TIME_CHARS = 27 };

static char *put_digits(char *to, uint32_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return to + digits;
}

static void add_time(struct buf *out, struct row_time time)
{
    static _Thread_local int64_t day_known = INT64_MIN;
    static _Thread_local char date[10];
    int64_t rest = time.seconds % DAY_S;
    int64_t day = time.seconds - (rest < 0 ? rest + DAY_S : rest);
    uint32_t second = (uint32_t)(time.seconds - day);
    if (day != day_known) {
        struct time_utc utc = time_utc_of(day);
        char *to = put_digits(date, (uint32_t)utc.year, 4);
        *to++ = '-';
        to = put_digits(to, (uint32_t)utc.month, 2);
        *to++ = '-';
        put_digits(to, (uint32_t)utc.day, 2);
        day_known = day;
    }
    char *to = buf_reserve(out, TIME_CHARS + 2);
    if (!to)
        return;
    *to++ = '"';
    memcpy(to, date, sizeof date);
    to += sizeof date;
    *to++ = 'T';
    to = put_digits(to, second / 3600, 2);
    *to++ = ':';
    to = put_digits(to, second / 60 % 60, 2);
    *to++ = ':';
    to = put_digits(to, second % 60, 2);
    *to++ = '.';
    to = put_digits(to, (uint32_t)time.nanos / 1000, 6);
    *to++ = 'Z';
    *to++ = '"';
    out->len = (size_t)(to - out->ptr);
}

static void add_text(struct buf *out, struct str key, const char *text)
{
    buf_add(out, key);
    buf_add_char(out, '"');
    json_escape(out, str_of(text));
    buf_add_char(out, '"');
}

static void add_bool(struct buf *out, struct str key, bool value)
{
    buf_add(out, key);
    buf_add(out, value ? STR("true") : STR("false"));
}

static void add_number(struct buf *out, struct str key, int64_t value)
{
    buf_add(out, key);
    buf_add_i64(out, value);
}

/* A kind that has no name here, of a newer producer, is its number in text. */
static void add_kind(struct buf *out, int32_t kind)
{
    const char *name = event_kind_name(kind);
    buf_add(out, STR(",\"kind\":\""));
    if (name)
        buf_add_cstr(out, name);
    else
        buf_add_i64(out, kind);
    buf_add_char(out, '"');
}

static void add_raw(struct buf *out, struct str raw)
{
    buf_add(out, STR(",\"raw\":"));
    if (raw.ptr) {
        buf_add_char(out, '"');
        encode_base64(out, raw);
        buf_add_char(out, '"');
    } else {
        buf_add(out, STR("null"));
    }
    buf_add(out, STR("}\n"));
}

void row_add_event(struct buf *out, const omnidata_event_v1_Event *event,
                   const struct row_context *context, struct str raw)
{
    add_text(out, STR("{\"id\":"), event->id);
    buf_add(out, STR(",\"time\":"));
    add_time(out, context->time);
    add_kind(out, (int32_t)event->kind);
    add_number(out, STR(",\"status\":"), event->status);
    add_text(out, STR(",\"actor\":"), event->actor);
    add_text(out, STR(",\"key_id\":"), event->key_id);
    add_text(out, STR(",\"user_id\":"), event->user_id);
    add_number(out, STR(",\"result_count\":"), event->result_count);
    add_text(out, STR(",\"trace_id\":"), event->trace_id);
    add_number(out, STR(",\"schema_version\":"), event->schema_version);
    add_bool(out, STR(",\"truncated\":"), event->truncated);
    buf_add(out, STR(",\"producer_time\":"));
    if (context->clamped && context->has_producer)
        add_time(out, context->producer);
    else
        buf_add(out, STR("null"));
    add_text(out, STR(",\"batch_id\":"), context->batch_id);
    add_raw(out, raw);
}

void row_add_search(struct buf *out, const omnidata_event_v1_Event *event,
                    const struct row_context *context)
{
    add_text(out, STR("{\"id\":"), event->id);
    buf_add(out, STR(",\"time\":"));
    add_time(out, context->time);
    add_text(out, STR(",\"query\":"), event->query);
    add_number(out, STR(",\"status\":"), event->status);
    add_number(out, STR(",\"result_count\":"), event->result_count);
    add_text(out, STR(",\"actor\":"), event->actor);
    add_bool(out, STR(",\"partial\":"), event->partial);
    add_bool(out, STR(",\"truncated\":"), event->truncated);
    add_text(out, STR(",\"batch_id\":"), context->batch_id);
    buf_add(out, STR("}\n"));
}

static struct row_time from_ms(int64_t ms)
{
    return (struct row_time){ms / 1000, (int32_t)(ms % 1000) * 1000000};
}

void row_add_error(struct buf *out, const struct row_error *error)
{
    add_text(out, STR("{\"batch_id\":"), error->batch_id);
    buf_add(out, STR(",\"position\":"));
    if (error->position < 0)
        buf_add(out, STR("null"));
    else
        buf_add_i64(out, error->position);
    add_number(out, STR(",\"events\":"), (int64_t)error->events);
    buf_add(out, STR(",\"hour\":"));
    add_time(out, (struct row_time){error->hour_s, 0});
    add_text(out, STR(",\"reason\":"), error->reason);
    buf_add(out, STR(",\"received\":"));
    add_time(out, from_ms(error->received_ms));
    struct str raw = error->raw;
    raw.ptr = raw.ptr ? raw.ptr : "";
    add_raw(out, raw);
}
