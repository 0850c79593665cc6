/*
 * The protobuf wire format, a record at a time (protobuf.dev/programming-guides/encoding). Reading
 * is strict about what is malformed and knows no schema; groups are skipped as a whole.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_BYTES = 2, WIRE_GROUP = 3, WIRE_I32 = 5 };

struct wire_record {
    uint32_t number;
    enum wire_type type;
    uint64_t value;   /* VARINT, I64, I32 */
    struct str bytes; /* BYTES */
};

enum wire_result { WIRE_END, WIRE_RECORD, WIRE_MALFORMED };

/* Reads the varint at *at; false when there is none before `end` or it has more than 10 bytes. */
static inline bool wire_varint(const char **at, const char *end, uint64_t *value)
{
    const unsigned char *p = (const unsigned char *)*at;
    if (*at < end && *p < 0x80) {
        *value = *p;
        (*at)++;
        return true;
    }
    uint64_t sum = 0;
    for (int shift = 0; shift < 70 && (const char *)p < end; shift += 7, p++) {
        sum |= (uint64_t)(*p & 0x7F) << shift;
        if (*p < 0x80) {
            *at = (const char *)p + 1;
            *value = sum;
            return true;
        }
    }
    return false;
}

/* wire_next for records of any shape. */
enum wire_result wire_next_any(struct str *rest, struct wire_record *record);

/* Takes the next record off *rest. Nearly all have a tag and a number, or a length, of a byte each.
 */
static inline enum wire_result wire_next(struct str *rest, struct wire_record *record)
{
    const unsigned char *at = (const unsigned char *)rest->ptr;
    if (!rest->len)
        return WIRE_END;
    if (rest->len < 2 || at[0] < 1 << 3 || at[0] >= 0x80 || at[1] >= 0x80)
        return wire_next_any(rest, record);
    record->number = at[0] >> 3;
    record->type = (enum wire_type)(at[0] & 7);
    *rest = (struct str){rest->ptr + 2, rest->len - 2};
    if (record->type == WIRE_VARINT) {
        record->value = at[1];
        return WIRE_RECORD;
    }
    if (record->type == WIRE_BYTES && at[1] <= rest->len) {
        record->bytes = (struct str){rest->ptr, at[1]};
        *rest = (struct str){rest->ptr + at[1], rest->len - at[1]};
        return WIRE_RECORD;
    }
    *rest = (struct str){rest->ptr - 2, rest->len + 2};
    return wire_next_any(rest, record);
}

/* The value of a packed element; false at the end (check rest->len == 0) or when malformed. */
bool wire_next_packed(struct str *rest, enum wire_type type, uint64_t *value);

static inline void wire_put_varint(struct buf *out, uint64_t value)
{
    char *to = buf_reserve(out, 10);
    if (!to)
        return;
    size_t n = 0;
    while (value >= 0x80) {
        to[n++] = (char)(value | 0x80);
        value >>= 7;
    }
    to[n++] = (char)value;
    out->len += n;
}

static inline void wire_put_tag(struct buf *out, uint32_t number, enum wire_type type)
{
    wire_put_varint(out, (uint64_t)number << 3 | type);
}

/* A scalar in its encoding. */
void wire_put_value(struct buf *out, enum wire_type type, uint64_t value);

/* Tag, length, bytes. */
void wire_put_bytes(struct buf *out, uint32_t number, struct str bytes);

/*
 * A record whose length is known only when it has been written: begin after the tag, end puts the
 * length in front (moving the content when the length takes more than a byte).
 */
size_t wire_begin(struct buf *out);
void wire_end(struct buf *out, size_t begin);

static inline uint64_t wire_zigzag(int64_t value)
{
    uint64_t twice = (uint64_t)value << 1;
    return value < 0 ? ~twice : twice;
}

static inline int64_t wire_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}
