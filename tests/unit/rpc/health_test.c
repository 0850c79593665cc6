/* grpc.health.v1: Check and Watch. */
#include "grpc/health/v1/health.pb-c.h"
#include "tests/unit/rpc/pair.h"

#define REQUEST Grpc__Health__V1__HealthCheckRequest
#define RESPONSE Grpc__Health__V1__HealthCheckResponse
#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

#define USERS "omnidata.user.v1.UserService"

static int setup(void **state)
{
    struct pair *pair = *state = test_malloc(sizeof *pair);
    pair_open(pair, 1, 4);
    return 0;
}

static int teardown(void **state)
{
    pair_close(*state);
    test_free(*state);
    return 0;
}

static struct str request_for(struct pair *pair, const char *service)
{
    REQUEST request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    return proto_encode_arena(&pair->arena, &request.base);
}

/* The status that Check answers, or minus the error's code. */
static int check(struct pair *pair, const char *service)
{
    struct rpc_call_options options = pair_call(STR("/grpc.health.v1.Health/Check"));
    struct str bytes;
    struct error err;
    enum code code = rpc_client_call(pair->client, &options, request_for(pair, service),
                                     &pair->arena, &bytes, &err);
    if (code != CODE_OK)
        return -(int)code;
    RESPONSE *response =
        proto_decode(&pair->arena, &grpc__health__v1__health_check_response__descriptor, bytes);
    return (int)response->status;
}

static void answers_for_each_service(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(check(pair, ""), STATUS(SERVING));
    assert_int_equal(check(pair, USERS), STATUS(SERVING));
    assert_int_equal(check(pair, "nobody"), -(int)CODE_NOT_FOUND);
    rpc_server_set_serving(pair->server, USERS, false);
    assert_int_equal(check(pair, USERS), STATUS(NOT_SERVING));
    assert_int_equal(check(pair, ""), STATUS(SERVING));
    rpc_server_set_serving(pair->server, "nobody", true);
    assert_int_equal(check(pair, "nobody"), STATUS(SERVING));
}

static void the_client_asks(void **state)
{
    struct pair *pair = *state;
    assert_true(rpc_client_healthy(pair->client, "", PAIR_DEADLINE_MS));
    assert_true(rpc_client_healthy(pair->client, USERS, PAIR_DEADLINE_MS));
    assert_false(rpc_client_healthy(pair->client, "nobody", PAIR_DEADLINE_MS));
    rpc_server_set_serving(pair->server, USERS, false);
    assert_false(rpc_client_healthy(pair->client, USERS, PAIR_DEADLINE_MS));
}

static struct rpc_blocking_stream *watch(struct pair *pair, const char *service)
{
    struct rpc_call_options options = pair_call(STR("/grpc.health.v1.Health/Watch"));
    struct rpc_blocking_stream *stream = rpc_stream_new(pair->client, &options);
    assert_true(rpc_stream_send(stream, request_for(pair, service)));
    assert_true(rpc_stream_send_end(stream));
    return stream;
}

static int next(struct pair *pair, struct rpc_blocking_stream *stream)
{
    struct str bytes;
    if (!rpc_stream_receive(stream, &pair->arena, &bytes))
        return -1;
    RESPONSE *response =
        proto_decode(&pair->arena, &grpc__health__v1__health_check_response__descriptor, bytes);
    return (int)response->status;
}

static void watchers_are_told_of_changes(void **state)
{
    struct pair *pair = *state;
    struct error err;
    struct rpc_blocking_stream *users = watch(pair, USERS), *all = watch(pair, "");
    assert_int_equal(next(pair, users), STATUS(SERVING));
    assert_int_equal(next(pair, all), STATUS(SERVING));
    rpc_server_set_serving(pair->server, USERS, true); /* no change, no message */
    rpc_server_set_serving(pair->server, USERS, false);
    assert_int_equal(next(pair, users), STATUS(NOT_SERVING));
    rpc_server_set_serving(pair->server, USERS, true);
    rpc_server_set_serving(pair->server, "", false);
    assert_int_equal(next(pair, users), STATUS(SERVING));
    assert_int_equal(next(pair, all), STATUS(NOT_SERVING));
    assert_int_equal(rpc_stream_finish(users, &err), CODE_CANCELLED);
    assert_int_equal(rpc_stream_finish(all, &err), CODE_CANCELLED);
}

static void an_unknown_service_may_become_known(void **state)
{
    struct pair *pair = *state;
    struct error err;
    struct rpc_blocking_stream *stream = watch(pair, "later");
    assert_int_equal(next(pair, stream), STATUS(SERVICE_UNKNOWN));
    rpc_server_set_serving(pair->server, "later", true);
    assert_int_equal(next(pair, stream), STATUS(SERVING));
    assert_int_equal(rpc_stream_finish(stream, &err), CODE_CANCELLED);
}

static void many_may_watch(void **state)
{
    enum { WATCHERS = 50 };
    struct pair *pair = *state;
    struct rpc_blocking_stream *streams[WATCHERS];
    struct error err;
    for (int i = 0; i < WATCHERS; i++) {
        streams[i] = watch(pair, USERS);
        assert_int_equal(next(pair, streams[i]), STATUS(SERVING));
    }
    rpc_server_set_serving(pair->server, USERS, false);
    for (int i = 0; i < WATCHERS; i++)
        assert_int_equal(next(pair, streams[i]), STATUS(NOT_SERVING));
    for (int i = 0; i < WATCHERS; i++)
        assert_int_equal(rpc_stream_finish(streams[i], &err), CODE_CANCELLED);
}

enum { WATCHERS_MAX = 1000 };

static void watchers_that_go_make_room(void **state)
{
    struct pair *pair = *state;
    struct error err;
    for (int i = 0; i < WATCHERS_MAX + 100; i++) {
        struct rpc_blocking_stream *stream = watch(pair, USERS);
        assert_int_equal(next(pair, stream), STATUS(SERVING));
        assert_int_equal(rpc_stream_finish(stream, &err), CODE_CANCELLED);
    }
}

static void watchers_are_bounded(void **state)
{
    struct pair *pair = *state;
    struct rpc_blocking_stream *streams[WATCHERS_MAX];
    struct error err;
    for (int i = 0; i < WATCHERS_MAX; i++)
        streams[i] = watch(pair, "");
    for (int i = 0; i < WATCHERS_MAX; i++)
        assert_int_equal(next(pair, streams[i]), STATUS(SERVING));
    struct rpc_call_options options = pair_call(STR("/grpc.health.v1.Health/Watch"));
    struct rpc_blocking_stream *extra = rpc_stream_new(pair->client, &options);
    rpc_stream_send(extra, request_for(pair, "")); /* may come after the refusal */
    assert_int_equal(next(pair, extra), -1);
    assert_int_equal(rpc_stream_finish(extra, &err), CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(check(pair, ""), STATUS(SERVING)); /* Check does not care */
    for (int i = 0; i < WATCHERS_MAX; i++)
        assert_int_equal(rpc_stream_finish(streams[i], &err), CODE_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_for_each_service),
        TEST(the_client_asks),
        TEST(watchers_are_told_of_changes),
        TEST(an_unknown_service_may_become_known),
        TEST(many_may_watch),
        TEST(watchers_that_go_make_room),
        TEST(watchers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
