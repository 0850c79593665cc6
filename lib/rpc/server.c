/*
 * Start and end of a server.
 *
 * One completion queue with one thread moves all messages: measured on two cores, a second one
 * makes it slower. Draining goes in steps, each waiting for the one before: health says
 * NOT_SERVING; the core refuses new calls and tells clients to go (GOAWAY); calls under way end by
 * themselves or, after the grace, are cancelled; the core reports that nothing is left; threads are
 * joined. Handlers must therefore end: they have a deadline or look at rpc_call_cancelled.
 */
#include "rpc/server.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "rpc/authorise.h"
#include "rpc/callstream_server.h"
#include "rpc/health.h"
#include "rpc/identity_core.h"
#include "rpc/listen.h"
#include "rpc/reflection.h"
#include "rpc/server_call.h"
#include "rpc/server_quick.h"

#include <grpc/grpc_security.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    POSTED_PER_METHOD = 16, /* calls the core may hand over before we ask again */
    POSTED_GENERIC = 32,
    SIDE_STREAMS_MAX = 16,
    PATH_MAX_BYTES = 1024,
    METADATA_BYTES_MAX = 16 * 1024,
    PING_INTERVAL_MIN_MS = 10 * 1000, /* clients may ping this often, also without calls */
    KEEPALIVE_MS = 60 * 1000,         /* a client that is silent for so long is asked */
    KEEPALIVE_TIMEOUT_MS = 20 * 1000,
    LAST_WORDS_MS = 1000, /* for connections without calls to close by themselves */
};

/* --- the method table --- */

static void add_service(struct rpc_server *server, const struct rpc_service *service,
                        struct server_budget *budget, enum admit admit)
{
    size_t total = server->method_count + service->method_count;
    server->methods = xrealloc(server->methods, total * sizeof *server->methods);
    for (size_t i = 0; i < service->method_count; i++) {
        const struct rpc_method *method = &service->methods[i];
        struct buf path;
        buf_init(&path, PATH_MAX_BYTES);
        buf_addf(&path, "/%s/%s", service->name, method->name);
        server->methods[server->method_count++] = (struct server_method){
            .path = xstrdup(buf_cstr(&path)),
            .service = service,
            .method = method,
            .admit = admit,
            .run = method->stream  ? RUN_THREAD
                   : method->quick ? RUN_QUICK
                                   : RUN_POOL,
            .budget = method->stream ? budget : NULL,
        };
        buf_clear(&path);
    }
}

static void build_methods(struct rpc_server *server, const struct rpc_server_options *options)
{
    const struct rpc_service *reflection = reflection_services(server->reflection);
    add_service(server, health_service(server->health), NULL, ADMIT_EVERYBODY);
    server->methods[0].run = RUN_HERE;
    server->methods[1].run = RUN_WATCH;
    add_service(server, callstream_service(), NULL, ADMIT_ANY_PEER);
    server->methods[2].run = RUN_CALLS;
    server->methods[2].budget = &server->call_streams;
    for (size_t i = 0; i < REFLECTION_SERVICES; i++)
        add_service(server, &reflection[i], &server->side_streams, ADMIT_EVERYBODY);
    for (size_t i = 0; i < options->service_count; i++)
        add_service(server, &options->services[i], &server->streams, ADMIT_BY_GUARD);
    server_read_policies(server, options->descriptor_set);
}

/* --- the core's server --- */

static grpc_arg int_arg(const char *key, int value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    arg.value.integer = value;
    return arg;
}

static grpc_server *create_core(int64_t message_bytes_max)
{
    int message_max = message_bytes_max > INT_MAX ? INT_MAX : (int)message_bytes_max;
    grpc_arg args[] = {
        int_arg(GRPC_ARG_ALLOW_REUSEPORT, 0), /* a second server on the port must fail */
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, message_max),
        int_arg(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES_MAX),
        int_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MIN_MS),
        int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        int_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
    };
    grpc_channel_args all = {sizeof args / sizeof *args, args};
    return grpc_server_create(&all, NULL);
}

static enum code bind_address(struct rpc_server *server, const char *address, struct error *err)
{
    enum code code = listen_check(address, err);
    if (code != CODE_OK)
        return code;
    grpc_server_credentials *credentials = identity_server_credentials(server->identity);
    int port = grpc_server_add_http2_port(server->core, address, credentials);
    grpc_server_credentials_release(credentials);
    if (port == 0)
        return listen_explain(address, err);
    server->port = str_starts(str_of(address), STR("unix:")) ? 0 : port;
    return CODE_OK;
}

static void on_down(struct rpc_tag *tag, bool ok)
{
    struct rpc_server *server = RPC_TAG_OWNER(tag, struct rpc_server, down_tag);
    (void)ok;
    pthread_mutex_lock(&server->lock);
    server->down = true;
    pthread_cond_broadcast(&server->quiet);
    pthread_mutex_unlock(&server->lock);
}

/* --- start --- */

static struct rpc_server *server_new(const struct rpc_server_options *options)
{
    struct rpc_server *server = xcalloc(1, sizeof *server);
    pthread_condattr_t monotonic;
    rpc_core_acquire();
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->quiet, &monotonic);
    pthread_condattr_destroy(&monotonic);
    server->down_tag.run = on_down;
    server->identity = options->identity;
    server->guard = options->guard;
    server->streams.max = options->streams_max;
    server->side_streams.max = SIDE_STREAMS_MAX;
    server->call_streams.max = CALLSTREAM_STREAMS_MAX;
    server->health = health_new(options->services, options->service_count);
    server->reflection =
        reflection_new(options->descriptor_set, options->services, options->service_count);
    build_methods(server, options);
    server->core = create_core(options->message_bytes_max);
    rpc_queue_init(&server->queue);
    grpc_server_register_completion_queue(server->core, server->queue.cq, NULL);
    server->queue.tick = callstream_server_tick;
    server->queue.tick_argument = server;
    rpc_queue_start(&server->queue, "rpc-server");
    return server;
}

/* The core is shut down and no call is left. */
static void server_free(struct rpc_server *server)
{
    rpc_queue_stop(&server->queue); /* its thread ticks, and looks at the line */
    worker_pool_free(server->pool);
    quick_line_free(server->quick);
    grpc_server_destroy(server->core);
    health_free(server->health);
    reflection_free(server->reflection);
    for (size_t i = 0; i < server->method_count; i++)
        xfree(server->methods[i].path);
    xfree(server->methods);
    arena_clear(&server->arena);
    pthread_cond_destroy(&server->quiet);
    pthread_mutex_destroy(&server->lock);
    xfree(server);
    rpc_core_release();
}

static void register_methods(struct rpc_server *server)
{
    for (size_t i = 0; i < server->method_count; i++) {
        struct server_method *method = &server->methods[i];
        if (method->run == RUN_POOL || method->run == RUN_QUICK || method->run == RUN_HERE)
            method->registered = grpc_server_register_method(
                server->core, method->path, NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    }
}

static void post_all(struct rpc_server *server)
{
    for (size_t i = 0; i < server->method_count; i++)
        for (int k = 0; server->methods[i].registered && k < POSTED_PER_METHOD; k++)
            server_post(server, &server->methods[i]);
    for (int k = 0; k < POSTED_GENERIC; k++)
        server_post(server, NULL);
}

enum code rpc_server_start(const struct rpc_server_options *options, struct rpc_server **into,
                           struct error *err)
{
    struct rpc_server *server = server_new(options);
    if (options->identity && !rpc_identity_knows_peers(options->identity))
        log_warn("peers_unknown", LOG_C("setting", "--token-file, --peer-ca with --peer-names"),
                 LOG_C("meaning", "nobody can prove who he is: every call is refused"));
    enum code code = bind_address(server, options->address, err);
    if (code != CODE_OK) {
        rpc_server_drain(server, 0);
        return code;
    }
    server->pool =
        worker_pool_new("rpc-worker", (size_t)options->workers, (size_t)options->queue_max);
    if (options->quick_workers > 0)
        server->quick = quick_line_new(options->quick_workers, options->queue_max);
    register_methods(server);
    grpc_server_start(server->core);
    post_all(server);
    *into = server;
    return CODE_OK;
}

int rpc_server_port(const struct rpc_server *server)
{
    return server->port;
}

void rpc_server_set_serving(struct rpc_server *server, const char *service, bool serving)
{
    health_set(server->health, service, serving);
}

/* --- drain --- */

/* Until `*done` or the time is over; the lock is held. */
static void wait_until(struct rpc_server *server, int64_t until_ms,
                       bool (*done)(struct rpc_server *))
{
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    while (!done(server))
        if (pthread_cond_timedwait(&server->quiet, &server->lock, &until) != 0)
            return;
}

static bool is_down(struct rpc_server *server)
{
    return server->down;
}

static bool is_quiet(struct rpc_server *server)
{
    return server->down || server->active == 0;
}

bool rpc_server_drain(struct rpc_server *server, int64_t grace_ms)
{
    int64_t now_ms = clock_mono_ms(clock_real());
    health_close(server->health);
    grpc_server_shutdown_and_notify(server->core, server->queue.cq, rpc_tag_arm(&server->down_tag));
    callstream_server_drain(server);
    pthread_mutex_lock(&server->lock);
    wait_until(server, now_ms + grace_ms, is_quiet);
    bool clean = is_quiet(server);
    if (clean)
        wait_until(server, clock_mono_ms(clock_real()) + LAST_WORDS_MS, is_down);
    pthread_mutex_unlock(&server->lock);
    grpc_server_cancel_all_calls(server->core);
    pthread_mutex_lock(&server->lock);
    while (!server->down || server->active > 0)
        pthread_cond_wait(&server->quiet, &server->lock);
    pthread_mutex_unlock(&server->lock);
    server_free(server);
    return clean;
}
