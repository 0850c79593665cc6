/* The JSON emitter, read back by golden texts. */
#include "tests/support/unit.h"

#include "base/json_out.h"

#include <math.h>
#include <string.h>

static void puts_commas_where_they_belong(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    struct json_out json = json_out_to(&out);
    json_object_begin(&json);
    json_key(&json, STR("a"));
    json_array_begin(&json);
    json_i64(&json, -1);
    json_u64(&json, UINT64_MAX);
    json_object_begin(&json);
    json_object_end(&json);
    json_bool(&json, true);
    json_null(&json);
    json_array_end(&json);
    json_key(&json, STR("b"));
    json_raw(&json, STR("[1]"));
    json_key(&json, STR("c"));
    json_string(&json, STR("x"));
    json_object_end(&json);
    assert_string_equal(buf_cstr(&out),
                        "{\"a\":[-1,18446744073709551615,{},true,null],\"b\":[1],\"c\":\"x\"}");
    buf_clear(&out);
}

static void escapes_what_must_be_and_repairs_what_is_no_utf8(void **state)
{
    static const struct {
        struct str text;
        const char *json;
    } cases[] = {
        {STR("plain"), "\"plain\""},
        {STR("\"\\\n\r\t\b\x01\x7F"), "\"\\\"\\\\\\n\\r\\t\\u0008\\u0001\\u007f\""},
        {STR("\0"), "\"\\u0000\""},
        {STR("J\xC3\xB6rg \xF0\x9F\x98\x80"), "\"J\xC3\xB6rg \xF0\x9F\x98\x80\""},
        {STR("a\xFF\x62"), "\"a\xEF\xBF\xBD\x62\""},
        {STR("\xC3\xB6\xC3(\xE2\x82\xAC"),
         "\"\xC3\xB6\xEF\xBF\xBD(\xE2\x82\xAC\""}, /* only what is bad */
    };
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_out json = json_out_to(&out);
        buf_reset(&out);
        json_string(&json, cases[i].text);
        assert_string_equal(buf_cstr(&out), cases[i].json);
    }
    buf_clear(&out);
}

/* Eight bytes are looked at together: each byte, at each place, in texts of each length. */
static void escapes_each_byte_at_each_place(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    for (int byte = 0; byte < 256; byte++) {
        bool plain = byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\';
        for (size_t length = 1; length <= 18; length++) {
            for (size_t at = 0; at < length; at++) {
                char text[18];
                memset(text, at % 2 ? '~' : ' ', sizeof text);
                text[at] = (char)byte;
                buf_reset(&out);
                json_escape(&out, (struct str){text, length});
                assert_int_equal(str_eq(buf_str(&out), (struct str){text, length}), plain);
                assert_true(plain || out.len > length);
            }
        }
    }
    buf_clear(&out);
}

static void writes_the_shortest_number_that_reads_back(void **state)
{
    static const struct {
        double value;
        const char *json;
    } cases[] = {
        {0.1, "0.1"},
        {1, "1"},
        {1.0 / 3, "0.3333333333333333"},
        {1e300, "1e+300"},
        {5e-324, "4.94065645841247e-324"},
        {NAN, "null"},
        {INFINITY, "null"},
    };
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_out json = json_out_to(&out);
        buf_reset(&out);
        json_double(&json, cases[i].value);
        assert_string_equal(buf_cstr(&out), cases[i].json);
    }
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_commas_where_they_belong),
        cmocka_unit_test(escapes_what_must_be_and_repairs_what_is_no_utf8),
        cmocka_unit_test(escapes_each_byte_at_each_place),
        cmocka_unit_test(writes_the_shortest_number_that_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
