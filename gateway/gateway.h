/*
 * The gateway: HTTP requests in, gRPC calls out. pipeline.c holds the stages as one visible list;
 * each stage is a file.
 */
#pragma once
#include "base/error.h"
#include "gateway/access_log.h"
#include "gateway/sign_in.h"
#include "gateway/status.h"
#include "http/server.h"
#include "http/tls.h"
#include "rpc/identity.h"

struct gateway;

/* Whether the methods' policies (omnidata.api.v1.policy) are enforced. */
enum gateway_access {
    GATEWAY_ACCESS_OPEN, /* neither a key nor a signed-in user is asked for */
    GATEWAY_ACCESS_POLICY,
};

struct gateway_options {
    enum gateway_access access;
    const char *state_dir;      /* "": nothing is kept */
    struct str trusted_proxies; /* CIDR,… */
    int64_t ip_rate, ip_burst;  /* requests a second of one address; rate 0: no limit */
    const char *listen;
    int threads;
    struct tls_options tls; /* cert_file "": plain */
    bool http2;
    struct http_limits limits;
    int64_t json_depth;
    bool require_if_match;      /* changes without If-Match are refused with 428 */
    bool ignore_unknown;        /* fields of a body that are not known, instead of refusing them */
    int64_t message_bytes_max;  /* of an upstream's answer */
    int call_streams;           /* per upstream; 0: every call by itself */
    int64_t deadline_ms;        /* of a call */
    int64_t stream_deadline_ms; /* of a streaming call */
    int64_t heartbeat_ms;       /* between signs of life in a stream */
    int64_t health_poll_ms;
    struct str upstreams;      /* prefix=target,… */
    struct str cors_origins;   /* origin,… or `*`; "": none */
    const char *frontend_dir;  /* "": no files are served */
    const char *page_config;   /* the file at /config.json; "": none of its own */
    struct str page_origins;   /* origin,…: where pages may send requests to */
    struct str descriptor_set; /* an encoded FileDescriptorSet */
    struct str api_title;      /* of /openapi.json */
    enum status_shape shape;
    struct sign_in_options sign_in; /* no issuers: nobody can sign in */
    struct rpc_identity *identity;  /* who we are to the upstreams; NULL: nobody. Outlives us */
    struct access_log *access_log;  /* may be NULL; must outlive the gateway */
};

/*
 * Reads the descriptors, makes the routes, connects, listens. INVALID_ARGUMENT or
 * FAILED_PRECONDITION naming what is wrong: a setting, a route, a directory, the address.
 */
enum code gateway_start(const struct gateway_options *options, struct gateway **gateway,
                        struct error *err) MUST_CHECK;

/* The port that is listened on. */
int gateway_port(const struct gateway *gateway);

/*
 * Says "not ready", goes on serving for `linger_ms`, ends streams, finishes what is under way
 * within `grace_ms`, frees. True when nothing had to be cut off.
 */
bool gateway_drain(struct gateway *gateway, int64_t linger_ms, int64_t grace_ms);
