/* A server with the echo services and a client of it, for one test. */
#pragma once
#include "rpc/client.h"
#include "tests/support/unit.h"
#include "tests/unit/rpc/echo_service.h"

enum {
    PAIR_MESSAGE_MAX = 4 << 20,
    PAIR_DEADLINE_MS = 60000, /* how long a test waits for what must come */
    PAIR_CALL_MS = 120000,    /* a call's deadline, where it is not to be what ends it */
};

struct pair {
    struct echo_state state;
    struct rpc_service services[ECHO_SERVICES];
    struct rpc_server_options options;
    struct rpc_server *server;
    struct rpc_client *client;
    struct arena arena;
    char target[64];
    int call_streams; /* of the client */
};

static inline struct rpc_client *pair_client(const struct pair *pair)
{
    return rpc_client_new(&(struct rpc_client_options){.target = pair->target,
                                                       .message_bytes_max = PAIR_MESSAGE_MAX,
                                                       .call_streams = pair->call_streams});
}

/* With `workers` handlers, as many quick ones, room for `queue_max` more calls, and a client with
 * call streams. */
static inline void pair_open_streams(struct pair *pair, int workers, int queue_max,
                                     int call_streams)
{
    struct error err;
    memset(pair, 0, sizeof *pair);
    pair->call_streams = call_streams;
    echo_services(&pair->state, pair->services);
    pair->options = (struct rpc_server_options){
        .address = "127.0.0.1:0",
        .services = pair->services,
        .service_count = ECHO_SERVICES,
        .descriptor_set = proto_builtin_set(),
        .workers = workers,
        .quick_workers = workers,
        .queue_max = queue_max,
        .streams_max = 4,
        .message_bytes_max = PAIR_MESSAGE_MAX,
    };
    assert_int_equal(rpc_server_start(&pair->options, &pair->server, &err), CODE_OK);
    snprintf(pair->target, sizeof pair->target, "127.0.0.1:%d", rpc_server_port(pair->server));
    pair->client = pair_client(pair);
}

static inline void pair_open(struct pair *pair, int workers, int queue_max)
{
    pair_open_streams(pair, workers, queue_max, 0);
}

static inline void pair_close(struct pair *pair)
{
    rpc_client_free(pair->client);
    if (pair->server)
        assert_true(rpc_server_drain(pair->server, PAIR_DEADLINE_MS));
    arena_clear(&pair->arena);
}

static inline struct rpc_call_options pair_call(struct str method)
{
    return (struct rpc_call_options){.method = method, .deadline_ms = PAIR_CALL_MS};
}

static inline struct str pair_request(struct pair *pair, const char *id)
{
    GET_REQUEST request = GET_REQUEST_INIT;
    request.id = (char *)(uintptr_t)id;
    return proto_encode_arena(&pair->arena, &request.base);
}

/* GetUser; *user is NULL unless it answers OK. */
static inline enum code pair_get(struct pair *pair, const char *id, USER **user, struct error *err)
{
    struct rpc_call_options options = pair_call(GET_USER);
    GET_REQUEST request = GET_REQUEST_INIT;
    void *response;
    request.id = (char *)(uintptr_t)id;
    enum code code = rpc_client_call_typed(pair->client, &options, &request.base, USER_TYPE,
                                           &pair->arena, &response, err);
    *user = response;
    return code;
}

/* Polls until `*value` is at least `wanted`; false after the deadline. */
static inline bool pair_wait(atomic_int *value, int wanted)
{
    for (int i = 0; i < PAIR_DEADLINE_MS; i++) {
        if (atomic_load(value) >= wanted)
            return true;
        echo_nap();
    }
    return false;
}
