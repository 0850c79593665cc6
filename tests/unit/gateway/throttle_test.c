/* Buckets: what is admitted, to the nanosecond, and what a full table may not give away. */
#include "gateway/throttle.h"
#include "tests/support/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

static const int64_t SECOND = 1000000000;

static struct throttle_result take(int64_t *bucket, struct throttle_limit limit, uint32_t cost,
                                   int64_t now)
{
    return throttle_apply(bucket, &limit, cost, now);
}

static void limits(void **state)
{
    static const struct {
        double rate;
        uint32_t burst;
        int64_t token_ns, depth_ns;
    } cases[] = {
        {1, 1, 1000000000, 1000000000},
        {10, 5, 100000000, 500000000},
        {3, 3, 333333334, 1000000002}, /* rounded up: never in the caller's favour */
        {0.5, 2, 2000000000, 4000000000},
        {1e6, 1000000, 1000, 1000000000},
        {0.000001, 1, 1000000000000000, 1000000000000000},
        {0, 0, 1000000000000000, 1000000000000000},
        {-5, 1, 1000000000000000, 1000000000000000},
        {1e300, 1, 1, 1},
        {0.000001, 4000000000, 1000000000000000, INT64_MAX / 4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct throttle_limit limit = throttle_limit_of(cases[i].rate, cases[i].burst);
        assert_int_equal(limit.token_ns, cases[i].token_ns);
        assert_int_equal(limit.depth_ns, cases[i].depth_ns);
    }
    assert_int_equal(throttle_limit_of(NAN, 1).token_ns, 1000000000000000);
}

/* Rule 25. */
static void burst_then_rate(void **state)
{
    struct throttle_limit limit = throttle_limit_of(10, 5);
    int64_t bucket = 0, now = 7 * SECOND;
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        struct throttle_result result = take(&bucket, limit, 1, now);
        assert_true(result.admitted);
        assert_int_equal(result.left, 4 - i);
        assert_int_equal(result.full_ns, (i + 1) * SECOND / 10);
    }
    struct throttle_result refused = take(&bucket, limit, 1, now);
    assert_false(refused.admitted);
    assert_int_equal(refused.wait_ns, SECOND / 10);
    assert_int_equal(refused.left, 0);
    assert_false(take(&bucket, limit, 1, now + SECOND / 10 - 1).admitted);
    assert_true(take(&bucket, limit, 1, now + SECOND / 10).admitted);
    assert_false(take(&bucket, limit, 1, now + SECOND / 10).admitted);
    /* Time that nobody used fills it, and no further. */
    assert_int_equal(take(&bucket, limit, 1, now + 100 * SECOND).left, 4);
}

static void costs(void **state)
{
    struct throttle_limit limit = throttle_limit_of(1, 10);
    int64_t bucket = 0, now = SECOND;
    (void)state;
    assert_int_equal(take(&bucket, limit, 7, now).left, 3);
    assert_int_equal(take(&bucket, limit, 4, now).wait_ns, SECOND);
    assert_true(take(&bucket, limit, 3, now).admitted);
    /* More than the burst takes all of it. */
    bucket = 0;
    assert_true(take(&bucket, limit, 1000, now).admitted);
    assert_int_equal(take(&bucket, limit, 1000, now).wait_ns, 10 * SECOND);
}

/* Rule 25. Over any span of time: at most burst + rate × span. */
static void never_more(void **state)
{
    struct throttle_limit limit = throttle_limit_of(7, 3);
    int64_t bucket = 0, admitted = 0, end = 100 * SECOND;
    (void)state;
    for (int64_t now = 1; now <= end; now += SECOND / 911)
        admitted += take(&bucket, limit, 1, now).admitted;
    assert_true(admitted <= 3 + 7 * 100);
    assert_true(admitted >= 3 + 7 * 100 - 1);
}

/* --- the table --- */

static struct throttle_result take_named(struct throttle *throttle, const char *name, int number,
                                         double rate, uint32_t burst, int64_t now)
{
    char text[64];
    struct throttle_limit limit = throttle_limit_of(rate, burst);
    snprintf(text, sizeof text, "%s-%d", name, number);
    return throttle_take(throttle, str_of(text), &limit, 1, now);
}

static void names_have_buckets(void **state)
{
    struct throttle *throttle = throttle_new(1024);
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(take_named(throttle, "a", 1, 1, 3, SECOND).admitted);
        assert_true(take_named(throttle, "b", 1, 1, 3, SECOND).admitted);
    }
    assert_false(take_named(throttle, "a", 1, 1, 3, SECOND).admitted);
    assert_false(take_named(throttle, "b", 1, 1, 3, SECOND).admitted);
    assert_true(take_named(throttle, "a", 2, 1, 3, SECOND).admitted);
    throttle_free(throttle);
}

/* One set of eight: strangers come and go, and whoever has used up his bucket gains nothing. */
static void strangers_reset_nothing(void **state)
{
    struct throttle *throttle = throttle_new(1);
    int64_t now = SECOND;
    int admitted = 0;
    (void)state;
    for (int i = 0; i < 3; i++)
        admitted += take_named(throttle, "greedy", 0, 1, 5, now).admitted;
    for (int i = 0; i < 1000; i++) /* they owe more than he: his place is the first to go */
        take_named(throttle, "stranger", i / 5, 1, 5, now);
    for (int i = 0; i < 10; i++)
        admitted += take_named(throttle, "greedy", 0, 1, 5, now).admitted;
    assert_in_range(admitted, 3, 5);
    assert_false(take_named(throttle, "greedy", 0, 1, 5, now + SECOND - 1).admitted);
    throttle_free(throttle);
}

/* However many names are used, a set of eight never admits more than eight buckets' worth. */
static void names_are_no_supply(void **state)
{
    struct throttle *throttle = throttle_new(1);
    int admitted = 0;
    (void)state;
    for (int i = 0; i < 10000; i++)
        admitted += take_named(throttle, "name", i, 1, 5, SECOND).admitted;
    assert_int_equal(admitted, 8 * 5);
    throttle_free(throttle);
}

/* A newcomer never inherits more than his own burst, whatever others owe. */
static void inherits_at_most_a_burst(void **state)
{
    struct throttle *throttle = throttle_new(1);
    (void)state;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 100; j++)
            take_named(throttle, "slow", i, 0.001, 100, SECOND);
    struct throttle_result result = take_named(throttle, "quick", 0, 10, 5, SECOND);
    assert_false(result.admitted);
    assert_int_equal(result.wait_ns, SECOND / 10);
    throttle_free(throttle);
}

/* Rule 25. Another plan holds at once: nobody owes more than a full bucket of it, from then on. */
static void a_limit_that_has_changed_holds_at_once(void **state)
{
    static const struct {
        double rate, then_rate;
        uint32_t burst, then_burst;
    } cases[] = {{0.01, 10, 3, 5}, {0.01, 10, 3, 3}, {10, 10, 100, 5}, {1, 10, 100, 1}};
    const int64_t token = SECOND / 10;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct throttle *throttle = throttle_new(1);
        while (take_named(throttle, "key", 0, cases[i].rate, cases[i].burst, SECOND).admitted)
            continue;
        for (int64_t passed = 0; passed < token; passed += token / 4) {
            struct throttle_result refused = take_named(throttle, "key", 0, cases[i].then_rate,
                                                        cases[i].then_burst, SECOND + passed);
            assert_false(refused.admitted);
            assert_int_equal(refused.wait_ns, token - passed);
            assert_int_equal(refused.full_ns, cases[i].then_burst * token - passed);
        }
        assert_true(
            take_named(throttle, "key", 0, cases[i].then_rate, cases[i].then_burst, SECOND + token)
                .admitted);
        throttle_free(throttle);
    }
}

/* Cost 0 with a bucket that is a token less deep is a look (sign_in.c): it forgives nothing. */
static void looks_change_nothing(void **state)
{
    struct throttle *throttle = throttle_new(1);
    struct throttle_limit limit = throttle_limit_of(1, 3), look = limit;
    (void)state;
    look.depth_ns -= look.token_ns;
    for (int i = 0; i < 3; i++) {
        assert_true(throttle_take(throttle, STR("a"), &look, 0, SECOND).admitted);
        assert_true(throttle_take(throttle, STR("a"), &limit, 1, SECOND).admitted);
    }
    for (int i = 0; i < 3; i++)
        assert_false(throttle_take(throttle, STR("a"), &look, 0, SECOND).admitted);
    assert_false(throttle_take(throttle, STR("a"), &limit, 1, 2 * SECOND - 1).admitted);
    throttle_free(throttle);
}

/* --- threads --- */

enum { THREADS = 4, EACH = 20000 };

static void *take_many(void *argument)
{
    struct throttle *throttle = argument;
    uintptr_t admitted = 0;
    for (int i = 0; i < EACH; i++)
        admitted += take_named(throttle, "shared", i % 3, 1, 1000, SECOND).admitted;
    return (void *)admitted;
}

/* Rule 25. */
static void threads_share_a_bucket(void **state)
{
    struct throttle *throttle = throttle_new(1);
    pthread_t threads[THREADS];
    uintptr_t admitted = 0;
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, throttle), 0);
    for (int i = 0; i < THREADS; i++) {
        void *part;
        pthread_join(threads[i], &part);
        admitted += (uintptr_t)part;
    }
    assert_int_equal(admitted, 3 * 1000);
    throttle_free(throttle);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),
        cmocka_unit_test(burst_then_rate),
        cmocka_unit_test(costs),
        cmocka_unit_test(never_more),
        cmocka_unit_test(names_have_buckets),
        cmocka_unit_test(strangers_reset_nothing),
        cmocka_unit_test(names_are_no_supply),
        cmocka_unit_test(inherits_at_most_a_burst),
        cmocka_unit_test(a_limit_that_has_changed_holds_at_once),
        cmocka_unit_test(looks_change_nothing),
        cmocka_unit_test(threads_share_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
