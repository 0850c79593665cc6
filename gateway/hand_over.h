/*
 * What goes with a call to an upstream: the trace, the request's id, and for whom the call is made.
 * Nothing of it comes from the client's headers as such; of those nothing is passed on.
 */
#pragma once
#include "gateway/request.h"

/* Fills the request's metadata for upstreams, in its arena; their count. */
size_t hand_over(struct request *request, struct rpc_metadata metadata[REQUEST_METADATA_MAX]);
