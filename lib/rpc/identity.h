/*
 * Who we are to the other processes of the system, and how we know who they are. A peer has a name
 * (`gateway`, `operator`, …), which it proves by a certificate (mutual TLS; one of its subject
 * alternative names stands in the list of that name) or by a token (a line of the token file). Who
 * proves nothing is nobody.
 *
 * The token file has lines `name token`; `#` begins a comment. A name may have several tokens, so
 * that they can be replaced one process after another: the last one of our own name is sent, all
 * are believed. Certificate, key and CA are files that are read again when they change.
 */
#pragma once
#include "base/config.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct rpc_identity;

/* Texts may be empty or NULL: not configured. RPC_IDENTITY_SETTINGS reads all but the last two. */
struct rpc_identity_options {
    const char *token_file;
    const char *cert, *key, *ca; /* PEM files */
    const char *peer_names;      /* "gateway=spiffe://omni/gateway|gw.internal,user=…" */
    const char *plaintext;       /* "loopback": none to and from elsewhere; "anywhere" */
    const char *name;            /* ours */
    bool calls;                  /* we call others: that we can prove who we are is checked */
};

/* One of them, in a struct that holds the options at offset `at`. */
#define RPC_IDENTITY_ITEM(at, field, name, kind, usual, choices, help) \
    { \
        name, kind, (at) + offsetof(struct rpc_identity_options, field), usual, NULL, NULL, \
            choices, help \
    }
#define RPC_IDENTITY_TEXT(at, field, name, help) \
    RPC_IDENTITY_ITEM(at, field, name, CONFIG_TEXT, "", NULL, help)

/* The settings, for a program's table: `at` is offsetof(struct settings, identity). */
#define RPC_IDENTITY_SETTINGS(at) \
    RPC_IDENTITY_TEXT(at, token_file, "token-file", \
                      "lines `name token`: who the peers are, and we; for the owner's eyes only"), \
        RPC_IDENTITY_TEXT(at, cert, "peer-cert", \
                          "our certificate between processes (PEM); read again when it changes"), \
        RPC_IDENTITY_TEXT(at, key, "peer-key", "its private key (PEM)"), \
        RPC_IDENTITY_TEXT(at, ca, "peer-ca", "who signs the peers' certificates (PEM)"), \
        RPC_IDENTITY_TEXT( \
            at, peer_names, "peer-names", \
            "which certificates are whose: name=SAN|SAN,name=SAN; a SAN is a URI or " \
            "a DNS name"), \
        RPC_IDENTITY_ITEM(at, plaintext, "peer-plaintext", CONFIG_CHOICE, "loopback", \
                          "loopback|anywhere", \
                          "without certificates: talk on loopback and unix sockets only, or to " \
                          "and from anywhere")

/* FAILED_PRECONDITION naming the setting and the file or the line. */
enum code rpc_identity_open(const struct rpc_identity_options *options,
                            struct rpc_identity **identity, struct error *err) MUST_CHECK;
void rpc_identity_free(struct rpc_identity *identity);

/* True when there is anything by which a peer could prove who it is. */
bool rpc_identity_knows_peers(const struct rpc_identity *identity);

/*
 * FAILED_PRECONDITION when what is said at this address would go through a network in the clear and
 * the settings do not say that this is meant; `setting` names where the address stands.
 */
enum code rpc_identity_check_listen(const struct rpc_identity *identity, const char *address,
                                    const char *setting, struct error *err) MUST_CHECK;
enum code rpc_identity_check_target(const struct rpc_identity *identity, const char *target,
                                    const char *setting, struct error *err) MUST_CHECK;
