/* From a token to a user, by a turned clock: what is remembered, for how long, and how many tokens
 * may be wrong. What claims must be is a table in tests/gateway/test_token_table.py. */
#include "tests/unit/gateway/issuer_world.h"

#include "base/alloc.h"
#include "base/log.h"
#include "gateway/sign_in.h"

enum { SKEW_S = 30, CACHE_S = 300, KEEP_S = 3600 };

struct fixture {
    struct issuer_world world;
    struct sign_in *sign_in;
    struct sign_in_user user;
    struct error err;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    world_init(&fixture->world);
    const struct sign_in_options options = {
        .issuers = STR(ISSUER ";audience=omnidata"),
        .refresh_ms = 300000,
        .refetch_ms = 60000,
        .keep_ms = (int64_t)KEEP_S * 1000,
        .skew_ms = (int64_t)SKEW_S * 1000,
        .cache_ms = (int64_t)CACHE_S * 1000,
        .cache_entries = 64,
        .token_bytes_max = 2000,
        .clock = &fixture->world.clock,
        .fetcher = world_fetcher(&fixture->world),
    };
    if (sign_in_new(&options, &fixture->sign_in, &fixture->err) != CODE_OK)
        return -1;
    jwks_step(sign_in_jwks(fixture->sign_in, 0));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sign_in_free(fixture->sign_in);
    world_clear(&fixture->world);
    xfree(fixture);
    return 0;
}

static struct str mint_by(struct fixture *fixture, const struct signer *signer, const char *kid,
                          const char *subject, int64_t lifetime_s)
{
    struct issuer_world *world = &fixture->world;
    struct buf out;
    buf_init_arena(&out, &world->arena, 4096);
    signer_add_token(signer, arena_printf(&world->arena, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid),
                     arena_printf(&world->arena,
                                  "{\"iss\":\"" ISSUER
                                  "\",\"aud\":\"omnidata\",\"sub\":\"%s\",\"exp\":%lld,"
                                  "\"scope\":\"a  b \"}",
                                  subject, (long long)(world->now_ms / 1000 + lifetime_s)),
                     &out);
    return buf_str(&out);
}

static struct str mint(struct fixture *fixture, const char *subject, int64_t lifetime_s)
{
    return mint_by(fixture, fixture->world.old_key, "old", subject, lifetime_s);
}

static struct str forge(struct fixture *fixture, int number)
{
    const char *subject = arena_printf(&fixture->world.arena, "eve%d", number);
    return mint_by(fixture, fixture->world.new_key, "old", subject, 600);
}

/* "" when it signs somebody in, else the reason. */
static const char *check_from(struct fixture *fixture, struct str token, const char *address)
{
    error_clear(&fixture->err);
    enum code code = sign_in_check(fixture->sign_in, token, str_of(address), &fixture->world.arena,
                                   &fixture->user, &fixture->err);
    return code == CODE_OK ? "" : fixture->err.reason;
}

static const char *check(struct fixture *fixture, struct str token)
{
    return check_from(fixture, token, "192.0.2.1");
}

static void later(struct fixture *fixture, int64_t seconds)
{
    fixture->world.now_ms += seconds * 1000;
}

static void a_token_says_who_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct str token = mint(fixture, "ada", 600);
    for (int i = 0; i < 3; i++) { /* the second time from memory */
        memset(&fixture->user, 0, sizeof fixture->user);
        assert_string_equal(check(fixture, token), "");
        assert_true(str_eq(fixture->user.issuer, STR(ISSUER)));
        assert_true(str_eq(fixture->user.subject, STR("ada")));
        assert_int_equal(fixture->user.until_s, START_S + 600 + SKEW_S);
        assert_int_equal(fixture->user.scope_count, 2);
        assert_true(str_eq(fixture->user.scopes[0], STR("a")));
        assert_true(str_eq(fixture->user.scopes[1], STR("b")));
    }
}

/* Rule 24. */
static void it_ends_with_its_expiry_and_the_skew(void **state)
{
    struct fixture *fixture = *state;
    struct str token = mint(fixture, "ada", 60);
    assert_string_equal(check(fixture, token), "");
    later(fixture, 60 + SKEW_S - 1);
    assert_string_equal(check(fixture, token), "");
    later(fixture, 1);
    assert_string_equal(check(fixture, token), "TOKEN_EXPIRED");
}

/* Rule 24. */
static void memory_does_not_outlive_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct str token = mint(fixture, "ada", 2 * (int64_t)KEEP_S);
    later(fixture, KEEP_S - CACHE_S + 10);
    assert_string_equal(check(fixture, token), "");
    later(fixture, CACHE_S - 1); /* the keys are too old by now, but nobody looks at them */
    assert_string_equal(check(fixture, token), "");
    later(fixture, 1);
    assert_string_equal(check(fixture, token), "SIGN_IN_UNAVAILABLE");
    assert_int_equal(fixture->err.code, CODE_UNAVAILABLE);
    assert_int_equal(fixture->err.retry_after_ms, 5000);
}

/* Rule 24. */
static void memory_does_not_outlive_the_key(void **state)
{
    struct fixture *fixture = *state;
    struct str token = mint(fixture, "ada", 6000);
    later(fixture, 290); /* it will still be remembered when the keys are fetched again */
    assert_string_equal(check(fixture, token), "");
    fixture->world.keys = world_jwks(&fixture->world, false, true);
    later(fixture, 10);
    jwks_step(sign_in_jwks(fixture->sign_in, 0));
    assert_string_equal(check(fixture, token), "TOKEN_KEY");
    /* a minute later it is worth a question, once */
    later(fixture, 60);
    assert_string_equal(check(fixture, token), "SIGN_IN_UNAVAILABLE");
    assert_int_equal(fixture->err.retry_after_ms, 1000);
    jwks_step(sign_in_jwks(fixture->sign_in, 0));
    assert_string_equal(check(fixture, token), "TOKEN_KEY");
}

static void what_failed_is_remembered_until_the_keys_change(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    struct str token = forge(fixture, 1);
    later(fixture, 290);
    for (int i = 0; i < 200; i++) /* more than may fail: only the first one is looked at */
        assert_string_equal(check(fixture, token), "TOKEN_SIGNATURE");
    struct buf keys;
    buf_init_arena(&keys, &world->arena, 4096);
    buf_add_cstr(&keys, "{\"keys\":[");
    signer_add_jwk(world->new_key, "old", "", &keys);
    buf_add_cstr(&keys, "]}");
    world->keys = buf_cstr(&keys);
    later(fixture, 10);
    jwks_step(sign_in_jwks(fixture->sign_in, 0));
    assert_string_equal(check(fixture, token), "");
}

static void wrong_signatures_are_bounded_by_address(void **state)
{
    struct fixture *fixture = *state;
    struct str good = mint(fixture, "ada", 600), bad = forge(fixture, 0);
    assert_string_equal(check(fixture, good), "");
    assert_string_equal(check(fixture, bad), "TOKEN_SIGNATURE");
    for (int i = 1; i < 50; i++)
        assert_string_equal(check(fixture, forge(fixture, i)), "TOKEN_SIGNATURE");
    assert_string_equal(check(fixture, forge(fixture, 50)), "TOO_MANY_TOKENS");
    assert_int_equal(fixture->err.code, CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(check(fixture, mint(fixture, "bob", 600)), "TOO_MANY_TOKENS");
    assert_string_equal(check(fixture, good), ""); /* who is known is not looked at */
    assert_string_equal(check(fixture, bad), "TOKEN_SIGNATURE");
    assert_string_equal(check_from(fixture, mint(fixture, "bob", 600), "192.0.2.2"), "");
    later(fixture, 1);
    for (int i = 60; i < 70; i++)
        assert_string_equal(check(fixture, forge(fixture, i)), "TOKEN_SIGNATURE");
    assert_string_equal(check(fixture, forge(fixture, 70)), "TOO_MANY_TOKENS");
}

static void good_tokens_are_not_counted(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 200; i++)
        assert_string_equal(
            check(fixture, mint(fixture, arena_printf(&fixture->world.arena, "u%d", i), 600)), "");
}

static void wrong_signatures_are_bounded_in_all(void **state)
{
    struct fixture *fixture = *state;
    int failed = 0;
    const char *reason = "TOKEN_SIGNATURE";
    for (int i = 0; strcmp(reason, "TOKEN_SIGNATURE") == 0; i++, failed++)
        reason = check_from(fixture, forge(fixture, i),
                            arena_printf(&fixture->world.arena, "192.0.2.%d", i / 40));
    assert_string_equal(reason, "SIGN_IN_BUSY");
    assert_int_equal(fixture->err.code, CODE_UNAVAILABLE);
    assert_int_equal(failed, 1001);
    later(fixture, 1);
    assert_string_equal(check_from(fixture, mint(fixture, "ada", 600), "192.0.2.99"), "");
}

static void cheap_faults_come_first(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *token, *reason;
    } cases[] = {
        {"", "TOKEN_MALFORMED"},
        {"a.b", "TOKEN_MALFORMED"},
        {"a.b.c", "TOKEN_MALFORMED"},
        {"eyJhbGciOiJub25lIn0.e30.AA", "TOKEN_ALGORITHM"},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AA", "TOKEN_ISSUER"},
    };
    for (int i = 0; i < 1000; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            assert_string_equal(check(fixture, str_of(cases[k].token)), cases[k].reason);
    static char large[2001];
    memset(large, 'a', sizeof large);
    assert_string_equal(check(fixture, (struct str){large, 2001}), "TOKEN_TOO_LARGE");
    assert_string_equal(check(fixture, (struct str){large, 2000}), "TOKEN_MALFORMED");
    assert_int_equal(fixture->world.fetches, 1);
}

static void no_issuers_no_sign_in(void **state)
{
    struct sign_in *sign_in;
    struct error err;
    (void)state;
    assert_int_equal(sign_in_new(&(struct sign_in_options){0}, &sign_in, &err), CODE_OK);
    assert_null(sign_in);
    assert_int_equal(sign_in_new(&(struct sign_in_options){.issuers = STR("x")}, &sign_in, &err),
                     CODE_INVALID_ARGUMENT);
    assert_null(sign_in);
    sign_in_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_token_says_who_it_is),
        TEST(it_ends_with_its_expiry_and_the_skew),
        TEST(memory_does_not_outlive_its_time),
        TEST(memory_does_not_outlive_the_key),
        TEST(what_failed_is_remembered_until_the_keys_change),
        TEST(wrong_signatures_are_bounded_by_address),
        TEST(good_tokens_are_not_counted),
        TEST(wrong_signatures_are_bounded_in_all),
        TEST(cheap_faults_come_first),
        cmocka_unit_test(no_issuers_no_sign_in),
    };
    log_init("sign_in_test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
