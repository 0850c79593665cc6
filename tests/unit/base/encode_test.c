/* Text forms of bytes, with the vectors of RFC 4648. */
#include "tests/support/unit.h"

#include "base/encode.h"
#include "base/time_text.h"

#include <string.h>

/* Rule 11. */
static void base64_has_the_vectors_of_rfc_4648(void **state)
{
    static const struct {
        const char *bytes, *text, *url;
    } cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xFB\xFF", "+/8=", "-_8"},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init_arena(&out, &arena, 100);
        encode_base64(&out, str_of(cases[i].bytes));
        assert_string_equal(buf_cstr(&out), cases[i].text);
        buf_reset(&out);
        encode_base64url(&out, str_of(cases[i].bytes));
        assert_string_equal(buf_cstr(&out), cases[i].url);
        buf_reset(&out);
        assert_true(decode_base64(&out, str_of(cases[i].text), true));
        assert_string_equal(buf_cstr(&out), cases[i].bytes);
        buf_reset(&out);
        assert_true(decode_base64(&out, str_of(cases[i].url), true));
        assert_string_equal(buf_cstr(&out), cases[i].bytes);
    }
    arena_clear(&arena);
}

static void base64_refuses_what_it_cannot_be(void **state)
{
    static const char *const wrong[] = {"A",        "Zg=",  "Zg===", "Z g=", "Zm9v=", "=",
                                        "Zm9vYg=a", " m9v", "Z 9v",  "Zm v", "Zm9 "};
    struct arena arena = {0};
    struct buf out;
    (void)state;
    buf_init_arena(&out, &arena, 100);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(decode_base64(&out, str_of(wrong[i]), false));
    buf_reset(&out);
    assert_false(decode_base64(&out, STR("Zh"), true));
    buf_reset(&out);
    assert_true(decode_base64(&out, STR("Zh"), false));
    buf_init_arena(&out, &arena, 2);
    assert_false(decode_base64(&out, STR("Zm9v"), true));
    arena_clear(&arena);
}

static void base64url_has_one_spelling(void **state)
{
    static const char *const wrong[] = {"A",  "Zg==", "Zg=", "+_8", "-/8",
                                        "Zh", "Zm9",  "Z m", "Zg\n"};
    struct arena arena = {0};
    struct buf out;
    (void)state;
    buf_init_arena(&out, &arena, 100);
    assert_true(decode_base64url(&out, STR("-_8")));
    assert_string_equal(buf_cstr(&out), "\xFB\xFF");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        buf_reset(&out);
        assert_false(decode_base64url(&out, str_of(wrong[i])));
    }
    buf_reset(&out);
    assert_true(decode_base64url(&out, STR("")) && !out.len);
    arena_clear(&arena);
}

static void hex_and_percent_there_and_back(void **state)
{
    struct arena arena = {0};
    struct buf out;
    uint8_t bytes[2];
    (void)state;
    buf_init_arena(&out, &arena, 100);
    encode_hex(&out, STR("\x00\xAF"));
    assert_string_equal(buf_cstr(&out), "00af");
    assert_true(decode_hex(STR("00Af"), bytes) && bytes[1] == 0xAF);
    assert_false(decode_hex(STR("0"), bytes));
    assert_false(decode_hex(STR("0g"), bytes));
    buf_reset(&out);
    encode_percent(&out, STR("a b/\xC3\xA9~"));
    assert_string_equal(buf_cstr(&out), "a%20b%2F%C3%A9~");
    buf_reset(&out);
    assert_true(decode_percent(&out, STR("a%20b%2f+"), false));
    assert_string_equal(buf_cstr(&out), "a b/+");
    buf_reset(&out);
    assert_true(decode_percent(&out, STR("a+b"), true));
    assert_string_equal(buf_cstr(&out), "a b");
    assert_false(decode_percent(&out, STR("%"), false));
    assert_false(decode_percent(&out, STR("%2"), false));
    assert_false(decode_percent(&out, STR("%2x"), false));
    arena_clear(&arena);
}

/* Rule 13. */
static void times_there_and_back(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
        const char *again;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0, NULL},
        {"0001-01-01T00:00:00Z", -62135596800, 0, NULL},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999, NULL},
        {"2024-02-29T12:00:00.100Z", 1709208000, 100000000, NULL},
        {"2024-02-29T12:00:00.1Z", 1709208000, 100000000, "2024-02-29T12:00:00.100Z"},
        {"2024-02-29T12:00:00.000001Z", 1709208000, 1000, NULL},
        {"2024-02-29T13:30:00+01:30", 1709208000, 0, "2024-02-29T12:00:00Z"},
        {"2024-02-28T23:00:00-13:00", 1709208000, 0, "2024-02-29T12:00:00Z"},
        {"1969-12-31T23:59:59.5Z", -1, 500000000, "1969-12-31T23:59:59.500Z"},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds;
        int32_t nanos;
        struct buf out;
        assert_true(time_parse_rfc3339(str_of(cases[i].text), &seconds, &nanos));
        assert_true(seconds == cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
        buf_init_arena(&out, &arena, 100);
        time_add_rfc3339(&out, seconds, nanos);
        assert_string_equal(buf_cstr(&out), cases[i].again ? cases[i].again : cases[i].text);
        assert_true(time_seconds_of(time_utc_of(seconds)) == seconds);
    }
    struct buf out;
    buf_init_arena(&out, &arena, 100);
    time_add_rfc3339_us(&out, -1);
    assert_string_equal(buf_cstr(&out), "1969-12-31T23:59:59.999999Z");
    arena_clear(&arena);
}

/* Rule 13. */
static void refuses_times_that_are_none(void **state)
{
    static const char *const wrong[] = {
        "",
        "2024-02-29",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01t00:00:00Z",
        "2024-01-01T00:00:00z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00+1:00",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00Zx",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
    };
    int64_t seconds;
    int32_t nanos;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(time_parse_rfc3339(str_of(wrong[i]), &seconds, &nanos));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_has_the_vectors_of_rfc_4648),
        cmocka_unit_test(base64_refuses_what_it_cannot_be),
        cmocka_unit_test(base64url_has_one_spelling),
        cmocka_unit_test(hex_and_percent_there_and_back),
        cmocka_unit_test(times_there_and_back),
        cmocka_unit_test(refuses_times_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
