/* What the HTTP engine calls for each exchange; see http/server.h. */
#pragma once
#include "base/buf.h"
#include "http/http.h"

struct http_exchange;

struct http_handler {
    void *context;
    /*
     * Called when the headers are complete, before any of the body is read (and before
     * `100 Continue`). It may answer the exchange (or begin a streamed answer), before it returns
     * or not at all: then the body is discarded within bounds or the connection closed, and
     * `request` is not called. If the client goes before the body is complete, only `finished`
     * tells (status 499). NULL: nothing to do.
     */
    void (*headers)(void *context, struct http_exchange *exchange);
    /* Called with the whole body; once more after http_resume (http/resume.h). */
    void (*request)(void *context, struct http_exchange *exchange);
    /*
     * Writes the body of an error that the engine itself finds (400, 408, 413, 414, 417, 431, 500,
     * 501, 503, 505), so that all errors have one shape. The header block is the engine's but for
     * *content_type (which lives as long as the handler's context); the request has no headers when
     * they could not be read. From any thread that calls http_answer_error, otherwise a loop's.
     */
    void (*error_body)(void *context, struct http_exchange *exchange, int status, const char *text,
                       struct buf *body, struct str *content_type);
    /*
     * More headers for such an answer (CORS, a request id), at most `room`; returns how many. The
     * texts live as long as the exchange. From the same threads as error_body. NULL: none.
     */
    size_t (*error_headers)(void *context, struct http_exchange *exchange,
                            struct http_header *headers, size_t room);
    /* The end of every exchange, once, in the loop's thread: after the last byte of the answer was
     * handed to the kernel, or, when the connection was lost, after the exchange was answered all
     * the same. The engine's own answers too: then the user pointer may be NULL, and the request's
     * method and target are empty when they could not be read. Only an exchange that is still not
     * answered when http_server_drain has returned false ends without it. */
    void (*finished)(void *context, struct http_exchange *exchange, int status, uint64_t body_bytes,
                     bool aborted);
    /*
     * True for what is to be answered also when limits.in_flight are there already (a probe): the
     * exchange has just got its headers. Beyond the limit there is one of them to a connection.
     * NULL: none.
     */
    bool (*is_exempt)(void *context, const struct http_request *request);
    /* In a loop's thread, when all requests that were there have been handed on. NULL: nothing. */
    void (*gathered)(void *context);
};
