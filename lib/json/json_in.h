/*
 * Reads JSON text (RFC 8259) into a tree that lives in an arena. Strict: UTF-8 only, no lone
 * surrogates, no duplicate keys, nothing behind the value, nesting bounded. Numbers stay the text
 * they were, so that 64-bit integers are exact; whoever wants a number says which kind.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/*
 * A value. Members of an object and elements of an array are a list in the order of the text:
 *   for (const struct json_value *m = object->first; m; m = m->next)   … m->key, m …
 */
struct json_value {
    enum json_kind kind;
    uint32_t count;                 /* members or elements */
    struct str text;                /* STRING: its characters; NUMBER: as it was written */
    struct str key;                 /* when it is a member of an object */
    const struct json_value *first; /* OBJECT, ARRAY */
    const struct json_value *next;  /* the next member or element */
};

struct json_limits {
    size_t bytes; /* longer texts are refused */
    int depth;    /* objects and arrays within each other; at most 1000 */
};

/* What suits a request: 4 MiB, 100 deep. */
struct json_limits json_limits_default(void);

/*
 * Reads exactly one value. The tree is in `arena`, and texts without escapes point into `text`:
 * both must stay. INVALID_ARGUMENT (INVALID_JSON) with line, column (in bytes, from 1) and what was
 * wrong; JSON_TOO_DEEP, JSON_TOO_LONG. Pure: any thread.
 */
enum code json_read(struct arena *arena, struct str text, struct json_limits limits,
                    const struct json_value **value, struct error *err) MUST_CHECK;

/* The member with this key, or NULL; also when `object` is NULL or no object. */
const struct json_value *json_get(const struct json_value *object, struct str key);

/* The text of the member with this key; ptr NULL unless there is one and it is a string. */
struct str json_get_text(const struct json_value *object, struct str key);

/* "null", "boolean", "number", "string", "array", "object": for messages. */
const char *json_kind_name(const struct json_value *value);

/* True when the text is a number by JSON's grammar and nothing else. */
bool json_is_number(struct str text);

/*
 * The exact integer that a number's text stands for: `100`, `1e2` and `100.0` are the same; `1.5`
 * and what lies out of range is false. The text must be one that json_is_number.
 */
bool json_number_i64(struct str number, int64_t *value);
bool json_number_u64(struct str number, uint64_t *value);

/* The nearest double or float; false when its magnitude is out of range. */
bool json_number_double(struct str number, double *value);
bool json_number_float(struct str number, float *value);
