/*
 * Writes JSON text straight into a buffer: no tree, no allocation of its own. Commas are put where
 * they belong; nesting is the caller's to balance. Strings must be UTF-8; bytes that are not become
 * U+FFFD, so that the output is always valid JSON.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct json_out {
    struct buf *out;
    bool comma; /* a value stands before: the next one needs a comma */
};

static inline struct json_out json_out_to(struct buf *out)
{
    return (struct json_out){out, false};
}

void json_object_begin(struct json_out *json);
void json_object_end(struct json_out *json);
void json_array_begin(struct json_out *json);
void json_array_end(struct json_out *json);

/* "key": — followed by one value or begin. */
void json_key(struct json_out *json, struct str key);

void json_string(struct json_out *json, struct str text);
void json_i64(struct json_out *json, int64_t value);
void json_u64(struct json_out *json, uint64_t value);
void json_bool(struct json_out *json, bool value);
void json_null(struct json_out *json);

/* The shortest text that reads back as the same double (as JSON has no NaN: null). */
void json_double(struct json_out *json, double value);

/* Text that is JSON already. */
void json_raw(struct json_out *json, struct str text);

/* Only the escaped inside of a string, without its quotes. */
void json_escape(struct buf *out, struct str text);
