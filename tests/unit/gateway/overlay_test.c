/* Path, query and headers laid over a body; the mask of a PATCH. */
#include "gateway/transcode.h"
#include "gateway/wire.h"
#include "tests/unit/gateway/nasty.h"

#include <string.h>

struct row {
    const char *query, *body; /* body NULL: none */
    const char *wanted;       /* the message as JSON, or "path: words" of the error */
};

static const struct row ROWS[] = {
    {"", NULL, "{}"},
    {"scalars.a_int32=5", NULL, "{\"scalars\":{\"aInt32\":5}}"},
    {"scalars.aInt32=5&scalars.aString=x+y%2B&&tree.left.name=n", NULL,
     "{\"scalars\":{\"aInt32\":5,\"aString\":\"x y+\"},\"tree\":{\"left\":{\"name\":\"n\"}}}"},
    {"lists.int32s=1&lists.int32s=2&lists.colours=1&lists.colours=COLOUR_BELOW", NULL,
     "{\"lists\":{\"int32s\":[1,2],\"colours\":[\"COLOUR_RED\",\"COLOUR_BELOW\"]}}"},
    {"lists.strings=&lists.strings", NULL, "{\"lists\":{\"strings\":[\"\",\"\"]}}"},
    {"lists.int32s=0", NULL, "{\"lists\":{\"int32s\":[0]}}"},
    {"scalars.aBool=true&scalars.aBytes=-_8&scalars.aDouble=NaN", NULL,
     "{\"scalars\":{\"aDouble\":\"NaN\",\"aBool\":true,\"aBytes\":\"+/8=\"}}"},
    {"optionals.aInt32=0&optionals.aString=", NULL,
     "{\"optionals\":{\"aInt32\":0,\"aString\":\"\"}}"},
    {"known.time=2026-01-01T00:00:00Z&known.span=1.5s&known.mask=aB,c_d", NULL,
     "{\"known\":{\"time\":\"2026-01-01T00:00:00Z\",\"span\":\"1.500s\",\"mask\":\"aB,cD\"}}"},
    {"known.wInt64=7&known.wBool=false&known.wString=", NULL,
     "{\"known\":{\"wInt64\":\"7\",\"wBool\":false,\"wString\":\"\"}}"},
    {"oneofs.number=0", NULL, "{\"oneofs\":{\"number\":0}}"},
    {"oneofs.number=0&oneofs.yes=true&oneofs.between=x", NULL,
     "{\"oneofs\":{\"number\":0,\"yes\":true,\"between\":\"x\"}}"},
    {"oneofs.number=1&oneofs.number=2", NULL, "oneofs.number: is given twice"},
    {"tree.left.left.left.left.left.left.left.left.name=x", NULL,
     "{\"tree\":{\"left\":{\"left\":{\"left\":{\"left\":{\"left\":{\"left\":{\"left\":"
     "{\"left\":{\"name\":\"x\"}}}}}}}}}}"},
    /* laid over a body: the overlay wins, and messages are merged into one */
    {"scalars.aInt32=5", "{\"scalars\":{\"aInt32\":6,\"aBool\":true}}",
     "{\"scalars\":{\"aInt32\":5,\"aBool\":true}}"},
    {"scalars.aInt32=0", "{\"scalars\":{\"aInt32\":6}}", "{\"scalars\":{}}"},
    {"scalars.aInt32=5", "{\"scalars\":null,\"tree\":{}}",
     "{\"scalars\":{\"aInt32\":5},\"tree\":{}}"},
    {"tree.left.name=a", "{\"tree\":{\"name\":\"b\",\"left\":{\"right\":{}}}}",
     "{\"tree\":{\"name\":\"b\",\"left\":{\"name\":\"a\",\"right\":{}}}}"},
    {"lists.int32s=1", "{\"lists\":{\"int32s\":[7,8]}}", "{\"lists\":{\"int32s\":[1]}}"},
    /* refused */
    {"nope=1", NULL, "nope: no such parameter"},
    {"scalars.nope=1", NULL, "scalars.nope: no such parameter"},
    {"scalars=1", NULL, "scalars: cannot be given as a parameter"},
    {"known.tree=1", NULL, "known.tree: cannot be given as a parameter"},
    {"maps.texts=1", NULL, "maps.texts: cannot be given as a parameter"},
    {"maps.texts.a=1", NULL, "maps.texts.a: no such parameter"},
    {"lists.scalars=1", NULL, "lists.scalars: cannot be given as a parameter"},
    {"lists.scalars.aInt32=1", NULL, "lists.scalars.aInt32: no such parameter"},
    {"lists.times=2026-01-01T00:00:00Z", NULL, "lists.times: cannot be given as a parameter"},
    {"scalars.aInt32=1&scalars.aInt32=1", NULL, "scalars.aInt32: is given twice"},
    {"scalars.aInt32=1&scalars.a_int32=1", NULL, "scalars.a_int32: is given twice"},
    {"scalars.aInt32=x", NULL, "scalars.aInt32: must be an integer, not string"},
    {"scalars.aBool=1", NULL, "scalars.aBool: must be true or false, not string"},
    {"scalars.aColour=PINK", NULL,
     "scalars.aColour: 'PINK' is no value of omnidata.test.nasty.Colour"},
    {"oneofs.number=1&oneofs.text=x", NULL, "oneofs.text: only one of 'choice' may be given"},
    {"oneofs.number=1", "{\"oneofs\":{\"text\":\"x\"}}",
     "oneofs.number: only one of 'choice' may be given, and 'text' is given too"},
    {"scalars.aInt32=5", "{\"scalars\":{\"aInt32\":\"x\"}}",
     "scalars.aInt32: must be an integer, not string"},
    {"=1", NULL, "no such parameter"},
    {"tree.name=%ff", NULL, "tree.name: is not UTF-8"},
    {"tree.name=%ed%a0%80", NULL, "tree.name: is not UTF-8"},
    {"tree.name=%", NULL, "tree.name: has a malformed escape"},
    {"scalars.aString=ok&tree.name=%z1", NULL, "tree.name: has a malformed escape"},
    {"tree.name=a%00b", NULL, "{\"tree\":{\"name\":\"a\\u0000b\"}}"},
    {"", "{\"tree\":{\"name\":\"a\\u0000b\"}}", "{\"tree\":{\"name\":\"a\\u0000b\"}}"},
};

static const char *outcome(struct schema *schema, const struct row *row, struct arena *arena)
{
    const struct schema_message *all = nasty_type(schema, "All");
    struct overlay *overlay = overlay_new(arena, all);
    struct error err = {0};
    struct buf wire, *shown = arena_alloc(arena, sizeof *shown);
    const struct json_value *json = NULL;
    buf_init_arena(&wire, arena, 1 << 20);
    buf_init_arena(shown, arena, 1 << 20);
    struct transcode_in in = {.schema = schema, .arena = arena, .out = &wire, .err = &err};
    struct transcode_out to = {schema, shown, arena, false};
    if (overlay_add_query(overlay, str_of(row->query), NULL, &err) != CODE_OK)
        return err.fields[0].path[0] || err.field_count
                   ? arena_printf(arena, "%s: %s", err.fields[0].path, err.fields[0].text)
                   : arena_printf(arena, "%s", err.text);
    if (row->body &&
        json_read(arena, str_of(row->body), json_limits_default(), &json, &err) != CODE_OK)
        fail_msg("%s", err.text);
    if (transcode_message_in(&in, all, json, overlay, STR("")) != CODE_OK)
        return arena_printf(arena, "%s: %s", err.fields[0].path, err.fields[0].text);
    if (transcode_message_out(&to, all, buf_str(&wire), &err) != CODE_OK)
        fail_msg("%s", err.text);
    return buf_cstr(shown);
}

/* Rules 6 and 8. */
static void lays_over(void **state)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct arena arena = {0};
        const char *seen = outcome(*state, &ROWS[i], &arena);
        if (strcmp(seen, ROWS[i].wanted) != 0) {
            print_error("%s: %s\n", ROWS[i].query, seen);
            bad++;
        }
        arena_clear(&arena);
    }
    assert_int_equal(bad, 0);
}

/* Rule 8. */
static void refuses_malformed_queries(void **state)
{
    static const char *const queries[] = {"%zz=1", "%=1", "tree.%z1=1", "%ff=1"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct overlay *overlay = overlay_new(&arena, nasty_type(*state, "All"));
        assert_int_equal(overlay_add_query(overlay, str_of(queries[i]), NULL, &err),
                         CODE_INVALID_ARGUMENT);
        assert_string_equal(err.reason, "INVALID_QUERY");
        arena_clear(&arena);
    }
}

/* The paths of a FieldMask given as a parameter, with a bar behind each; or what is wrong. */
static const char *mask_paths(const struct schema *schema, const char *resource, const char *text,
                              struct arena *arena)
{
    const struct schema_message *known = nasty_type(schema, "Known");
    struct overlay *overlay = overlay_new(arena, known);
    struct buf wire, *shown = arena_alloc(arena, sizeof *shown);
    struct error err = {0};
    struct schema_path path;
    struct wire_record record, inner;
    buf_init_arena(&wire, arena, 1000);
    buf_init_arena(shown, arena, 1000);
    assert_true(schema_path_of(known, STR("mask"), &path));
    overlay_mask_of(overlay, path.fields[0], resource ? nasty_type(schema, resource) : NULL);
    if (overlay_add(overlay, &path, OVERLAY_QUERY, STR("mask"), str_of(text), &err) != CODE_OK)
        return arena_printf(arena, "%s", err.fields[0].text);
    struct transcode_in in = {.schema = schema, .arena = arena, .out = &wire, .err = &err};
    assert_int_equal(transcode_message_in(&in, known, NULL, overlay, STR("")), CODE_OK);
    struct str rest = buf_str(&wire);
    assert_int_equal(wire_next(&rest, &record), WIRE_RECORD);
    while (wire_next(&record.bytes, &inner) == WIRE_RECORD) {
        buf_add(shown, inner.bytes);
        buf_add_char(shown, '|');
    }
    return buf_cstr(shown);
}

/* Rules 8 and 9: a key of a map is nobody's field, whatever it looks like (AIP-161). */
static void reads_masks_as_their_message_has_it(void **state)
{
    static const char wrong[] = "must be field paths like displayName,labels";
    static const char *const cases[][3] = {
        {"All", "", ""},
        {"All", "*", "*|"},
        {"All", "scalars.aInt32,scalars.a_int32,tree", "scalars.a_int32|scalars.a_int32|tree|"},
        {"Scalars", "an\"other,oddName,odd__name_", "renamed|odd__name_|odd__name_|"},
        {"Maps", "texts.Foo,texts.fooBar.x,int32s.1", "texts.Foo|texts.fooBar.x|int32s.1|"},
        {"Maps", "texts.`A, b.C`,texts.``,texts.`a``B`", "texts.`A, b.C`|texts.``|texts.`a``B`|"},
        {"Maps", "scalars.Foo.aInt32,scalars.aInt32.aBool",
         "scalars.Foo.a_int32|scalars.aInt32.a_bool|"},
        {"Maps", "scalars.*.aInt32,scalars.`x.Y`.aInt32.B",
         "scalars.*.a_int32|scalars.`x.Y`.a_int32.B|"},
        {"Maps", "values.Foo.barBaz", "values.Foo.barBaz|"},
        {"Lists", "scalars.*.aInt32,strings.0", "scalars.*.a_int32|strings.0|"},
        {"Known", "tree.fooBar,wInt64.value,noSuch.aField",
         "tree.fooBar|w_int64.value|noSuch.aField|"},
        {NULL, "aB.cD,c_d,labels.`Foo, Bar`", "a_b.c_d|c_d|labels.`Foo, Bar`|"},
        {"All", "a,,b", wrong},
        {"All", "tree, scalars", wrong},
        {"Maps", "texts.`a", wrong},
        {NULL, "a b", wrong},
        {NULL, "`a", wrong},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        assert_string_equal(mask_paths(*state, cases[i][0], cases[i][1], &arena), cases[i][2]);
        arena_clear(&arena);
    }
}

/* Rule 6. */
static void keeps_body_and_path_apart(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    const struct schema_message *all = nasty_type(*state, "All");
    struct overlay *overlay = overlay_new(&arena, all);
    struct schema_path path;
    assert_true(schema_path_of(all, STR("tree.name"), &path));
    assert_int_equal(overlay_add(overlay, &path, OVERLAY_PATH, STR("tree.name"), STR("p"), &err),
                     CODE_OK);
    assert_true(overlay_has(overlay, path.fields[0]));
    assert_int_equal(overlay_add_query(overlay, STR("tree.name=q"), NULL, &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].text, "is given by the path already");
    error_clear(&err);
    assert_int_equal(overlay_add_query(overlay, STR("tree.left.name=q"), path.fields[0], &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].text, "belongs in the body");
    arena_clear(&arena);
}

/* Rule 6. */
static void puts_the_body_into_its_field(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    const struct schema_message *all = nasty_type(*state, "All");
    struct buf wire;
    const struct json_value *json;
    buf_init_arena(&wire, &arena, 1000);
    struct transcode_in in = {.schema = *state, .arena = &arena, .out = &wire, .err = &err};
    assert_int_equal(
        json_read(&arena, STR("{\"left\":{\"x\":1}}"), json_limits_default(), &json, &err),
        CODE_OK);
    assert_int_equal(transcode_field_in(&in, all, schema_field_named(all, STR("tree")), json, NULL),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "tree.left.x");
    buf_reset(&wire);
    assert_int_equal(transcode_field_in(&in, all, schema_field_named(all, STR("tree")), NULL, NULL),
                     CODE_OK);
    assert_int_equal(wire.len, 0);
    arena_clear(&arena);
}

/* A row: a message, a body and the mask of it. */
static void assert_mask(const struct schema *schema, const char *const row[3], bool ignore_unknown)
{
    const struct str skip[] = {STR("name"), STR("")};
    struct arena arena = {0};
    struct error err = {0};
    struct buf wire, shown;
    const struct json_value *json;
    buf_init_arena(&wire, &arena, 1000);
    buf_init_arena(&shown, &arena, 1000);
    assert_int_equal(json_read(&arena, str_of(row[1]), json_limits_default(), &json, &err),
                     CODE_OK);
    assert_true(
        transcode_mask_of(nasty_type(schema, row[0]), json, skip, 2, ignore_unknown, &wire));
    struct transcode_out to = {schema, &shown, &arena, false};
    assert_int_equal(
        transcode_message_out(&to, schema_find_message(schema, STR("google.protobuf.FieldMask")),
                              buf_str(&wire), &err),
        CODE_OK);
    assert_string_equal(buf_cstr(&shown), row[2]);
    arena_clear(&arena);
}

/* Rule 9. */
static void computes_masks(void **state)
{
    static const char *const cases[][3] = {
        {"Scalars", "{\"aInt32\":1,\"a_string\":null}", "\"aInt32,aString\""},
        {"Scalars", "{}", "\"\""},
        {"Scalars", "[]", "\"\""},
        {"Scalars", "{\"nope\":1,\"aInt32\":1}", "\"aInt32\""},
        {"All", "{\"tree\":{\"left\":{\"name\":\"x\"},\"right\":{}},\"lists\":{\"int32s\":[]}}",
         "\"tree.left.name,tree.right,lists.int32s\""},
        {"All", "{\"maps\":{\"texts\":{\"a\":\"b\"}},\"known\":{\"time\":null,\"tree\":{\"a\":1}}}",
         "\"maps.texts,known.time,known.tree\""},
        {"All", "{\"tree\":null}", "\"tree\""},
        {"Tree", "{\"name\":\"skipped\",\"left\":{\"name\":\"x\"}}", "\"left.name\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_mask(*state, cases[i], false);
}

/* Rules 9 and 12: what the writer ignores is no change. */
static void masks_leave_out_what_is_ignored(void **state)
{
    static const char *const cases[][3] = {
        {"Scalars", "{\"nope\":1,\"aColour\":\"COLOUR_NOPE\",\"aBool\":true}", "\"aBool\""},
        {"Lists", "{\"colours\":[\"COLOUR_NOPE\"],\"strings\":[]}", "\"strings\""},
        {"Lists", "{\"colours\":[\"COLOUR_NOPE\",\"COLOUR_RED\"]}", "\"colours\""},
        {"Lists", "{\"colours\":[]}", "\"colours\""},
        {"Maps", "{\"bools\":{\"true\":\"COLOUR_NOPE\"},\"texts\":{\"a\":\"\"}}", "\"texts\""},
        {"Maps", "{\"bools\":{\"true\":\"COLOUR_NOPE\",\"false\":1}}", "\"bools\""},
        {"All",
         "{\"scalars\":{\"aColour\":\"COLOUR_NOPE\"},\"tree\":{\"left\":{\"nope\":1},\"right\":"
         "null}}",
         "\"tree.right\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_mask(*state, cases[i], true);
}

/* Rule 9: nothing that was sent is left out without a word. */
static void masks_are_whole_or_refused(void **state)
{
    static const struct {
        int depth;
        size_t room;
        bool whole;
    } cases[] = {{3, 1000, true}, {3, 10, false}, {200, 10000, true}, {300, 10000, false}};
    const struct schema_message *tree = nasty_type(*state, "Tree");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf text, mask;
        const struct json_value *json;
        buf_init_arena(&text, &arena, 10000);
        buf_init_arena(&mask, &arena, cases[i].room);
        for (int k = 0; k < cases[i].depth; k++)
            buf_add_cstr(&text, "{\"left\":");
        buf_add_cstr(&text, "null");
        for (int k = 0; k < cases[i].depth; k++)
            buf_add_char(&text, '}');
        assert_int_equal(
            json_read(&arena, buf_str(&text), (struct json_limits){10000, 1000}, &json, &err),
            CODE_OK);
        assert_int_equal(transcode_mask_of(tree, json, NULL, 0, false, &mask), cases[i].whole);
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
        cmocka_unit_test(lays_over),
        cmocka_unit_test(refuses_malformed_queries),
        cmocka_unit_test(reads_masks_as_their_message_has_it),
        cmocka_unit_test(keeps_body_and_path_apart),
        cmocka_unit_test(puts_the_body_into_its_field),
        cmocka_unit_test(computes_masks),
        cmocka_unit_test(masks_leave_out_what_is_ignored),
        cmocka_unit_test(masks_are_whole_or_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
