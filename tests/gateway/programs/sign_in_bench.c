/*
 * What a token costs: nanoseconds of CPU each, the best of five rounds. Run with the release build.
 * A refusal is the decision and the answer's body; the HTTP engine is not in these numbers.
 */
#include "base/clock.h"
#include "base/log.h"
#include "gateway/sign_in.h"
#include "gateway/status.h"
#include "tests/support/signer.h"

#include <stdio.h>
#include <time.h>

#define ISSUER "https://issuer.example"

enum { ROUNDS = 5, TIMES = 20000, DEAR_TIMES = 400 };

struct bench {
    struct sign_in *sign_in;
    struct signer *signers[3];
    struct buf keys;
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static enum code get(void *context, struct str url, struct arena *arena, struct str *body,
                     struct error *err)
{
    const struct bench *bench = context;
    (void)arena, (void)err;
    *body = str_ends(url, STR("/keys"))
                ? buf_str(&bench->keys)
                : STR("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"" ISSUER "/keys\"}");
    return CODE_OK;
}

static struct str mint(const struct bench *bench, struct arena *arena, enum crypto_key_kind kind,
                       int number, int64_t lifetime_s)
{
    struct buf out;
    const struct signer *signer = bench->signers[kind];
    int64_t now_s = clock_wall_us(clock_real()) / 1000000;
    buf_init_arena(&out, arena, 8192);
    signer_add_token(signer,
                     arena_printf(arena, "{\"alg\":\"%s\",\"kid\":\"k%d\",\"typ\":\"at+jwt\"}",
                                  signer_algorithm(signer), (int)kind),
                     arena_printf(arena,
                                  "{\"iss\":\"" ISSUER "\",\"sub\":\"u%d\",\"aud\":\"omnidata\","
                                  "\"exp\":%lld,\"iat\":%lld,\"scope\":\"openid users.write\","
                                  "\"client_id\":\"page\",\"jti\":\"01a204db-4131-7018\"}",
                                  number, (long long)(now_s + lifetime_s), (long long)now_s),
                     &out);
    return buf_str(&out);
}

/* One token checked again and again; a refusal also writes its body. */
static double of_one(const struct bench *bench, struct str token)
{
    double best = 1e12;
    struct arena arena = {0};
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < TIMES; i++) {
            struct sign_in_user user;
            struct error err;
            struct buf body;
            arena_reset(&arena);
            if (sign_in_check(bench->sign_in, token, STR("n"), &arena, &user, &err) == CODE_OK)
                continue;
            struct failure failure = status_own(0, &err);
            buf_init_arena(&body, &arena, 4096);
            (void)status_body(&failure, STATUS_GOOGLE, NULL, &arena, &body);
        }
        double each = (now_ns() - begin) / TIMES;
        best = each < best ? each : best;
    }
    arena_clear(&arena);
    return best;
}

/* Tokens that were never seen before: each is verified. */
static double of_new(const struct bench *bench, enum crypto_key_kind kind)
{
    double best = 1e12;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena tokens = {0}, arena = {0};
        struct str *list = arena_alloc(&tokens, DEAR_TIMES * sizeof *list);
        for (int i = 0; i < DEAR_TIMES; i++)
            list[i] = mint(bench, &tokens, kind, round * DEAR_TIMES + i, 600);
        double begin = now_ns();
        for (int i = 0; i < DEAR_TIMES; i++) {
            struct sign_in_user user;
            struct error err;
            arena_reset(&arena);
            if (sign_in_check(bench->sign_in, list[i], STR("n"), &arena, &user, &err) != CODE_OK)
                puts(err.text);
        }
        double each = (now_ns() - begin) / DEAR_TIMES;
        best = each < best ? each : best;
        arena_clear(&tokens);
        arena_clear(&arena);
    }
    return best;
}

static bool set_up(struct bench *bench)
{
    struct error err;
    const struct sign_in_options options = {.issuers = STR(ISSUER ";audience=omnidata"),
                                            .refresh_ms = 300000,
                                            .refetch_ms = 60000,
                                            .keep_ms = 3600000,
                                            .skew_ms = 30000,
                                            .cache_ms = 300000,
                                            .cache_entries = 8192,
                                            .token_bytes_max = 8192,
                                            .clock = clock_real(),
                                            .fetcher = {get, bench}};
    buf_init(&bench->keys, 8192);
    buf_add_cstr(&bench->keys, "{\"keys\":[");
    for (int i = 0; i < 3; i++) {
        bench->signers[i] = signer_new((enum crypto_key_kind)i, 2048);
        char kid[8];
        snprintf(kid, sizeof kid, "k%d", i);
        buf_add_cstr(&bench->keys, i ? "," : "");
        signer_add_jwk(bench->signers[i], kid, "", &bench->keys);
    }
    buf_add_cstr(&bench->keys, "]}");
    if (sign_in_new(&options, &bench->sign_in, &err) != CODE_OK)
        return false;
    jwks_step(sign_in_jwks(bench->sign_in, 0));
    return true;
}

int main(void)
{
    struct bench bench = {0};
    struct arena arena = {0};
    log_init("sign_in_bench", LOG_ERROR);
    if (!set_up(&bench))
        return 2;
    struct str good = mint(&bench, &arena, CRYPTO_KEY_RSA, -1, 600);
    char *bad = arena_cstr(&arena, good);
    bad[good.len - 10] = bad[good.len - 10] == 'A' ? 'B' : 'A';
    printf("%-28s %8.0f ns\n", "no token at all", of_one(&bench, STR("")));
    printf("%-28s %8.0f ns\n", "malformed", of_one(&bench, str_from(good, good.len / 2)));
    printf("%-28s %8.0f ns\n", "expired",
           of_one(&bench, mint(&bench, &arena, CRYPTO_KEY_RSA, 0, -600)));
    printf("%-28s %8.0f ns\n", "wrong signature, seen before", of_one(&bench, str_of(bad)));
    printf("%-28s %8.0f ns  (%zu bytes)\n", "good, seen before", of_one(&bench, good), good.len);
    printf("%-28s %8.0f ns\n", "good, RS256", of_new(&bench, CRYPTO_KEY_RSA));
    printf("%-28s %8.0f ns\n", "good, ES256", of_new(&bench, CRYPTO_KEY_P256));
    printf("%-28s %8.0f ns\n", "good, EdDSA", of_new(&bench, CRYPTO_KEY_ED25519));
    sign_in_free(bench.sign_in);
    for (int i = 0; i < 3; i++)
        signer_free(bench.signers[i]);
    buf_clear(&bench.keys);
    arena_clear(&arena);
    return 0;
}
