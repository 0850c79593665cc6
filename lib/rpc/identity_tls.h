/* The core's credentials from certificate files that are read again when they change. */
#pragma once
#include "rpc/identity_core.h"

struct identity_tls;

/* FAILED_PRECONDITION naming the setting and the file. */
enum code identity_tls_open(const struct rpc_identity_options *options, struct identity_tls **tls,
                            struct error *err) MUST_CHECK;
void identity_tls_free(struct identity_tls *tls);

/* A client's certificate is asked for when there is a CA, and must then be good; to come without
 * one is no error of the connection: such a peer is nobody. */
grpc_server_credentials *identity_tls_server(struct identity_tls *tls);

/*
 * The server must show a certificate of the CA in which stands a name that `identity` lists for
 * `peer` (NULL: for anybody), or, when it lists none, the name that was connected to. `identity`
 * must outlive the channel.
 */
grpc_channel_credentials *identity_tls_channel(struct identity_tls *tls,
                                               const struct rpc_identity *identity,
                                               const char *peer);
