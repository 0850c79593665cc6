/* The reader against tables of texts: what is taken, what is refused and where. */
#include "base/buf.h"
#include "tests/support/unit.h"
#include "json/json_in.h"

#include <stdio.h>
#include <string.h>

struct refused {
    const char *text, *words;
};

static const struct refused REFUSED[] = {
    {"", "line 1, column 1: the text is empty"},
    {"  \n ", "line 2, column 2: the text is empty"},
    {"{", "a string was expected"},
    {"{\"a\"}", "line 1, column 5: ':' was expected"},
    {"{\"a\":1,}", "a string was expected"},
    {"{a:1}", "a string was expected"},
    {"{\"a\":1 \"b\":2}", "',' or '}' was expected"},
    {"[1,]", "line 1, column 4: a value was expected"},
    {"[1 2]", "',' or ']' was expected"},
    {"[1", "',' or ']' was expected"},
    {"1 2", "line 1, column 3: something follows"},
    {"{}x", "something follows"},
    {"01", "a value was expected"},
    {"+1", "a value was expected"},
    {".5", "a value was expected"},
    {"1.", "a value was expected"},
    {"-", "a value was expected"},
    {"1e", "a value was expected"},
    {"1e+", "a value was expected"},
    {"0x10", "something follows"},
    {"NaN", "a value was expected"},
    {"nul", "a value was expected"},
    {"True", "a value was expected"},
    {"'a'", "a value was expected"},
    {"\"a", "does not end"},
    {"\"a\\\"", "does not end"},
    {"\"\\", "no such escape"},
    {"\"\\x\"", "no such escape"},
    {"\"\\u12\"", "four hex digits"},
    {"\"\\u12g4\"", "four hex digits"},
    {"\"\\ud800\"", "surrogate"},
    {"\"\\udc00\"", "surrogate"},
    {"\"\\udc00\\udc00\"", "surrogate"},
    {"\"\\ud800\\ud800\"", "surrogate"},
    {"\"\\ud800\\u0041\"", "surrogate"},
    {"\"\\ud800x\"", "surrogate"},
    {"\"a\nb\"", "line 1, column 3: a control character"},
    {"\"a\\n\x01\"", "control character"},
    {"\"\xff\"", "line 1, column 2: not UTF-8"},
    {"\n\"abc\xed\xa0\x80\"", "line 2, column 5: not UTF-8"},
    {"\"\xc3", "not UTF-8"},
    {"\xef\xbb\xbf{}", "a value was expected"},
    {"{\"a\":1,\"\\u0061\":2}", "same key twice"},
    {"// no\n1", "a value was expected"},
};

/* Rules 12 and 13: what is no JSON, no UTF-8, or says a key twice. */
static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        struct arena arena = {0};
        struct error err = {0};
        const struct json_value *value;
        enum code code =
            json_read(&arena, str_of(REFUSED[i].text), json_limits_default(), &value, &err);
        if (code != CODE_INVALID_ARGUMENT || !strstr(err.text, REFUSED[i].words))
            fail_msg("%s: %s (wanted: %s)", REFUSED[i].text, err.text, REFUSED[i].words);
        assert_string_equal(err.reason, "INVALID_JSON");
        assert_null(value);
        arena_clear(&arena);
    }
}

/* One letter a value, texts as they are: enough to see the whole tree. */
static void show(const struct json_value *value, struct buf *out)
{
    if (value->kind == JSON_STRING)
        buf_addf(out, "s<%.*s>", STR_ARG(value->text));
    else if (value->kind == JSON_NUMBER)
        buf_addf(out, "n<%.*s>", STR_ARG(value->text));
    else if (value->kind < JSON_NUMBER)
        buf_addf(out, "%c", "zft"[value->kind]);
    else
        buf_addf(out, "%c%u(", value->kind == JSON_ARRAY ? 'a' : 'o', value->count);
    for (const struct json_value *v = value->first; v; v = v->next) {
        if (value->kind == JSON_OBJECT)
            buf_addf(out, "%.*s=", STR_ARG(v->key));
        show(v, out);
    }
    if (value->kind >= JSON_ARRAY)
        buf_add_char(out, ')');
}

static const char *const TAKEN[][2] = {
    {"null", "z"},
    {" true ", "t"},
    {"\r\n\tfalse", "f"},
    {"-0", "n<-0>"},
    {"18446744073709551615", "n<18446744073709551615>"},
    {"1E+2", "n<1E+2>"},
    {"\"\"", "s<>"},
    {"\"plain text that is longer than eight\"", "s<plain text that is longer than eight>"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s<\"\\/\b\f\n\r\t>"},
    {"\"a\\u00e9b\\u20ac\\ud83d\\ude00c\"", "s<a\xc3\xa9"
                                            "b\xe2\x82\xac\xf0\x9f\x98\x80"
                                            "c>"},
    {"\"\xf0\x9f\x98\x80\x7f\"", "s<\xf0\x9f\x98\x80\x7f>"},
    {"[]", "a0()"},
    {"{ }", "o0()"},
    {"[1,[2,\"x\"],{}]", "a3(n<1>a2(n<2>s<x>)o0())"},
    {"{\"b\":1,\"a\":{\"c\":[null]},\"\":true}", "o3(b=n<1>a=o1(c=a1(z))=t)"},
};

static void takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof TAKEN / sizeof *TAKEN; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf seen;
        const struct json_value *value;
        buf_init_arena(&seen, &arena, 10000);
        if (json_read(&arena, str_of(TAKEN[i][0]), json_limits_default(), &value, &err))
            fail_msg("%s: %s", TAKEN[i][0], err.text);
        show(value, &seen);
        assert_string_equal(buf_cstr(&seen), TAKEN[i][1]);
        arena_clear(&arena);
    }
}

static void keeps_nul_characters(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err = {0};
    const struct json_value *value;
    assert_int_equal(json_read(&arena, STR("\"a\\u0000b\""), json_limits_default(), &value, &err),
                     CODE_OK);
    assert_int_equal(value->text.len, 3);
    assert_memory_equal(value->text.ptr, "a\0b", 3);
    arena_clear(&arena);
}

static enum code read_nested(int depth, int limit, struct error *err)
{
    struct arena arena = {0};
    struct buf text;
    const struct json_value *value;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < depth; i++)
        buf_add_cstr(&text, i % 2 ? "[" : "{\"a\":");
    buf_add_cstr(&text, "1");
    for (int i = depth; i-- > 0;)
        buf_add_char(&text, i % 2 ? ']' : '}');
    enum code code =
        json_read(&arena, buf_str(&text), (struct json_limits){1 << 20, limit}, &value, err);
    buf_clear(&text);
    arena_clear(&arena);
    return code;
}

/* Rules 2 and 13. */
static void bounds_depth_and_length(void **state)
{
    (void)state;
    struct error err = {0};
    struct arena arena = {0};
    const struct json_value *value;
    assert_int_equal(read_nested(100, 100, &err), CODE_OK);
    assert_int_equal(read_nested(101, 100, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "JSON_TOO_DEEP");
    assert_int_equal(read_nested(1001, 100000, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "JSON_TOO_DEEP");
    assert_int_equal(json_read(&arena, STR("[1]"), (struct json_limits){2, 10}, &value, &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "JSON_TOO_LONG");
    arena_clear(&arena);
}

/* Rule 12. */
static void finds_duplicates_among_many_keys(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf text;
        const struct json_value *value;
        buf_init(&text, 1 << 20);
        buf_add_cstr(&text, "{");
        for (int i = 0; i < 2000; i++)
            buf_addf(&text, "\"k%d\":%d,", i, i);
        buf_addf(&text, "\"k%d\":1}", twice ? 1234 : 2000);
        assert_int_equal(json_read(&arena, buf_str(&text), json_limits_default(), &value, &err),
                         twice ? CODE_INVALID_ARGUMENT : CODE_OK);
        if (!twice)
            assert_string_equal(json_get(value, STR("k1999"))->text.ptr[0] == '1' ? "1" : "", "1");
        buf_clear(&text);
        arena_clear(&arena);
    }
}

static const struct {
    const char *text;
    bool is_i64, is_u64;
    int64_t i64;
    uint64_t u64;
} NUMBERS[] = {
    {"0", true, true, 0, 0},
    {"-0", true, true, 0, 0},
    {"-0.0e5", true, true, 0, 0},
    {"1", true, true, 1, 1},
    {"-1", true, false, -1, 0},
    {"1e2", true, true, 100, 100},
    {"1.0", true, true, 1, 1},
    {"100e-2", true, true, 1, 1},
    {"0.001e3", true, true, 1, 1},
    {"1.5", false, false, 0, 0},
    {"1e-1", false, false, 0, 0},
    {"100e-3", false, false, 0, 0},
    {"9007199254740993", true, true, 9007199254740993, 9007199254740993},
    {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
    {"9223372036854775808", false, true, 0, 9223372036854775808u},
    {"-9223372036854775808", true, false, INT64_MIN, 0},
    {"-9223372036854775809", false, false, 0, 0},
    {"18446744073709551615", false, true, 0, UINT64_MAX},
    {"18446744073709551616", false, false, 0, 0},
    {"1844674407370955161500e-2", false, true, 0, UINT64_MAX},
    {"1e19", false, true, 0, 10000000000000000000u},
    {"1e20", false, false, 0, 0},
    {"1e999999999999999999999999", false, false, 0, 0},
    {"0e999999999999999999999999", true, true, 0, 0},
    {"1e-999999999999999999999999", false, false, 0, 0},
    {"1.000000000000000000000000000000", true, true, 1, 1},
    {"1.000000000000000000000000000001", false, false, 0, 0},
    {"123456789012345678901234567890", false, false, 0, 0},
};

/* Rule 11. */
static void reads_integers_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        int64_t i64 = 0;
        uint64_t u64 = 0;
        struct str text = str_of(NUMBERS[i].text);
        assert_true(json_is_number(text));
        if (json_number_i64(text, &i64) != NUMBERS[i].is_i64 ||
            (NUMBERS[i].is_i64 && i64 != NUMBERS[i].i64))
            fail_msg("i64 %s", NUMBERS[i].text);
        if (json_number_u64(text, &u64) != NUMBERS[i].is_u64 ||
            (NUMBERS[i].is_u64 && u64 != NUMBERS[i].u64))
            fail_msg("u64 %s", NUMBERS[i].text);
    }
}

/* Rule 11. */
static void reads_reals(void **state)
{
    (void)state;
    double d;
    float f;
    assert_true(json_number_double(STR("1.7976931348623157e308"), &d));
    assert_false(json_number_double(STR("1.8e308"), &d));
    assert_true(json_number_double(STR("-0"), &d) && __builtin_signbit(d));
    assert_true(json_number_float(STR("3.402823e38"), &f));
    assert_false(json_number_float(STR("3.502823e38"), &f));
    char digits[300];
    memset(digits, '1', sizeof digits);
    assert_true(json_number_double((struct str){digits, sizeof digits}, &d));
    assert_false(json_is_number(STR("1 ")));
    assert_false(json_is_number(STR("")));
    assert_false(json_is_number(STR("Infinity")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(takes),
        cmocka_unit_test(keeps_nul_characters),
        cmocka_unit_test(bounds_depth_and_length),
        cmocka_unit_test(finds_duplicates_among_many_keys),
        cmocka_unit_test(reads_integers_exactly),
        cmocka_unit_test(reads_reals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
