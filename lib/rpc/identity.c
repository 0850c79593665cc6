/* Names, tokens and lists of certificates' names, read once at start; then only looked at. */
#include "rpc/identity_core.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "crypto/crypto.h"
#include "rpc/identity_tls.h"
#include "rpc/token_file.h"
#include "rpc/wire.h"

enum { NAMES_MAX = 256 };

#define REASON "INVALID_SETTING"

/* One entry of --peer-names. */
struct known_name {
    struct str peer, name;
    bool is_uri;
};

struct rpc_identity {
    struct arena arena;
    struct rpc_identity_options options;
    struct peer_token *tokens;
    size_t token_count;
    struct known_name names[NAMES_MAX];
    size_t name_count;
    struct identity_tls *tls; /* NULL: none */
};

static bool is_set(const char *setting)
{
    return setting && *setting;
}

/* --- what the settings say --- */

static bool is_uri(struct str name)
{
    for (size_t i = 0; i + 2 < name.len; i++)
        if (name.ptr[i] == ':' && name.ptr[i + 1] == '/' && name.ptr[i + 2] == '/')
            return true;
    return false;
}

/* "gateway=spiffe://omni/gateway|gw.internal" */
static enum code add_names(struct rpc_identity *identity, struct str entry, struct error *err)
{
    ptrdiff_t equals = str_find(entry, '=');
    struct str peer = {entry.ptr, equals > 0 ? (size_t)equals : 0}, name;
    struct str rest = str_from(entry, peer.len + 1);
    if (!token_name_is_legal(peer) || !rest.len)
        return error_set(err, CODE_FAILED_PRECONDITION, REASON,
                         "--peer-names: \"%.*s\" is not name=SAN|SAN",
                         STR_ARG(str_utf8_cut(entry, 100)));
    while (str_next(&rest, '|', &name)) {
        if (!name.len || identity->name_count == NAMES_MAX)
            return error_set(err, CODE_FAILED_PRECONDITION, REASON,
                             "--peer-names: an empty name, or more than %d", NAMES_MAX);
        for (size_t i = 0; i < identity->name_count; i++)
            if (str_eq_case(identity->names[i].name, name))
                return error_set(err, CODE_FAILED_PRECONDITION, REASON,
                                 "--peer-names: \"%.*s\" stands there twice",
                                 STR_ARG(str_utf8_cut(name, 100)));
        identity->names[identity->name_count++] = (struct known_name){peer, name, is_uri(name)};
    }
    return CODE_OK;
}

static enum code read_names(struct rpc_identity *identity, struct error *err)
{
    struct str rest = arena_str(&identity->arena, str_of(identity->options.peer_names)), entry;
    while (rest.len && str_next(&rest, ',', &entry)) {
        if (add_names(identity, str_trim(entry), err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

static enum code read_tokens(struct rpc_identity *identity, struct error *err)
{
    if (!is_set(identity->options.token_file))
        return CODE_OK;
    if (token_file_read(identity->options.token_file, &identity->arena, &identity->tokens,
                        &identity->token_count, err) != CODE_OK)
        return error_prefix(err, "--token-file");
    return CODE_OK;
}

static struct str own_token(const struct rpc_identity *identity)
{
    for (size_t i = identity->token_count; i-- > 0;)
        if (str_eq(identity->tokens[i].name, str_of(identity->options.name)))
            return identity->tokens[i].token;
    return (struct str){0};
}

static enum code open_tls(struct rpc_identity *identity, struct error *err)
{
    const struct rpc_identity_options *options = &identity->options;
    bool cert = is_set(options->cert), key = is_set(options->key), ca = is_set(options->ca);
    if (cert != key)
        return error_set(err, CODE_FAILED_PRECONDITION, REASON, "%s is set without %s",
                         cert ? "--peer-cert" : "--peer-key", cert ? "--peer-key" : "--peer-cert");
    if (cert && !ca && options->calls)
        return error_set(err, CODE_FAILED_PRECONDITION, REASON,
                         "--peer-cert is set without --peer-ca: we could not tell whom we call");
    if (!cert && !ca)
        return CODE_OK;
    return identity_tls_open(options, &identity->tls, err);
}

/* A gateway, a relay, a command that nobody will believe should not start at all. */
static enum code check_provable(const struct rpc_identity *identity, struct error *err)
{
    const struct rpc_identity_options *options = &identity->options;
    if (!options->calls || is_set(options->cert) || !identity->token_count ||
        own_token(identity).len)
        return CODE_OK;
    return error_set(err, CODE_FAILED_PRECONDITION, REASON,
                     "--token-file: %s has no line for \"%s\"", options->token_file, options->name);
}

enum code rpc_identity_open(const struct rpc_identity_options *options, struct rpc_identity **into,
                            struct error *err)
{
    struct rpc_identity *identity = xcalloc(1, sizeof *identity);
    identity->options = *options;
    enum code code = read_names(identity, err);
    if (code == CODE_OK)
        code = read_tokens(identity, err);
    if (code == CODE_OK)
        code = check_provable(identity, err);
    if (code == CODE_OK)
        code = open_tls(identity, err);
    if (code != CODE_OK) {
        rpc_identity_free(identity);
        identity = NULL;
    }
    *into = identity;
    return code;
}

void rpc_identity_free(struct rpc_identity *identity)
{
    if (!identity)
        return;
    identity_tls_free(identity->tls);
    arena_clear(&identity->arena);
    xfree(identity);
}

bool rpc_identity_knows_peers(const struct rpc_identity *identity)
{
    return identity->token_count || (identity->name_count && is_set(identity->options.ca));
}

/* --- addresses --- */

static bool takes_off(struct str *address, struct str prefix)
{
    if (!str_starts(*address, prefix))
        return false;
    *address = str_from(*address, prefix.len);
    return true;
}

/* The host of host:port, without brackets. */
static struct str host_of(struct str address)
{
    if (str_starts(address, STR("["))) {
        ptrdiff_t end = str_find(address, ']');
        return end < 0 ? address : (struct str){address.ptr + 1, (size_t)end - 1};
    }
    size_t end = address.len;
    while (end && address.ptr[end - 1] != ':')
        end--;
    return end ? (struct str){address.ptr, end - 1} : address;
}

static bool is_loopback_v4(struct str host)
{
    size_t dots = 0;
    for (size_t i = 0; i < host.len; i++) {
        bool digit = host.ptr[i] >= '0' && host.ptr[i] <= '9';
        if (!digit && host.ptr[i] != '.')
            return false;
        dots += !digit;
    }
    return dots == 3 && str_starts(host, STR("127."));
}

bool identity_is_local(struct str address)
{
    if (str_starts(address, STR("unix:")) || str_starts(address, STR("unix-abstract:")))
        return true;
    if (!takes_off(&address, STR("dns:///")) && !takes_off(&address, STR("dns:")) &&
        !takes_off(&address, STR("ipv4:")))
        takes_off(&address, STR("ipv6:"));
    struct str host = host_of(address);
    return str_eq_case(host, STR("localhost")) || str_eq(host, STR("::1")) || is_loopback_v4(host);
}

static bool may_be_plain(const struct rpc_identity *identity, const char *address)
{
    return str_eq(str_of(identity->options.plaintext), STR("anywhere")) ||
           identity_is_local(str_of(address));
}

enum code rpc_identity_check_listen(const struct rpc_identity *identity, const char *address,
                                    const char *setting, struct error *err)
{
    if (is_set(identity->options.cert) || may_be_plain(identity, address))
        return CODE_OK;
    return error_set(
        err, CODE_FAILED_PRECONDITION, REASON,
        "%s: %s is not on this machine alone: set --peer-cert, or --peer-plaintext=anywhere "
        "where the network itself is trusted",
        setting, address);
}

enum code rpc_identity_check_target(const struct rpc_identity *identity, const char *target,
                                    const char *setting, struct error *err)
{
    if (is_set(identity->options.ca) || may_be_plain(identity, target))
        return CODE_OK;
    return error_set(
        err, CODE_FAILED_PRECONDITION, REASON,
        "%s: %s is not on this machine: set --peer-ca, or --peer-plaintext=anywhere where "
        "the network itself is trusted",
        setting, target);
}

/* --- what calls ask --- */

struct str identity_token_for(const struct rpc_identity *identity, const char *target)
{
    if (!identity || (!is_set(identity->options.ca) && !may_be_plain(identity, target)))
        return (struct str){0};
    return own_token(identity);
}

/* All are compared, so that the time does not tell which one was nearly right. */
struct str identity_of_token(const struct rpc_identity *identity, struct str token)
{
    struct str name = {0};
    for (size_t i = 0; i < identity->token_count; i++) {
        const struct peer_token *one = &identity->tokens[i];
        if (one->token.len == token.len && crypto_equal(one->token.ptr, token.ptr, token.len))
            name = one->name;
    }
    return name;
}

struct str identity_of_name(const struct rpc_identity *identity, const char *peer, struct str name,
                            bool uri)
{
    for (size_t i = 0; i < identity->name_count; i++) {
        const struct known_name *known = &identity->names[i];
        bool same = uri ? str_eq(known->name, name) : str_eq_case(known->name, name);
        if (known->is_uri == uri && same && (!peer || str_eq(known->peer, str_of(peer))))
            return known->peer;
    }
    return (struct str){0};
}

static struct str peer_of_property(const struct rpc_identity *identity,
                                   const grpc_auth_context *context, const char *key, bool uri)
{
    grpc_auth_property_iterator all = grpc_auth_context_find_properties_by_name(context, key);
    const grpc_auth_property *one;
    while ((one = grpc_auth_property_iterator_next(&all))) {
        struct str name = {one->value, one->value_length};
        struct str peer = identity_of_name(identity, NULL, name, uri);
        if (peer.len)
            return peer;
    }
    return (struct str){0};
}

struct str identity_of_call(const struct rpc_identity *identity, grpc_call *call)
{
    if (!identity->tls || !identity->name_count)
        return (struct str){0};
    grpc_auth_context *context = grpc_call_auth_context(call);
    struct str peer = peer_of_property(identity, context, GRPC_PEER_URI_PROPERTY_NAME, true);
    if (!peer.len)
        peer = peer_of_property(identity, context, GRPC_PEER_DNS_PROPERTY_NAME, false);
    grpc_auth_context_release(context);
    return peer;
}

/* --- credentials --- */

bool identity_names_peer(const struct rpc_identity *identity, const char *peer)
{
    for (size_t i = 0; i < identity->name_count; i++)
        if (!peer || str_eq(identity->names[i].peer, str_of(peer)))
            return true;
    return false;
}

grpc_server_credentials *identity_server_credentials(struct rpc_identity *identity)
{
    if (!identity || !is_set(identity->options.cert))
        return grpc_insecure_server_credentials_create();
    return identity_tls_server(identity->tls);
}

grpc_channel_credentials *identity_channel_credentials(struct rpc_identity *identity,
                                                       const char *peer)
{
    if (!identity || !is_set(identity->options.ca))
        return grpc_insecure_credentials_create();
    return identity_tls_channel(identity->tls, identity, peer);
}
