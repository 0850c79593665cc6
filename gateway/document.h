/* /openapi.json: the API's description, made once at the start. */
#pragma once
#include "gateway/openapi.h"

struct document;

/* INVALID_ARGUMENT as openapi_write. */
enum code document_new(const struct openapi_options *options, struct document **document,
                       struct error *err) MUST_CHECK;
void document_free(struct document *document);
