/* The update mask that a PATCH means by what it sends. */
#include "gateway/transcode.h"
#include "gateway/wire.h"

enum { PATH_BYTES_MAX = 1024 };

struct mask {
    const struct str *skip;
    size_t skip_count;
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
        if (!field)
            continue; /* reading the body says what is wrong with it */
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
                       const struct str *skip, size_t skip_count, struct buf *out)
{
    char path[PATH_BYTES_MAX];
    struct mask mask = {skip, skip_count, out, false};
    if (json->kind == JSON_OBJECT)
        add_leaves(&mask, message, json, path, 0);
    return !mask.too_long && !out->overflow;
}
