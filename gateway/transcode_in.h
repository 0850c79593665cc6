/* What the files of the JSON-to-wire direction share. */
#pragma once
#include "gateway/transcode.h"

/* Where in the caller's JSON a value stands: a chain on the stack, made text only for an error. */
struct where {
    const struct where *up;
    struct str name; /* member, map key or parameter; ptr NULL: an element */
    size_t index;    /* of the element */
};

/* error_field with the path of `where`. */
enum code where_fail(struct transcode_in *in, const struct where *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A scalar: its bits as the wire has them, or its bytes. */
struct scalar {
    uint64_t bits;
    struct str bytes;
};

/* A JSON value as a scalar field's value. `null` fits NullValue only. */
enum code scalar_in(struct transcode_in *in, const struct schema_field *field,
                    const struct json_value *json, const struct where *where,
                    struct scalar *scalar) MUST_CHECK;

/* A map's key, which JSON always writes as a string: an integer in one spelling only (`1`, neither
 * `1.0` nor `1e0`), so that keys which differ in the JSON are different keys. */
enum code scalar_key_in(struct transcode_in *in, const struct schema_field *field, struct str key,
                        const struct where *where, struct scalar *scalar) MUST_CHECK;

static inline bool scalar_is_default(const struct schema_field *field, const struct scalar *scalar)
{
    return field->type == SCHEMA_STRING || field->type == SCHEMA_BYTES ? !scalar->bytes.len
                                                                       : !scalar->bits;
}

/* Tag and value; without a tag inside of a packed list. */
void scalar_put(struct buf *out, const struct schema_field *field, const struct scalar *scalar);

/* True when `null` is a value of this field and not its absence. */
bool null_is_value(const struct schema_field *field);

/* True when a field's value is the name of an enum value that is not known here, or a list or map
 * with nothing else in it. */
bool value_is_unknown(const struct schema_field *field, const struct json_value *json);

/*
 * A message within the one that is being written, from its tag on; refused where it would be one
 * too many. message_end comes only behind a content that was taken.
 */
enum code message_begin(struct transcode_in *in, uint32_t number, const struct where *where,
                        size_t *begin) MUST_CHECK;
void message_end(struct transcode_in *in, size_t begin);

/* The content of a message that is not SCHEMA_PLAIN. */
enum code known_in(struct transcode_in *in, const struct schema_message *message,
                   const struct json_value *json, const struct where *where) MUST_CHECK;

#define MASK_EXPECTED "must be field paths like displayName,labels"

/* A FieldMask given as a parameter, about `resource` (NULL: nobody knows); see overlay_mask_of. */
enum code mask_parameter_in(struct transcode_in *in, struct str text,
                            const struct schema_message *resource,
                            const struct where *where) MUST_CHECK;

/* The content of a message of any kind; `typed`: a member "@type" is not for us (Any). */
enum code message_in(struct transcode_in *in, const struct schema_message *message,
                     const struct json_value *json, const struct overlay *overlay, bool typed,
                     const struct where *where) MUST_CHECK;

/* --- the overlay as the writer sees it --- */

struct overlay_entry {
    struct overlay_entry *next;
    const struct schema_field *field;
    enum overlay_source source;
    struct str said;       /* how the caller called it; empty when he did not */
    struct overlay *child; /* a message that is described further */
    struct buf wire;       /* whole records, when there is no child */
};

struct overlay {
    struct arena *arena;
    const struct schema_message *message;
    const struct schema_field *mask; /* that is about `resource`; NULL: none */
    const struct schema_message *resource;
    struct overlay_entry *first;
};

const struct overlay_entry *overlay_find(const struct overlay *overlay,
                                         const struct schema_field *field);
