/* The two headers' values, as text. */
#include "gateway/ratelimit.h"
#include "tests/support/unit.h"

#include <string.h>

static const int64_t SECOND_US = 1000000;

/* Rule 26. */
static void buckets(void **state)
{
    struct throttle_limit limit = throttle_limit_of(10, 25);
    struct throttle_result admitted = {.admitted = true, .left = 24, .full_ns = 100000000};
    struct throttle_result refused = {.left = 3, .wait_ns = 1500000000, .full_ns = 2400000000};
    struct arena arena = {0};
    (void)state;
    struct ratelimit one = ratelimit_of_bucket("rate", &limit, &admitted);
    struct ratelimit other = ratelimit_of_bucket("rate", &limit, &refused);
    assert_true(str_eq(ratelimit_policy(&one, 1, &arena), STR("\"rate\";q=25;w=3")));
    assert_true(str_eq(ratelimit_state(&one, 1, &arena), STR("\"rate\";r=24;t=1")));
    assert_true(str_eq(ratelimit_state(&other, 1, &arena), STR("\"rate\";r=0;t=2")));
    arena_clear(&arena);
}

/* Rules 25 and 26. */
static void quotas(void **state)
{
    static const struct {
        enum key_period period;
        uint64_t left;
        int64_t reset_s, now_s;
        const char *policy, *now;
    } cases[] = {
        /* 2024-03-01 is the end of a leap year's February; 1772323200 is 2026-03-01 */
        {KEY_PERIOD_DAY, 7, 1772323200, 1772323190, "\"day\";q=1000;w=86400", "\"day\";r=7;t=10"},
        {KEY_PERIOD_MONTH, 7, 1709251200, 1709251100, "\"month\";q=1000;w=2505600",
         "\"month\";r=7;t=100"},
        {KEY_PERIOD_MONTH, 7, 1772323200, 1772323190, "\"month\";q=1000;w=2419200",
         "\"month\";r=7;t=10"},
        {KEY_PERIOD_DAY, 5000, 1772323200, 1772323300, "\"day\";q=1000;w=86400",
         "\"day\";r=1000;t=0"},
        {KEY_PERIOD_MONTH, 0, 0, 5, "\"month\";q=1000", "\"month\";r=0"},
        {KEY_PERIOD_WEEK, 7, 1772323200, 1772323190, "\"week\";q=1000;w=604800",
         "\"week\";r=7;t=10"},
        {KEY_PERIOD_OTHER, 7, 1772323200, 1772323190, "\"quota\";q=1000", "\"quota\";r=7;t=10"},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct key_plan plan = {.quota = 1000, .period = cases[i].period};
        struct ratelimit limit = ratelimit_of_quota(
            &plan, cases[i].left, cases[i].reset_s * SECOND_US, cases[i].now_s * SECOND_US);
        assert_string_equal(arena_cstr(&arena, ratelimit_policy(&limit, 1, &arena)),
                            cases[i].policy);
        assert_string_equal(arena_cstr(&arena, ratelimit_state(&limit, 1, &arena)), cases[i].now);
    }
    arena_clear(&arena);
}

/* Rule 26. */
static void lists(void **state)
{
    struct ratelimit both[] = {{"rate", 20, 3, 2, 1}, {"day", UINT64_MAX, UINT64_MAX, 86400, 60}};
    struct arena arena = {0};
    (void)state;
    assert_string_equal(arena_cstr(&arena, ratelimit_policy(both, 2, &arena)),
                        "\"rate\";q=20;w=2, \"day\";q=999999999999999;w=86400");
    assert_string_equal(arena_cstr(&arena, ratelimit_state(both, 2, &arena)),
                        "\"rate\";r=3;t=1, \"day\";r=999999999999999;t=60");
    assert_int_equal(ratelimit_seconds(1), 1);
    assert_int_equal(ratelimit_seconds(1000000000), 1);
    assert_int_equal(ratelimit_seconds(0), 0);
    arena_clear(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets),
        cmocka_unit_test(quotas),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
