/*
 * One thread an issuer, asleep nearly always: a slow issuer holds nobody up but itself, and "never
 * more than one under way" needs no further thought.
 */
#include "gateway/jwks.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/wait.h"
#include "gateway/issuer.h"
#include "json/json_in.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 60000, JITTER_DIVISOR = 10, DOCUMENT_DEPTH = 20 };

struct jwks {
    struct jwks_options options;
    pthread_t thread;
    bool started;
    atomic_uint_fast64_t generation;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t wake;
    struct jwk_set *set; /* NULL: none so far */
    int64_t fetched_ms;  /* when the set came */
    int64_t begun_ms;    /* when the last fetch began */
    int64_t due_ms;
    int64_t retry_ms; /* the next pause after a failure */
    bool begun, fetching, asked, failing, stop;
};

struct jwks *jwks_new(const struct jwks_options *options)
{
    struct jwks *jwks = xcalloc(1, sizeof *jwks);
    jwks->options = *options;
    jwks->retry_ms = RETRY_FIRST_MS;
    jwks->due_ms = clock_mono_ms(options->clock);
    pthread_mutex_init(&jwks->lock, NULL);
    wait_cond_init(&jwks->wake);
    return jwks;
}

/* --- fetching --- */

static enum code get_json(struct jwks *jwks, struct str url, struct arena *arena, struct str *body,
                          const struct json_value **value, struct error *err)
{
    const struct json_limits limits = {JWK_SET_BYTES_MAX, DOCUMENT_DEPTH};
    const struct jwks_fetcher *fetcher = &jwks->options.fetcher;
    if (fetcher->get(fetcher->context, url, arena, body, err) != CODE_OK)
        return err->code;
    return json_read(arena, *body, limits, value, err);
}

/* The issuer's own word about itself must carry its name, or it is another's. */
static enum code discover(struct jwks *jwks, struct arena *arena, struct str *keys_url,
                          struct error *err)
{
    struct str issuer = jwks->options.issuer, base = issuer, body;
    const struct json_value *document;
    if (str_ends(base, STR("/")))
        base.len--;
    const char *url = arena_printf(arena, "%.*s/.well-known/openid-configuration", STR_ARG(base));
    if (get_json(jwks, str_of(url), arena, &body, &document, err) != CODE_OK)
        return error_prefix(err, "discovery");
    const struct json_value *name = json_get(document, STR("issuer"));
    const struct json_value *keys = json_get(document, STR("jwks_uri"));
    if (!name || name->kind != JSON_STRING || !str_eq(name->text, issuer))
        return error_set(err, CODE_FAILED_PRECONDITION, "WRONG_ISSUER",
                         "discovery: the document is another issuer's");
    if (!keys || keys->kind != JSON_STRING ||
        !issuer_address_ok(keys->text, str_starts(issuer, STR("http://"))))
        return error_set(err, CODE_FAILED_PRECONDITION, "WRONG_ADDRESS",
                         "discovery: jwks_uri is no https address");
    *keys_url = keys->text;
    return CODE_OK;
}

static enum code fetch(struct jwks *jwks, struct jwk_set **set, struct error *err)
{
    struct arena arena = {0};
    struct str url, body;
    const struct jwks_fetcher *fetcher = &jwks->options.fetcher;
    enum code code = discover(jwks, &arena, &url, err);
    if (code == CODE_OK) {
        code = fetcher->get(fetcher->context, url, &arena, &body, err);
        if (code == CODE_OK)
            code = jwk_set_read(body, set, err);
        if (code != CODE_OK)
            error_prefix(err, "key set");
    }
    arena_clear(&arena);
    return code;
}

/* --- the outcome --- */

/* Many gateways that were started together should not ask together for ever. */
static int64_t with_jitter(const struct jwks *jwks, int64_t pause_ms)
{
    int64_t range = pause_ms / JITTER_DIVISOR;
    return range ? pause_ms - clock_wall_us(jwks->options.clock) % range : pause_ms;
}

static void log_set(const struct jwks *jwks, const struct jwk_set *set)
{
    struct str reason;
    size_t left_out = jwk_set_left_out(set, &reason);
    if (jwk_set_count(set) == 0)
        log_warn("issuer_without_keys", LOG_S("issuer", jwks->options.issuer),
                 LOG_I("left_out", left_out), LOG_S("reason", reason));
    else
        log_info("issuer_keys", LOG_S("issuer", jwks->options.issuer),
                 LOG_I("keys", jwk_set_count(set)), LOG_I("left_out", left_out),
                 LOG_S("reason", reason));
}

/* Under the lock; the old set is the caller's to release, behind it. True when it is another. */
static bool succeed(struct jwks *jwks, struct jwk_set *set, struct jwk_set **former)
{
    struct jwk_set *old = *former = jwks->set;
    bool changed = !old || !jwk_set_includes(old, set) || !jwk_set_includes(set, old);
    if (old && !jwk_set_includes(set, old))
        atomic_fetch_add(&jwks->generation, 1);
    jwks->set = set;
    jwks->fetched_ms = clock_mono_ms(jwks->options.clock);
    jwks->due_ms = jwks->fetched_ms + with_jitter(jwks, jwks->options.refresh_ms);
    jwks->retry_ms = RETRY_FIRST_MS;
    jwks->failing = false;
    return changed;
}

static void log_failure(const struct jwks *jwks, const struct error *err, int64_t pause_ms)
{
    if (err->code != CODE_CANCELLED)
        log_warn("issuer_keys_failed", LOG_S("issuer", jwks->options.issuer), LOG_ERR(err),
                 LOG_I("again_in_ms", pause_ms));
}

/* Under the lock. */
static void fail(struct jwks *jwks)
{
    jwks->due_ms = clock_mono_ms(jwks->options.clock) + with_jitter(jwks, jwks->retry_ms);
    jwks->retry_ms = jwks->retry_ms * 2 < RETRY_MAX_MS ? jwks->retry_ms * 2 : RETRY_MAX_MS;
    jwks->failing = true;
}

/* One fetch, from beginning to end; how long it is until the next. */
static int64_t fetch_and_take(struct jwks *jwks)
{
    struct error err = {0};
    struct jwk_set *set = NULL, *former = NULL;
    bool changed = false;
    enum code code = fetch(jwks, &set, &err);
    pthread_mutex_lock(&jwks->lock);
    jwks->fetching = jwks->asked = false;
    if (code == CODE_OK)
        changed = succeed(jwks, set, &former);
    else
        fail(jwks);
    int64_t wait_ms = jwks->due_ms - clock_mono_ms(jwks->options.clock);
    pthread_mutex_unlock(&jwks->lock);
    if (changed)
        log_set(jwks, set); /* this thread alone replaces it */
    if (code != CODE_OK)
        log_failure(jwks, &err, wait_ms);
    jwk_set_release(former);
    return wait_ms;
}

int64_t jwks_step(struct jwks *jwks)
{
    int64_t now_ms = clock_mono_ms(jwks->options.clock);
    pthread_mutex_lock(&jwks->lock);
    int64_t wait_ms = jwks->due_ms - now_ms;
    bool due = wait_ms <= 0 && !jwks->stop;
    if (due) {
        jwks->begun = jwks->fetching = true;
        jwks->begun_ms = now_ms;
    }
    pthread_mutex_unlock(&jwks->lock);
    if (due)
        wait_ms = fetch_and_take(jwks);
    return wait_ms > 0 ? wait_ms : 0;
}

/* --- the thread --- */

/* False when it is time to stop. */
static bool pause_for(struct jwks *jwks, int64_t milliseconds)
{
    struct timespec until = wait_deadline(milliseconds);
    pthread_mutex_lock(&jwks->lock);
    while (!jwks->stop && !jwks->asked &&
           pthread_cond_timedwait(&jwks->wake, &jwks->lock, &until) != ETIMEDOUT)
        ;
    bool stop = jwks->stop;
    pthread_mutex_unlock(&jwks->lock);
    return !stop;
}

static void *run(void *argument)
{
    struct jwks *jwks = argument;
    while (pause_for(jwks, jwks_step(jwks)))
        ;
    return NULL;
}

void jwks_start(struct jwks *jwks)
{
    jwks->started = pthread_create(&jwks->thread, NULL, run, jwks) == 0;
    if (jwks->started)
        pthread_setname_np(jwks->thread, "issuer-keys");
}

void jwks_stop(struct jwks *jwks)
{
    pthread_mutex_lock(&jwks->lock);
    jwks->stop = true;
    pthread_cond_signal(&jwks->wake);
    pthread_mutex_unlock(&jwks->lock);
}

void jwks_free(struct jwks *jwks)
{
    if (!jwks)
        return;
    jwks_stop(jwks);
    if (jwks->started)
        pthread_join(jwks->thread, NULL);
    jwk_set_release(jwks->set);
    pthread_cond_destroy(&jwks->wake);
    pthread_mutex_destroy(&jwks->lock);
    xfree(jwks);
}

/* --- for requests --- */

/* Under the lock. True when the issuer is being asked, or will be at once. */
static bool ask(struct jwks *jwks, int64_t now_ms)
{
    if (jwks->fetching || jwks->asked)
        return true;
    if (jwks->begun && now_ms - jwks->begun_ms < jwks->options.refetch_ms)
        return false;
    jwks->asked = true;
    jwks->due_ms = now_ms;
    pthread_cond_signal(&jwks->wake);
    return true;
}

enum jwks_answer jwks_find(struct jwks *jwks, struct str kid, enum crypto_key_kind kind,
                           struct jwks_found *found)
{
    int64_t now_ms = clock_mono_ms(jwks->options.clock);
    enum jwks_answer answer = JWKS_NONE;
    pthread_mutex_lock(&jwks->lock);
    if (jwks->set && now_ms - jwks->fetched_ms <= jwks->options.keep_ms) {
        const struct crypto_public_key *key = jwk_set_find(jwks->set, kid, kind);
        if (key) {
            *found = (struct jwks_found){jwk_set_hold(jwks->set), key};
            answer = JWKS_FOUND;
        } else {
            answer = ask(jwks, now_ms) ? JWKS_ASKING : JWKS_UNKNOWN;
        }
    }
    pthread_mutex_unlock(&jwks->lock);
    return answer;
}

uint64_t jwks_generation(struct jwks *jwks)
{
    return atomic_load(&jwks->generation);
}

void jwks_describe(struct jwks *jwks, struct json_out *json)
{
    pthread_mutex_lock(&jwks->lock);
    json_object_begin(json);
    json_key(json, STR("issuer"));
    json_string(json, jwks->options.issuer);
    json_key(json, STR("keys"));
    json_u64(json, jwks->set ? jwk_set_count(jwks->set) : 0);
    if (jwks->set) {
        json_key(json, STR("age_s"));
        json_i64(json, (clock_mono_ms(jwks->options.clock) - jwks->fetched_ms) / 1000);
    }
    json_key(json, STR("failing"));
    json_bool(json, jwks->failing);
    json_object_end(json);
    pthread_mutex_unlock(&jwks->lock);
}
