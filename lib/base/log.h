/*
 * One JSON line per event on standard error:
 * {"time":"…","level":"info","program":"gateway","event":"listening","address":"…"}
 * Log where an error is handled, once; never a secret, a token or a body.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* LOG_AUDIT: who did what; written whatever the least level is. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_AUDIT };

enum log_kind { LOG_KIND_END, LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_DOUBLE, LOG_KIND_BOOL };

struct log_field {
    const char *key;
    enum log_kind kind;
    struct str text;
    int64_t number;
    double real;
};

#define LOG_S(key, value) ((struct log_field){key, LOG_KIND_STR, value, 0, 0})
#define LOG_C(key, value) LOG_S(key, str_of(value))
#define LOG_I(key, value) ((struct log_field){key, LOG_KIND_INT, {0}, (int64_t)(value), 0})
#define LOG_D(key, value) ((struct log_field){key, LOG_KIND_DOUBLE, {0}, 0, value})
#define LOG_B(key, value) ((struct log_field){key, LOG_KIND_BOOL, {0}, value, 0})
/* The code and the text of a struct error. */
#define LOG_ERR(err) LOG_C("code", code_name((err)->code)), LOG_C("error", (err)->text)

/* log_info("listening", LOG_C("address", text), LOG_I("port", port)); at least one field. */
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_ERROR, event, __VA_ARGS__)
#define log_audit(event, ...) LOG_AT(LOG_AUDIT, event, __VA_ARGS__)
#define LOG_AT(level, event, ...) \
    log_event(level, event, (const struct log_field[]){__VA_ARGS__, {0}})

/* The program's name and the least level written; call once at start. */
void log_init(const char *program, enum log_level least);

/* Whether a line of this level is written: for who would have to gather its fields. */
bool log_writes(enum log_level level);

/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(struct str text, enum log_level *level);

/* The trace id that this thread's lines carry from now on; "" for none. Copied. */
void log_set_trace(struct str trace_id);

/* Fields end with one whose kind is LOG_KIND_END. Thread-safe; one write(2) a line. */
void log_event(enum log_level level, const char *event, const struct log_field *fields);
