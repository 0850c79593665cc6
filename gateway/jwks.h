/*
 * The keys of one issuer, kept fresh: discovery (OpenID Connect Discovery 1.0), then the key set it
 * names, again and again in the background. No request ever waits for it.
 *
 * The set in use is an immutable snapshot. When the issuer is away the last set stays in use until
 * it is `keep_ms` old; a set without a usable key is its answer, and takes the last one's place. A
 * token with an id that the set lacks makes one fetch due, at most one each `refetch_ms`, whoever
 * asks and how often; there is never more than one under way.
 */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_out.h"
#include "jose/jwk.h"

struct jwks;

/* How documents are had: over HTTP (sign_in.c) or, in tests, from a table. */
struct jwks_fetcher {
    /* Blocks for a bounded time. The body of a 200 of at most JWK_SET_BYTES_MAX bytes. */
    enum code (*get)(void *context, struct str url, struct arena *arena, struct str *body,
                     struct error *err);
    void *context;
};

struct jwks_options {
    struct str issuer;  /* must live as long as the keys */
    int64_t refresh_ms; /* between two fetches that succeed */
    int64_t refetch_ms; /* least time between two fetches that unknown keys cause */
    int64_t keep_ms;    /* how old a set may become */
    const struct clock *clock;
    struct jwks_fetcher fetcher;
};

struct jwks *jwks_new(const struct jwks_options *options);

/* Fetches from now on, in a thread of its own. */
void jwks_start(struct jwks *jwks);

/* What that thread does again and again: fetches if that is due. Returns for how long it is not. */
int64_t jwks_step(struct jwks *jwks);

/* Asks the thread to end; a fetcher that blocks must be made to return as well. */
void jwks_stop(struct jwks *jwks);

/* Joins the thread and frees. NULL is allowed. */
void jwks_free(struct jwks *jwks);

enum jwks_answer {
    JWKS_FOUND,
    JWKS_UNKNOWN, /* the issuer had no such key when it was last asked */
    JWKS_ASKING,  /* nor have we, but it is being asked */
    JWKS_NONE,    /* there is no set: none came so far, or it became too old */
};

struct jwks_found {
    struct jwk_set *set; /* held for the caller: jwk_set_release */
    const struct crypto_public_key *key;
};

/* `kid` with ptr NULL: the token names none. `found` is filled for JWKS_FOUND only. Any thread. */
enum jwks_answer jwks_find(struct jwks *jwks, struct str kid, enum crypto_key_kind kind,
                           struct jwks_found *found);

/*
 * Changes whenever a key has gone from the set, so that what was verified with it can be told from
 * what is good now. Any thread.
 */
uint64_t jwks_generation(struct jwks *jwks);

/* {"issuer":…,"keys":2,"age_s":17,"failing":false}; what fails is in the log only. Any thread. */
void jwks_describe(struct jwks *jwks, struct json_out *json);
