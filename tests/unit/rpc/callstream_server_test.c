/* The server's end of call streams, spoken to by hand: one message and what comes back. */
#include "tests/unit/rpc/pair.h"

#include "rpc/callstream.h"

struct raw {
    struct pair pair;
    struct rpc_blocking_stream *stream;
    struct buf out; /* the next message */
    struct buf in;  /* the last message that came, and how far it has been read */
    struct callstream_reader reader;
};

enum { ANY_TIME = 0 };

static void open_stream(struct raw *raw)
{
    struct rpc_call_options options = pair_call(CALLSTREAM_METHOD);
    struct str hello;
    raw->stream = rpc_stream_new(raw->pair.client, &options);
    assert_true(rpc_stream_receive(raw->stream, &raw->pair.arena, &hello));
    assert_int_equal(hello.len, 0);
    raw->reader = callstream_read(hello);
}

static int setup_with(void **state, int workers, int queue_max)
{
    struct raw *raw = *state = test_calloc(1, sizeof *raw);
    pair_open(&raw->pair, workers, queue_max);
    buf_init(&raw->out, 8 << 20);
    open_stream(raw);
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 2, 8);
}

static int setup_alone(void **state)
{
    return setup_with(state, 1, 8);
}

static int teardown(void **state)
{
    struct raw *raw = *state;
    struct error err;
    if (raw->stream)
        (void)rpc_stream_finish(raw->stream, &err);
    pair_close(&raw->pair);
    buf_clear(&raw->out);
    test_free(raw);
    return 0;
}

static void add(struct raw *raw, uint64_t id, struct str method, const char *user,
                uint64_t timeout_ms)
{
    struct callstream_call call = {.id = id,
                                   .method = method,
                                   .payload = pair_request(&raw->pair, user),
                                   .timeout_ms = timeout_ms};
    callstream_add_call(&raw->out, &call);
}

static void send(struct raw *raw)
{
    assert_true(rpc_stream_send(raw->stream, buf_str(&raw->out)));
    buf_reset(&raw->out);
}

/* The next answer; its id and status. */
static struct callstream_answer next(struct raw *raw)
{
    struct callstream_answer answer = {0};
    struct str bytes;
    uint64_t number;
    enum callstream_item item;
    while ((item = callstream_next_answer(&raw->reader, &bytes, &number)) == CALLSTREAM_END) {
        struct str message;
        assert_true(rpc_stream_receive(raw->stream, &raw->pair.arena, &message));
        raw->reader = callstream_read(message);
    }
    if (item == CALLSTREAM_CLOSING)
        return (struct callstream_answer){.id = UINT64_MAX};
    assert_int_equal(item, CALLSTREAM_ANSWER);
    assert_true(callstream_read_answer(bytes, &answer));
    return answer;
}

static const char *user_of(struct raw *raw, const struct callstream_answer *answer)
{
    USER *user = proto_decode(&raw->pair.arena, USER_TYPE, answer->payload);
    assert_non_null(user);
    return user->id;
}

/* The stream ends: with this code, and (unless NULL) this reason. */
static void assert_ends(struct raw *raw, enum code code, const char *reason)
{
    struct str message;
    struct error err;
    while (rpc_stream_receive(raw->stream, &raw->pair.arena, &message))
        ;
    assert_int_equal(rpc_stream_finish(raw->stream, &err), code);
    if (reason)
        assert_string_equal(err.reason, reason);
    raw->stream = NULL;
}

static void answers_what_comes_in_one_message(void **state)
{
    enum { CALLS = 8 };
    struct raw *raw = *state;
    bool seen[CALLS + 1] = {false};
    for (uint64_t id = 1; id <= CALLS; id++)
        add(raw, id, id % 2 ? GET_QUICKLY : GET_USER, id % 2 ? "quick" : "pooled", ANY_TIME);
    send(raw);
    for (int i = 0; i < CALLS; i++) {
        struct callstream_answer answer = next(raw);
        assert_in_range(answer.id, 1, CALLS);
        assert_false(seen[answer.id]);
        seen[answer.id] = true;
        assert_int_equal(answer.status, CODE_OK);
        assert_string_equal(user_of(raw, &answer), answer.id % 2 ? "quick" : "pooled");
    }
    assert_true(rpc_stream_send_end(raw->stream));
    assert_ends(raw, CODE_OK, NULL);
}

static void carries_errors_with_their_details(void **state)
{
    struct raw *raw = *state;
    struct error err;
    add(raw, 7, GET_USER, "fields", ANY_TIME);
    send(raw);
    struct callstream_answer answer = next(raw);
    struct rpc_result result = {
        .code = (enum code)answer.status, .message = answer.message, .details = answer.details};
    assert_int_equal(answer.id, 7);
    assert_int_equal(rpc_result_error(&result, &err), CODE_INVALID_ARGUMENT);
    assert_int_equal(err.field_count, 2);
    assert_string_equal(err.fields[0].path, "user.email");
    assert_int_equal(answer.payload.len, 0);
}

static void refuses_calls_that_cannot_be(void **state)
{
    static const struct {
        struct str method;
        enum code code;
        const char *reason;
    } cases[] = {
        {{"/nobody/Get", 11}, CODE_UNIMPLEMENTED, "METHOD_UNKNOWN"},
        {{"", 0}, CODE_UNIMPLEMENTED, "METHOD_UNKNOWN"},
        {{"/test.v1.Streams/Count", 22}, CODE_UNIMPLEMENTED, "METHOD_STREAMS"},
        {{"/omnidata.rpc.v1.CallStreamService/Exchange", 43}, CODE_UNIMPLEMENTED, "METHOD_STREAMS"},
        {{"/grpc.health.v1.Health/Watch", 28}, CODE_UNIMPLEMENTED, "METHOD_STREAMS"},
    };
    struct raw *raw = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        add(raw, i, cases[i].method, "u1", ANY_TIME);
        send(raw);
        struct callstream_answer answer = next(raw);
        struct rpc_result result = {.code = (enum code)answer.status, .details = answer.details};
        assert_int_equal(answer.id, i);
        assert_int_equal(rpc_result_error(&result, &err), cases[i].code);
        assert_string_equal(err.reason, cases[i].reason);
    }
}

static void health_is_asked_like_any_method(void **state)
{
    struct raw *raw = *state;
    struct callstream_call call = {
        .id = 1, .method = STR("/grpc.health.v1.Health/Check"), .payload = STR("")};
    callstream_add_call(&raw->out, &call);
    send(raw);
    struct callstream_answer answer = next(raw);
    assert_int_equal(answer.status, CODE_OK);
    assert_memory_equal(answer.payload.ptr, "\x08\x01", 2); /* SERVING */
}

/* One thread is stuck; those that came with it in the same message are answered all the same. */
static void nobody_waits_for_the_slowest(void **state)
{
    struct raw *raw = *state;
    add(raw, 1, GET_QUICKLY, "slow:120000", ANY_TIME);
    add(raw, 2, GET_QUICKLY, "u2", ANY_TIME);
    add(raw, 3, GET_QUICKLY, "u3", ANY_TIME);
    send(raw);
    assert_int_equal(next(raw).id, 2);
    assert_int_equal(next(raw).id, 3);
    callstream_add_cancel(&raw->out, 1);
    send(raw);
    struct callstream_answer answer = next(raw);
    assert_int_equal(answer.id, 1);
    assert_int_equal(answer.status, CODE_CANCELLED);
    assert_true(pair_wait(&raw->pair.state.cancelled, 1)); /* the handler was told */
}

/* All threads are stuck: an answer of before leaves, what waits is answered when its time is over.
 */
static void what_waits_has_its_deadline(void **state)
{
    struct raw *raw = *state;
    add(raw, 1, GET_QUICKLY, "u1", ANY_TIME);
    add(raw, 2, GET_QUICKLY, "slow:120000", ANY_TIME);
    add(raw, 3, GET_QUICKLY, "u3", 40);
    add(raw, 4, GET_USER, "slow:120000", 20);
    add(raw, 5, GET_USER, "u5", 30);
    send(raw);
    assert_int_equal(next(raw).id, 1);
    for (int i = 0; i < 3; i++) {
        struct callstream_answer answer = next(raw);
        assert_int_not_equal(answer.id, 2);
        if (answer.id != 5 || answer.status != CODE_OK)
            assert_int_equal(answer.status, CODE_DEADLINE_EXCEEDED);
    }
    callstream_add_cancel(&raw->out, 2);
    send(raw);
    assert_int_equal(next(raw).id, 2);
    add(raw, 6, GET_QUICKLY, "u6", ANY_TIME);
    send(raw);
    assert_int_equal(next(raw).id, 6); /* and life goes on */
}

static void refuses_at_once_when_full(void **state)
{
    enum { RUN = 1, WAIT = 8, MORE = 5 };
    struct raw *raw = *state;
    add(raw, 100, GET_QUICKLY, "slow:120000", ANY_TIME);
    send(raw);
    assert_true(pair_wait(&raw->pair.state.running, RUN));
    for (uint64_t id = 0; id < WAIT + MORE; id++)
        add(raw, id, GET_QUICKLY, "u1", ANY_TIME);
    send(raw);
    for (uint64_t i = 0; i < MORE; i++) {
        struct error err;
        struct callstream_answer answer = next(raw);
        struct rpc_result result = {.code = (enum code)answer.status, .details = answer.details};
        assert_int_equal(answer.id, WAIT + i);
        assert_int_equal(rpc_result_error(&result, &err), CODE_RESOURCE_EXHAUSTED);
        assert_string_equal(err.reason, "OVERLOADED");
        assert_int_equal(err.retry_after_ms, 1000);
    }
    callstream_add_cancel(&raw->out, 100);
    send(raw);
    assert_int_equal(next(raw).id, 100);
    for (uint64_t i = 0; i < WAIT; i++)
        assert_int_equal(next(raw).status, CODE_OK);
}

/* Those that wait together run in one bracket; one alone needs none. */
static void quick_calls_run_together(void **state)
{
    enum { CALLS = 6 };
    struct raw *raw = *state;
    struct echo_state *echo = &raw->pair.state;
    add(raw, 100, GET_QUICKLY, "slow:120000", ANY_TIME);
    send(raw);
    assert_true(pair_wait(&echo->running, 1));
    for (uint64_t id = 0; id < CALLS; id++) {
        add(raw, id, GET_QUICKLY, "u1", ANY_TIME);
        if (id % 2)
            send(raw);
    }
    callstream_add_cancel(&raw->out, 100);
    send(raw);
    for (int i = 0; i <= CALLS; i++)
        next(raw);
    assert_int_equal(atomic_load(&echo->brackets), 1);
    assert_int_equal(atomic_load(&echo->bracketed), CALLS);
}

static void hears_of_calls_that_nobody_wants_any_more(void **state)
{
    struct raw *raw = *state;
    add(raw, 1, GET_USER, "slow:120000", ANY_TIME);
    add(raw, 2, GET_USER, "u2", ANY_TIME); /* waits: there is one worker */
    callstream_add_cancel(&raw->out, 2);
    callstream_add_cancel(&raw->out, 77); /* nobody's */
    send(raw);
    struct callstream_answer answer = next(raw);
    assert_int_equal(answer.id, 2);
    assert_int_equal(answer.status, CODE_CANCELLED);
    callstream_add_cancel(&raw->out, 1);
    send(raw);
    assert_int_equal(next(raw).id, 1);
}

static void an_id_may_be_used_again(void **state)
{
    struct raw *raw = *state;
    for (int i = 0; i < 3; i++) {
        add(raw, 5, GET_USER, "u1", ANY_TIME);
        send(raw);
        assert_int_equal(next(raw).id, 5);
    }
}

static void ends_a_stream_that_breaks_the_rules(void **state)
{
    struct raw *raw = *state;
    static const struct str bad[] = {STR("\x0a\x7f"), STR("\x0a\x02\x12\x05")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(rpc_stream_send(raw->stream, bad[i]));
        assert_ends(raw, CODE_INVALID_ARGUMENT, "MALFORMED_BATCH");
        open_stream(raw);
    }
    add(raw, 1, GET_USER, "slow:120000", ANY_TIME);
    add(raw, 1, GET_USER, "u1", ANY_TIME); /* the id is taken */
    send(raw);
    assert_ends(raw, CODE_INVALID_ARGUMENT, "MALFORMED_BATCH");
    if (atomic_load(&raw->pair.state.running))
        assert_true(pair_wait(&raw->pair.state.cancelled, 1));
    open_stream(raw);
    for (uint64_t id = 0; id <= CALLSTREAM_CALLS_MAX; id++)
        callstream_add_cancel(&raw->out, id);
    send(raw);
    assert_ends(raw, CODE_INVALID_ARGUMENT, "MALFORMED_BATCH");
}

static void keeps_answers_to_what_the_client_takes(void **state)
{
    struct raw *raw = *state;
    callstream_add_limit(&raw->out, 1000);
    add(raw, 1, GET_USER, "size:900", ANY_TIME);
    add(raw, 2, GET_USER, "size:1001", ANY_TIME);
    send(raw);
    for (int i = 0; i < 2; i++) {
        struct callstream_answer answer = next(raw);
        assert_int_equal(answer.status, answer.id == 1 ? CODE_OK : CODE_RESOURCE_EXHAUSTED);
    }
    /* However little that is, an error is answered. */
    callstream_add_limit(&raw->out, 1);
    add(raw, 4, GET_USER, "size:1", ANY_TIME);
    send(raw);
    assert_int_equal(next(raw).status, CODE_RESOURCE_EXHAUSTED);
    callstream_add_limit(&raw->out, PAIR_MESSAGE_MAX);
    add(raw, 3, GET_USER, "size:4194000", ANY_TIME);
    send(raw);
    struct callstream_answer answer = next(raw);
    assert_int_equal(answer.status, CODE_OK);
    assert_true(answer.payload.len > 4194000);
}

static void elements_end_with_their_stream(void **state)
{
    struct raw *raw = *state;
    struct error err;
    add(raw, 1, GET_USER, "slow:120000", ANY_TIME);
    add(raw, 2, GET_QUICKLY, "slow:120000", ANY_TIME);
    send(raw);
    assert_true(pair_wait(&raw->pair.state.running, 2));
    (void)rpc_stream_finish(raw->stream, &err); /* cancels: it has not been read to the end */
    raw->stream = NULL;
    assert_true(pair_wait(&raw->pair.state.cancelled, 2));
}

struct drain {
    struct rpc_server *server;
    bool clean;
};

static void *run_drain(void *argument)
{
    struct drain *drain = argument;
    drain->clean = rpc_server_drain(drain->server, PAIR_DEADLINE_MS);
    return NULL;
}

/* The client is asked to go, and whatever it has sent until it does is carried out. */
static void a_drain_finishes_what_is_under_way(void **state)
{
    struct raw *raw = *state;
    struct drain drain = {raw->pair.server, false};
    pthread_t thread;
    add(raw, 1, GET_USER, "slow:100", ANY_TIME);
    send(raw);
    assert_true(pair_wait(&raw->pair.state.running, 1));
    assert_int_equal(pthread_create(&thread, NULL, run_drain, &drain), 0);
    assert_true(next(raw).id == UINT64_MAX); /* closing */
    add(raw, 2, GET_QUICKLY, "u2", ANY_TIME);
    send(raw);
    assert_true(rpc_stream_send_end(raw->stream));
    struct callstream_answer answers[2] = {next(raw), next(raw)};
    for (int i = 0; i < 2; i++)
        assert_int_equal(answers[i].status, CODE_OK);
    assert_ends(raw, CODE_OK, NULL);
    pthread_join(thread, NULL);
    assert_true(drain.clean);
    raw->pair.server = NULL;
}

static void a_drain_does_not_wait_for_a_client_that_stays(void **state)
{
    struct raw *raw = *state;
    struct drain drain = {raw->pair.server, false};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_drain, &drain), 0);
    assert_ends(raw, CODE_UNAVAILABLE, NULL);
    pthread_join(thread, NULL);
    assert_true(drain.clean);
    raw->pair.server = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_ALONE(name) cmocka_unit_test_setup_teardown(name, setup_alone, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_what_comes_in_one_message),
        TEST(carries_errors_with_their_details),
        TEST(refuses_calls_that_cannot_be),
        TEST(health_is_asked_like_any_method),
        TEST(nobody_waits_for_the_slowest),
        TEST_ALONE(what_waits_has_its_deadline),
        TEST_ALONE(refuses_at_once_when_full),
        TEST_ALONE(quick_calls_run_together),
        TEST_ALONE(hears_of_calls_that_nobody_wants_any_more),
        TEST(an_id_may_be_used_again),
        TEST(ends_a_stream_that_breaks_the_rules),
        TEST(keeps_answers_to_what_the_client_takes),
        TEST(elements_end_with_their_stream),
        TEST(a_drain_finishes_what_is_under_way),
        TEST(a_drain_does_not_wait_for_a_client_that_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
