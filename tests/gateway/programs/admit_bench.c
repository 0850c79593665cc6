/*
 * What it costs to refuse, and to admit, beyond the HTTP engine: nanoseconds of CPU for the steps
 * that the stages take, the best of five rounds. Run with the release build.
 */
#include "base/arena.h"
#include "crypto/crypto.h"
#include "gateway/address.h"
#include "gateway/key_set.h"
#include "gateway/quota.h"
#include "gateway/ratelimit.h"
#include "gateway/status.h"
#include "omnidata/access/v1/access.pb-c.h"
#include "pb/proto.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 5, TIMES = 200000, KEYS = 10000 };

static const char SECRET[] = "omni_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

static int64_t read_ns(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct bench {
    struct arena arena;
    struct key_set *set;
    struct address_list *trusted;
    struct throttle *throttle;
    struct quota *quota;
    struct http_request request;
    uint64_t sum; /* so that nothing is left out */
};

/* --- the steps --- */

static void find_address(struct bench *bench)
{
    struct address address = {{0}};
    bench->sum += address_of_client(&bench->request, bench->trusted, &address);
}

static void find_unknown_key(struct bench *bench)
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    crypto_sha256(str_of(SECRET), hash);
    bench->sum += key_set_find(bench->set, hash, 0) != NULL;
}

static void take_token(struct bench *bench)
{
    const struct throttle_limit limit = throttle_limit_of(1e6, 1000000);
    bench->sum += throttle_take(bench->throttle, STR("0190a000-0000-7000-8000-000000000000"),
                                &limit, 1, read_ns(CLOCK_MONOTONIC))
                      .left;
}

static void refuse_token(struct bench *bench)
{
    static const struct throttle_limit limit = {1000000000000, 1000000000000, 1};
    bench->sum +=
        throttle_take(bench->throttle, STR("refused"), &limit, 1, read_ns(CLOCK_MONOTONIC))
            .admitted;
}

static void spend_quota(struct bench *bench)
{
    bench->sum +=
        quota_spend(bench->quota, STR("0190a000-0000-7000-8000-000000000000"), STR(""), 1, NULL)
            .left;
}

static void write_headers(struct bench *bench)
{
    const struct ratelimit limits[] = {{"rate", 100, 42, 2, 1},
                                       {"day", 100000, 99999, 86400, 4711}};
    arena_reset(&bench->arena);
    bench->sum += ratelimit_state(limits, 2, &bench->arena).len;
    bench->sum += ratelimit_policy(limits, 2, &bench->arena).len;
}

static void write_refusal(struct bench *bench)
{
    struct error err;
    struct buf body;
    error_clear(&err);
    arena_reset(&bench->arena);
    buf_init_arena(&body, &bench->arena, 4096);
    error_set(&err, CODE_PERMISSION_DENIED, "API_KEY_INVALID", "This API key is not valid.");
    struct failure failure = status_own(0, &err);
    bench->sum += status_body(&failure, STATUS_GOOGLE, NULL, &bench->arena, &body).len;
}

/* All that stands between the engine and a 403, or a 429. */
static void refuse_key(struct bench *bench)
{
    find_address(bench);
    take_token(bench);
    find_unknown_key(bench);
    write_refusal(bench);
}

static void refuse_address(struct bench *bench)
{
    find_address(bench);
    refuse_token(bench);
    write_headers(bench);
    write_refusal(bench);
}

/* --- what they work on --- */

/* Grants whatever is asked for, at once. */
static void grant_all(const struct quota_lessor *lessor, const struct quota_ask *ask,
                      quota_granted_fn granted, void *argument)
{
    (void)lessor, (void)ask, (void)granted, (void)argument;
}

static struct key_set *many_keys(struct arena *arena)
{
    Omnidata__Access__V1__Snapshot snapshot = OMNIDATA__ACCESS__V1__SNAPSHOT__INIT;
    Omnidata__Access__V1__Plan plan = OMNIDATA__ACCESS__V1__PLAN__INIT, *plans[] = {&plan};
    struct key_set *set = NULL;
    struct error err;
    plan.id = (char *)(uintptr_t) "p";
    snapshot.plans = plans;
    snapshot.n_plans = 1;
    snapshot.keys = arena_alloc(arena, KEYS * sizeof *snapshot.keys);
    for (int i = 0; i < KEYS; i++) {
        Omnidata__Access__V1__SnapshotKey *key = arena_alloc(arena, sizeof *key);
        omnidata__access__v1__snapshot_key__init(key);
        key->id = arena_printf(arena, "key-%d", i);
        key->plan_id = plan.id;
        key->secret_hashes = arena_alloc(arena, sizeof *key->secret_hashes);
        key->secret_hashes->data = arena_alloc(arena, CRYPTO_SHA256_BYTES);
        key->secret_hashes->len = CRYPTO_SHA256_BYTES;
        crypto_sha256(str_of(key->id), key->secret_hashes->data);
        key->n_secret_hashes = 1;
        snapshot.keys[snapshot.n_keys++] = key;
    }
    return key_set_new(proto_encode_arena(arena, &snapshot.base), &set, &err) == CODE_OK ? set
                                                                                         : NULL;
}

static double best_of(struct bench *bench, void (*step)(struct bench *bench))
{
    double best = 1e12;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t began = read_ns(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < TIMES; i++)
            step(bench);
        double each = (double)(read_ns(CLOCK_THREAD_CPUTIME_ID) - began) / TIMES;
        best = each < best ? each : best;
    }
    return best;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*step)(struct bench *bench);
    } steps[] = {
        {"address of the client", find_address}, {"unknown key among 10,000", find_unknown_key},
        {"bucket, admitted", take_token},        {"bucket, refused", refuse_token},
        {"quota, no lease", spend_quota},        {"both RateLimit headers", write_headers},
        {"body of a refusal", write_refusal},    {"403, unknown key", refuse_key},
        {"429, address", refuse_address},
    };
    const struct quota_lessor lessor = {grant_all};
    struct quota_options options = {&lessor, "", clock_real(), 1000};
    struct bench bench = {.request = {.peer = STR("192.0.2.7")}};
    struct error err = {0};
    bench.set = many_keys(&bench.arena);
    bench.throttle = throttle_new(1 << 16);
    if (!bench.set || address_list_new(STR("10.0.0.0/8"), &bench.trusted, &err) != CODE_OK ||
        quota_new(&options, &bench.quota, &err) != CODE_OK)
        return 2;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        printf("%-26s %7.0f ns\n", steps[i].name, best_of(&bench, steps[i].step));
    quota_free(bench.quota);
    throttle_free(bench.throttle);
    address_list_free(bench.trusted);
    key_set_free(bench.set);
    arena_clear(&bench.arena);
    return bench.sum ? 0 : 1;
}
