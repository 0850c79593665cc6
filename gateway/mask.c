/* Masks as parameters (AIP-161), and the update mask that a PATCH means by what it sends. */
#include "gateway/transcode_in.h"

#include "gateway/wire.h"

/* --- a mask as a parameter --- */

/* str_next for separators that stand in no backticks. */
static bool next_piece(struct str *rest, char separator, struct str *piece)
{
    size_t end = 0;
    bool quoted = false;
    if (!rest->ptr)
        return false;
    for (; end < rest->len && (quoted || rest->ptr[end] != separator); end++)
        quoted ^= rest->ptr[end] == '`';
    *piece = (struct str){rest->ptr, end};
    *rest = end < rest->len ? str_from(*rest, end + 1) : (struct str){NULL, 0};
    return true;
}

/* Not empty, no blank but in backticks, and those are closed. */
static bool is_path(struct str path)
{
    bool quoted = false;
    for (size_t i = 0; i < path.len; i++) {
        quoted ^= path.ptr[i] == '`';
        if (!quoted && (unsigned char)path.ptr[i] <= ' ')
            return false;
    }
    return path.len && !quoted;
}

/* lowerCamel to lower_snake, where nobody knows whose names these are. */
static void put_snake(struct buf *out, struct str path)
{
    bool quoted = false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        quoted ^= c == '`';
        if (!quoted && c >= 'A' && c <= 'Z') {
            buf_add_char(out, '_');
            c = (char)(c + 32);
        }
        buf_add_char(out, c);
    }
}

/* The message whose fields may be named behind a field, or behind its key or index. */
static const struct schema_message *below(const struct schema_field *field)
{
    const struct schema_field *value = field->map_value ? field->map_value : field;
    return value->message && value->message->well_known == SCHEMA_PLAIN ? value->message : NULL;
}

/* Fields by their proto names; keys, indexes and what is no field stay as they are. */
static void put_path(struct buf *out, struct str path, const struct schema_message *message)
{
    struct str rest = path, name;
    bool is_key = false;
    while (next_piece(&rest, '.', &name)) {
        const struct schema_field *field =
            is_key || !message ? NULL : schema_field_named(message, name);
        buf_add(out, field ? field->name : name);
        if (rest.ptr)
            buf_add_char(out, '.');
        if (!is_key)
            message = field ? below(field) : NULL;
        is_key = field && field->repeated;
    }
}

enum code mask_parameter_in(struct transcode_in *in, struct str text,
                            const struct schema_message *resource, const struct where *where)
{
    struct str rest = text, path;
    while (text.len && next_piece(&rest, ',', &path)) {
        if (!is_path(path))
            return where_fail(in, where, MASK_EXPECTED);
        wire_put_tag(in->out, 1, WIRE_BYTES);
        size_t begin = wire_begin(in->out);
        if (resource)
            put_path(in->out, path, resource);
        else
            put_snake(in->out, path);
        wire_end(in->out, begin);
    }
    return CODE_OK;
}

/* --- the mask of a body --- */

enum { PATH_BYTES_MAX = 1024 };

struct mask {
    const struct str *skip;
    size_t skip_count;
    bool ignore_unknown;
    struct buf *out;
    bool too_long; /* a path */
};

static bool skipped(const struct mask *mask, struct str path)
{
    for (size_t i = 0; i < mask->skip_count; i++)
        if (str_eq(mask->skip[i], path))
            return true;
    return false;
}

/* Messages with fields of their own are entered; everything else, and `{}`, is a leaf. */
static bool enters(const struct schema_field *field, const struct json_value *value)
{
    return field->message && !field->repeated && field->message->well_known == SCHEMA_PLAIN &&
           value->kind == JSON_OBJECT && value->count;
}

static void add_leaves(struct mask *mask, const struct schema_message *message,
                       const struct json_value *json, char *path, size_t length)
{
    for (const struct json_value *m = json->first; m; m = m->next) {
        const struct schema_field *field = schema_field_named(message, m->key);
        if (!field || (mask->ignore_unknown && value_is_unknown(field, m)))
            continue; /* reading the body says what is wrong with it, or ignores it */
        if (length + 1 + field->name.len > PATH_BYTES_MAX) {
            mask->too_long = true;
            return;
        }
        size_t end = length;
        if (end)
            path[end++] = '.';
        memcpy(path + end, field->name.ptr, field->name.len);
        end += field->name.len;
        if (enters(field, m))
            add_leaves(mask, field->message, m, path, end);
        else if (!skipped(mask, (struct str){path, end}))
            wire_put_bytes(mask->out, 1, (struct str){path, end});
    }
}

bool transcode_mask_of(const struct schema_message *message, const struct json_value *json,
                       const struct str *skip, size_t skip_count, bool ignore_unknown,
                       struct buf *out)
{
    char path[PATH_BYTES_MAX];
    struct mask mask = {skip, skip_count, ignore_unknown, out, false};
    if (json->kind == JSON_OBJECT)
        add_leaves(&mask, message, json, path, 0);
    return !mask.too_long && !out->overflow;
}
