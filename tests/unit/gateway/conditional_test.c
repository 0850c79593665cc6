/* Entity tags and Accept-Encoding, by tables. */
#include "gateway/conditional.h"
#include "tests/support/unit.h"

/* Rule 20. */
static void matches(void **state)
{
    static const struct {
        const char *header, *etag;
        bool matches;
    } rows[] = {
        {"\"a\"", "\"a\"", true},
        {"W/\"a\"", "\"a\"", true},
        {"\"b\", \"a\"", "\"a\"", true},
        {"\"b\",W/\"a\" ", "\"a\"", true},
        {"*", "\"a\"", true},
        {" * ", "\"a\"", true},
        {"\"x,\\\"\",\"a\"", "\"a\"", false},
        {"\"a,b\"", "\"a,b\"", true},
        {"\"\"", "\"\"", true},
        {"a", "\"a\"", false},
        {"\"a", "\"a\"", false},
        {"", "\"a\"", false},
        {"\"A\"", "\"a\"", false},
        {"\"b\" \"a\"", "\"a\"", false},
        {"w/\"a\"", "\"a\"", false},
        {"\"ab\"", "\"a\"", false},
        {", ,\"b\",, \"a\",", "\"a\"", true},
        {",", "\"a\"", false},
        {",*", "\"a\"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (conditional_matches(str_of(rows[i].header), str_of(rows[i].etag)) != rows[i].matches)
            fail_msg("%s", rows[i].header);
}

/* Rule 20: a weak tag never matches strongly. */
static void matches_strongly(void **state)
{
    (void)state;
    assert_true(conditional_matches_strongly(STR("*"), STR("\"a\"")));
    assert_true(conditional_matches_strongly(STR("W/\"a\", \"a\""), STR("\"a\"")));
    assert_false(conditional_matches_strongly(STR("W/\"a\", \"b\""), STR("\"a\"")));
    assert_false(conditional_matches_strongly(STR(""), STR("\"a\"")));
}

/* Rule 20. */
static void reads_if_match(void **state)
{
    static const struct {
        const char *header;
        enum conditional_tag kind;
        const char *opaque;
    } rows[] = {
        {"*", CONDITIONAL_ANY, ""},
        {"\"a b\"", CONDITIONAL_ONE, "a b"},
        {" \"a\" ", CONDITIONAL_ONE, "a"},
        {"\"a\",,\"a\" ,", CONDITIONAL_ONE, "a"},
        {"W/\"b\", \"\", \"a\", W/\"c\"", CONDITIONAL_ONE, "a"},
        {"W/\"a\"", CONDITIONAL_NEVER, NULL},
        {"\"\"", CONDITIONAL_NEVER, NULL},
        {"W/\"a\", W/\"a\", \"\"", CONDITIONAL_NEVER, NULL},
        {"\"a\",\"b\"", CONDITIONAL_MANY, NULL},
        {"\"a\",\"b\",\"b\",W/\"c\"", CONDITIONAL_MANY, NULL},
        {"\"a\",\"b\",c", CONDITIONAL_MALFORMED, NULL},
        {"\"a\", *", CONDITIONAL_MALFORMED, NULL},
        {",", CONDITIONAL_MALFORMED, NULL},
        {"a", CONDITIONAL_MALFORMED, NULL},
        {"W/", CONDITIONAL_MALFORMED, NULL},
        {"\"a", CONDITIONAL_MALFORMED, NULL},
        {"", CONDITIONAL_MALFORMED, NULL},
        {"\"a\"b", CONDITIONAL_MALFORMED, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str opaque = {"", 0};
        if (conditional_if_match(str_of(rows[i].header), &opaque) != rows[i].kind ||
            (rows[i].opaque && !str_eq(opaque, str_of(rows[i].opaque))))
            fail_msg("%s", rows[i].header);
    }
}

static void negotiates(void **state)
{
    static const struct {
        const char *header;
        bool accepts;
    } rows[] = {
        {"gzip", true},
        {"br, gzip", true},
        {"GZIP;q=0.5", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"*", true},
        {"*;q=0", false},
        {"*, gzip;q=0", false},
        {"gzip;q=0, *", false},
        {"identity", false},
        {"", false},
        {"xgzip", false},
        {"gzip;q=1.0", true},
        {"br;q=1, *;q=0.1", true},
        {"deflate,gzip ;q=0.001", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (conditional_accepts(str_of(rows[i].header), STR("gzip")) != rows[i].accepts)
            fail_msg("%s", rows[i].header);
}

/* Rule 17. */
static void prefers(void **state)
{
    static const struct {
        const char *header;
        bool prefers;
    } rows[] = {
        {"a/b", true},
        {"A/B", true},
        {"c/d, a/b;q=0.1", true},
        {"c/d ,\ta/b ;x=y", true},
        {"a/b;q=0", false},
        {"a/b;x=y;q=0.0", false},
        {"*/*", false},
        {"*", false},
        {"a/*", false},
        {"a/bc, xa/b", false},
        {"", false},
        /* and the usual one */
        {"u/u", false},
        {"u/u, a/b", true},
        {"u/u;q=0.5, a/b;q=0.5", true},
        {"a/b;q=0.5, u/u", false},
        {"a/b;q=0.499, u/u;q=0.5", false},
        {"a/b;q=0.501, u/u;q=0.5", true},
        {"a/b;q=0.5, u/u;q=1.000", false},
        {"a/b, u/u;q=9", true},
        {"a/b;q=x, u/u", true},
        {"a/b;q=0.1, */*", true},
        {"a/b;q=0.1, u/u;q=0", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (conditional_prefers(str_of(rows[i].header), STR("a/b"), STR("u/u")) != rows[i].prefers)
            fail_msg("%s", rows[i].header);
    assert_false(conditional_prefers((struct str){NULL, 0}, STR("a/b"), STR("u/u")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),        cmocka_unit_test(matches_strongly),
        cmocka_unit_test(reads_if_match), cmocka_unit_test(negotiates),
        cmocka_unit_test(prefers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
