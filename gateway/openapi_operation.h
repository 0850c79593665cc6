/* The operations' half of the document. */
#pragma once
#include "gateway/openapi_types.h"
#include "gateway/route_template.h"

/* A binding with its path as OpenAPI writes it. */
struct operation {
    const struct schema_method *method;
    const struct schema_binding *binding;
    size_t number; /* of the binding among the method's */
    const char *verb;
    struct str path;
    struct template *template;
};

/* The path as OpenAPI writes templates: each star is a parameter in braces. In `arena`. */
struct str openapi_path(struct arena *arena, const struct template *parsed);

/* "get": {…} */
void openapi_operation(struct openapi *api, const struct operation *operation);
