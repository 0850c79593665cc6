/*
 * The client's insides, shared by its rooms: client.c (channel, end), client_unary.c,
 * client_lanes.c and client_lane.c (call streams), client_stream.c (asynchronous),
 * client_blocking.c.
 *
 * What every call has is struct client_call, a member of the kind's own struct. It stands in the
 * client's list from client_call_open to client_call_close, so that freeing the client finds it.
 */
#pragma once
#include "rpc/client.h"
#include "rpc/core.h"
#include "rpc/wire.h"

struct client_call {
    struct rpc_client *client;
    struct client_call *next, *previous; /* in the client's list */
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice status_text;
    struct str refusal;      /* details of a call that was not started; empty: see trailing */
    atomic_bool cancelled;   /* on our side */
    grpc_metadata *metadata; /* what is sent */
    size_t metadata_count;
};

struct lanes;

/* What rpc_client_start gives out: a call of its own or, on a lane, an element of a call stream. */
struct rpc_pending {
    rpc_done_fn done;
    void *argument;
    struct lanes *lanes; /* NULL: a call of its own */
};

struct rpc_client {
    grpc_channel *channel;
    struct str token;    /* sent with every call; empty: none. The identity's */
    struct lanes *lanes; /* NULL: none are wanted */
    struct rpc_queue queue;
    pthread_mutex_t lock;
    pthread_cond_t empty;
    struct client_call *calls;
    bool closing;
};

/*
 * Creates the call and puts it on the list. False when it is not to be started, because its
 * metadata is none or the client is being freed: status and text then say so already.
 */
bool client_call_open(struct client_call *call, struct rpc_client *client,
                      const struct rpc_call_options *options);

/* Gives a call that is not to be started its status and a static text; returns false. */
bool client_call_refuse(struct client_call *call, grpc_status_code status, const char *text);

/*
 * Ends the call with CANCELLED, unless it has ended. Any thread. `tag` is whose event frees the
 * call, or NULL when a lock or the caller's own thread keeps it: it orders that behind this.
 */
void client_call_cancel(struct client_call *call, struct rpc_tag *tag);

/* Off the list, everything given back. */
void client_call_close(struct client_call *call);

/* The parts of batches that every kind of call needs. */
grpc_op client_op_headers(struct client_call *call, bool wait_for_ready);
grpc_op client_op_receive_headers(struct client_call *call);
grpc_op client_op_status(struct client_call *call);

/* What the call came to, without a response; it points into the call. */
struct rpc_result client_call_result(const struct client_call *call);
