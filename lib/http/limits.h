/* How much of everything the engine takes, and for how long. */
#pragma once
#include <stdint.h>

struct http_limits {
    int64_t header_bytes; /* request line and headers together: beyond, 431 */
    int64_t target_bytes; /* beyond, 414 */
    int64_t body_bytes;   /* beyond, 413 */
    int64_t connections;  /* open at once, all loops together; beyond, 503 and close */
    int64_t in_flight;    /* exchanges at once, all loops together; beyond, 503 */
    int64_t pipeline;     /* unanswered requests of one connection before reading stops */
    int64_t streams;      /* of one connection of HTTP/2 at once */
    int64_t header_ms;    /* from the first byte of a request to the end of its headers: 408 */
    int64_t body_ms;      /* for the body: 408 */
    int64_t idle_ms;      /* without a request on a kept connection: closed */
    int64_t write_ms;     /* without progress while there is output to send: closed */
    int64_t stream_buffer_bytes; /* of a streamed answer, unsent when the next piece comes: beyond,
                                    it is dropped */
};

/* Sensible values; change what you must. */
void http_limits_default(struct http_limits *limits);
