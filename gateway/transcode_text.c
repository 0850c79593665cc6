/* Scalars and maps as JSON text. */
#include "gateway/transcode_out.h"

#include "base/encode.h"
#include "base/siphash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_COMPARED = 16 };

/* --- strings --- */

static void escape(struct buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *name = c ? memchr(names, c, sizeof names - 1) : NULL;
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (name)
        text[1] = letters[name - names];
    buf_add_mem(buf, text, name ? 2 : 6);
}

/* Where the first byte stands that is not plain ASCII; `high`: bytes from 0x80 on are plain too. */
static const char *plain_run(const char *p, const char *end, bool high)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t eight;
        memcpy(&eight, p, 8);
        uint64_t quote = eight ^ (ones * '"'), slash = eight ^ (ones * '\\');
        uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                       ((eight - ones * 0x20) & ~eight) | (high ? 0 : eight);
        if (hit & tops)
            break;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
           (high || (unsigned char)*p < 0x80))
        p++;
    return p;
}

bool out_string(struct buf *buf, struct str text)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    bool high = false;
    buf_add_char(buf, '"');
    while (p < end) {
        const char *stop = plain_run(p, end, high);
        buf_add_mem(buf, p, (size_t)(stop - p));
        p = stop;
        if (p == end)
            break;
        if ((unsigned char)*p >= 0x80) {
            if (!str_is_utf8((struct str){p, (size_t)(end - p)}))
                return false;
            high = true;
        } else {
            escape(buf, (unsigned char)*p++);
        }
    }
    buf_add_char(buf, '"');
    return true;
}

/* --- numbers --- */

/* The shortest text that reads back as the same number. */
static void real_out(struct buf *buf, double value, bool single)
{
    char text[32];
    if (isnan(value)) {
        buf_add(buf, STR("\"NaN\""));
        return;
    }
    if (isinf(value)) {
        buf_add(buf, value < 0 ? STR("\"-Infinity\"") : STR("\"Infinity\""));
        return;
    }
    if (value == 0 && signbit(value)) { /* "-0" would be an integer, without a sign, to many */
        buf_add(buf, STR("-0.0"));
        return;
    }
    if (fabs(value) < 1e15 && value == (double)(int64_t)value) {
        buf_add_i64(buf, (int64_t)value);
        return;
    }
    for (int digits = single ? 6 : 15; digits <= (single ? 9 : 17); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? (double)strtof(text, NULL) == value : strtod(text, NULL) == value)
            break;
    }
    buf_add_cstr(buf, text);
}

static double as_double(uint64_t bits, bool single)
{
    float narrow;
    double wide;
    memcpy(&narrow, &bits, sizeof narrow);
    memcpy(&wide, &bits, sizeof wide);
    return single ? (double)narrow : wide;
}

uint64_t out_normal(const struct schema_field *field, uint64_t bits)
{
    switch (field->type) {
    case SCHEMA_INT32:
    case SCHEMA_UINT32:
    case SCHEMA_SINT32:
    case SCHEMA_ENUM:
        return bits & UINT32_MAX;
    case SCHEMA_BOOL:
        return bits != 0;
    default:
        return bits;
    }
}

static void quoted_out(struct buf *buf, uint64_t value, bool is_signed)
{
    buf_add_char(buf, '"');
    if (is_signed)
        buf_add_i64(buf, (int64_t)value);
    else
        buf_add_u64(buf, value);
    buf_add_char(buf, '"');
}

static void enum_out(struct buf *buf, const struct schema_enum *enumeration, int32_t number)
{
    const struct schema_enum_value *value = schema_enum_numbered(enumeration, number);
    if (enumeration->is_null_value && number == 0) {
        buf_add(buf, STR("null"));
    } else if (value) {
        buf_add_char(buf, '"');
        buf_add(buf, value->name);
        buf_add_char(buf, '"');
    } else {
        buf_add_i64(buf, number);
    }
}

bool out_scalar(struct buf *buf, const struct schema_field *field, uint64_t bits, struct str bytes)
{
    switch (field->type) {
    case SCHEMA_STRING:
        return out_string(buf, bytes);
    case SCHEMA_BYTES:
        buf_add_char(buf, '"');
        encode_base64(buf, bytes);
        buf_add_char(buf, '"');
        break;
    case SCHEMA_BOOL:
        buf_add(buf, bits ? STR("true") : STR("false"));
        break;
    case SCHEMA_ENUM:
        enum_out(buf, field->enumeration, (int32_t)(uint32_t)bits);
        break;
    case SCHEMA_DOUBLE:
    case SCHEMA_FLOAT:
        real_out(buf, as_double(bits, field->type == SCHEMA_FLOAT), field->type == SCHEMA_FLOAT);
        break;
    case SCHEMA_INT32:
    case SCHEMA_SFIXED32:
        buf_add_i64(buf, (int32_t)(uint32_t)bits);
        break;
    case SCHEMA_SINT32:
        buf_add_i64(buf, (int32_t)wire_unzigzag(bits & UINT32_MAX));
        break;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        buf_add_u64(buf, (uint32_t)bits);
        break;
    case SCHEMA_SINT64:
        quoted_out(buf, (uint64_t)wire_unzigzag(bits), true);
        break;
    case SCHEMA_INT64:
    case SCHEMA_SFIXED64:
        quoted_out(buf, bits, true);
        break;
    default:
        quoted_out(buf, bits, false);
    }
    return true;
}

/* --- maps --- */

struct entry {
    uint64_t key_bits;
    struct str key_bytes;
    uint64_t bits;
    struct str bytes;
    bool superseded; /* the same key comes again */
};

static bool read_entry(struct out *out, const struct schema_field *field, struct str wire,
                       struct entry *entry)
{
    struct wire_record record;
    enum wire_result result;
    struct str rest = wire;
    int pieces = 0;
    *entry = (struct entry){.key_bytes = {"", 0}, .bytes = {"", 0}};
    while ((result = wire_next(&rest, &record)) == WIRE_RECORD) {
        if (record.number == 1 && out_matches(field->map_key, &record)) {
            entry->key_bits = out_normal(field->map_key, record.value);
            entry->key_bytes = record.bytes;
        } else if (record.number == 2 && out_matches(field->map_value, &record)) {
            entry->bits = record.value;
            entry->bytes = record.bytes;
            pieces++;
        }
    }
    if (field->map_value->message && pieces > 1)
        entry->bytes = out_merged(out, field->map_value, wire);
    return result == WIRE_END || out_fail(out, field->message, "malformed bytes");
}

static bool same_key(const struct schema_field *key, const struct entry *a, const struct entry *b)
{
    return key->wire == WIRE_BYTES ? str_eq(a->key_bytes, b->key_bytes)
                                   : a->key_bits == b->key_bits;
}

static uint64_t key_hash(const struct schema_field *key, const struct entry *entry)
{
    struct str bits = {(const char *)&entry->key_bits, sizeof entry->key_bits};
    return siphash_own(key->wire == WIRE_BYTES ? entry->key_bytes : bits);
}

/* The last of equal keys wins: the ones before are marked. */
static void mark_superseded(struct arena *arena, const struct schema_field *key,
                            struct entry *entries, size_t count)
{
    if (count <= KEYS_COMPARED) {
        for (size_t i = 0; i < count; i++)
            for (size_t k = i + 1; k < count && !entries[i].superseded; k++)
                entries[i].superseded = same_key(key, &entries[i], &entries[k]);
        return;
    }
    size_t slots = 64;
    while (slots < count * 2)
        slots *= 2;
    struct entry **table = arena_alloc0(arena, slots * sizeof *table);
    for (size_t i = 0; i < count; i++) {
        size_t slot = key_hash(key, &entries[i]) & (slots - 1), step = 1;
        while (table[slot] && !same_key(key, table[slot], &entries[i]))
            slot = (slot + step++) & (slots - 1);
        if (table[slot])
            table[slot]->superseded = true;
        table[slot] = &entries[i];
    }
}

static bool entry_out(struct out *out, const struct schema_field *field, const struct entry *entry)
{
    const struct schema_field *key = field->map_key, *value = field->map_value;
    bool quoted = key->type == SCHEMA_STRING || key->wire == WIRE_I64 ||
                  key->type == SCHEMA_INT64 || key->type == SCHEMA_UINT64 ||
                  key->type == SCHEMA_SINT64;
    if (!quoted)
        buf_add_char(out->buf, '"');
    if (!out_scalar(out->buf, key, entry->key_bits, entry->key_bytes))
        return out_fail(out, field->message, "a key is not UTF-8");
    if (!quoted)
        buf_add_char(out->buf, '"');
    buf_add_char(out->buf, ':');
    if (value->message)
        return out_message(out, value->message, entry->bytes);
    return out_scalar(out->buf, value, entry->bits, entry->bytes) ||
           out_fail(out, field->message, "a value is not UTF-8");
}

static size_t count_entries(const struct schema_field *field, struct str wire)
{
    struct wire_record record;
    size_t count = 0;
    while (wire_next(&wire, &record) == WIRE_RECORD)
        count += record.number == field->number && record.type == WIRE_BYTES;
    return count;
}

bool out_map(struct out *out, const struct schema_field *field, struct str wire, struct str before,
             size_t *count)
{
    struct entry room[KEYS_COMPARED], *entries = room;
    struct wire_record record;
    size_t i = 0;
    bool comma = false;
    *count = count_entries(field, wire);
    if (!*count)
        return true;
    if (*count > KEYS_COMPARED)
        entries = arena_alloc(out->to->arena, *count * sizeof *entries);
    while (i < *count && wire_next(&wire, &record) == WIRE_RECORD)
        if (record.number == field->number && record.type == WIRE_BYTES &&
            !read_entry(out, field, record.bytes, &entries[i++]))
            return false;
    mark_superseded(out->to->arena, field->map_key, entries, *count);
    buf_add(out->buf, before);
    buf_add_char(out->buf, '{');
    for (i = 0; i < *count; i++) {
        if (entries[i].superseded)
            continue;
        if (comma)
            buf_add_char(out->buf, ',');
        comma = true;
        if (!entry_out(out, field, &entries[i]))
            return false;
    }
    buf_add_char(out->buf, '}');
    return true;
}
