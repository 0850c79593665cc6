/* Unary calls from our client to our server. */
#include "tests/unit/rpc/pair.h"

static int setup(void **state)
{
    struct pair *pair = *state = test_malloc(sizeof *pair);
    pair_open(pair, 2, 8);
    return 0;
}

static int teardown(void **state)
{
    pair_close(*state);
    test_free(*state);
    return 0;
}

static void answers(void **state)
{
    USER *user;
    struct error err;
    assert_int_equal(pair_get(*state, "u1", &user, &err), CODE_OK);
    assert_string_equal(user->id, "u1");
}

static void carries_errors_with_details(void **state)
{
    USER *user;
    struct error err;
    assert_int_equal(pair_get(*state, "missing", &user, &err), CODE_NOT_FOUND);
    assert_null(user);
    assert_string_equal(err.text, "there is no user missing");
    assert_string_equal(err.reason, "USER_NOT_FOUND");
    assert_int_equal(err.field_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, setup, teardown),
        cmocka_unit_test_setup_teardown(carries_errors_with_details, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
