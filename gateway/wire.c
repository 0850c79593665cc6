/* Reading and writing records. Numbers are little-endian on the wire and on what we run on. */
#include "gateway/wire.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire format is little-endian");

enum { GROUPS_MAX = 100, END_GROUP = 4, NUMBER_MAX = (1 << 29) - 1 };

static bool fixed(const char **at, const char *end, size_t size, uint64_t *value)
{
    *value = 0;
    if ((size_t)(end - *at) < size)
        return false;
    memcpy(value, *at, size);
    *at += size;
    return true;
}

static bool skip_group(const char **at, const char *end, uint32_t number, int depth);

/* Everything behind a record's tag. */
static bool content(const char **at, const char *end, struct wire_record *record, int depth)
{
    uint64_t length;
    switch (record->type) {
    case WIRE_VARINT:
        return wire_varint(at, end, &record->value);
    case WIRE_I64:
        return fixed(at, end, 8, &record->value);
    case WIRE_I32:
        return fixed(at, end, 4, &record->value);
    case WIRE_BYTES:
        if (!wire_varint(at, end, &length) || length > (uint64_t)(end - *at))
            return false;
        record->bytes = (struct str){*at, (size_t)length};
        *at += length;
        return true;
    case WIRE_GROUP:
        return skip_group(at, end, record->number, depth);
    }
    return false;
}

static bool tag_of(const char **at, const char *end, struct wire_record *record)
{
    uint64_t tag;
    if (!wire_varint(at, end, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
        return false;
    record->number = (uint32_t)(tag >> 3);
    record->type = (enum wire_type)(tag & 7);
    return true;
}

static bool skip_group(const char **at, const char *end, uint32_t number, int depth)
{
    struct wire_record inner;
    while (depth > 0 && tag_of(at, end, &inner)) {
        if ((int)inner.type == END_GROUP)
            return inner.number == number;
        if (!content(at, end, &inner, depth - 1))
            return false;
    }
    return false;
}

enum wire_result wire_next_any(struct str *rest, struct wire_record *record)
{
    const char *at = rest->ptr, *end = rest->ptr + rest->len;
    if (!tag_of(&at, end, record) || !content(&at, end, record, GROUPS_MAX))
        return WIRE_MALFORMED;
    *rest = (struct str){at, (size_t)(end - at)};
    return WIRE_RECORD;
}

bool wire_next_packed(struct str *rest, enum wire_type type, uint64_t *value)
{
    const char *at = rest->ptr, *end = rest->ptr + rest->len;
    bool ok = rest->len && (type == WIRE_VARINT ? wire_varint(&at, end, value)
                                                : fixed(&at, end, type == WIRE_I64 ? 8 : 4, value));
    if (ok)
        *rest = (struct str){at, (size_t)(end - at)};
    return ok;
}

void wire_put_value(struct buf *out, enum wire_type type, uint64_t value)
{
    if (type == WIRE_VARINT)
        wire_put_varint(out, value);
    else
        buf_add_mem(out, &value, type == WIRE_I64 ? 8 : 4);
}

void wire_put_bytes(struct buf *out, uint32_t number, struct str bytes)
{
    wire_put_tag(out, number, WIRE_BYTES);
    wire_put_varint(out, bytes.len);
    buf_add(out, bytes);
}

size_t wire_begin(struct buf *out)
{
    buf_add_char(out, 0);
    return out->len;
}

void wire_end(struct buf *out, size_t begin)
{
    if (out->overflow)
        return;
    size_t length = out->len - begin, extra = 0;
    for (size_t more = length >> 7; more; more >>= 7)
        extra++;
    if (extra) {
        if (!buf_reserve(out, extra))
            return;
        memmove(out->ptr + begin + extra, out->ptr + begin, length);
        out->len += extra;
    }
    char *to = out->ptr + begin - 1;
    for (; length >= 0x80; length >>= 7)
        *to++ = (char)(length | 0x80);
    *to = (char)length;
}
