/*
 * The server's insides, shared by its rooms: server.c (start, drain), server_call.c (the life of a
 * call of the core), server_answer.c (how a unary call is answered, whatever brought it),
 * server_stream.c (threads and messages of streams), callstream_server.c (the elements of call
 * streams), health.c (Watch).
 *
 * A call goes through these hands:
 *
 *   server_post ─▶ core ─▶ request event ─┬─ RUN_POOL ──▶ worker: server_answer_run ─┐
 *                  (completion thread)    ├─ RUN_HERE ──▶ server_answer_run          ├▶ finish
 *                                         ├─ RUN_THREAD ▶ thread: handler            │
 *                                         └─ RUN_WATCH ─▶ health.c                   ┘
 *
 * Each hold (the running handler, the close event, the final batch) is a reference; the last one
 * to go gives the call back to the core.
 */
#pragma once
#include "base/worker.h"
#include "rpc/core.h"
#include "rpc/metadata.h"
#include "rpc/server.h"
#include "rpc/wire.h"
#include "telemetry/trace.h"

enum run_where {
    RUN_POOL,   /* unary handlers, on the pool */
    RUN_QUICK,  /* unary handlers that wait for nobody, on a pool of few threads */
    RUN_HERE,   /* unary, in the completion thread: must never block */
    RUN_THREAD, /* streams, each on a thread of its own */
    RUN_WATCH,  /* health's Watch: events only */
};

/* Who may call a method. */
enum admit {
    ADMIT_BY_GUARD,  /* by policy and grants */
    ADMIT_ANY_PEER,  /* whoever is known: a call stream, whose elements are looked at one by one */
    ADMIT_EVERYBODY, /* health and reflection */
};

/* How many calls of a kind may be under way at once. */
struct server_budget {
    int used, max; /* under the server's lock */
};

struct server_method {
    char *path; /* "/omnidata.user.v1.UserService/GetUser" */
    const struct rpc_service *service;
    const struct rpc_method *method;
    struct rpc_policy policy; /* scopes in the server's arena */
    enum admit admit;
    enum run_where run;
    void *registered;             /* the core's handle of a unary method */
    struct server_budget *budget; /* of a stream */
};

struct health;
struct reflection;

struct rpc_server {
    grpc_server *core;
    struct rpc_queue queue;
    int port;
    struct server_method *methods;
    size_t method_count;
    struct worker_pool *pool, *quick_pool; /* quick_pool NULL: `pool` serves both */
    struct health *health;
    struct reflection *reflection;
    struct rpc_identity *identity; /* NULL: nobody is asked who he is */
    struct rpc_guard guard;
    struct arena arena; /* what lives as long as the server */
    pthread_mutex_t lock;
    pthread_cond_t quiet; /* `active` fell to 0, or `down` became true */
    size_t active;        /* calls that have come and are not gone */
    bool down;            /* the core has no call and no connection any more */
    struct rpc_tag down_tag;
    struct server_budget streams;      /* the program's streams */
    struct server_budget side_streams; /* reflection's */
};

struct call_trailer {
    struct call_trailer *next;
    struct str key, value;
};

struct rpc_call {
    struct rpc_server *server;
    const struct server_method *method; /* NULL: unknown, or not known yet */

    /* What is true of the call, whatever brought it. */
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
    struct call_io *io; /* streams only: server_stream.c */
    void *watch;        /* health's */
};

/* --- server_call.c --- */

/* Asks the core for the next call: of a registered method, or (NULL) any other. */
void server_post(struct rpc_server *server, const struct server_method *method);

/* Sends the answer: *response when err->code is CODE_OK (and it is a unary call), else the error.
 * Gives up the handler's reference: the call is gone for the caller. */
void server_call_finish(struct rpc_call *call, const struct error *err,
                        const ProtobufCMessage *response);

void server_call_reference(struct rpc_call *call);
void server_call_release(struct rpc_call *call);

/* --- server_stream.c --- */

/* Gives the call a thread, or refuses it when the budget is used up. */
void server_stream_start(struct rpc_call *call);
void server_stream_clear(struct rpc_call *call);
