/*
 * A typed gRPC server over the gRPC C core: a table of methods, handlers in straight-line code on a
 * bounded pool of threads. It does once for all methods: arena, deadline, metadata, trace, access
 * log, audit log, authorisation (rpc/guard.h), error to status with rich details (google.rpc.Status
 * in grpc-status-details-bin), cancellation, overload (RESOURCE_EXHAUSTED at once), health,
 * reflection and drain.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/caller.h"
#include "rpc/guard.h"
#include "rpc/identity.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct rpc_server;
struct rpc_call;

/*
 * Unary: *response is an initialised message of the method's output type, to be filled from
 * rpc_call_arena. Anything but CODE_OK sends the error (err->code must be that code).
 */
typedef enum code (*rpc_unary_fn)(struct rpc_call *call, const void *request, void *response,
                                  struct error *err);

/*
 * Streaming in any direction: rpc_call_receive and rpc_call_send as the method says. `request` is
 * the one message of a server-streaming method, NULL when the client streams.
 */
typedef enum code (*rpc_stream_fn)(struct rpc_call *call, const void *request, struct error *err);

/*
 * A bracket around quick calls that came together and run one after the other on one thread, so
 * that they share what is dear to begin (a read transaction). A call runs in no bracket that began
 * before it came. Of the service's context.
 */
struct rpc_together {
    void (*begin)(void *context);
    void (*end)(void *context);
};

struct rpc_method {
    const char *name; /* "GetUser" */
    const ProtobufCMessageDescriptor *input, *output;
    rpc_unary_fn unary; /* one of the two */
    rpc_stream_fn stream;
    bool client_streams, server_streams;
    bool quick; /* unary, and waits for nobody: runs on the few threads of quick_workers */
    const struct rpc_together *together; /* of a quick one; NULL: none */
};

struct rpc_service {
    const char *name; /* "omnidata.user.v1.UserService" */
    const struct rpc_method *methods;
    size_t method_count;
    void *context; /* rpc_call_context */
};

/* The tables, and all they point to, must outlive the server; this struct need not. */
struct rpc_server_options {
    const char *address; /* "127.0.0.1:50051", "unix:/run/x.sock"; port 0: any */
    const struct rpc_service *services;
    size_t service_count;
    struct str descriptor_set; /* FileDescriptorSet, for policies and reflection; must outlive the
                                  server */
    struct rpc_identity *identity; /* must outlive the server. NULL: everybody may call everything,
                                      in plaintext, which is for tests of other things */
    struct rpc_guard guard;        /* with an identity: who may call what; what it points to must
                                      outlive the server */
    int workers;       /* threads for unary handlers: as many may wait for something at once */
    int quick_workers; /* threads for quick ones; few threads stay awake under load, and each
                          wake-up costs more than such a handler. 0: they run on `workers` */
    int queue_max;     /* calls that may wait for either; beyond, RESOURCE_EXHAUSTED */
    int streams_max;   /* streaming calls at once, each with a thread of its own */
    int64_t message_bytes_max; /* largest message taken, RESOURCE_EXHAUSTED beyond */
};

/* Binds and serves. FAILED_PRECONDITION naming the address when it cannot be had. */
enum code rpc_server_start(const struct rpc_server_options *options, struct rpc_server **server,
                           struct error *err) MUST_CHECK;

/* The port that is listened on (0 for a unix socket). */
int rpc_server_port(const struct rpc_server *server);

/*
 * What grpc.health.v1 answers, for one service or "" for the whole server; watchers are told.
 * From the start on all are SERVING; neither speaks for the other. Any thread.
 */
void rpc_server_set_serving(struct rpc_server *server, const char *service, bool serving);

/*
 * Health says NOT_SERVING, new calls are refused, running ones may finish for up to `grace_ms`,
 * then they are cancelled; joins and frees. True when nothing had to be cancelled.
 */
bool rpc_server_drain(struct rpc_server *server, int64_t grace_ms);

/* --- a call, in its handler's thread --- */

void *rpc_call_context(const struct rpc_call *call);
struct arena *rpc_call_arena(struct rpc_call *call);

/* Milliseconds that are left; INT64_MAX without a deadline; never negative. */
int64_t rpc_call_remaining_ms(const struct rpc_call *call);

/* The client went away or the deadline passed. */
bool rpc_call_cancelled(const struct rpc_call *call);

/* The value of a metadata key (lower case; raw bytes for `-bin` keys), or an empty str. */
struct str rpc_call_metadata(const struct rpc_call *call, struct str key);

/* The trace id of the W3C traceparent that came with the call: 32 hex digits, or an empty str. */
struct str rpc_call_trace_id(const struct rpc_call *call);

/* By whom the call is made; never NULL, good as long as the call. */
const struct rpc_caller *rpc_call_caller(const struct rpc_call *call);

/* What the call is about, for the audit log: the id of a user, of a key. Copied. */
void rpc_call_about(struct rpc_call *call, struct str id);

/* "ipv4:127.0.0.1:40000" or the like. */
struct str rpc_call_peer(const struct rpc_call *call);

/* Adds trailing metadata to the reply. A key or value that gRPC does not carry is left out. */
void rpc_call_add_trailer(struct rpc_call *call, struct str key, struct str value);

/*
 * The next message of a client stream, in the call's arena; *message is NULL at the end. In a long
 * stream the handler may arena_reset(rpc_call_arena(call)) when it is done with what lies there.
 * CANCELLED when the client is gone, INVALID_ARGUMENT for bytes that are no such message.
 */
enum code rpc_call_receive(struct rpc_call *call, void **message, struct error *err) MUST_CHECK;

/*
 * Sends a message of a server stream (or the one response of a client stream) and waits until it is
 * on its way. CANCELLED when the client is gone, DEADLINE_EXCEEDED when its deadline passed: return
 * what it gave.
 */
enum code rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message,
                        struct error *err) MUST_CHECK;
