/* Two fields of one message; the third one, extensions, is for those who share protos. */
#include "gateway/http_body.h"

#include "gateway/wire.h"

enum { CONTENT_TYPE = 1, DATA = 2 };

bool http_body_is(const struct schema_message *message, const struct schema_field *field)
{
    if (field)
        message = field->repeated ? NULL : field->message;
    return message && str_eq(message->full_name, STR("google.api.HttpBody"));
}

bool http_body_in(const struct route *route)
{
    return (route->body_all || route->body_field) &&
           http_body_is(route->method->input, route->body_field);
}

bool http_body_out(const struct route *route)
{
    return http_body_is(route->method->output, route->response_field);
}

void http_body_put(struct buf *out, struct str content_type, struct str data)
{
    if (content_type.len)
        wire_put_bytes(out, CONTENT_TYPE, content_type);
    if (data.len)
        wire_put_bytes(out, DATA, data);
}

static bool take_fields(struct str wire, struct str *content_type, struct str *data)
{
    struct wire_record record;
    enum wire_result result;
    while ((result = wire_next(&wire, &record)) == WIRE_RECORD) {
        if (record.type == WIRE_BYTES && record.number == CONTENT_TYPE)
            *content_type = record.bytes;
        if (record.type == WIRE_BYTES && record.number == DATA)
            *data = record.bytes;
    }
    return result == WIRE_END;
}

/* Printable, with a slash inside: it becomes a header. */
static bool is_content_type(struct str text)
{
    ptrdiff_t slash = str_find(text, '/');
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return slash > 0 && (size_t)slash + 1 < text.len && str_trim(text).len == text.len;
}

bool http_body_take(const struct schema_field *field, struct str wire, struct str *content_type,
                    struct str *data)
{
    struct wire_record record;
    enum wire_result result = WIRE_END;
    *content_type = *data = STR("");
    if (!field && !take_fields(wire, content_type, data))
        return false;
    /* Of a field that is there more than once, the later occurrence is merged into the first. */
    while (field && (result = wire_next(&wire, &record)) == WIRE_RECORD)
        if (record.type == WIRE_BYTES && record.number == field->number &&
            !take_fields(record.bytes, content_type, data))
            return false;
    return result == WIRE_END && (!content_type->len || is_content_type(*content_type));
}
