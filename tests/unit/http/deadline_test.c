/* Lists of deadlines: in order of expiry, set again, moved between kinds, cleared. */
#include "tests/support/unit.h"

#include "http/deadline.h"

static void expire_in_the_order_of_setting(void **state)
{
    (void)state;
    struct deadline_list list;
    struct deadline a = {0}, b = {0}, c = {0};
    deadline_list_init(&list, 100);
    assert_null(deadline_expired(&list, 1000));
    assert_true(deadline_next_ms(&list) == INT64_MAX);
    deadline_set(&list, &a, 0);
    deadline_set(&list, &b, 10);
    deadline_set(&list, &c, 10);
    assert_int_equal(deadline_next_ms(&list), 100);
    assert_null(deadline_expired(&list, 99));
    assert_ptr_equal(deadline_expired(&list, 100), &a);
    deadline_set(&list, &a, 20); /* again: now behind the others */
    assert_null(deadline_expired(&list, 109));
    assert_ptr_equal(deadline_expired(&list, 110), &b);
    deadline_clear(&b);
    assert_ptr_equal(deadline_expired(&list, 110), &c);
    deadline_clear(&c);
    assert_int_equal(deadline_next_ms(&list), 120);
    deadline_clear(&a);
    assert_true(deadline_next_ms(&list) == INT64_MAX);
}

static void move_between_kinds(void **state)
{
    (void)state;
    struct deadline_list idle, body;
    struct deadline a = {0};
    deadline_list_init(&idle, 1000);
    deadline_list_init(&body, 10);
    assert_false(deadline_is_set(&a));
    deadline_clear(&a);
    deadline_set(&idle, &a, 0);
    deadline_set(&body, &a, 5);
    assert_true(deadline_is_set(&a));
    assert_null(deadline_expired(&idle, 5000));
    assert_ptr_equal(deadline_expired(&body, 15), &a);
    deadline_clear(&a);
    assert_false(deadline_is_set(&a));
    assert_null(deadline_expired(&body, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expire_in_the_order_of_setting),
        cmocka_unit_test(move_between_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
