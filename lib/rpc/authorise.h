/* Who makes a call of a server, and may he: identity.h and guard.h, asked for a call. */
#pragma once
#include "rpc/server_call.h"

/* Reads the methods' policies from the descriptor set. */
void server_read_policies(struct rpc_server *server, struct str descriptor_set);

/* Finds out by whom a call, or an element of a call stream, is made, and whether it may be; before
 * its message is decoded. Never blocks. */
enum code server_admit(struct rpc_call *call, struct error *err) MUST_CHECK;

/* A line in the audit log when the call was a write, or was refused. */
void server_audit(const struct rpc_call *call, const struct error *err);
