/* A call's life: what is tried again and how often, what ends it, what is corrected on the way. */
#include "tests/unit/aws/world.h"

#include "aws/dynamodb.h"
#include "aws/s3.h"
#include "aws/sigv4.h"
#include "aws/sqs.h"

#include <stdlib.h>
#include <unistd.h>

static int set_up(void **state)
{
    int result = world_set_up(state);
    struct world *world = *state;
    world->client = world_client(world, &SQS_SERVICE, "q");
    return result;
}

static enum code call_for(struct world *world, int64_t deadline_ms)
{
    static const struct http_header target = {{"X-Amz-Target", 12}, {"AmazonSQS.Test", 14}};
    const struct aws_request request = {.method = STR("POST"),
                                        .headers = &target,
                                        .header_count = 1,
                                        .body = STR("{\"a\":1}"),
                                        .deadline_ms = deadline_ms};
    return aws_call(world->client, &request, &world->arena, &world->response, &world->err);
}

static enum code call(struct world *world)
{
    return call_for(world, LONG_MS);
}

static void a_call_is_signed_and_answered(void **state)
{
    struct world *world = *state;
    STUB_SCRIPT(world->stub, {200, "{\"x\":2}", "X-Y", "z"});
    assert_int_equal(call(world), CODE_OK);
    assert_true(str_eq(world->response.body, STR("{\"x\":2}")));
    assert_true(str_eq(aws_response_header(&world->response, STR("x-y")), STR("z")));
    assert_int_equal(world->response.sent, 1);
    const struct stub_seen *seen = &stub_seen(world->stub)[0];
    assert_string_equal(seen->body, "{\"a\":1}");
    assert_non_null(strstr(seen->authorization, "/eu-central-1/sqs/aws4_request, SignedHeaders="
                                                "host;x-amz-date;x-amz-target, Signature="));
}

/* Rule 38. What comes first, what the call comes to and how often it was sent. */
static void what_can_help_is_tried_again(void **state)
{
    static const struct {
        struct stub_step steps[3];
        enum code code;
        int sent;
        const char *reason;
    } cases[] = {
        {{{500, "", 0, 0}, {200, "{}", 0, 0}}, CODE_OK, 2, ""},
        {{{503, "<html>", 0, 0}, {502, "", 0, 0}, {200, "{}", 0, 0}}, CODE_OK, 3, ""},
        {{{500, "", 0, 0}, {500, "", 0, 0}, {500, "", 0, 0}}, CODE_UNAVAILABLE, 3, ""},
        {{{400, "{\"__type\":\"com.amazonaws.sqs#RequestThrottled\"}", 0, 0}, {200, "{}", 0, 0}},
         CODE_OK,
         2,
         ""},
        {{{400, "{\"__type\":\"x#ThrottlingException\"}", 0, 0},
          {400, "{\"__type\":\"x#ThrottlingException\"}", 0, 0},
          {400, "{\"__type\":\"x#ThrottlingException\"}", 0, 0}},
         CODE_UNAVAILABLE,
         3,
         "ThrottlingException"},
        {{{400, "", "x-amzn-errortype", "RequestLimitExceeded:http://x/"}, {200, "{}", 0, 0}},
         CODE_OK,
         2,
         ""},
        {{{429, "", 0, 0}, {200, "{}", 0, 0}}, CODE_OK, 2, ""},
        {{{400, "{\"__type\":\"ValidationException\",\"message\":\"no\"}", 0, 0}},
         CODE_INTERNAL,
         1,
         "ValidationException"},
        {{{403, "{\"__type\":\"AccessDeniedException\"}", 0, 0}},
         CODE_INTERNAL,
         1,
         "AccessDeniedException"},
        {{{400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}", 0, 0}},
         CODE_FAILED_PRECONDITION,
         1,
         "QueueDoesNotExist"},
        {{{302, "", "Location", "http://127.0.0.1:1/"}}, CODE_INTERNAL, 1, ""},
        {{{404, "no JSON", 0, 0}}, CODE_INTERNAL, 1, ""},
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stub_script(world->stub, cases[i].steps, cases[i].sent > 0 ? (size_t)cases[i].sent : 1);
        enum code code = call(world);
        if (code != cases[i].code || world->response.sent != cases[i].sent)
            fail_msg("case %zu: %s after %d: %s", i, code_name(code), world->response.sent,
                     world->err.text);
        if (code != CODE_OK)
            assert_string_equal(world->err.reason, cases[i].reason);
    }
}

static void a_refusal_says_what_aws_said(void **state)
{
    struct world *world = *state;
    STUB_SCRIPT(world->stub, {400, "{\"__type\":\"a#Bad\",\"message\":\"so bad\"}", 0, 0});
    assert_int_equal(call(world), CODE_INTERNAL);
    assert_string_equal(world->err.text, "sqs answered 400 Bad: so bad");
    assert_true(str_eq(world->response.error, STR("Bad")));
    assert_true(str_eq(world->response.message, STR("so bad")));
}

static void nobody_there_is_unavailable(void **state)
{
    struct world *world = *state;
    stub_free(world->stub);
    assert_int_equal(call(world), CODE_UNAVAILABLE);
    world->stub = stub_new();
    assert_int_equal(world->response.sent, 0);
    assert_false(world->response.unsure);
    assert_true(strncmp(world->err.text, "sqs: ", 5) == 0);
}

static void an_answer_that_does_not_come_leaves_it_unsure(void **state)
{
    struct world *world = *state;
    struct aws_request request = {.method = STR("POST"), .deadline_ms = LONG_MS, .attempt_ms = 50};
    STUB_SCRIPT(world->stub, {STUB_HOLD, 0, 0, 0}, {200, "{}", 0, 0});
    assert_int_equal(
        aws_call(world->client, &request, &world->arena, &world->response, &world->err), CODE_OK);
    assert_true(world->response.unsure);
    assert_int_equal(world->response.sent, 2);
}

static void the_deadline_holds_over_all_attempts(void **state)
{
    struct world *world = *state;
    STUB_SCRIPT(world->stub, {STUB_HOLD, 0, 0, 0});
    assert_int_equal(call_for(world, 50), CODE_DEADLINE_EXCEEDED);
    assert_int_equal(call_for(world, 0), CODE_DEADLINE_EXCEEDED);
}

/* Rule 38. 500 tokens, 5 a retry: after a hundred retries in vain there are none, until calls
 * succeed. */
static void retries_have_a_budget(void **state)
{
    struct world *world = *state;
    STUB_SCRIPT(world->stub, {500, "", 0, 0});
    for (int i = 0; i < 50; i++) {
        assert_int_equal(call(world), CODE_UNAVAILABLE);
        assert_int_equal(world->response.sent, 3);
    }
    assert_int_equal(call(world), CODE_UNAVAILABLE);
    assert_int_equal(world->response.sent, 1);
    STUB_SCRIPT(world->stub, {200, "{}", 0, 0});
    for (int i = 0; i < 5; i++)
        assert_int_equal(call(world), CODE_OK);
    STUB_SCRIPT(world->stub, {500, "", 0, 0});
    assert_int_equal(call(world), CODE_UNAVAILABLE);
    assert_int_equal(world->response.sent, 2);
}

/* Rule 37. Our clock is two hours ahead; the stub's Date is right. */
static void a_wrong_clock_is_corrected_once(void **state)
{
    static const char skewed[] =
        "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature "
        "not yet current: 20261126T140000Z is still later\"}";
    struct world *world = *state;
    stub_clock_ahead_ms = 2 * 3600 * 1000;
    STUB_SCRIPT(world->stub, {403, skewed, 0, 0}, {200, "{}", 0, 0});
    assert_int_equal(call(world), CODE_OK);
    assert_int_equal(world->response.sent, 2);
    assert_true(strcmp(stub_seen(world->stub)[0].date, stub_seen(world->stub)[1].date) > 0);
    STUB_SCRIPT(world->stub, {200, "{}", 0, 0});
    assert_int_equal(call(world), CODE_OK); /* it stays corrected */
    char now[SIGV4_TIME_BYTES + 1];
    sigv4_time(clock_wall_us(clock_real()) / 1000000, now);
    assert_memory_equal(stub_seen(world->stub)[0].date, now, 11);
    STUB_SCRIPT(world->stub, {403, skewed, 0, 0});
    assert_int_equal(call(world), CODE_INTERNAL);
    assert_int_equal(world->response.sent, 2);
}

struct counted {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done, cancelled;
};

static void on_counted(void *argument, const struct aws_response *response, const struct error *err)
{
    struct counted *counted = argument;
    (void)response;
    pthread_mutex_lock(&counted->lock);
    counted->done++;
    counted->cancelled += err && err->code == CODE_CANCELLED;
    pthread_cond_signal(&counted->changed);
    pthread_mutex_unlock(&counted->lock);
}

/* Held, waiting for a retry, or waiting for a connection: freeing ends each call exactly once. */
static void freeing_cancels_what_is_under_way(void **state)
{
    struct world *world = *state;
    struct counted counted = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    const struct aws_request request = {.method = STR("POST"), .deadline_ms = LONG_MS};
    STUB_SCRIPT(world->stub, {500, "", 0, 0}, {STUB_HOLD, 0, 0, 0}, {500, "", 0, 0},
                {STUB_HOLD, 0, 0, 0});
    int started = 0;
    for (int i = 0; i < 40; i++)
        started += aws_start(world->client, &request, on_counted, &counted, &world->err) == CODE_OK;
    assert_int_equal(started, 40);
    aws_free(world->aws);
    world->aws = NULL;
    assert_int_equal(counted.done, 40);
    assert_true(counted.cancelled > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_is_signed_and_answered, set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(what_can_help_is_tried_again, set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_says_what_aws_said, set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(nobody_there_is_unavailable, set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_does_not_come_leaves_it_unsure, set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(the_deadline_holds_over_all_attempts, set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(retries_have_a_budget, set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_clock_is_corrected_once, set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(freeing_cancels_what_is_under_way, set_up, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
