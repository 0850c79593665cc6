/* How a unary call is answered, whether it came by itself or as an element of a call stream. */
#pragma once
#include "rpc/server_call.h"

/* Runs the handler of a unary call (a struct rpc_call) and finishes it: a worker's job. */
void server_answer_run(void *call);

/* False when the caller may not make this call, which is gone then. */
bool server_answer_admit(struct rpc_call *call);

/* Has server_answer_run run where the method says, or refuses the call when too many wait. */
void server_answer_soon(struct rpc_call *call);

/* Finishes the call with an error that no handler had; RESOURCE_EXHAUSTED says when to come back.
 */
void server_refuse(struct rpc_call *call, enum code code, const char *reason, const char *text);

/* Decodes one message of the method's input type into the arena and checks its texts. */
enum code server_decode(struct rpc_call *call, struct str bytes, void **message,
                        struct error *err) MUST_CHECK;
enum code server_decode_buffer(struct rpc_call *call, grpc_byte_buffer *payload, void **message,
                               struct error *err) MUST_CHECK;

/* What a cancelled call is finished with: DEADLINE_EXCEEDED or CANCELLED. */
enum code server_call_gone(const struct rpc_call *call, struct error *err);

/* What a handler's return value comes to; *err agrees with it afterwards. */
enum code server_call_outcome(const struct rpc_call *call, enum code code, struct error *err);

/* Marks the handler's thread's log lines as the call's, or (NULL) nobody's. */
void server_call_trace(const struct rpc_call *call);

/* The path of the method that was asked for. */
struct str server_call_path(const struct rpc_call *call);

/* The line of the access log. */
void server_call_log(const struct rpc_call *call, const struct error *err);

/* The method of a path, or NULL. */
const struct server_method *server_find_method(const struct rpc_server *server, struct str path);

/* By the monotonic clock. */
int64_t server_now_us(void);
