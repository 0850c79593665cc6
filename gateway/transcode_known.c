/* The messages that JSON writes in a form of their own (google/protobuf/…). */
#include "gateway/transcode_in.h"

#include "base/time_text.h"
#include "gateway/wire.h"

#include <string.h>

static const int64_t DURATION_SECONDS_MAX = 315576000000;

static enum code text_expected(struct transcode_in *in, const struct json_value *json,
                               const struct where *where)
{
    return where_fail(in, where, "must be a string, not %s", json_kind_name(json));
}

/* Timestamp and Duration look alike on the wire. */
static void put_time(struct buf *out, int64_t seconds, int32_t nanos)
{
    if (seconds) {
        wire_put_tag(out, 1, WIRE_VARINT);
        wire_put_varint(out, (uint64_t)seconds);
    }
    if (nanos) {
        wire_put_tag(out, 2, WIRE_VARINT);
        wire_put_varint(out, (uint64_t)(int64_t)nanos);
    }
}

static enum code timestamp_in(struct transcode_in *in, const struct json_value *json,
                              const struct where *where)
{
    int64_t seconds;
    int32_t nanos;
    if (json->kind != JSON_STRING)
        return text_expected(in, json, where);
    if (!time_parse_rfc3339(json->text, &seconds, &nanos))
        return where_fail(in, where,
                          "must be a time like 2026-11-22T18:00:00Z, in the years 0001 to 9999");
    put_time(in->out, seconds, nanos);
    return CODE_OK;
}

/* "1.5s", "-3s": up to nine digits behind the point. */
static bool parse_duration(struct str text, int64_t *seconds, int32_t *nanos)
{
    uint64_t whole;
    bool negative = text.len && text.ptr[0] == '-';
    text = str_from(text, negative);
    if (!text.len || text.ptr[text.len - 1] != 's')
        return false;
    text.len--;
    ptrdiff_t point = str_find(text, '.');
    struct str fraction = point < 0 ? STR("0") : str_from(text, (size_t)point + 1);
    if (point >= 0)
        text.len = (size_t)point;
    uint64_t part;
    if (!fraction.len || fraction.len > 9 || !str_to_u64(text, &whole) ||
        !str_to_u64(fraction, &part) || whole > (uint64_t)DURATION_SECONDS_MAX)
        return false;
    for (size_t i = fraction.len; i < 9; i++)
        part *= 10;
    *seconds = negative ? -(int64_t)whole : (int64_t)whole;
    *nanos = negative ? -(int32_t)part : (int32_t)part;
    return true;
}

static enum code duration_in(struct transcode_in *in, const struct json_value *json,
                             const struct where *where)
{
    int64_t seconds;
    int32_t nanos;
    if (json->kind != JSON_STRING)
        return text_expected(in, json, where);
    if (!parse_duration(json->text, &seconds, &nanos))
        return where_fail(in, where, "must be seconds like 1.5s, below 315576000001s");
    put_time(in->out, seconds, nanos);
    return CODE_OK;
}

/* One path, lowerCamel to lower_snake; false when it is none. */
static bool put_mask_path(struct buf *out, struct str path)
{
    if (!path.len)
        return false;
    wire_put_tag(out, 1, WIRE_BYTES);
    size_t begin = wire_begin(out);
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '_' || (unsigned char)c <= ' ')
            return false;
        if (c >= 'A' && c <= 'Z') {
            buf_add_char(out, '_');
            c = (char)(c + 32);
        }
        buf_add_char(out, c);
    }
    wire_end(out, begin);
    return true;
}

static enum code mask_in(struct transcode_in *in, const struct json_value *json,
                         const struct where *where)
{
    struct str rest = json->text, path;
    if (json->kind != JSON_STRING)
        return text_expected(in, json, where);
    while (json->text.len && str_next(&rest, ',', &path))
        if (!put_mask_path(in->out, path))
            return where_fail(in, where, MASK_EXPECTED);
    return CODE_OK;
}

/* --- Struct, Value, ListValue --- */

static enum code value_in(struct transcode_in *in, const struct json_value *json,
                          const struct where *where);

static enum code list_value_in(struct transcode_in *in, const struct json_value *json,
                               const struct where *where)
{
    struct where element = {where, {NULL, 0}, 0};
    if (json->kind != JSON_ARRAY)
        return where_fail(in, where, "must be an array, not %s", json_kind_name(json));
    for (const struct json_value *v = json->first; v; v = v->next, element.index++) {
        size_t begin;
        if (message_begin(in, 1, &element, &begin) != CODE_OK ||
            value_in(in, v, &element) != CODE_OK)
            return in->err->code;
        message_end(in, begin);
    }
    return CODE_OK;
}

static enum code struct_in(struct transcode_in *in, const struct json_value *json,
                           const struct where *where)
{
    if (json->kind != JSON_OBJECT)
        return where_fail(in, where, "must be an object, not %s", json_kind_name(json));
    for (const struct json_value *member = json->first; member; member = member->next) {
        struct where inner = {where, member->key, 0};
        size_t entry, value;
        if (message_begin(in, 1, &inner, &entry) != CODE_OK)
            return in->err->code;
        wire_put_bytes(in->out, 1, member->key);
        if (message_begin(in, 2, &inner, &value) != CODE_OK ||
            value_in(in, member, &inner) != CODE_OK)
            return in->err->code;
        message_end(in, value);
        message_end(in, entry);
    }
    return CODE_OK;
}

static enum code value_in(struct transcode_in *in, const struct json_value *json,
                          const struct where *where)
{
    enum { NULL_VALUE = 1, NUMBER_VALUE, STRING_VALUE, BOOL_VALUE, STRUCT_VALUE, LIST_VALUE };
    uint64_t bits = 0;
    double number;
    size_t begin;
    switch (json->kind) {
    case JSON_NULL:
        wire_put_tag(in->out, NULL_VALUE, WIRE_VARINT);
        wire_put_varint(in->out, 0);
        return CODE_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        wire_put_tag(in->out, BOOL_VALUE, WIRE_VARINT);
        wire_put_varint(in->out, json->kind == JSON_TRUE);
        return CODE_OK;
    case JSON_NUMBER:
        if (!json_number_double(json->text, &number))
            return where_fail(in, where, "is out of range");
        memcpy(&bits, &number, sizeof bits);
        wire_put_tag(in->out, NUMBER_VALUE, WIRE_I64);
        wire_put_value(in->out, WIRE_I64, bits);
        return CODE_OK;
    case JSON_STRING:
        wire_put_bytes(in->out, STRING_VALUE, json->text);
        return CODE_OK;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    bool is_struct = json->kind == JSON_OBJECT;
    if (message_begin(in, is_struct ? STRUCT_VALUE : LIST_VALUE, where, &begin) != CODE_OK ||
        (is_struct ? struct_in(in, json, where) : list_value_in(in, json, where)) != CODE_OK)
        return in->err->code;
    message_end(in, begin);
    return CODE_OK;
}

/* --- Any --- */

static enum code any_content(struct transcode_in *in, const struct schema_message *message,
                             const struct json_value *json, const struct where *where)
{
    if (message->well_known == SCHEMA_PLAIN)
        return message_in(in, message, json, NULL, true, where);
    const struct json_value *value = json_get(json, STR("value"));
    struct where inner = {where, STR("value"), 0};
    if (!value || json->count != 2)
        return where_fail(in, where, "must have @type and value, and nothing else");
    if (value->kind == JSON_NULL && message->well_known != SCHEMA_VALUE)
        return where_fail(in, &inner, "must not be null");
    return known_in(in, message, value, &inner);
}

static enum code any_in(struct transcode_in *in, const struct json_value *json,
                        const struct where *where)
{
    if (json->kind != JSON_OBJECT)
        return where_fail(in, where, "must be an object, not %s", json_kind_name(json));
    if (!json->count)
        return CODE_OK;
    const struct json_value *type = json_get(json, STR("@type"));
    struct where inner = {where, STR("@type"), 0};
    if (!type || type->kind != JSON_STRING)
        return where_fail(in, &inner, "must be the URL of a message type");
    const struct schema_message *message = schema_any_type(in->schema, type->text);
    if (!message)
        return where_fail(in, &inner, "'%.*s' is not known",
                          STR_ARG(str_utf8_cut(type->text, 120)));
    size_t begin;
    wire_put_bytes(in->out, 1, type->text);
    if (message_begin(in, 2, where, &begin) != CODE_OK ||
        any_content(in, message, json, where) != CODE_OK)
        return in->err->code;
    message_end(in, begin);
    return CODE_OK;
}

static enum code wrapper_in(struct transcode_in *in, const struct schema_message *message,
                            const struct json_value *json, const struct where *where)
{
    const struct schema_field *field = schema_field_numbered(message, 1);
    struct scalar scalar;
    if (scalar_in(in, field, json, where, &scalar) != CODE_OK)
        return in->err->code;
    if (!scalar_is_default(field, &scalar))
        scalar_put(in->out, field, &scalar);
    return CODE_OK;
}

enum code known_in(struct transcode_in *in, const struct schema_message *message,
                   const struct json_value *json, const struct where *where)
{
    switch (message->well_known) {
    case SCHEMA_ANY:
        return any_in(in, json, where);
    case SCHEMA_TIMESTAMP:
        return timestamp_in(in, json, where);
    case SCHEMA_DURATION:
        return duration_in(in, json, where);
    case SCHEMA_FIELD_MASK:
        return mask_in(in, json, where);
    case SCHEMA_STRUCT:
        return struct_in(in, json, where);
    case SCHEMA_VALUE:
        return value_in(in, json, where);
    case SCHEMA_LIST_VALUE:
        return list_value_in(in, json, where);
    case SCHEMA_WRAPPER:
        return wrapper_in(in, message, json, where);
    case SCHEMA_PLAIN:
        break;
    }
    return message_in(in, message, json, NULL, false, where);
}
