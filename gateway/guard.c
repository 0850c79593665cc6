/* What is refused before anybody looks for a route, and what a route's body may be. */
#include "gateway/request.h"

#include "gateway/http_body.h"

static enum stage_result refuse(struct request *request, int status, const char *reason,
                                const char *text)
{
    struct error err = {0};
    error_set(&err, status_code_of_http(status), reason, "%s", text);
    return request_fail_own(request, status, &err);
}

/* 415, with what would be taken (RFC 9110 section 15.5.16, of PATCH RFC 5789 section 2.2). */
static enum stage_result refuse_type(struct request *request)
{
    bool patch = str_eq(request->http->method, STR("PATCH"));
    request_header(request, patch ? STR("Accept-Patch") : STR("Accept"), STR("application/json"));
    return refuse(request, 415, "CONTENT_TYPE", "The body must be application/json in UTF-8.");
}

/* Too long, too slow, badly framed: the engine has refused that already. */
enum stage_result stage_guard(struct request *request)
{
    const struct http_request *http = request->http;
    if (http->has_body && http_header_find(http, STR("Content-Encoding")).ptr) {
        request_header(request, STR("Accept-Encoding"), STR("identity"));
        return refuse(request, 415, "CONTENT_ENCODING", "Bodies must not be compressed.");
    }
    return STAGE_GO;
}

/* Not application/merge-patch+json: a map in a body replaces the whole map, where RFC 7396 merges.
 */
static bool is_json(struct str type)
{
    ptrdiff_t semicolon = str_find(type, ';');
    struct str parameters = semicolon < 0 ? STR("") : str_from(type, (size_t)semicolon + 1), piece;
    if (semicolon >= 0)
        type.len = (size_t)semicolon;
    type = str_trim(type);
    if (!str_eq_case(type, STR("application/json")))
        return false;
    while (parameters.len && str_next(&parameters, ';', &piece)) {
        piece = str_trim(piece);
        if (piece.len > 8 && str_eq_case((struct str){piece.ptr, 8}, STR("charset=")) &&
            !str_eq_case(str_from(piece, 8), STR("utf-8")) &&
            !str_eq_case(str_from(piece, 8), STR("\"utf-8\"")))
            return false;
    }
    return true;
}

enum stage_result stage_media(struct request *request)
{
    const struct route *route = request->match.route;
    if (!request->http->has_body)
        return STAGE_GO;
    if (!route->body_all && !route->body_field)
        return refuse(request, 400, "BODY_NOT_ALLOWED", "This method takes no body.");
    if (!http_body_in(route) && !is_json(http_header_find(request->http, STR("Content-Type"))))
        return refuse_type(request);
    return STAGE_GO;
}
