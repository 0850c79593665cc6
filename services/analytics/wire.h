/*
 * The protobuf wire format, read field by field without a schema, and its varints for our own
 * records. Reading never looks beyond the bytes it was given.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;   /* WIRE_VARINT */
    struct str bytes; /* WIRE_BYTES */
};

/* Takes one field off *rest; false when the bytes are no field. Call while rest->len. */
bool wire_next(struct str *rest, struct wire_field *field);

bool wire_take_varint(struct str *rest, uint64_t *value);
bool wire_take_bytes(struct str *rest, struct str *bytes);
void wire_add_varint(struct buf *out, uint64_t value);
void wire_add_bytes(struct buf *out, struct str bytes);

/* Signed numbers as varints: small ones stay short (protobuf's sint64). */
static inline uint64_t wire_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t wire_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}
