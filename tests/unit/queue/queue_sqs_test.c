/* The queue on SQS: what lies in its buffer, and when it does not ask for more. By a scripted SQS,
 * in real time: waits here are bounded by the queue's own leases, with much room. */
#include "queue/queue_sqs.h"

#include "tests/unit/aws/stub.h"

#include <unistd.h>

enum { LEASE_MS = 9000, LONG_MS = 60000 };

static const char *const KEYS[] = {"AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret",
                                   "AWS_REGION=eu-central-1", NULL};

#define MESSAGE(id, handle) \
    "{\"MessageId\":\"" id "\",\"ReceiptHandle\":\"" handle \
    "\",\"Body\":\"YQ==\",\"MD5OfBody\":\"7733b38137da5e163c45fe67a4472932\"," \
    "\"Attributes\":{\"ApproximateReceiveCount\":\"1\",\"SentTimestamp\":\"1700000000000\"}}"
#define TAKEN "{\"Successful\":[{\"Id\":\"0\"}]}"

struct world {
    struct stub *stub;
    struct aws *aws;
    struct queue *queue;
    struct arena arena;
    struct error err;
};

static int set_up(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);
    struct aws_location location;
    char text[128];
    stub_environment = KEYS;
    stub_clock_ahead_ms = 0;
    world->stub = stub_new();
    snprintf(text, sizeof text, "sqs://q?endpoint=%s", world->stub->endpoint);
    assert_int_equal(
        aws_open(&(struct aws_options){.environment = stub_getenv}, &world->aws, &world->err),
        CODE_OK);
    assert_int_equal(aws_location_read(str_of(text), "sqs", stub_getenv, NULL, 0, &world->arena,
                                       &location, &world->err),
                     CODE_OK);
    STUB_SCRIPT(world->stub, {200, "{\"QueueUrl\":\"http://q\"}", 0, 0},
                {200, "{\"Attributes\":{\"MaximumMessageSize\":\"1000\"}}", 0, 0});
    const struct queue_sqs_options options = {
        .aws = world->aws, .location = &location, .call_ms = 5000, .backoff_ms = 1};
    assert_int_equal(queue_sqs_open(&options, &world->queue, &world->err), CODE_OK);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    world->queue->vtable->free(world->queue);
    aws_free(world->aws);
    stub_free(world->stub);
    arena_clear(&world->arena);
    xfree(world);
    return 0;
}

static size_t receive(struct world *world, int64_t lease_ms, int64_t wait_ms, const char *handle)
{
    struct queue_message message;
    size_t count;
    assert_int_equal(world->queue->vtable->receive(world->queue, 1, lease_ms, wait_ms,
                                                   &world->arena, &message, &count, &world->err),
                     CODE_OK);
    if (count) {
        assert_true(str_eq(message.handle, str_of(handle)));
        assert_true(str_eq(message.body, STR("a")));
    }
    return count;
}

static void wait_for(struct world *world, size_t count)
{
    for (int i = 0; stub_count(world->stub) < count; i++) {
        if (i == LONG_MS / 5)
            fail_msg("%zu requests and no more", stub_count(world->stub));
        usleep(5000);
    }
}

/* Rule 29: what nobody has taken yet is kept too, what was handed out is the receiver's to keep. */
static void what_is_buffered_is_kept(void **state)
{
    struct world *world = *state;
    STUB_SCRIPT(world->stub,
                {200, "{\"Messages\":[" MESSAGE("1", "ha") "," MESSAGE("2", "hb") "]}", 0, 0},
                {STUB_HOLD, "", 0, 0}, {200, TAKEN, 0, 0});
    assert_int_equal(receive(world, LEASE_MS, LONG_MS, "ha"), 1);
    wait_for(world, 3); /* the poll, the next, which is not answered, and a heartbeat */
    const struct stub_seen *seen = stub_seen(world->stub);
    assert_non_null(strstr(seen[0].body, "\"WaitTimeSeconds\":20"));
    assert_non_null(strstr(seen[0].body, "\"VisibilityTimeout\":9"));
    assert_non_null(strstr(seen[2].body, "\"ReceiptHandle\":\"hb\""));
    assert_non_null(strstr(seen[2].body, "\"VisibilityTimeout\":9"));
    assert_null(strstr(seen[2].body, "\"ha\""));
    assert_int_equal(receive(world, LEASE_MS, 0, "hb"), 1);
}

/* Rule 29: who cannot keep what he has takes no more. */
static void nothing_is_received_while_heartbeats_are_slow(void **state)
{
    struct world *world = *state;
    const struct str handle = STR("ha");
    bool lost;
    STUB_SCRIPT(world->stub, {200, "{\"Messages\":[" MESSAGE("1", "ha") "]}", 0, 0});
    assert_int_equal(receive(world, LONG_MS, 0, "ha"), 1);
    STUB_SCRIPT(world->stub, {STUB_HOLD, "", 0, 0});
    assert_int_not_equal(
        world->queue->vtable->extend_many(world->queue, &handle, 1, LEASE_MS, &lost, &world->err),
        CODE_OK);
    STUB_SCRIPT(world->stub, {200, "{\"Messages\":[" MESSAGE("2", "hb") "]}", 0, 0});
    assert_int_equal(receive(world, LONG_MS, 50, ""), 0);
    assert_int_equal(stub_count(world->stub), 0);
    STUB_SCRIPT(world->stub, {200, TAKEN, 0, 0},
                {200, "{\"Messages\":[" MESSAGE("2", "hb") "]}", 0, 0}, {STUB_HOLD, "", 0, 0});
    assert_int_equal(
        world->queue->vtable->extend_many(world->queue, &handle, 1, LONG_MS, &lost, &world->err),
        CODE_OK);
    assert_false(lost);
    assert_int_equal(receive(world, LONG_MS, LONG_MS, "hb"), 1);
}

/* Rule 32: what nobody has taken goes back at once. */
static void what_is_buffered_is_released_at_the_end(void **state)
{
    struct world *world = *state;
    STUB_SCRIPT(world->stub,
                {200, "{\"Messages\":[" MESSAGE("1", "ha") "," MESSAGE("2", "hb") "]}", 0, 0},
                {STUB_HOLD, "", 0, 0}, {200, TAKEN, 0, 0});
    assert_int_equal(receive(world, LONG_MS, LONG_MS, "ha"), 1);
    wait_for(world, 2);
    world->queue->vtable->free(world->queue);
    assert_int_equal(stub_count(world->stub), 3);
    const struct stub_seen *last = &stub_seen(world->stub)[2];
    assert_non_null(strstr(last->body, "\"ReceiptHandle\":\"hb\""));
    assert_non_null(strstr(last->body, "\"VisibilityTimeout\":0"));
    assert_null(strstr(last->body, "\"ha\""));
    aws_free(world->aws);
    stub_free(world->stub);
    arena_clear(&world->arena);
    xfree(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_buffered_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_received_while_heartbeats_are_slow, set_up,
                                        tear_down),
        cmocka_unit_test_setup(what_is_buffered_is_released_at_the_end, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
