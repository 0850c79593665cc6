/*
 * The request message out of everything the caller said: path, query, headers, body. Rules 6-12 of
 * google.api.http and ProtoJSON; transcode.h does the writing.
 */
#include "gateway/request.h"

#include "gateway/conditional.h"
#include "gateway/http_body.h"

enum { SKIP_MAX = ROUTE_VARIABLES_MAX + 1 };

static const struct endpoint *endpoint_of(const struct request *request)
{
    return request->match.route->user;
}

static enum code add_path(const struct request *request, struct overlay *overlay, struct error *err)
{
    const struct route *route = request->match.route;
    for (size_t i = 0; i < route->variable_count; i++) {
        const struct route_variable *variable = &route->variables[i];
        if (overlay_add(overlay, &variable->path, OVERLAY_PATH, variable->dotted,
                        request->match.values[i], err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

/* Names the first of them. */
static enum code refuse_query(const struct request *request, struct error *err)
{
    struct str rest = request->http->query, name = rest;
    while (str_next(&rest, '&', &name) && !name.len)
        ;
    if (!name.len)
        return CODE_OK;
    ptrdiff_t equals = str_find(name, '=');
    if (equals >= 0)
        name.len = (size_t)equals;
    if (!name.len)
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_QUERY", "a parameter has no name");
    return error_field(err, arena_cstr(request->arena, name),
                       "is a query parameter, and all of this request is in the body");
}

static enum code add_query(const struct request *request, struct overlay *overlay,
                           struct error *err)
{
    const struct route *route = request->match.route;
    if (!request->http->query.len)
        return CODE_OK;
    if (route->body_all)
        return refuse_query(request, err);
    return overlay_add_query(overlay, request->http->query, route->body_field, err);
}

static struct str without_quotes(struct str text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return (struct str){text.ptr + 1, text.len - 2};
    return text;
}

/* Idempotency-Key may be a quoted string, as its draft has it, or bare. */
static enum code add_idempotency(const struct request *request, struct overlay *overlay,
                                 struct error *err)
{
    const struct endpoint *endpoint = endpoint_of(request);
    struct str key = http_header_find(request->http, STR("Idempotency-Key"));
    if (!key.ptr || !endpoint->idempotency.count)
        return CODE_OK;
    if (!without_quotes(key).len || http_header_count(request->http, STR("Idempotency-Key")) > 1)
        return error_field(err, "Idempotency-Key", "must be one text, and not empty");
    return overlay_add(overlay, &endpoint->idempotency, OVERLAY_HEADER, STR("Idempotency-Key"),
                       without_quotes(key), err);
}

static enum code add_if_match(struct request *request, struct overlay *overlay, struct error *err)
{
    const struct endpoint *endpoint = endpoint_of(request);
    struct str header = http_header_list(request->http, STR("If-Match"), request->arena);
    struct str etag = {"", 0};
    if (!header.ptr && endpoint->if_match.count && request->gateway->options.require_if_match)
        return error_set(
            err, CODE_FAILED_PRECONDITION, "IF_MATCH_REQUIRED",
            "A change must say by If-Match which state of the resource it is based on.");
    if (!header.ptr)
        return CODE_OK;
    if (!endpoint->if_match.count)
        return error_field(err, "If-Match", "is not possible for this method");
    request->if_match = true;
    switch (conditional_if_match(header, &etag)) {
    case CONDITIONAL_ANY:
        request->if_match_any = true;
        return CODE_OK;
    case CONDITIONAL_ONE:
        if (request->match.route->method->policy.etag_quoted)
            etag = (struct str){etag.ptr - 1, etag.len + 2}; /* its quotes stand around it */
        return overlay_add(overlay, &endpoint->if_match, OVERLAY_HEADER, STR("If-Match"), etag,
                           err);
    case CONDITIONAL_NEVER:
        return error_set(err, CODE_ABORTED, "ETAG_MISMATCH",
                         "If-Match: a tag that is weak or empty never matches.");
    case CONDITIONAL_MANY: /* a message has room for one, and to try them by turns is no one call */
        return error_field(err, "If-Match", "must be *, or a list with one strong entity tag");
    case CONDITIONAL_MALFORMED:
        break;
    }
    return error_field(err, "If-Match", "must be an entity tag in quotes, or *");
}

/* `If-Match: *` is false when there is nothing yet (RFC 9110 section 13.1.1), and a message cannot
 * say that of a change that may create. */
static enum code check_any_match(const struct request *request, struct error *err)
{
    struct str flag;
    if (!request->if_match_any ||
        !transcode_peek(&endpoint_of(request)->allow_missing, buf_str(&request->wire),
                        request->arena, &flag) ||
        !str_eq(flag, STR("true")))
        return CODE_OK;
    return error_field(err, "If-Match", "must not be * where allow_missing lets the change create");
}

/* What a change must not find is not known before it is made, and to make it all the same is worse
 * than to refuse (RFC 9110 section 13.1.2). */
static enum code check_none_match(const struct request *request, struct error *err)
{
    if (str_eq(request->http->method, STR("GET")) || request->is_head ||
        !http_header_find(request->http, STR("If-None-Match")).ptr)
        return CODE_OK;
    return error_field(err, "If-None-Match", "is possible with GET and HEAD only");
}

/* The part of a dotted path below the body's field, or an empty one. */
static struct str below_body(const struct schema_path *path, const struct schema_field *body,
                             struct arena *arena)
{
    struct buf text;
    buf_init_arena(&text, arena, 1024);
    for (size_t i = 1; i < path->count && path->fields[0] == body; i++) {
        if (i > 1)
            buf_add_char(&text, '.');
        buf_add(&text, path->fields[i]->name);
    }
    return buf_str(&text);
}

/* The message that a body's mask is about; NULL when the body is no message with fields. */
static const struct schema_message *resource_of(const struct route *route)
{
    const struct schema_field *field = route->body_field; /* NULL: all of the body is the request */
    bool has_fields =
        field && field->message && !field->repeated && field->message->well_known == SCHEMA_PLAIN;
    return has_fields ? field->message : NULL;
}

/* What identifies the resource, and the etag the change is based on, are no change themselves. */
static enum code add_mask(const struct request *request, struct overlay *overlay,
                          const struct json_value *body, struct error *err)
{
    const struct endpoint *endpoint = endpoint_of(request);
    const struct route *route = request->match.route;
    struct str skip[SKIP_MAX];
    size_t count = 0;
    struct buf mask;
    const struct schema_field *field = route->body_field;
    const struct schema_message *resource = resource_of(route);
    if (!endpoint->mask.count || !body || !resource ||
        !str_eq(request->http->method, STR("PATCH")) ||
        overlay_has(overlay, endpoint->mask.fields[0]))
        return CODE_OK;
    for (size_t i = 0; i < route->variable_count; i++)
        skip[count++] = below_body(&route->variables[i].path, field, request->arena);
    skip[count++] = below_body(&endpoint->if_match, field, request->arena);
    buf_init_arena(&mask, request->arena, 64 << 10);
    if (!transcode_mask_of(resource, body, skip, count, request->gateway->options.ignore_unknown,
                           &mask))
        return error_field(err, arena_cstr(request->arena, endpoint->mask.fields[0]->json_name),
                           "must be given: that of this body would be too long");
    overlay_set_message(overlay, endpoint->mask.fields[0], buf_str(&mask));
    return CODE_OK;
}

static enum code read_body(const struct request *request, const struct json_value **json,
                           struct error *err)
{
    const struct route *route = request->match.route;
    struct json_limits limits = {(size_t)request->gateway->options.limits.body_bytes,
                                 (int)request->gateway->options.json_depth};
    *json = NULL;
    if (http_body_in(route))
        return CODE_OK;
    if (!route->body_all && !route->body_field)
        return CODE_OK;
    if (!request->http->body.len && route->body_all)
        return CODE_OK;
    return json_read(request->arena, request->http->body, limits, json, err);
}

/* A body that is no JSON: into the message itself, or into the overlay's field. */
static enum code add_raw_body(struct request *request, struct overlay *overlay, struct error *err)
{
    const struct route *route = request->match.route;
    struct str content_type = http_header_find(request->http, STR("Content-Type"));
    struct buf field;
    if (!http_body_in(route) || !request->http->has_body)
        return CODE_OK;
    if (!str_is_utf8(content_type))
        return error_field(err, "Content-Type", "is not UTF-8");
    if (route->body_all) {
        http_body_put(&request->wire, content_type, request->http->body);
        return CODE_OK;
    }
    buf_init_arena(&field, request->arena, SIZE_MAX / 2); /* the message has a maximum */
    http_body_put(&field, content_type, request->http->body);
    overlay_set_message(overlay, route->body_field, buf_str(&field));
    return CODE_OK;
}

static enum code write_message(struct request *request, struct overlay *overlay,
                               const struct json_value *json, struct error *err)
{
    const struct route *route = request->match.route;
    const struct schema_message *input = route->method->input;
    buf_init_arena(&request->wire, request->arena,
                   (size_t)request->gateway->options.message_bytes_max);
    struct transcode_in in = {.schema = request->gateway->schema,
                              .arena = request->arena,
                              .out = &request->wire,
                              .err = err,
                              .ignore_unknown = request->gateway->options.ignore_unknown};
    if (add_raw_body(request, overlay, err) != CODE_OK)
        return err->code;
    if (route->body_field)
        return transcode_field_in(&in, input, route->body_field, json, overlay);
    return transcode_message_in(&in, input, json, overlay, STR(""));
}

enum stage_result stage_decode(struct request *request)
{
    struct error err;
    struct overlay *overlay = overlay_new(request->arena, request->match.route->method->input);
    const struct json_value *json = NULL;
    const struct schema_path *mask = &endpoint_of(request)->mask;
    error_clear(&err);
    if (mask->count)
        overlay_mask_of(overlay, mask->fields[0], resource_of(request->match.route));
    enum code code = add_path(request, overlay, &err);
    if (code == CODE_OK)
        code = add_query(request, overlay, &err);
    if (code == CODE_OK)
        code = add_idempotency(request, overlay, &err);
    if (code == CODE_OK)
        code = add_if_match(request, overlay, &err);
    if (code == CODE_OK)
        code = check_none_match(request, &err);
    if (code == CODE_OK)
        code = read_body(request, &json, &err);
    if (code == CODE_OK)
        code = add_mask(request, overlay, json, &err);
    if (code == CODE_OK)
        code = write_message(request, overlay, json, &err);
    if (code == CODE_OK)
        code = check_any_match(request, &err);
    if (code == CODE_OK)
        return STAGE_GO;
    bool unconditional = str_eq(str_of(err.reason), STR("IF_MATCH_REQUIRED"));
    return request_fail_own(request, code == CODE_ABORTED ? 412 : unconditional ? 428 : 0, &err);
}
