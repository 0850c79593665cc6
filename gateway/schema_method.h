/*
 * The methods of a schema: how HTTP reaches them (google.api.http) and what else is true of them
 * (omnidata.api.v1.policy).
 */
#pragma once
#include "gateway/schema.h"

struct schema_binding {
    struct str http_method; /* "GET"; "*": any */
    struct str template;
    struct str body;          /* "", "*" or a field's name */
    struct str response_body; /* "" or a field's name */
};

enum schema_access {
    SCHEMA_ACCESS_UNSPECIFIED,
    SCHEMA_ACCESS_PUBLIC,
    SCHEMA_ACCESS_KEY,
    SCHEMA_ACCESS_SIGNED_IN,
    SCHEMA_ACCESS_INTERNAL,
};

struct schema_policy {
    enum schema_access access;
    const struct str *scopes;
    size_t scope_count;
    uint32_t quota_cost;     /* at least 1 */
    uint32_t success_status; /* 200 when not said */
    struct str location, idempotency_field, etag_field, if_match_field;
    bool etag_quoted;
};

struct schema_method {
    struct str service;   /* "omnidata.user.v1.UserService" */
    struct str full_path; /* "/omnidata.user.v1.UserService/GetUser" */
    const struct schema_message *input, *output;
    bool client_streams, server_streams;
    const struct schema_binding *bindings; /* the main one first */
    size_t binding_count;
    struct schema_policy policy;
};

/* All methods of all services, in the order of the descriptors. */
const struct schema_method *schema_methods(const struct schema *schema, size_t *count);
