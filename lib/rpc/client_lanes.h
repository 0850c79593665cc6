/*
 * Lanes: the client's ends of call streams (proto/omnidata/rpc/v1/call_stream.proto). A client
 * keeps a few; they are opened when they are wanted, renewed now and then so that replicas share
 * the load, and opened again after whatever ended them. While none is open, or the server has none
 * to offer, calls go by themselves.
 */
#pragma once
#include "rpc/client_core.h"

struct lanes *lanes_new(struct rpc_client *client, int count, int64_t message_bytes_max);

enum lanes_start {
    LANES_TAKEN,
    LANES_NONE, /* none is open, or the call is none for a lane */
    LANES_FULL, /* as many calls are under way as may be */
};

/* rpc_client_start's; *pending is set before `done` can run. */
enum lanes_start lanes_start(struct lanes *lanes, const struct rpc_call_options *options,
                             struct str request, rpc_done_fn done, void *argument,
                             struct rpc_pending **pending);
/* What a call is refused with on LANES_FULL; the details are an encoded google.rpc.Status. */
#define LANES_FULL_TEXT "too many calls are under way"
struct str lanes_full_details(const struct lanes *lanes);

void lanes_cancel(struct rpc_pending *pending);
void lanes_flush(struct lanes *lanes);
int lanes_open(struct lanes *lanes);

/* In the completion thread, while calls are under way: ends those whose deadline has passed. */
void lanes_tick(void *lanes);

/* The client is being freed: calls now end with CANCELLED. Then its calls are cancelled, lanes
 * among them, and lanes_wait returns when the last callback has run. */
void lanes_close(struct lanes *lanes);
void lanes_wait(struct lanes *lanes);

/* When the completion thread has ended. */
void lanes_free(struct lanes *lanes);
