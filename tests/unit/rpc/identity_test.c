/* Tokens, names and addresses: what is believed, and what is refused at start. */
#include "rpc/identity_core.h"
#include "rpc/token_file.h"

#include "base/arena.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B32 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C33 "ccccccccccccccccccccccccccccccccc"

static char path[64];

static const char *file_of(const char *text, mode_t mode)
{
    snprintf(path, sizeof path, "/tmp/identity_test.%d", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void test_token_files(void **state)
{
    static const struct {
        const char *text, *problem; /* NULL: it is good */
    } rows[] = {
        {"gateway " A32 "\n", NULL},
        {"# peers\n\n  gateway\t " A32 " \r\nuser " B32, NULL},
        {"", "there is no token in it"},
        {"# nothing\n", "there is no token in it"},
        {"gateway\n", "line 1: the token must have 32 to 256 characters"},
        {"gateway short\n", "line 1: the token must have 32 to 256 characters"},
        {"\ngateway " A32 " " B32 "\n", "line 2: the token may hold printable ASCII"},
        {"gateway " A32 "\xC3\xA9\n", "line 1: the token may hold printable ASCII"},
        {"Gateway " A32 "\n", "line 1: the name must be"},
        {"gateway " A32 "\nuser " A32 "\n", "line 2: the token stands in an earlier line"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct peer_token *tokens;
        size_t count = 0;
        enum code code =
            token_file_parse("FILE", str_of(rows[i].text), &arena, &tokens, &count, &err);
        assert_int_equal(code, rows[i].problem ? CODE_FAILED_PRECONDITION : CODE_OK);
        if (rows[i].problem) {
            if (!strstr(err.text, rows[i].problem))
                print_error("row %zu: %s\n", i, err.text);
            assert_non_null(strstr(err.text, rows[i].problem));
            assert_null(strstr(err.text, A32)); /* a message never shows a secret */
        }
        arena_clear(&arena);
    }
}

static void test_for_the_owner_only(void **state)
{
    static const mode_t good[] = {0600, 0400, 0640, 0440}, bad[] = {0644, 0620, 0602, 0604, 0666};
    struct rpc_identity_options options = {.name = "gateway", .plaintext = "loopback"};
    struct rpc_identity *identity;
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        options.token_file = file_of("gateway " A32 "\n", good[i]);
        assert_int_equal(rpc_identity_open(&options, &identity, &err), CODE_OK);
        rpc_identity_free(identity);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.token_file = file_of("gateway " A32 "\n", bad[i]);
        assert_int_equal(rpc_identity_open(&options, &identity, &err), CODE_FAILED_PRECONDITION);
        assert_non_null(strstr(err.text, "--token-file: "));
        assert_non_null(strstr(err.text, "chmod 600"));
        assert_null(identity);
    }
    unlink(path);
    assert_int_equal(rpc_identity_open(&options, &identity, &err), CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "No such file"));
}

static struct rpc_identity *opened(const char *tokens, const char *names, const char *plaintext)
{
    struct rpc_identity_options options = {.name = "gateway",
                                           .token_file = tokens ? file_of(tokens, 0600) : "",
                                           .peer_names = names,
                                           .plaintext = plaintext};
    struct rpc_identity *identity;
    struct error err = {0};
    enum code code = rpc_identity_open(&options, &identity, &err);
    if (code != CODE_OK)
        print_error("%s\n", err.text);
    assert_int_equal(code, CODE_OK);
    unlink(path);
    return identity;
}

static void test_tokens(void **state)
{
    struct rpc_identity *identity =
        opened("user " A32 "\ngateway " B32 "\ngateway " C33 "\n", "", "loopback");
    (void)state;
    assert_true(rpc_identity_knows_peers(identity));
    assert_true(str_eq(identity_of_token(identity, STR(A32)), STR("user")));
    assert_true(str_eq(identity_of_token(identity, STR(B32)), STR("gateway")));
    assert_true(str_eq(identity_of_token(identity, STR(C33)), STR("gateway")));
    assert_int_equal(identity_of_token(identity, STR(A32 "a")).len, 0);
    assert_int_equal(identity_of_token(identity, STR("a")).len, 0);
    assert_int_equal(identity_of_token(identity, STR("")).len, 0);
    /* The last line of our own is what we send, and never in the clear through a network. */
    assert_true(str_eq(identity_token_for(identity, "127.0.0.1:1"), STR(C33)));
    assert_int_equal(identity_token_for(identity, "10.0.0.1:1").len, 0);
    assert_int_equal(identity_token_for(NULL, "127.0.0.1:1").len, 0);
    rpc_identity_free(identity);
    identity = opened("gateway " B32 "\n", "", "anywhere");
    assert_true(str_eq(identity_token_for(identity, "10.0.0.1:1"), STR(B32)));
    rpc_identity_free(identity);
    identity = opened(NULL, "", "loopback");
    assert_false(rpc_identity_knows_peers(identity));
    rpc_identity_free(identity);
}

static void test_names(void **state)
{
    struct rpc_identity *identity = opened(
        NULL, "gateway=spiffe://omni/gateway|GW.internal, user=spiffe://omni/user", "loopback");
    (void)state;
    assert_true(str_eq(identity_of_name(identity, NULL, STR("spiffe://omni/gateway"), true),
                       STR("gateway")));
    assert_true(
        str_eq(identity_of_name(identity, NULL, STR("gw.internal"), false), STR("gateway")));
    assert_true(
        str_eq(identity_of_name(identity, "user", STR("spiffe://omni/user"), true), STR("user")));
    /* A URI is not a DNS name, nor the other way round; URIs have their case; a prefix is nothing.
     */
    assert_int_equal(identity_of_name(identity, NULL, STR("spiffe://omni/gateway"), false).len, 0);
    assert_int_equal(identity_of_name(identity, NULL, STR("gw.internal"), true).len, 0);
    assert_int_equal(identity_of_name(identity, NULL, STR("spiffe://omni/Gateway"), true).len, 0);
    assert_int_equal(identity_of_name(identity, NULL, STR("spiffe://omni/gateway/x"), true).len, 0);
    assert_int_equal(identity_of_name(identity, "user", STR("gw.internal"), false).len, 0);
    assert_true(identity_names_peer(identity, "user") && identity_names_peer(identity, NULL));
    assert_false(identity_names_peer(identity, "operator"));
    rpc_identity_free(identity);
}

static void test_wrong_settings(void **state)
{
    static const struct {
        struct rpc_identity_options options;
        const char *problem;
    } rows[] = {
        {{.peer_names = "gateway"}, "--peer-names: \"gateway\" is not name=SAN|SAN"},
        {{.peer_names = "gateway="}, "is not name=SAN|SAN"},
        {{.peer_names = "=a"}, "is not name=SAN|SAN"},
        {{.peer_names = "gateway=a||b"}, "--peer-names: an empty name"},
        {{.peer_names = "gateway=a,user=A"}, "--peer-names: \"A\" stands there twice"},
        {{.cert = "x"}, "--peer-cert is set without --peer-key"},
        {{.key = "x"}, "--peer-key is set without --peer-cert"},
        {{.cert = "x", .key = "y", .calls = true}, "--peer-cert is set without --peer-ca"},
        {{.cert = "/nowhere/x", .key = "y"}, "/nowhere/x: No such file"},
        {{.ca = "/nowhere/ca"}, "--peer-ca: /nowhere/ca: No such file"},
        {{.ca = "/dev/null"}, "--peer-ca: /dev/null: no certificate"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rpc_identity *identity;
        struct error err = {0};
        assert_int_equal(rpc_identity_open(&rows[i].options, &identity, &err),
                         CODE_FAILED_PRECONDITION);
        if (!strstr(err.text, rows[i].problem))
            print_error("row %zu: %s\n", i, err.text);
        assert_non_null(strstr(err.text, rows[i].problem));
    }
    struct rpc_identity_options caller = {
        .name = "operator", .calls = true, .token_file = file_of("user " A32 "\n", 0600)};
    struct rpc_identity *identity;
    struct error err = {0};
    assert_int_equal(rpc_identity_open(&caller, &identity, &err), CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "has no line for \"operator\""));
    unlink(path);
}

static void test_addresses(void **state)
{
    static const char *const local[] = {"127.0.0.1:80",       "127.9.8.7:80",    "localhost:1",
                                        "LocalHost:1",        "[::1]:80",        "unix:/run/x",
                                        "dns:///localhost:1", "dns:127.0.0.1:1", "ipv4:127.0.0.1:1",
                                        "ipv6:[::1]:1"};
    static const char *const far[] = {
        "0.0.0.0:80",    "[::]:80",     "10.0.0.1:80", "127.evil.example:80",
        "localhost.x:1", "users:50051", ":80",         "dns:///users:1",
        "127.0.0.1.x:1", "127.1:80",    "[::1:80",     "*:1"};
    struct rpc_identity *strict = opened(NULL, "", "loopback");
    struct rpc_identity *trusting = opened(NULL, "", "anywhere");
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        if (!identity_is_local(str_of(local[i])))
            print_error("%s\n", local[i]);
        assert_true(identity_is_local(str_of(local[i])));
        assert_int_equal(rpc_identity_check_listen(strict, local[i], "--listen", &err), CODE_OK);
    }
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        if (identity_is_local(str_of(far[i])))
            print_error("%s\n", far[i]);
        assert_false(identity_is_local(str_of(far[i])));
        assert_int_equal(rpc_identity_check_listen(strict, far[i], "--listen", &err),
                         CODE_FAILED_PRECONDITION);
        assert_non_null(strstr(err.text, "--listen: "));
        assert_int_equal(rpc_identity_check_target(strict, far[i], "--events", &err),
                         CODE_FAILED_PRECONDITION);
        assert_non_null(strstr(err.text, "--events: "));
        assert_int_equal(rpc_identity_check_target(trusting, far[i], "--events", &err), CODE_OK);
    }
    rpc_identity_free(strict);
    rpc_identity_free(trusting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_files),    cmocka_unit_test(test_for_the_owner_only),
        cmocka_unit_test(test_tokens),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_wrong_settings), cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
