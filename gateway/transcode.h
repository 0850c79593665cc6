/*
 * Between JSON text and protobuf wire bytes, driven by the schema, without structs in between: the
 * proto3 JSON mapping (protobuf.dev/programming-guides/json), strictly. Pure functions: any thread.
 *
 * A request message is written in one go out of three sources: the JSON body, the overlay of
 * what path, query and headers say, and the mask of a PATCH. Where body and overlay name the same
 * field, the overlay wins, but a header must not say otherwise than the body, nor the overlay a
 * part of what JSON says whole (a time). Each message is written once, never as pieces that a
 * reader must merge.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "gateway/schema.h"
#include "json/json_in.h"

/*
 * How many messages a request message holds within each other, entries of maps among them: as many
 * as protobuf's own readers take by default, so that no upstream chokes on what was accepted here.
 * In an answer objects and lists of JSON are counted instead, which are never more.
 */
enum { TRANSCODE_DEPTH_MAX = 100 };

/* --- the overlay: single fields by their path --- */

struct overlay;

/* Where a value came from: decides what may be said twice, and how errors call it. */
enum overlay_source { OVERLAY_PATH, OVERLAY_QUERY, OVERLAY_HEADER };

/* An empty overlay for a message, in the arena. */
struct overlay *overlay_new(struct arena *arena, const struct schema_message *message);

/*
 * Says which message the paths of a FieldMask field are about (NULL: nobody knows). A name in them
 * is then a field in either spelling, exactly; the keys of maps and what is no field are taken as
 * they are (AIP-161). Where nobody knows, lowerCamel becomes lower_snake but in backticks.
 */
void overlay_mask_of(struct overlay *overlay, const struct schema_field *mask,
                     const struct schema_message *resource);

/*
 * Sets a field, or appends to it when it is repeated, from text: numbers, enum names, base64, the
 * string forms of well-known types. INVALID_ARGUMENT naming `said` (what the caller wrote) when the
 * text does not fit, when a single value is said twice, or against another member of its oneof.
 */
enum code overlay_add(struct overlay *overlay, const struct schema_path *path,
                      enum overlay_source source, struct str said, struct str text,
                      struct error *err) MUST_CHECK;

/*
 * A whole query string: unknown parameters, maps and messages are refused by name, and so is what
 * belongs to the body (`body`, or NULL).
 */
enum code overlay_add_query(struct overlay *overlay, struct str query,
                            const struct schema_field *body, struct error *err) MUST_CHECK;

/* Sets a singular message field to what is encoded already, whatever was said before. */
void overlay_set_message(struct overlay *overlay, const struct schema_field *field,
                         struct str encoded);

/* True when this field (of the overlay's own message) has been set, and to more than an empty
 * message: a mask without paths is none (AIP-134). */
bool overlay_has(const struct overlay *overlay, const struct schema_field *field);

/* --- JSON to wire --- */

struct transcode_room;

struct transcode_in {
    const struct schema *schema; /* for Any */
    struct arena *arena;         /* scratch */
    struct buf *out;
    struct error *err;
    bool ignore_unknown; /* fields and enum names that are not known are left out, not refused, and
                            so are messages, lists and maps that have nothing else in them */

    /* the writer's own */
    const struct json_value *body; /* of transcode_field_in */
    bool nothing_known;            /* of what the message just written had in it */
    int depth;                     /* messages around what is written */
    struct transcode_room *rooms;  /* memory for each depth, once one needs it */
};

/*
 * Appends `message` made of `json` (an object or the JSON form of a well-known type; NULL: nothing)
 * and of `overlay` (may be NULL). `prefix` stands before the field paths in errors ("" for none).
 */
enum code transcode_message_in(struct transcode_in *in, const struct schema_message *message,
                               const struct json_value *json, const struct overlay *overlay,
                               struct str prefix) MUST_CHECK;

/*
 * The same with `json` as the value of one field of the message (`body: "user"`); NULL leaves it
 * out unless the overlay has something in it. A body of which nothing is known is an empty one.
 */
enum code transcode_field_in(struct transcode_in *in, const struct schema_message *message,
                             const struct schema_field *field, const struct json_value *json,
                             const struct overlay *overlay) MUST_CHECK;

/*
 * The field mask of a PATCH that sent none: appends an encoded google.protobuf.FieldMask of the
 * proto paths of the leaves that are present in the body, `null` included, but for those in `skip`
 * (dotted proto paths). Maps, lists and well-known types are leaves. With `ignore_unknown`, what
 * the writer leaves out is not named either. False when a path or all of it is too long: a mask
 * without them would leave out what was sent.
 */
bool transcode_mask_of(const struct schema_message *message, const struct json_value *json,
                       const struct str *skip, size_t skip_count, bool ignore_unknown,
                       struct buf *out);

/* --- wire to JSON --- */

struct transcode_out {
    const struct schema *schema; /* for Any */
    struct buf *out;
    struct arena *arena; /* only for what is unusual: fields out of order, split messages */
    bool any_as_bytes;   /* an Any of unknown type: its bytes in base64 instead of an error */
};

/*
 * Appends the JSON of a message. INTERNAL when the bytes are no such message (BAD_UPSTREAM_MESSAGE)
 * or cannot be said in JSON (NO_JSON_FORM: a bad timestamp, an unknown Any); *out is then to be
 * thrown away.
 */
enum code transcode_message_out(struct transcode_out *to, const struct schema_message *message,
                                struct str wire, struct error *err) MUST_CHECK;

/* Appends the JSON of one field of the message (`response_body`); its default when it is not set.
 */
enum code transcode_field_out(struct transcode_out *to, const struct schema_message *message,
                              const struct schema_field *field, struct str wire,
                              struct error *err) MUST_CHECK;

/*
 * The text of a singular scalar field somewhere in a message (an etag, an id for Location): false
 * when it is not there or empty. The result is in `arena` or points into `wire`.
 */
bool transcode_peek(const struct schema_path *path, struct str wire, struct arena *arena,
                    struct str *text);
