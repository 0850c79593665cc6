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
    struct str path;  /* the document's; its braces name the parameters */
    struct str shape; /* the same without names */
    struct template *template;
};

/* The path as OpenAPI writes templates: each star is a parameter in braces, which hold its name
 * unless `names` is false. In `arena`. */
struct str openapi_path(struct arena *arena, const struct template *parsed, bool names);

/* "get": {…} */
void openapi_operation(struct openapi *api, const struct operation *operation);
