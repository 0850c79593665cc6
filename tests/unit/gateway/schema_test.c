/* Descriptors to tables: what the transcoder and the routes rely on. */
#include "base/alloc.h"
#include "gateway/schema_method.h"
#include "pb/proto.h"
#include "tests/unit/gateway/nasty.h"

#include <string.h>

static const struct schema_field *field_of(const struct schema_message *message, const char *name)
{
    const struct schema_field *field = schema_field_named(message, str_of(name));
    if (!field)
        fail_msg("no field %s", name);
    return field;
}

static void reads_fields(void **state)
{
    const struct schema_message *scalars = nasty_type(*state, "Scalars");
    assert_int_equal(scalars->field_count, 18);
    for (uint32_t number = 1; number <= 18; number++) {
        const struct schema_field *field = schema_field_numbered(scalars, number);
        assert_non_null(field);
        assert_int_equal(field->number, number);
        assert_int_equal(field->index, number - 1);
        assert_false(field->presence);
        assert_false(field->repeated);
        assert_int_equal(field->oneof, -1);
    }
    assert_null(schema_field_numbered(scalars, 0));
    assert_null(schema_field_numbered(scalars, 19));
    assert_ptr_equal(field_of(scalars, "aInt64"), field_of(scalars, "a_int64"));
    assert_ptr_equal(field_of(scalars, "oddName"), field_of(scalars, "odd__name_"));
    const struct schema_field *renamed = field_of(scalars, "an\"other");
    assert_true(str_eq(renamed->json_key, STR("\"an\\\"other\":")));
    assert_null(schema_field_named(scalars, STR("aint64")));
    assert_null(schema_field_named(scalars, STR("")));
}

static void knows_presence(void **state)
{
    const struct schema_message *optionals = nasty_type(*state, "Optionals");
    for (uint32_t i = 0; i < optionals->field_count; i++) {
        assert_true(optionals->fields[i].presence);
        assert_int_equal(optionals->fields[i].oneof, -1); /* synthetic oneofs are none */
    }
    assert_int_equal(optionals->oneof_count, 0);
    const struct schema_message *oneofs = nasty_type(*state, "Oneofs");
    assert_int_equal(oneofs->oneof_count, 2);
    assert_int_equal(field_of(oneofs, "number")->oneof, 0);
    assert_int_equal(field_of(oneofs, "data")->oneof, 1);
    assert_int_equal(field_of(oneofs, "between")->oneof, -1);
    assert_true(field_of(oneofs, "number")->presence);
    assert_true(field_of(nasty_type(*state, "Tree"), "left")->presence);
}

static void knows_lists_and_maps(void **state)
{
    const struct schema_message *lists = nasty_type(*state, "Lists");
    assert_true(field_of(lists, "int32s")->packed);
    assert_false(field_of(lists, "int64s")->packed);
    assert_false(field_of(lists, "strings")->packed);
    const struct schema_field *map = field_of(nasty_type(*state, "Maps"), "int32s");
    assert_int_equal(map->map_key->type, SCHEMA_INT32);
    assert_int_equal(map->map_value->type, SCHEMA_INT64);
    assert_true(map->repeated);
    const struct schema_field *tree = field_of(nasty_type(*state, "Tree"), "named");
    assert_ptr_equal(tree->map_value->message, nasty_type(*state, "Tree"));
}

static void knows_enums(void **state)
{
    const struct schema_enum *colour =
        field_of(nasty_type(*state, "Scalars"), "aColour")->enumeration;
    assert_int_equal(schema_enum_named(colour, STR("COLOUR_CRIMSON"))->number, 1);
    assert_true(str_eq(schema_enum_numbered(colour, 1)->name, STR("COLOUR_RED")));
    assert_true(str_eq(schema_enum_numbered(colour, -5)->name, STR("COLOUR_BELOW")));
    assert_null(schema_enum_numbered(colour, 2));
    assert_null(schema_enum_named(colour, STR("colour_red")));
    assert_true(field_of(nasty_type(*state, "Known"), "nothing")->enumeration->is_null_value);
}

static void finds_nested_and_far_fields(void **state)
{
    const struct schema_field *inner = field_of(nasty_type(*state, "All"), "inner");
    assert_int_equal(inner->number, 1000);
    assert_ptr_equal(inner->message, nasty_type(*state, "All.Inner"));
    assert_ptr_equal(schema_field_numbered(inner->message, 536870911),
                     field_of(inner->message, "size"));
    assert_null(schema_find_message(*state, STR("omnidata.test.nasty.Inner")));
    assert_null(schema_find_message(*state, STR("")));
}

static void resolves_paths(void **state)
{
    const struct schema_message *all = nasty_type(*state, "All");
    struct schema_path path;
    assert_true(schema_path_of(all, STR("scalars.a_int32"), &path));
    assert_int_equal(path.count, 2);
    assert_true(schema_path_of(all, STR("tree.left.right.name"), &path));
    assert_int_equal(path.count, 4);
    static const char *const wrong[] = {"",
                                        "no",
                                        "scalars.",
                                        ".scalars",
                                        "scalars..a_int32",
                                        "scalars.a_int32.x",
                                        "lists.scalars.a_int32",
                                        "maps.texts.key"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (schema_path_of(all, str_of(wrong[i]), &path))
            fail_msg("%s", wrong[i]);
}

/* Rule 8. */
static void bounds_paths(void **state)
{
    struct schema_path path;
    char text[200] = "tree";
    for (size_t fields = 2; fields <= 33; fields++) {
        memcpy(text + strlen(text), ".left", sizeof ".left");
        assert_int_equal(schema_path_named(nasty_type(*state, "All"), str_of(text), &path),
                         fields <= 32);
        assert_int_equal(path.count, fields <= 32 ? fields : 32);
    }
}

/* Rules 6 and 11. */
static void keeps_spellings_apart(void **state)
{
    const struct schema_message *crossed = nasty_type(*state, "Crossed");
    struct schema_path path;
    assert_int_equal(schema_field_named(crossed, STR("b"))->number, 1);
    assert_int_equal(schema_field_of(crossed, STR("b"))->number, 2);
    assert_int_equal(schema_field_of(crossed, STR("a"))->number, 1);
    assert_null(schema_field_of(crossed, STR("d")));
    assert_true(schema_path_named(crossed, STR("c.c.a"), &path));
    assert_int_equal(path.fields[2]->number, 2);
    assert_true(schema_path_of(crossed, STR("c.c.a"), &path));
    assert_int_equal(path.fields[2]->number, 1);
    assert_int_equal(schema_field_of(nasty_type(*state, "Scalars"), STR("aInt32"))->number, 3);
}

/* Rule 10. */
static void reads_methods_and_policies(void **state)
{
    (void)state;
    struct schema *schema;
    struct error err = {0};
    size_t count, seen = 0;
    assert_int_equal(schema_load(proto_builtin_set(), &schema, &err), CODE_OK);
    const struct schema_method *methods = schema_methods(schema, &count);
    for (size_t i = 0; i < count; i++) {
        const struct schema_method *m = &methods[i];
        if (str_eq(m->full_path, STR("/omnidata.user.v1.UserService/UpdateUser"))) {
            seen++;
            assert_int_equal(m->binding_count, 1);
            assert_string_equal(m->bindings[0].http_method.ptr, "PATCH");
            assert_string_equal(m->bindings[0].template.ptr, "/v1/users/{user.id}");
            assert_string_equal(m->bindings[0].body.ptr, "user");
            assert_int_equal(m->policy.access, SCHEMA_ACCESS_SIGNED_IN);
            assert_int_equal(m->policy.scope_count, 1);
            assert_string_equal(m->policy.scopes[0].ptr, "users.write");
            assert_int_equal(m->policy.success_status, 200);
            assert_int_equal(m->policy.quota_cost, 1);
            assert_string_equal(m->policy.if_match_field.ptr, "user.etag");
        } else if (str_eq(m->full_path,
                          STR("/omnidata.analytics.v1.AnalyticsService/TailEvents"))) {
            seen++;
            assert_true(m->server_streams && !m->client_streams);
        } else if (str_eq(m->full_path,
                          STR("/omnidata.analytics.v1.AnalyticsService/RecordEvents"))) {
            seen++;
            assert_int_equal(m->binding_count, 0);
            assert_int_equal(m->policy.access, SCHEMA_ACCESS_INTERNAL);
        }
    }
    assert_int_equal(seen, 3);
    schema_free(schema);
}

/* Rule 6. */
static void reads_additional_bindings(void **state)
{
    size_t count;
    const struct schema_method *methods = schema_methods(*state, &count);
    assert_int_equal(count, 3);
    assert_int_equal(methods[0].binding_count, 4);
    assert_string_equal(methods[0].bindings[2].response_body.ptr, "lists");
    assert_string_equal(methods[2].bindings[0].http_method.ptr, "LINK");
}

/* Cut anywhere it must be refused or read, never crash; noise likewise. */
static void survives_damage(void **state)
{
    (void)state;
    size_t size = (size_t)(nasty_set_end - nasty_set);
    char *copy = xmalloc(size);
    for (size_t cut = 0; cut < size; cut += 37) {
        struct schema *schema;
        struct error err = {0};
        memcpy(copy, nasty_set, size);
        copy[cut] = (char)(copy[cut] ^ 0x15);
        if (schema_load((struct str){nasty_set, cut}, &schema, &err) == CODE_OK)
            schema_free(schema);
        else
            assert_string_equal(err.reason, "INVALID_DESCRIPTOR");
        if (schema_load((struct str){copy, size}, &schema, &err) == CODE_OK)
            schema_free(schema);
    }
    xfree(copy);
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
        cmocka_unit_test(reads_fields),
        cmocka_unit_test(knows_presence),
        cmocka_unit_test(knows_lists_and_maps),
        cmocka_unit_test(knows_enums),
        cmocka_unit_test(finds_nested_and_far_fields),
        cmocka_unit_test(resolves_paths),
        cmocka_unit_test(bounds_paths),
        cmocka_unit_test(keeps_spellings_apart),
        cmocka_unit_test(reads_methods_and_policies),
        cmocka_unit_test(reads_additional_bindings),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
