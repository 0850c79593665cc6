/* From text to claims, every step refusing what it does not know. */
#include "jose/jwt.h"

#include "base/buf.h"
#include "base/encode.h"
#include "jose/jwk.h"

#include <math.h>
#include <string.h>

enum { HEADER_BYTES_MAX = 16 << 10, JSON_DEPTH = 20 };

static bool is_base64url(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* The three parts; false unless they are that and none is empty. */
static bool split(struct str text, struct str parts[3])
{
    struct str rest = text;
    size_t count = 0;
    struct str piece;
    while (str_next(&rest, '.', &piece)) {
        if (count == 3 || !piece.len)
            return false;
        parts[count++] = piece;
    }
    return count == 3;
}

bool jwt_has_shape(struct str text)
{
    size_t dots = 0, part = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (is_base64url(text.ptr[i])) {
            part++;
            continue;
        }
        if (text.ptr[i] != '.' || !part)
            return false;
        dots++;
        part = 0;
    }
    return dots == 2 && part;
}

static enum code malformed(struct error *err, const char *text)
{
    return error_set(err, CODE_UNAUTHENTICATED, "TOKEN_MALFORMED", "The token is malformed: %s.",
                     text);
}

static bool decode(struct arena *arena, struct str part, struct str *bytes)
{
    struct buf out;
    buf_init_arena(&out, arena, part.len);
    bool good = decode_base64url(&out, part);
    *bytes = buf_str(&out);
    return good;
}

static const struct json_value *read_object(struct arena *arena, struct str part)
{
    struct error err;
    struct str json;
    const struct json_value *value;
    const struct json_limits limits = {part.len, JSON_DEPTH};
    if (!decode(arena, part, &json) || json_read(arena, json, limits, &value, &err) != CODE_OK ||
        value->kind != JSON_OBJECT)
        return NULL;
    return value;
}

static bool kind_of_algorithm(struct str name, enum crypto_key_kind *kind)
{
    static const struct {
        struct str name;
        enum crypto_key_kind kind;
    } known[] = {
        {{"RS256", 5}, CRYPTO_KEY_RSA},
        {{"ES256", 5}, CRYPTO_KEY_P256},
        {{"EdDSA", 5}, CRYPTO_KEY_ED25519},
        {{"Ed25519", 7}, CRYPTO_KEY_ED25519}, /* RFC 9864 */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_eq(name, known[i].name)) {
            *kind = known[i].kind;
            return true;
        }
    }
    return false;
}

static enum code read_header(const struct json_value *header, struct jwt *jwt, struct error *err)
{
    const struct json_value *algorithm = json_get(header, STR("alg"));
    const struct json_value *kid = json_get(header, STR("kid"));
    const struct json_value *type = json_get(header, STR("typ"));
    if (!algorithm || algorithm->kind != JSON_STRING)
        return malformed(err, "its header names no algorithm");
    if (!kind_of_algorithm(algorithm->text, &jwt->key_kind))
        return error_set(err, CODE_UNAUTHENTICATED, "TOKEN_ALGORITHM",
                         "The token's algorithm is not RS256, ES256 or EdDSA.");
    if (json_get(header, STR("crit")) || json_get(header, STR("b64")))
        return malformed(err, "its header asks for an extension");
    if (kid && (kid->kind != JSON_STRING || !kid->text.len || kid->text.len > JWK_KID_BYTES_MAX))
        return malformed(err, "its key id is no text of 1 to 256 bytes");
    if (type && type->kind != JSON_STRING)
        return malformed(err, "its type is no text");
    jwt->kid = kid ? kid->text : (struct str){0};
    jwt->type = type ? type->text : STR("");
    return CODE_OK;
}

enum code jwt_read(struct arena *arena, struct str token, struct jwt *jwt, struct error *err)
{
    struct str parts[3];
    memset(jwt, 0, sizeof *jwt);
    if (!split(token, parts))
        return malformed(err, "it has not three parts");
    if (parts[0].len > HEADER_BYTES_MAX)
        return malformed(err, "its header is too long");
    const struct json_value *header = read_object(arena, parts[0]);
    if (!header)
        return malformed(err, "its header is no JSON object in base64url");
    if (read_header(header, jwt, err) != CODE_OK)
        return err->code;
    jwt->claims = read_object(arena, parts[1]);
    if (!jwt->claims)
        return malformed(err, "its claims are no JSON object in base64url");
    if (!decode(arena, parts[2], &jwt->signature))
        return malformed(err, "its signature is not base64url");
    jwt->signed_text = (struct str){token.ptr, (size_t)(parts[1].ptr + parts[1].len - token.ptr)};
    return CODE_OK;
}

bool jwt_verify(const struct jwt *jwt, const struct crypto_public_key *key)
{
    return crypto_public_key_kind(key) == jwt->key_kind &&
           crypto_public_key_verify(key, jwt->signed_text, jwt->signature);
}

enum jwt_date jwt_date(const struct json_value *claims, struct str name, int64_t *seconds)
{
    static const double most = 253402300799.0; /* the end of the year 9999 */
    const struct json_value *value = json_get(claims, name);
    double number;
    if (!value)
        return JWT_DATE_ABSENT;
    if (value->kind != JSON_NUMBER || !json_number_double(value->text, &number) || number < 0 ||
        number > most)
        return JWT_DATE_WRONG;
    *seconds = (int64_t)floor(number);
    return JWT_DATE_SET;
}
