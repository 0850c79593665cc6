/* Who may call what: a row for each way of calling. */
#include "rpc/guard.h"

#include "base/arena.h"
#include "tests/support/unit.h"

#include "omnidata/api/v1/caller.pb-c.h"
#include "pb/proto.h"

#define CALLER Omnidata__Api__V1__Caller

static const struct rpc_grant GRANTS[] = {
    {"operator", "/", "admin"},
    {"user", "/a.Sink/Put", NULL},
    {"gateway", "/a.Keys/", NULL},
};
static const struct str WRITE[] = {STR("write")};
static const struct rpc_policy INTERNAL = {0}, PUBLIC = {RPC_ACCESS_PUBLIC, false, NULL, 0},
                               KEY = {RPC_ACCESS_KEY, false, NULL, 0},
                               SIGNED_IN = {RPC_ACCESS_SIGNED_IN, true, WRITE, 1};

enum client { NONE, EMPTY, BROKEN, WITH_KEY, WITH_USER, WITH_BOTH, HALF_A_USER, WITH_SCOPE };

static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal; /* protobuf-c does not write to what it packs */
}

static struct str encoded(enum client client, struct arena *arena)
{
    bool user = client == WITH_USER || client == WITH_BOTH || client == WITH_SCOPE;
    bool key = client == WITH_KEY || client == WITH_BOTH || client == WITH_SCOPE;
    CALLER caller = OMNIDATA__API__V1__CALLER__INIT;
    char *scopes[] = {text("other"), text("write")};
    if (client == NONE)
        return (struct str){0};
    if (client == BROKEN)
        return STR("\x0A\x7Fx");
    caller.request_id = text("r1");
    if (key)
        caller.key_id = text("k1");
    if (user)
        caller.issuer = text("https://issuer");
    if (user || client == HALF_A_USER)
        caller.subject = text("ada");
    caller.scopes = scopes;
    caller.n_scopes = client == WITH_SCOPE ? 2 : 1;
    return proto_encode_arena(arena, &caller.base);
}

static enum code admit(bool open, const char *path, const struct rpc_policy *policy,
                       const char *peer, enum client client, struct arena *arena,
                       struct rpc_caller *caller, struct error *err)
{
    const struct rpc_guard guard = {"gateway", GRANTS, sizeof GRANTS / sizeof *GRANTS, open};
    const struct guard_call call = {str_of(path), policy, str_of(peer), encoded(client, arena)};
    error_clear(err);
    return guard_admit(&guard, &call, arena, caller, err);
}

static void test_the_table(void **state)
{
    static const struct {
        const char *peer;
        enum client client;
        const char *path;
        const struct rpc_policy *policy;
        enum code code;
        const char *reason;
    } rows[] = {
        {"", NONE, "/a.S/M", &PUBLIC, CODE_UNAUTHENTICATED, "PEER_UNKNOWN"},
        {"", WITH_SCOPE, "/a.S/M", &PUBLIC, CODE_UNAUTHENTICATED, "PEER_UNKNOWN"},
        {"gateway", BROKEN, "/a.S/M", &PUBLIC, CODE_UNAUTHENTICATED, "CALLER_MALFORMED"},
        {"gateway", EMPTY, "/a.S/M", &PUBLIC, CODE_OK, ""},
        {"gateway", EMPTY, "/a.S/M", &KEY, CODE_UNAUTHENTICATED, "KEY_REQUIRED"},
        {"gateway", WITH_USER, "/a.S/M", &KEY, CODE_UNAUTHENTICATED, "KEY_REQUIRED"},
        {"gateway", WITH_KEY, "/a.S/M", &KEY, CODE_OK, ""},
        {"gateway", WITH_KEY, "/a.S/M", &SIGNED_IN, CODE_UNAUTHENTICATED, "SIGN_IN_REQUIRED"},
        {"gateway", WITH_USER, "/a.S/M", &SIGNED_IN, CODE_UNAUTHENTICATED, "KEY_REQUIRED"},
        {"gateway", HALF_A_USER, "/a.S/M", &SIGNED_IN, CODE_UNAUTHENTICATED, "KEY_REQUIRED"},
        {"gateway", WITH_BOTH, "/a.S/M", &SIGNED_IN, CODE_PERMISSION_DENIED, "SCOPE_REQUIRED"},
        {"gateway", WITH_SCOPE, "/a.S/M", &SIGNED_IN, CODE_OK, ""},
        {"gateway", WITH_SCOPE, "/a.S/M", &INTERNAL, CODE_PERMISSION_DENIED, "METHOD_INTERNAL"},
        {"gateway", WITH_SCOPE, "/a.Keys/M", &INTERNAL, CODE_PERMISSION_DENIED, "METHOD_INTERNAL"},
        {"gateway", NONE, "/a.Keys/M", &INTERNAL, CODE_OK, ""},
        {"gateway", NONE, "/a.Key/M", &INTERNAL, CODE_PERMISSION_DENIED, "METHOD_NOT_GRANTED"},
        {"gateway", NONE, "/a.S/M", &PUBLIC, CODE_PERMISSION_DENIED, "METHOD_NOT_GRANTED"},
        {"user", NONE, "/a.Sink/Put", &INTERNAL, CODE_OK, ""},
        {"user", NONE, "/a.Sink/Puts", &INTERNAL, CODE_PERMISSION_DENIED, "METHOD_NOT_GRANTED"},
        {"user", WITH_SCOPE, "/a.Sink/Put", &SIGNED_IN, CODE_PERMISSION_DENIED,
         "CALLER_NOT_BELIEVED"},
        {"operator", NONE, "/a.S/M", &SIGNED_IN, CODE_OK, ""},
        {"operator", WITH_SCOPE, "/a.S/M", &SIGNED_IN, CODE_PERMISSION_DENIED,
         "CALLER_NOT_BELIEVED"},
        {"stranger", NONE, "/a.S/M", &PUBLIC, CODE_PERMISSION_DENIED, "METHOD_NOT_GRANTED"},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rpc_caller caller;
        struct error err;
        enum code code = admit(false, rows[i].path, rows[i].policy, rows[i].peer, rows[i].client,
                               &arena, &caller, &err);
        if (code != rows[i].code)
            print_error("row %zu: %s %s\n", i, code_name(code), err.text);
        assert_int_equal(code, rows[i].code);
        if (code != CODE_OK)
            assert_string_equal(err.reason, rows[i].reason);
        assert_true(str_eq(caller.peer, str_of(rows[i].peer)));
    }
    arena_clear(&arena);
}

static void test_who_the_caller_is(void **state)
{
    struct arena arena = {0};
    struct rpc_caller caller;
    struct error err;
    (void)state;
    assert_int_equal(
        admit(false, "/a.S/M", &SIGNED_IN, "gateway", WITH_SCOPE, &arena, &caller, &err), CODE_OK);
    assert_true(caller.is_client && rpc_caller_signed_in(&caller));
    assert_true(str_eq(caller.issuer, STR("https://issuer")));
    assert_true(str_eq(caller.subject, STR("ada")));
    assert_true(str_eq(caller.key_id, STR("k1")));
    assert_true(str_eq(caller.request_id, STR("r1")));
    assert_true(rpc_caller_holds(&caller, STR("write")));
    assert_false(rpc_caller_holds(&caller, STR("admin")));

    assert_int_equal(admit(false, "/a.S/M", &SIGNED_IN, "operator", NONE, &arena, &caller, &err),
                     CODE_OK);
    assert_false(caller.is_client || rpc_caller_signed_in(&caller));
    assert_true(rpc_caller_holds(&caller, STR("admin")));
    assert_false(rpc_caller_holds(&caller, STR("write")));

    assert_int_equal(
        admit(false, "/a.S/M", &INTERNAL, "gateway", WITH_SCOPE, &arena, &caller, &err),
        CODE_PERMISSION_DENIED);
    assert_true(str_eq(caller.subject, STR("ada"))); /* the audit log wants to know */
    arena_clear(&arena);
}

/* A gateway that asks nobody: its clients may do all but what is internal. */
static void test_open(void **state)
{
    struct arena arena = {0};
    struct rpc_caller caller;
    struct error err;
    (void)state;
    assert_int_equal(admit(true, "/a.S/M", &SIGNED_IN, "gateway", EMPTY, &arena, &caller, &err),
                     CODE_OK);
    assert_true(rpc_caller_holds(&caller, STR("admin")));
    assert_int_equal(admit(true, "/a.S/M", &INTERNAL, "gateway", EMPTY, &arena, &caller, &err),
                     CODE_PERMISSION_DENIED);
    assert_int_equal(admit(true, "/a.S/M", &PUBLIC, "", EMPTY, &arena, &caller, &err),
                     CODE_UNAUTHENTICATED);
    assert_int_equal(admit(true, "/a.S/M", &PUBLIC, "user", EMPTY, &arena, &caller, &err),
                     CODE_PERMISSION_DENIED);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_who_the_caller_is),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
