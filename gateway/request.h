/*
 * One request on its way through the stages, and the stages. A stage either lets the request go on
 * or has answered it; everything it decides is in this struct, which lives in the exchange's arena.
 */
#pragma once
#include "gateway/address.h"
#include "gateway/admit.h"
#include "gateway/caller.h"
#include "gateway/gateway.h"
#include "gateway/route.h"
#include "gateway/transcode.h"
#include "gateway/upstream.h"
#include "telemetry/trace.h"

#include <pthread.h>
#include <stdatomic.h>

enum { REQUEST_ID_BYTES_MAX = 128, REQUEST_HEADERS_MAX = 40, REQUEST_METADATA_MAX = 4 };

/* The next stage, or none: it has been answered (or a call will answer it). */
enum stage_result { STAGE_GO, STAGE_ANSWERED };

/* What the routes of one upstream method need beside the schema. */
struct endpoint {
    struct upstream *upstream;
    struct schema_path idempotency, if_match, etag; /* count 0: none */
    struct schema_path mask;                        /* of a PATCH with a body field */
    struct schema_path allow_missing;               /* of an update that may create (AIP-134) */
};

struct access;
struct stream;

struct gateway {
    struct gateway_options options;
    struct schema *schema;
    struct schema *builtin;    /* NULL: that is `schema` */
    struct status_types types; /* both */
    struct route_table *routes;
    struct arena arena; /* endpoints */
    struct upstreams *upstreams;
    struct static_files *files; /* NULL: none */
    struct tls *tls;            /* NULL: plain */
    struct sign_in *sign_in;    /* NULL: nobody can sign in */
    struct http_server *server;
    struct stream_table *streams;
    struct document *document; /* /openapi.json */
    struct access *access;
    atomic_bool draining;
};

struct request {
    struct gateway *gateway;
    struct http_exchange *exchange;
    const struct http_request *http;
    struct arena *arena;
    int64_t started_us;

    char id[REQUEST_ID_BYTES_MAX + 1];
    struct trace trace;
    char traceparent[TRACE_PARENT_CHARS + 1]; /* for the upstream */

    struct caller caller;   /* filled by the stages that authenticate */
    struct address network; /* of the client: its address, of IPv6 the upper half */
    struct admit admit;
    struct route_match match; /* route NULL: none of the API's */
    struct str label;         /* the template, "static" or a probe's path: for the log */
    bool is_head, if_match;
    bool if_match_any; /* `*` */
    struct buf wire;   /* the request message */

    struct http_header headers[REQUEST_HEADERS_MAX]; /* of the answer, so far */
    size_t header_count, common_header_count; /* those that every answer of it has come first */

    enum code code; /* for the log */
    char reason[ERROR_REASON_BYTES];
    char hidden[160]; /* what an upstream said that the caller does not see */

    pthread_mutex_t lock; /* orders `gone` against the end of the call */
    atomic_bool gone;
    bool over;
    struct rpc_pending *pending;
    struct stream *stream;
};

/* What the HTTP engine calls: the stages below, as the list of pipeline.c has them. */
struct http_handler pipeline_handler(struct gateway *gateway);

/* --- the stages, in their order --- */

enum stage_result stage_identify(struct request *request); /* request id, trace */
enum stage_result stage_cors(struct request *request);
enum stage_result stage_probe(struct request *request);    /* /healthz, /readyz */
enum stage_result stage_document(struct request *request); /* /openapi.json */
enum stage_result stage_address(struct request *request);  /* whose it is, and how often */
enum stage_result stage_guard(struct request *request);    /* what no route would take */
enum stage_result stage_route(struct request *request);    /* API or static file */
enum stage_result stage_key(struct request *request);      /* the API key */
enum stage_result stage_rate(struct request *request);     /* its plan's rate */
enum stage_result stage_sign_in(struct request *request);  /* the token, by the route's policy */
enum stage_result stage_charge(struct request *request);   /* the rate of a user, and the quota */
enum stage_result stage_media(struct request *request); /* may there be a body, and of this type? */
enum stage_result stage_settle(struct request *request); /* waits for a quota's first lease */
enum stage_result stage_decode(struct request *request); /* JSON, path, query, headers → wire */
enum stage_result stage_call(struct request *request);   /* unary: answers later */

/* stage_cors without the answer to a preflight; true when the origin may call. */
bool cors_headers(struct request *request);

/* stage_call's way for server-streaming methods (stream.c). */
enum stage_result stream_call(struct request *request, const struct rpc_call_options *options);

/* A unary call's success: wire → JSON, with the headers of its policy (encode.c). */
void encode_answer(struct request *request, struct str wire, struct buf *scratch);

/* --- answering (answer.c) --- */

/* Adds a header to the answer; the texts must live as long as the request. */
void request_header(struct request *request, struct str name, struct str value);

/* Answers with what has been added. */
void request_answer(struct request *request, int status, struct str content_type, struct str body);

/* Answers with a failure; STAGE_ANSWERED. */
enum stage_result request_fail(struct request *request, const struct failure *failure);

/* The same for the gateway's own: http_status 0 follows from the code. */
enum stage_result request_fail_own(struct request *request, int http_status,
                                   const struct error *err);

/* How a request's errors are to look: as it asks for, or as it is configured. */
enum status_shape request_shape(const struct gateway *gateway, const struct http_request *http,
                                struct arena *arena);

/* Answers with an upstream's failure, keeping what is hidden for the log. */
void request_fail_upstream(struct request *request, const struct rpc_result *result);

/* --- streams (stream.c) --- */

struct stream_table *stream_table_new(int64_t heartbeat_ms);

/* Ends all streams, with an error event that says why; new ones end at once. */
void stream_table_drain(struct stream_table *table);
void stream_table_free(struct stream_table *table);

/* Allowed until the stream's end. Any thread. */
void stream_cancel(struct stream *stream);

/* The client has gone: `gone` of http_exchange_on_gone, for unary calls and streams. */
void request_gone(void *argument, struct http_exchange *exchange);
