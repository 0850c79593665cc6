/* Views on bytes: comparison, splitting, numbers, UTF-8. */
#include "tests/support/unit.h"

#include "base/str.h"

static void compares_by_bytes_and_ignores_case_only_in_ascii(void **state)
{
    (void)state;
    assert_true(str_eq(STR("abc"), STR("abc")));
    assert_false(str_eq(STR("abc"), STR("ab")));
    assert_true(str_eq_case(STR("Content-Length"), STR("content-lENGTH")));
    assert_false(str_eq_case(STR("\xC3\x84"), STR("\xC3\xA4")));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("\xFF"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR(""), STR("")), 0);
    assert_true(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
    assert_true(str_eq(str_trim(STR(" \ta b\t ")), STR("a b")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
}

static void splits_into_pieces(void **state)
{
    static const struct {
        const char *text;
        const char *pieces[5];
    } cases[] = {
        {"a,b,c", {"a", "b", "c"}}, {"", {""}}, {",", {"", ""}}, {"a,", {"a", ""}}, {"a", {"a"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str rest = str_of(cases[i].text), piece;
        size_t count = 0;
        while (str_next(&rest, ',', &piece)) {
            assert_non_null(cases[i].pieces[count]);
            assert_true(str_eq(piece, str_of(cases[i].pieces[count])));
            count++;
        }
        assert_null(cases[i].pieces[count]);
    }
}

static void reads_whole_numbers_to_their_limits(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1x", false, 0},
    };
    uint64_t number;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        assert_int_equal(str_to_i64(str_of(cases[i].text), &value), cases[i].ok);
        if (cases[i].ok)
            assert_true(value == cases[i].value);
    }
    assert_true(str_to_u64(STR("18446744073709551615"), &number) && number == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &number));
    assert_false(str_to_u64(STR("-1"), &number));
}

static void knows_well_formed_utf8(void **state)
{
    static const struct {
        struct str text;
        bool ok;
    } cases[] = {
        {STR(""), true},
        {STR("plain ascii that is longer than eight bytes"), true},
        {STR("\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), true},
        {STR("12345678\xC3\xA9"), true},
        {STR("\x80"), false},
        {STR("\xC0\x80"), false},         /* over-long */
        {STR("\xC1\xBF"), false},         /* over-long */
        {STR("\xE0\x9F\xBF"), false},     /* over-long */
        {STR("\xED\xA0\x80"), false},     /* surrogate */
        {STR("\xF0\x8F\xBF\xBF"), false}, /* over-long */
        {STR("\xF4\x90\x80\x80"), false}, /* above U+10FFFF */
        {STR("\xF5\x80\x80\x80"), false},
        {STR("\xE2\x82"), false}, /* cut off */
        {STR("abcdefgh\xC3"), false},
        {STR("\xC3("), false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(str_is_utf8(cases[i].text), cases[i].ok);
}

static void cuts_between_characters(void **state)
{
    (void)state;
    struct str text = STR("a\xC3\xA9\xE2\x82\xAC");
    static const size_t lengths[] = {0, 1, 1, 3, 3, 3, 6, 6};
    for (size_t max = 0; max < sizeof lengths / sizeof *lengths; max++)
        assert_int_equal(str_utf8_cut(text, max).len, lengths[max]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_by_bytes_and_ignores_case_only_in_ascii),
        cmocka_unit_test(splits_into_pieces),
        cmocka_unit_test(reads_whole_numbers_to_their_limits),
        cmocka_unit_test(knows_well_formed_utf8),
        cmocka_unit_test(cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
