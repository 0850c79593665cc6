/* Whose request it is: a method of the API, or a file of the frontend. */
#include "gateway/request.h"

#include "gateway/static.h"

static enum stage_result not_allowed(struct request *request, struct str allow)
{
    struct error err = {0};
    request_header(request, STR("Allow"), allow);
    if (str_eq(request->http->method, STR("OPTIONS"))) {
        request_answer(request, 204, STR(""), STR(""));
        return STAGE_ANSWERED;
    }
    error_set(&err, CODE_UNIMPLEMENTED, "METHOD_NOT_ALLOWED", "%.*s is not possible here; %.*s is.",
              STR_ARG(str_utf8_cut(request->http->method, 32)), STR_ARG(allow));
    return request_fail_own(request, 405, &err);
}

static enum stage_result not_found(struct request *request)
{
    struct error err = {0};
    error_set(&err, CODE_NOT_FOUND, "NO_SUCH_PATH", "There is nothing at this path.");
    return request_fail_own(request, 0, &err);
}

static enum stage_result try_static(struct request *request)
{
    struct gateway *gateway = request->gateway;
    struct error err = {0};
    bool get = str_eq(request->http->method, STR("GET")) || request->is_head;
    if (!gateway->files || (!get && !static_exists(gateway->files, request->exchange)))
        return not_found(request);
    request->label = STR("static");
    if (!get)
        return not_allowed(request, STR("GET, HEAD, OPTIONS"));
    switch (
        static_answer(gateway->files, request->exchange, request->headers, request->header_count)) {
    case STATIC_ANSWERED:
        return STAGE_ANSWERED;
    case STATIC_MISMATCH:
        error_set(&err, CODE_ABORTED, "ETAG_MISMATCH", "If-Match: the file is another by now.");
        return request_fail_own(request, 412, &err);
    case STATIC_NO_FILE:
        request->label = STR("");
        break;
    }
    return not_found(request);
}

enum stage_result stage_route(struct request *request)
{
    struct gateway *gateway = request->gateway;
    struct error err = {0};
    struct buf allow;
    switch (route_find(gateway->routes, request->http->method, request->http->path, request->arena,
                       &request->match)) {
    case ROUTE_FOUND:
        request->label = request->match.route->binding->template;
        return STAGE_GO;
    case ROUTE_MALFORMED:
        error_set(&err, CODE_INVALID_ARGUMENT, "INVALID_PATH",
                  "The path has a malformed percent escape.");
        return request_fail_own(request, 0, &err);
    case ROUTE_OTHER_METHODS:
        buf_init_arena(&allow, request->arena, 512);
        route_allow(gateway->routes, request->http->path, request->arena, &allow);
        return not_allowed(request, buf_str(&allow));
    case ROUTE_UNKNOWN:
        break;
    }
    if (str_eq(request->http->path, STR("*")))
        return not_allowed(request, STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    return try_static(request);
}
