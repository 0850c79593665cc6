/* A unary call's success as an HTTP answer: status, Location and ETag by the method's policy. */
#include "gateway/request.h"

#include "base/encode.h"
#include "gateway/conditional.h"
#include "gateway/http_body.h"

/* False when it cannot stand between quotes in a header (RFC 9110, etagc). */
static bool is_opaque(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == '"' || text.ptr[i] == 0x7F)
            return false;
    return text.len > 0;
}

/* What stands between the quotes of an entity tag, which may be weak; empty when it is none. */
static struct str between_quotes(struct str tag)
{
    if (str_starts(tag, STR("W/")))
        tag = str_from(tag, 2);
    if (tag.len < 2 || tag.ptr[0] != '"' || tag.ptr[tag.len - 1] != '"')
        return STR("");
    return (struct str){tag.ptr + 1, tag.len - 2};
}

/* A service's etag as an entity tag: as it is if it is one (AIP-154), else in quotes. Empty when no
 * header can hold it. */
static struct str entity_tag(struct str etag, struct arena *arena)
{
    struct buf quoted;
    if (is_opaque(between_quotes(etag)))
        return etag;
    if (!is_opaque(etag))
        return STR("");
    buf_init_arena(&quoted, arena, etag.len + 2);
    buf_add_char(&quoted, '"');
    buf_add(&quoted, etag);
    buf_add_char(&quoted, '"');
    return buf_str(&quoted);
}

/* True when the caller has this version already. */
static bool add_etag(struct request *request, struct str wire)
{
    const struct endpoint *endpoint = request->match.route->user;
    struct str etag;
    if (!endpoint->etag.count || !transcode_peek(&endpoint->etag, wire, request->arena, &etag))
        return false;
    struct str tag = entity_tag(etag, request->arena);
    if (!tag.len)
        return false;
    request_header(request, STR("ETag"), tag);
    request_header(request, STR("Cache-Control"), STR("private, no-cache"));
    struct str wanted = http_header_list(request->http, STR("If-None-Match"), request->arena);
    return wanted.ptr && (str_eq(request->http->method, STR("GET")) || request->is_head) &&
           conditional_matches(wanted, tag);
}

/* A value as several segments; false when it is none, or clients would take some for steps. */
static bool put_segments(struct buf *out, struct str value)
{
    struct str rest = value, segment;
    while (str_next(&rest, '/', &segment)) {
        if (!segment.len || str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
            return false;
        encode_percent(out, segment);
        if (rest.ptr)
            buf_add_char(out, '/');
    }
    return true;
}

/* `/v1/users/{id}` with the response's fields in place of the braces, whose slashes are escaped or
 * not. *slashed becomes a value that has some. */
static bool put_location(const struct request *request, struct str wire, bool open,
                         struct buf *location, struct str *slashed)
{
    const struct schema_method *method = request->match.route->method;
    struct str rest = method->policy.location, text, name, value;
    struct schema_path path;
    buf_init_arena(location, request->arena, 4096);
    while (str_next(&rest, '{', &text)) {
        buf_add(location, text);
        if (!rest.ptr || !str_next(&rest, '}', &name))
            break;
        if (!schema_path_of(method->output, name, &path) ||
            !transcode_peek(&path, wire, request->arena, &value))
            return false;
        if (str_find(value, '/') >= 0)
            *slashed = value;
        if (!open)
            encode_percent(location, value);
        else if (!put_segments(location, value))
            return false;
    }
    return !location->overflow;
}

/* True when a GET of the location has a route, of which `value` (unless NULL) is a variable. */
static bool leads(const struct request *request, const struct buf *location,
                  const struct str *value)
{
    struct route_match match;
    if (route_find(request->gateway->routes, STR("GET"), buf_str(location), request->arena,
                   &match) != ROUTE_FOUND)
        return false;
    for (size_t i = 0; value && i < match.route->variable_count; i++)
        if (str_eq(match.values[i], *value))
            return true;
    return !value;
}

/* The slashes of a value belong into a segment (%2F) where a route has a variable of one there, and
 * else stay, if a route leads along them: one of several segments takes no %2F for a slash. */
static void add_location(struct request *request, struct str wire)
{
    struct buf location, open;
    struct str slashed = {NULL, 0};
    if (!request->match.route->method->policy.location.len ||
        !put_location(request, wire, false, &location, &slashed))
        return;
    if (slashed.ptr && !leads(request, &location, &slashed) &&
        put_location(request, wire, true, &open, &slashed) && leads(request, &open, NULL))
        location = open;
    request_header(request, STR("Location"), buf_str(&location));
}

static void refuse(struct request *request, const struct error *err)
{
    struct rpc_result result = {.code = err->code, .message = str_of(err->text)};
    request->header_count = request->common_header_count;
    request_fail_upstream(request, &result);
}

/* The upstream chose bytes and content type; only what no header may hold is refused. */
static void answer_raw(struct request *request, struct str wire)
{
    const struct route *route = request->match.route;
    struct str content_type, data;
    struct error err = {0};
    if (http_body_take(route->response_field, wire, &content_type, &data)) {
        request_answer(request, (int)route->method->policy.success_status,
                       content_type.len ? content_type : STR("application/octet-stream"), data);
        return;
    }
    error_set(&err, CODE_INTERNAL, "BAD_UPSTREAM_MESSAGE",
              "the upstream sent what is no google.api.HttpBody with a content type");
    refuse(request, &err);
}

void encode_answer(struct request *request, struct str wire, struct buf *scratch)
{
    const struct route *route = request->match.route;
    const struct schema_policy *policy = &route->method->policy;
    struct transcode_out to = {request->gateway->schema, scratch, request->arena, false};
    struct error err;
    buf_reset(scratch);
    if (add_etag(request, wire)) {
        request_answer(request, 304, STR(""), STR(""));
        return;
    }
    add_location(request, wire);
    if (policy->success_status == 204) {
        request_answer(request, 204, STR(""), STR(""));
        return;
    }
    if (http_body_out(route)) {
        answer_raw(request, wire);
        return;
    }
    error_clear(&err);
    enum code code =
        route->response_field
            ? transcode_field_out(&to, route->method->output, route->response_field, wire, &err)
            : transcode_message_out(&to, route->method->output, wire, &err);
    if (code == CODE_OK) {
        request_answer(request, (int)policy->success_status, STR("application/json"),
                       buf_str(scratch));
        return;
    }
    refuse(request, &err);
}
