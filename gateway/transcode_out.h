/* What the files of the wire-to-JSON direction share. Functions say false when *err is set. */
#pragma once
#include "gateway/transcode.h"
#include "gateway/wire.h"

/* A writer on its way through one response. */
struct out {
    struct transcode_out *to;
    struct buf *buf;
    struct error *err;
    int depth_left; /* objects and lists that may still be opened within each other */
};

/* INTERNAL: the upstream sent bytes that are no such message. Always false. */
bool out_fail(struct out *out, const struct schema_message *message, const char *what);

/* INTERNAL: the upstream sent a message that JSON has no form for. Always false. */
bool out_unsayable(struct out *out, const struct schema_message *message, const char *what);

/* True when the record is an occurrence of the field: its own wire type, or packed. */
static inline bool out_matches(const struct schema_field *field, const struct wire_record *record)
{
    return record->type == (enum wire_type)field->wire ||
           (field->repeated && record->type == WIRE_BYTES && field->wire != WIRE_BYTES);
}

/* A JSON string; false when the text is not UTF-8. */
bool out_string(struct buf *buf, struct str text);

/* A scalar's value. False (without *err) for text that is not UTF-8. */
bool out_scalar(struct buf *buf, const struct schema_field *field, uint64_t bits, struct str bytes);

/* The value that bits are for a field of this type: 32-bit types are cut, bool is 0 or 1. */
uint64_t out_normal(const struct schema_field *field, uint64_t bits);

/* A message's JSON, whatever its kind. */
bool out_message(struct out *out, const struct schema_message *message, struct str wire);

/* The members of a plain message without its braces; *comma: one stands before. */
bool out_members(struct out *out, const struct schema_message *message, struct str wire,
                 bool *comma);

/* All entries of a map field in `wire` (the bytes of the whole message) as an object, and how many;
 * writes nothing but `before` in front when there is one at least. */
bool out_map(struct out *out, const struct schema_field *field, struct str wire, struct str before,
             size_t *count);

/* The bytes of a singular message field: the last occurrence, or all that must be merged. `from`
 * is where in the wire its occurrences begin to count. */
struct str out_merged(struct out *out, const struct schema_field *field, struct str wire);

/* A message that is not SCHEMA_PLAIN. */
bool out_known(struct out *out, const struct schema_message *message, struct str wire);
