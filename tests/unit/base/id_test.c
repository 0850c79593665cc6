/* UUID version 7: form, time, and order even when the clock goes back. */
#include "tests/support/unit.h"

#include "base/id.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, PER_THREAD = 5000 };

static int64_t wall_now;

static int64_t fake_wall(const struct clock *clock)
{
    (void)clock;
    return wall_now;
}

static void has_the_form_and_the_time(void **state)
{
    static const struct clock fake = {fake_wall, fake_wall};
    char text[ID_TEXT_BYTES + 1];
    struct id parsed;
    (void)state;
    wall_now = clock_wall_us(clock_real()) + 3600 * 1000000LL; /* ahead of all ids made so far */
    struct id id = id_new(&fake);
    id_format(id, text);
    assert_int_equal(strlen(text), 36);
    assert_int_equal(text[14], '7');
    assert_non_null(strchr("89ab", text[19]));
    assert_true(id_time_ms(id) == wall_now / 1000);
    assert_true(id_parse(str_of(text), &parsed) && memcmp(&parsed, &id, sizeof id) == 0);
}

static void grows_even_when_the_clock_goes_back(void **state)
{
    static const struct clock fake = {fake_wall, fake_wall};
    (void)state;
    wall_now += 1000000;
    struct id last = id_new(&fake);
    for (int i = 0; i < 20000; i++) {
        if (i == 10000)
            wall_now -= 3600000000LL;
        struct id id = id_new(&fake);
        assert_true(memcmp(&last, &id, 8) < 0);
        last = id;
    }
}

static void refuses_what_is_no_uuid(void **state)
{
    static const char *const wrong[] = {
        "",
        "0190b5a0-0000-7000-8000-00000000000",
        "0190b5a0-0000-7000-8000-0000000000000",
        "0190b5a0x0000-7000-8000-000000000000",
        "0190b5a0-0000-7000-8000-00000000000g",
        "0190b5a000007000800000000000000000-0",
    };
    struct id id;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(id_parse(str_of(wrong[i]), &id));
    assert_true(id_parse(STR("0190B5A0-0000-7000-8000-ABCDEFABCDEF"), &id));
}

static void *make_many(void *argument)
{
    struct id *ids = argument;
    for (int i = 0; i < PER_THREAD; i++)
        ids[i] = id_new(clock_real());
    return NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

static void never_gives_one_twice_among_threads(void **state)
{
    static struct id ids[THREADS * PER_THREAD];
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, ids + i * PER_THREAD), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, THREADS * PER_THREAD, sizeof *ids, by_bytes);
    for (int i = 1; i < THREADS * PER_THREAD; i++)
        assert_true(memcmp(&ids[i - 1], &ids[i], 8) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_form_and_the_time),
        cmocka_unit_test(grows_even_when_the_clock_goes_back),
        cmocka_unit_test(refuses_what_is_no_uuid),
        cmocka_unit_test(never_gives_one_twice_among_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
