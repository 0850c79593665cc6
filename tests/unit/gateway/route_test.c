/* Which template a path belongs to, with what values. */
#include "gateway/route.h"
#include "tests/unit/gateway/nasty.h"

#include <string.h>

struct fixture {
    struct schema *schema;
    struct route_table *table;
    struct schema_method method;
};

static const char *const TEMPLATES[][2] = {
    {"GET", "/v1/users"},
    {"POST", "/v1/users"},
    {"GET", "/v1/users:search"},
    {"GET", "/v1/users/{scalars.a_string}"},
    {"DELETE", "/v1/users/{scalars.a_string}"},
    {"POST", "/v1/users/{scalars.a_string}:rotate"},
    {"GET", "/v1/users/me"},
    {"PUT", "/v1/users/me"},
    {"GET", "/v1/{scalars.a_string=shelves/*}/books/{tree.name}"},
    {"GET", "/files/{scalars.a_string=**}"},
    {"GET", "/files/special"},
    {"POST", "/files/{scalars.a_string=a/**}:move"},
    {"GET", "/deep/{scalars.a_string=x/*/y/*}/z"},
    {"GET", "/any/*/tail"},
    {"*", "/custom/{scalars.a_string}"},
    {"PUT", "/custom/{tree.name}"},
    {"GET", "/enc%20oded/{scalars.a_string}"},
    {"LINK", "/link"},
    {"HEAD", "/head"},
};

static enum code add(struct fixture *f, struct schema_binding *binding, struct error *err)
{
    return route_table_add(f->table, &f->method, binding, binding, err);
}

static int set_up(void **state)
{
    static struct fixture f;
    static struct schema_binding bindings[sizeof TEMPLATES / sizeof *TEMPLATES];
    struct error err = {0};
    f.schema = nasty_schema();
    f.table = route_table_new();
    f.method = (struct schema_method){.service = STR("S"),
                                      .full_path = STR("/S/M"),
                                      .input = nasty_type(f.schema, "All"),
                                      .output = nasty_type(f.schema, "All")};
    for (size_t i = 0; i < sizeof TEMPLATES / sizeof *TEMPLATES; i++) {
        bindings[i] = (struct schema_binding){.http_method = str_of(TEMPLATES[i][0]),
                                              .template = str_of(TEMPLATES[i][1]),
                                              .body = STR(""),
                                              .response_body = STR("")};
        if (add(&f, &bindings[i], &err) != CODE_OK)
            fail_msg("%s: %s", TEMPLATES[i][1], err.text);
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    route_table_free(f->table);
    schema_free(f->schema);
    return 0;
}

/* Method, path, the template that must be found (or what else), the values joined by '|'. */
static const char *const PATHS[][4] = {
    {"GET", "/v1/users", "/v1/users", ""},
    {"HEAD", "/v1/users", "/v1/users", ""},
    {"GET", "/v1/users/", "unknown", ""},
    {"GET", "/v1//users", "unknown", ""},
    {"GET", "v1/users", "unknown", ""},
    {"GET", "", "unknown", ""},
    {"GET", "*", "unknown", ""},
    {"GET", "/", "unknown", ""},
    {"GET", "/v1/%75sers", "/v1/users", ""},
    {"GET", "/V1/users", "unknown", ""},
    {"PATCH", "/v1/users", "methods", ""},
    {"get", "/v1/users", "methods", ""},
    {"GET", "/v1/users:search", "/v1/users:search", ""},
    {"GET", "/v1/users%3Asearch", "unknown", ""},
    {"POST", "/v1/users:search", "methods", ""},
    {"GET", "/v1/users:none", "unknown", ""},
    {"GET", "/v1/users/abc", "/v1/users/{scalars.a_string}", "abc"},
    {"GET", "/v1/users/a%2Fb", "/v1/users/{scalars.a_string}", "a/b"},
    {"GET", "/v1/users/a%20b+c", "/v1/users/{scalars.a_string}", "a b+c"},
    {"GET", "/v1/users/a:b", "/v1/users/{scalars.a_string}", "a:b"},
    {"GET", "/v1/users/a:", "/v1/users/{scalars.a_string}", "a:"},
    {"GET", "/v1/users/:b", "/v1/users/{scalars.a_string}", ":b"},
    {"POST", "/v1/users/a:rotate", "/v1/users/{scalars.a_string}:rotate", "a"},
    {"POST", "/v1/users/a:b:rotate", "/v1/users/{scalars.a_string}:rotate", "a:b"},
    {"POST", "/v1/users/a%3Arotate", "methods", ""},
    {"GET", "/v1/users/a:rotate", "/v1/users/{scalars.a_string}", "a:rotate"},
    {"DELETE", "/v1/users/a%3Arotate", "/v1/users/{scalars.a_string}", "a:rotate"},
    {"GET", "/v1/users/me", "/v1/users/me", ""},
    {"PUT", "/v1/users/me", "/v1/users/me", ""},
    {"DELETE", "/v1/users/me", "/v1/users/{scalars.a_string}", "me"},
    {"PUT", "/v1/users/you", "methods", ""},
    {"GET", "/v1/users/a/b", "unknown", ""},
    {"GET", "/v1/users/%", "malformed", ""},
    {"GET", "/v1/users/%4", "malformed", ""},
    {"GET", "/v1/users/%zz", "malformed", ""},
    {"GET", "/nothing/%zz", "malformed", ""},
    {"GET", "/v1/shelves/s%2F1/books/b%2F1", "/v1/{scalars.a_string=shelves/*}/books/{tree.name}",
     "shelves/s%2F1|b/1"},
    {"GET", "/v1/shelves/s%201%2f/books/b", "/v1/{scalars.a_string=shelves/*}/books/{tree.name}",
     "shelves/s 1%2f|b"},
    {"GET", "/v1/shelf/s/books/b", "unknown", ""},
    {"GET", "/files", "/files/{scalars.a_string=**}", ""},
    {"GET", "/files/", "/files/{scalars.a_string=**}", ""},
    {"GET", "/files/a/b%20c/d%2Fe", "/files/{scalars.a_string=**}", "a/b c/d%2Fe"},
    {"GET", "/files/a//b", "/files/{scalars.a_string=**}", "a//b"},
    {"GET", "/files/special", "/files/special", ""},
    {"GET", "/files/special/x", "/files/{scalars.a_string=**}", "special/x"},
    {"POST", "/files/a/b/c:move", "/files/{scalars.a_string=a/**}:move", "a/b/c"},
    {"POST", "/files/b/c:move", "methods", ""},
    {"GET", "/deep/x/1/y/2/z", "/deep/{scalars.a_string=x/*/y/*}/z", "x/1/y/2"},
    {"GET", "/deep/x/1/n/2/z", "unknown", ""},
    {"GET", "/any/thing/tail", "/any/*/tail", ""},
    {"PATCH", "/custom/v", "/custom/{scalars.a_string}", "v"},
    {"PUT", "/custom/v", "/custom/{tree.name}", "v"},
    {"GET", "/enc oded/v", "/enc%20oded/{scalars.a_string}", "v"},
    {"GET", "/enc%20oded/v", "/enc%20oded/{scalars.a_string}", "v"},
    {"LINK", "/link", "/link", ""},
    {"HEAD", "/head", "/head", ""},
    {"GET", "/head", "methods", ""},
};

/* Rule 7. */
static void finds(void **state)
{
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        struct arena arena = {0};
        struct route_match match;
        struct buf values;
        const char *seen = "?";
        buf_init_arena(&values, &arena, 1000);
        switch (route_find(f->table, str_of(PATHS[i][0]), str_of(PATHS[i][1]), &arena, &match)) {
        case ROUTE_FOUND:
            seen = match.route->binding->template.ptr;
            for (size_t v = 0; v < match.route->variable_count; v++) {
                buf_add_cstr(&values, v ? "|" : "");
                buf_add(&values, match.values[v]);
            }
            break;
        case ROUTE_UNKNOWN:
            seen = "unknown";
            break;
        case ROUTE_OTHER_METHODS:
            seen = "methods";
            break;
        case ROUTE_MALFORMED:
            seen = "malformed";
            break;
        }
        if (strcmp(seen, PATHS[i][2]) != 0 || strcmp(buf_cstr(&values), PATHS[i][3]) != 0)
            fail_msg("%s %s: %s (%s)", PATHS[i][0], PATHS[i][1], seen, buf_cstr(&values));
        arena_clear(&arena);
    }
}

/* Rule 3. */
static void says_what_is_allowed(void **state)
{
    const struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"/v1/users", "GET, POST, HEAD, OPTIONS"},
        {"/v1/users/me", "GET, DELETE, PUT, HEAD, OPTIONS"},
        {"/v1/users:search", "GET, HEAD, OPTIONS"},
        {"/head", "HEAD, OPTIONS"},
        {"/custom/x", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
        {"/nope", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct buf allow;
        buf_init_arena(&allow, &arena, 1000);
        bool any = route_allow(f->table, str_of(cases[i][0]), &arena, &allow);
        assert_int_equal(any, cases[i][1] != NULL);
        if (any)
            assert_string_equal(buf_cstr(&allow), cases[i][1]);
        arena_clear(&arena);
    }
}

static const char *const WRONG[][3] = {
    {"GET", "", "must begin with '/'"},
    {"GET", "v1", "must begin with '/'"},
    {"GET", "/", "a segment is malformed"},
    {"GET", "/a//b", "a segment is malformed"},
    {"GET", "/a/", "a segment is malformed"},
    {"GET", "/a/{scalars.a_string", "a variable is not closed"},
    {"GET", "/a/{scalars.a_string}b", "a variable must be a whole segment"},
    {"GET", "/a/b{scalars.a_string}", "a segment is malformed"},
    {"GET", "/a/{}", "a variable is malformed"},
    {"GET", "/a/{1x}", "a variable is malformed"},
    {"GET", "/a/{x={y}}", "a variable"},
    {"GET", "/a/**/b", "behind '**'"},
    {"GET", "/a/{scalars.a_string=**}/b", "behind '**'"},
    {"GET", "/a/{scalars.a_string=}", "a variable is malformed"},
    {"GET", "/a:", "the verb is no literal"},
    {"GET", "/a:*", "the verb is no literal"},
    {"GET", "/a%zz", "a segment is malformed"},
    {"GET", "/a?b", "a segment is malformed"},
    {"GET", "/a/{nope}", "no single-valued field for the variable 'nope'"},
    {"GET", "/a/{lists.strings}", "no single-valued field"},
    {"GET", "/a/{tree}", "no single-valued field"},
    {"GET", "/a/{tree.name}/{tree.name}", "two variables are called 'tree.name'"},
    {"", "/a", "the HTTP method is empty"},
    {"GET", "/v1/users/{tree.name}", "would answer the same requests"},
    {"GET", "/v1/users/{scalars.a_string=*}", "would answer the same requests"},
    {"GET", "/files/**", "would answer the same requests"},
};

/* Rules 6 and 7. */
static void refuses_templates(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct error err = {0};
        struct schema_binding binding = {.http_method = str_of(WRONG[i][0]),
                                         .template = str_of(WRONG[i][1]),
                                         .body = STR(""),
                                         .response_body = STR("")};
        if (add(f, &binding, &err) == CODE_OK || !strstr(err.text, WRONG[i][2]) ||
            !strstr(err.text, "/S/M"))
            fail_msg("%s: %s", WRONG[i][1], err.text);
    }
}

/* Rule 6. */
static void refuses_bodies(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct schema_binding binding = {STR("GET"), STR("/b1"), STR("nope"), STR("")};
    assert_int_equal(add(f, &binding, &err), CODE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "no field for the body 'nope'"));
    binding = (struct schema_binding){STR("GET"), STR("/b2"), STR("*"), STR("nope")};
    assert_int_equal(add(f, &binding, &err), CODE_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "no field for the response body 'nope'"));
}

static void bounds_the_path(void **state)
{
    const struct fixture *f = *state;
    struct arena arena = {0};
    struct buf path;
    struct route_match match;
    buf_init_arena(&path, &arena, 100000);
    for (int i = 0; i < 10000; i++)
        buf_add_cstr(&path, "/files");
    assert_int_equal(route_find(f->table, STR("GET"), buf_str(&path), &arena, &match),
                     ROUTE_UNKNOWN);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(says_what_is_allowed),
        cmocka_unit_test(refuses_templates),
        cmocka_unit_test(refuses_bodies),
        cmocka_unit_test(bounds_the_path),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
