/*
 * Messages from JSON: fields, lists, maps and oneofs, with the overlay laid over them.
 */
#include "gateway/transcode_in.h"

#include "gateway/wire.h"

#include <string.h>

enum { FIELDS_ON_STACK = 256, ONEOFS_ON_STACK = 8 };

/* What has been met in one message so far. */
struct met {
    uint8_t fields_room[FIELDS_ON_STACK / 8];
    const struct schema_field *oneofs_room[ONEOFS_ON_STACK];
    uint8_t *fields;
    const struct schema_field **oneofs; /* the member that was set */
    bool known;                         /* something in it is */
};

struct transcode_room {
    char *ptr;
    size_t size;
};

/* Memory for what has been met in the message that is being written. Messages of one depth follow
 * each other and share it: a list of a hundred thousand `{}` costs one. */
static char *room_of(struct transcode_in *in, size_t bytes)
{
    if (!in->rooms)
        in->rooms = arena_alloc0(in->arena, (TRANSCODE_DEPTH_MAX + 1) * sizeof *in->rooms);
    struct transcode_room *room = &in->rooms[in->depth];
    if (room->size < bytes)
        *room = (struct transcode_room){arena_alloc(in->arena, bytes), bytes};
    return room->ptr;
}

static void met_begin(struct met *met, struct transcode_in *in,
                      const struct schema_message *message)
{
    size_t fields = message->field_count / 8 + 1;
    size_t oneofs = message->oneof_count * sizeof *met->oneofs;
    met->fields = met->fields_room;
    met->oneofs = met->oneofs_room;
    if (fields > sizeof met->fields_room || oneofs > sizeof met->oneofs_room) {
        char *room = room_of(in, oneofs + fields);
        met->oneofs = (const struct schema_field **)room;
        met->fields = (uint8_t *)room + oneofs;
    }
    memset(met->fields, 0, fields);
    memset(met->oneofs, 0, oneofs);
    met->known = false;
}

/* True when it was met before. */
static bool met_field(struct met *met, const struct schema_field *field)
{
    uint8_t bit = (uint8_t)(1u << field->index % 8), *byte = &met->fields[field->index / 8];
    bool before = *byte & bit;
    *byte |= bit;
    return before;
}

bool null_is_value(const struct schema_field *field)
{
    return field->message ? field->message->well_known == SCHEMA_VALUE
                          : field->enumeration && field->enumeration->is_null_value;
}

static bool is_unknown_name(const struct schema_field *field, const struct json_value *json)
{
    return field->enumeration && json->kind == JSON_STRING &&
           !schema_enum_named(field->enumeration, json->text);
}

bool value_is_unknown(const struct schema_field *field, const struct json_value *json)
{
    if (!field->repeated)
        return is_unknown_name(field, json);
    const struct json_value *value = json->first;
    while (value && is_unknown_name(field->map_value ? field->map_value : field, value))
        value = value->next;
    return json->kind == (field->map_value ? JSON_OBJECT : JSON_ARRAY) && json->count && !value;
}

/* An element to be left out. */
static bool is_ignored(const struct transcode_in *in, const struct schema_field *field,
                       const struct json_value *json)
{
    return in->ignore_unknown && is_unknown_name(field, json);
}

enum code message_begin(struct transcode_in *in, uint32_t number, const struct where *where,
                        size_t *begin)
{
    if (in->depth == TRANSCODE_DEPTH_MAX)
        return where_fail(in, where, "is nested too deep: a message holds at most %d within it",
                          TRANSCODE_DEPTH_MAX);
    in->depth++;
    wire_put_tag(in->out, number, WIRE_BYTES);
    *begin = wire_begin(in->out);
    return CODE_OK;
}

void message_end(struct transcode_in *in, size_t begin)
{
    wire_end(in->out, begin);
    in->depth--;
}

static enum code submessage_in(struct transcode_in *in, const struct schema_field *field,
                               const struct json_value *json, const struct overlay *overlay,
                               const struct where *where)
{
    size_t begin;
    if (message_begin(in, field->number, where, &begin) != CODE_OK ||
        message_in(in, field->message, json, overlay, false, where) != CODE_OK)
        return in->err->code;
    message_end(in, begin);
    return CODE_OK;
}

/* One value with its tag. */
static enum code single_in(struct transcode_in *in, const struct schema_field *field,
                           const struct json_value *json, const struct where *where)
{
    struct scalar scalar;
    if (field->message)
        return submessage_in(in, field, json, NULL, where);
    if (scalar_in(in, field, json, where, &scalar) != CODE_OK)
        return in->err->code;
    scalar_put(in->out, field, &scalar);
    return CODE_OK;
}

static enum code list_in(struct transcode_in *in, const struct schema_field *field,
                         const struct json_value *json, const struct where *where)
{
    struct where element = {where, {NULL, 0}, 0};
    struct scalar scalar;
    size_t begin = 0;
    if (json->kind != JSON_ARRAY)
        return where_fail(in, where, "must be an array, not %s", json_kind_name(json));
    if (field->packed && json->count) {
        wire_put_tag(in->out, field->number, WIRE_BYTES);
        begin = wire_begin(in->out);
    }
    for (const struct json_value *value = json->first; value; value = value->next) {
        if (value->kind == JSON_NULL && !null_is_value(field))
            return where_fail(in, &element, "must not be null");
        if (is_ignored(in, field, value)) {
            element.index++;
            continue;
        }
        if (!field->packed) {
            if (single_in(in, field, value, &element) != CODE_OK)
                return in->err->code;
        } else {
            if (scalar_in(in, field, value, &element, &scalar) != CODE_OK)
                return in->err->code;
            wire_put_value(in->out, (enum wire_type)field->wire, scalar.bits);
        }
        element.index++;
    }
    if (begin)
        wire_end(in->out, begin);
    return CODE_OK;
}

static enum code map_in(struct transcode_in *in, const struct schema_field *field,
                        const struct json_value *json, const struct where *where)
{
    if (json->kind != JSON_OBJECT)
        return where_fail(in, where, "must be an object, not %s", json_kind_name(json));
    for (const struct json_value *member = json->first; member; member = member->next) {
        struct where inner = {where, member->key, 0};
        struct scalar key;
        if (member->kind == JSON_NULL && !null_is_value(field->map_value))
            return where_fail(in, &inner, "must not be null");
        if (is_ignored(in, field->map_value, member))
            continue;
        size_t begin;
        if (scalar_key_in(in, field->map_key, member->key, &inner, &key) != CODE_OK ||
            message_begin(in, field->number, &inner, &begin) != CODE_OK)
            return in->err->code;
        scalar_put(in->out, field->map_key, &key);
        if (single_in(in, field->map_value, member, &inner) != CODE_OK)
            return in->err->code;
        message_end(in, begin);
    }
    return CODE_OK;
}

/* A field's value that is there, and is not an absence written `null`. */
static enum code field_in(struct transcode_in *in, const struct schema_field *field,
                          const struct json_value *json, const struct overlay *overlay,
                          const struct where *where)
{
    struct scalar scalar;
    if (field->map_key)
        return map_in(in, field, json, where);
    if (field->repeated)
        return list_in(in, field, json, where);
    if (field->message)
        return submessage_in(in, field, json, overlay, where);
    if (scalar_in(in, field, json, where, &scalar) != CODE_OK)
        return in->err->code;
    if (field->presence || !scalar_is_default(field, &scalar))
        scalar_put(in->out, field, &scalar);
    return CODE_OK;
}

static enum code take_oneof(struct transcode_in *in, const struct schema_message *message,
                            struct met *met, const struct schema_field *field,
                            const struct where *where)
{
    if (field->oneof < 0)
        return CODE_OK;
    const struct schema_field *before = met->oneofs[field->oneof];
    met->oneofs[field->oneof] = field;
    if (!before || before == field)
        return CODE_OK;
    return where_fail(in, where, "only one of '%.*s' may be given, and '%.*s' is given too",
                      STR_ARG(message->oneofs[field->oneof]), STR_ARG(before->json_name));
}

/* A message that has been written, with nothing in it that is known: to leave it out changes
 * nothing, and to write it would empty what is there. The body itself is there, whatever it has. */
static bool is_void(const struct transcode_in *in, const struct schema_field *field,
                    const struct json_value *member)
{
    return in->nothing_known && !field->repeated && field->message &&
           field->message->well_known == SCHEMA_PLAIN && member != in->body;
}

/* What a header says may be said again, not otherwise: dropping either would do what nobody asked
 * for (of an etag, AIP-154). Of path and query the body may differ: they say what the thing is. */
static bool contradicts(const struct overlay_entry *entry, const struct json_value *member,
                        struct str written)
{
    return entry->source == OVERLAY_HEADER && member->text.len && written.len &&
           !str_eq(written, buf_str(&entry->wire));
}

/* A member's value, and what the overlay has to say to it. */
static enum code present_in(struct transcode_in *in, const struct schema_field *field,
                            const struct json_value *member, const struct overlay_entry *entry,
                            struct met *met, const struct where *where)
{
    size_t before = in->out->len;
    in->nothing_known = false;
    if (field_in(in, field, member, entry ? entry->child : NULL, where) != CODE_OK)
        return in->err->code;
    if (is_void(in, field, member)) {
        in->out->len = before;
        return CODE_OK;
    }
    met->known = true;
    if (!entry || entry->child)
        return CODE_OK;
    if (contradicts(entry, member, str_from(buf_str(in->out), before)))
        return where_fail(in, where, "is not what %.*s says", STR_ARG(entry->said));
    in->out->len = before; /* checked, and overruled */
    return CODE_OK;
}

/* What the JSON says about one field, known by its name already. */
static enum code member_in(struct transcode_in *in, const struct schema_message *message,
                           const struct schema_field *field, const struct json_value *member,
                           const struct overlay *overlay, struct met *met,
                           const struct where *where)
{
    if (in->ignore_unknown && value_is_unknown(field, member))
        return CODE_OK;
    if (met_field(met, field))
        return where_fail(in, where, "is given twice, under two spellings");
    const struct overlay_entry *entry = overlay ? overlay_find(overlay, field) : NULL;
    if (member->kind == JSON_NULL && (field->repeated || !null_is_value(field))) {
        met->known = true;
        if (entry && entry->child)
            return submessage_in(in, field, NULL, entry->child, where);
        return CODE_OK;
    }
    if (take_oneof(in, message, met, field, where) != CODE_OK)
        return in->err->code;
    return present_in(in, field, member, entry, met, where);
}

/* What the overlay says and the body did not touch. */
static enum code rest_of_overlay(struct transcode_in *in, const struct schema_message *message,
                                 const struct overlay *overlay, struct met *met,
                                 const struct where *up)
{
    for (const struct overlay_entry *entry = overlay->first; entry; entry = entry->next) {
        struct where where = {up, entry->field->json_name, 0};
        bool before = met_field(met, entry->field);
        if (take_oneof(in, message, met, entry->field, &where) != CODE_OK)
            return in->err->code;
        if (!entry->child)
            buf_add(in->out, buf_str(&entry->wire));
        else if (!before && submessage_in(in, entry->field, NULL, entry->child, &where) != CODE_OK)
            return in->err->code;
    }
    return CODE_OK;
}

enum code message_in(struct transcode_in *in, const struct schema_message *message,
                     const struct json_value *json, const struct overlay *overlay, bool typed,
                     const struct where *where)
{
    struct met met;
    const struct overlay_entry *part = overlay ? overlay->first : NULL;
    if (message->well_known != SCHEMA_PLAIN && json)
        return part ? where_fail(in, where, "is given whole, and a part of it by %.*s",
                                 STR_ARG(part->said))
                    : known_in(in, message, json, where);
    if (json && json->kind != JSON_OBJECT)
        return where_fail(in, where, "must be an object, not %s", json_kind_name(json));
    met_begin(&met, in, message);
    for (const struct json_value *m = json ? json->first : NULL; m; m = m->next) {
        if (typed && str_eq(m->key, STR("@type")))
            continue;
        struct where inner = {where, m->key, 0};
        const struct schema_field *field = schema_field_named(message, m->key);
        if (!field && in->ignore_unknown)
            continue;
        if (!field)
            return where_fail(in, &inner, "no such field");
        if (member_in(in, message, field, m, overlay, &met, &inner) != CODE_OK)
            return in->err->code;
    }
    in->nothing_known = json && json->count && !met.known && !overlay;
    return overlay ? rest_of_overlay(in, message, overlay, &met, where) : CODE_OK;
}

static void begin(struct transcode_in *in, const struct json_value *body)
{
    in->body = body;
    in->depth = 0;
    in->rooms = NULL;
}

static enum code finished(struct transcode_in *in, enum code code)
{
    if (code == CODE_OK && in->out->overflow)
        return error_set(in->err, CODE_INVALID_ARGUMENT, "REQUEST_TOO_LARGE",
                         "the request is larger than a message may be");
    return code;
}

enum code transcode_message_in(struct transcode_in *in, const struct schema_message *message,
                               const struct json_value *json, const struct overlay *overlay,
                               struct str prefix)
{
    struct where where = {NULL, prefix, 0};
    begin(in, NULL);
    return finished(in, message_in(in, message, json, overlay, false, prefix.len ? &where : NULL));
}

enum code transcode_field_in(struct transcode_in *in, const struct schema_message *message,
                             const struct schema_field *field, const struct json_value *json,
                             const struct overlay *overlay)
{
    struct met met;
    struct where where = {NULL, field->name, 0};
    begin(in, json);
    met_begin(&met, in, message);
    enum code code = CODE_OK;
    if (json)
        code = member_in(in, message, field, json, overlay, &met, &where);
    if (code == CODE_OK && overlay)
        code = rest_of_overlay(in, message, overlay, &met, NULL);
    return finished(in, code);
}
