/* The policies of this project's own protos, as they are meant. */
#include "rpc/policy.h"

#include "pb/proto.h"
#include "tests/support/unit.h"

struct expected {
    const char *path;
    enum rpc_access access;
    bool writes;
    const char *scope;
    bool seen;
};

static void check(void *argument, struct str path, const struct rpc_policy *policy)
{
    for (struct expected *row = argument; row->path; row++) {
        if (!str_eq(path, str_of(row->path)))
            continue;
        row->seen = true;
        if (policy->access != row->access || policy->writes != row->writes)
            print_error("%s\n", row->path);
        assert_int_equal(policy->access, row->access);
        assert_int_equal(policy->writes, row->writes);
        assert_int_equal(policy->scope_count, row->scope ? 1 : 0);
        if (row->scope)
            assert_true(str_eq(policy->scopes[0], str_of(row->scope)));
    }
}

static void test_our_own(void **state)
{
    struct expected rows[] = {
        {"/omnidata.user.v1.UserService/CreateUser", RPC_ACCESS_SIGNED_IN, true, "users.write", 0},
        {"/omnidata.user.v1.UserService/UpdateUser", RPC_ACCESS_SIGNED_IN, true, "users.write", 0},
        {"/omnidata.user.v1.UserService/DeleteUser", RPC_ACCESS_SIGNED_IN, true, "users.write", 0},
        {"/omnidata.user.v1.UserService/GetUser", RPC_ACCESS_KEY, false, NULL, 0},
        {"/omnidata.user.v1.UserService/SearchUsers", RPC_ACCESS_KEY, false, NULL, 0},
        {"/omnidata.event.v1.EventSourceService/GetEmitted", RPC_ACCESS_KEY, false, NULL, 0},
        {"/omnidata.analytics.v1.AnalyticsService/RecordEvents", RPC_ACCESS_INTERNAL, false, NULL,
         0},
        {"/omnidata.analytics.v1.AnalyticsService/GetSummary", RPC_ACCESS_KEY, false, NULL, 0},
        {"/omnidata.access.v1.AccessService/WatchSnapshot", RPC_ACCESS_INTERNAL, false, NULL, 0},
        {"/omnidata.access.v1.AccessService/LeaseQuota", RPC_ACCESS_INTERNAL, false, NULL, 0},
        {"/omnidata.access.v1.AccessService/CreateApiKey", RPC_ACCESS_SIGNED_IN, true, "admin", 0},
        {"/omnidata.rpc.v1.CallStreamService/Exchange", RPC_ACCESS_INTERNAL, false, NULL, 0},
        {0},
    };
    (void)state;
    policy_each(proto_builtin_set(), check, rows);
    for (struct expected *row = rows; row->path; row++) {
        if (!row->seen)
            print_error("%s is not there\n", row->path);
        assert_true(row->seen);
    }
}

/*
 * Two files, by hand. "p.S" has A (a POST that says nothing about who), B (a GET that says
 * nothing), C (no HTTP, says nothing), D (an access that this version does not know), E (a policy
 * that cannot be read); the file of "Bare" has no package.
 */
static const char SET[] =
    "\x0A\x5B\x12\x01\x70\x32\x56\x0A\x01\x53\x12\x13\x0A\x01\x41\x22\x0E\x82\xD3\xE4"
    "\x93\x02\x08\x22\x03\x2F\x76\x31\x3A\x01\x2A\x12\x10\x0A\x01\x42\x22\x0B\x82\xD3"
    "\xE4\x93\x02\x05\x12\x03\x2F\x76\x31\x12\x03\x0A\x01\x43\x12\x0B\x0A\x01\x44\x22"
    "\x06\xE2\xE0\x18\x02\x08\x63\x12\x18\x0A\x01\x45\x22\x13\x82\xD3\xE4\x93\x02\x05"
    "\x12\x03\x2F\x76\x31\xE2\xE0\x18\x04\x12\x7F\x61\x62\x0A\x0D\x32\x0B\x0A\x04\x42"
    "\x61\x72\x65\x12\x03\x0A\x01\x4D";

static void test_what_is_not_said(void **state)
{
    struct expected rows[] = {
        {"/p.S/A", RPC_ACCESS_SIGNED_IN, true, NULL, 0},
        {"/p.S/B", RPC_ACCESS_KEY, false, NULL, 0},
        {"/p.S/C", RPC_ACCESS_INTERNAL, false, NULL, 0},
        {"/p.S/D", RPC_ACCESS_INTERNAL, false, NULL, 0},
        {"/p.S/E", RPC_ACCESS_INTERNAL, false, NULL, 0},
        {"/Bare/M", RPC_ACCESS_INTERNAL, false, NULL, 0},
        {0},
    };
    (void)state;
    policy_each((struct str){SET, sizeof SET - 1}, check, rows);
    for (struct expected *row = rows; row->path; row++)
        assert_true(row->seen);
    policy_each(STR("\x0A\x7F"
                    "broken"),
                check, rows);
    policy_each(STR(""), check, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_own),
        cmocka_unit_test(test_what_is_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
