/* The order of the questions: what is cheap first, the signature last. */
#include "gateway/sign_in.h"

#include "base/alloc.h"
#include "gateway/issuer.h"
#include "gateway/throttle.h"
#include "gateway/token_cache.h"
#include "http/client.h"

#include <pthread.h>
#include <string.h>

enum {
    FETCH_MS = 5000,
    CONNECTIONS = 2,
    BAD_ENTRIES = 4096,
    BAD_FOR_S = 60, /* how long a token that failed is remembered */
    /* Signature checks that may fail, a second: from one network and from all. */
    FAILURES = 10,
    FAILURES_BURST = 50,
    FAILURES_OF_ALL = 500,
    FAILURES_OF_ALL_BURST = 1000,
    NETWORKS = 4096,
    RETRY_SOON_MS = 1000,
    RETRY_MS = 5000,
};

struct sign_in {
    struct sign_in_options options;
    struct arena arena; /* the issuers */
    struct issuer issuers[ISSUERS_MAX];
    struct jwks *jwks[ISSUERS_MAX];
    size_t count;
    struct http_client *client; /* NULL: the fetcher is somebody else's */
    struct token_cache *good, *bad;

    struct throttle *failures; /* by network */
    struct throttle_limit limit, limit_of_all;
    pthread_mutex_t lock; /* for all below */
    int64_t failures_of_all_ns;
};

/* --- keys over HTTP --- */

static enum code get_over_http(void *context, struct str url, struct arena *arena, struct str *body,
                               struct error *err)
{
    struct http_client_response response;
    const struct http_header accept = {STR("Accept"), STR("application/json")};
    const struct http_client_request request = {.method = STR("GET"),
                                                .url = url,
                                                .headers = &accept,
                                                .header_count = 1,
                                                .deadline_ms = FETCH_MS,
                                                .response_bytes_max = JWK_SET_BYTES_MAX};
    if (http_client_fetch(context, &request, arena, &response, err) != CODE_OK)
        return err->code;
    if (response.status != 200)
        return error_set(err, CODE_UNAVAILABLE, "ISSUER_STATUS", "the issuer answered %d",
                         response.status);
    *body = response.body;
    return CODE_OK;
}

/* --- start and end --- */

enum code sign_in_new(const struct sign_in_options *options, struct sign_in **sign_in,
                      struct error *err)
{
    *sign_in = NULL;
    if (!options->issuers.len)
        return CODE_OK;
    struct sign_in *made = xcalloc(1, sizeof *made);
    made->options = *options;
    pthread_mutex_init(&made->lock, NULL);
    enum code code = issuers_read(&made->arena, options->issuers, made->issuers, &made->count, err);
    if (code != CODE_OK) {
        made->count = 0;
        sign_in_free(made);
        return code;
    }
    struct jwks_fetcher fetcher = options->fetcher;
    if (!fetcher.get) {
        made->client = http_client_new(&(struct http_client_options){.user_agent = "omni-gateway",
                                                                     .ca_file = options->ca_file,
                                                                     .thread_name = "issuer-http",
                                                                     .connections = CONNECTIONS});
        fetcher = (struct jwks_fetcher){get_over_http, made->client};
    }
    for (size_t i = 0; i < made->count; i++)
        made->jwks[i] = jwks_new(&(struct jwks_options){.issuer = made->issuers[i].url,
                                                        .refresh_ms = options->refresh_ms,
                                                        .refetch_ms = options->refetch_ms,
                                                        .keep_ms = options->keep_ms,
                                                        .clock = options->clock,
                                                        .fetcher = fetcher});
    made->good = token_cache_new(options->cache_entries);
    made->bad = token_cache_new(BAD_ENTRIES);
    made->failures = throttle_new(NETWORKS);
    made->limit = throttle_limit_of(FAILURES, FAILURES_BURST);
    made->limit_of_all = throttle_limit_of(FAILURES_OF_ALL, FAILURES_OF_ALL_BURST);
    *sign_in = made;
    return CODE_OK;
}

void sign_in_start(struct sign_in *sign_in)
{
    for (size_t i = 0; i < sign_in->count; i++)
        jwks_start(sign_in->jwks[i]);
}

void sign_in_free(struct sign_in *sign_in)
{
    if (!sign_in)
        return;
    for (size_t i = 0; i < sign_in->count; i++)
        jwks_stop(sign_in->jwks[i]);
    if (sign_in->client)
        http_client_stop(sign_in->client); /* nobody waits for an answer any more */
    for (size_t i = 0; i < sign_in->count; i++)
        jwks_free(sign_in->jwks[i]);
    http_client_free(sign_in->client);
    token_cache_free(sign_in->good);
    token_cache_free(sign_in->bad);
    throttle_free(sign_in->failures);
    pthread_mutex_destroy(&sign_in->lock);
    arena_clear(&sign_in->arena);
    xfree(sign_in);
}

struct jwks *sign_in_jwks(struct sign_in *sign_in, size_t index)
{
    return sign_in->jwks[index];
}

void sign_in_describe(struct sign_in *sign_in, struct json_out *json)
{
    json_array_begin(json);
    for (size_t i = 0; i < sign_in->count; i++)
        jwks_describe(sign_in->jwks[i], json);
    json_array_end(json);
}

/* --- how many signatures may fail --- */

/* Room for one more token, without taking it: its cost is 0, and the bucket a token less deep. */
static struct throttle_limit only_look(const struct throttle_limit *limit)
{
    struct throttle_limit look = *limit;
    look.depth_ns -= look.token_ns;
    return look;
}

static enum code may_fail(struct sign_in *sign_in, struct str network, struct error *err)
{
    int64_t now_ns = clock_mono_ms(sign_in->options.clock) * 1000000;
    struct throttle_limit look = only_look(&sign_in->limit);
    if (!throttle_take(sign_in->failures, network, &look, 0, now_ns).admitted) {
        error_set(err, CODE_RESOURCE_EXHAUSTED, "TOO_MANY_TOKENS",
                  "Too many wrong tokens came from this network.");
        err->retry_after_ms = RETRY_SOON_MS;
        return err->code;
    }
    look = only_look(&sign_in->limit_of_all);
    pthread_mutex_lock(&sign_in->lock);
    bool admitted = throttle_apply(&sign_in->failures_of_all_ns, &look, 0, now_ns).admitted;
    pthread_mutex_unlock(&sign_in->lock);
    if (admitted)
        return CODE_OK;
    error_set(err, CODE_UNAVAILABLE, "SIGN_IN_BUSY", "Too many wrong tokens come at the moment.");
    err->retry_after_ms = RETRY_SOON_MS;
    return err->code;
}

static void has_failed(struct sign_in *sign_in, struct str network)
{
    int64_t now_ns = clock_mono_ms(sign_in->options.clock) * 1000000;
    (void)throttle_take(sign_in->failures, network, &sign_in->limit, 1, now_ns);
    pthread_mutex_lock(&sign_in->lock);
    (void)throttle_apply(&sign_in->failures_of_all_ns, &sign_in->limit_of_all, 1, now_ns);
    pthread_mutex_unlock(&sign_in->lock);
}

/* --- one token --- */

struct checking {
    struct sign_in *sign_in;
    struct str token, network;
    struct arena *arena;
    uint8_t digest[CRYPTO_SHA256_BYTES];
    int64_t now_s;
    struct error *err;
};

static enum code refuse(struct error *err, const char *reason, const char *text)
{
    return error_set(err, CODE_UNAUTHENTICATED, reason, "%s", text);
}

static enum code wrong_signature(struct error *err)
{
    return refuse(err, "TOKEN_SIGNATURE", "The token's signature is not the issuer's.");
}

static bool is_current(const struct sign_in *sign_in, const struct token_entry *entry)
{
    return jwks_generation(sign_in->jwks[entry->issuer]) == entry->generation;
}

static void fill_user(const struct checking *checking, const struct token_entry *entry,
                      struct sign_in_user *user)
{
    struct str scopes = entry->scopes, rest = scopes, piece;
    size_t count = 0;
    struct str *list = NULL;
    for (size_t i = 0; i < scopes.len; i++)
        count += scopes.ptr[i] == ' ';
    if (scopes.len)
        list = arena_alloc(checking->arena, (count + 1) * sizeof *list);
    for (count = 0; scopes.len && str_next(&rest, ' ', &piece); count++)
        list[count] = piece;
    *user = (struct sign_in_user){.issuer = checking->sign_in->issuers[entry->issuer].url,
                                  .subject = entry->subject,
                                  .scopes = list,
                                  .scope_count = count,
                                  .until_s = entry->expires_s};
}

static enum code find_key(const struct checking *checking, struct jwks *jwks, const struct jwt *jwt,
                          struct jwks_found *found)
{
    struct error *err = checking->err;
    switch (jwks_find(jwks, jwt->kid, jwt->key_kind, found)) {
    case JWKS_FOUND:
        return CODE_OK;
    case JWKS_UNKNOWN:
        return refuse(err, "TOKEN_KEY", "The token's key is none of the issuer's.");
    case JWKS_ASKING:
        error_set(err, CODE_UNAVAILABLE, "SIGN_IN_UNAVAILABLE",
                  "The token's key is not known; its issuer is being asked.");
        err->retry_after_ms = RETRY_SOON_MS;
        return err->code;
    case JWKS_NONE:
        break;
    }
    error_set(err, CODE_UNAVAILABLE, "SIGN_IN_UNAVAILABLE",
              "The issuer's keys are not known at the moment.");
    err->retry_after_ms = RETRY_MS;
    return err->code;
}

static enum code verify(const struct checking *checking, struct jwks *jwks, const struct jwt *jwt,
                        const struct token_entry *bad)
{
    struct sign_in *sign_in = checking->sign_in;
    struct jwks_found found;
    if (find_key(checking, jwks, jwt, &found) != CODE_OK)
        return checking->err->code;
    enum code code = may_fail(sign_in, checking->network, checking->err);
    if (code == CODE_OK && !jwt_verify(jwt, found.key)) {
        has_failed(sign_in, checking->network);
        token_cache_add(sign_in->bad, checking->digest, checking->now_s, bad);
        code = wrong_signature(checking->err);
    }
    jwk_set_release(found.set);
    return code;
}

/* A token that nothing is known about. */
static enum code check_unknown(const struct checking *checking, struct sign_in_user *user)
{
    struct sign_in *sign_in = checking->sign_in;
    struct jwt jwt;
    struct identity identity;
    if (jwt_read(checking->arena, checking->token, &jwt, checking->err) != CODE_OK)
        return checking->err->code;
    const struct issuer *issuer = issuer_of(sign_in->issuers, sign_in->count, &jwt);
    if (!issuer)
        return refuse(checking->err, "TOKEN_ISSUER", "The token's issuer is not one of ours.");
    int64_t skew_s = sign_in->options.skew_ms / 1000;
    if (issuer_check(issuer, &jwt, checking->now_s, skew_s, checking->arena, &identity,
                     checking->err) != CODE_OK)
        return checking->err->code;

    uint32_t index = (uint32_t)(issuer - sign_in->issuers);
    struct token_entry entry = {.issuer = index,
                                .generation = jwks_generation(sign_in->jwks[index]),
                                .good_until_s = checking->now_s + BAD_FOR_S};
    if (verify(checking, sign_in->jwks[index], &jwt, &entry) != CODE_OK)
        return checking->err->code;
    entry.expires_s = identity.expires_s + skew_s;
    entry.good_until_s = checking->now_s + sign_in->options.cache_ms / 1000;
    if (entry.good_until_s > entry.expires_s)
        entry.good_until_s = entry.expires_s;
    entry.subject = identity.subject;
    entry.scopes = identity.scopes;
    token_cache_add(sign_in->good, checking->digest, checking->now_s, &entry);
    fill_user(checking, &entry, user);
    return CODE_OK;
}

enum code sign_in_check(struct sign_in *sign_in, struct str token, struct str network,
                        struct arena *arena, struct sign_in_user *user, struct error *err)
{
    struct checking checking = {.sign_in = sign_in,
                                .token = token,
                                .network = network,
                                .arena = arena,
                                .now_s = clock_wall_us(sign_in->options.clock) / 1000000,
                                .err = err};
    struct token_entry entry;
    if (token.len > (size_t)sign_in->options.token_bytes_max)
        return refuse(err, "TOKEN_TOO_LARGE", "The token is too large.");
    if (!jwt_has_shape(token))
        return refuse(err, "TOKEN_MALFORMED",
                      "The token is malformed: it is not three parts of base64url.");
    crypto_sha256(token, checking.digest);
    if (token_cache_find(sign_in->good, checking.digest, checking.now_s, arena, &entry) &&
        is_current(sign_in, &entry)) {
        fill_user(&checking, &entry, user);
        return CODE_OK;
    }
    if (token_cache_find(sign_in->bad, checking.digest, checking.now_s, arena, &entry) &&
        is_current(sign_in, &entry))
        return wrong_signature(err);
    return check_unknown(&checking, user);
}
