/*
 * A client is one channel, one completion queue and one thread: the fastest set-up measured (a
 * second queue takes a quarter of the throughput away).
 *
 * Connections come back quickly: the first attempt after 100 ms, never more than 2 s apart, so that
 * a service that was restarted is found again at once and one that is gone is not hammered.
 */
#include "rpc/client.h"

#include "base/alloc.h"
#include "grpc/health/v1/health.pb-c.h"
#include "rpc/client_lanes.h"
#include "rpc/identity_core.h"
#include "rpc/status_details.h"

#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <limits.h>
#include <string.h>

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 2000,
    CONNECT_TIMEOUT_MS = 2000,
    RESOLVE_AGAIN_MS = 2000, /* a name is looked up again at most this often */
    KEEPALIVE_MS = 30 * 1000,
    KEEPALIVE_TIMEOUT_MS = 10 * 1000,
    METADATA_BYTES_MAX = 16 * 1024,
};

/* --- the channel --- */

static grpc_arg int_arg(const char *key, int value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    arg.value.integer = value;
    return arg;
}

static grpc_channel *create_channel(const struct rpc_client_options *options)
{
    int64_t max = options->message_bytes_max;
    grpc_arg args[] = {
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, max > INT_MAX ? INT_MAX : (int)max),
        int_arg(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES_MAX),
        int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
        int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS), /* that is what it sets */
        int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS),
        int_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RESOLVE_AGAIN_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0), /* silent streams are watched as well */
        int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),    /* a connection of its own */
        int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        int_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        int_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
        {.type = GRPC_ARG_STRING,
         .key = (char *)(uintptr_t)GRPC_ARG_SERVICE_CONFIG,
         .value.string = (char *)(uintptr_t)options->service_config_json},
    };
    size_t count = sizeof args / sizeof *args - !options->service_config_json;
    grpc_channel_args all = {count, args};
    grpc_channel_credentials *credentials =
        identity_channel_credentials(options->identity, options->peer);
    grpc_channel *channel = grpc_channel_create(options->target, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return channel;
}

struct rpc_client *rpc_client_new(const struct rpc_client_options *options)
{
    struct rpc_client *client = xcalloc(1, sizeof *client);
    rpc_core_acquire();
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->empty, NULL);
    client->token = identity_token_for(options->identity, options->target);
    client->channel = create_channel(options);
    rpc_queue_init(&client->queue);
    if (options->call_streams > 0) {
        client->lanes = lanes_new(client, options->call_streams, options->message_bytes_max);
        client->queue.tick = lanes_tick;
        client->queue.tick_argument = client->lanes;
    }
    rpc_queue_start(&client->queue, "rpc-client");
    return client;
}

void rpc_client_free(struct rpc_client *client)
{
    if (!client)
        return;
    if (client->lanes)
        lanes_close(client->lanes);
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    for (struct client_call *call = client->calls; call; call = call->next)
        client_call_cancel(call, NULL);
    while (client->calls)
        pthread_cond_wait(&client->empty, &client->lock);
    pthread_mutex_unlock(&client->lock);
    if (client->lanes)
        lanes_wait(client->lanes);
    grpc_channel_destroy(client->channel);
    rpc_queue_stop(&client->queue);
    lanes_free(client->lanes);
    pthread_cond_destroy(&client->empty);
    pthread_mutex_destroy(&client->lock);
    xfree(client);
    rpc_core_release();
}

/* --- what calls have in common --- */

static gpr_timespec deadline_of(int64_t deadline_ms)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(deadline_ms, GPR_TIMESPAN));
}

static bool add_metadata(struct client_call *call, struct str key, struct str value)
{
    grpc_metadata *one = &call->metadata[call->metadata_count++];
    one->key = rpc_slice_copy(key);
    one->value = rpc_slice_copy(value);
    return rpc_metadata_is_legal(key, value);
}

static bool copy_metadata(struct client_call *call, const struct rpc_call_options *options)
{
    struct str token = call->client->token;
    bool legal = true;
    if (!options->metadata_count && !token.len)
        return true;
    call->metadata = xcalloc(options->metadata_count + 1, sizeof *call->metadata);
    for (size_t i = 0; i < options->metadata_count; i++)
        legal &= add_metadata(call, options->metadata[i].key, options->metadata[i].value);
    if (token.len)
        legal &= add_metadata(call, IDENTITY_TOKEN_KEY, token);
    return legal;
}

bool client_call_refuse(struct client_call *call, grpc_status_code status, const char *text)
{
    call->status = status;
    call->status_text = grpc_slice_from_static_string(text);
    return false;
}

bool client_call_open(struct client_call *call, struct rpc_client *client,
                      const struct rpc_call_options *options)
{
    grpc_slice method = rpc_slice_copy(options->method);
    call->client = client;
    call->status = GRPC_STATUS_UNKNOWN;
    call->status_text = grpc_empty_slice();
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->call =
        grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue.cq,
                                 method, NULL, deadline_of(options->deadline_ms), NULL);
    grpc_slice_unref(method);
    bool legal = copy_metadata(call, options);
    pthread_mutex_lock(&client->lock);
    bool closing = client->closing;
    call->next = client->calls;
    if (call->next)
        call->next->previous = call;
    client->calls = call;
    pthread_mutex_unlock(&client->lock);
    if (closing)
        return client_call_refuse(call, GRPC_STATUS_CANCELLED, "the client is being closed");
    if (!legal)
        return client_call_refuse(
            call, GRPC_STATUS_INVALID_ARGUMENT,
            "the call's metadata has a key or value that gRPC does not carry");
    return true;
}

void client_call_close(struct client_call *call)
{
    struct rpc_client *client = call->client;
    grpc_slice_unref(call->status_text);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    for (size_t i = 0; i < call->metadata_count; i++) {
        grpc_slice_unref(call->metadata[i].key);
        grpc_slice_unref(call->metadata[i].value);
    }
    xfree(call->metadata);
    pthread_mutex_lock(&client->lock);
    if (call->previous)
        call->previous->next = call->next;
    else
        client->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    grpc_call_unref(call->call);
    if (!client->calls)
        pthread_cond_broadcast(&client->empty);
    pthread_mutex_unlock(&client->lock);
}

grpc_op client_op_headers(struct client_call *call, bool wait_for_ready)
{
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    op.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET |
               (wait_for_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY : 0);
    op.data.send_initial_metadata.count = call->metadata_count;
    op.data.send_initial_metadata.metadata = call->metadata;
    return op;
}

grpc_op client_op_receive_headers(struct client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    return op;
}

grpc_op client_op_status(struct client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &call->trailing;
    op.data.recv_status_on_client.status = &call->status;
    op.data.recv_status_on_client.status_details = &call->status_text;
    return op;
}

void client_call_cancel(struct client_call *call, struct rpc_tag *tag)
{
    grpc_call *core = call->call;
    atomic_store_explicit(&call->cancelled, true, memory_order_relaxed);
    if (tag)
        rpc_tag_arm(tag);
    grpc_call_cancel(core, NULL);
}

/*
 * A server of the C core that is shutting down answers a call which crosses its GOAWAY on the wire
 * with a bare CANCELLED. Nobody on this side has cancelled: the service is not there any more.
 */
static bool met_a_shutdown(const struct client_call *call)
{
    return call->status == GRPC_STATUS_CANCELLED &&
           !atomic_load_explicit(&call->cancelled, memory_order_relaxed) &&
           str_eq(rpc_slice_str(&call->status_text), STR("CANCELLED"));
}

struct rpc_result client_call_result(const struct client_call *call)
{
    int code = (int)call->status;
    if (met_a_shutdown(call))
        return (struct rpc_result){.code = CODE_UNAVAILABLE,
                                   .message = STR("the server is shutting down")};
    return (struct rpc_result){
        .code = code >= CODE_OK && code <= CODE_UNAUTHENTICATED ? (enum code)code : CODE_UNKNOWN,
        .message = rpc_slice_str(&call->status_text),
        .details = call->refusal.len
                       ? call->refusal
                       : rpc_metadata_find(&call->trailing, STR("grpc-status-details-bin")),
    };
}

enum code rpc_result_error(const struct rpc_result *result, struct error *err)
{
    error_set(err, result->code, NULL, "%.*s", STR_ARG(result->message));
    if (result->code != CODE_OK && result->details.len)
        status_details_decode(result->details, err);
    return result->code;
}

/* --- health --- */

bool rpc_client_healthy(struct rpc_client *client, const char *service, int64_t deadline_ms)
{
    const struct rpc_call_options options = {
        .method = STR("/grpc.health.v1.Health/Check"),
        .deadline_ms = deadline_ms,
    };
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    struct arena arena;
    struct error err;
    void *response;
    request.service = (char *)(uintptr_t)service;
    arena_init(&arena);
    enum code code = rpc_client_call_typed(client, &options, &request.base,
                                           &grpc__health__v1__health_check_response__descriptor,
                                           &arena, &response, &err);
    bool healthy = code == CODE_UNIMPLEMENTED; /* it answers, and that is all it says */
    if (code == CODE_OK)
        healthy = ((Grpc__Health__V1__HealthCheckResponse *)response)->status ==
                  GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    arena_clear(&arena);
    return healthy;
}
