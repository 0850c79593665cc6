/*
 * The HTTP engine: one epoll loop per thread, each with its own listening socket (SO_REUSEPORT), a
 * strict HTTP/1.1 parser, HTTP/2 by nghttp2, TLS by OpenSSL, and exchanges that may be answered
 * from any thread, at once or later.
 *
 * An exchange is one request and its answer. Handlers run in the loop's thread and must not block;
 * to work elsewhere they keep the exchange and answer it from there. Every exchange is answered
 * exactly once: http_answer, or http_stream_begin … http_stream_end or _abort. Answers of one
 * connection of HTTP/1.1 go out in the order of their requests, and only GET, HEAD and OPTIONS are
 * handled side by side; streams of HTTP/2 do not wait for each other.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "http/handler.h"
#include "http/http.h"
#include "http/limits.h"

#include <stdint.h>

struct http_server;
struct http_exchange;

struct http_server_options {
    const char *address; /* "127.0.0.1:8080", "[::1]:8080"; port 0: any, see http_server_port */
    struct tls *tls;     /* see http/tls.h; must outlive the server. NULL: plain */
    bool http2;          /* take HTTP/2: by ALPN as `tls` offers it, or (plain) by its preface */
    int threads;         /* loops, 1 to 64 */
    struct http_limits limits;
    struct http_handler handler;
};

/*
 * Binds and starts; *server is set before the first handler runs. FAILED_PRECONDITION naming the
 * address when it cannot be had.
 */
enum code http_server_start(const struct http_server_options *options, struct http_server **server,
                            struct error *err) MUST_CHECK;

/* The port that is listened on. */
int http_server_port(const struct http_server *server);

/*
 * Stops accepting, closes idle connections, lets exchanges finish for up to `grace_ms` (answers
 * carry `Connection: close`), then closes the rest, joins the threads and frees. True when nothing
 * had to be cut off. When false, exchanges may still be with other threads: they must be answered
 * as ever, and what `handler` points to must live until then.
 */
bool http_server_drain(struct http_server *server, int64_t grace_ms);

struct http_server_stats {
    uint64_t connections, connections_open, requests, in_flight, refused, timeouts, streams_dropped;
    uint64_t floods; /* connections of HTTP/2 closed for frames that do nothing but cost */
};
struct http_server_stats http_server_stats(struct http_server *server);

/* --- an exchange --- */

const struct http_request *http_exchange_request(const struct http_exchange *exchange);

/* Memory that lives as long as the exchange. Of the thread that holds the exchange. */
struct arena *http_exchange_arena(struct http_exchange *exchange);

/* A pointer of the handler's, NULL at first. */
void *http_exchange_user(const struct http_exchange *exchange);
void http_exchange_set_user(struct http_exchange *exchange, void *user);

/*
 * `gone` is called once, in the loop's thread, if the client goes away before the answer is
 * complete. When http_answer or http_stream_end has returned it neither runs nor will run: what it
 * looks at may then be freed (so it must not wait for a lock that the answering thread holds). The
 * exchange stays valid: it must still be answered (the answer goes nowhere; `gone` itself may do
 * it). A client that only closed its sending side is not gone: it can still read. Call from the
 * loop's thread, in a handler.
 */
void http_exchange_on_gone(struct http_exchange *exchange,
                           void (*gone)(void *argument, struct http_exchange *exchange),
                           void *argument);

/*
 * True when the client has ended its sending side: it may go on reading, or be gone altogether,
 * which only shows when something is sent to it. Of whoever is to answer.
 */
bool http_exchange_peer_ended(const struct http_exchange *exchange);

/*
 * Answers. Headers and body are copied (in whole) before it returns. Content-Length, Date and
 * Connection are the engine's; a HEAD request, 204 and 304 get no body. Any thread; the exchange is
 * no longer the caller's.
 */
void http_answer(struct http_exchange *exchange, int status, const struct http_header *headers,
                 size_t header_count, struct str body);

/* As http_answer, for an answer with an error of the engine's shape (see error_body). */
void http_answer_error(struct http_exchange *exchange, int status, const char *text);

/* Begins an answer whose length is not known (chunked; until close for HTTP/1.0). Any thread. */
void http_stream_begin(struct http_exchange *exchange, int status,
                       const struct http_header *headers, size_t header_count);

/*
 * Adds bytes, copied. False when the client is gone or too slow: when limits.stream_buffer_bytes of
 * what was added before wait for it. These bytes may be any number, so that what is held at most is
 * the limit and one piece. When false, stop and call http_stream_end. Any thread, one at a time.
 */
bool http_stream_write(struct http_exchange *exchange, struct str bytes);

/* The end of the answer; the exchange is no longer the caller's. The other one says that it has
 * failed: the connection is closed (HTTP/1), or the stream reset with INTERNAL_ERROR. */
void http_stream_end(struct http_exchange *exchange);
void http_stream_abort(struct http_exchange *exchange);

/* True if an answer was given up because its reader was too slow. For `finished`. */
bool http_exchange_dropped(struct http_exchange *exchange);
