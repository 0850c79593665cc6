/* Requests as values: finding headers, lists of tokens, reasons. */
#include "tests/support/unit.h"

#include "http/http.h"

#include <string.h>

static void headers_are_found_in_any_case(void **state)
{
    (void)state;
    const struct http_header headers[] = {
        {STR("Accept"), STR("a")}, {STR("X-Key"), STR("")}, {STR("accept"), STR("b")}};
    const struct http_request request = {.header_count = 3, .headers = headers};
    assert_true(str_eq(http_header_find(&request, STR("ACCEPT")), STR("a")));
    assert_int_equal(http_header_count(&request, STR("aCCept")), 2);
    assert_non_null(http_header_find(&request, STR("x-key")).ptr);
    assert_null(http_header_find(&request, STR("x-ke")).ptr);
    assert_int_equal(http_header_count(&request, STR("x-ke")), 0);
    struct arena arena = {0};
    assert_string_equal(arena_cstr(&arena, http_header_list(&request, STR("accept"), &arena)),
                        "a, b");
    assert_ptr_equal(http_header_list(&request, STR("x-key"), &arena).ptr,
                     http_header_find(&request, STR("x-key")).ptr);
    assert_null(http_header_list(&request, STR("x-ke"), &arena).ptr);
    arena_clear(&arena);
}

static void tokens_in_lists(void **state)
{
    (void)state;
    static const struct {
        const char *value, *token;
        bool found;
    } cases[] = {
        {"close", "close", true},       {"Close", "close", true},   {"a, close ,b", "close", true},
        {"a\t,\tclose", "close", true}, {"closed", "close", false}, {"a close", "close", false},
        {"", "close", false},           {",,", "close", false},     {"not-close", "close", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool found = http_token_in_list(str_of(cases[i].value), str_of(cases[i].token));
        assert_int_equal(found, cases[i].found);
    }
}

static void reasons(void **state)
{
    (void)state;
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(404), "Not Found");
    assert_string_equal(http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_reason(599), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found_in_any_case),
        cmocka_unit_test(tokens_in_lists),
        cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
