/*
 * JSON to wire, by tables. What is taken is shown again as JSON by the other direction (which has
 * its own tests and a foreign peer); what is refused is refused with the path and the words.
 */
#include "base/encode.h"
#include "gateway/transcode.h"
#include "tests/unit/gateway/nasty.h"

#include <string.h>

struct taken {
    const char *type, *json, *shown; /* shown NULL: the same text */
};

static const struct taken TAKEN[] = {
    {"Scalars", "{}", NULL},
    {"Scalars", "{\"aInt64\":\"9007199254740993\"}", NULL},
    {"Scalars", "{\"a_int64\":9007199254740993}", "{\"aInt64\":\"9007199254740993\"}"},
    {"Scalars", "{\"aInt32\":1e2,\"aUint32\":1.0,\"aInt64\":\"1e3\"}",
     "{\"aInt32\":100,\"aInt64\":\"1000\",\"aUint32\":1}"},
    {"Scalars", "{\"aInt32\":-2147483648,\"aUint32\":4294967295}", NULL},
    {"Scalars", "{\"aUint64\":18446744073709551615}", "{\"aUint64\":\"18446744073709551615\"}"},
    {"Scalars", "{\"aSint32\":-1,\"aSint64\":\"-9223372036854775808\",\"aFixed32\":4294967295}",
     NULL},
    {"Scalars", "{\"aFixed64\":\"1\",\"aSfixed32\":-1,\"aSfixed64\":\"-1\"}", NULL},
    {"Scalars", "{\"aDouble\":\"NaN\",\"aFloat\":\"-Infinity\"}", NULL},
    {"Scalars", "{\"aDouble\":\"1.5\",\"aFloat\":\"-2e3\"}", "{\"aDouble\":1.5,\"aFloat\":-2000}"},
    {"Scalars", "{\"aDouble\":-0}", "{\"aDouble\":-0.0}"},
    {"Scalars", "{\"aDouble\":0.1,\"aFloat\":0.1}", NULL},
    {"Scalars", "{\"aDouble\":1e300,\"aInt32\":0,\"aBool\":false,\"aString\":\"\"}",
     "{\"aDouble\":1e+300}"},
    {"Scalars", "{\"aBool\":true}", NULL},
    {"Scalars", "{\"aString\":\"\\u0000\\n\\\"\\\\\\u00e9\\ud83d\\ude00\"}",
     "{\"aString\":\"\\u0000\\n\\\"\\\\\xc3\xa9\xf0\x9f\x98\x80\"}"},
    {"Scalars", "{\"aBytes\":\"-_+/AA\"}", "{\"aBytes\":\"+/+/AA==\"}"},
    {"Scalars", "{\"aBytes\":\"AQ==\"}", NULL},
    {"Scalars", "{\"aColour\":\"COLOUR_CRIMSON\"}", "{\"aColour\":\"COLOUR_RED\"}"},
    {"Scalars", "{\"aColour\":-5}", "{\"aColour\":\"COLOUR_BELOW\"}"},
    {"Scalars", "{\"aColour\":77}", NULL},
    {"Scalars", "{\"odd__name_\":\"x\",\"an\\\"other\":\"y\"}",
     "{\"oddName\":\"x\",\"an\\\"other\":\"y\"}"},
    {"Scalars", "{\"aInt32\":null,\"aString\":null,\"aColour\":null}", "{}"},
    {"Optionals",
     "{\"aInt32\":0,\"aBool\":false,\"aString\":\"\",\"aBytes\":\"\",\"aColour\":\"COLOUR_NONE\"}",
     NULL},
    {"Optionals", "{\"aInt32\":null}", "{}"},
    {"Lists",
     "{\"doubles\":[1,\"NaN\"],\"int32s\":[1,-1],\"int64s\":[1,\"2\"],\"bools\":[true,false]}",
     "{\"doubles\":[1,\"NaN\"],\"int32s\":[1,-1],\"int64s\":[\"1\",\"2\"],\"bools\":[true,false]}"},
    {"Lists", "{\"strings\":[],\"int32s\":[],\"scalars\":null}", "{}"},
    {"Lists", "{\"scalars\":[{},{\"aInt32\":1}],\"values\":[null,1,[null]],\"wrapped\":[\"0\"]}",
     NULL},
    {"Maps",
     "{\"texts\":{\"\":\"\",\"b\":\"c\"},\"int32s\":{\"-1\":\"5\",\"0\":\"6\",\"100\":\"7\"},"
     "\"bools\":{\"true\":\"COLOUR_"
     "RED\"}}",
     NULL},
    {"Maps",
     "{\"uint64s\":{\"18446744073709551615\":false},\"scalars\":{\"e\":{}},\"values\":{\"n\":null}"
     "}",
     NULL},
    {"Oneofs", "{\"number\":0}", NULL},
    {"Oneofs", "{\"number\":null,\"text\":\"t\"}", "{\"text\":\"t\"}"},
    {"Oneofs", "{\"nothing\":null}", NULL},
    {"Oneofs", "{\"nothing\":\"NULL_VALUE\"}", "{\"nothing\":null}"},
    {"Oneofs", "{\"value\":null}", NULL},
    {"Oneofs", "{\"wrapped\":null,\"yes\":false}", "{\"yes\":false}"},
    {"Known", "{\"time\":\"0001-01-01T00:00:00Z\",\"span\":\"-0.000000001s\"}", NULL},
    {"Known", "{\"time\":\"9999-12-31T23:59:59.999999999Z\",\"span\":\"315576000000s\"}", NULL},
    {"Known", "{\"span\":\"-315576000000.999999999s\"}", NULL},
    {"Known", "{\"time\":\"2026-11-22T01:00:00.1+02:00\",\"span\":\"1.50s\"}",
     "{\"time\":\"2026-11-21T23:00:00.100Z\",\"span\":\"1.500s\"}"},
    {"Known", "{\"mask\":\"fooBar.bazQux,a\"}", NULL},
    {"Known", "{\"mask\":\"\"}", NULL},
    {"Known",
     "{\"tree\":{\"a\":null,\"b\":[1,\"2\",true,{}],\"\":{\"c\":-1.5}},\"value\":{},\"list\":[]}",
     NULL},
    {"Known", "{\"value\":null,\"empty\":{}}", NULL},
    {"Known",
     "{\"wInt64\":\"0\",\"wBool\":false,\"wString\":\"\",\"wBytes\":\"AA==\",\"wDouble\":\"NaN\"}",
     "{\"wDouble\":\"NaN\",\"wInt64\":\"0\",\"wBool\":false,\"wString\":\"\",\"wBytes\":\"AA==\"}"},
    {"Known", "{\"wInt64\":null,\"time\":null,\"any\":null,\"tree\":null}", "{}"},
    {"Known", "{\"any\":{}}", NULL},
    {"Known", "{\"any\":{\"name\":\"x\",\"@type\":\"a/omnidata.test.nasty.Tree\"}}",
     "{\"any\":{\"@type\":\"a/omnidata.test.nasty.Tree\",\"name\":\"x\"}}"},
    {"Known",
     "{\"any\":{\"@type\":\"a/google.protobuf.Timestamp\",\"value\":\"1970-01-01T00:00:00Z\"}}",
     NULL},
    {"Known", "{\"any\":{\"@type\":\"a/google.protobuf.Value\",\"value\":null}}", NULL},
    {"All", "{\"inner\":{\"size\":\"SIZE_HUGE\"},\"tree\":{\"left\":{\"right\":{}}}}",
     "{\"tree\":{\"left\":{\"right\":{}}},\"inner\":{\"size\":\"SIZE_HUGE\"}}"},
};

static struct str show(struct schema *schema, const struct schema_message *type, struct str wire,
                       struct arena *arena)
{
    struct buf *out = arena_alloc(arena, sizeof *out);
    struct error err = {0};
    buf_init_arena(out, arena, 1 << 20);
    struct transcode_out to = {schema, out, arena, false};
    if (transcode_message_out(&to, type, wire, &err) != CODE_OK)
        fail_msg("%s", err.text);
    return str_of(buf_cstr(out));
}

static enum code convert(struct schema *schema, const struct schema_message *type, const char *text,
                         struct arena *arena, struct buf *wire, struct error *err)
{
    const struct json_value *json;
    struct transcode_in in = {.schema = schema, .arena = arena, .out = wire, .err = err};
    buf_init_arena(wire, arena, 1 << 20);
    enum code code = json_read(arena, str_of(text), json_limits_default(), &json, err);
    return code ? code : transcode_message_in(&in, type, json, NULL, STR(""));
}

/* All rows that are wrong are told, not only the first. */
static int print_wrong(const char *json, const char *path, const char *seen)
{
    print_error("%s: %s %s\n", json, path, seen);
    return 1;
}

/* Rules 11, 12 and 13. */
static void takes(void **state)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof TAKEN / sizeof *TAKEN; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf wire;
        const struct schema_message *type = nasty_type(*state, TAKEN[i].type);
        if (convert(*state, type, TAKEN[i].json, &arena, &wire, &err) != CODE_OK)
            fail_msg("%s: %s", TAKEN[i].json, err.text);
        struct str seen = show(*state, type, buf_str(&wire), &arena);
        const char *wanted = TAKEN[i].shown ? TAKEN[i].shown : TAKEN[i].json;
        if (!str_eq(seen, str_of(wanted)))
            bad += print_wrong(TAKEN[i].json, "", seen.ptr);
        arena_clear(&arena);
    }
    assert_int_equal(bad, 0);
}

static const char *const REFUSED[][4] = {
    {"Scalars", "{\"aInt32\":1.5}", "aInt32", "whole number of 32 bits"},
    {"Scalars", "{\"aInt32\":2147483648}", "aInt32", "whole number of 32 bits"},
    {"Scalars", "{\"aUint32\":-1}", "aUint32", "unsigned 32 bits"},
    {"Scalars", "{\"aInt64\":\"9223372036854775808\"}", "aInt64", "64 bits"},
    {"Scalars", "{\"aUint64\":18446744073709551616}", "aUint64", "unsigned 64 bits"},
    {"Scalars", "{\"aInt32\":\"\"}", "aInt32", "must be an integer, not string"},
    {"Scalars", "{\"aInt32\":\" 1\"}", "aInt32", "must be an integer"},
    {"Scalars", "{\"aInt32\":\"01\"}", "aInt32", "must be an integer"},
    {"Scalars", "{\"aInt32\":\"0x1\"}", "aInt32", "must be an integer"},
    {"Scalars", "{\"aInt32\":true}", "aInt32", "must be an integer, not boolean"},
    {"Scalars", "{\"aInt32\":[1]}", "aInt32", "must be an integer, not array"},
    {"Scalars", "{\"aDouble\":1e400}", "aDouble", "out of range"},
    {"Scalars", "{\"aFloat\":3.5e38}", "aFloat", "out of range"},
    {"Scalars", "{\"aDouble\":\"nan\"}", "aDouble", "must be a number"},
    {"Scalars", "{\"aDouble\":\"+Infinity\"}", "aDouble", "must be a number"},
    {"Scalars", "{\"aBool\":\"true\"}", "aBool", "true or false, not string"},
    {"Scalars", "{\"aBool\":1}", "aBool", "true or false"},
    {"Scalars", "{\"aString\":1}", "aString", "must be a string, not number"},
    {"Scalars", "{\"aBytes\":\"a\"}", "aBytes", "not base64"},
    {"Scalars", "{\"aBytes\":\"a*==\"}", "aBytes", "not base64"},
    {"Scalars", "{\"aColour\":\"RED\"}", "aColour",
     "'RED' is no value of omnidata.test.nasty.Colour"},
    {"Scalars", "{\"aColour\":1.5}", "aColour", "whole number"},
    {"Scalars", "{\"aColour\":2147483648}", "aColour", "whole number"},
    {"Scalars", "{\"aColour\":true}", "aColour", "name of an enum value"},
    {"Scalars", "{\"nope\":1}", "nope", "no such field"},
    {"Scalars", "{\"AInt32\":1}", "AInt32", "no such field"},
    {"Scalars", "{\"aInt32\":1,\"a_int32\":1}", "a_int32", "given twice"},
    {"Scalars", "{\"aInt32\":null,\"a_int32\":1}", "a_int32", "given twice"},
    {"Scalars", "[]", "", "must be an object, not array"},
    {"Scalars", "null", "", "must be an object, not null"},
    {"Lists", "{\"strings\":\"a\"}", "strings", "must be an array"},
    {"Lists", "{\"strings\":[\"a\",null]}", "strings[1]", "must not be null"},
    {"Lists", "{\"int32s\":[1,\"x\"]}", "int32s[1]", "must be an integer"},
    {"Lists", "{\"scalars\":[{},{\"x\":1}]}", "scalars[1].x", "no such field"},
    {"Lists", "{\"scalars\":[null]}", "scalars[0]", "must not be null"},
    {"Lists", "{\"wrapped\":[null]}", "wrapped[0]", "must not be null"},
    {"Maps", "{\"texts\":[]}", "texts", "must be an object"},
    {"Maps", "{\"texts\":{\"a\":null}}", "texts.a", "must not be null"},
    {"Maps", "{\"texts\":{\"a\":1}}", "texts.a", "must be a string"},
    {"Maps", "{\"int32s\":{\"x\":1}}", "int32s.x", "must be an integer"},
    {"Maps", "{\"int32s\":{\"1.5\":1}}", "int32s.1.5", "whole number"},
    {"Maps", "{\"int32s\":{\"1\":1,\"1.0\":2}}", "int32s.1.0", "plain digits"},
    {"Maps", "{\"int32s\":{\"1e0\":1}}", "int32s.1e0", "plain digits"},
    {"Maps", "{\"int32s\":{\"-0\":1}}", "int32s.-0", "plain digits"},
    {"Maps", "{\"uint64s\":{\"-0\":true}}", "uint64s.-0", "plain digits"},
    {"Maps", "{\"sint64s\":{\"1E+2\":\"\"}}", "sint64s.1E+2", "plain digits"},
    {"Maps", "{\"fixed32s\":{\"01\":1}}", "fixed32s.01", "must be an integer"},
    {"Maps", "{\"bools\":{\"True\":0}}", "bools.True", "true or false"},
    {"Maps", "{\"scalars\":{\"k\":{\"aInt32\":\"x\"}}}", "scalars.k.aInt32", "must be an integer"},
    {"Oneofs", "{\"number\":1,\"text\":\"\"}", "text", "only one of 'choice'"},
    {"Oneofs", "{\"nothing\":null,\"number\":1}", "number", "only one of 'choice'"},
    {"Oneofs", "{\"data\":\"\",\"yes\":false}", "yes", "only one of 'other'"},
    {"Known", "{\"time\":\"2026-11-22\"}", "time", "must be a time"},
    {"Known", "{\"time\":\"2026-11-22t00:00:00z\"}", "time", "must be a time"},
    {"Known", "{\"time\":\"0000-12-31T23:59:59Z\"}", "time", "must be a time"},
    {"Known", "{\"time\":\"9999-12-31T23:59:59-01:00\"}", "time", "must be a time"},
    {"Known", "{\"time\":\"2026-02-29T00:00:00Z\"}", "time", "must be a time"},
    {"Known", "{\"time\":1}", "time", "must be a string, not number"},
    {"Known", "{\"span\":\"1\"}", "span", "must be seconds"},
    {"Known", "{\"span\":\"s\"}", "span", "must be seconds"},
    {"Known", "{\"span\":\"1.s\"}", "span", "must be seconds"},
    {"Known", "{\"span\":\"1.0000000001s\"}", "span", "must be seconds"},
    {"Known", "{\"span\":\"315576000001s\"}", "span", "must be seconds"},
    {"Known", "{\"span\":\"+1s\"}", "span", "must be seconds"},
    {"Known", "{\"span\":\"--1s\"}", "span", "must be seconds"},
    {"Known", "{\"mask\":\"foo_bar\"}", "mask", "must be field paths"},
    {"Known", "{\"mask\":\"a,,b\"}", "mask", "must be field paths"},
    {"Known", "{\"mask\":[\"a\"]}", "mask", "must be a string"},
    {"Known", "{\"tree\":[]}", "tree", "must be an object"},
    {"Known", "{\"list\":{}}", "list", "must be an array"},
    {"Known", "{\"value\":{\"a\":[1e400]}}", "value.a[0]", "out of range"},
    {"Known", "{\"wInt32\":\"x\"}", "wInt32", "must be an integer"},
    {"Known", "{\"wInt32\":{\"value\":1}}", "wInt32", "must be an integer"},
    {"Known", "{\"empty\":{\"a\":1}}", "empty.a", "no such field"},
    {"Known", "{\"any\":{\"name\":\"x\"}}", "any.@type", "URL of a message type"},
    {"Known", "{\"any\":{\"@type\":1}}", "any.@type", "URL of a message type"},
    {"Known", "{\"any\":{\"@type\":\"a/no.Such\"}}", "any.@type", "'a/no.Such' is not known"},
    {"Known", "{\"any\":{\"@type\":\"omnidata.test.nasty.Tree\"}}", "any.@type", "is not known"},
    {"Known", "{\"any\":{\"@type\":\"a/omnidata.test.nasty.Tree\",\"nope\":1}}", "any.nope",
     "no such field"},
    {"Known", "{\"any\":{\"@type\":\"a/google.protobuf.Duration\"}}", "any", "@type and value"},
    {"Known", "{\"any\":{\"@type\":\"a/google.protobuf.Duration\",\"value\":\"1s\",\"x\":1}}",
     "any", "@type and value"},
    {"Known", "{\"any\":{\"@type\":\"a/google.protobuf.Duration\",\"value\":null}}", "any.value",
     "must not be null"},
    {"Tree", "{\"left\":{\"right\":{\"more\":[{},{\"named\":{\"k\":{\"x\":1}}}]}}}",
     "left.right.more[1].named.k.x", "no such field"},
};

/* Rules 11, 12 and 13. */
static void refuses(void **state)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf wire;
        const struct schema_message *type = nasty_type(*state, REFUSED[i][0]);
        enum code code = convert(*state, type, REFUSED[i][1], &arena, &wire, &err);
        const char *path = err.field_count ? err.fields[0].path : "";
        const char *text = err.field_count ? err.fields[0].text : err.text;
        if (code != CODE_INVALID_ARGUMENT || strcmp(path, REFUSED[i][2]) != 0 ||
            !strstr(text, REFUSED[i][3]))
            bad += print_wrong(REFUSED[i][1], path, text);
        else
            assert_string_equal(err.reason, "INVALID_FIELD");
        arena_clear(&arena);
    }
    assert_int_equal(bad, 0);
}

/* What a newer client may say to an older server, when the server is told not to mind. */
static void ignores_what_is_unknown(void **state)
{
    static const char *const cases[][3] = {
        {"Scalars", "{\"nope\":{\"a\":[1]},\"aBool\":true}", "{\"aBool\":true}"},
        {"Scalars", "{\"aColour\":\"COLOUR_NOPE\",\"aBool\":true}", "{\"aBool\":true}"},
        {"Lists", "{\"colours\":[\"COLOUR_NOPE\",\"COLOUR_RED\"]}",
         "{\"colours\":[\"COLOUR_RED\"]}"},
        {"Maps", "{\"bools\":{\"true\":\"COLOUR_NOPE\",\"false\":\"COLOUR_RED\"}}",
         "{\"bools\":{\"false\":\"COLOUR_RED\"}}"},
        /* What has nothing else in it is left out, but for elements: their number is known. */
        {"Tree", "{\"left\":{\"nope\":1},\"right\":{\"left\":{\"nope\":1},\"nope\":{}}}", "{}"},
        {"Tree", "{\"left\":{\"left\":{\"nope\":1},\"name\":null},\"right\":{}}",
         "{\"left\":{},\"right\":{}}"},
        {"Tree", "{\"left\":{\"name\":\"\",\"left\":{\"nope\":1}}}", "{\"left\":{}}"},
        {"Tree", "{\"more\":[{\"nope\":1}],\"named\":{\"a\":{\"nope\":1}}}",
         "{\"more\":[{}],\"named\":{\"a\":{}}}"},
        {"All", "{\"oneofs\":{\"scalars\":{\"aColour\":\"COLOUR_NOPE\"}},\"tree\":{}}",
         "{\"tree\":{}}"},
        {"Known", "{\"any\":{\"@type\":\"a/omnidata.test.nasty.Tree\",\"nope\":1}}",
         "{\"any\":{\"@type\":\"a/omnidata.test.nasty.Tree\"}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf wire;
        const struct json_value *json;
        const struct schema_message *type = nasty_type(*state, cases[i][0]);
        struct transcode_in in = {
            .schema = *state, .arena = &arena, .out = &wire, .err = &err, .ignore_unknown = true};
        buf_init_arena(&wire, &arena, 1 << 20);
        assert_int_equal(json_read(&arena, str_of(cases[i][1]), json_limits_default(), &json, &err),
                         CODE_OK);
        if (transcode_message_in(&in, type, json, NULL, STR("")) != CODE_OK)
            fail_msg("%s: %s", cases[i][1], err.text);
        assert_string_equal(show(*state, type, buf_str(&wire), &arena).ptr, cases[i][2]);
        arena_clear(&arena);
    }
}

/* Rule 14. The exact bytes, once: what is written is canonical (in order of the text, packed,
 * minimal). */
static void writes_exact_bytes(void **state)
{
    static const char *const cases[][3] = {
        {"Scalars", "{\"aInt32\":-1,\"aBool\":true}", "18ffffffffffffffffff016801"},
        {"Scalars", "{\"aSint32\":-2,\"aFixed32\":1,\"aSfixed64\":\"-1\"}",
         "38034d0100000061ffffffffffffffff"},
        {"Lists", "{\"int32s\":[1,300]}", "1a0301ac02"},
        {"Lists", "{\"int64s\":[\"1\",\"2\"]}", "20012002"},
        {"Maps", "{\"texts\":{\"\":\"\"}}", "0a040a001200"},
        {"Optionals", "{\"aString\":\"\",\"aInt32\":0}", "2a001000"},
        {"Tree", "{\"left\":{}}", "1200"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf wire, hex;
        buf_init_arena(&hex, &arena, 1000);
        const struct schema_message *type = nasty_type(*state, cases[i][0]);
        assert_int_equal(convert(*state, type, cases[i][1], &arena, &wire, &err), CODE_OK);
        encode_hex(&hex, buf_str(&wire));
        assert_string_equal(buf_cstr(&hex), cases[i][2]);
        arena_clear(&arena);
    }
}

static const struct {
    const char *type, *before, *open, *inside, *close, *after;
    int times;
} DEEP[] = {
    {"Tree", "{", "\"left\":{", "", "}", "}", 100},
    {"Tree", "{\"more\":[{", "\"left\":{", "\"name\":\"x\"", "}", "}]}", 99},
    {"Tree", "{", "\"named\":{\"k\":{", "", "}}", "}", 50},
    {"Known", "{\"tree\":", "{\"k\":", "1", "}", "}", 33},
    {"Known", "{\"list\":", "[", "1", "]", "}", 50},
    {"Known", "{\"value\":", "[", "", "]", "}", 50},
    {"Known", "{\"value\":", "[", "1", "]", "}", 49},
    {"Known", "{\"value\":", "{\"k\":", "1", "}", "}", 33},
    {"Known", "{\"any\":", "{\"@type\":\"a/google.protobuf.Any\",\"value\":", "{}", "}", "}", 99},
};

/* Rule 13: what no reader of protobuf would take, a hundred messages in a message, is refused; all
 * that is taken can be shown. */
static void bounds_depth(void **state)
{
    for (size_t i = 0; i < 2 * sizeof DEEP / sizeof *DEEP; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf text, wire;
        const struct json_value *json;
        const struct schema_message *type = nasty_type(*state, DEEP[i / 2].type);
        struct transcode_in in = {.schema = *state, .arena = &arena, .out = &wire, .err = &err};
        int times = DEEP[i / 2].times + (int)(i % 2);
        buf_init_arena(&text, &arena, 1 << 20);
        buf_init_arena(&wire, &arena, 1 << 20);
        buf_add_cstr(&text, DEEP[i / 2].before);
        for (int k = 0; k < times; k++)
            buf_add_cstr(&text, DEEP[i / 2].open);
        buf_add_cstr(&text, DEEP[i / 2].inside);
        for (int k = 0; k < times; k++)
            buf_add_cstr(&text, DEEP[i / 2].close);
        buf_add_cstr(&text, DEEP[i / 2].after);
        assert_int_equal(
            json_read(&arena, buf_str(&text), (struct json_limits){1 << 20, 1000}, &json, &err),
            CODE_OK);
        enum code code = transcode_message_in(&in, type, json, NULL, STR(""));
        if (code != (i % 2 ? CODE_INVALID_ARGUMENT : CODE_OK))
            fail_msg("%s %d times: %s", DEEP[i / 2].open, times, code ? err.text : "taken");
        if (code == CODE_OK)
            assert_string_equal(show(*state, type, buf_str(&wire), &arena).ptr, buf_cstr(&text));
        else
            assert_string_equal(err.fields[0].text,
                                "is nested too deep: a message holds at most 100 within it");
        arena_clear(&arena);
    }
}

static void writes_long_messages(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    struct buf text, wire;
    buf_init_arena(&text, &arena, 1 << 20);
    buf_addf(&text, "{\"left\":{\"left\":{\"name\":\"%0300d\"}},\"name\":\"%020000d\"}", 1, 2);
    const struct schema_message *type = nasty_type(*state, "Tree");
    assert_int_equal(convert(*state, type, buf_cstr(&text), &arena, &wire, &err), CODE_OK);
    assert_true(show(*state, type, buf_str(&wire), &arena).len == text.len);
    arena_clear(&arena);
}

static void bounds_the_output(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    struct buf wire;
    const struct json_value *json;
    buf_init_arena(&wire, &arena, 10);
    struct transcode_in in = {.schema = *state, .arena = &arena, .out = &wire, .err = &err};
    assert_int_equal(json_read(&arena, STR("{\"left\":{\"name\":\"0123456789\"}}"),
                               json_limits_default(), &json, &err),
                     CODE_OK);
    assert_int_equal(transcode_message_in(&in, nasty_type(*state, "Tree"), json, NULL, STR("")),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "REQUEST_TOO_LARGE");
    arena_clear(&arena);
}

static int set_up(void **state)
{
    *state = nasty_schema();
    return 0;
}

static int tear_down(void **state)
{
    schema_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(ignores_what_is_unknown),
        cmocka_unit_test(writes_exact_bytes),
        cmocka_unit_test(writes_long_messages),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(bounds_the_output),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
