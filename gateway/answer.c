/* How every answer of the gateway leaves it. */
#include "gateway/request.h"

#include "gateway/compress.h"
#include "gateway/conditional.h"

#include <stdio.h>
#include <string.h>

void request_header(struct request *request, struct str name, struct str value)
{
    if (request->header_count < REQUEST_HEADERS_MAX)
        request->headers[request->header_count++] = (struct http_header){name, value};
}

static bool has_header(const struct request *request, struct str name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (str_eq(request->headers[i].name, name))
            return true;
    return false;
}

/*
 * JSON of some length goes compressed to who takes it. Not what has an ETag: the tag names these
 * bytes, and the caller sends it back in If-Match.
 */
static struct str compressed(struct request *request, struct str content_type, struct str body)
{
    static const struct str JSON = {"application/json", 16},
                            PROBLEM = {"application/problem+json", 24};
    struct buf out;
    if (body.len < COMPRESS_BYTES_MIN || has_header(request, STR("ETag")) ||
        (!str_eq(content_type, JSON) && !str_eq(content_type, PROBLEM)))
        return body;
    request_header(request, STR("Vary"), STR("Accept-Encoding"));
    if (!conditional_accepts(
            http_header_list(request->http, STR("Accept-Encoding"), request->arena), STR("gzip")))
        return body;
    buf_init_arena(&out, request->arena, body.len);
    if (!compress_fast(&out, body))
        return body;
    request_header(request, STR("Content-Encoding"), STR("gzip"));
    return buf_str(&out);
}

void request_answer(struct request *request, int status, struct str content_type, struct str body)
{
    if (content_type.len)
        request_header(request, STR("Content-Type"), content_type);
    body = compressed(request, content_type, body);
    if (!has_header(request, STR("Cache-Control")))
        request_header(request, STR("Cache-Control"), STR("no-store"));
    http_answer(request->exchange, status, request->headers, request->header_count, body);
}

enum status_shape request_shape(const struct gateway *gateway, const struct http_request *http,
                                struct arena *arena)
{
    struct str accept = http_header_list(http, STR("Accept"), arena);
    return conditional_prefers(accept, STR("application/problem+json"), STR("application/json"))
               ? STATUS_PROBLEM
               : gateway->options.shape;
}

enum stage_result request_fail(struct request *request, const struct failure *failure)
{
    const struct gateway *gateway = request->gateway;
    struct buf body;
    buf_init_arena(&body, request->arena, 256 << 10);
    struct str type = status_body(failure, request_shape(gateway, request->http, request->arena),
                                  &gateway->types, request->arena, &body);
    request->code = failure->code;
    if (failure->err)
        memcpy(request->reason, failure->err->reason, sizeof request->reason);
    if (failure->retry_after_s)
        request_header(
            request, STR("Retry-After"),
            str_of(arena_printf(request->arena, "%u", (unsigned)failure->retry_after_s)));
    if (failure->http_status == 401 && !has_header(request, STR("WWW-Authenticate")))
        request_header(request, STR("WWW-Authenticate"), STR("Bearer error=\"invalid_token\""));
    request_answer(request, failure->http_status, type, buf_str(&body));
    return STAGE_ANSWERED;
}

enum stage_result request_fail_own(struct request *request, int http_status,
                                   const struct error *err)
{
    struct failure failure = status_own(http_status, err);
    return request_fail(request, &failure);
}

void request_fail_upstream(struct request *request, const struct rpc_result *result)
{
    struct error err;
    struct failure failure = status_upstream(result, request->if_match, &err);
    if (!str_eq(failure.message, result->message))
        snprintf(request->hidden, sizeof request->hidden, "%.*s",
                 STR_ARG(str_utf8_cut(result->message, sizeof request->hidden - 1)));
    request_fail(request, &failure);
}
