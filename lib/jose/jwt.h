/*
 * A JSON Web Token (RFC 7519) in the compact serialisation of a signature (RFC 7515), read strictly
 * (RFC 8725): exactly three parts of canonical base64url, JSON without duplicate members, and an
 * algorithm that one kind of key has, so never `none` and never an HMAC. What a token says about
 * where its key could be had (jwk, jku, x5u, x5c) is not looked at; what it calls critical is
 * refused, since nothing critical is understood.
 *
 * Reading proves nothing: only jwt_verify does.
 */
#pragma once
#include "base/arena.h"
#include "crypto/public_key.h"
#include "json/json_in.h"

struct jwt {
    enum crypto_key_kind key_kind;   /* by its `alg` */
    struct str kid;                  /* ptr NULL: none. Only ever compared */
    struct str type;                 /* `typ`, or empty */
    const struct json_value *claims; /* an object */
    struct str signed_text;          /* what the signature is over */
    struct str signature;
};

/*
 * True when the text is three parts of base64url characters between two dots: what is not costs
 * nothing more.
 */
bool jwt_has_shape(struct str text);

/*
 * Reads a token. UNAUTHENTICATED with the reason TOKEN_MALFORMED or TOKEN_ALGORITHM; the text holds
 * nothing of the token. Everything is in the arena or points into the token.
 */
enum code jwt_read(struct arena *arena, struct str token, struct jwt *jwt,
                   struct error *err) MUST_CHECK;

/* True when the key is of the token's kind and the signature is the key's. */
bool jwt_verify(const struct jwt *jwt, const struct crypto_public_key *key);

enum jwt_date { JWT_DATE_ABSENT, JWT_DATE_SET, JWT_DATE_WRONG };

/* A NumericDate among the claims, in whole seconds since 1970, rounded down. */
enum jwt_date jwt_date(const struct json_value *claims, struct str name, int64_t *seconds);
