/* What the clients of a process share, and the order in which it ends. */
#include "aws/aws_internal.h"

#include "base/alloc.h"

#include <stdlib.h>

enum { CONNECTIONS = 64, REQUESTS_MAX = 4096, TOKENS_MAX = 500 };

struct http_client *aws_http_new(const struct aws *aws, int64_t connections)
{
    return http_client_new(&(struct http_client_options){
        .user_agent = aws->user_agent,
        .ca_file = aws->environment("AWS_CA_BUNDLE"),
        .thread_name = "aws-http",
        .connections = connections,
        .connections_kept = 2 * connections,
        .requests = REQUESTS_MAX,
    });
}

enum code aws_open(const struct aws_options *options, struct aws **aws, struct error *err)
{
    struct aws *a = xcalloc(1, sizeof *a);
    int64_t connections = options->connections ? options->connections : CONNECTIONS;
    a->clock = options->clock ? options->clock : clock_real();
    a->environment = options->environment ? options->environment : getenv;
    a->user_agent = options->user_agent;
    a->http = aws_http_new(a, connections);
    a->timer = aws_timer_new();
    if (!a->http || !a->timer) {
        error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the threads for AWS");
        goto fail;
    }
    const struct aws_provider_options provider = {
        .environment = a->environment, .clock = a->clock, .http = a->http};
    if (aws_provider_open(&provider, &a->provider, err) != CODE_OK)
        goto fail;
    *aws = a;
    return CODE_OK;
fail:
    aws_free(a);
    return err->code;
}

/* Calls hop between three threads. First nobody hops to the credentials' thread or the timer's any
 * more, then the HTTP client's ends, then what they pointed to goes. */
void aws_free(struct aws *aws)
{
    if (!aws)
        return;
    atomic_store(&aws->stopping, true);
    if (aws->provider)
        aws_provider_stop(aws->provider);
    if (aws->timer)
        aws_timer_stop(aws->timer);
    http_client_free(aws->http);
    aws_timer_free(aws->timer);
    aws_provider_free(aws->provider);
    xfree(aws);
}

struct aws_client *aws_client_new(const struct aws_client_options *options)
{
    struct aws_client *client = xcalloc(1, sizeof *client);
    client->options = *options;
    client->options.attempts = options->attempts ? options->attempts : 3;
    client->options.attempt_ms = options->attempt_ms ? options->attempt_ms : 10000;
    client->options.backoff_ms = options->backoff_ms ? options->backoff_ms : 50;
    client->options.answer_bytes_max =
        options->answer_bytes_max ? options->answer_bytes_max : 17 << 20;
    client->location = *options->location;
    client->location.service = arena_str(&client->arena, options->location->service);
    client->location.name = arena_str(&client->arena, options->location->name);
    client->location.prefix = arena_str(&client->arena, options->location->prefix);
    client->location.region = arena_str(&client->arena, options->location->region);
    client->location.endpoint = arena_str(&client->arena, options->location->endpoint);
    client->location.host = arena_str(&client->arena, options->location->host);
    client->tls = str_starts(client->location.endpoint, STR("https://"));
    sigv4_cache_init(&client->keys);
    pthread_mutex_init(&client->lock, NULL);
    if (options->own_connections) {
        client->own = aws_http_new(options->aws, CONNECTIONS);
        client->closed = !client->own;
    }
    atomic_init(&client->tokens, TOKENS_MAX);
    return client;
}

void aws_client_free(struct aws_client *client)
{
    if (!client)
        return;
    aws_client_close(client);
    pthread_mutex_destroy(&client->lock);
    sigv4_cache_clear(&client->keys);
    arena_clear(&client->arena);
    xfree(client);
}

void aws_client_close(struct aws_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct http_client *own = client->own;
    client->own = NULL;
    client->closed = true;
    pthread_mutex_unlock(&client->lock);
    http_client_free(own);
}

enum code aws_http_start(struct aws_client *client, const struct http_client_request *request,
                         http_client_done_fn done, void *argument, struct error *err)
{
    struct aws *aws = client->options.aws;
    if (!client->options.own_connections)
        return http_client_start(aws->http, request, done, argument, err);
    pthread_mutex_lock(&client->lock);
    enum code code = client->closed ? error_set(err, CODE_CANCELLED, NULL, "stopping")
                                    : http_client_start(client->own, request, done, argument, err);
    pthread_mutex_unlock(&client->lock);
    return code;
}

const struct aws_location *aws_client_location(const struct aws_client *client)
{
    return &client->location;
}

/* --- the bucket of retry tokens --- */

bool aws_tokens_take(struct aws_client *client, int count)
{
    int have = atomic_load(&client->tokens);
    while (have >= count)
        if (atomic_compare_exchange_weak(&client->tokens, &have, have - count))
            return true;
    return false;
}

void aws_tokens_give(struct aws_client *client, int count)
{
    int have = atomic_load(&client->tokens), more;
    do
        more = have + count > TOKENS_MAX ? TOKENS_MAX : have + count;
    while (!atomic_compare_exchange_weak(&client->tokens, &have, more));
}
