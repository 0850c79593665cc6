/* The error domain: cutting, prefixing, field violations. */
#include "tests/support/unit.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

static void names_every_code(void **state)
{
    (void)state;
    assert_string_equal(code_name(CODE_OK), "OK");
    assert_string_equal(code_name(CODE_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(code_name((enum code)17), "UNKNOWN");
}

static void cuts_long_texts_between_characters(void **state)
{
    struct error err;
    char text[600];
    (void)state;
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[598] = '\0';
    assert_int_equal(error_set(&err, CODE_INTERNAL, "BOOM", "x%s", text), CODE_INTERNAL);
    assert_true(str_is_utf8(str_of(err.text)));
    assert_true(strlen(err.text) > 250);
    error_prefix(&err, "deep");
    assert_true(str_starts(str_of(err.text), STR("deep: x\xC3\xA9")));
    assert_true(str_is_utf8(str_of(err.text)));
    assert_int_equal(err.code, CODE_INTERNAL);
    assert_string_equal(err.reason, "BOOM");
}

static void cuts_paths_and_prefixes_between_characters_too(void **state)
{
    struct error err = {0};
    (void)state;
    for (size_t plain = 0; plain < 3; plain++) { /* so that the cut falls on each byte */
        char text[600] = "abc";
        for (size_t i = plain; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xC3\xA9", 2);
        error_clear(&err);
        error_field(&err, text, "%s", text);
        assert_true(str_is_utf8(str_of(err.fields[0].path)));
        assert_true(str_is_utf8(str_of(err.fields[0].text)));
        assert_true(str_is_utf8(str_of(err.text)));
        error_set(&err, CODE_INTERNAL, NULL, "old");
        error_prefix(&err, text);
        assert_true(str_is_utf8(str_of(err.text)));
        assert_true(strlen(err.text) > 250);
    }
}

static void collects_field_violations_up_to_a_bound(void **state)
{
    struct error err;
    (void)state;
    error_set(&err, CODE_NOT_FOUND, "X", "an older error");
    for (int i = 0; i < ERROR_FIELDS_MAX + 3; i++)
        assert_int_equal(error_field(&err, "user.email", "is wrong, %d", i), CODE_INVALID_ARGUMENT);
    assert_int_equal(err.field_count, ERROR_FIELDS_MAX);
    assert_string_equal(err.fields[1].text, "is wrong, 1");
    assert_string_equal(err.text, "user.email: is wrong, 0");
    assert_string_equal(err.reason, "INVALID_FIELD");
}

static void names_fields_of_any_error(void **state)
{
    struct error err;
    (void)state;
    error_set(&err, CODE_ALREADY_EXISTS, "TAKEN", "somebody has it");
    err.retry_after_ms = 7;
    for (int i = 0; i < ERROR_FIELDS_MAX + 3; i++)
        assert_int_equal(error_add_field(&err, "user.email", "is taken"), CODE_ALREADY_EXISTS);
    assert_int_equal(err.code, CODE_ALREADY_EXISTS);
    assert_string_equal(err.reason, "TAKEN");
    assert_string_equal(err.text, "somebody has it");
    assert_int_equal(err.retry_after_ms, 7);
    assert_int_equal(err.field_count, ERROR_FIELDS_MAX);
    assert_string_equal(err.fields[0].path, "user.email");
    assert_string_equal(err.fields[ERROR_FIELDS_MAX - 1].text, "is taken");
}

static void says_what_the_system_said(void **state)
{
    struct error err;
    (void)state;
    error_errno(&err, CODE_FAILED_PRECONDITION, EACCES, "open %s", "/x");
    assert_string_equal(err.text, "open /x: Permission denied");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_code),
        cmocka_unit_test(cuts_long_texts_between_characters),
        cmocka_unit_test(cuts_paths_and_prefixes_between_characters_too),
        cmocka_unit_test(collects_field_violations_up_to_a_bound),
        cmocka_unit_test(names_fields_of_any_error),
        cmocka_unit_test(says_what_the_system_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
