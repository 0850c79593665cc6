/* Key sets and tokens: what verifies, and what never does. */
#include "tests/support/unit.h"

#include "base/encode.h"
#include "jose/jwk.h"
#include "jose/jwt.h"
#include "tests/support/signer.h"

#include <string.h>

static const char CLAIMS[] = "{\"iss\":\"https://a.example\",\"exp\":1300819380}";

struct world {
    struct arena arena;
    struct buf text;
    struct signer *signers[3]; /* by kind */
};

static int set_up(void **state)
{
    static struct world world;
    buf_init(&world.text, 1 << 20);
    world.signers[CRYPTO_KEY_RSA] = signer_new(CRYPTO_KEY_RSA, 2048);
    world.signers[CRYPTO_KEY_P256] = signer_new(CRYPTO_KEY_P256, 0);
    world.signers[CRYPTO_KEY_ED25519] = signer_new(CRYPTO_KEY_ED25519, 0);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < 3; i++)
        signer_free(world->signers[i]);
    buf_clear(&world->text);
    arena_clear(&world->arena);
    return 0;
}

static struct str token_of(struct world *world, enum crypto_key_kind kind, const char *header,
                           const char *claims)
{
    buf_reset(&world->text);
    signer_add_token(world->signers[kind], header, claims, &world->text);
    return arena_str(&world->arena, buf_str(&world->text));
}

static struct str header_of(struct world *world, const char *algorithm, const char *more)
{
    return str_of(arena_printf(&world->arena, "{\"alg\":\"%s\"%s}", algorithm, more));
}

/* --- key sets --- */

/* The usual set of three: ids r, e and o. */
static struct jwk_set *usual_set(struct world *world)
{
    static const char *const ids[] = {"r", "e", "o"};
    struct jwk_set *set;
    struct error err;
    buf_reset(&world->text);
    buf_add_cstr(&world->text, "{\"keys\":[");
    for (size_t i = 0; i < 3; i++) {
        signer_add_jwk(world->signers[i], ids[i], ",\"use\":\"sig\"", &world->text);
        buf_add_char(&world->text, i < 2 ? ',' : ']');
    }
    buf_add_char(&world->text, '}');
    if (jwk_set_read(buf_str(&world->text), &set, &err) != CODE_OK)
        fail_msg("%s", err.text);
    return set;
}

static void a_set_finds_keys_by_id_and_kind(void **state)
{
    struct world *world = *state;
    struct jwk_set *set = usual_set(world);
    struct str reason;
    assert_int_equal(jwk_set_count(set), 3);
    assert_int_equal(jwk_set_left_out(set, &reason), 0);
    assert_non_null(jwk_set_find(set, STR("r"), CRYPTO_KEY_RSA));
    assert_null(jwk_set_find(set, STR("r"), CRYPTO_KEY_P256));
    assert_null(jwk_set_find(set, STR("R"), CRYPTO_KEY_RSA));
    assert_null(jwk_set_find(set, STR(""), CRYPTO_KEY_RSA));
    assert_ptr_equal(jwk_set_find(set, (struct str){0}, CRYPTO_KEY_RSA),
                     jwk_set_find(set, STR("r"), CRYPTO_KEY_RSA));
    struct jwk_set *held = jwk_set_hold(set);
    jwk_set_release(set);
    assert_int_equal(jwk_set_count(held), 3);
    jwk_set_release(held);
    jwk_set_release(NULL);
}

static struct jwk_set *set_of(struct world *world, const char *keys, struct error *err)
{
    struct jwk_set *set;
    const char *json = arena_printf(&world->arena, "{\"keys\":[%s]}", keys);
    return jwk_set_read(str_of(json), &set, err) == CODE_OK ? set : NULL;
}

static const char *jwk_of(struct world *world, enum crypto_key_kind kind, const char *kid,
                          const char *more)
{
    buf_reset(&world->text);
    signer_add_jwk(world->signers[kind], kid, more, &world->text);
    return arena_cstr(&world->arena, buf_str(&world->text));
}

static void keys_that_are_left_out(void **state)
{
    struct world *world = *state;
    struct signer *weak = signer_new(CRYPTO_KEY_RSA, 1024);
    buf_reset(&world->text);
    signer_add_jwk(weak, "w", "", &world->text);
    const char *weak_key = arena_cstr(&world->arena, buf_str(&world->text));
    signer_free(weak);
    const struct {
        const char *key, *reason;
    } cases[] = {
        {"{\"kty\":\"oct\",\"k\":\"AAAA\"}", "the kind of key is not RSA, EC or OKP"},
        {"{}", "the kind of key is not RSA, EC or OKP"},
        {"7", "a key is no object"},
        {weak_key, "the modulus has less than 2048 bits"},
        {jwk_of(world, CRYPTO_KEY_RSA, "r", ",\"alg\":\"HS256\""),
         "RSA keys are used with RS256 only"},
        {jwk_of(world, CRYPTO_KEY_RSA, "r", ",\"alg\":\"PS256\""),
         "RSA keys are used with RS256 only"},
        {jwk_of(world, CRYPTO_KEY_P256, "r", ",\"alg\":\"RS256\""),
         "EC keys are used with P-256 and ES256 only"},
        {jwk_of(world, CRYPTO_KEY_ED25519, "r", ",\"alg\":7"),
         "OKP keys are used with Ed25519 only"},
        {jwk_of(world, CRYPTO_KEY_RSA, "r", ",\"use\":\"enc\""),
         "the key is not for verifying signatures"},
        {jwk_of(world, CRYPTO_KEY_RSA, "r", ",\"key_ops\":[\"sign\"]"),
         "the key is not for verifying signatures"},
        {jwk_of(world, CRYPTO_KEY_RSA, "r", ",\"d\":\"AAAA\""),
         "the private key is shown: it is nobody's any more"},
        {jwk_of(world, CRYPTO_KEY_RSA, "", ""), "the key's id is no text of 1 to 256 bytes"},
        {"{\"kty\":\"RSA\",\"n\":\"AA==\",\"e\":\"AQAB\"}", "n or e is missing or not base64url"},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
         "EC keys are used with P-256 and ES256 only"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
         "a coordinate has not 32 bytes"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}",
         "OKP keys are used with Ed25519 only"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "x is missing or not base64url"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct str reason;
        struct jwk_set *set = set_of(world, cases[i].key, &err);
        assert_int_equal(jwk_set_count(set), 0);
        assert_int_equal(jwk_set_left_out(set, &reason), 1);
        if (!str_eq(reason, str_of(cases[i].reason)))
            fail_msg("case %zu: %.*s", i, STR_ARG(reason));
        jwk_set_release(set);
        set = set_of(
            world,
            arena_printf(&world->arena, "%s,%s", cases[i].key,
                         jwk_of(world, CRYPTO_KEY_P256, "good", ",\"key_ops\":[\"verify\"]")),
            &err);
        assert_int_equal(jwk_set_count(set), 1);
        assert_int_equal(jwk_set_left_out(set, &reason), 1);
        assert_true(str_eq(reason, str_of(cases[i].reason)));
        jwk_set_release(set);
    }
}

static void a_set_may_be_empty(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    struct str reason;
    struct jwk_set *usual = usual_set(world), *empty = set_of(world, "", &err);
    assert_int_equal(jwk_set_count(empty), 0);
    assert_int_equal(jwk_set_left_out(empty, &reason), 0);
    assert_null(jwk_set_find(empty, STR("r"), CRYPTO_KEY_RSA));
    assert_null(jwk_set_find(empty, (struct str){0}, CRYPTO_KEY_RSA));
    assert_true(jwk_set_includes(usual, empty));
    assert_false(jwk_set_includes(empty, usual));
    jwk_set_release(usual);
    jwk_set_release(empty);
}

static void texts_that_are_no_set(void **state)
{
    struct world *world = *state;
    static const char *const wrong[] = {
        "", "[]", "{}", "{\"keys\":{}}", "<html>", "{\"keys\"", "{\"keys\":[],\"keys\":[]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct jwk_set *set;
        struct error err = {0};
        assert_int_equal(jwk_set_read(str_of(wrong[i]), &set, &err), CODE_INVALID_ARGUMENT);
        assert_null(set);
    }
    char *large = arena_alloc(&world->arena, JWK_SET_BYTES_MAX + 1);
    struct jwk_set *set;
    struct error err = {0};
    memset(large, ' ', JWK_SET_BYTES_MAX + 1);
    assert_int_equal(jwk_set_read((struct str){large, JWK_SET_BYTES_MAX + 1}, &set, &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "JSON_TOO_LONG");
}

static void sets_are_bounded_and_ids_are_unique(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    struct str reason;
    struct buf keys;
    buf_init_arena(&keys, &world->arena, 1 << 20);
    for (int i = 0; i < 66; i++)
        buf_addf(&keys, "%s%s", i ? "," : "",
                 jwk_of(world, CRYPTO_KEY_ED25519, arena_printf(&world->arena, "k%d", i), ""));
    struct jwk_set *set = set_of(world, buf_cstr(&keys), &err);
    assert_int_equal(jwk_set_count(set), 64);
    assert_int_equal(jwk_set_left_out(set, &reason), 2);
    assert_non_null(jwk_set_find(set, STR("k63"), CRYPTO_KEY_ED25519));
    /* no id in the token, several keys: none */
    assert_null(jwk_set_find(set, (struct str){0}, CRYPTO_KEY_ED25519));
    jwk_set_release(set);

    const char *one = jwk_of(world, CRYPTO_KEY_RSA, "same", "");
    const char *other_kind = jwk_of(world, CRYPTO_KEY_P256, "same", "");
    set = set_of(world, arena_printf(&world->arena, "%s,%s,%s", one, other_kind, one), &err);
    assert_int_equal(jwk_set_count(set), 2);
    assert_non_null(jwk_set_find(set, STR("same"), CRYPTO_KEY_P256));
    jwk_set_release(set);
}

static void what_has_gone_from_a_set_is_seen(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    const char *a = jwk_of(world, CRYPTO_KEY_RSA, "a", ""),
               *b = jwk_of(world, CRYPTO_KEY_P256, "b", "");
    struct jwk_set *both = set_of(world, arena_printf(&world->arena, "%s,%s", a, b), &err);
    struct jwk_set *swapped = set_of(world, arena_printf(&world->arena, "%s,%s", b, a), &err);
    struct jwk_set *one = set_of(world, a, &err);
    struct jwk_set *renamed = set_of(world, jwk_of(world, CRYPTO_KEY_RSA, "b", ""), &err);
    assert_true(jwk_set_includes(both, swapped) && jwk_set_includes(swapped, both));
    assert_true(jwk_set_includes(both, one));
    assert_false(jwk_set_includes(one, both));
    assert_false(jwk_set_includes(both, renamed));
    jwk_set_release(both);
    jwk_set_release(swapped);
    jwk_set_release(one);
    jwk_set_release(renamed);
}

/* --- tokens --- */

/* Rule 24. */
static void tokens_of_every_kind_verify_with_their_key_only(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"RS256", "ES256", "EdDSA", "Ed25519"};
    static const char *const ids[] = {"r", "e", "o", "o"};
    struct jwk_set *set = usual_set(world);
    for (size_t i = 0; i < 4; i++) {
        struct jwt jwt;
        struct error err;
        enum crypto_key_kind kind = i < 3 ? (enum crypto_key_kind)i : CRYPTO_KEY_ED25519;
        const char *more = arena_printf(&world->arena, ",\"kid\":\"%s\",\"typ\":\"JWT\"", ids[i]);
        struct str token = token_of(world, kind, header_of(world, names[i], more).ptr, CLAIMS);
        assert_true(jwt_has_shape(token));
        assert_int_equal(jwt_read(&world->arena, token, &jwt, &err), CODE_OK);
        assert_int_equal(jwt.key_kind, kind);
        assert_true(str_eq(jwt.kid, str_of(ids[i])) && str_eq(jwt.type, STR("JWT")));
        assert_true(str_eq(json_get(jwt.claims, STR("iss"))->text, STR("https://a.example")));
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(
                jwt_verify(&jwt, jwk_set_find(set, str_of(ids[k]), (enum crypto_key_kind)k)),
                k == kind);
        /* the same token saying it is of another kind */
        jwt.key_kind = (kind + 1) % 3;
        for (size_t k = 0; k < 3; k++)
            assert_false(
                jwt_verify(&jwt, jwk_set_find(set, str_of(ids[k]), (enum crypto_key_kind)k)));
    }
    jwk_set_release(set);
}

static void one_changed_character_is_seen(void **state)
{
    struct world *world = *state;
    struct jwk_set *set = usual_set(world);
    struct str token = token_of(world, CRYPTO_KEY_P256, "{\"alg\":\"ES256\"}", CLAIMS);
    const struct crypto_public_key *key = jwk_set_find(set, STR("e"), CRYPTO_KEY_P256);
    for (size_t i = 0; i < token.len; i++) {
        struct jwt jwt;
        struct error err;
        char *changed = arena_cstr(&world->arena, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (jwt_read(&world->arena, str_of(changed), &jwt, &err) == CODE_OK)
            assert_false(jwt_verify(&jwt, key));
    }
    jwk_set_release(set);
}

static void shapes(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{"a.b.c", true},    {"a-_.0Z.9", true}, {"", false},          {"abc", false},
                 {"a.b", false},     {"a.b.", false},    {".b.c", false},      {"a..c", false},
                 {"a.b.c.d", false}, {"a.b.c.", false},  {"a.b.c.d.e", false}, {"a.b.c=", false},
                 {"a.b.c d", false}, {"a.b+.c", false},  {" a.b.c", false},    {"a.b.c\n", false},
                 {"a.b/.c", false},  {"...", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(jwt_has_shape(str_of(cases[i].text)), cases[i].good);
    assert_false(jwt_has_shape(STR("a.b.c\0")));
}

static void assert_refused(struct world *world, struct str token, const char *reason,
                           const char *text)
{
    struct jwt jwt;
    struct error err = {0};
    assert_int_equal(jwt_read(&world->arena, token, &jwt, &err), CODE_UNAUTHENTICATED);
    assert_string_equal(err.reason, reason);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err.text);
}

/* Rule 24. */
static void headers_that_are_refused(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *header, *reason, *text;
    } cases[] = {
        {"{\"alg\":\"none\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"None\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"nOnE\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"HS256\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"rs256\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"RS256 \"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"RS256\\u0000\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"PS256\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{\"alg\":\"ES256K\"}", "TOKEN_ALGORITHM", "algorithm"},
        {"{}", "TOKEN_MALFORMED", "no algorithm"},
        {"{\"alg\":null}", "TOKEN_MALFORMED", "no algorithm"},
        {"{\"alg\":[\"RS256\"]}", "TOKEN_MALFORMED", "no algorithm"},
        {"{\"alg\":\"RS256\",\"alg\":\"none\"}", "TOKEN_MALFORMED", "header is no JSON"},
        {"{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", "TOKEN_MALFORMED", "extension"},
        {"{\"alg\":\"RS256\",\"crit\":[]}", "TOKEN_MALFORMED", "extension"},
        {"{\"alg\":\"RS256\",\"b64\":false}", "TOKEN_MALFORMED", "extension"},
        {"{\"alg\":\"RS256\",\"kid\":7}", "TOKEN_MALFORMED", "key id"},
        {"{\"alg\":\"RS256\",\"kid\":\"\"}", "TOKEN_MALFORMED", "key id"},
        {"{\"alg\":\"RS256\",\"typ\":1}", "TOKEN_MALFORMED", "type"},
        {"\"RS256\"", "TOKEN_MALFORMED", "header is no JSON"},
        {"{\"alg\":\"RS256\"} x", "TOKEN_MALFORMED", "header is no JSON"},
        {"{\"alg\":\"RS\xff\"}", "TOKEN_MALFORMED", "header is no JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(world, token_of(world, CRYPTO_KEY_RSA, cases[i].header, CLAIMS),
                       cases[i].reason, cases[i].text);
    char kid[300];
    memset(kid, 'k', sizeof kid);
    const char *header = arena_printf(&world->arena, "{\"alg\":\"RS256\",\"kid\":\"%.257s\"}", kid);
    assert_refused(world, token_of(world, CRYPTO_KEY_RSA, header, CLAIMS), "TOKEN_MALFORMED",
                   "key id");
}

static void texts_that_are_no_token(void **state)
{
    struct world *world = *state;
    struct str good = token_of(world, CRYPTO_KEY_ED25519, "{\"alg\":\"EdDSA\"}", CLAIMS);
    const char *claims[] = {"[]", "7", "", "{\"exp\":1,\"exp\":2}", "{\"a\":{\"b\":1,\"b\":1}}"};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        assert_refused(world, token_of(world, CRYPTO_KEY_ED25519, "{\"alg\":\"EdDSA\"}", claims[i]),
                       "TOKEN_MALFORMED", claims[i][0] ? "claims" : "three parts");
    assert_refused(world, STR("a.b"), "TOKEN_MALFORMED", "three parts");
    assert_refused(world, str_of(arena_printf(&world->arena, "%.*s.x", STR_ARG(good))),
                   "TOKEN_MALFORMED", "three parts");
    assert_refused(world, str_of(arena_printf(&world->arena, "%.*s=", STR_ARG(good))),
                   "TOKEN_MALFORMED", "signature");
    assert_refused(world, STR("eyJhbGciOiJFZERTQSJ9.e30=.AA"), "TOKEN_MALFORMED", "claims");
    assert_refused(world, STR("eyJhbGciOiJFZERTQSJ9.e31.AA"), "TOKEN_MALFORMED", "claims");
    assert_refused(world, STR("eyJhbGciOiJFZERTQSJ9.e30.AB"), "TOKEN_MALFORMED", "signature");
}

static void dates(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *text;
        enum jwt_date kind;
        int64_t seconds;
    } cases[] = {
        {"1300819380", JWT_DATE_SET, 1300819380},
        {"1300819380.9", JWT_DATE_SET, 1300819380},
        {"1.3e9", JWT_DATE_SET, 1300000000},
        {"0", JWT_DATE_SET, 0},
        {"253402300799", JWT_DATE_SET, 253402300799},
        {"253402300800", JWT_DATE_WRONG, 0},
        {"-1", JWT_DATE_WRONG, 0},
        {"1e400", JWT_DATE_WRONG, 0},
        {"\"1300819380\"", JWT_DATE_WRONG, 0},
        {"null", JWT_DATE_WRONG, 0},
        {"true", JWT_DATE_WRONG, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct json_value *claims;
        struct error err;
        int64_t seconds = 0;
        const char *text = arena_printf(&world->arena, "{\"exp\":%s}", cases[i].text);
        assert_int_equal(
            json_read(&world->arena, str_of(text), json_limits_default(), &claims, &err), CODE_OK);
        assert_int_equal(jwt_date(claims, STR("exp"), &seconds), cases[i].kind);
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(jwt_date(claims, STR("nbf"), &seconds), JWT_DATE_ABSENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_finds_keys_by_id_and_kind),
        cmocka_unit_test(keys_that_are_left_out),
        cmocka_unit_test(a_set_may_be_empty),
        cmocka_unit_test(texts_that_are_no_set),
        cmocka_unit_test(sets_are_bounded_and_ids_are_unique),
        cmocka_unit_test(what_has_gone_from_a_set_is_seen),
        cmocka_unit_test(tokens_of_every_kind_verify_with_their_key_only),
        cmocka_unit_test(one_changed_character_is_seen),
        cmocka_unit_test(shapes),
        cmocka_unit_test(headers_that_are_refused),
        cmocka_unit_test(texts_that_are_no_token),
        cmocka_unit_test(dates),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
