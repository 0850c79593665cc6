/* A sorted list: hours are few, a year has 8,760. */
#include "omnictl/reconcile_hours.h"

#include "base/alloc.h"
#include "base/time_text.h"
#include "omnictl/progress.h"

#include <string.h>

enum { NUMBER_BYTES_MAX = 32, COLUMN_WIDTH = 15 };

struct hour_books *hour_list_at(struct hour_list *list, int64_t hour_s)
{
    size_t at = list->count;
    while (at > 0 && list->hours[at - 1].hour_s >= hour_s)
        at--;
    if (at < list->count && list->hours[at].hour_s == hour_s)
        return &list->hours[at];
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->hours = xrealloc(list->hours, list->cap * sizeof *list->hours);
    }
    memmove(&list->hours[at + 1], &list->hours[at], (list->count - at) * sizeof *list->hours);
    list->hours[at] = (struct hour_books){.hour_s = hour_s};
    list->count++;
    return &list->hours[at];
}

void hour_list_clear(struct hour_list *list)
{
    xfree(list->hours);
    *list = (struct hour_list){0};
}

bool hour_books_equal(const struct hour_books *books)
{
    return books->emitted == books->archived + books->quarantined;
}

bool hour_list_equal(const struct hour_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!hour_books_equal(&list->hours[i]))
            return false;
    return true;
}

struct hour_books hour_list_total(const struct hour_list *list)
{
    struct hour_books total = {0};
    for (size_t i = 0; i < list->count; i++) {
        total.emitted += list->hours[i].emitted;
        total.pending += list->hours[i].pending;
        total.archived += list->hours[i].archived;
        total.quarantined += list->hours[i].quarantined;
    }
    return total;
}

void hour_books_json(struct json_out *json, const struct hour_books *books, bool with_hour)
{
    struct buf hour;
    buf_init(&hour, 64);
    json_object_begin(json);
    if (with_hour) {
        time_add_rfc3339(&hour, books->hour_s, 0);
        json_key(json, STR("hour"));
        json_string(json, buf_str(&hour));
    }
    json_key(json, STR("emitted"));
    json_u64(json, books->emitted);
    json_key(json, STR("pending"));
    json_u64(json, books->pending);
    json_key(json, STR("archived"));
    json_u64(json, books->archived);
    json_key(json, STR("quarantined"));
    json_u64(json, books->quarantined);
    json_key(json, STR("difference"));
    json_i64(json, (int64_t)(books->emitted - books->archived - books->quarantined));
    json_object_end(json);
    buf_clear(&hour);
}

static void add_column(struct buf *out, struct str text)
{
    for (size_t i = text.len; i < COLUMN_WIDTH; i++)
        buf_add_char(out, ' ');
    buf_add(out, text);
}

static void add_number(struct buf *out, int64_t number)
{
    struct buf text;
    buf_init(&text, NUMBER_BYTES_MAX);
    if (number < 0)
        buf_add_char(&text, '-');
    progress_add_number(&text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    add_column(out, buf_str(&text));
    buf_clear(&text);
}

static void add_books(struct buf *out, const struct hour_books *books)
{
    add_number(out, (int64_t)books->emitted);
    add_number(out, (int64_t)books->archived);
    add_number(out, (int64_t)books->quarantined);
    add_number(out, (int64_t)(books->emitted - books->archived - books->quarantined));
    buf_add_char(out, '\n');
}

void hour_list_table(const struct hour_list *list, struct buf *out)
{
    struct hour_books total = hour_list_total(list);
    buf_add_cstr(out, "  hour (UTC)          ");
    add_column(out, STR("emitted"));
    add_column(out, STR("archived"));
    add_column(out, STR("quarantined"));
    add_column(out, STR("difference"));
    buf_add_char(out, '\n');
    for (size_t i = 0; i < list->count; i++) {
        buf_add_cstr(out, hour_books_equal(&list->hours[i]) ? "  " : "! ");
        time_add_rfc3339(out, list->hours[i].hour_s, 0);
        add_books(out, &list->hours[i]);
    }
    buf_add_cstr(out, "  all                 ");
    add_books(out, &total);
}
