/*
 * Tokens and key sets. Three texts with line ends between them: a header and claims, which are
 * encoded here so that the fuzzer sees through base64url, and a key set. The first line is also
 * read as a token as it is.
 */
#include "base/encode.h"
#include "gateway/issuer.h"
#include "jose/jwk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1300819380 };

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_claims(const struct jwt *jwt, struct arena *arena)
{
    struct issuer issuers[ISSUERS_MAX];
    struct error err = {0};
    size_t count;
    must(issuers_read(arena,
                      STR("https://a.example;audience=a;scope-claim=roles;scope-prefix=p/,"
                          "https://b.example;profile=cognito;client-id=b"),
                      issuers, &count, &err) == CODE_OK);
    for (size_t i = 0; i < count; i++) {
        struct identity identity;
        if (issuer_check(&issuers[i], jwt, NOW_S, 30, arena, &identity, &err) != CODE_OK) {
            must(err.code == CODE_UNAUTHENTICATED && err.reason[0] && err.text[0]);
            continue;
        }
        must(str_is_utf8(identity.subject) && identity.subject.len);
        must(str_is_utf8(identity.scopes) && str_find(identity.scopes, '\n') < 0);
        must(identity.expires_s + 30 > NOW_S);
    }
}

static void check_token(struct str token, const struct jwk_set *set, struct arena *arena)
{
    struct jwt jwt;
    struct error err = {0};
    if (jwt_read(arena, token, &jwt, &err) != CODE_OK) {
        must(err.code == CODE_UNAUTHENTICATED && err.reason[0]);
        return;
    }
    must(jwt_has_shape(token));
    must(str_starts(token, jwt.signed_text) && jwt.claims->kind == JSON_OBJECT);
    check_claims(&jwt, arena);
    const struct crypto_public_key *key = set ? jwk_set_find(set, jwt.kid, jwt.key_kind) : NULL;
    if (!key)
        return;
    must(crypto_public_key_kind(key) == jwt.key_kind);
    if (jwt_verify(&jwt, key) && jwt.signature.len) {
        char *changed = arena_cstr(arena, jwt.signature);
        changed[0] = (char)(changed[0] ^ 1);
        jwt.signature.ptr = changed;
        must(!jwt_verify(&jwt, key));
    }
}

static struct jwk_set *read_set(struct str text)
{
    struct jwk_set *set;
    struct error err = {0};
    struct str reason;
    if (jwk_set_read(text, &set, &err) != CODE_OK) {
        must(!set && err.code == CODE_INVALID_ARGUMENT && err.text[0]);
        return NULL;
    }
    must(jwk_set_count(set) <= JWK_SET_KEYS_MAX);
    must(!jwk_set_left_out(set, &reason) == !reason.len);
    must(jwk_set_includes(set, set));
    return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str rest = {(const char *)data, size}, header, claims = STR(""), keys = STR("");
    struct buf token;
    if (str_next(&rest, '\n', &header) && str_next(&rest, '\n', &claims))
        (void)str_next(&rest, '\n', &keys);
    struct jwk_set *set = read_set(keys);
    check_token(header, set, &arena);
    buf_init_arena(&token, &arena, size * 2 + 16);
    encode_base64url(&token, header);
    buf_add_char(&token, '.');
    encode_base64url(&token, claims);
    buf_add_cstr(&token, ".AA");
    check_token(buf_str(&token), set, &arena);
    jwk_set_release(set);
    arena_clear(&arena);
    return 0;
}
