/* Unary calls from our client to our server: answers, errors, facts about the call, limits. */
#include "tests/unit/rpc/async.h"

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

static void answers(void **state)
{
    USER *user;
    struct error err;
    assert_int_equal(pair_get(*state, "u1", &user, &err), CODE_OK);
    assert_string_equal(user->id, "u1");
}

static void carries_errors(void **state)
{
    static const struct {
        const char *id;
        enum code code;
        const char *text, *reason;
        unsigned retry_after_ms, field_count;
    } cases[] = {
        {"missing", CODE_NOT_FOUND, "there is no user missing", "USER_NOT_FOUND", 0, 0},
        {"fields", CODE_INVALID_ARGUMENT, "user.email: is no address", "INVALID_FIELD", 0, 2},
        {"busy", CODE_RESOURCE_EXHAUSTED, "come back later", "BUSY", 1500, 0},
        {"internal", CODE_INTERNAL, "a wheel came off", "", 0, 0},
        {"bad-code", CODE_ABORTED, "said one code, returned another", "MIXED", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        USER *user;
        struct error err;
        assert_int_equal(pair_get(*state, cases[i].id, &user, &err), cases[i].code);
        assert_null(user);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.text, cases[i].text);
        assert_string_equal(err.reason, cases[i].reason);
        assert_int_equal(err.retry_after_ms, cases[i].retry_after_ms);
        assert_int_equal(err.field_count, cases[i].field_count);
    }
}

static void carries_field_violations(void **state)
{
    USER *user;
    struct error err;
    assert_int_equal(pair_get(*state, "fields", &user, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "user.email");
    assert_string_equal(err.fields[0].text, "is no address");
    assert_string_equal(err.fields[1].path, "user.display_name");
    assert_string_equal(err.fields[1].text, "is empty: \xe2\x82\xac");
}

static const char *label_of(const USER *user, const char *key)
{
    for (size_t i = 0; i < user->n_labels; i++)
        if (strcmp(user->labels[i]->key, key) == 0)
            return user->labels[i]->value;
    return NULL;
}

static void tells_handlers_about_the_call(void **state)
{
    struct pair *pair = *state;
    static const struct rpc_metadata metadata[] = {
        {{"x-in", 4}, {"hello", 5}},
        {{"x-in-bin", 8}, {"raw", 3}},
        {{"traceparent", 11}, {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55}},
    };
    struct rpc_call_options options = pair_call(GET_USER);
    struct str bytes;
    struct error err;
    options.metadata = metadata;
    options.metadata_count = 3;
    assert_int_equal(rpc_client_call(pair->client, &options, pair_request(pair, "facts"),
                                     &pair->arena, &bytes, &err),
                     CODE_OK);
    USER *user = proto_decode(&pair->arena, USER_TYPE, bytes);
    assert_string_equal(label_of(user, "x-in"), "hello");
    assert_string_equal(label_of(user, "x-in-bin"), "raw");
    assert_string_equal(label_of(user, "trace"), "0af7651916cd43dd8448eb211c80319c");
    assert_true(str_starts(str_of(label_of(user, "peer")), STR("ipv4:127.0.0.1:")));
    int64_t left_ms = 0;
    assert_true(str_to_i64(str_of(label_of(user, "left-ms")), &left_ms));
    assert_in_range(left_ms, 1, PAIR_CALL_MS * 11 / 10);
}

static enum code call_raw(struct pair *pair, struct str method, struct str request,
                          struct error *err)
{
    struct rpc_call_options options = pair_call(method);
    struct str response;
    return rpc_client_call(pair->client, &options, request, &pair->arena, &response, err);
}

static void refuses_what_is_no_request(void **state)
{
    struct error err;
    assert_int_equal(call_raw(*state, GET_USER, STR("\x0a\x7f"), &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "MALFORMED_REQUEST");
    assert_int_equal(call_raw(*state, GET_USER, STR("\x0a\x02\xc3\x28"), &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "id");
    assert_string_equal(err.fields[0].text, "is not valid UTF-8");
    assert_int_equal(call_raw(*state, GET_USER,
                              STR("\x0a\x03"
                                  "a\0b"),
                              &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "id");
    assert_string_equal(err.fields[0].text, "holds a NUL character");
}

static void refuses_unknown_methods(void **state)
{
    static const char *const methods[] = {"/omnidata.user.v1.UserService/Nothing", "/nobody/Get",
                                          "/omnidata.user.v1.UserService/GetUser/", "/"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct error err;
        assert_int_equal(call_raw(*state, str_of(methods[i]), STR(""), &err), CODE_UNIMPLEMENTED);
    }
}

static void refuses_metadata_that_cannot_be_sent(void **state)
{
    struct pair *pair = *state;
    static const struct rpc_metadata bad[] = {{{"UPPER", 5}, {"x", 1}}, {{"low", 3}, {"\n", 1}}};
    for (size_t i = 0; i < 2; i++) {
        struct rpc_call_options options = pair_call(GET_USER);
        struct str response;
        struct error err;
        options.metadata = &bad[i];
        options.metadata_count = 1;
        assert_int_equal(rpc_client_call(pair->client, &options, pair_request(pair, "u1"),
                                         &pair->arena, &response, &err),
                         CODE_INVALID_ARGUMENT);
    }
}

static void notices_a_response_of_another_type(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    GET_REQUEST request = GET_REQUEST_INIT;
    struct error err;
    void *response;
    request.id = (char[]){"u1"};
    assert_int_equal(rpc_client_call_typed(pair->client, &options, &request.base,
                                           &omnidata__user__v1__update_user_request__descriptor,
                                           &pair->arena, &response, &err),
                     CODE_INTERNAL);
    assert_null(response);
    assert_string_equal(err.reason, "MALFORMED_RESPONSE");
}

static void carries_messages_up_to_the_limit(void **state)
{
    struct pair *pair = *state;
    USER *user;
    struct error err;
    char *id = arena_alloc(&pair->arena, PAIR_MESSAGE_MAX + 1);
    memset(id, 'y', PAIR_MESSAGE_MAX);
    id[PAIR_MESSAGE_MAX] = '\0';
    assert_int_equal(pair_get(pair, id, &user, &err), CODE_RESOURCE_EXHAUSTED);
    id[PAIR_MESSAGE_MAX - 16] = '\0';
    assert_int_equal(pair_get(pair, id, &user, &err), CODE_OK);
    assert_int_equal(strlen(user->id), PAIR_MESSAGE_MAX - 16);
    assert_int_equal(pair_get(pair, "size:4194000", &user, &err), CODE_OK);
    assert_int_equal(strlen(user->display_name), 4194000);
    assert_int_equal(pair_get(pair, "size:4194304", &user, &err), CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(pair_get(pair, "u1", &user, &err), CODE_OK);
}

static void ends_with_the_deadline(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct str response;
    struct error err;
    options.deadline_ms = 50;
    assert_int_equal(rpc_client_call(pair->client, &options, pair_request(pair, "slow:120000"),
                                     &pair->arena, &response, &err),
                     CODE_DEADLINE_EXCEEDED);
    if (atomic_load(&pair->state.running)) /* unless the deadline passed before it got there */
        assert_true(pair_wait(&pair->state.cancelled, 1));
}

static void can_be_cancelled(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct rpc_pending *pending;
    struct async async;
    async_init(&async);
    rpc_client_start(pair->client, &options, pair_request(pair, "slow:120000"), async_done, &async,
                     &pending);
    assert_true(pair_wait(&pair->state.running, 1));
    rpc_pending_cancel(pending);
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.err.code, CODE_CANCELLED);
    assert_true(pair_wait(&pair->state.cancelled, 1));
    async_clear(&async);
}

static void completes_each_of_many_calls_once(void **state)
{
    enum { CALLS = 300 };
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async[CALLS];
    for (int i = 0; i < CALLS; i++) {
        async_init(&async[i]);
        rpc_client_start(pair->client, &options, pair_request(pair, "u7"), async_done, &async[i],
                         NULL);
    }
    for (int i = 0; i < CALLS; i++)
        async_wait(&async[i], &async[i].done, 1);
    rpc_client_free(pair->client);
    pair->client = NULL;
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(async[i].done, 1);
        if (async[i].err.code == CODE_OK)
            assert_string_equal(async[i].last_id, "u7");
        else
            assert_string_equal(async[i].err.reason, "OVERLOADED");
        async_clear(&async[i]);
    }
}

static void refuses_at_once_when_full(void **state)
{
    enum { CALLS = 10 }; /* two workers and a queue of eight */
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct rpc_pending *pending[CALLS];
    struct async async[CALLS];
    struct error err;
    USER *user;
    for (int i = 0; i < CALLS; i++) {
        async_init(&async[i]);
        rpc_client_start(pair->client, &options, pair_request(pair, "slow:120000"), async_done,
                         &async[i], &pending[i]);
        if (i < 2)
            assert_true(pair_wait(&pair->state.running, i + 1));
    }
    assert_int_equal(pair_get(pair, "u1", &user, &err), CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "OVERLOADED");
    assert_int_equal(err.retry_after_ms, 1000);
    assert_true(rpc_client_healthy(pair->client, "", PAIR_DEADLINE_MS)); /* alive all the same */
    for (int i = CALLS - 1; i >= 0; i--) { /* those that wait before those that run */
        if (i == 1)
            assert_true(rpc_client_healthy(pair->client, "", PAIR_DEADLINE_MS)); /* it has heard */
        rpc_pending_cancel(pending[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        async_wait(&async[i], &async[i].done, 1);
        async_clear(&async[i]);
    }
    while (pair_get(pair, "u1", &user, &err) == CODE_RESOURCE_EXHAUSTED)
        echo_nap(); /* the cancelled ones leave the queue */
    assert_string_equal(user->id, "u1");
    assert_int_equal(atomic_load(&pair->state.running), 2); /* what waited was never begun */
}

static void quick_methods_have_threads_of_their_own(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER), quick = pair_call(GET_QUICKLY);
    struct rpc_pending *pending[2];
    struct async async[2];
    struct str response;
    struct error err;
    for (int i = 0; i < 2; i++) { /* all workers there are */
        async_init(&async[i]);
        rpc_client_start(pair->client, &options, pair_request(pair, "slow:120000"), async_done,
                         &async[i], &pending[i]);
        assert_true(pair_wait(&pair->state.running, i + 1));
    }
    quick.deadline_ms = PAIR_DEADLINE_MS;
    assert_int_equal(rpc_client_call(pair->client, &quick, pair_request(pair, "u1"), &pair->arena,
                                     &response, &err),
                     CODE_OK);
    for (int i = 0; i < 2; i++) {
        rpc_pending_cancel(pending[i]);
        async_wait(&async[i], &async[i].done, 1);
        async_clear(&async[i]);
    }
}

static void freeing_the_client_ends_its_calls(void **state)
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
    async_wait(&stream, &stream.messages, 1);
    rpc_client_free(pair->client);
    pair->client = NULL;
    assert_int_equal(unary.done, 1);
    assert_int_equal(unary.err.code, CODE_CANCELLED);
    assert_int_equal(stream.done, 1);
    assert_int_equal(stream.err.code, CODE_CANCELLED);
    async_clear(&unary);
    async_clear(&stream);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers),
        TEST(carries_errors),
        TEST(carries_field_violations),
        TEST(tells_handlers_about_the_call),
        TEST(refuses_what_is_no_request),
        TEST(refuses_unknown_methods),
        TEST(refuses_metadata_that_cannot_be_sent),
        TEST(notices_a_response_of_another_type),
        TEST(carries_messages_up_to_the_limit),
        TEST(ends_with_the_deadline),
        TEST(can_be_cancelled),
        TEST(completes_each_of_many_calls_once),
        TEST(refuses_at_once_when_full),
        TEST(quick_methods_have_threads_of_their_own),
        TEST(freeing_the_client_ends_its_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
