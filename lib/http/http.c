/* Small helpers over requests as values: finding headers, reading lists, naming statuses. */
#include "http/http.h"

#include <string.h>

struct str http_header_find(const struct http_request *request, struct str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (str_eq_case(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return (struct str){NULL, 0};
}

struct str http_header_list(const struct http_request *request, struct str name,
                            struct arena *arena)
{
    struct str all = http_header_find(request, name);
    size_t count = http_header_count(request, name), at = 0, room = 0;
    if (count < 2)
        return all;
    for (size_t i = 0; i < request->header_count; i++)
        room += request->headers[i].value.len + 2;
    char *joined = arena_alloc(arena, room);
    for (size_t i = 0; i < request->header_count; i++) {
        if (!str_eq_case(request->headers[i].name, name))
            continue;
        if (at) {
            memcpy(joined + at, ", ", 2);
            at += 2;
        }
        memcpy(joined + at, request->headers[i].value.ptr, request->headers[i].value.len);
        at += request->headers[i].value.len;
    }
    return (struct str){joined, at};
}

size_t http_header_count(const struct http_request *request, struct str name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        count += str_eq_case(request->headers[i].name, name);
    return count;
}

bool http_token_in_list(struct str value, struct str token)
{
    struct str rest = value, piece;
    while (str_next(&rest, ',', &piece)) {
        if (str_eq_case(str_trim(piece), token))
            return true;
    }
    return false;
}

/* The IANA registry of HTTP status codes. */
static const struct {
    int status;
    const char *reason;
} REASONS[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {499, "Client Closed Request"}, /* not registered; what gRPC's CANCELLED maps to */
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

const char *http_reason(int status)
{
    if (status == 200)
        return "OK";
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++) {
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    }
    return "Unknown";
}
