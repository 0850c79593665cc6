/* A line is built on the stack and written at once, so lines of threads never mix. */
#include "base/log.h"

#include "base/clock.h"
#include "base/json_out.h"
#include "base/time_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, TRACE_BYTES = 32 };

static const char *const LEVELS[] = {"debug", "info", "warn", "error", "audit"};
static const char *program_name = "omnidata";
static enum log_level least_level = LOG_INFO;
static _Thread_local char trace[TRACE_BYTES + 1];

void log_init(const char *program, enum log_level least)
{
    program_name = program;
    least_level = least;
}

bool log_level_parse(struct str text, enum log_level *level)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (str_eq(text, str_of(LEVELS[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_trace(struct str trace_id)
{
    size_t kept = trace_id.len < sizeof trace ? trace_id.len : sizeof trace - 1;
    if (kept)
        memcpy(trace, trace_id.ptr, kept);
    trace[kept] = '\0';
}

static void write_field(struct json_out *json, const struct log_field *field)
{
    json_key(json, str_of(field->key));
    switch (field->kind) {
    case LOG_KIND_STR:
        json_string(json, field->text);
        break;
    case LOG_KIND_INT:
        json_i64(json, field->number);
        break;
    case LOG_KIND_DOUBLE:
        json_double(json, field->real);
        break;
    case LOG_KIND_BOOL:
        json_bool(json, field->number != 0);
        break;
    case LOG_KIND_END:
        json_null(json);
        break;
    }
}

bool log_writes(enum log_level level)
{
    return level >= least_level;
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    if (level < least_level)
        return;
    char memory[LINE_MAX_BYTES + 2];
    struct buf line = {.ptr = memory, .cap = LINE_MAX_BYTES + 1, .max = LINE_MAX_BYTES};
    struct json_out json = json_out_to(&line);
    json_object_begin(&json);
    json_key(&json, STR("time"));
    buf_add_char(&line, '"');
    time_add_rfc3339_us(&line, clock_wall_us(clock_real()));
    buf_add_char(&line, '"');
    json.comma = true;
    json_key(&json, STR("level"));
    json_string(&json, str_of(LEVELS[level]));
    json_key(&json, STR("program"));
    json_string(&json, str_of(program_name));
    json_key(&json, STR("event"));
    json_string(&json, str_of(event));
    if (trace[0]) {
        json_key(&json, STR("trace_id"));
        json_string(&json, str_of(trace));
    }
    for (const struct log_field *field = fields; field->kind != LOG_KIND_END; field++) {
        size_t before = line.len;
        write_field(&json, field);
        if (line.overflow || line.len > LINE_MAX_BYTES - 2) { /* room for the end must stay */
            line.len = before;
            line.overflow = false;
        }
    }
    json_object_end(&json);
    buf_add_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written; /* nowhere left to say it */
}
