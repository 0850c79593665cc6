/* Inside the client: one request as libcurl carries it out. Everything runs in its thread. */
#pragma once
#include "base/buf.h"
#include "http/client.h"

#include <curl/curl.h>

enum { CLIENT_HEADER_BYTES_MAX = 64 << 10 };

/* Why one of our callbacks has ended a transfer. */
enum transfer_end { TRANSFER_NOT_ENDED, TRANSFER_TOO_LARGE, TRANSFER_ABORTED };

struct transfer {
    struct transfer *next, *previous; /* of the client's lists */
    CURL *easy;
    struct curl_slist *header_lines;
    struct arena arena; /* copies of the request, and the answer's headers */
    struct http_client_request request;
    int64_t offset; /* of body_read */
    int64_t deadline_at_ms;
    http_client_done_fn done;
    void *argument;

    enum transfer_end ended;
    bool body_began;
    int64_t received_bytes;
    size_t header_bytes, header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    struct buf body;
    char error_text[CURL_ERROR_SIZE];
};

/* INVALID_ARGUMENT when the request is not one that can be sent as it is. */
enum code transfer_check(const struct http_client_request *request, struct error *err) MUST_CHECK;

/* Copies the request; nothing of libcurl yet, so any thread. */
struct transfer *transfer_new(const struct http_client_request *request, http_client_done_fn done,
                              void *argument);

/* Makes the easy handle. */
void transfer_prepare(struct transfer *transfer, const struct http_client_options *options);

/* Tells `done` how it ended, by libcurl's result. */
void transfer_finish(struct transfer *transfer, CURLcode result);

/* Tells `done` of a failure. */
void transfer_fail(struct transfer *transfer, enum code code, const char *reason, const char *text);

/* The handle must be out of the multi handle. */
void transfer_free(struct transfer *transfer);
