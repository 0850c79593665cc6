/* The server's end of call streams: their elements become calls, their outcomes answers. */
#pragma once
#include "rpc/server_call.h"

enum { CALLSTREAM_STREAMS_MAX = 256 }; /* of a server, at once */

/* The service's name and its one method, for the table of methods. */
const struct rpc_service *callstream_service(void);

/* A call stream has come. */
void callstream_server_start(struct rpc_call *carrier);

/* The core has closed a call; when it is a call stream that was cut off, its elements are. */
void callstream_server_closed(struct rpc_call *carrier);

/* With the last reference to any call. */
void callstream_server_clear(struct rpc_call *carrier);

/* server_call_finish for an element, which is gone afterwards. */
void callstream_server_answer(struct rpc_call *element, const struct error *err,
                              const ProtobufCMessage *response);

/*
 * Between the two, answers of this thread are not written one by one but at the end, or after a few
 * milliseconds, whichever comes first. They do not nest.
 */
void callstream_gather_begin(void);
void callstream_gather_end(void);

/* In the completion thread, while there are elements: ends those whose deadline has passed. */
void callstream_server_tick(void *server);

/* No new call streams; the clients of those that are open are asked to close them. */
void callstream_server_drain(struct rpc_server *server);
