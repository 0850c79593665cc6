/*
 * What path, query and headers say about a request, as a small tree beside the body: a node a
 * message, an entry a field, whose value is encoded as soon as it is known.
 */
#include "gateway/transcode_in.h"

#include "base/encode.h"
#include "gateway/wire.h"

#include <string.h>

struct overlay *overlay_new(struct arena *arena, const struct schema_message *message)
{
    struct overlay *overlay = arena_alloc0(arena, sizeof *overlay);
    *overlay = (struct overlay){.arena = arena, .message = message};
    return overlay;
}

void overlay_mask_of(struct overlay *overlay, const struct schema_field *mask,
                     const struct schema_message *resource)
{
    overlay->mask = mask;
    overlay->resource = resource;
}

static struct overlay_entry *find(const struct overlay *overlay, const struct schema_field *field)
{
    struct overlay_entry *entry = overlay->first;
    while (entry && entry->field != field)
        entry = entry->next;
    return entry;
}

const struct overlay_entry *overlay_find(const struct overlay *overlay,
                                         const struct schema_field *field)
{
    return find(overlay, field);
}

bool overlay_has(const struct overlay *overlay, const struct schema_field *field)
{
    const struct overlay_entry *entry = find(overlay, field);
    struct wire_record record;
    if (!entry || entry->child || !field->message)
        return entry != NULL;
    struct str rest = buf_str(&entry->wire);
    return wire_next(&rest, &record) == WIRE_RECORD && record.bytes.len;
}

static struct overlay_entry *add_entry(struct overlay *overlay, const struct schema_field *field,
                                       enum overlay_source source, struct str said)
{
    struct overlay_entry **link = &overlay->first;
    while (*link)
        link = &(*link)->next;
    *link = arena_alloc0(overlay->arena, sizeof **link);
    (*link)->field = field;
    (*link)->source = source;
    (*link)->said = said;
    buf_init_arena(&(*link)->wire, overlay->arena, SIZE_MAX / 2); /* the message has a maximum */
    return *link;
}

/* Text in the place of JSON: quoted numbers are numbers, the words are themselves. */
static struct json_value as_json(const struct schema_field *field, struct str text)
{
    struct json_value value = {.kind = JSON_STRING, .text = text};
    if (field->type == SCHEMA_BOOL && str_eq(text, STR("true")))
        value.kind = JSON_TRUE;
    else if (field->type == SCHEMA_BOOL && str_eq(text, STR("false")))
        value.kind = JSON_FALSE;
    else if (field->type == SCHEMA_ENUM && json_is_number(text))
        value.kind = JSON_NUMBER;
    return value;
}

static enum code message_value(struct transcode_in *in, const struct overlay *overlay,
                               const struct schema_field *field, struct str text,
                               const struct where *where)
{
    const struct schema_message *message = field->message;
    enum code code;
    wire_put_tag(in->out, field->number, WIRE_BYTES);
    size_t begin = wire_begin(in->out);
    if (message->well_known == SCHEMA_FIELD_MASK) {
        code =
            mask_parameter_in(in, text, field == overlay->mask ? overlay->resource : NULL, where);
    } else {
        const struct schema_field *inner =
            message->well_known == SCHEMA_WRAPPER ? schema_field_numbered(message, 1) : field;
        struct json_value json = as_json(inner, text);
        code = known_in(in, message, &json, where);
    }
    wire_end(in->out, begin);
    return code;
}

static enum code leaf_value(struct transcode_in *in, const struct overlay *overlay,
                            const struct schema_field *field, struct str text,
                            const struct where *where)
{
    struct scalar scalar;
    if (!str_is_utf8(text))
        return where_fail(in, where, "is not UTF-8");
    if (field->message)
        return message_value(in, overlay, field, text, where);
    struct json_value json = as_json(field, text);
    if (scalar_in(in, field, &json, where, &scalar) != CODE_OK)
        return in->err->code;
    if (field->presence || field->repeated || !scalar_is_default(field, &scalar))
        scalar_put(in->out, field, &scalar);
    return CODE_OK;
}

static bool takes_text(const struct schema_field *field)
{
    if (!field->message)
        return true;
    enum schema_well_known kind = field->message->well_known;
    return !field->repeated && (kind == SCHEMA_WRAPPER || kind == SCHEMA_TIMESTAMP ||
                                kind == SCHEMA_DURATION || kind == SCHEMA_FIELD_MASK);
}

/* Another member of the field's oneof that has a value already. */
static const struct overlay_entry *rival(const struct overlay *overlay,
                                         const struct schema_field *field)
{
    for (const struct overlay_entry *e = overlay->first; e && field->oneof >= 0; e = e->next)
        if (e->field != field && e->field->oneof == field->oneof)
            return e;
    return NULL;
}

enum code overlay_add(struct overlay *overlay, const struct schema_path *path,
                      enum overlay_source source, struct str said, struct str text,
                      struct error *err)
{
    struct where where = {NULL, said, 0};
    struct transcode_in in = {.arena = overlay->arena, .err = err};
    for (size_t i = 0; i < path->count; i++) {
        const struct schema_field *field = path->fields[i];
        const struct overlay_entry *other = rival(overlay, field);
        struct overlay_entry *entry = find(overlay, field);
        bool last = i + 1 == path->count;
        if (other)
            return where_fail(&in, &where, "only one of '%.*s' may be given",
                              STR_ARG(overlay->message->oneofs[field->oneof]));
        if (last && !takes_text(field))
            return where_fail(&in, &where, "cannot be given as a parameter");
        if (entry && (last ? !field->repeated || entry->child : !entry->child))
            return where_fail(&in, &where,
                              entry->source == OVERLAY_PATH ? "is given by the path already"
                                                            : "is given twice");
        if (!entry)
            entry = add_entry(overlay, field, source, said);
        if (last) {
            in.out = &entry->wire;
            return leaf_value(&in, overlay, field, text, &where);
        }
        if (!entry->child)
            entry->child = overlay_new(overlay->arena, field->message);
        overlay = entry->child;
    }
    return CODE_OK;
}

void overlay_set_message(struct overlay *overlay, const struct schema_field *field,
                         struct str encoded)
{
    struct overlay_entry *entry = find(overlay, field);
    if (!entry)
        entry = add_entry(overlay, field, OVERLAY_HEADER, STR(""));
    entry->child = NULL;
    buf_reset(&entry->wire);
    wire_put_bytes(&entry->wire, field->number, encoded);
}

static bool decoded(struct arena *arena, struct str text, struct str *to)
{
    struct buf buf;
    buf_init_arena(&buf, arena, text.len);
    bool ok = decode_percent(&buf, text, true);
    *to = buf_str(&buf);
    return ok;
}

enum code overlay_add_query(struct overlay *overlay, struct str query,
                            const struct schema_field *body, struct error *err)
{
    struct str rest = query, piece, name, value;
    struct transcode_in in = {.arena = overlay->arena, .err = err};
    struct schema_path path;
    while (str_next(&rest, '&', &piece)) {
        if (!piece.len)
            continue;
        ptrdiff_t equals = str_find(piece, '=');
        size_t end = equals < 0 ? piece.len : (size_t)equals;
        if (!decoded(overlay->arena, (struct str){piece.ptr, end}, &name) || !str_is_utf8(name))
            return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_QUERY",
                             "a parameter's name has a malformed escape or is not UTF-8");
        struct where where = {NULL, name, 0};
        if (!schema_path_named(overlay->message, name, &path))
            return where_fail(&in, &where, "no such parameter");
        if (path.fields[0] == body)
            return where_fail(&in, &where, "belongs in the body");
        if (!decoded(overlay->arena, str_from(piece, end + 1), &value))
            return where_fail(&in, &where, "has a malformed escape");
        if (overlay_add(overlay, &path, OVERLAY_QUERY, name, value, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}
