/* omni-gateway: settings, signals, and nothing else. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/program.h"
#include "gateway/gateway.h"
#include "pb/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    const char *tls_cert, *tls_key, *tls_client_ca, *tls_client_auth;
    bool http2, require_if_match;
    const char *listen, *upstreams, *frontend_dir, *cors_origins, *descriptor_set, *api_title;
    const char *page_config, *page_origins;
    struct rpc_identity_options identity;
    const char *issuers, *issuer_ca_file;
    int64_t issuer_keys_refresh, issuer_keys_refetch, issuer_keys_max_age;
    int64_t token_skew, token_cache_time, token_cache, token_bytes;
    const char *access, *access_log, *error_shape, *log_level, *unknown_fields;
    int64_t threads, call_streams, deadline, stream_deadline, heartbeat, health_poll, linger, grace;
    int64_t header_bytes, target_bytes, body_bytes, response_bytes, stream_buffer, json_depth;
    const char *state_dir, *trusted_proxies;
    int64_t ip_rate, ip_burst;
    int64_t connections, in_flight, streams, header_time, body_time, idle_time, write_time;
};

#define AT(field) offsetof(struct settings, field)

static const struct config_item ITEMS[] = {
    {"listen", CONFIG_TEXT, AT(listen), "127.0.0.1:8080", 0, 0, 0, "address and port to listen on"},
    {"tls-cert", CONFIG_TEXT, AT(tls_cert), "", 0, 0, 0,
     "file with the certificate and its chain (PEM); empty: plain HTTP. Changed files are taken "
     "up"},
    {"tls-key", CONFIG_TEXT, AT(tls_key), "", 0, 0, 0, "file with the certificate's key (PEM)"},
    {"tls-client-ca", CONFIG_TEXT, AT(tls_client_ca), "", 0, 0, 0,
     "file with who signs clients' certificates (PEM); empty: none is asked for"},
    {"tls-client-auth", CONFIG_CHOICE, AT(tls_client_auth), "optional", 0, 0, "optional|required",
     "with --tls-client-ca: may a client come without a certificate?"},
    {"http2", CONFIG_BOOL, AT(http2), "true", 0, 0, 0,
     "take HTTP/2: by ALPN with TLS, by prior knowledge without"},
    {"upstreams", CONFIG_TEXT, AT(upstreams),
     "omnidata.user.v1=127.0.0.1:50051,omnidata.access.v1=127.0.0.1:50051,"
     "omnidata.event.v1=127.0.0.1:50051,omnidata.analytics.v1=127.0.0.1:50052",
     0, 0, 0, "prefix=target,... : who answers for which services; the longest prefix wins"},
    {"access", CONFIG_CHOICE, AT(access), "policy", 0, 0, "policy|open",
     "policy: keys and sign-in as the API's options say; open: nobody is asked"},
    RPC_IDENTITY_SETTINGS(offsetof(struct settings, identity)),
    {"state-dir", CONFIG_TEXT, AT(state_dir), "", 0, 0, 0,
     "folder for what is kept of keys and leased quotas; empty: nothing is"},
    {"ip-rate", CONFIG_INT, AT(ip_rate), "1000", "0", "1000000", 0,
     "requests a second of one address (of IPv6: a /64); beyond: 429; 0: no limit"},
    {"ip-burst", CONFIG_INT, AT(ip_burst), "2000", "1", "1000000", 0,
     "requests at once of one address"},
    {"trusted-proxies", CONFIG_TEXT, AT(trusted_proxies), "", 0, 0, 0,
     "addresses and networks whose X-Forwarded-For is believed, comma-separated; empty: none"},
    {"issuers", CONFIG_TEXT, AT(issuers), "", 0, 0, 0,
     "who signs users in: ISSUER;audience=A;client-id=C;scope-claim=N;scope-prefix=P,... : README"},
    {"issuer-ca-file", CONFIG_TEXT, AT(issuer_ca_file), "", 0, 0, 0,
     "PEM certificates that the issuers' are checked with; empty: the system's"},
    {"issuer-keys-refresh", CONFIG_DURATION, AT(issuer_keys_refresh), "5m", "1s", "1d", 0,
     "how often an issuer's keys are fetched"},
    {"issuer-keys-refetch", CONFIG_DURATION, AT(issuer_keys_refetch), "1m", "1s", "1h", 0,
     "least time until an unknown key makes them be fetched again"},
    {"issuer-keys-max-age", CONFIG_DURATION, AT(issuer_keys_max_age), "1d", "1s", "30d", 0,
     "how long they are used while their issuer is away"},
    {"token-skew", CONFIG_DURATION, AT(token_skew), "30s", "0s", "5m", 0,
     "how far the clocks of issuers may be off"},
    {"token-cache", CONFIG_INT, AT(token_cache), "8192", "64", "1000000", 0,
     "verified tokens that are remembered"},
    {"token-cache-time", CONFIG_DURATION, AT(token_cache_time), "5m", "0s", "1h", 0,
     "for how long, at most until they expire"},
    {"max-token-bytes", CONFIG_SIZE, AT(token_bytes), "8KiB", "1KiB", "64KiB", 0,
     "of a token; beyond: 401"},
    {"frontend-dir", CONFIG_TEXT, AT(frontend_dir), "", 0, 0, 0,
     "folder of files to serve at /; empty: none"},
    {"page-config", CONFIG_TEXT, AT(page_config), "", 0, 0, 0,
     "file to serve at /config.json: what the page needs to know; empty: the folder's own"},
    {"page-origins", CONFIG_TEXT, AT(page_origins), "", 0, 0, 0,
     "other origins that the page may send requests to (sign-in), comma-separated"},
    {"cors-origins", CONFIG_TEXT, AT(cors_origins), "", 0, 0, 0,
     "origins whose pages may call, comma-separated, or *; empty: none"},
    {"descriptor-set", CONFIG_TEXT, AT(descriptor_set), "", 0, 0, 0,
     "file with a FileDescriptorSet to serve instead of the built-in one"},
    {"api-title", CONFIG_TEXT, AT(api_title), "OmniData", 0, 0, 0,
     "title of the API's description at /openapi.json"},
    {"threads", CONFIG_INT, AT(threads), "1", "1", "64", 0, "event loops"},
    {"call-streams", CONFIG_INT, AT(call_streams), "2", "0", "16", 0,
     "streams to each upstream that carry many calls a message; 0: each call by itself"},
    {"deadline", CONFIG_DURATION, AT(deadline), "10s", "1ms", "10m", 0, "of a call"},
    {"stream-deadline", CONFIG_DURATION, AT(stream_deadline), "1h", "1s", "7d", 0,
     "of a streaming call"},
    {"heartbeat", CONFIG_DURATION, AT(heartbeat), "15s", "100ms", "10m", 0,
     "longest silence of an event stream; a stream of bytes whose client has ended its side may be "
     "silent three times as long"},
    {"health-poll", CONFIG_DURATION, AT(health_poll), "1s", "50ms", "1m", 0,
     "how often the upstreams are asked for their health"},
    {"max-header-bytes", CONFIG_SIZE, AT(header_bytes), "32KiB", "1KiB", "1MiB", 0,
     "request line and headers; beyond: 431"},
    {"max-target-bytes", CONFIG_SIZE, AT(target_bytes), "8KiB", "256", "1MiB", 0,
     "path and query; beyond: 414"},
    {"max-body-bytes", CONFIG_SIZE, AT(body_bytes), "1MiB", "1KiB", "64MiB", 0,
     "request body; beyond: 413"},
    {"max-message-bytes", CONFIG_SIZE, AT(response_bytes), "4MiB", "64KiB", "64MiB", 0,
     "largest message from or to an upstream"},
    {"max-json-depth", CONFIG_INT, AT(json_depth), "100", "10", "1000", 0,
     "objects and arrays within each other"},
    {"require-if-match", CONFIG_BOOL, AT(require_if_match), "false", 0, 0, 0,
     "refuse changes that carry no If-Match (428)"},
    {"unknown-fields", CONFIG_CHOICE, AT(unknown_fields), "refuse", 0, 0, "refuse|ignore",
     "what becomes of members of a JSON body that the method does not know"},
    {"max-connections", CONFIG_INT, AT(connections), "10000", "1", "1000000", 0,
     "open at once; beyond: 503"},
    {"max-in-flight", CONFIG_INT, AT(in_flight), "10000", "1", "1000000", 0,
     "requests at once; beyond: 503"},
    {"stream-buffer", CONFIG_SIZE, AT(stream_buffer), "1MiB", "4KiB", "64MiB", 0,
     "unsent bytes of an event stream, beside its last message, before it is dropped"},
    {"max-streams", CONFIG_INT, AT(streams), "128", "1", "10000", 0,
     "of one connection of HTTP/2 at once"},
    {"header-timeout", CONFIG_DURATION, AT(header_time), "10s", "10ms", "10m", 0,
     "for a request's headers"},
    {"body-timeout", CONFIG_DURATION, AT(body_time), "30s", "10ms", "1h", 0,
     "for a request's body"},
    {"idle-timeout", CONFIG_DURATION, AT(idle_time), "75s", "10ms", "1h", 0,
     "of a kept connection without a request"},
    {"write-timeout", CONFIG_DURATION, AT(write_time), "30s", "10ms", "1h", 0,
     "without progress in sending"},
    {"error-shape", CONFIG_CHOICE, AT(error_shape), "google", 0, 0, "google|aws",
     "error bodies: {\"error\":{...}} or {\"message\":...}"},
    {"access-log", CONFIG_CHOICE, AT(access_log), "stderr", 0, 0, "stderr|stdout|off",
     "where a JSON line a request goes"},
    {"log-level", CONFIG_CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error",
     "least level that is logged"},
    {"linger", CONFIG_DURATION, AT(linger), "500ms", "0s", "1m", 0,
     "serving on after SIGTERM, not ready"},
    {"grace", CONFIG_DURATION, AT(grace), "20s", "0s", "10m", 0,
     "for requests under way after that"},
};

static const struct config_program PROGRAM = {
    "omni-gateway", "HTTP and JSON in front of gRPC services, and the files of the page.", ITEMS,
    sizeof ITEMS / sizeof *ITEMS};

enum { DESCRIPTOR_BYTES_MAX = 16 << 20, EXIT_WRONG = 2 };

static int refuse(const struct error *err)
{
    fprintf(stderr, "omni-gateway: %s\n", err->text);
    return EXIT_WRONG;
}

static enum code read_descriptors(const char *path, struct buf *bytes, struct str *set,
                                  struct error *err)
{
    *set = proto_builtin_set();
    if (!path[0])
        return CODE_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0) {
        char *room = buf_reserve(bytes, 64 << 10);
        n = room ? read(fd, room, 64 << 10) : (errno = EFBIG, -1);
        if (n > 0)
            bytes->len += (size_t)n;
    }
    int failed = errno;
    if (fd >= 0)
        close(fd);
    *set = buf_str(bytes);
    if (n < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, failed, "--descriptor-set: %s", path);
    return CODE_OK;
}

static struct gateway_options options_of(const struct settings *s)
{
    struct gateway_options options = {
        .access = strcmp(s->access, "policy") == 0 ? GATEWAY_ACCESS_POLICY : GATEWAY_ACCESS_OPEN,
        .state_dir = s->state_dir,
        .trusted_proxies = str_of(s->trusted_proxies),
        .ip_rate = s->ip_rate,
        .ip_burst = s->ip_burst,
        .listen = s->listen,
        .threads = (int)s->threads,
        .tls = {.cert_file = s->tls_cert,
                .key_file = s->tls_key,
                .client_ca_file = s->tls_client_ca,
                .client_required = strcmp(s->tls_client_auth, "required") == 0,
                .http2 = s->http2},
        .http2 = s->http2,
        .json_depth = s->json_depth,
        .require_if_match = s->require_if_match,
        .ignore_unknown = strcmp(s->unknown_fields, "ignore") == 0,
        .message_bytes_max = s->response_bytes,
        .call_streams = (int)s->call_streams,
        .deadline_ms = s->deadline,
        .stream_deadline_ms = s->stream_deadline,
        .heartbeat_ms = s->heartbeat,
        .health_poll_ms = s->health_poll,
        .upstreams = str_of(s->upstreams),
        .api_title = str_of(s->api_title),
        .cors_origins = str_of(s->cors_origins),
        .frontend_dir = s->frontend_dir,
        .page_config = s->page_config,
        .page_origins = str_of(s->page_origins),
        .shape = strcmp(s->error_shape, "aws") == 0 ? STATUS_AWS : STATUS_GOOGLE,
    };
    options.sign_in = (struct sign_in_options){
        .issuers = str_of(s->issuers),
        .ca_file = s->issuer_ca_file,
        .refresh_ms = s->issuer_keys_refresh,
        .refetch_ms = s->issuer_keys_refetch,
        .keep_ms = s->issuer_keys_max_age,
        .skew_ms = s->token_skew,
        .cache_ms = s->token_cache_time,
        .cache_entries = (size_t)s->token_cache,
        .token_bytes_max = s->token_bytes,
        .clock = clock_real(),
    };
    http_limits_default(&options.limits);
    options.limits.header_bytes = s->header_bytes;
    options.limits.target_bytes = s->target_bytes;
    options.limits.body_bytes = s->body_bytes;
    options.limits.connections = s->connections;
    options.limits.in_flight = s->in_flight;
    options.limits.streams = s->streams;
    options.limits.stream_buffer_bytes = s->stream_buffer;
    options.limits.header_ms = s->header_time;
    options.limits.body_ms = s->body_time;
    options.limits.idle_ms = s->idle_time;
    options.limits.write_ms = s->write_time;
    return options;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct error err = {0};
    struct gateway *gateway;
    enum log_level level = LOG_INFO;
    struct buf descriptors;
    config_read_or_exit(&PROGRAM, argc, argv, &settings);
    log_level_parse(str_of(settings.log_level), &level);
    log_init("omni-gateway", level);
    program_block_signals();
    buf_init(&descriptors, DESCRIPTOR_BYTES_MAX);
    struct gateway_options options = options_of(&settings);
    if (read_descriptors(settings.descriptor_set, &descriptors, &options.descriptor_set, &err)) {
        buf_clear(&descriptors);
        return refuse(&err);
    }
    settings.identity.name = "gateway";
    settings.identity.calls = true;
    if (rpc_identity_open(&settings.identity, &options.identity, &err) != CODE_OK) {
        buf_clear(&descriptors);
        return refuse(&err);
    }
    if (strcmp(settings.access_log, "off") != 0)
        options.access_log = access_log_new(
            strcmp(settings.access_log, "stdout") == 0 ? STDOUT_FILENO : STDERR_FILENO,
            "omni-gateway");
    bool started = gateway_start(&options, &gateway, &err) == CODE_OK;
    buf_clear(&descriptors); /* the tables hold what they need */
    if (started) {
        program_log_listening(settings.listen, gateway_port(gateway));
        program_wait_signal();
        bool clean = gateway_drain(gateway, settings.linger, settings.grace);
        log_info("stopped", LOG_B("clean", clean));
    }
    access_log_free(options.access_log);
    rpc_identity_free(options.identity);
    return started ? 0 : refuse(&err);
}
