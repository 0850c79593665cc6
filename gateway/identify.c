/* Which request this is: X-Request-Id and W3C traceparent, taken over or made. */
#include "gateway/request.h"

#include "base/id.h"

#include <string.h>

static bool acceptable(struct str id)
{
    if (!id.len || id.len > REQUEST_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
        if (!good)
            return false;
    }
    return true;
}

enum stage_result stage_identify(struct request *request)
{
    struct str given = http_header_find(request->http, STR("X-Request-Id"));
    struct trace parent;
    if (acceptable(given)) {
        memcpy(request->id, given.ptr, given.len);
        request->id[given.len] = '\0';
    } else {
        id_format(id_new(clock_real()), request->id);
    }
    if (!trace_parse(http_header_find(request->http, STR("traceparent")), &parent))
        trace_new(&parent);
    trace_child(&parent, &request->trace);
    trace_format(&request->trace, request->traceparent);
    request_header(request, STR("X-Request-Id"), str_of(request->id));
    request_header(request, STR("X-Content-Type-Options"), STR("nosniff"));
    return STAGE_GO;
}
