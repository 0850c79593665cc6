/* struct error to google.rpc.Status and back. */
#include "rpc/status_details.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static void carries_all_that_an_error_holds(void **state)
{
    struct arena arena = {0};
    struct error err, back;
    (void)state;
    error_clear(&err);
    for (int i = 0; i < ERROR_FIELDS_MAX + 1; i++)
        error_field(&err, "a.very.long.path", "%0250d", i);
    memset(err.reason, 'R', sizeof err.reason - 1);
    err.reason[sizeof err.reason - 1] = '\0';
    err.retry_after_ms = UINT32_MAX;
    struct str bytes = status_details_encode(&arena, &err);
    assert_in_range(bytes.len, 1, 4096); /* base64 and all below what peers take in metadata */
    error_set(&back, CODE_INVALID_ARGUMENT, NULL, "kept");
    status_details_decode(bytes, &back);
    assert_int_equal(back.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(back.text, "kept");
    assert_string_equal(back.reason, err.reason);
    assert_int_equal(back.retry_after_ms / 1000, UINT32_MAX / 1000);
    assert_int_equal(back.field_count, ERROR_FIELDS_MAX);
    for (int i = 0; i < ERROR_FIELDS_MAX; i++) {
        assert_string_equal(back.fields[i].path, err.fields[i].path);
        assert_string_equal(back.fields[i].text, err.fields[i].text);
    }
    arena_clear(&arena);
}

static void says_nothing_when_there_is_nothing_to_add(void **state)
{
    struct arena arena = {0};
    struct error err;
    (void)state;
    error_set(&err, CODE_INTERNAL, NULL, "plain");
    assert_int_equal(status_details_encode(&arena, &err).len, 0);
    arena_clear(&arena);
}

static void passes_over_what_it_does_not_know(void **state)
{
    static const struct str cases[] = {
        {"", 0},
        {"\xff\xff", 2},
        {"\x08\x05\x1a\x00", 4},               /* a detail without type */
        {"\x08\x05\x1a\x07\x0a\x05other", 11}, /* another type */
        {"\x1a\x1f\x0a\x19x/google.rpc.RetryInfo\0\0\0\0\x12\x02\xff\xff", 33}, /* damaged */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        error_set(&err, CODE_NOT_FOUND, NULL, "kept");
        status_details_decode(cases[i], &err);
        assert_string_equal(err.text, "kept");
        assert_string_equal(err.reason, "");
        assert_int_equal(err.field_count, 0);
        assert_int_equal(err.retry_after_ms, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_all_that_an_error_holds),
        cmocka_unit_test(says_nothing_when_there_is_nothing_to_add),
        cmocka_unit_test(passes_over_what_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
