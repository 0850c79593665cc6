/*
 * The issuers whose tokens sign users in, as the setting --issuers lists them, and what a token of
 * theirs must say. Nothing here looks at signatures.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "jose/jwt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ISSUERS_MAX = 8, ISSUER_SCOPES_MAX = 100, ISSUER_SUBJECT_BYTES_MAX = 255 };

struct issuer_texts {
    const struct str *items;
    size_t count;
};

struct issuer {
    struct str url; /* exactly as in `iss` */
    bool cognito;
    struct issuer_texts audiences, client_ids, scope_claims;
    struct str scope_prefix; /* taken off scopes that begin with it */
};

/*
 * Reads `ISSUER[;name=value]…,…`: an https address (http on loopback), and
 *   audience=A       `aud` must hold one of these (repeat it for several)
 *   client-id=C      `client_id`, or `azp`, must be one of these; with Cognito of an access token,
 *                    while an id token is meant for it by `aud`
 *   scope-claim=N    a claim that holds scopes beside `scope`: a text with spaces, or a list
 *   scope-prefix=P   taken off scopes: `omnidata/admin` becomes `admin`
 *   profile=oidc|cognito   not said: Cognito by its host name
 * An oidc issuer needs an audience, a Cognito pool a client id: without one the tokens that it
 * signs for any other application would be good here.
 *
 * INVALID_ARGUMENT naming --issuers, the issuer and what is wrong. Everything is in the arena.
 */
enum code issuers_read(struct arena *arena, struct str setting, struct issuer issuers[ISSUERS_MAX],
                       size_t *count, struct error *err) MUST_CHECK;

/* Whose token it says it is: NULL when it is nobody's that is known. */
const struct issuer *issuer_of(const struct issuer *issuers, size_t count, const struct jwt *jwt);

/* An address to which tokens' keys may be asked for: https, or http when `loopback` and on it. */
bool issuer_address_ok(struct str url, bool loopback);

struct identity {
    struct str issuer, subject; /* the issuer's is the setting's */
    struct str scopes;          /* separated by spaces */
    int64_t expires_s;          /* since 1970, without the skew */
};

/*
 * What the claims must be: sub, exp and the audience always; `nbf` and `iat` not in the future by
 * more than the skew; `typ` JWT, at+jwt or absent (a logout token is signed by the same keys); no
 * `cnf` (a token bound to a key is worth nothing without the proof of that key).
 *
 * UNAUTHENTICATED with TOKEN_TYPE, TOKEN_CLAIMS, TOKEN_EXPIRED, TOKEN_NOT_YET_VALID or
 * TOKEN_AUDIENCE. Texts are in the arena or the token.
 */
enum code issuer_check(const struct issuer *issuer, const struct jwt *jwt, int64_t now_s,
                       int64_t skew_s, struct arena *arena, struct identity *identity,
                       struct error *err) MUST_CHECK;
