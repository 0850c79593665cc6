/*
 * The API as an OpenAPI 3.1 document (spec.openapis.org/oas/v3.1.1), out of the descriptors and the
 * comments of the protos. It says what the gateway does: bodies by the proto3 JSON mapping with
 * unknown members refused, parameters as they are bound, errors in their one shape, and who may
 * call by the methods' policies. Enums are their names only, though numbers are taken as well and
 * one without a name is given as it is.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "gateway/comments.h"
#include "gateway/schema_method.h"
#include "gateway/status.h"

struct openapi_options {
    const struct schema *schema;
    const struct comments *comments;
    const struct schema_method *const *methods; /* those that have routes */
    size_t method_count;
    struct str title;
    bool secured;        /* keys and sign-in are demanded as the policies say */
    bool ignore_unknown; /* unknown members are not refused */
    bool require_if_match;
    enum status_shape shape; /* of errors, unless problem+json is asked for */
};

/* Appends the document. INVALID_ARGUMENT for a template that is none. */
enum code openapi_write(const struct openapi_options *options, struct buf *out,
                        struct error *err) MUST_CHECK;
