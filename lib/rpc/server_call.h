/* A call of a server, and its life (server_core.h draws it). */
#pragma once
#include "rpc/caller.h"
#include "rpc/metadata.h"
#include "rpc/server_core.h"
#include "rpc/wire.h"
#include "telemetry/trace.h"

struct call_trailer {
    struct call_trailer *next;
    struct str key, value;
};

struct rpc_call {
    struct rpc_server *server;
    const struct server_method *method; /* NULL: unknown, or not known yet */

    /* What is true of the call, whatever brought it. */
    struct rpc_call *next_in_line; /* server_quick.c */
    uint64_t number_in_line;
    struct rpc_call *carrier; /* of an element: the call stream it came by, which is the peer's and
                                 outlives it; NULL: it came by itself */
    atomic_bool cancelled;
    int64_t started_us, deadline_ms; /* by the monotonic clock; INT64_MAX: none */
    struct arena arena;              /* the handler's */
    struct arena own; /* what must outlive a reset of the handler's: trailers, peer */
    struct trace trace;
    struct rpc_caller caller; /* texts in `own`, the carrier's or the server's */
    struct str about;         /* what the audit log says it was about */
    char *peer;
    struct call_trailer *trailers; /* the last one that was added */
    size_t trailer_count;

    /* An element's: what came with it, in `own`. */
    struct str path, request;
    const struct rpc_metadata *pairs;
    size_t pair_count;

    /* A call of the core. */
    bool generic; /* asked for without method: a stream or an unknown one */
    grpc_call *call;
    grpc_call_details details; /* generic only */
    gpr_timespec core_deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload; /* the one message, unary only */
    struct rpc_tag request_tag, close_tag, finish_tag;
    int close_cancelled; /* the core's to write until the close event */
    atomic_int references;
    bool headers_sent;
    struct server_budget *budget; /* that it has taken from; NULL: none */
    struct call_io *io;           /* server_stream.c */
    struct call_stream *elements; /* callstream_server.c */
    void *watch;                  /* health.c */
};

/* Asks the core for the next call: of a registered method, or (NULL) any other. */
void server_post(struct rpc_server *server, const struct server_method *method);

/* Sends the answer: *response when err->code is CODE_OK (and it is a unary call), else the error.
 * Gives up the handler's reference: the call is gone for the caller. */
void server_call_finish(struct rpc_call *call, const struct error *err,
                        const ProtobufCMessage *response);

void server_call_reference(struct rpc_call *call);
void server_call_release(struct rpc_call *call);

/* False when the budget of the call's method is used up; else the call gives it back. */
bool server_budget_take(struct rpc_call *call);

/* --- server_stream.c --- */

/* Gives the call a thread, or refuses it when the budget is used up. */
void server_stream_start(struct rpc_call *call);
void server_stream_clear(struct rpc_call *call);
