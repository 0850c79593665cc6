/*
 * An HTTP client over libcurl: one thread drives all requests of a client; connections are kept and
 * used again. Made for talking to known servers (an OIDC issuer, AWS, a webhook), so it is narrow:
 * HTTP/1.1, http and https only, no redirects, no cookies, no proxies from the environment, and
 * every request has a deadline and a bound on its answer.
 *
 * Any status is a success here: what a 503 means is the caller's to say.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "http/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct http_client;

struct http_client_options {
    const char *user_agent; /* "omni-gateway"; NULL: none is sent */
    const char *ca_file;    /* PEM certificates to trust instead of the system's; NULL, "": those */
    const char *thread_name;  /* at most 15 bytes; NULL: "http-client" */
    int64_t connections;      /* open at once to one host; more requests wait. 0: 8 */
    int64_t connections_kept; /* idle ones that are kept, all hosts together. 0: 16 */
    int64_t requests;         /* under way or waiting; beyond, start refuses. 0: 1024 */
    int64_t connect_ms;       /* for name, TCP and TLS. 0: 3000 */
    int64_t idle_ms;          /* a kept connection idle for longer is not used again. 0: 30000 */
};

struct http_client_request {
    struct str method; /* "GET" */
    struct str url;    /* absolute; sent as it is: percent-encode it before */
    const struct http_header *headers;
    size_t header_count;
    struct str body;            /* copied; or body_read */
    int64_t deadline_ms;        /* from the start to the answer's last byte; 1 at least */
    int64_t response_bytes_max; /* of the body; beyond, the request fails */
    /*
     * A body of body_bytes that is read piece by piece, in the client's thread: like pread, it may
     * be asked for the same bytes again. Returns how many bytes it wrote, at most `room`; 0 or less
     * ends the request with ABORTED.
     */
    ssize_t (*body_read)(void *context, int64_t offset, char *into, size_t room);
    int64_t body_bytes;
    /*
     * Takes the answer's body piece by piece, in the client's thread, instead of collecting it; the
     * bound holds all the same. False ends the request with ABORTED.
     */
    bool (*piece)(void *context, int status, struct str bytes);
    void *context; /* of both */
};

struct http_client_response {
    int status;
    const struct http_header *headers; /* without those of a 100 */
    size_t header_count;
    struct str body; /* empty with `piece` */
};

/*
 * Exactly one of the two is not NULL; both live until it returns. The errors:
 *   UNAVAILABLE (NO_CONNECTION)         no name, no connection, no TLS: nothing was sent
 *   UNAVAILABLE (CONNECTION_LOST)       it may or may not have been carried out
 *   DEADLINE_EXCEEDED                   likewise
 *   RESOURCE_EXHAUSTED (ANSWER_TOO_LARGE)
 *   ABORTED                             by body_read or piece
 *   CANCELLED                           the client is being freed
 * Runs in the client's thread and must not block; it may start further requests.
 */
typedef void (*http_client_done_fn)(void *argument, const struct http_client_response *response,
                                    const struct error *err);

struct http_client *http_client_new(const struct http_client_options *options);

/*
 * Cancels what is under way (each `done` runs with CANCELLED) and joins the thread; from now on
 * requests are refused with CANCELLED, so that other threads that use the client come to an end.
 * Not from `done`.
 */
void http_client_stop(struct http_client *client);

/* Stops it, if it is not stopped, and frees. NULL is allowed. */
void http_client_free(struct http_client *client);

/*
 * Starts a request: `done` runs exactly once, later, never from inside this call. Or an error, and
 * it never runs: INVALID_ARGUMENT (not http or https, a control character in method, address or
 * header), RESOURCE_EXHAUSTED (too many requests), CANCELLED (being freed). Everything in *request
 * is copied, but what `context` points to. Any thread.
 */
enum code http_client_start(struct http_client *client, const struct http_client_request *request,
                            http_client_done_fn done, void *argument, struct error *err) MUST_CHECK;

/*
 * The same, waiting for the answer, which is copied into the arena. Errors as above. Any thread but
 * the client's own.
 */
enum code http_client_fetch(struct http_client *client, const struct http_client_request *request,
                            struct arena *arena, struct http_client_response *response,
                            struct error *err) MUST_CHECK;

/* The value of the answer's first header with this name; ptr NULL when there is none. */
struct str http_client_header(const struct http_client_response *response, struct str name);
