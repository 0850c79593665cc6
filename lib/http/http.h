/* HTTP as values (RFC 9110): what a handler sees of a request and says in an answer. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_HEADERS_MAX = 100 };

struct http_header {
    struct str name;  /* as it came; compare with str_eq_case */
    struct str value; /* without spaces around it */
};

/*
 * A request whose framing has been checked strictly (RFC 9112): what two readers could take apart
 * differently has been refused. Everything points into memory of the exchange.
 */
struct http_request {
    struct str method; /* "GET" */
    struct str target; /* as it came: "/v1/users/a%2Fb?x=1" */
    struct str path;   /* the target up to '?', still percent-encoded; always begins with '/' or is
                          "*" for OPTIONS */
    struct str query;  /* behind '?', or empty */
    struct str host;   /* the Host header (or :authority) */
    struct str peer;   /* the client's address as text, without port */
    struct str body;   /* complete; empty before it has been read */
    bool has_body;     /* a body was announced (Content-Length above 0, or chunked) */
    int minor_version; /* HTTP/1.x; 2 for HTTP/2 */
    bool secure;       /* came by TLS */
    struct str client_subject; /* of the client's certificate (RFC 2253); empty: it showed none */
    size_t header_count;
    const struct http_header *headers;
};

/* The value of the first header with this name, or an empty str with ptr NULL when there is none.
 */
struct str http_header_find(const struct http_request *request, struct str name);

/* All values of a header that is a list, as one (RFC 9110 section 5.3): joined in `arena` when
 * there are several. ptr NULL when there is none. */
struct str http_header_list(const struct http_request *request, struct str name,
                            struct arena *arena);

/* How many headers have this name. */
size_t http_header_count(const struct http_request *request, struct str name);

/* True when a comma-separated header value holds this token (ASCII case does not matter). */
bool http_token_in_list(struct str value, struct str token);

/* "Not Found"; "Unknown" for a status that RFC 9110 and its registry do not name. */
const char *http_reason(int status);
