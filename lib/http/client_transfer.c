/* A request in libcurl's terms: options, callbacks, and what its results mean. */
#include "http/client_transfer.h"

#include "base/alloc.h"

#include <string.h>

/* --- what may be sent --- */

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return text.len > 0;
}

static bool has_control(struct str text, unsigned char lowest)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < lowest && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

enum code transfer_check(const struct http_client_request *request, struct error *err)
{
    struct str url = request->url;
    if (!is_token(request->method))
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_METHOD", "the method is no token");
    if (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://")))
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_URL",
                         "\"%.*s\" is no http or https address", STR_ARG(str_utf8_cut(url, 100)));
    if (has_control(url, '!') || str_find(url, '\t') >= 0)
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_URL",
                         "the address has a space or a control character");
    for (size_t i = 0; i < request->header_count; i++)
        if (!is_token(request->headers[i].name) || has_control(request->headers[i].value, ' '))
            return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_HEADER",
                             "header %zu has a character that is not allowed", i + 1);
    return CODE_OK;
}

/* --- copying --- */

static void add_header_line(struct transfer *transfer, struct str name, struct str value)
{
    /* libcurl's spelling of a header without a value ends in a semicolon. */
    const char *line =
        value.len ? arena_printf(&transfer->arena, "%.*s: %.*s", STR_ARG(name), STR_ARG(value))
                  : arena_printf(&transfer->arena, "%.*s;", STR_ARG(name));
    transfer->header_lines = curl_slist_append(transfer->header_lines, line);
}

static void drop_header(struct transfer *transfer, struct str name)
{
    for (size_t i = 0; i < transfer->request.header_count; i++)
        if (str_eq_case(transfer->request.headers[i].name, name))
            return;
    transfer->header_lines = curl_slist_append(
        transfer->header_lines, arena_printf(&transfer->arena, "%.*s:", STR_ARG(name)));
}

struct transfer *transfer_new(const struct http_client_request *request, http_client_done_fn done,
                              void *argument)
{
    struct transfer *made = xcalloc(1, sizeof *made);
    made->request = *request;
    made->request.method = arena_str(&made->arena, request->method);
    made->request.url = arena_str(&made->arena, request->url);
    made->request.body = arena_str(&made->arena, request->body);
    made->done = done;
    made->argument = argument;
    for (size_t i = 0; i < request->header_count; i++)
        add_header_line(made, request->headers[i].name, request->headers[i].value);
    /* What libcurl would add by itself: a wait before large bodies, a type for what is no form. */
    drop_header(made, STR("Expect"));
    drop_header(made, STR("Content-Type"));
    made->request.headers = NULL;
    buf_init(&made->body,
             request->response_bytes_max > 0 ? (size_t)request->response_bytes_max : 0);
    return made;
}

void transfer_free(struct transfer *transfer)
{
    if (transfer->easy)
        curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->header_lines);
    buf_clear(&transfer->body);
    arena_clear(&transfer->arena);
    xfree(transfer);
}

/* --- callbacks --- */

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct str line = {bytes, size * count};
    if (str_starts(line, STR("HTTP/"))) { /* what came before belonged to a 100 */
        transfer->header_count = 0;
        return line.len;
    }
    ptrdiff_t colon = str_find(line, ':');
    if (transfer->body_began || colon < 1) /* trailers are nobody's */
        return line.len;
    transfer->header_bytes += line.len;
    if (transfer->header_count == HTTP_HEADERS_MAX ||
        transfer->header_bytes > CLIENT_HEADER_BYTES_MAX) {
        transfer->ended = TRANSFER_TOO_LARGE;
        return 0;
    }
    struct str name = {line.ptr, (size_t)colon}, value = str_from(line, (size_t)colon + 1);
    while (value.len && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r'))
        value.len--;
    transfer->headers[transfer->header_count++] = (struct http_header){
        arena_str(&transfer->arena, name), arena_str(&transfer->arena, str_trim(value))};
    return line.len;
}

static int status_of(const struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct str piece = {bytes, size * count};
    transfer->body_began = true;
    if ((int64_t)piece.len > transfer->request.response_bytes_max - transfer->received_bytes) {
        transfer->ended = TRANSFER_TOO_LARGE;
        return 0;
    }
    transfer->received_bytes += (int64_t)piece.len;
    if (!transfer->request.piece) {
        buf_add(&transfer->body, piece);
    } else if (!transfer->request.piece(transfer->request.context, status_of(transfer), piece)) {
        transfer->ended = TRANSFER_ABORTED;
        return 0;
    }
    return piece.len;
}

static size_t on_read(char *into, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    int64_t left = transfer->request.body_bytes - transfer->offset;
    size_t room = size * count;
    if (left <= 0)
        return 0;
    if (room > (uint64_t)left)
        room = (size_t)left;
    ssize_t n =
        transfer->request.body_read(transfer->request.context, transfer->offset, into, room);
    if (n <= 0 || (size_t)n > room) {
        transfer->ended = TRANSFER_ABORTED;
        return CURL_READFUNC_ABORT;
    }
    transfer->offset += n;
    return (size_t)n;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->offset = offset;
    return CURL_SEEKFUNC_OK;
}

/* --- options --- */

static void set_body(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    const struct http_client_request *request = &transfer->request;
    if (request->body_read) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_bytes);
        return;
    }
    bool wants_body = !str_eq(request->method, STR("GET")) &&
                      !str_eq(request->method, STR("HEAD")) &&
                      !str_eq(request->method, STR("DELETE"));
    if (!request->body.len && !wants_body)
        return;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr);
}

static void set_connection(CURL *easy, const struct http_client_options *options)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A name that is not found in time is left to its thread: libcurl would wait for it here. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)((options->idle_ms + 999) / 1000));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (options->ca_file && options->ca_file[0]) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (options->user_agent)
        curl_easy_setopt(easy, CURLOPT_USERAGENT, options->user_agent);
}

void transfer_prepare(struct transfer *transfer, const struct http_client_options *options)
{
    CURL *easy = transfer->easy = curl_easy_init();
    set_connection(easy, options);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
    curl_easy_setopt(easy, CURLOPT_URL, transfer->request.url.ptr);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->header_lines);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    set_body(transfer);
    if (str_eq(transfer->request.method, STR("HEAD")))
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->request.method.ptr);
}

/* --- results --- */

void transfer_fail(struct transfer *transfer, enum code code, const char *reason, const char *text)
{
    struct error err;
    error_set(&err, code, reason, "%s", text);
    transfer->done(transfer->argument, NULL, &err);
}

static bool never_connected(CURLcode result)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: /* of connecting: the deadline is not libcurl's */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return true;
    default:
        return false;
    }
}

void transfer_finish(struct transfer *transfer, CURLcode result)
{
    const char *text = transfer->error_text[0] ? transfer->error_text : curl_easy_strerror(result);
    if (transfer->ended == TRANSFER_TOO_LARGE) {
        transfer_fail(transfer, CODE_RESOURCE_EXHAUSTED, "ANSWER_TOO_LARGE",
                      "the answer is larger than it may be");
    } else if (transfer->ended == TRANSFER_ABORTED) {
        transfer_fail(transfer, CODE_ABORTED, "ABORTED", "the transfer was broken off");
    } else if (result == CURLE_URL_MALFORMAT || result == CURLE_LOGIN_DENIED ||
               result == CURLE_UNSUPPORTED_PROTOCOL) {
        transfer_fail(transfer, CODE_INVALID_ARGUMENT, "INVALID_URL", text);
    } else if (result != CURLE_OK) {
        transfer_fail(transfer, CODE_UNAVAILABLE,
                      never_connected(result) ? "NO_CONNECTION" : "CONNECTION_LOST", text);
    } else {
        struct http_client_response response = {.status = status_of(transfer),
                                                .headers = transfer->headers,
                                                .header_count = transfer->header_count,
                                                .body = buf_str(&transfer->body)};
        transfer->done(transfer->argument, &response, NULL);
    }
}
