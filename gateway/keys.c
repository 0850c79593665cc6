/*
 * The follower's thread owns the stream. The client's completion thread only copies what comes and
 * wakes it; making a set of it and writing the file are done here, where they keep nobody waiting.
 */
#include "gateway/keys.h"

#include "base/alloc.h"
#include "base/id.h"
#include "base/log.h"
#include "base/wait.h"
#include "gateway/key_file.h"
#include "omnidata/access/v1/access.pb-c.h"
#include "pb/proto.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
    SNAPSHOT_BYTES_MAX = 256 << 20,
    SECRET_BYTES_MAX = 256,
    WATCH_MS = 10 * 60 * 1000, /* then it is asked for anew: a stream that died silently too */
    SETTLED_MS =
        5000, /* a stream that lasts longer than connecting may is up, though nothing came */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

struct keys {
    struct keys_options options;
    char *path; /* of the file; NULL: none */
    pthread_rwlock_t set_lock;
    struct key_set *set;

    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t wake;
    struct rpc_stream *stream; /* NULL when it has ended */
    struct buf fresh;          /* an encoded snapshot, newest only */
    bool has_fresh, stop, came, said;
    int64_t opened_ms;
    int64_t current_ms; /* when the set was last known to be the current one */
};

/* --- the set --- */

static bool take_set(struct keys *keys, struct str snapshot)
{
    struct key_set *set;
    struct error err = {0};
    if (key_set_new(snapshot, &set, &err) != CODE_OK) {
        log_error("keys_refused", LOG_ERR(&err));
        return false;
    }
    pthread_rwlock_wrlock(&keys->set_lock);
    struct key_set *old = keys->set;
    keys->set = set;
    pthread_rwlock_unlock(&keys->set_lock);
    key_set_free(old);
    return true;
}

enum keys_result keys_find(struct keys *keys, struct str secret, struct arena *arena,
                           struct key_found *found)
{
    enum keys_result result = KEYS_UNKNOWN;
    if (secret.len > SECRET_BYTES_MAX)
        secret.len = 0; /* no secret is empty either */
    crypto_sha256(secret, found->hash);
    pthread_rwlock_rdlock(&keys->set_lock);
    const struct key *key = NULL;
    if (!keys->set)
        result = KEYS_NOT_YET;
    else
        key = key_set_find(keys->set, found->hash, clock_wall_us(keys->options.clock));
    if (key) {
        result = KEYS_FOUND;
        found->id = arena_str(arena, key->id);
        found->is_public = key->is_public;
        found->plan = *key->plan;
        found->plan.id = arena_str(arena, key->plan->id);
    }
    pthread_rwlock_unlock(&keys->set_lock);
    return result;
}

bool keys_hold(struct keys *keys, const struct key_found *found)
{
    pthread_rwlock_rdlock(&keys->set_lock);
    bool good = key_set_find(keys->set, found->hash, clock_wall_us(keys->options.clock));
    pthread_rwlock_unlock(&keys->set_lock);
    return good;
}

bool keys_ready(struct keys *keys)
{
    pthread_rwlock_rdlock(&keys->set_lock);
    bool ready = keys->set != NULL;
    pthread_rwlock_unlock(&keys->set_lock);
    return ready;
}

/* Under the lock. */
static bool is_following(const struct keys *keys, int64_t now_ms)
{
    return keys->stream && (keys->came || now_ms - keys->opened_ms >= SETTLED_MS);
}

void keys_describe(struct keys *keys, struct json_out *json)
{
    int64_t now_ms = clock_mono_ms(keys->options.clock);
    pthread_mutex_lock(&keys->lock);
    bool following = is_following(keys, now_ms);
    int64_t age_ms = now_ms - keys->current_ms;
    pthread_mutex_unlock(&keys->lock);
    pthread_rwlock_rdlock(&keys->set_lock);
    uint64_t version = keys->set ? key_set_version(keys->set) : 0;
    size_t count = keys->set ? key_set_count(keys->set) : 0;
    pthread_rwlock_unlock(&keys->set_lock);
    json_object_begin(json);
    json_key(json, STR("version"));
    json_u64(json, version);
    json_key(json, STR("keys"));
    json_u64(json, count);
    json_key(json, STR("following"));
    json_bool(json, following);
    json_key(json, STR("age_s"));
    json_i64(json, following ? 0 : age_ms / 1000);
    json_object_end(json);
}

/* --- the file --- */

static void read_file(struct keys *keys)
{
    struct buf file;
    struct str snapshot;
    struct error err = {0};
    buf_init(&file, 0);
    enum code code = key_file_read(keys->path, &file, &snapshot, &err);
    if (code == CODE_OK && take_set(keys, snapshot))
        log_info("keys_from_disk", LOG_I("version", key_set_version(keys->set)),
                 LOG_I("keys", key_set_count(keys->set)));
    else if (code != CODE_OK && code != CODE_NOT_FOUND)
        log_warn("keys_file_ignored", LOG_ERR(&err));
    buf_clear(&file);
}

static void write_file(struct keys *keys, struct str snapshot)
{
    struct error err = {0};
    if (keys->path && key_file_write(keys->path, snapshot, &err) != CODE_OK)
        log_warn("keys_not_kept", LOG_ERR(&err));
}

/* --- following --- */

static bool on_snapshot(void *argument, struct str message)
{
    struct keys *keys = argument;
    pthread_mutex_lock(&keys->lock);
    buf_reset(&keys->fresh);
    buf_add(&keys->fresh, message);
    keys->has_fresh = true;
    pthread_cond_signal(&keys->wake);
    pthread_mutex_unlock(&keys->lock);
    return true;
}

static void on_end(void *argument, const struct rpc_result *result)
{
    struct keys *keys = argument;
    pthread_mutex_lock(&keys->lock);
    bool tell = !keys->stop && !keys->said && result->code != CODE_DEADLINE_EXCEEDED;
    if (tell)
        log_warn("keys_not_followed", LOG_C("code", code_name(result->code)),
                 LOG_S("error", result->message));
    keys->said |= tell;
    keys->stream = NULL;
    pthread_cond_signal(&keys->wake);
    pthread_mutex_unlock(&keys->lock);
}

static const struct rpc_stream_events EVENTS = {on_snapshot, on_end};

/* With the lock held, so that on_end comes after `stream` is known. */
static void open_stream(struct keys *keys)
{
    struct arena arena = {0};
    Omnidata__Access__V1__WatchSnapshotRequest request =
        OMNIDATA__ACCESS__V1__WATCH_SNAPSHOT_REQUEST__INIT;
    struct rpc_call_options call = {
        .method = STR("/omnidata.access.v1.AccessService/WatchSnapshot"), .deadline_ms = WATCH_MS};
    request.version = keys->set ? key_set_version(keys->set) : 0; /* only this thread changes it */
    keys->stream = rpc_client_open(keys->options.client, &call,
                                   proto_encode_arena(&arena, &request.base), &EVENTS, keys);
    arena_clear(&arena);
}

/* Makes what came into the set; with the lock held at both ends. */
static void take_fresh(struct keys *keys)
{
    struct buf snapshot = keys->fresh;
    buf_init(&keys->fresh, SNAPSHOT_BYTES_MAX);
    keys->has_fresh = false;
    pthread_mutex_unlock(&keys->lock);
    bool good = take_set(keys, buf_str(&snapshot));
    if (good)
        write_file(keys, buf_str(&snapshot));
    buf_clear(&snapshot);
    pthread_mutex_lock(&keys->lock);
    if (!good)
        return;
    if (!keys->came)
        log_info("keys_followed", LOG_I("version", key_set_version(keys->set)),
                 LOG_I("keys", key_set_count(keys->set)));
    keys->came = true;
    keys->said = false;
}

/* Until something happens, or the time is over. */
static void wait_for(struct keys *keys, int64_t milliseconds)
{
    struct timespec until = wait_deadline(milliseconds);
    while (!keys->stop && !keys->has_fresh &&
           pthread_cond_timedwait(&keys->wake, &keys->lock, &until) != ETIMEDOUT)
        ;
}

/* Somewhere between the half and the whole: gateways do not come back all at once. */
static int64_t jittered(int64_t milliseconds)
{
    uint32_t random;
    id_random_nonce(&random, sizeof random);
    return milliseconds / 2 + (int64_t)(random % (uint32_t)(milliseconds / 2 + 1));
}

/* One stream, from its beginning to its end; false when nothing came of it. */
static bool follow_once(struct keys *keys)
{
    keys->came = false;
    keys->opened_ms = clock_mono_ms(keys->options.clock);
    open_stream(keys);
    while (keys->stream || keys->has_fresh) {
        if (keys->stop && keys->stream)
            rpc_stream_cancel(keys->stream);
        if (keys->stop)
            keys->has_fresh = false;
        if (keys->has_fresh)
            take_fresh(keys);
        else if (keys->stream)
            pthread_cond_wait(&keys->wake, &keys->lock);
    }
    int64_t now_ms = clock_mono_ms(keys->options.clock);
    bool good = keys->came || now_ms - keys->opened_ms >= SETTLED_MS;
    if (good)
        keys->current_ms = now_ms;
    return good;
}

static void *follow(void *argument)
{
    struct keys *keys = argument;
    int64_t backoff_ms = BACKOFF_FIRST_MS;
    pthread_mutex_lock(&keys->lock);
    while (!keys->stop) {
        bool good = follow_once(keys);
        backoff_ms = good ? BACKOFF_FIRST_MS : backoff_ms;
        wait_for(keys, jittered(backoff_ms));
        if (backoff_ms * 2 <= BACKOFF_MAX_MS)
            backoff_ms *= 2;
    }
    pthread_mutex_unlock(&keys->lock);
    return NULL;
}

struct keys *keys_new(const struct keys_options *options)
{
    struct keys *keys = xcalloc(1, sizeof *keys);
    keys->options = *options;
    keys->current_ms = clock_mono_ms(options->clock);
    pthread_rwlock_init(&keys->set_lock, NULL);
    pthread_mutex_init(&keys->lock, NULL);
    wait_cond_init(&keys->wake);
    buf_init(&keys->fresh, SNAPSHOT_BYTES_MAX);
    if (options->state_dir[0]) {
        struct buf path;
        buf_init(&path, strlen(options->state_dir) + 16);
        buf_addf(&path, "%s/keys", options->state_dir);
        keys->path = xstrdup(buf_cstr(&path));
        buf_clear(&path);
        read_file(keys);
    }
    keys->started = pthread_create(&keys->thread, NULL, follow, keys) == 0;
    if (keys->started)
        pthread_setname_np(keys->thread, "keys");
    return keys;
}

void keys_free(struct keys *keys)
{
    if (!keys)
        return;
    pthread_mutex_lock(&keys->lock);
    keys->stop = true;
    pthread_cond_signal(&keys->wake);
    pthread_mutex_unlock(&keys->lock);
    if (keys->started)
        pthread_join(keys->thread, NULL);
    key_set_free(keys->set);
    buf_clear(&keys->fresh);
    pthread_cond_destroy(&keys->wake);
    pthread_mutex_destroy(&keys->lock);
    pthread_rwlock_destroy(&keys->set_lock);
    xfree(keys->path);
    xfree(keys);
}
