/* Scalars from JSON, by their proto type. */
#include "gateway/transcode_in.h"

#include "base/encode.h"
#include "gateway/wire.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t write_where(const struct where *where, char *to, size_t room)
{
    if (!where)
        return 0;
    size_t used = write_where(where->up, to, room);
    if (used >= room)
        return used;
    int n = where->name.ptr
                ? snprintf(to + used, room - used, "%s%.*s", used ? "." : "", STR_ARG(where->name))
                : snprintf(to + used, room - used, "[%zu]", where->index);
    return used + (n > 0 ? (size_t)n : 0);
}

enum code where_fail(struct transcode_in *in, const struct where *where, const char *format, ...)
{
    char path[ERROR_FIELD_BYTES] = "", text[ERROR_TEXT_BYTES];
    va_list args;
    size_t length = write_where(where, path, sizeof path);
    if (length >= sizeof path)
        path[str_utf8_cut((struct str){path, sizeof path - 1}, sizeof path - 4).len] = '\0';
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_clear(in->err);
    if (!path[0])
        return error_set(in->err, CODE_INVALID_ARGUMENT, "INVALID_FIELD", "%s", text);
    return error_field(in->err, path, "%s", text);
}

static enum code expected(struct transcode_in *in, const struct where *where, const char *what,
                          const struct json_value *json)
{
    return where_fail(in, where, "must be %s, not %s", what, json_kind_name(json));
}

/* The text of a JSON number, or of a string that holds one. */
static bool number_text(const struct json_value *json)
{
    return json->kind == JSON_NUMBER || (json->kind == JSON_STRING && json_is_number(json->text));
}

static enum code integer_in(struct transcode_in *in, const struct schema_field *field,
                            const struct json_value *json, const struct where *where,
                            struct scalar *scalar)
{
    bool is_signed = true, wide = false, ok;
    int64_t number = 0;
    switch (field->type) {
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        is_signed = false;
        __attribute__((fallthrough));
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        wide = true;
        break;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        is_signed = false;
        break;
    default:
        break;
    }
    if (!number_text(json))
        return expected(in, where, "an integer", json);
    if (is_signed) {
        ok = json_number_i64(json->text, &number) &&
             (wide || (number >= INT32_MIN && number <= INT32_MAX));
        scalar->bits = (uint64_t)number;
    } else {
        ok = json_number_u64(json->text, &scalar->bits) && (wide || scalar->bits <= UINT32_MAX);
    }
    if (!ok)
        return where_fail(in, where, "must be a whole number of %s%d bits",
                          is_signed ? "" : "unsigned ", wide ? 64 : 32);
    if (field->type == SCHEMA_SINT32 || field->type == SCHEMA_SINT64)
        scalar->bits = wire_zigzag(number);
    else if (field->wire == WIRE_I32)
        scalar->bits &= UINT32_MAX;
    return CODE_OK;
}

/* "NaN" and the infinities; false for other texts. */
static bool special_real(struct str text, double *value)
{
    if (str_eq(text, STR("NaN")))
        *value = (double)NAN;
    else if (str_eq(text, STR("Infinity")))
        *value = (double)INFINITY;
    else if (str_eq(text, STR("-Infinity")))
        *value = -(double)INFINITY;
    else
        return false;
    return true;
}

static enum code real_in(struct transcode_in *in, const struct schema_field *field,
                         const struct json_value *json, const struct where *where,
                         struct scalar *scalar)
{
    bool single = field->type == SCHEMA_FLOAT, ok = true;
    double wide = 0;
    float narrow = 0;
    if (json->kind == JSON_STRING && special_real(json->text, &wide))
        narrow = (float)wide;
    else if (!number_text(json))
        return expected(in, where, "a number", json);
    else
        ok =
            single ? json_number_float(json->text, &narrow) : json_number_double(json->text, &wide);
    if (!ok)
        return where_fail(in, where, "is out of range");
    scalar->bits = 0;
    if (single)
        memcpy(&scalar->bits, &narrow, sizeof narrow);
    else
        memcpy(&scalar->bits, &wide, sizeof wide);
    return CODE_OK;
}

static enum code enum_in(struct transcode_in *in, const struct schema_field *field,
                         const struct json_value *json, const struct where *where,
                         struct scalar *scalar)
{
    int64_t number = 0;
    if (json->kind == JSON_NULL && field->enumeration->is_null_value) {
        scalar->bits = 0;
        return CODE_OK;
    }
    if (json->kind == JSON_NUMBER) {
        if (!json_number_i64(json->text, &number) || number < INT32_MIN || number > INT32_MAX)
            return where_fail(in, where, "must be a whole number of 32 bits");
    } else if (json->kind == JSON_STRING) {
        const struct schema_enum_value *value = schema_enum_named(field->enumeration, json->text);
        if (!value)
            return where_fail(in, where, "'%.*s' is no value of %.*s",
                              STR_ARG(str_utf8_cut(json->text, 80)),
                              STR_ARG(field->enumeration->full_name));
        number = value->number;
    } else {
        return expected(in, where, "the name of an enum value", json);
    }
    scalar->bits = (uint64_t)number;
    return CODE_OK;
}

static enum code bytes_in(struct transcode_in *in, const struct json_value *json,
                          const struct where *where, struct scalar *scalar)
{
    struct buf bytes;
    if (json->kind != JSON_STRING)
        return expected(in, where, "base64", json);
    buf_init_arena(&bytes, in->arena, json->text.len);
    if (!decode_base64(&bytes, json->text, false))
        return where_fail(in, where, "is not base64");
    scalar->bytes = buf_str(&bytes);
    return CODE_OK;
}

enum code scalar_in(struct transcode_in *in, const struct schema_field *field,
                    const struct json_value *json, const struct where *where, struct scalar *scalar)
{
    switch (field->type) {
    case SCHEMA_STRING:
        scalar->bytes = json->text;
        return json->kind == JSON_STRING ? CODE_OK : expected(in, where, "a string", json);
    case SCHEMA_BYTES:
        return bytes_in(in, json, where, scalar);
    case SCHEMA_BOOL:
        scalar->bits = json->kind == JSON_TRUE;
        return json->kind == JSON_TRUE || json->kind == JSON_FALSE
                   ? CODE_OK
                   : expected(in, where, "true or false", json);
    case SCHEMA_ENUM:
        return enum_in(in, field, json, where, scalar);
    case SCHEMA_DOUBLE:
    case SCHEMA_FLOAT:
        return real_in(in, field, json, where, scalar);
    default:
        return integer_in(in, field, json, where, scalar);
    }
}

/* Digits as they are written out: no fraction, no exponent, no `-0`. */
static bool is_plain_integer(struct str text)
{
    for (size_t i = text.len && text.ptr[0] == '-'; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return !str_eq(text, STR("-0"));
}

enum code scalar_key_in(struct transcode_in *in, const struct schema_field *field, struct str key,
                        const struct where *where, struct scalar *scalar)
{
    struct json_value value = {.kind = JSON_STRING, .text = key};
    if (field->type == SCHEMA_BOOL)
        value.kind = str_eq(key, STR("true"))    ? JSON_TRUE
                     : str_eq(key, STR("false")) ? JSON_FALSE
                                                 : JSON_STRING;
    if (scalar_in(in, field, &value, where, scalar) != CODE_OK)
        return in->err->code;
    if (field->type != SCHEMA_STRING && field->type != SCHEMA_BOOL && !is_plain_integer(key))
        return where_fail(in, where, "must be an integer in plain digits, as the key of a map");
    return CODE_OK;
}

void scalar_put(struct buf *out, const struct schema_field *field, const struct scalar *scalar)
{
    wire_put_tag(out, field->number, (enum wire_type)field->wire);
    if (field->wire == WIRE_BYTES) {
        wire_put_varint(out, scalar->bytes.len);
        buf_add(out, scalar->bytes);
    } else {
        wire_put_value(out, (enum wire_type)field->wire, scalar->bits);
    }
}
