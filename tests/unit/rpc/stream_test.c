/* Streams in every direction, with callbacks and blocking. */
#include "tests/unit/rpc/async.h"

#define COUNT STR("/test.v1.Streams/Count")
#define COLLECT STR("/test.v1.Streams/Collect")
#define CHAT STR("/test.v1.Streams/Chat")
#define HOLD STR("/test.v1.Streams/Hold")

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

static struct rpc_stream *open_async(struct pair *pair, struct async *async, struct str method,
                                     const char *id)
{
    struct rpc_call_options options = pair_call(method);
    return rpc_client_open(pair->client, &options, pair_request(pair, id), &ASYNC_EVENTS, async);
}

static void brings_all_messages_then_the_end(void **state)
{
    struct async async;
    async_init(&async);
    open_async(*state, &async, COUNT, "500");
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.messages, 500);
    assert_string_equal(async.last_id, "499");
    assert_int_equal(async.err.code, CODE_OK);
    async_clear(&async);
}

static void brings_the_error_after_the_messages(void **state)
{
    struct async async;
    async_init(&async);
    open_async(*state, &async, COUNT, "13");
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.messages, 13);
    assert_int_equal(async.err.code, CODE_OUT_OF_RANGE);
    assert_string_equal(async.err.reason, "UNLUCKY");
    async_clear(&async);
}

static void pauses_until_asked_for_more(void **state)
{
    struct async async;
    async_init(&async);
    async.pause_after = 3;
    struct rpc_stream *stream = open_async(*state, &async, COUNT, "100");
    async_wait(&async, &async.messages, 3);
    for (int i = 0; i < 20; i++)
        echo_nap(); /* nothing may come: time for it to go wrong */
    pthread_mutex_lock(&async.lock);
    assert_int_equal(async.messages, 3);
    assert_int_equal(async.done, 0);
    async.pause_after = 0;
    pthread_mutex_unlock(&async.lock);
    rpc_stream_next(stream);
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.messages, 100);
    async_clear(&async);
}

static void holds_the_server_back_while_paused(void **state)
{
    struct pair *pair = *state;
    struct async async;
    async_init(&async);
    async.pause_after = 1;
    struct rpc_stream *stream = open_async(pair, &async, COUNT, "100000000");
    async_wait(&async, &async.messages, 1);
    assert_int_equal(atomic_load(&pair->state.cancelled), 0);
    rpc_stream_cancel(stream);
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.err.code, CODE_CANCELLED);
    assert_true(pair_wait(&pair->state.cancelled, 1)); /* its send has ended */
    async_clear(&async);
}

static void cancels_a_quiet_stream(void **state)
{
    struct pair *pair = *state;
    struct async async;
    async_init(&async);
    struct rpc_stream *stream = open_async(pair, &async, HOLD, "");
    async_wait(&async, &async.messages, 1);
    assert_true(pair_wait(&pair->state.running, 1));
    rpc_stream_cancel(stream);
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.err.code, CODE_CANCELLED);
    assert_true(pair_wait(&pair->state.cancelled, 1));
    async_clear(&async);
}

static void ends_a_stream_with_its_deadline(void **state)
{
    struct pair *pair = *state;
    struct rpc_call_options options = pair_call(HOLD);
    struct async async;
    async_init(&async);
    options.deadline_ms = 100;
    rpc_client_open(pair->client, &options, pair_request(pair, ""), &ASYNC_EVENTS, &async);
    async_wait(&async, &async.done, 1);
    assert_int_equal(async.err.code, CODE_DEADLINE_EXCEEDED);
    if (atomic_load(&pair->state.running))
        assert_true(pair_wait(&pair->state.cancelled, 1));
    async_clear(&async);
}

static void bounds_the_streams_but_not_health(void **state)
{
    enum { STREAMS = 4 }; /* as pair_open allows */
    struct pair *pair = *state;
    struct async async[STREAMS], extra;
    struct rpc_stream *streams[STREAMS];
    async_init(&extra);
    for (int i = 0; i < STREAMS; i++) {
        async_init(&async[i]);
        streams[i] = open_async(pair, &async[i], HOLD, "");
        async_wait(&async[i], &async[i].messages, 1);
    }
    open_async(pair, &extra, HOLD, "");
    async_wait(&extra, &extra.done, 1);
    assert_int_equal(extra.err.code, CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(extra.err.reason, "OVERLOADED");
    async_clear(&extra);
    async_init(&extra);
    struct rpc_stream *watch = open_async(pair, &extra, STR("/grpc.health.v1.Health/Watch"), "");
    async_wait(&extra, &extra.messages, 1);
    rpc_stream_cancel(watch);
    async_wait(&extra, &extra.done, 1);
    async_clear(&extra);
    for (int i = 0; i < STREAMS; i++) {
        rpc_stream_cancel(streams[i]);
        async_wait(&async[i], &async[i].done, 1);
        async_clear(&async[i]);
    }
    assert_true(pair_wait(&pair->state.cancelled, STREAMS));
    for (int messages = 0; !messages;) { /* places come free */
        async_init(&extra);
        open_async(pair, &extra, COUNT, "1");
        async_wait(&extra, &extra.done, 1);
        messages = extra.messages;
        async_clear(&extra);
    }
}

static struct rpc_blocking_stream *open_blocking(struct pair *pair, struct str method)
{
    struct rpc_call_options options = pair_call(method);
    return rpc_stream_new(pair->client, &options);
}

static const USER *receive(struct pair *pair, struct rpc_blocking_stream *stream)
{
    struct str bytes;
    if (!rpc_stream_receive(stream, &pair->arena, &bytes))
        return NULL;
    return proto_decode(&pair->arena, USER_TYPE, bytes);
}

static void collects_a_client_stream(void **state)
{
    struct pair *pair = *state;
    struct error err;
    struct rpc_blocking_stream *stream = open_blocking(pair, COLLECT);
    for (int i = 0; i < 200; i++)
        assert_true(rpc_stream_send(stream, pair_request(pair, i == 199 ? "last" : "some")));
    assert_true(rpc_stream_send_end(stream));
    assert_false(rpc_stream_send(stream, pair_request(pair, "late")));
    const USER *user = receive(pair, stream);
    assert_string_equal(user->display_name, "200");
    assert_string_equal(user->id, "last");
    assert_null(receive(pair, stream));
    assert_int_equal(rpc_stream_finish(stream, &err), CODE_OK);
}

static void tells_why_the_server_stopped_listening(void **state)
{
    struct pair *pair = *state;
    struct error err;
    struct rpc_blocking_stream *stream = open_blocking(pair, COLLECT);
    assert_true(rpc_stream_send(stream, pair_request(pair, "stop")));
    while (rpc_stream_send(stream, pair_request(pair, "more")))
        echo_nap();
    assert_int_equal(rpc_stream_finish(stream, &err), CODE_ABORTED);
    assert_string_equal(err.reason, "STOPPED");
}

static void tells_why_behind_what_was_not_read(void **state)
{
    struct pair *pair = *state;
    struct error err;
    struct rpc_blocking_stream *stream = open_blocking(pair, CHAT);
    for (int i = 0; i < 3; i++)
        assert_true(rpc_stream_send(stream, pair_request(pair, "answered, unread")));
    assert_true(rpc_stream_send(stream, STR("\x0a\x7f")));
    while (rpc_stream_send(stream, pair_request(pair, "more")))
        echo_nap();
    assert_int_equal(rpc_stream_finish(stream, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "MALFORMED_REQUEST");
}

static void chats(void **state)
{
    struct pair *pair = *state;
    struct error err;
    struct rpc_blocking_stream *stream = open_blocking(pair, CHAT);
    for (int i = 0; i < 50; i++) {
        const char *id = arena_printf(&pair->arena, "turn-%d", i);
        assert_true(rpc_stream_send(stream, pair_request(pair, id)));
        assert_string_equal(receive(pair, stream)->id, id);
    }
    assert_true(rpc_stream_send_end(stream));
    assert_null(receive(pair, stream));
    assert_int_equal(rpc_stream_finish(stream, &err), CODE_OK);
}

struct sender {
    struct rpc_blocking_stream *stream;
    struct str message;
    int count;
};

static void *send_many(void *argument)
{
    struct sender *sender = argument;
    for (int i = 0; i < sender->count; i++)
        if (!rpc_stream_send(sender->stream, sender->message))
            return NULL;
    rpc_stream_send_end(sender->stream);
    return sender;
}

static void sends_and_receives_in_two_threads(void **state)
{
    struct pair *pair = *state;
    struct error err;
    pthread_t thread;
    void *sent_all;
    int received = 0;
    struct sender sender = {open_blocking(pair, CHAT), pair_request(pair, "x"), 1000};
    pthread_create(&thread, NULL, send_many, &sender);
    while (receive(pair, sender.stream))
        received++;
    pthread_join(thread, &sent_all);
    assert_non_null(sent_all);
    assert_int_equal(received, 1000);
    assert_int_equal(rpc_stream_finish(sender.stream, &err), CODE_OK);
}

static void finishing_early_cancels(void **state)
{
    struct pair *pair = *state;
    struct error err;
    struct rpc_blocking_stream *stream = open_blocking(pair, HOLD);
    assert_true(rpc_stream_send(stream, pair_request(pair, "")));
    assert_true(rpc_stream_send_end(stream));
    assert_string_equal(receive(pair, stream)->id, "held");
    assert_true(pair_wait(&pair->state.running, 1));
    assert_int_equal(rpc_stream_finish(stream, &err), CODE_CANCELLED);
    assert_true(pair_wait(&pair->state.cancelled, 1));
}

static void refuses_broken_messages_in_a_stream(void **state)
{
    struct pair *pair = *state;
    static const struct str broken[] = {{"\x0a\x7f", 2}, {"\x0a\x02\xc3\x28", 4}};
    for (size_t i = 0; i < 2; i++) {
        struct error err;
        struct rpc_blocking_stream *stream = open_blocking(pair, CHAT);
        assert_true(rpc_stream_send(stream, pair_request(pair, "good")));
        assert_non_null(receive(pair, stream));
        assert_true(rpc_stream_send(stream, broken[i]));
        assert_null(receive(pair, stream));
        assert_int_equal(rpc_stream_finish(stream, &err), CODE_INVALID_ARGUMENT);
    }
}

static void wants_the_one_request(void **state)
{
    struct pair *pair = *state;
    static const struct str methods[] = {{"/test.v1.Streams/Count", 22},
                                         {"/omnidata.user.v1.UserService/GetUser", 37},
                                         {"/grpc.health.v1.Health/Watch", 28}};
    for (size_t i = 0; i < 3; i++) {
        struct error err;
        struct rpc_blocking_stream *stream = open_blocking(pair, methods[i]);
        assert_true(rpc_stream_send_end(stream));
        assert_null(receive(pair, stream));
        assert_int_equal(rpc_stream_finish(stream, &err), CODE_UNIMPLEMENTED);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(brings_all_messages_then_the_end),
        TEST(brings_the_error_after_the_messages),
        TEST(pauses_until_asked_for_more),
        TEST(holds_the_server_back_while_paused),
        TEST(cancels_a_quiet_stream),
        TEST(ends_a_stream_with_its_deadline),
        TEST(bounds_the_streams_but_not_health),
        TEST(collects_a_client_stream),
        TEST(tells_why_the_server_stopped_listening),
        TEST(tells_why_behind_what_was_not_read),
        TEST(chats),
        TEST(sends_and_receives_in_two_threads),
        TEST(finishing_early_cancels),
        TEST(refuses_broken_messages_in_a_stream),
        TEST(wants_the_one_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
