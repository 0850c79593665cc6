/* Snapshots are read and put together outside of the lock that those who watch wait under. */
#include "user/access_watch.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/wait.h"
#include "user/service_internal.h"

#include <pthread.h>
#include <time.h>

struct access_watch {
    struct access_store *store;
    const struct clock *clock;
    pthread_t thread;
    bool thread_runs;

    pthread_mutex_t looking; /* one at a time asks the store; taken before `lock` */
    bool failing;            /* under `looking` */

    pthread_mutex_t lock;
    pthread_cond_t closing; /* the thread waits here */
    pthread_cond_t changed; /* those who watch wait here */
    struct access_view *current;
    bool closed;
};

/* --- putting a snapshot together --- */

static Omnidata__Access__V1__SnapshotKey *make_key(const struct access_key *key, int64_t now_us,
                                                   struct arena *arena)
{
    Omnidata__Access__V1__SnapshotKey *message = arena_alloc(arena, sizeof *message);
    size_t count = access_key_secrets(key, now_us);
    omnidata__access__v1__snapshot_key__init(message);
    message->id = arena_alloc(arena, ID_TEXT_BYTES + 1);
    id_format(key->id, message->id);
    message->plan_id = (char *)(uintptr_t)key->plan_id.ptr;
    message->public_ = key->is_public;
    if (key->expire_us)
        message->expire_time = service_timestamp(key->expire_us, arena);
    message->n_secret_hashes = count;
    message->secret_hashes = arena_alloc(arena, count * sizeof *message->secret_hashes);
    message->n_old_secret_expire_times = count - 1;
    message->old_secret_expire_times =
        arena_alloc(arena, count * sizeof(Google__Protobuf__Timestamp *));
    for (size_t i = 0; i < count; i++) {
        message->secret_hashes[i].data = (uint8_t *)(uintptr_t)key->secrets[i].hash;
        message->secret_hashes[i].len = ACCESS_HASH_BYTES;
        if (i)
            message->old_secret_expire_times[i - 1] =
                service_timestamp(key->secrets[i].expire_us, arena);
    }
    return message;
}

/* The arena holds what the store gave, and the message that points to it. */
static void fill(struct access_view *view, const struct access_snapshot *snapshot, int64_t now_us)
{
    Omnidata__Access__V1__Snapshot *message = &view->message;
    omnidata__access__v1__snapshot__init(message);
    message->version = snapshot->version;
    message->keys = arena_alloc(&view->arena, (snapshot->key_count + 1) * sizeof *message->keys);
    for (size_t i = 0; i < snapshot->key_count; i++) {
        const struct access_key *key = &snapshot->keys[i];
        if (!key->expire_us || key->expire_us > now_us)
            message->keys[message->n_keys++] = make_key(key, now_us, &view->arena);
    }
    message->n_plans = snapshot->plan_count;
    message->plans = access_plan_messages(snapshot->plans, snapshot->plan_count, &view->arena);
}

static void drop(struct access_view *view)
{
    if (!view || --view->references)
        return;
    arena_clear(&view->arena);
    xfree(view);
}

/* A new snapshot if the store has another version than `held`; NULL: it has not. */
static enum code look(struct access_watch *watch, uint64_t held, struct access_view **view,
                      struct error *err)
{
    const struct store_call call = {STORE_TENANT, INT64_MAX};
    const struct access_store_vtable *vtable = watch->store->vtable;
    struct access_snapshot snapshot = {0};
    uint64_t version = 0;
    *view = NULL;
    if (vtable->version(watch->store, &call, &version, err) != CODE_OK || version == held)
        return err->code;
    struct access_view *made = xcalloc(1, sizeof *made);
    made->references = 1;
    if (vtable->snapshot(watch->store, &call, &made->arena, &snapshot, err) != CODE_OK) {
        drop(made);
        return err->code;
    }
    fill(made, &snapshot, clock_wall_us(watch->clock));
    *view = made;
    return CODE_OK;
}

static void tell_trouble(struct access_watch *watch, const struct error *err)
{
    if (err->code != CODE_OK && !watch->failing)
        log_error("access_snapshot_failed", LOG_ERR(err));
    watch->failing = err->code != CODE_OK;
}

void access_watch_refresh(struct access_watch *watch)
{
    struct access_view *view;
    struct error err = {0};
    pthread_mutex_lock(&watch->looking); /* only who holds this changes `current` */
    (void)look(watch, watch->current->message.version, &view, &err);
    tell_trouble(watch, &err);
    if (view) {
        pthread_mutex_lock(&watch->lock);
        drop(watch->current);
        watch->current = view;
        pthread_cond_broadcast(&watch->changed);
        pthread_mutex_unlock(&watch->lock);
    }
    pthread_mutex_unlock(&watch->looking);
}

/* --- the thread --- */

static void *watch_main(void *argument)
{
    struct access_watch *watch = argument;
    for (bool closed = false; !closed;) {
        struct timespec until = wait_deadline(ACCESS_WATCH_POLL_MS);
        pthread_mutex_lock(&watch->lock);
        if (!watch->closed)
            pthread_cond_timedwait(&watch->closing, &watch->lock, &until);
        closed = watch->closed;
        pthread_mutex_unlock(&watch->lock);
        if (!closed)
            access_watch_refresh(watch);
    }
    return NULL;
}

enum code access_watch_new(struct access_store *store, const struct clock *clock,
                           struct access_watch **out, struct error *err)
{
    struct access_watch *watch = xcalloc(1, sizeof *watch);
    pthread_mutex_init(&watch->looking, NULL);
    pthread_mutex_init(&watch->lock, NULL);
    wait_cond_init(&watch->closing);
    wait_cond_init(&watch->changed);
    watch->store = store;
    watch->clock = clock;
    enum code code = look(watch, 0, &watch->current, err);
    if (code == CODE_OK && pthread_create(&watch->thread, NULL, watch_main, watch) != 0)
        code = error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the watch's thread");
    if (code != CODE_OK) {
        access_watch_free(watch);
        return code;
    }
    watch->thread_runs = true;
    pthread_setname_np(watch->thread, "access-watch");
    *out = watch;
    return CODE_OK;
}

void access_watch_close(struct access_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->closed = true;
    pthread_cond_signal(&watch->closing);
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

void access_watch_free(struct access_watch *watch)
{
    if (!watch)
        return;
    if (watch->thread_runs) {
        access_watch_close(watch);
        pthread_join(watch->thread, NULL);
    }
    drop(watch->current);
    pthread_cond_destroy(&watch->changed);
    pthread_cond_destroy(&watch->closing);
    pthread_mutex_destroy(&watch->lock);
    pthread_mutex_destroy(&watch->looking);
    xfree(watch);
}

/* --- those who watch --- */

enum access_watch_result access_watch_next(struct access_watch *watch, uint64_t held,
                                           int64_t wait_ms, struct access_view **view)
{
    struct timespec until = wait_deadline(wait_ms);
    enum access_watch_result result = ACCESS_WATCH_NOTHING;
    int late = 0;
    pthread_mutex_lock(&watch->lock);
    while (!watch->closed && watch->current->message.version == held && !late)
        late = pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
    if (watch->closed) {
        result = ACCESS_WATCH_CLOSED;
    } else if (watch->current->message.version != held) {
        result = ACCESS_WATCH_NEW;
        *view = watch->current;
        (*view)->references++;
    }
    pthread_mutex_unlock(&watch->lock);
    return result;
}

void access_view_release(struct access_watch *watch, struct access_view *view)
{
    pthread_mutex_lock(&watch->lock);
    drop(view);
    pthread_mutex_unlock(&watch->lock);
}
