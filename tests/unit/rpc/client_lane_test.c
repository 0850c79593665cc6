/* Calls of our client over call streams to our server. That they do travel on a stream shows in
 * what only a stream can carry: more metadata than the core takes for a call of its own. */
#include "tests/unit/rpc/async.h"

enum { STREAMS = 2, LANE_CALLS = 2048 /* of a stream, that may be under way */ };

static void start(struct pair *pair, const struct rpc_call_options *options, const char *id,
                  struct async *async, struct rpc_pending **pending)
{
    async_init(async);
    rpc_client_start(pair->client, options, pair_request(pair, id), async_done, async, pending);
}

/* Starts and waits; the outcome is in *async. */
static enum code get(struct pair *pair, const struct rpc_call_options *options, const char *id,
                     struct async *async)
{
    start(pair, options, id, async, NULL);
    async_wait(async, &async->done, 1);
    async_clear(async);
    return async->err.code;
}

/* Until as many streams are open. */
static void open_streams(struct pair *pair, int count)
{
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async;
    for (int i = 0; rpc_client_streams_open(pair->client) < count; i++) {
        assert_true(i < PAIR_DEADLINE_MS);
        (void)get(pair, &options, "u1", &async);
        echo_nap();
    }
}

static int setup_with(void **state, int workers, int queue_max)
{
    struct pair *pair = *state = test_malloc(sizeof *pair);
    pair_open_streams(pair, workers, queue_max, STREAMS);
    open_streams(pair, STREAMS);
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 2, 8);
}

static int setup_wide(void **state)
{
    return setup_with(state, 2, 2 * STREAMS * LANE_CALLS);
}

static int teardown(void **state)
{
    pair_close(*state);
    test_free(*state);
    return 0;
}

static void answers(void **state)
{
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async;
    assert_int_equal(get(*state, &options, "u1", &async), CODE_OK);
    assert_string_equal(async.last_id, "u1");
    assert_int_equal(get(*state, &options, "missing", &async), CODE_NOT_FOUND);
    assert_string_equal(async.err.text, "there is no user missing");
    assert_string_equal(async.err.reason, "USER_NOT_FOUND");
    assert_int_equal(get(*state, &options, "fields", &async), CODE_INVALID_ARGUMENT);
    assert_int_equal(async.err.field_count, 2);
    assert_int_equal(get(*state, &options, "busy", &async), CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(async.err.retry_after_ms, 1500);
}

struct facts {
    struct async async;
    char trace[64], in[64], in_bin[64], peer[64];
    int64_t left_ms;
};

static void take_label(const USER *user, const char *key, char *to, size_t size)
{
    for (size_t i = 0; i < user->n_labels; i++)
        if (strcmp(user->labels[i]->key, key) == 0)
            snprintf(to, size, "%s", user->labels[i]->value);
}

static void on_facts(void *argument, const struct rpc_result *result)
{
    struct facts *facts = argument;
    struct arena arena = {0};
    char left[32] = "";
    USER *user = proto_decode(&arena, USER_TYPE, result->response);
    take_label(user, "trace", facts->trace, sizeof facts->trace);
    take_label(user, "x-in", facts->in, sizeof facts->in);
    take_label(user, "x-in-bin", facts->in_bin, sizeof facts->in_bin);
    take_label(user, "peer", facts->peer, sizeof facts->peer);
    take_label(user, "left-ms", left, sizeof left);
    str_to_i64(str_of(left), &facts->left_ms);
    arena_clear(&arena);
    async_done(&facts->async, result);
}

static void tells_handlers_about_the_call(void **state)
{
    enum { MUCH = 20000 };
    struct pair *pair = *state;
    char *much = arena_alloc(&pair->arena, MUCH);
    memset(much, 'm', MUCH);
    const struct rpc_metadata metadata[] = {
        {STR("x-in"), STR("hello")},
        {STR("x-in-bin"), STR("raw")},
        {STR("traceparent"), STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
        {STR("x-much"), {much, MUCH}},
    };
    struct rpc_call_options options = pair_call(GET_USER);
    struct facts facts = {0};
    options.metadata = metadata;
    options.metadata_count = sizeof metadata / sizeof *metadata;
    async_init(&facts.async);
    rpc_client_start(pair->client, &options, pair_request(pair, "facts"), on_facts, &facts, NULL);
    async_wait(&facts.async, &facts.async.done, 1);
    async_clear(&facts.async);
    assert_int_equal(facts.async.err.code, CODE_OK);
    assert_string_equal(facts.in, "hello");
    assert_string_equal(facts.in_bin, "raw");
    assert_string_equal(facts.trace, "0af7651916cd43dd8448eb211c80319c");
    assert_true(str_starts(str_of(facts.peer), STR("ipv4:127.0.0.1:")));
    assert_in_range(facts.left_ms, 1, PAIR_CALL_MS + 1);
}

static void completes_each_of_many_calls_once(void **state)
{
    enum { CALLS = 1000 };
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_QUICKLY);
    struct async *async = test_calloc(CALLS, sizeof *async);
    for (int i = 0; i < CALLS; i++) {
        char id[16];
        snprintf(id, sizeof id, "u%d", i);
        options.gather = i % 3 != 0;
        start(pair, &options, id, &async[i], NULL);
    }
    rpc_client_flush(pair->client);
    for (int i = 0; i < CALLS; i++) {
        char id[16];
        snprintf(id, sizeof id, "u%d", i);
        async_wait(&async[i], &async[i].done, 1);
        assert_int_equal(async[i].err.code, CODE_OK);
        assert_string_equal(async[i].last_id, id);
    }
    rpc_client_free(pair->client);
    pair->client = NULL;
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(async[i].done, 1);
        async_clear(&async[i]);
    }
    test_free(async);
}

/* Whoever promised a flush and does not come is not waited for for ever. */
static void what_was_gathered_leaves_in_any_case(void **state)
{
    struct rpc_call_options options = pair_call(GET_USER);
    struct async first, second;
    options.gather = true;
    start(*state, &options, "u1", &first, NULL);
    async_wait(&first, &first.done, 1);
    start(*state, &options, "u2", &second, NULL);
    async_wait(&second, &second.done, 1);
    assert_string_equal(second.last_id, "u2");
    async_clear(&first);
    async_clear(&second);
}

static void refuses_metadata_that_cannot_be_sent(void **state)
{
    static const struct rpc_metadata bad[] = {{{"UPPER", 5}, {"x", 1}}, {{"low", 3}, {"\n", 1}}};
    struct async async;
    for (size_t i = 0; i < 2; i++) {
        struct rpc_call_options options = pair_call(GET_USER);
        options.metadata = &bad[i];
        options.metadata_count = 1;
        assert_int_equal(get(*state, &options, "u1", &async), CODE_INVALID_ARGUMENT);
    }
}

static void carries_messages_up_to_the_limit(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async;
    char *id = arena_alloc(&pair->arena, PAIR_MESSAGE_MAX + 1);
    memset(id, 'y', PAIR_MESSAGE_MAX);
    id[PAIR_MESSAGE_MAX] = '\0';
    assert_int_equal(get(pair, &options, id, &async), CODE_RESOURCE_EXHAUSTED);
    id[PAIR_MESSAGE_MAX - 16] = '\0';
    assert_int_equal(get(pair, &options, id, &async), CODE_OK);
    id[60000] = '\0';
    assert_int_equal(get(pair, &options, id, &async), CODE_OK);
    assert_int_equal(get(pair, &options, "size:4194000", &async), CODE_OK);
    assert_int_equal(get(pair, &options, "size:4194304", &async), CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(rpc_client_streams_open(pair->client), STREAMS);
}

static void ends_with_the_deadline(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async;
    options.deadline_ms = 50;
    assert_int_equal(get(pair, &options, "slow:120000", &async), CODE_DEADLINE_EXCEEDED);
    if (atomic_load(&pair->state.running)) /* unless the deadline passed before it got there */
        assert_true(pair_wait(&pair->state.cancelled, 1));
    options.deadline_ms = PAIR_CALL_MS;
    assert_int_equal(get(pair, &options, "u1", &async), CODE_OK);
}

static void can_be_cancelled(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct rpc_pending *pending;
    struct async async;
    start(pair, &options, "slow:120000", &async, &pending);
    assert_true(pair_wait(&pair->state.running, 1));
    rpc_pending_cancel(pending);
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.err.code, CODE_CANCELLED);
    assert_true(pair_wait(&pair->state.cancelled, 1));
    async_clear(&async);
    assert_int_equal(get(pair, &options, "u1", &async), CODE_OK);
    assert_string_equal(async.last_id, "u1"); /* its place was free for another */
}

static void freeing_the_client_ends_its_calls(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async[3];
    for (int i = 0; i < 3; i++)
        start(pair, &options, "slow:120000", &async[i], NULL);
    rpc_client_free(pair->client);
    pair->client = NULL;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(async[i].done, 1);
        assert_int_equal(async[i].err.code, CODE_CANCELLED);
        async_clear(&async[i]);
    }
}

/* More than all streams have places for: refused at once, in a form that says why. */
static void refuses_at_once_when_full(void **state)
{
    enum { CALLS = STREAMS * LANE_CALLS };
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async *async = test_calloc(CALLS, sizeof *async), extra;
    for (int i = 0; i < CALLS; i++)
        start(pair, &options, "slow:120000", &async[i], NULL);
    assert_int_equal(get(pair, &options, "u1", &extra), CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(extra.err.reason, "OVERLOADED");
    assert_int_equal(extra.err.retry_after_ms, 1000);
    rpc_client_free(pair->client);
    pair->client = NULL;
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(async[i].done, 1);
        async_clear(&async[i]);
    }
    test_free(async);
}

static void restart_server(struct pair *pair)
{
    struct error err;
    pair->options.address = pair->target;
    while (rpc_server_start(&pair->options, &pair->server, &err) != CODE_OK)
        echo_nap(); /* the port may still be the old one's for a moment */
}

/* What is under way on a stream that is cut off ends once, with UNAVAILABLE; then all works again.
 */
static void a_broken_stream_ends_its_calls_once(void **state)
{
    enum { CALLS = 4 };
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async[CALLS], again;
    for (int i = 0; i < CALLS; i++)
        start(pair, &options, "slow:120000", &async[i], NULL);
    assert_true(pair_wait(&pair->state.running, 2));
    assert_false(rpc_server_drain(pair->server, 0));
    for (int i = 0; i < CALLS; i++) {
        async_wait(&async[i], &async[i].done, 1);
        assert_int_equal(async[i].err.code, CODE_UNAVAILABLE);
    }
    restart_server(pair);
    options.wait_for_ready = true;
    while (get(pair, &options, "u1", &again) != CODE_OK)
        echo_nap();
    open_streams(pair, STREAMS);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(async[i].done, 1);
        async_clear(&async[i]);
    }
}

static void *run_drain(void *server)
{
    return rpc_server_drain(server, PAIR_DEADLINE_MS) ? server : NULL;
}

static void a_drain_loses_nothing(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(GET_USER);
    struct async async;
    pthread_t thread;
    void *clean;
    start(pair, &options, "slow:200", &async, NULL);
    assert_true(pair_wait(&pair->state.running, 1));
    assert_int_equal(pthread_create(&thread, NULL, run_drain, pair->server), 0);
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.err.code, CODE_OK);
    pthread_join(thread, &clean);
    assert_ptr_equal(clean, pair->server);
    pair->server = NULL;
    async_clear(&async);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WIDE(name) cmocka_unit_test_setup_teardown(name, setup_wide, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers),
        TEST(tells_handlers_about_the_call),
        TEST_WIDE(completes_each_of_many_calls_once),
        TEST(what_was_gathered_leaves_in_any_case),
        TEST(refuses_metadata_that_cannot_be_sent),
        TEST(carries_messages_up_to_the_limit),
        TEST(ends_with_the_deadline),
        TEST(can_be_cancelled),
        TEST(freeing_the_client_ends_its_calls),
        TEST_WIDE(refuses_at_once_when_full),
        TEST(a_broken_stream_ends_its_calls_once),
        TEST(a_drain_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
