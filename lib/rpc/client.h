/*
 * A gRPC client over the gRPC C core. Messages are encoded bytes, so that a gateway can pass on
 * what it never decodes; rpc_client_call_typed is for callers that hold protobuf-c messages.
 *
 * Every call has a deadline. A callback runs exactly once, in the client's completion thread, and
 * must not block.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/identity.h"
#include "rpc/metadata.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct rpc_client;
struct rpc_stream;

struct rpc_client_options {
    const char *target; /* "dns:///users:50051", "127.0.0.1:50051", "unix:/run/x.sock" */
    int64_t message_bytes_max;
    const char *service_config_json; /* NULL: none */
    struct rpc_identity *identity;   /* by which we prove who we are, and whom we talk to; must
                                        outlive the client. NULL: nobody, in plaintext */
    const char *peer; /* whose certificate the server must show; NULL: any that is listed */
    /* Call streams that are kept open for the calls of rpc_client_start, 0 to RPC_CALL_STREAMS_MAX:
     * with a server that offers them, many small calls travel in one message. 0: every call by
     * itself. */
    int call_streams;
};

enum { RPC_CALL_STREAMS_MAX = 16 };

struct rpc_call_options {
    struct str method;   /* "/omnidata.user.v1.UserService/GetUser" */
    int64_t deadline_ms; /* from now; must be above 0 */
    const struct rpc_metadata *metadata;
    size_t metadata_count;
    bool wait_for_ready; /* wait for a connection instead of failing with UNAVAILABLE */
    bool gather; /* of rpc_client_start: more may follow, rpc_client_flush comes in any case */
};

/* What a call came to. All memory is the client's, good until the callback returns (or the arena
 * of a blocking call ends). */
struct rpc_result {
    enum code code;
    struct str message;  /* the status message */
    struct str details;  /* an encoded google.rpc.Status, or empty */
    struct str response; /* the encoded response when code is CODE_OK */
};

/* Never fails: connecting happens in the background. */
struct rpc_client *rpc_client_new(const struct rpc_client_options *options);

/*
 * Cancels what is under way (callbacks run), waits until other threads' blocking calls have
 * returned and their blocking streams are finished, joins, frees. NULL is allowed.
 */
void rpc_client_free(struct rpc_client *client);

/* --- unary --- */

/*
 * Blocks until the answer or the deadline. On an error *err holds code, message, and the reason,
 * fields and retry delay of the details as far as they are there. *response is in `arena`.
 */
enum code rpc_client_call(struct rpc_client *client, const struct rpc_call_options *options,
                          struct str request, struct arena *arena, struct str *response,
                          struct error *err) MUST_CHECK;

/* The same with protobuf-c messages. INTERNAL when the response is no message of `type`. */
enum code rpc_client_call_typed(struct rpc_client *client, const struct rpc_call_options *options,
                                const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *type, struct arena *arena,
                                void **response, struct error *err) MUST_CHECK;

typedef void (*rpc_done_fn)(void *argument, const struct rpc_result *result);

struct rpc_pending;

/*
 * Starts a call, on a call stream when one is open and the request is small; the request is copied.
 * RESOURCE_EXHAUSTED (OVERLOADED) when too many are under way there. *pending (may be NULL) is for
 * rpc_pending_cancel and is dead once `done` has begun; the caller orders the two.
 */
void rpc_client_start(struct rpc_client *client, const struct rpc_call_options *options,
                      struct str request, rpc_done_fn done, void *argument,
                      struct rpc_pending **pending);

/* Sends what calls with `gather` have left to be sent. Any thread. */
void rpc_client_flush(struct rpc_client *client);

/* How many call streams are open now. They are opened when calls want them. Any thread. */
int rpc_client_streams_open(struct rpc_client *client);

/* `done` then comes with CANCELLED (or what had happened before). Any thread. */
void rpc_pending_cancel(struct rpc_pending *pending);

/* Fills *err from a result that is not OK: code, message, and what the details hold. */
enum code rpc_result_error(const struct rpc_result *result, struct error *err);

/* --- streams, asynchronous: for server-streaming methods --- */

struct rpc_stream_events {
    /* One message. Return true to ask for the next; on false call rpc_stream_next later. */
    bool (*message)(void *argument, struct str message);
    /* The end, exactly once; afterwards the stream is gone. */
    rpc_done_fn done;
};

/*
 * Sends the request and starts reading; callbacks may run before this returns. rpc_stream_next and
 * rpc_stream_cancel are allowed until `done` has begun: a caller on another thread orders them with
 * a lock that its `done` takes too, and may hold it while calling either.
 */
struct rpc_stream *rpc_client_open(struct rpc_client *client,
                                   const struct rpc_call_options *options, struct str request,
                                   const struct rpc_stream_events *events, void *argument);
void rpc_stream_next(struct rpc_stream *stream);
void rpc_stream_cancel(struct rpc_stream *stream);

/* --- streams, blocking: any direction --- */

struct rpc_blocking_stream;

struct rpc_blocking_stream *rpc_stream_new(struct rpc_client *client,
                                           const struct rpc_call_options *options);
/* False when the call has ended: rpc_stream_finish says why. */
bool rpc_stream_send(struct rpc_blocking_stream *stream, struct str message);
bool rpc_stream_send_end(struct rpc_blocking_stream *stream);
/* The next message, copied into `arena`; false at the end. */
bool rpc_stream_receive(struct rpc_blocking_stream *stream, struct arena *arena,
                        struct str *message);
/*
 * Ends and frees; the call's outcome. Cancels unless rpc_stream_receive has returned false or a
 * send has failed: who wants the other side's word receives to the end first. A sender and a
 * receiver may be two threads; finishing comes after both.
 */
enum code rpc_stream_finish(struct rpc_blocking_stream *stream, struct error *err);

/* --- health --- */

/* Asks grpc.health.v1.Health/Check for `service` ("" for all of it): true only for SERVING, and for
 * a server that has no such method, as gRPC's own clients do. */
bool rpc_client_healthy(struct rpc_client *client, const char *service, int64_t deadline_ms);
