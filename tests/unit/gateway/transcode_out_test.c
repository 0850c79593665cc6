/* Wire to JSON: bytes that well-behaved encoders do not send, and values at their edges. */
#include "base/encode.h"
#include "gateway/transcode.h"
#include "gateway/wire.h"
#include "tests/unit/gateway/nasty.h"

#include <string.h>

static enum code convert(struct schema *schema, const char *type, const char *hex,
                         struct arena *arena, struct buf *out, struct error *err)
{
    size_t length = strlen(hex);
    uint8_t *bytes = arena_alloc(arena, length / 2 + 1);
    if (!decode_hex((struct str){hex, length}, bytes))
        fail_msg("no hex: %s", hex);
    buf_init_arena(out, arena, 1 << 20);
    struct transcode_out to = {schema, out, arena, false};
    return transcode_message_out(&to, nasty_type(schema, type),
                                 (struct str){(char *)bytes, length / 2}, err);
}

static const char *const SHOWN[][3] = {
    {"Scalars", "", "{}"},
    /* explicit defaults are no values without presence, and are with it */
    {"Scalars", "1800680072007a00800100", "{}"},
    {"Optionals", "1000200028002a003200",
     "{\"aInt32\":0,\"aBool\":false,\"aString\":\"\",\"aBytes\":\"\"}"},
    /* the last one wins, in whatever order */
    {"Scalars", "18011802", "{\"aInt32\":2}"},
    {"Scalars", "6801180168001803", "{\"aInt32\":3}"},
    {"Scalars", "1805180068011802", "{\"aInt32\":2,\"aBool\":true}"},
    /* unknown fields and groups are skipped; so are wrong wire types */
    {"Scalars", "a0060118050b0c", "{\"aInt32\":5}"},
    {"Scalars", "a006011805a306a406", "{\"aInt32\":5}"},
    {"Scalars", "a306180118a406", NULL},
    {"Scalars", "a3061801a4061802", "{\"aInt32\":2}"},
    {"Scalars", "1a01311805", "{\"aInt32\":5}"},
    /* 64 bits cut down to 32 */
    {"Scalars", "18ffffffff0f", "{\"aInt32\":-1}"},
    {"Scalars", "188080808010", "{}"},
    {"Scalars", "2880808080102801", "{\"aUint32\":1}"},
    {"Scalars", "6880808080808080808001", "{\"aBool\":true}"},
    {"Scalars", "8001ffffffffffffffffff01", "{\"aColour\":-1}"},
    /* embedded messages in pieces are merged */
    {"All", "0a0218010a026801", "{\"scalars\":{\"aInt32\":1,\"aBool\":true}}"},
    {"All", "0a0218013a030a01610a0218023a051203120161", NULL},
    {"All", "0a0218013a030a01610a021802", "{\"scalars\":{\"aInt32\":2},\"tree\":{\"name\":\"a\"}}"},
    /* lists: packed, not packed, mixed, apart from each other */
    {"Lists", "1a0201021803", "{\"int32s\":[1,2,3]}"},
    {"Lists", "18011a0202032001180422020506",
     "{\"int32s\":[1,2,3,4],\"int64s\":[\"1\",\"5\",\"6\"]}"},
    {"Lists", "1a00", "{}"},
    {"Lists", "7201617200720162", "{\"strings\":[\"a\",\"\",\"b\"]}"},
    {"Lists", "72016170017a0162720163", "{\"strings\":[\"a\",\"c\"],\"bytes\":[\"Yg==\"]}"},
    {"Lists", "7201617001720163", "{\"strings\":[\"a\",\"c\"]}"},
    {"Lists", "720161a00601720163", "{\"strings\":[\"a\",\"c\"]}"},
    {"Lists", "720161a006011a0105720163", "{\"int32s\":[5],\"strings\":[\"a\",\"c\"]}"},
    /* maps: the last of equal keys, missing keys and values, values in pieces */
    {"Maps", "0a060a01611201310a060a0162120132", "{\"texts\":{\"a\":\"1\",\"b\":\"2\"}}"},
    {"Maps", "0a060a01611201310a060a0161120132", "{\"texts\":{\"a\":\"2\"}}"},
    {"Maps", "0a00", "{\"texts\":{\"\":\"\"}}"},
    {"Maps", "0a0312013112021001", "{\"texts\":{\"\":\"1\"},\"int32s\":{\"0\":\"1\"}}"},
    {"Maps", "320b0a01611202180112026801", "{\"scalars\":{\"a\":{\"aInt32\":1,\"aBool\":true}}}"},
    {"Maps", "220410011001", "{\"bools\":{\"false\":\"COLOUR_RED\"}}"},
    {"Maps", "2204080110012204080110fb", NULL},
    {"Maps", "12040801100112060a01611201310a060a0161120131",
     "{\"texts\":{\"a\":\"1\"},\"int32s\":{\"1\":\"1\",\"0\":\"0\"}}"},
    /* oneofs: the last member; a message that lost is not merged with what comes after */
    {"Oneofs", "08011201740802", "{\"number\":2}"},
    {"Oneofs", "0801120174", "{\"text\":\"t\"}"},
    {"Oneofs", "1a02180108011a026801", "{\"scalars\":{\"aBool\":true}}"},
    {"Oneofs", "1a0218011a026801", "{\"scalars\":{\"aInt32\":1,\"aBool\":true}}"},
    {"Oneofs", "0800", "{\"number\":0}"},
    {"Oneofs", "2000", "{\"nothing\":null}"},
    /* null is number 0 alone; any other reads back as what it was */
    {"Oneofs", "2061", "{\"nothing\":97}"},
    {"Known", "900161", "{\"nothing\":97}"},
    /* well-known types */
    {"Known", "1200", "{\"time\":\"1970-01-01T00:00:00Z\"}"},
    {"Known", "120b08808891a4cbffffffff01", "{\"time\":\"1521-07-25T18:44:16Z\"}"},
    {"Known", "1a020801", "{\"span\":\"1s\"}"},
    {"Known", "1a0b10ffffffffffffffffff01", "{\"span\":\"-0.000000001s\"}"},
    {"Known", "2200", "{\"mask\":\"\"}"},
    {"Known", "22050a03615f62", "{\"mask\":\"aB\"}"},
    {"Known", "3200", "{\"value\":null}"},
    {"Known", "320508002001", NULL},
    {"Known", "320408002001", "{\"value\":true}"},
    {"Known", "3a00", "{\"list\":[]}"},
    {"Known", "3a020a00", "{\"list\":[null]}"},
    {"Known", "2a00", "{\"tree\":{}}"},
    {"Known", "5a00", "{\"wInt64\":\"0\"}"},
    {"Known", "5a0408011002", "{\"wInt64\":\"1\"}"},
    {"Known", "0a00", "{\"any\":{}}"},
    /* text */
    {"Scalars", "72050022085c1f", "{\"aString\":\"\\u0000\\\"\\b\\\\\\u001f\"}"},
    {"Scalars", "7203e282ac", "{\"aString\":\"\xe2\x82\xac\"}"},
};

/* All rows that are wrong are told, not only the first. */
static int print_wrong(const char *type, const char *hex, const char *seen)
{
    print_error("%s %s: %s\n", type, hex, seen);
    return 1;
}

/* Rules 11, 13 and 14. */
static void shows(void **state)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf out;
        enum code code = convert(*state, SHOWN[i][0], SHOWN[i][1], &arena, &out, &err);
        const char *seen = code == CODE_OK ? buf_cstr(&out) : NULL;
        if (!seen != !SHOWN[i][2] || (seen && strcmp(seen, SHOWN[i][2]) != 0))
            bad += print_wrong(SHOWN[i][0], SHOWN[i][1], seen ? seen : err.text);
        arena_clear(&arena);
    }
    assert_int_equal(bad, 0);
}

static const char *const REFUSED[][3] = {
    {"Scalars", "18", "malformed"},
    {"Scalars", "7205", "malformed"},
    {"Scalars", "720261", "malformed"},
    {"Scalars", "00", "malformed"},
    {"Scalars", "18ffffffffffffffffffffff01", "malformed"},
    {"Scalars", "1e", "malformed"},
    {"Scalars", "7201ff", "is not UTF-8"},
    {"Scalars", "7203eda080", "is not UTF-8"},
    {"All", "0a0118", "malformed"},
    {"Lists", "1a01ff", "malformed list"},
    {"Lists", "0a0400000000", "malformed list"},
    {"Maps", "0a0108", "malformed"},
    {"Maps", "0a030a01ff", "not UTF-8"},
    {"Known", "120b10ffffffffffffffffff01", "out of range"},
    {"Known", "1a0d080110ffffffffffffffffff01", "out of range"},
    {"Known", "22040a024141", "no lowerCamel form"},
    {"Known", "22050a03615f5f", "no lowerCamel form"},
    {"Known", "22050a03615f31", "no lowerCamel form"},
    {"Known", "22020a00", "no lowerCamel form"},       /* an empty path */
    {"Known", "22040a000a00", "no lowerCamel form"},   /* two of them are no mask either */
    {"Known", "22050a03612c62", "no lowerCamel form"}, /* `a,b` would be read as two */
    {"Known", "320911000000000000f87f", "not finite"},
    {"Known", "0a060a04612f6e6f", "not known"},
};

/* Rules 13 and 14. */
static void refuses(void **state)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf out;
        if (convert(*state, REFUSED[i][0], REFUSED[i][1], &arena, &out, &err) != CODE_INTERNAL ||
            !strstr(err.text, REFUSED[i][2]))
            fail_msg("%s %s: %s", REFUSED[i][0], REFUSED[i][1], err.text);
        bool damaged = strstr(REFUSED[i][2], "malformed") || strstr(REFUSED[i][2], "UTF-8");
        assert_string_equal(err.reason, damaged ? "BAD_UPSTREAM_MESSAGE" : "NO_JSON_FORM");
        arena_clear(&arena);
    }
}

/* Rule 13. */
static void bounds_depth(void **state)
{
    for (int depth = 100; depth <= 101; depth++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf out;
        uint8_t wire[1000];
        size_t at = sizeof wire;
        for (int i = 0; i < depth; i++) { /* from the inside out */
            size_t inner = sizeof wire - at;
            if (inner >= 128)
                wire[--at] = (uint8_t)(inner >> 7);
            wire[--at] = (uint8_t)(inner >= 128 ? (inner & 127) | 128 : inner);
            wire[--at] = 0x12;
        }
        buf_init_arena(&out, &arena, 1 << 20);
        struct transcode_out to = {*state, &out, &arena, false};
        assert_int_equal(transcode_message_out(&to, nasty_type(*state, "Tree"),
                                               (struct str){(char *)wire + at, sizeof wire - at},
                                               &err),
                         depth == 100 ? CODE_OK : CODE_INTERNAL);
        arena_clear(&arena);
    }
}

/* Rule 13: a level of JSON counts as one, of however many messages it is made. */
static void bounds_depth_of_values(void **state)
{
    for (int depth = 100; depth <= 101; depth++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf wire[2], out;
        for (int i = 0; i < 2; i++)
            buf_init_arena(&wire[i], &arena, 1 << 20);
        for (int i = 1; i < depth; i++) { /* from the inside out: lists of one Value */
            buf_reset(&wire[1]);
            wire_put_bytes(&wire[1], 6, buf_str(&wire[0]));
            buf_reset(&wire[0]);
            wire_put_bytes(&wire[0], 1, buf_str(&wire[1]));
        }
        buf_reset(&wire[1]);
        wire_put_bytes(&wire[1], 7, buf_str(&wire[0]));
        buf_init_arena(&out, &arena, 1 << 20);
        struct transcode_out to = {*state, &out, &arena, false};
        assert_int_equal(
            transcode_message_out(&to, nasty_type(*state, "Known"), buf_str(&wire[1]), &err),
            depth == 100 ? CODE_OK : CODE_INTERNAL);
        arena_clear(&arena);
    }
}

/* Rule 6: response_body. */
static void shows_one_field(void **state)
{
    static const char *const cases[][4] = {
        {"All", "lists", "1a020a00", "{}"},
        {"All", "lists", "", "{}"},
        {"Lists", "strings", "7201617a0162720163", "[\"a\",\"c\"]"},
        {"Lists", "strings", "", "[]"},
        {"Maps", "texts", "0a060a0161120131", "{\"a\":\"1\"}"},
        {"Maps", "texts", "", "{}"},
        {"Scalars", "a_string", "720161", "\"a\""},
        {"Scalars", "a_int64", "", "\"0\""},
        {"Known", "time", "", "null"},
        {"Known", "time", "1200", "\"1970-01-01T00:00:00Z\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf out;
        const struct schema_message *type = nasty_type(*state, cases[i][0]);
        uint8_t bytes[100];
        assert_true(decode_hex(str_of(cases[i][2]), bytes));
        buf_init_arena(&out, &arena, 1000);
        struct transcode_out to = {*state, &out, &arena, false};
        assert_int_equal(
            transcode_field_out(&to, type, schema_field_named(type, str_of(cases[i][1])),
                                (struct str){(char *)bytes, strlen(cases[i][2]) / 2}, &err),
            CODE_OK);
        assert_string_equal(buf_cstr(&out), cases[i][3]);
        arena_clear(&arena);
    }
}

static void peeks(void **state)
{
    static const char *const cases[][3] = {
        {"scalars.a_string", "0a0372016172", NULL},
        {"scalars.a_string", "0a037201610a03720162", "b"},
        {"scalars.a_int64", "0a022005", "5"},
        {"scalars.a_colour", "0a03800101", "COLOUR_RED"},
        {"scalars.a_string", "0a027200", NULL},
        {"scalars.a_string", "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct schema_path path;
        struct str text = {"", 0};
        uint8_t bytes[100];
        assert_true(decode_hex(str_of(cases[i][1]), bytes));
        assert_true(schema_path_of(nasty_type(*state, "All"), str_of(cases[i][0]), &path));
        bool found = transcode_peek(&path, (struct str){(char *)bytes, strlen(cases[i][1]) / 2},
                                    &arena, &text);
        if (i) /* the first one is cut off behind its field: what was read counts */
            assert_int_equal(found, cases[i][2] != NULL);
        if (cases[i][2])
            assert_true(str_eq(text, str_of(cases[i][2])));
        arena_clear(&arena);
    }
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
        cmocka_unit_test(shows),           cmocka_unit_test(refuses),
        cmocka_unit_test(bounds_depth),    cmocka_unit_test(bounds_depth_of_values),
        cmocka_unit_test(shows_one_field), cmocka_unit_test(peeks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
