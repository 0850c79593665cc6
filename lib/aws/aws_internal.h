/* Between aws.c and client.c: what is shared, and a client. */
#pragma once
#include "aws/client.h"
#include "aws/sigv4.h"
#include "aws/timer.h"
#include "http/client.h"

#include <stdatomic.h>

struct aws {
    const struct clock *clock;
    char *(*environment)(const char *);
    const char *user_agent;
    struct http_client *http;
    struct aws_timer *timer;
    struct aws_provider *provider;
    atomic_bool stopping;
    _Atomic int64_t skew_s; /* what AWS's clock is ahead of ours, as far as it told us */
};

struct aws_client {
    struct aws_client_options options;
    struct aws_location location;
    struct arena arena; /* of the location */
    bool tls;
    struct sigv4_cache keys;
    atomic_int tokens;    /* for retries */
    pthread_mutex_t lock; /* guards `own`: nothing is started once it is being freed */
    struct http_client *own;
    bool closed;
};

/* Makes an HTTP client of `connections` to one host. NULL: no thread to be had. */
struct http_client *aws_http_new(const struct aws *aws, int64_t connections);

/* http_client_start with the client's own connections or the shared ones. */
enum code aws_http_start(struct aws_client *client, const struct http_client_request *request,
                         http_client_done_fn done, void *argument, struct error *err) MUST_CHECK;

/* A retry costs tokens; a success gives them back, and one more. */
bool aws_tokens_take(struct aws_client *client, int count);
void aws_tokens_give(struct aws_client *client, int count);
