/* What the rooms of lib/rpc ask of an identity: credentials of the core, tokens, names. */
#pragma once
#include "rpc/identity.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

/* The metadata key that carries a token. */
#define IDENTITY_TOKEN_KEY STR("omni-peer-token")

/* For our server and for a channel to `target`; plaintext where no certificate, or for a channel no
 * CA, is configured. `identity` may be NULL. */
grpc_server_credentials *identity_server_credentials(struct rpc_identity *identity);
/* `peer`: who has to be at the other end, by name; NULL: any name of the list. */
grpc_channel_credentials *identity_channel_credentials(struct rpc_identity *identity,
                                                       const char *peer);

/* The token to send to `target`, or an empty str. */
struct str identity_token_for(const struct rpc_identity *identity, const char *target);

/* The name of the peer that the token belongs to, or an empty str. In constant time. */
struct str identity_of_token(const struct rpc_identity *identity, struct str token);

/* The same for what the call's certificate says. */
struct str identity_of_call(const struct rpc_identity *identity, grpc_call *call);

/* One subject alternative name: does it belong to `peer` (NULL: to anybody)? Whose it is, or
 * empty. */
struct str identity_of_name(const struct rpc_identity *identity, const char *peer, struct str name,
                            bool is_uri);

/* True when --peer-names says anything about `peer` (NULL: about anybody). */
bool identity_names_peer(const struct rpc_identity *identity, const char *peer);

/* An address to listen on, or a target, that does not leave this machine. */
bool identity_is_local(struct str address);
