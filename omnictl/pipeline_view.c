/* Lines are put together in a scratch buffer and cut to the width, so that none ever wraps. */
#include "omnictl/pipeline_view.h"

#include "base/json_out.h"
#include "base/time_text.h"
#include "omnictl/progress.h"

enum { LINE_BYTES_MAX = 4096, LABEL_COLUMNS = 13, KIND_COLUMNS = 18, NUMBER_COLUMNS = 13 };

struct lines {
    struct buf *out;
    struct buf line;
    size_t columns;
    bool ansi;
};

static size_t width_of(uint32_t letter)
{
    static const uint32_t WIDE[][2] = {{0x1100, 0x115F},  {0x2E80, 0x303E}, {0x3041, 0xA4CF},
                                       {0xAC00, 0xD7A3},  {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},
                                       {0xFF00, 0xFF60},  {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF},
                                       {0x20000, 0x3FFFD}};
    if ((letter >= 0x300 && letter <= 0x36F) || (letter >= 0x200B && letter <= 0x200F) ||
        (letter >= 0xFE00 && letter <= 0xFE0F))
        return 0;
    for (size_t i = 0; i < sizeof WIDE / sizeof *WIDE; i++)
        if (letter >= WIDE[i][0] && letter <= WIDE[i][1])
            return 2;
    return 1;
}

/* The code point at text[at] of valid UTF-8, and how many bytes it has. */
static uint32_t letter_at(struct str text, size_t at, size_t *bytes)
{
    unsigned char lead = (unsigned char)text.ptr[at];
    *bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t letter = *bytes == 1 ? lead : lead & (0x7FU >> *bytes);
    for (size_t i = 1; i < *bytes; i++)
        letter = letter << 6 | ((unsigned char)text.ptr[at + i] & 0x3F);
    return letter;
}

/* Controls, and the marks that turn the direction of writing around. */
static bool steers(uint32_t letter)
{
    return letter < 0x20 || (letter >= 0x7F && letter < 0xA0) ||
           (letter >= 0x202A && letter <= 0x202E) || (letter >= 0x2066 && letter <= 0x2069);
}

size_t view_add_clean(struct buf *out, struct str text, size_t columns)
{
    size_t used = 0, bytes;
    if (!str_is_utf8(text))
        text = STR("(not UTF-8)");
    for (size_t at = 0; at < text.len; at += bytes) {
        uint32_t letter = letter_at(text, at, &bytes);
        size_t width = steers(letter) ? 1 : width_of(letter);
        if (used + width > columns)
            break;
        used += width;
        if (steers(letter))
            buf_add_char(out, '?');
        else
            buf_add(out, (struct str){text.ptr + at, bytes});
    }
    return used;
}

/* Ends the line: cut to the width, in the style if there is one. */
static void end_line(struct lines *lines, const char *style)
{
    if (lines->ansi && style)
        buf_addf(lines->out, "\x1b[%sm", style);
    view_add_clean(lines->out, buf_str(&lines->line), lines->columns);
    if (lines->ansi && style)
        buf_add_cstr(lines->out, "\x1b[0m");
    buf_add_char(lines->out, '\n');
    buf_reset(&lines->line);
}

static void pad_to(struct buf *line, size_t start, size_t columns)
{
    while (line->len - start < columns)
        buf_add_char(line, ' ');
}

static void begin_label(struct lines *lines, const char *label)
{
    buf_add_cstr(&lines->line, label);
    pad_to(&lines->line, 0, LABEL_COLUMNS);
}

static void add_count(struct lines *lines, uint64_t number, const char *what)
{
    progress_add_number(&lines->line, number);
    buf_addf(&lines->line, " %s", what);
}

static void add_age(struct lines *lines, uint64_t oldest_ms)
{
    if (!oldest_ms)
        return;
    if (oldest_ms < 60000)
        buf_addf(&lines->line, ", the oldest %.1f s", (double)oldest_ms / 1000);
    else
        buf_addf(&lines->line, ", the oldest %llu min", (unsigned long long)(oldest_ms / 60000));
}

static void service_line(struct lines *lines, const struct view_service *service)
{
    bool down = service->asked && service->err.code != CODE_OK;
    begin_label(lines, service->name);
    buf_addf(&lines->line, "%s  %s", service->address,
             !service->asked ? "asking"
             : down          ? "DOWN: "
                             : "up");
    if (down)
        buf_addf(&lines->line, "%s: %s", code_name(service->err.code), service->err.text);
    end_line(lines, down ? "1;31" : NULL);
}

static void stages(struct lines *lines, const struct pipeline_view *view)
{
    bool users = view->users.asked && view->users.err.code == CODE_OK;
    bool analytics = view->analytics.asked && view->analytics.err.code == CODE_OK;
    begin_label(lines, "outbox");
    if (users) {
        add_count(lines, view->outbox_pending, "events wait");
        add_age(lines, view->outbox_oldest_ms);
        if (view->dropped_reads)
            add_count(lines, view->dropped_reads, "reads dropped");
    } else {
        buf_add_cstr(&lines->line, "?");
    }
    end_line(lines, NULL);
    if (!analytics)
        return;
    begin_label(lines, "queue");
    add_count(lines, view->queued_batches, "batches, ");
    add_count(lines, view->queued_events, "events");
    add_age(lines, view->queued_oldest_ms);
    end_line(lines, NULL);
    begin_label(lines, "open");
    add_count(lines, view->open_events, "events counted, not archived yet");
    end_line(lines, NULL);
    begin_label(lines, "archived");
    add_count(lines, view->archived_events, "events in ");
    add_count(lines, view->archived_objects, "objects");
    buf_addf(&lines->line, ", %.1f/s", view->archived_per_s);
    end_line(lines, NULL);
    begin_label(lines, "quarantined");
    add_count(lines, view->quarantined_events, "events; ");
    add_count(lines, view->duplicate_batches, "batches came twice");
    end_line(lines, view->quarantined_events ? "33" : NULL);
}

/* Eight heights of blocks for the events of each minute. */
static void sparkline(struct lines *lines, const struct pipeline_view *view)
{
    static const char *const BLOCKS[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    uint64_t most = 1;
    size_t room = lines->columns > LABEL_COLUMNS ? lines->columns - LABEL_COLUMNS : 0;
    size_t first = view->point_count > room ? view->point_count - room : 0;
    for (size_t i = first; i < view->point_count; i++)
        most = view->points[i] > most ? view->points[i] : most;
    begin_label(lines, "per minute");
    for (size_t i = first; i < view->point_count; i++)
        buf_add_cstr(&lines->line, view->points[i] ? BLOCKS[view->points[i] * 7 / most] : " ");
    end_line(lines, "36");
}

static void add_right(struct buf *line, struct str text)
{
    for (size_t i = text.len; i < NUMBER_COLUMNS; i++)
        buf_add_char(line, ' ');
    buf_add(line, text);
}

static void add_right_number(struct buf *line, uint64_t number)
{
    struct buf text;
    buf_init(&text, 64);
    progress_add_number(&text, number);
    add_right(line, buf_str(&text));
    buf_clear(&text);
}

static void kinds(struct lines *lines, const struct pipeline_view *view)
{
    struct buf rate;
    buf_init(&rate, 64);
    buf_add_cstr(&lines->line, "events");
    pad_to(&lines->line, 0, KIND_COLUMNS);
    add_right(&lines->line, STR("last min /s"));
    add_right(&lines->line, STR("24 h"));
    add_right(&lines->line, STR("failed"));
    end_line(lines, "1");
    for (size_t i = 0; i < view->kind_count; i++) {
        const struct view_kind *kind = &view->kinds[i];
        buf_reset(&rate);
        buf_addf(&rate, "%.1f", (double)kind->last_minute / 60);
        buf_addf(&lines->line, "%s", kind->name);
        pad_to(&lines->line, 0, KIND_COLUMNS);
        add_right(&lines->line, buf_str(&rate));
        add_right_number(&lines->line, kind->day);
        add_right_number(&lines->line, kind->failures);
        end_line(lines, NULL);
    }
    buf_clear(&rate);
}

static void searches(struct lines *lines, const struct pipeline_view *view)
{
    if (!view->search_count)
        return;
    end_line(lines, NULL);
    buf_add_cstr(&lines->line, "top searches, 24 h");
    end_line(lines, "1");
    for (size_t i = 0; i < view->search_count; i++) {
        const struct view_search *search = &view->searches[i];
        add_right_number(&lines->line, search->count);
        if (search->max_error)
            buf_addf(&lines->line, " (at most %llu too many)",
                     (unsigned long long)search->max_error);
        buf_addf(&lines->line, "  %s", search->query);
        end_line(lines, NULL);
    }
}

void pipeline_view_text(struct buf *out, const struct pipeline_view *view, size_t columns,
                        bool ansi)
{
    struct lines lines = {.out = out, .columns = columns, .ansi = ansi};
    bool analytics = view->analytics.asked && view->analytics.err.code == CODE_OK;
    buf_init(&lines.line, LINE_BYTES_MAX);
    buf_add_cstr(&lines.line, "OmniData ");
    time_add_rfc3339(&lines.line, view->now_s, 0);
    if (ansi)
        buf_add_cstr(&lines.line, "   q quits");
    end_line(&lines, "1");
    service_line(&lines, &view->users);
    service_line(&lines, &view->analytics);
    end_line(&lines, NULL);
    stages(&lines, view);
    if (analytics) {
        sparkline(&lines, view);
        end_line(&lines, NULL);
        kinds(&lines, view);
        searches(&lines, view);
    }
    buf_clear(&lines.line);
}

/* --- JSON --- */

static void number(struct json_out *json, struct str key, uint64_t value)
{
    json_key(json, key);
    json_u64(json, value);
}

static void service_json(struct json_out *json, struct str key, const struct view_service *service)
{
    json_key(json, key);
    json_object_begin(json);
    json_key(json, STR("address"));
    json_string(json, str_of(service->address));
    json_key(json, STR("up"));
    json_bool(json, service->asked && service->err.code == CODE_OK);
    if (service->err.code != CODE_OK) {
        json_key(json, STR("code"));
        json_string(json, str_of(code_name(service->err.code)));
        json_key(json, STR("error"));
        json_string(json, str_of(service->err.text));
    }
    json_object_end(json);
}

static void lists_json(struct json_out *json, const struct pipeline_view *view)
{
    json_key(json, STR("kinds"));
    json_array_begin(json);
    for (size_t i = 0; i < view->kind_count; i++) {
        json_object_begin(json);
        json_key(json, STR("kind"));
        json_string(json, str_of(view->kinds[i].name));
        number(json, STR("lastMinute"), view->kinds[i].last_minute);
        number(json, STR("day"), view->kinds[i].day);
        number(json, STR("failures"), view->kinds[i].failures);
        json_object_end(json);
    }
    json_array_end(json);
    json_key(json, STR("perMinute"));
    json_array_begin(json);
    for (size_t i = 0; i < view->point_count; i++)
        json_u64(json, view->points[i]);
    json_array_end(json);
    json_key(json, STR("searches"));
    json_array_begin(json);
    for (size_t i = 0; i < view->search_count; i++) {
        json_object_begin(json);
        json_key(json, STR("query"));
        json_string(json, str_of(view->searches[i].query));
        number(json, STR("count"), view->searches[i].count);
        number(json, STR("maxError"), view->searches[i].max_error);
        json_object_end(json);
    }
    json_array_end(json);
}

void pipeline_view_json(struct buf *out, const struct pipeline_view *view)
{
    struct json_out json = json_out_to(out);
    struct buf time;
    buf_init(&time, 64);
    time_add_rfc3339(&time, view->now_s, 0);
    json_object_begin(&json);
    json_key(&json, STR("time"));
    json_string(&json, buf_str(&time));
    service_json(&json, STR("users"), &view->users);
    service_json(&json, STR("analytics"), &view->analytics);
    number(&json, STR("outboxPending"), view->outbox_pending);
    number(&json, STR("outboxOldestMs"), view->outbox_oldest_ms);
    number(&json, STR("droppedReads"), view->dropped_reads);
    number(&json, STR("queuedBatches"), view->queued_batches);
    number(&json, STR("queuedEvents"), view->queued_events);
    number(&json, STR("queuedOldestMs"), view->queued_oldest_ms);
    number(&json, STR("openEvents"), view->open_events);
    number(&json, STR("archivedEvents"), view->archived_events);
    number(&json, STR("archivedObjects"), view->archived_objects);
    number(&json, STR("quarantinedEvents"), view->quarantined_events);
    number(&json, STR("duplicateBatches"), view->duplicate_batches);
    lists_json(&json, view);
    json_object_end(&json);
    buf_add_char(out, '\n');
    buf_clear(&time);
}
