/*
 * Messages and fields as JSON Schema (2020-12), by the proto3 JSON mapping. No field is required:
 * what has its default value is left out. 64-bit integers are texts in answers, and numbers as well
 * as texts in requests; the schemas say what both are.
 */
#include "gateway/openapi_types.h"

#include "base/alloc.h"

void openapi_text(struct openapi *api, struct str key, struct str text)
{
    json_key(&api->json, key);
    json_string(&api->json, text);
}

struct str openapi_last_name(struct str full_name)
{
    size_t at = full_name.len;
    while (at > 0 && full_name.ptr[at - 1] != '.')
        at--;
    return str_from(full_name, at);
}

struct str openapi_service_label(const struct openapi *api, struct str service)
{
    struct str last = openapi_last_name(service);
    for (size_t i = 0; i < api->options->method_count; i++) {
        struct str other = api->options->methods[i]->service;
        if (!str_eq(other, service) && str_eq(openapi_last_name(other), last))
            return service;
    }
    return last;
}

void openapi_description(struct openapi *api, struct str full_name)
{
    struct str comment = comments_find(api->options->comments, full_name);
    if (comment.len)
        openapi_text(api, STR("description"), comment);
}

struct str openapi_field_comment(const struct openapi *api, const struct schema_message *message,
                                 const struct schema_field *field)
{
    const char *name = arena_printf((struct arena *)&api->arena, "%.*s.%.*s",
                                    STR_ARG(message->full_name), STR_ARG(field->name));
    return comments_find(api->options->comments, str_of(name));
}

/* --- what is referred to --- */

static void refer(struct openapi *api, struct str full_name)
{
    const char *path = arena_printf(&api->arena, "#/components/schemas/%.*s", STR_ARG(full_name));
    openapi_text(api, STR("$ref"), str_of(path));
}

static void note_message(struct openapi *api, const struct schema_message *message)
{
    for (size_t i = 0; i < api->message_count; i++)
        if (api->messages[i] == message)
            return;
    if (api->message_count == api->message_room) {
        api->message_room = api->message_room ? 2 * api->message_room : 64;
        api->messages = xrealloc(api->messages, api->message_room * sizeof *api->messages);
    }
    api->messages[api->message_count++] = message;
}

static void note_enum(struct openapi *api, const struct schema_enum *enumeration)
{
    for (size_t i = 0; i < api->enum_count; i++)
        if (api->enums[i] == enumeration)
            return;
    if (api->enum_count == api->enum_room) {
        api->enum_room = api->enum_room ? 2 * api->enum_room : 64;
        api->enums = xrealloc(api->enums, api->enum_room * sizeof *api->enums);
    }
    api->enums[api->enum_count++] = enumeration;
}

/* --- scalars --- */

static void type(struct openapi *api, const char *name, const char *format)
{
    openapi_text(api, STR("type"), str_of(name));
    if (format)
        openapi_text(api, STR("format"), str_of(format));
}

static void two_types(struct openapi *api, const char *one, const char *other, const char *format)
{
    json_key(&api->json, STR("type"));
    json_array_begin(&api->json);
    json_string(&api->json, str_of(one));
    json_string(&api->json, str_of(other));
    json_array_end(&api->json);
    openapi_text(api, STR("format"), str_of(format));
}

static void bounds(struct openapi *api, int64_t least, int64_t most)
{
    json_key(&api->json, STR("minimum"));
    json_i64(&api->json, least);
    json_key(&api->json, STR("maximum"));
    json_i64(&api->json, most);
}

static void real(struct openapi *api, const char *format)
{
    two_types(api, "number", "string", format);
    openapi_text(api, STR("pattern"), STR("^(NaN|-?Infinity|-?[0-9].*)$"));
}

static void members_of_scalar(struct openapi *api, const struct schema_field *field)
{
    switch (field->type) {
    case SCHEMA_BOOL:
        type(api, "boolean", NULL);
        break;
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
        type(api, "integer", "int32");
        bounds(api, INT32_MIN, INT32_MAX);
        break;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        type(api, "integer", "uint32");
        bounds(api, 0, UINT32_MAX);
        break;
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        two_types(api, "string", "integer", "int64");
        openapi_text(api, STR("pattern"), STR("^-?[0-9]{1,19}$"));
        break;
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        two_types(api, "string", "integer", "uint64");
        openapi_text(api, STR("pattern"), STR("^[0-9]{1,20}$"));
        break;
    case SCHEMA_FLOAT:
        real(api, "float");
        break;
    case SCHEMA_DOUBLE:
        real(api, "double");
        break;
    case SCHEMA_BYTES:
        type(api, "string", NULL);
        openapi_text(api, STR("contentEncoding"), STR("base64"));
        break;
    default:
        type(api, "string", NULL);
        break;
    }
}

/* --- messages --- */

static void members_of_any(struct openapi *api)
{
    type(api, "object", NULL);
    json_key(&api->json, STR("properties"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("@type"));
    json_object_begin(&api->json);
    type(api, "string", NULL);
    json_object_end(&api->json);
    json_object_end(&api->json);
    json_key(&api->json, STR("additionalProperties"));
    json_bool(&api->json, true);
}

static void members_of_message(struct openapi *api, const struct schema_message *message)
{
    switch (message->well_known) {
    case SCHEMA_PLAIN:
        note_message(api, message);
        refer(api, message->full_name);
        break;
    case SCHEMA_ANY:
        members_of_any(api);
        break;
    case SCHEMA_TIMESTAMP:
        type(api, "string", "date-time");
        break;
    case SCHEMA_DURATION:
        type(api, "string", NULL);
        openapi_text(api, STR("pattern"), STR("^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$"));
        break;
    case SCHEMA_FIELD_MASK:
        type(api, "string", "field-mask");
        break;
    case SCHEMA_STRUCT:
        type(api, "object", NULL);
        break;
    case SCHEMA_LIST_VALUE:
        type(api, "array", NULL);
        break;
    case SCHEMA_WRAPPER:
        members_of_scalar(api, &message->fields[0]);
        break;
    case SCHEMA_VALUE:
        break;
    }
}

void openapi_message(struct openapi *api, const struct schema_message *message)
{
    json_object_begin(&api->json);
    members_of_message(api, message);
    json_object_end(&api->json);
}

static void members_of_element(struct openapi *api, const struct schema_field *field)
{
    if (field->message) {
        members_of_message(api, field->message);
    } else if (field->enumeration && field->enumeration->is_null_value) {
        type(api, "null", NULL);
    } else if (field->enumeration) {
        note_enum(api, field->enumeration);
        refer(api, field->enumeration->full_name);
    } else {
        members_of_scalar(api, field);
    }
}

void openapi_element(struct openapi *api, const struct schema_field *field)
{
    json_object_begin(&api->json);
    members_of_element(api, field);
    json_object_end(&api->json);
}

static void members_of_field(struct openapi *api, const struct schema_field *field)
{
    if (field->map_key) {
        type(api, "object", NULL);
        json_key(&api->json, STR("additionalProperties"));
        openapi_element(api, field->map_value);
    } else if (field->repeated) {
        type(api, "array", NULL);
        json_key(&api->json, STR("items"));
        openapi_element(api, field);
    } else {
        members_of_element(api, field);
    }
}

void openapi_field(struct openapi *api, const struct schema_field *field)
{
    json_object_begin(&api->json);
    members_of_field(api, field);
    json_object_end(&api->json);
}

static bool is_in(const struct schema_field *field, const struct schema_field *const *list,
                  size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == field)
            return true;
    return false;
}

static void property(struct openapi *api, const struct schema_message *message,
                     const struct schema_field *field)
{
    struct str comment = openapi_field_comment(api, message, field);
    json_key(&api->json, field->json_name);
    json_object_begin(&api->json);
    members_of_field(api, field);
    if (comment.len)
        openapi_text(api, STR("description"), comment);
    /* The protos say it in words, as AIP-203 has it in brackets. */
    if (str_ends(comment, STR("Output only."))) {
        json_key(&api->json, STR("readOnly"));
        json_bool(&api->json, true);
    }
    json_object_end(&api->json);
}

void openapi_object(struct openapi *api, const struct schema_message *message,
                    const struct schema_field *const *skip, size_t skip_count)
{
    json_object_begin(&api->json);
    type(api, "object", NULL);
    openapi_description(api, message->full_name);
    json_key(&api->json, STR("properties"));
    json_object_begin(&api->json);
    for (uint32_t i = 0; i < message->field_count; i++)
        if (!is_in(&message->fields[i], skip, skip_count))
            property(api, message, &message->fields[i]);
    json_object_end(&api->json);
    json_key(&api->json, STR("additionalProperties"));
    json_bool(&api->json, api->options->ignore_unknown);
    json_object_end(&api->json);
}

static void enumeration(struct openapi *api, const struct schema_enum *from)
{
    json_object_begin(&api->json);
    type(api, "string", NULL);
    openapi_description(api, from->full_name);
    json_key(&api->json, STR("enum"));
    json_array_begin(&api->json);
    for (size_t i = 0; i < from->count; i++)
        json_string(&api->json, from->values[i].name);
    json_array_end(&api->json);
    json_object_end(&api->json);
}

void openapi_components(struct openapi *api)
{
    for (size_t i = 0; i < api->message_count; i++) { /* it grows on the way */
        json_key(&api->json, api->messages[i]->full_name);
        openapi_object(api, api->messages[i], NULL, 0);
    }
    for (size_t i = 0; i < api->enum_count; i++) {
        json_key(&api->json, api->enums[i]->full_name);
        enumeration(api, api->enums[i]);
    }
}
