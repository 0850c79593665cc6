/*
 * The core's file watcher looks at the files once a second and uses what it finds for connections
 * that are made from then on; those that stand go on. When certificate and key do not belong
 * together (one was replaced a moment before the other) handshakes fail until they do, so replace
 * them by one rename of a folder's link, as Kubernetes does, or key and certificate close together.
 */
#include "rpc/identity_tls.h"

#include "base/alloc.h"
#include "crypto/pem.h"
#include "rpc/core.h"

#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>
#include <string.h>

enum { LOOK_EVERY_S = 1 };

struct identity_tls {
    grpc_tls_certificate_provider *provider;
    bool has_cert, has_ca;
};

/* Whose name a server must show. */
struct verifier {
    grpc_tls_certificate_verifier_external external;
    const struct rpc_identity *identity;
    char *peer; /* NULL: anybody's */
};

enum code identity_tls_open(const struct rpc_identity_options *options, struct identity_tls **into,
                            struct error *err)
{
    bool cert = options->cert && *options->cert, ca = options->ca && *options->ca;
    *into = NULL;
    if (ca && pem_check_certificates(options->ca, err) != CODE_OK)
        return error_prefix(err, "--peer-ca");
    if (cert && pem_check_pair(options->cert, options->key, err) != CODE_OK)
        return error_prefix(err, "--peer-cert, --peer-key");
    struct identity_tls *tls = xcalloc(1, sizeof *tls);
    rpc_core_acquire();
    tls->has_cert = cert;
    tls->has_ca = ca;
    tls->provider = grpc_tls_certificate_provider_file_watcher_create(
        cert ? options->key : NULL, cert ? options->cert : NULL, ca ? options->ca : NULL,
        LOOK_EVERY_S);
    *into = tls;
    return CODE_OK;
}

void identity_tls_free(struct identity_tls *tls)
{
    if (!tls)
        return;
    grpc_tls_certificate_provider_release(tls->provider);
    rpc_core_release();
    xfree(tls);
}

static grpc_tls_credentials_options *options_of(struct identity_tls *tls)
{
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    grpc_tls_credentials_options_set_certificate_provider(options, tls->provider);
    if (tls->has_ca)
        grpc_tls_credentials_options_watch_root_certs(options);
    if (tls->has_cert)
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    return options;
}

grpc_server_credentials *identity_tls_server(struct identity_tls *tls)
{
    grpc_tls_credentials_options *options = options_of(tls);
    grpc_tls_credentials_options_set_cert_request_type(
        options, tls->has_ca ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY
                             : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    return grpc_tls_server_credentials_create(options);
}

/* --- the server's name, on the client's side --- */

static bool any_name(const struct verifier *verifier, char **names, size_t count, bool uri)
{
    for (size_t i = 0; i < count; i++)
        if (identity_of_name(verifier->identity, verifier->peer, str_of(names[i]), uri).len)
            return true;
    return false;
}

static int verify(void *user_data, grpc_tls_custom_verification_check_request *request,
                  grpc_tls_on_custom_verification_check_done_cb callback, void *argument,
                  grpc_status_code *status, char **details)
{
    const struct verifier *verifier = user_data;
    bool known = any_name(verifier, request->peer_info.san_names.uri_names,
                          request->peer_info.san_names.uri_names_size, true) ||
                 any_name(verifier, request->peer_info.san_names.dns_names,
                          request->peer_info.san_names.dns_names_size, false);
    (void)callback;
    (void)argument;
    *status = known ? GRPC_STATUS_OK : GRPC_STATUS_UNAUTHENTICATED;
    if (!known)
        *details = gpr_strdup("the server's certificate bears no name that --peer-names lists");
    return 1; /* decided at once */
}

static void cancel(void *user_data, grpc_tls_custom_verification_check_request *request)
{
    (void)user_data;
    (void)request;
}

static void destruct(void *user_data)
{
    struct verifier *verifier = user_data;
    xfree(verifier->peer);
    xfree(verifier);
}

static grpc_tls_certificate_verifier *listed_names(const struct rpc_identity *identity,
                                                   const char *peer)
{
    struct verifier *verifier = xcalloc(1, sizeof *verifier);
    verifier->external.user_data = verifier;
    verifier->external.verify = verify;
    verifier->external.cancel = cancel;
    verifier->external.destruct = destruct;
    verifier->identity = identity;
    verifier->peer = peer ? xstrdup(peer) : NULL;
    return grpc_tls_certificate_verifier_external_create(&verifier->external);
}

grpc_channel_credentials *identity_tls_channel(struct identity_tls *tls,
                                               const struct rpc_identity *identity,
                                               const char *peer)
{
    grpc_tls_credentials_options *options = options_of(tls);
    bool listed = identity_names_peer(identity, peer);
    grpc_tls_certificate_verifier *verifier =
        listed ? listed_names(identity, peer) : grpc_tls_certificate_verifier_host_name_create();
    grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
    grpc_tls_credentials_options_set_check_call_host(options, !listed);
    grpc_tls_certificate_verifier_release(verifier);
    return grpc_tls_credentials_create(options);
}
