/*
 * Who sent a token: the issuers, their keys, and what is known of earlier tokens, in one call.
 *
 * A token that was seen before costs a hash. Another one costs a signature check, tens of
 * microseconds in the loop's thread, so its cheap faults are looked for first, a token that failed
 * is remembered as well, and signatures that fail are counted: each network, and all together, may
 * bring only so many a second. Users with good tokens are not counted, and those who are known do
 * not notice.
 */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_out.h"
#include "gateway/jwks.h"

struct sign_in;

struct sign_in_options {
    struct str issuers;      /* the setting: issuer.h */
    const char *ca_file;     /* for the issuers' certificates; "": the system's */
    int64_t refresh_ms;      /* of keys */
    int64_t refetch_ms;      /* least time between fetches that unknown keys cause */
    int64_t keep_ms;         /* of keys, while their issuer is away */
    int64_t skew_ms;         /* of clocks */
    int64_t cache_ms;        /* longest time that a token is believed without a look at its keys */
    size_t cache_entries;    /* tokens that are remembered */
    int64_t token_bytes_max; /* longer ones are refused */
    const struct clock *clock;
    struct jwks_fetcher fetcher; /* get NULL: over HTTP */
};

/* INVALID_ARGUMENT naming --issuers. *sign_in is NULL when the setting is empty. */
enum code sign_in_new(const struct sign_in_options *options, struct sign_in **sign_in,
                      struct error *err) MUST_CHECK;

/* Begins to fetch keys. */
void sign_in_start(struct sign_in *sign_in);

/* Stops fetching, frees. NULL is allowed. */
void sign_in_free(struct sign_in *sign_in);

struct sign_in_user {
    struct str issuer, subject;
    const struct str *scopes;
    size_t scope_count;
    int64_t until_s; /* since 1970: when the token ends, with the skew */
};

/*
 * Whose token this is, or why it is nobody's. `network` is where it comes from, as any bytes. Texts
 * are in the arena (the issuer's live as long as `sign_in`). Never blocks; any thread.
 *   UNAUTHENTICATED     TOKEN_MALFORMED, TOKEN_TOO_LARGE, TOKEN_ALGORITHM, TOKEN_ISSUER,
 *                       TOKEN_KEY, TOKEN_SIGNATURE and those of issuer.h
 *   UNAVAILABLE         SIGN_IN_UNAVAILABLE: the issuer's keys are not there yet, or not any more;
 *                       SIGN_IN_BUSY: too many wrong tokens from everywhere
 *   RESOURCE_EXHAUSTED  TOO_MANY_TOKENS: too many wrong tokens from this network
 * The latter two carry retry_after_ms. No text holds anything of the token.
 */
enum code sign_in_check(struct sign_in *sign_in, struct str token, struct str network,
                        struct arena *arena, struct sign_in_user *user,
                        struct error *err) MUST_CHECK;

/* Keys of an issuer, as the tests step them. */
struct jwks *sign_in_jwks(struct sign_in *sign_in, size_t index);

/* An array of what jwks_describe says. */
void sign_in_describe(struct sign_in *sign_in, struct json_out *json);
