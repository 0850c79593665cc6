/*
 * google.api.HttpBody (google/api/httpbody.proto): a message that stands for a body which is no
 * JSON. Where it is what a route's body or answer is made of, bytes and content type go through as
 * they are; the messages of a stream are pieces of one body, whose content type is the first one's.
 * Anywhere else it is a message like others.
 */
#pragma once
#include "gateway/route.h"

#include <stdbool.h>

/* Of a message, or of the field in it that is meant (not NULL). */
bool http_body_is(const struct schema_message *message, const struct schema_field *field);

/* True when the route's request body, or its answer's, is no JSON. */
bool http_body_in(const struct route *route);
bool http_body_out(const struct route *route);

/* Appends the content of such a message. */
void http_body_put(struct buf *out, struct str content_type, struct str data);

/*
 * What a message holds, or (not NULL) its field; empty texts for what is not set. False when `wire`
 * is no such message, or its content type is none (RFC 9110 section 8.3.1, in ASCII).
 */
bool http_body_take(const struct schema_field *field, struct str wire, struct str *content_type,
                    struct str *data);
