/* Varints and fields; protobuf.dev/programming-guides/encoding. Groups are not read. */
#include "analytics/wire.h"

bool wire_take_varint(struct str *rest, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rest->len && i < 10; i++) {
        uint8_t byte = (uint8_t)rest->ptr[i];
        sum |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *rest = str_from(*rest, i + 1);
            *value = sum;
            return true;
        }
    }
    return false;
}

bool wire_take_bytes(struct str *rest, struct str *bytes)
{
    uint64_t length;
    if (!wire_take_varint(rest, &length) || length > rest->len)
        return false;
    *bytes = (struct str){rest->ptr, (size_t)length};
    *rest = str_from(*rest, (size_t)length);
    return true;
}

static bool skip(struct str *rest, size_t size_bytes)
{
    if (rest->len < size_bytes)
        return false;
    *rest = str_from(*rest, size_bytes);
    return true;
}

bool wire_next(struct str *rest, struct wire_field *field)
{
    uint64_t tag;
    if (!wire_take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 32)
        return false;
    *field = (struct wire_field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case WIRE_VARINT:
        field->type = WIRE_VARINT;
        return wire_take_varint(rest, &field->value);
    case WIRE_FIXED64:
        field->type = WIRE_FIXED64;
        return skip(rest, 8);
    case WIRE_BYTES:
        field->type = WIRE_BYTES;
        return wire_take_bytes(rest, &field->bytes);
    case WIRE_FIXED32:
        field->type = WIRE_FIXED32;
        return skip(rest, 4);
    default:
        return false;
    }
}

void wire_add_varint(struct buf *out, uint64_t value)
{
    char bytes[10];
    size_t count = 0;
    do {
        bytes[count++] = (char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        value >>= 7;
    } while (value);
    buf_add_mem(out, bytes, count);
}

void wire_add_bytes(struct buf *out, struct str bytes)
{
    wire_add_varint(out, bytes.len);
    buf_add(out, bytes);
}
