/* The JSON Schema half of the document: what messages and fields look like. */
#pragma once
#include "base/json_out.h"
#include "gateway/openapi.h"

/* A document on its way. */
struct openapi {
    const struct openapi_options *options;
    struct json_out json;
    struct arena arena;
    /* What has been referred to, and is to be described under components. */
    const struct schema_message **messages;
    const struct schema_enum **enums;
    size_t message_count, message_room, enum_count, enum_room;
};

/* Members of an object: "key": "text". */
void openapi_text(struct openapi *api, struct str key, struct str text);

/* What stands behind the last dot. */
struct str openapi_last_name(struct str full_name);

/* A service's last name, or the full one when another has the same. */
struct str openapi_service_label(const struct openapi *api, struct str service);

/* "description" unless there is no comment under this name. */
void openapi_description(struct openapi *api, struct str full_name);

/* The comment of a field. */
struct str openapi_field_comment(const struct openapi *api, const struct schema_message *message,
                                 const struct schema_field *field);

/* A value: the schema of a message (a reference, or what a well-known type is in JSON). */
void openapi_message(struct openapi *api, const struct schema_message *message);

/* A value: the schema of a field, list or map. */
void openapi_field(struct openapi *api, const struct schema_field *field);

/* A value: the schema of one element of a field. */
void openapi_element(struct openapi *api, const struct schema_field *field);

/* A value: an object of the message's fields but those in `skip` (top-level ones). */
void openapi_object(struct openapi *api, const struct schema_message *message,
                    const struct schema_field *const *skip, size_t skip_count);

/* The members of "schemas": all that has been referred to, until nothing new is. */
void openapi_components(struct openapi *api);
