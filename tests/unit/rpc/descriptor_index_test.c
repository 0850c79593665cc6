/* The descriptor index over this project's own protos. */
#include "pb/proto.h"
#include "rpc/descriptor_index.h"
#include "tests/support/unit.h"

static int setup(void **state)
{
    struct descriptor_index *index = descriptor_index_new();
    assert_true(descriptor_index_add(index, proto_builtin_set()));
    size_t count = descriptor_file_count(index);
    assert_true(descriptor_index_add(index, proto_builtin_set())); /* again: nothing new */
    assert_int_equal(descriptor_file_count(index), count);
    descriptor_index_seal(index);
    *state = index;
    return 0;
}

static int teardown(void **state)
{
    descriptor_index_free(*state);
    return 0;
}

static void finds_every_kind_of_symbol(void **state)
{
    static const struct {
        const char *symbol, *file;
    } cases[] = {
        {"omnidata.user.v1.UserService", "omnidata/user/v1/user.proto"},
        {"omnidata.user.v1.UserService.GetUser", "omnidata/user/v1/user.proto"},
        {"omnidata.user.v1.User", "omnidata/user/v1/user.proto"},
        {"omnidata.user.v1.User.email", "omnidata/user/v1/user.proto"},
        {"omnidata.user.v1.User.LabelsEntry.key", "omnidata/user/v1/user.proto"},
        {"omnidata.user.v1.UserResult.result", "omnidata/user/v1/user.proto"},
        {"omnidata.user.v1.UserStatus", "omnidata/user/v1/user.proto"},
        {"omnidata.user.v1.USER_STATUS_ACTIVE", "omnidata/user/v1/user.proto"},
        {"google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"},
        {"google.api.http", "google/api/annotations.proto"},
        {"google.protobuf.FieldDescriptorProto.Type", "google/protobuf/descriptor.proto"},
        {"google.protobuf.FieldDescriptorProto.TYPE_SINT64", "google/protobuf/descriptor.proto"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int file = descriptor_file_by_symbol(*state, str_of(cases[i].symbol));
        assert_int_not_equal(file, DESCRIPTOR_NOT_FOUND);
        assert_int_equal(file, descriptor_file_by_name(*state, str_of(cases[i].file)));
    }
    assert_int_equal(descriptor_file_by_symbol(*state, STR("omnidata.user.v1")),
                     DESCRIPTOR_NOT_FOUND);
    assert_int_equal(descriptor_file_by_symbol(*state, STR("omnidata.user.v1.UserStatus.ACTIVE")),
                     DESCRIPTOR_NOT_FOUND);
}

static void finds_extensions(void **state)
{
    enum { HTTP = 72295728 };
    int32_t numbers[8];
    struct str options = STR("google.protobuf.MethodOptions");
    assert_int_equal(descriptor_file_by_extension(*state, options, HTTP),
                     descriptor_file_by_name(*state, STR("google/api/annotations.proto")));
    assert_int_equal(descriptor_file_by_extension(*state, options, 1), DESCRIPTOR_NOT_FOUND);
    assert_int_equal(descriptor_extensions(*state, options, numbers, 8), 2);
    assert_true(numbers[0] == HTTP || numbers[1] == HTTP);
    assert_int_equal(descriptor_extensions(*state, options, numbers, 1), 2); /* bounded */
}

static void knows_imports(void **state)
{
    int file = descriptor_file_by_name(*state, STR("google/api/annotations.proto"));
    int import;
    assert_true(descriptor_file_import(*state, file, 0, &import));
    assert_int_not_equal(import, DESCRIPTOR_NOT_FOUND);
    assert_true(descriptor_file_import(*state, file, 1, &import));
    assert_false(descriptor_file_import(*state, file, 2, &import));
}

static void refuses_damaged_sets(void **state)
{
    struct str set = proto_builtin_set();
    (void)state;
    for (size_t cut = 1; cut < 400; cut++) {
        struct descriptor_index *index = descriptor_index_new();
        assert_false(descriptor_index_add(index, (struct str){set.ptr, set.len - cut}));
        descriptor_index_seal(index);
        descriptor_index_free(index);
    }
    struct descriptor_index *empty = descriptor_index_new();
    assert_true(descriptor_index_add(empty, (struct str){0}));
    descriptor_index_seal(empty);
    assert_int_equal(descriptor_file_by_symbol(empty, STR("a")), DESCRIPTOR_NOT_FOUND);
    descriptor_index_free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_every_kind_of_symbol, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_extensions, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_imports, setup, teardown),
        cmocka_unit_test(refuses_damaged_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
