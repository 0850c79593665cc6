/* A server's start and end: addresses, draining, and a client that outlives its server. */
#include "tests/unit/rpc/async.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int setup(void **state)
{
    struct pair *pair = *state = test_malloc(sizeof *pair);
    pair_open(pair, 2, 8);
    return 0;
}

static int teardown(void **state)
{
    pair_close(*state);
    test_free(*state);
    return 0;
}

/* A second server of the same kind on an address; the error when it cannot have it. */
static enum code start_on(struct pair *pair, const char *address, struct rpc_server **server,
                          struct error *err)
{
    struct rpc_server_options options = pair->options;
    options.address = address;
    return rpc_server_start(&options, server, err);
}

static void names_an_address_that_is_taken(void **state)
{
    struct pair *pair = *state;
    struct rpc_server *server;
    struct error err;
    USER *user;
    char wanted[128];
    assert_int_equal(start_on(pair, pair->target, &server, &err), CODE_FAILED_PRECONDITION);
    snprintf(wanted, sizeof wanted, "cannot listen on %s: Address already in use", pair->target);
    assert_string_equal(err.text, wanted);
    assert_string_equal(err.reason, "ADDRESS_UNAVAILABLE");
    assert_int_equal(pair_get(pair, "u1", &user, &err), CODE_OK);
}

static void explains_addresses_that_are_none(void **state)
{
    static const struct {
        const char *address, *text;
    } cases[] = {
        {"127.0.0.1", "cannot listen on 127.0.0.1: the address has no port"},
        {"127.0.0.1:", "cannot listen on 127.0.0.1:: the address has no port"},
        {"[::1]", "cannot listen on [::1]: the address has no port"},
        {"192.0.2.1:0", "cannot listen on 192.0.2.1:0: Cannot assign requested address"},
        {"unix:/nowhere/at/all.sock",
         "cannot listen on unix:/nowhere/at/all.sock: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rpc_server *server;
        struct error err;
        assert_int_equal(start_on(*state, cases[i].address, &server, &err),
                         CODE_FAILED_PRECONDITION);
        assert_string_equal(err.text, cases[i].text);
    }
}

/* A socket file that a server which died left behind. */
static void leave_stale_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void serves_on_a_unix_socket(void **state)
{
    struct pair *pair = *state;
    char folder[] = "/tmp/omni-rpc-XXXXXX", path[64], address[80];
    struct rpc_server *server, *second;
    struct error err;
    USER *user;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(address, sizeof address, "unix:%s", path);
    leave_stale_socket(path);
    assert_int_equal(start_on(pair, address, &server, &err), CODE_OK);
    assert_int_equal(rpc_server_port(server), 0);
    assert_int_equal(start_on(pair, address, &second, &err), CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "another server is listening there"));
    rpc_client_free(pair->client);
    pair->client = rpc_client_new(
        &(struct rpc_client_options){.target = address, .message_bytes_max = PAIR_MESSAGE_MAX});
    assert_int_equal(pair_get(pair, "u1", &user, &err), CODE_OK);
    assert_true(rpc_server_drain(server, PAIR_DEADLINE_MS));
    unlink(path);
    rmdir(folder);
}

static void draining_lets_calls_finish(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async;
    async_init(&async);
    rpc_client_start(pair->client, &options, pair_request(pair, "slow:200"), async_done, &async,
                     NULL);
    assert_true(pair_wait(&pair->state.running, 1));
    assert_true(rpc_server_drain(pair->server, PAIR_DEADLINE_MS));
    pair->server = NULL;
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.err.code, CODE_OK);
    assert_int_equal(atomic_load(&pair->state.cancelled), 0);
    async_clear(&async);
}

static void draining_cancels_what_is_left(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct rpc_call_options hold = pair_call(STR("/test.v1.Streams/Hold"));
    struct async unary, stream;
    async_init(&unary);
    async_init(&stream);
    rpc_client_start(pair->client, &options, pair_request(pair, "slow:120000"), async_done, &unary,
                     NULL);
    rpc_client_open(pair->client, &hold, pair_request(pair, ""), &ASYNC_EVENTS, &stream);
    assert_true(pair_wait(&pair->state.running, 2));
    assert_false(rpc_server_drain(pair->server, 50));
    pair->server = NULL;
    assert_int_equal(atomic_load(&pair->state.cancelled), 2);
    async_wait(&unary, &unary.done, 1);
    async_wait(&stream, &stream.done, 1);
    assert_int_not_equal(unary.err.code, CODE_OK);
    assert_int_not_equal(stream.err.code, CODE_OK);
    async_clear(&unary);
    async_clear(&stream);
}

struct draining {
    struct rpc_server *server;
    atomic_int done;
};

static void *drain(void *argument)
{
    struct draining *draining = argument;
    rpc_server_drain(draining->server, PAIR_DEADLINE_MS);
    atomic_store(&draining->done, 1);
    return NULL;
}

static void draining_refuses_new_calls_and_tells_watchers(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options watch_options = pair_call(STR("/grpc.health.v1.Health/Watch"));
    struct rpc_call_options options = pair_call(GET_USER);
    struct draining draining = {.server = pair->server};
    struct async watch, slow;
    struct rpc_pending *pending;
    struct error err;
    USER *user;
    pthread_t thread;
    async_init(&watch);
    async_init(&slow);
    rpc_client_open(pair->client, &watch_options, STR(""), &ASYNC_EVENTS, &watch);
    async_wait(&watch, &watch.messages, 1);
    rpc_client_start(pair->client, &options, pair_request(pair, "slow:120000"), async_done, &slow,
                     &pending);
    assert_true(pair_wait(&pair->state.running, 1));
    pair->server = NULL;
    pthread_create(&thread, NULL, drain, &draining);
    async_wait(&watch, &watch.done, 1);
    assert_int_equal(watch.messages, 2); /* SERVING, NOT_SERVING, */
    assert_int_equal(watch.err.code, CODE_UNAVAILABLE);
    while (pair_get(pair, "u1", &user, &err) == CODE_OK)
        echo_nap(); /* health says it first */
    assert_int_equal(err.code, CODE_UNAVAILABLE);
    assert_int_equal(atomic_load(&draining.done), 0);
    rpc_pending_cancel(pending);
    pthread_join(thread, NULL);
    async_wait(&slow, &slow.done, 1);
    async_clear(&watch);
    async_clear(&slow);
}

static void a_client_finds_its_server_again(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct str response;
    struct error err;
    USER *user;
    assert_int_equal(pair_get(pair, "u1", &user, &err), CODE_OK);
    for (int round = 0; round < 3; round++) {
        assert_true(rpc_server_drain(pair->server, PAIR_DEADLINE_MS));
        assert_int_equal(pair_get(pair, "u1", &user, &err), CODE_UNAVAILABLE);
        assert_false(rpc_client_healthy(pair->client, "", PAIR_DEADLINE_MS));
        assert_int_equal(start_on(pair, pair->target, &pair->server, &err), CODE_OK);
        options.wait_for_ready = true;
        assert_int_equal(rpc_client_call(pair->client, &options, pair_request(pair, "u2"),
                                         &pair->arena, &response, &err),
                         CODE_OK);
        assert_true(rpc_client_healthy(pair->client, "", PAIR_DEADLINE_MS));
    }
}

static void waiting_for_a_server_ends_with_the_deadline(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct str response;
    struct error err;
    assert_true(rpc_server_drain(pair->server, PAIR_DEADLINE_MS));
    pair->server = NULL;
    options.wait_for_ready = true;
    options.deadline_ms = 100;
    assert_int_equal(rpc_client_call(pair->client, &options, pair_request(pair, "u2"), &pair->arena,
                                     &response, &err),
                     CODE_DEADLINE_EXCEEDED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_an_address_that_is_taken),  TEST(explains_addresses_that_are_none),
        TEST(serves_on_a_unix_socket),         TEST(draining_lets_calls_finish),
        TEST(draining_cancels_what_is_left),   TEST(draining_refuses_new_calls_and_tells_watchers),
        TEST(a_client_finds_its_server_again), TEST(waiting_for_a_server_ends_with_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
