/* An operation of the document: its names, parameters, bodies and answers, and who may call it. */
#include "gateway/openapi_operation.h"

#include "gateway/http_body.h"

#include <string.h>

enum { NESTED_QUERY_MAX = 3, PATH_BYTES_MAX = 4096 };

/* --- parameters --- */

static void begin_parameter(struct openapi *api, struct str name, const char *where, bool required,
                            struct str description)
{
    json_object_begin(&api->json);
    openapi_text(api, STR("name"), name);
    openapi_text(api, STR("in"), str_of(where));
    if (required) {
        json_key(&api->json, STR("required"));
        json_bool(&api->json, true);
    }
    if (description.len)
        openapi_text(api, STR("description"), description);
    json_key(&api->json, STR("schema"));
}

static void header_parameter(struct openapi *api, const char *name, bool required,
                             const char *description)
{
    begin_parameter(api, str_of(name), "header", required, str_of(description));
    json_object_begin(&api->json);
    openapi_text(api, STR("type"), STR("string"));
    json_object_end(&api->json);
    json_object_end(&api->json);
}

/*
 * What the variable's n-th star is called in the path: by its field alone, unless another variable
 * has one of that name. Two paths that differ in names only would be one path twice.
 */
static struct str star_name(struct arena *arena, const struct template *parsed,
                            const struct route_variable *variable, int number)
{
    struct str name = openapi_last_name(variable->dotted);
    for (size_t i = 0; i < parsed->variable_count; i++)
        if (&parsed->variables[i] != variable &&
            str_eq(openapi_last_name(parsed->variables[i].dotted), name))
            name = variable->dotted;
    return number == 0 ? name : str_of(arena_printf(arena, "%.*s_%d", STR_ARG(name), number + 1));
}

static const struct route_variable *variable_at(const struct template *parsed, size_t segment,
                                                int *number)
{
    for (size_t i = 0; i < parsed->variable_count; i++) {
        const struct route_variable *variable = &parsed->variables[i];
        size_t end =
            variable->rest ? parsed->segment_count : (size_t)variable->first + variable->segments;
        if (segment < variable->first || segment >= end)
            continue;
        *number = 0;
        for (size_t s = variable->first; s < segment; s++)
            *number += parsed->segments[s].kind != TEMPLATE_LITERAL;
        return variable;
    }
    return NULL;
}

static struct str segment_name(struct arena *arena, const struct template *parsed, size_t segment)
{
    int number;
    const struct route_variable *variable = variable_at(parsed, segment, &number);
    return variable ? star_name(arena, parsed, variable, number)
                    : str_of(arena_printf(arena, "segment_%zu", segment + 1));
}

struct str openapi_path(struct arena *arena, const struct template *parsed, bool names)
{
    struct buf path;
    buf_init_arena(&path, arena, PATH_BYTES_MAX);
    for (size_t i = 0; i < parsed->segment_count; i++) {
        buf_add_char(&path, '/');
        if (parsed->segments[i].kind == TEMPLATE_LITERAL) {
            buf_add(&path, parsed->segments[i].literal);
        } else {
            buf_add_char(&path, '{');
            if (names)
                buf_add(&path, segment_name(arena, parsed, i));
            buf_add_char(&path, '}');
        }
    }
    if (parsed->verb.len) {
        buf_add_char(&path, ':');
        buf_add(&path, parsed->verb);
    }
    return buf_str(&path);
}

static const struct schema_field *field_of(const struct operation *operation,
                                           const struct route_variable *variable,
                                           const struct schema_message **owner)
{
    struct schema_path path;
    *owner = operation->method->input;
    if (!schema_path_of(operation->method->input, variable->dotted, &path))
        return NULL;
    if (path.count > 1)
        *owner = path.fields[path.count - 2]->message;
    return path.fields[path.count - 1];
}

static void path_parameters(struct openapi *api, const struct operation *operation)
{
    const struct template *parsed = operation->template;
    struct str rest = operation->path, name;
    for (size_t i = 0; i < parsed->segment_count; i++) {
        if (parsed->segments[i].kind == TEMPLATE_LITERAL)
            continue;
        str_next(&rest, '{', &name);
        str_next(&rest, '}', &name);
        int number;
        const struct route_variable *variable = variable_at(parsed, i, &number);
        const struct schema_message *owner = NULL;
        const struct schema_field *field = variable ? field_of(operation, variable, &owner) : NULL;
        struct str comment = field ? openapi_field_comment(api, owner, field) : STR("");
        if (parsed->segments[i].kind == TEMPLATE_REST)
            comment = STR("The rest of the path; it may hold slashes.");
        begin_parameter(api, name, "path", true, comment);
        if (field && variable->segments == 1 && !variable->rest) {
            openapi_element(api, field);
        } else {
            json_object_begin(&api->json);
            openapi_text(api, STR("type"), STR("string"));
            json_object_end(&api->json);
        }
        json_object_end(&api->json);
    }
}

static bool is_bound_by_path(const struct operation *operation, struct str dotted)
{
    for (size_t i = 0; i < operation->template->variable_count; i++)
        if (str_eq(operation->template->variables[i].dotted, dotted))
            return true;
    return false;
}

static bool is_leaf(const struct schema_field *field)
{
    return !field->message || field->message->well_known == SCHEMA_TIMESTAMP ||
           field->message->well_known == SCHEMA_DURATION ||
           field->message->well_known == SCHEMA_FIELD_MASK ||
           field->message->well_known == SCHEMA_WRAPPER;
}

/* Rule 8: what is neither path nor body is a parameter; maps and lists of messages never are. */
static void query_parameters(struct openapi *api, const struct operation *operation,
                             const struct schema_message *message, struct str proto_prefix,
                             struct str json_prefix, int depth)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        struct str dotted = str_of(
            arena_printf(&api->arena, "%.*s%.*s", STR_ARG(proto_prefix), STR_ARG(field->name)));
        struct str name = str_of(
            arena_printf(&api->arena, "%.*s%.*s", STR_ARG(json_prefix), STR_ARG(field->json_name)));
        if (is_bound_by_path(operation, dotted) || field->map_key ||
            (depth == 0 && str_eq(operation->binding->body, field->name)))
            continue;
        if (is_leaf(field)) {
            begin_parameter(api, name, "query", false, openapi_field_comment(api, message, field));
            openapi_field(api, field);
            json_object_end(&api->json);
        } else if (!field->repeated && field->message->well_known == SCHEMA_PLAIN &&
                   depth < NESTED_QUERY_MAX) {
            query_parameters(api, operation, field->message,
                             str_of(arena_printf(&api->arena, "%.*s.", STR_ARG(dotted))),
                             str_of(arena_printf(&api->arena, "%.*s.", STR_ARG(name))), depth + 1);
        }
    }
}

static void parameters(struct openapi *api, const struct operation *operation)
{
    const struct schema_policy *policy = &operation->method->policy;
    json_key(&api->json, STR("parameters"));
    json_array_begin(&api->json);
    path_parameters(api, operation);
    if (!str_eq(operation->binding->body, STR("*")))
        query_parameters(api, operation, operation->method->input, STR(""), STR(""), 0);
    if (policy->idempotency_field.len)
        header_parameter(api, "Idempotency-Key", false,
                         "Makes the request happen once, however often it is sent.");
    if (policy->if_match_field.len)
        header_parameter(api, "If-Match", api->options->require_if_match,
                         "The ETag of the state that the change is based on.");
    if (policy->etag_field.len && strcmp(operation->verb, "get") == 0)
        header_parameter(api, "If-None-Match", false,
                         "The ETag of what the caller has: 304 if it is so.");
    json_array_end(&api->json);
}

/* --- bodies --- */

static void json_content(struct openapi *api)
{
    json_key(&api->json, STR("content"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("application/json"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("schema"));
}

static void end_content(struct openapi *api)
{
    json_object_end(&api->json);
    json_object_end(&api->json);
}

static void whole_body(struct openapi *api, const struct operation *operation)
{
    const struct schema_field *skip[ROUTE_VARIABLES_MAX];
    struct schema_path path;
    size_t count = 0;
    const struct template *parsed = operation->template;
    for (size_t i = 0; i < parsed->variable_count; i++)
        if (schema_path_of(operation->method->input, parsed->variables[i].dotted, &path) &&
            path.count == 1)
            skip[count++] = path.fields[0];
    if (count)
        openapi_object(api, operation->method->input, skip, count);
    else
        openapi_message(api, operation->method->input);
}

/* Any bytes of any type. */
static void raw_content(struct openapi *api)
{
    json_key(&api->json, STR("content"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("*/*"));
    json_object_begin(&api->json);
    json_object_end(&api->json);
    json_object_end(&api->json);
}

static void request_body(struct openapi *api, const struct operation *operation)
{
    const struct schema_field *field;
    struct str body = operation->binding->body;
    if (!body.len)
        return;
    field = str_eq(body, STR("*")) ? NULL : schema_field_of(operation->method->input, body);
    json_key(&api->json, STR("requestBody"));
    json_object_begin(&api->json);
    if (http_body_is(operation->method->input, field)) {
        raw_content(api);
    } else {
        json_content(api);
        if (field)
            openapi_field(api, field);
        else
            whole_body(api, operation);
        end_content(api);
        if (field) {
            json_key(&api->json, STR("required"));
            json_bool(&api->json, true);
        }
    }
    json_object_end(&api->json);
}

static void response_header(struct openapi *api, const char *name, const char *description)
{
    json_key(&api->json, str_of(name));
    json_object_begin(&api->json);
    openapi_text(api, STR("description"), str_of(description));
    json_key(&api->json, STR("schema"));
    json_object_begin(&api->json);
    openapi_text(api, STR("type"), STR("string"));
    json_object_end(&api->json);
    json_object_end(&api->json);
}

static void response_headers(struct openapi *api, const struct schema_policy *policy)
{
    if (!policy->etag_field.len && !policy->location.len)
        return;
    json_key(&api->json, STR("headers"));
    json_object_begin(&api->json);
    if (policy->etag_field.len)
        response_header(api, "ETag", "Names this state of the resource.");
    if (policy->location.len)
        response_header(api, "Location", "Where the new resource is.");
    json_object_end(&api->json);
}

/* A stream: each event's data, or each line, is a message. */
static void stream_content(struct openapi *api, const struct operation *operation)
{
    json_key(&api->json, STR("content"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("text/event-stream"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("schema"));
    json_object_begin(&api->json);
    openapi_text(api, STR("type"), STR("string"));
    json_object_end(&api->json);
    json_object_end(&api->json);
    json_key(&api->json, STR("application/x-ndjson"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("schema"));
    openapi_message(api, operation->method->output);
    json_object_end(&api->json);
    json_object_end(&api->json);
}

static void success(struct openapi *api, const struct operation *operation)
{
    const struct schema_method *method = operation->method;
    struct str response = operation->binding->response_body;
    const struct schema_field *field =
        response.len ? schema_field_of(method->output, response) : NULL;
    json_key(&api->json, str_of(arena_printf(&api->arena, "%u", method->policy.success_status)));
    json_object_begin(&api->json);
    openapi_text(api, STR("description"),
                 method->policy.success_status == 204 ? STR("Done.") : STR("The answer."));
    response_headers(api, &method->policy);
    if (http_body_is(method->output, field) && method->policy.success_status != 204) {
        raw_content(api);
    } else if (method->server_streams) {
        stream_content(api, operation);
    } else if (method->policy.success_status != 204) {
        json_content(api);
        if (field)
            openapi_field(api, field);
        else
            openapi_message(api, method->output);
        end_content(api);
    }
    json_object_end(&api->json);
}

static void reference(struct openapi *api, const char *path)
{
    json_object_begin(&api->json);
    openapi_text(api, STR("$ref"), str_of(path));
    json_object_end(&api->json);
}

static void responses(struct openapi *api, const struct operation *operation)
{
    json_key(&api->json, STR("responses"));
    json_object_begin(&api->json);
    success(api, operation);
    if (operation->method->policy.etag_field.len && strcmp(operation->verb, "get") == 0) {
        json_key(&api->json, STR("304"));
        json_object_begin(&api->json);
        openapi_text(api, STR("description"), STR("What the caller has is so still."));
        json_object_end(&api->json);
    }
    json_key(&api->json, STR("default"));
    reference(api, "#/components/responses/Error");
    json_object_end(&api->json);
}

/* --- who may call --- */

static void requirement(struct openapi *api, const struct schema_policy *policy, bool signed_in)
{
    json_object_begin(&api->json);
    json_key(&api->json, STR("key"));
    json_array_begin(&api->json);
    json_array_end(&api->json);
    if (signed_in) {
        json_key(&api->json, STR("signIn"));
        json_array_begin(&api->json);
        for (size_t i = 0; i < policy->scope_count; i++)
            json_string(&api->json, policy->scopes[i]);
        json_array_end(&api->json);
    }
    json_object_end(&api->json);
}

static void security(struct openapi *api, const struct operation *operation)
{
    const struct schema_policy *policy = &operation->method->policy;
    bool reads = strcmp(operation->verb, "get") == 0;
    if (!api->options->secured)
        return;
    json_key(&api->json, STR("security"));
    json_array_begin(&api->json);
    if (policy->access != SCHEMA_ACCESS_PUBLIC)
        requirement(api, policy,
                    policy->access == SCHEMA_ACCESS_SIGNED_IN ||
                        (policy->access == SCHEMA_ACCESS_UNSPECIFIED && !reads));
    json_array_end(&api->json);
}

/* --- operations --- */

static struct str method_name(const struct schema_method *method)
{
    return str_from(method->full_path, method->service.len + 2); /* "/service/Name" */
}

/* The first sentence of a comment. */
static struct str first_sentence(struct str comment)
{
    for (size_t i = 0; i < comment.len; i++)
        if (comment.ptr[i] == '\n' ||
            (comment.ptr[i] == '.' &&
             (i + 1 == comment.len || comment.ptr[i + 1] == ' ' || comment.ptr[i + 1] == '\n')))
            return (struct str){comment.ptr, i};
    return comment;
}

static void names(struct openapi *api, const struct operation *operation)
{
    const struct schema_method *method = operation->method;
    struct str service = openapi_service_label(api, method->service), name = method_name(method);
    struct str full =
        str_of(arena_printf(&api->arena, "%.*s.%.*s", STR_ARG(method->service), STR_ARG(name)));
    struct str comment = comments_find(api->options->comments, full);
    const char *id = operation->number == 0
                         ? arena_printf(&api->arena, "%.*s_%.*s", STR_ARG(service), STR_ARG(name))
                         : arena_printf(&api->arena, "%.*s_%.*s_%zu", STR_ARG(service),
                                        STR_ARG(name), operation->number + 1);
    openapi_text(api, STR("operationId"), str_of(id));
    json_key(&api->json, STR("tags"));
    json_array_begin(&api->json);
    json_string(&api->json, service);
    json_array_end(&api->json);
    if (comment.len) {
        openapi_text(api, STR("summary"), first_sentence(comment));
        openapi_text(api, STR("description"), comment);
    }
}

void openapi_operation(struct openapi *api, const struct operation *operation)
{
    json_key(&api->json, str_of(operation->verb));
    json_object_begin(&api->json);
    names(api, operation);
    parameters(api, operation);
    request_body(api, operation);
    responses(api, operation);
    security(api, operation);
    json_object_end(&api->json);
}
