/* Points in time, and that waiting for one ends. */
#include "base/wait.h"
#include "tests/support/unit.h"

#include <errno.h>

static int64_t ms_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void points_in_time(void **state)
{
    static const int64_t cases[] = {0, 1, 999, 1000, 1001, 86399999, 1 << 30};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        struct timespec until = wait_deadline(cases[i]);
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_true(until.tv_nsec >= 0 && until.tv_nsec < 1000000000);
        assert_true(ms_of(until) >= ms_of(before) + cases[i]);
        assert_true(ms_of(until) <= ms_of(after) + cases[i]);
    }
}

static void waits_by_that_clock(void **state)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    struct timespec until = wait_deadline(20), now;
    (void)state;
    wait_cond_init(&cond);
    pthread_mutex_lock(&mutex);
    while (pthread_cond_timedwait(&cond, &mutex, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&mutex);
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_true(ms_of(now) >= ms_of(until));
    pthread_cond_destroy(&cond);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_in_time),
        cmocka_unit_test(waits_by_that_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
