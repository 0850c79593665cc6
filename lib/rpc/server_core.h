/*
 * The server's insides, shared by its rooms: server.c (start, drain), server_call.c (the life of a
 * call of the core), server_answer.c (how a unary call is answered, whatever brought it),
 * server_stream.c (threads and messages of streams), callstream_core.h (call streams and their
 * elements), health.c (Watch).
 *
 * A call goes through these hands:
 *
 *   server_post ─▶ core ─▶ request event ─┬─ RUN_POOL ──▶ worker: server_answer_run ─┐
 *                  (completion thread)    ├─ RUN_QUICK ─▶ quick line: the same       │
 *                                         ├─ RUN_HERE ──▶ server_answer_run          ├▶ finish
 *                                         ├─ RUN_THREAD ▶ thread: handler            │
 *                                         ├─ RUN_WATCH ─▶ health.c                   │
 *                                         └─ RUN_CALLS ─▶ callstream_server.c ───────┘
 *                                                           └▶ an element: one of the first three
 *
 * Each hold (the running handler, the close event, the final batch) is a reference; the last one
 * to go gives the call back to the core.
 */
#pragma once
#include "base/worker.h"
#include "rpc/core.h"
#include "rpc/server.h"

enum run_where {
    RUN_POOL,   /* unary handlers, on the pool */
    RUN_QUICK,  /* unary handlers that wait for nobody, on a pool of few threads */
    RUN_HERE,   /* unary, in the completion thread: must never block */
    RUN_THREAD, /* streams, each on a thread of its own */
    RUN_WATCH,  /* health's Watch: events only */
    RUN_CALLS,  /* a call stream: events only */
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

struct call_stream;
struct health;
struct quick_line;
struct reflection;

struct rpc_server {
    grpc_server *core;
    struct rpc_queue queue;
    int port;
    struct server_method *methods;
    size_t method_count;
    struct worker_pool *pool;
    struct quick_line *quick; /* NULL: `pool` serves quick methods as well */
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
    struct server_budget call_streams;
    struct call_stream *first_stream; /* call streams; under the lock */
    bool draining;                    /* under the lock */
};
