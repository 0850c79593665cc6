/*
 * Unary calls per second from our client to our server, in one process or (with a target) to
 * another: rpc_peer, or with the id of a user (whose last digits vary) omni-user. A closed loop: so
 * many calls are always under way. No test: numbers are for people.
 *
 * With OMNI_TOKEN_FILE in the environment it is the operator by that file.
 *
 * usage: rpc_bench [CALLS_UNDER_WAY=64] [SECONDS=4] [WORKERS=1] [CALL_STREAMS=0] [TARGET [USER]]
 */
#include "base/alloc.h"
#include "rpc/client.h"
#include "tests/unit/rpc/echo_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { BUCKETS = 200000, MESSAGE_MAX = 4 << 20, DEADLINE_MS = 20000, QUEUE_MAX = 4096 };

struct bench {
    struct rpc_client *client;
    struct str method;
    atomic_bool measuring, stopping;
    atomic_int open;
    uint64_t calls, errors; /* the client's thread alone writes these */
    uint32_t *by_us;
};

struct one {
    struct bench *bench;
    struct str request;
    int64_t started_us;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void issue(struct one *one);

static void on_done(void *argument, const struct rpc_result *result)
{
    struct one *one = argument;
    struct bench *bench = one->bench;
    int64_t took_us = now_us() - one->started_us;
    if (atomic_load_explicit(&bench->measuring, memory_order_relaxed)) {
        bench->calls++;
        bench->errors += result->code != CODE_OK;
        bench->by_us[took_us < BUCKETS ? took_us : BUCKETS - 1]++;
    }
    if (atomic_load_explicit(&bench->stopping, memory_order_relaxed))
        atomic_fetch_sub(&bench->open, 1);
    else
        issue(one);
}

static void issue(struct one *one)
{
    const struct rpc_call_options options = {.method = one->bench->method,
                                             .deadline_ms = DEADLINE_MS};
    one->started_us = now_us();
    rpc_client_start(one->bench->client, &options, one->request, on_done, one, NULL);
}

static double cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int percentile_us(const struct bench *bench, double share)
{
    uint64_t seen = 0;
    for (int us = 0; us < BUCKETS; us++)
        if ((double)(seen += bench->by_us[us]) >= share * (double)bench->calls)
            return us;
    return BUCKETS;
}

static struct rpc_server *serve(struct echo_state *state, int workers)
{
    static struct rpc_service services[ECHO_SERVICES];
    struct rpc_server *server;
    struct error err;
    echo_services(state, services);
    const struct rpc_server_options options = {
        .address = "127.0.0.1:0",
        .services = services,
        .service_count = ECHO_SERVICES,
        .workers = 1,
        .quick_workers = workers,
        .queue_max = QUEUE_MAX,
        .streams_max = 1,
        .message_bytes_max = MESSAGE_MAX,
    };
    if (rpc_server_start(&options, &server, &err) != CODE_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    return server;
}

/* By the token file, or nobody. */
static struct rpc_identity *identity_of(const char *token_file)
{
    const struct rpc_identity_options options = {
        .token_file = token_file, .name = "operator", .calls = true};
    struct rpc_identity *identity;
    struct error err;
    if (!token_file || !token_file[0])
        return NULL;
    if (rpc_identity_open(&options, &identity, &err) != CODE_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    return identity;
}

/* For one of the users whose ids begin like this one's; NULL: for one that the echo knows. */
static struct str request_of(struct arena *arena, const char *user, int number)
{
    enum { DIGITS = 4 };
    GET_REQUEST request = GET_REQUEST_INIT;
    size_t length = user ? strlen(user) : 0;
    request.id = length > DIGITS ? arena_printf(arena, "%.*s%0*x", (int)(length - DIGITS), user,
                                                DIGITS, (unsigned)number & 0xffff)
                                 : (char[]){"u000007"};
    return proto_encode_arena(arena, &request.base);
}

int main(int argc, char **argv)
{
    int concurrency = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 64;
    unsigned seconds = argc > 2 ? (unsigned)strtol(argv[2], NULL, 10) : 4;
    int workers = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 1;
    int call_streams = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 0;
    struct echo_state state = {0};
    struct bench bench = {.by_us = xcalloc(BUCKETS, sizeof(uint32_t))};
    struct rpc_server *server = NULL;
    struct arena arena = {0};
    char target[64];
    if (argc > 5) {
        snprintf(target, sizeof target, "%s", argv[5]);
    } else {
        server = serve(&state, workers);
        snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(server));
    }
    bench.method = argc > 6 ? GET_USER : GET_QUICKLY;
    struct rpc_identity *identity = identity_of(getenv("OMNI_TOKEN_FILE"));
    bench.client = rpc_client_new(&(struct rpc_client_options){.target = target,
                                                               .message_bytes_max = MESSAGE_MAX,
                                                               .identity = identity,
                                                               .call_streams = call_streams});
    struct one *ones = xcalloc((size_t)concurrency, sizeof *ones);
    atomic_store(&bench.open, concurrency);
    for (int i = 0; i < concurrency; i++) {
        ones[i].bench = &bench;
        ones[i].request = request_of(&arena, argc > 6 ? argv[6] : NULL, i);
        issue(&ones[i]);
    }
    nanosleep(&(struct timespec){1, 0}, NULL);
    double cpu_before = cpu_s();
    int64_t began_us = now_us();
    atomic_store(&bench.measuring, true);
    nanosleep(&(struct timespec){seconds, 0}, NULL);
    atomic_store(&bench.measuring, false);
    double wall_s = (double)(now_us() - began_us) / 1e6, used_s = cpu_s() - cpu_before;
    atomic_store(&bench.stopping, true);
    while (atomic_load(&bench.open) > 0)
        echo_nap();
    rpc_client_free(bench.client);
    rpc_identity_free(identity);
    if (server)
        rpc_server_drain(server, 0);
    printf("%d under way, %d workers, %d call streams: %.0f calls/s, %.1f us CPU a call, p50 %d "
           "us, p99 %d us, "
           "%llu errors\n",
           concurrency, workers, call_streams, (double)bench.calls / wall_s,
           used_s * 1e6 / (double)(bench.calls ? bench.calls : 1), percentile_us(&bench, 0.5),
           percentile_us(&bench, 0.99), (unsigned long long)bench.errors);
    xfree(ones);
    xfree(bench.by_us);
    arena_clear(&arena);
    return 0;
}
