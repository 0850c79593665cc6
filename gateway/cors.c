/*
 * Cross-origin requests (the Fetch standard): the allowed origin is echoed on every answer, errors
 * included; a preflight is answered from the route table, before anything asks for a key. Cookies
 * play no part in this API, so credentials are never allowed.
 */
#include "gateway/request.h"

static bool allowed(struct str origins, struct str origin)
{
    struct str piece;
    while (origins.len && str_next(&origins, ',', &piece)) {
        piece = str_trim(piece);
        if (str_eq(piece, STR("*")) || str_eq_case(piece, origin))
            return true;
    }
    return false;
}

static enum stage_result preflight(struct request *request)
{
    struct buf methods;
    struct error err = {0};
    buf_init_arena(&methods, request->arena, 256);
    request->label = STR("preflight");
    if (!route_allow(request->gateway->routes, request->http->path, request->arena, &methods)) {
        error_set(&err, CODE_NOT_FOUND, "NO_SUCH_PATH", "There is nothing at this path.");
        return request_fail_own(request, 0, &err);
    }
    request_header(request, STR("Access-Control-Allow-Methods"), buf_str(&methods));
    request_header(request, STR("Access-Control-Allow-Headers"),
                   STR("Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
                       "Last-Event-ID, X-API-Key, X-Request-Id, traceparent"));
    request_header(request, STR("Access-Control-Max-Age"), STR("600"));
    request_answer(request, 204, STR(""), STR(""));
    return STAGE_ANSWERED;
}

bool cors_headers(struct request *request)
{
    struct str origins = request->gateway->options.cors_origins;
    struct str origin = http_header_find(request->http, STR("Origin"));
    if (!origins.len)
        return false;
    request_header(request, STR("Vary"), STR("Origin"));
    if (!origin.len || !allowed(origins, origin))
        return false;
    request_header(request, STR("Access-Control-Allow-Origin"), origin);
    request_header(
        request, STR("Access-Control-Expose-Headers"),
        STR("ETag, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
            "X-Request-Id"));
    return true;
}

enum stage_result stage_cors(struct request *request)
{
    bool is_allowed = cors_headers(request);
    request->common_header_count = request->header_count;
    if (is_allowed && str_eq(request->http->method, STR("OPTIONS")) &&
        http_header_find(request->http, STR("Access-Control-Request-Method")).ptr)
        return preflight(request);
    return STAGE_GO;
}
