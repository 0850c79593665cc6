/*
 * What a FileDescriptorSet says, as immutable tables made for transcoding: messages with their
 * fields by name and number, and enums; services are in schema_method.h. Read once at start;
 * afterwards any thread may look.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* google.protobuf.FieldDescriptorProto.Type */
enum schema_type {
    SCHEMA_DOUBLE = 1,
    SCHEMA_FLOAT,
    SCHEMA_INT64,
    SCHEMA_UINT64,
    SCHEMA_INT32,
    SCHEMA_FIXED64,
    SCHEMA_FIXED32,
    SCHEMA_BOOL,
    SCHEMA_STRING,
    SCHEMA_GROUP, /* never in a table: its message is `refused` */
    SCHEMA_MESSAGE,
    SCHEMA_BYTES,
    SCHEMA_UINT32,
    SCHEMA_ENUM,
    SCHEMA_SFIXED32,
    SCHEMA_SFIXED64,
    SCHEMA_SINT32,
    SCHEMA_SINT64,
};

/* Messages whose JSON is not an object of their fields. */
enum schema_well_known {
    SCHEMA_PLAIN,
    SCHEMA_ANY,
    SCHEMA_TIMESTAMP,
    SCHEMA_DURATION,
    SCHEMA_FIELD_MASK,
    SCHEMA_STRUCT,
    SCHEMA_VALUE,
    SCHEMA_LIST_VALUE,
    SCHEMA_WRAPPER, /* of its field 1 */
};

struct schema_enum_value {
    struct str name;
    int32_t number;
};

struct schema_enum {
    struct str full_name;
    const struct schema_enum_value
        *values; /* by number; of equal numbers the first declared first */
    const struct schema_enum_value *named; /* the same, in the order of schema_name_order */
    size_t count;
    bool is_null_value; /* google.protobuf.NullValue: JSON null */
};

struct schema_message;

struct schema_field {
    struct str name, json_name;
    struct str json_key; /* "json_name": with its quotes and the colon, escaped */
    uint32_t number;
    uint32_t index; /* among the message's fields, by number */
    enum schema_type type;
    uint8_t wire; /* enum wire_type of one value */
    bool repeated, packed;
    bool presence;                                  /* unset differs from the default */
    int oneof;                                      /* which one of the message's oneofs, or -1 */
    const struct schema_message *message;           /* MESSAGE */
    const struct schema_enum *enumeration;          /* ENUM */
    const struct schema_field *map_key, *map_value; /* both or neither; a map is `repeated` too */
};

struct schema_name {
    struct str name;
    const struct schema_field *field;
};

struct schema_message {
    struct str full_name;
    enum schema_well_known well_known;
    bool is_map_entry;
    const struct schema_field *fields; /* by number */
    uint32_t field_count;
    uint32_t oneof_count;
    const struct str *oneofs;
    struct str refused; /* why it is not read or written, for a field of its own or of a message in
                           it that is not understood; ptr NULL: it is */
    const struct schema_name *names; /* open addressing over both spellings, JSON's first */
    uint32_t name_slots;             /* a power of two, or 0 */
    uint32_t dense;                  /* fields[i].number == i + 1 for all i below this */
};

struct schema;

/*
 * Reads an encoded FileDescriptorSet, imports included. INVALID_ARGUMENT naming what is wrong: not
 * a descriptor set, a type that is missing, a policy that is none.
 */
enum code schema_load(struct str descriptor_set, struct schema **schema,
                      struct error *err) MUST_CHECK;
void schema_free(struct schema *schema);

/* By full name without a leading dot; NULL when there is none. */
const struct schema_message *schema_find_message(const struct schema *schema, struct str full_name);

/* By the URL in a google.protobuf.Any; NULL when there is none, or it is refused. */
const struct schema_message *schema_any_type(const struct schema *schema, struct str url);

/* By either spelling, that of JSON first: what callers say. NULL when there is none. */
const struct schema_field *schema_field_named(const struct schema_message *message,
                                              struct str name);

/*
 * By either spelling, that of the proto first: what options of methods say (google/api/http.proto).
 * Not the same as above where the JSON name of one field is the proto name of another.
 */
const struct schema_field *schema_field_of(const struct schema_message *message, struct str name);

/* By number; NULL when there is none. */
const struct schema_field *schema_field_numbered(const struct schema_message *message,
                                                 uint32_t number);

const struct schema_enum_value *schema_enum_named(const struct schema_enum *enumeration,
                                                  struct str name);
const struct schema_enum_value *schema_enum_numbered(const struct schema_enum *enumeration,
                                                     int32_t number);

/* A path of fields from a message: `user.etag`. Longer ones are none. */
enum { SCHEMA_PATH_MAX = 32 };
struct schema_path {
    const struct schema_field *fields[SCHEMA_PATH_MAX];
    size_t count;
};

/*
 * Resolves a dotted path, whose names are looked up as by schema_field_named or schema_field_of;
 * all but the last must be singular messages. False when there is no such path.
 */
bool schema_path_named(const struct schema_message *message, struct str dotted,
                       struct schema_path *path);
bool schema_path_of(const struct schema_message *message, struct str dotted,
                    struct schema_path *path);
