/* The messages that JSON writes in a form of their own. */
#include "gateway/transcode_out.h"

#include "base/encode.h"
#include "base/time_text.h"

#include <math.h>
#include <string.h>

static const int64_t FIRST_SECOND = -62135596800, LAST_SECOND = 253402300799;
static const int64_t DURATION_SECONDS_MAX = 315576000000;

static bool well_formed(struct str wire)
{
    struct wire_record record;
    enum wire_result result;
    while ((result = wire_next(&wire, &record)) == WIRE_RECORD)
        ;
    return result == WIRE_END;
}

/* False when it is malformed. */
static bool read_time(struct str wire, int64_t *seconds, int32_t *nanos)
{
    struct wire_record record;
    enum wire_result result;
    *seconds = 0;
    *nanos = 0;
    while ((result = wire_next(&wire, &record)) == WIRE_RECORD) {
        if (record.number == 1 && record.type == WIRE_VARINT)
            *seconds = (int64_t)record.value;
        if (record.number == 2 && record.type == WIRE_VARINT)
            *nanos = (int32_t)(uint32_t)record.value;
    }
    return result == WIRE_END;
}

static bool timestamp_out(struct out *out, const struct schema_message *message, struct str wire)
{
    int64_t seconds;
    int32_t nanos;
    if (!read_time(wire, &seconds, &nanos))
        return out_fail(out, message, "malformed bytes");
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND || nanos < 0 || nanos > 999999999)
        return out_unsayable(out, message, "out of range");
    buf_add_char(out->buf, '"');
    time_add_rfc3339(out->buf, seconds, nanos);
    buf_add_char(out->buf, '"');
    return true;
}

static bool duration_out(struct out *out, const struct schema_message *message, struct str wire)
{
    int64_t seconds;
    int32_t nanos;
    if (!read_time(wire, &seconds, &nanos))
        return out_fail(out, message, "malformed bytes");
    if (seconds < -DURATION_SECONDS_MAX || seconds > DURATION_SECONDS_MAX || nanos < -999999999 ||
        nanos > 999999999 || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
        return out_unsayable(out, message, "out of range");
    buf_add_cstr(out->buf, seconds < 0 || nanos < 0 ? "\"-" : "\"");
    buf_add_u64(out->buf, (uint64_t)(seconds < 0 ? -seconds : seconds));
    nanos = nanos < 0 ? -nanos : nanos;
    if (nanos % 1000000 == 0 && nanos)
        buf_addf(out->buf, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0 && nanos)
        buf_addf(out->buf, ".%06d", nanos / 1000);
    else if (nanos)
        buf_addf(out->buf, ".%09d", nanos);
    buf_add(out->buf, STR("s\""));
    return true;
}

/* lower_snake to lowerCamel; false when the way back would give another path. */
static bool camel_path(struct buf *buf, struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '_') {
            c = i + 1 < path.len ? path.ptr[++i] : '\0';
            if (c < 'a' || c > 'z')
                return false;
            c = (char)(c - 32);
        } else if ((c >= 'A' && c <= 'Z') || (unsigned char)c <= ' ' || c == '"' || c == '\\' ||
                   c == ',' || (unsigned char)c >= 0x7F) {
            return false;
        }
        buf_add_char(buf, c);
    }
    return path.len > 0;
}

static bool mask_out(struct out *out, const struct schema_message *message, struct str wire)
{
    struct wire_record record;
    bool comma = false;
    buf_add_char(out->buf, '"');
    while (wire_next(&wire, &record) == WIRE_RECORD) {
        if (record.number != 1 || record.type != WIRE_BYTES)
            continue;
        if (comma)
            buf_add_char(out->buf, ',');
        comma = true;
        if (!camel_path(out->buf, record.bytes))
            return out_unsayable(out, message, "a path has no lowerCamel form");
    }
    buf_add_char(out->buf, '"');
    return true;
}

/* --- Struct, Value, ListValue: by number, as google/protobuf/struct.proto has them --- */

enum { NULL_VALUE = 1, NUMBER_VALUE, STRING_VALUE, BOOL_VALUE, STRUCT_VALUE, LIST_VALUE };

static bool struct_out(struct out *out, const struct schema_message *message, struct str wire)
{
    const struct schema_field *fields = schema_field_numbered(message, 1);
    size_t count = 0;
    if (!fields || !fields->map_key)
        return out_fail(out, message, "is no Struct");
    if (!out_map(out, fields, wire, STR(""), &count))
        return false;
    if (!count)
        buf_add(out->buf, STR("{}"));
    return true;
}

static bool number_out(struct out *out, const struct schema_message *message, uint64_t bits)
{
    const struct schema_field number = {.type = SCHEMA_DOUBLE, .wire = WIRE_I64};
    double value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value))
        return out_unsayable(out, message, "a number is not finite");
    return out_scalar(out->buf, &number, bits, STR(""));
}

static enum wire_type value_wire(uint32_t number)
{
    return number == NUMBER_VALUE                         ? WIRE_I64
           : number == NULL_VALUE || number == BOOL_VALUE ? WIRE_VARINT
                                                          : WIRE_BYTES;
}

static enum schema_well_known content_of(uint32_t number)
{
    return number == STRUCT_VALUE ? SCHEMA_STRUCT : SCHEMA_LIST_VALUE;
}

static bool value_out(struct out *out, const struct schema_message *message, struct str wire)
{
    struct wire_record record, last = {0};
    const char *begin = wire.ptr, *end = wire.ptr; /* of the last run of one kind */
    struct str rest = wire;
    for (const char *at = wire.ptr; wire_next(&rest, &record) == WIRE_RECORD; at = rest.ptr) {
        if (record.number > LIST_VALUE || record.type != value_wire(record.number))
            continue;
        if (record.number != last.number)
            begin = at;
        end = rest.ptr;
        last = record;
    }
    struct str part = {begin, (size_t)(end - begin)};
    const struct schema_field *field = schema_field_numbered(message, last.number);
    switch (last.number) {
    case NUMBER_VALUE:
        return number_out(out, message, last.value);
    case STRING_VALUE:
        return out_string(out->buf, last.bytes) || out_fail(out, message, "is not UTF-8");
    case BOOL_VALUE:
        buf_add(out->buf, last.value ? STR("true") : STR("false"));
        return true;
    case STRUCT_VALUE:
    case LIST_VALUE:
        if (!field || !field->message || field->message->well_known != content_of(last.number))
            return out_fail(out, message, "is no Value");
        return out_message(out, field->message, out_merged(out, field, part));
    default:
        buf_add(out->buf, STR("null"));
        return true;
    }
}

static bool list_value_out(struct out *out, const struct schema_message *message, struct str wire)
{
    const struct schema_field *values = schema_field_numbered(message, 1);
    struct wire_record record;
    bool comma = false;
    if (!values || !values->message)
        return out_fail(out, message, "is no ListValue");
    buf_add_char(out->buf, '[');
    while (wire_next(&wire, &record) == WIRE_RECORD) {
        if (record.number != 1 || record.type != WIRE_BYTES)
            continue;
        if (comma)
            buf_add_char(out->buf, ',');
        comma = true;
        if (!out_message(out, values->message, record.bytes))
            return false;
    }
    buf_add_char(out->buf, ']');
    return true;
}

static bool wrapper_out(struct out *out, const struct schema_message *message, struct str wire)
{
    const struct schema_field *field = schema_field_numbered(message, 1);
    struct wire_record record;
    uint64_t bits = 0;
    struct str bytes = {"", 0};
    while (wire_next(&wire, &record) == WIRE_RECORD) {
        if (record.number != 1 || record.type != (enum wire_type)field->wire)
            continue;
        bits = record.value;
        bytes = record.bytes;
    }
    return out_scalar(out->buf, field, bits, bytes) || out_fail(out, message, "is not UTF-8");
}

static bool any_out(struct out *out, const struct schema_message *message, struct str wire)
{
    struct wire_record record;
    struct str url = {"", 0}, value = {"", 0};
    bool comma = true;
    while (wire_next(&wire, &record) == WIRE_RECORD) {
        if (record.type == WIRE_BYTES && record.number == 1)
            url = record.bytes;
        if (record.type == WIRE_BYTES && record.number == 2)
            value = record.bytes;
    }
    if (!url.len && !value.len) {
        buf_add(out->buf, STR("{}"));
        return true;
    }
    const struct schema_message *type = schema_any_type(out->to->schema, url);
    if (!type && !out->to->any_as_bytes)
        return out_unsayable(out, message, "holds a type that is not known");
    buf_add(out->buf, STR("{\"@type\":"));
    if (!out_string(out->buf, url))
        return out_fail(out, message, "the type URL is not UTF-8");
    bool ok = true;
    if (!type) {
        buf_add(out->buf, STR(",\"value\":\""));
        encode_base64(out->buf, value);
        buf_add_char(out->buf, '"');
    } else if (type->well_known == SCHEMA_PLAIN) {
        ok = out_members(out, type, value, &comma);
    } else {
        buf_add(out->buf, STR(",\"value\":"));
        ok = out_message(out, type, value);
    }
    buf_add_char(out->buf, '}');
    return ok;
}

bool out_known(struct out *out, const struct schema_message *message, struct str wire)
{
    if (message->well_known == SCHEMA_TIMESTAMP)
        return timestamp_out(out, message, wire);
    if (message->well_known == SCHEMA_DURATION)
        return duration_out(out, message, wire);
    if (!well_formed(wire))
        return out_fail(out, message, "malformed bytes");
    switch (message->well_known) {
    case SCHEMA_ANY:
        return any_out(out, message, wire);
    case SCHEMA_FIELD_MASK:
        return mask_out(out, message, wire);
    case SCHEMA_STRUCT:
        return struct_out(out, message, wire);
    case SCHEMA_VALUE:
        return value_out(out, message, wire);
    case SCHEMA_LIST_VALUE:
        return list_value_out(out, message, wire);
    case SCHEMA_WRAPPER:
        return wrapper_out(out, message, wire);
    case SCHEMA_TIMESTAMP:
    case SCHEMA_DURATION:
    case SCHEMA_PLAIN:
        break;
    }
    return out_fail(out, message, "is of no known kind");
}
