/*
 * Who answers for which service: `prefix=target,…`, the longest prefix of the full service name
 * wins. One gRPC client per distinct target; a thread asks each for its health.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/json_out.h"
#include "rpc/client.h"

struct upstreams;

struct upstream {
    struct rpc_client *client;
    struct buf scratch; /* of the client's completion thread */
};

struct upstreams_options {
    struct str mapping;
    int64_t message_bytes_max;     /* of an answer */
    int call_streams;              /* per target; 0: every call by itself */
    struct rpc_identity *identity; /* what we prove ourselves with, which must outlive the result;
                                      NULL: nothing */
};

/* FAILED_PRECONDITION naming the part of the mapping that cannot be read. */
enum code upstreams_new(const struct upstreams_options *options, struct upstreams **upstreams,
                        struct error *err) MUST_CHECK;

/* Sends what calls with `gather` have left to be sent. Thread-safe. */
void upstreams_flush(struct upstreams *upstreams);

/* Starts asking for health every `poll_ms`. */
void upstreams_watch(struct upstreams *upstreams, int64_t poll_ms);

/* The one for a service, or NULL. At start only. */
struct upstream *upstreams_find(struct upstreams *upstreams, struct str service);

/* Logs the parts of the mapping by which nothing has been found: most likely they are misspelt. */
void upstreams_warn_unused(const struct upstreams *upstreams);

/* True when all answered SERVING at the last asking. Thread-safe. */
bool upstreams_healthy(struct upstreams *upstreams);

/* An array of {"services":"prefix","healthy":true}. Thread-safe. */
void upstreams_describe(struct upstreams *upstreams, struct json_out *json);

/* Cancels what is under way (callbacks run), stops asking, frees. NULL is allowed. */
void upstreams_free(struct upstreams *upstreams);
