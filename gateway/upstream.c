/* The mapping is small and fixed: arrays, looked through at start only. */
#include "gateway/upstream.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { UPSTREAMS_MAX = 32, HEALTH_DEADLINE_MS = 1000 };

struct target {
    struct upstream upstream;
    char *address;
    atomic_bool healthy;
};

struct mapping {
    char *prefix;
    struct target *target;
    bool used; /* a service has been found by it */
};

struct upstreams {
    struct target targets[UPSTREAMS_MAX];
    size_t target_count;
    struct mapping mappings[UPSTREAMS_MAX];
    size_t mapping_count;
    pthread_t watcher;
    bool watching;
    int64_t poll_ms;
    int64_t message_bytes_max;
    int call_streams;
    struct rpc_identity *identity;
    pthread_mutex_t lock; /* for `stop` */
    pthread_cond_t wake;
    bool stop;
};

static char *copy(struct str text)
{
    struct buf buf;
    buf_init(&buf, text.len);
    buf_add(&buf, text);
    char *made = xstrdup(buf_cstr(&buf));
    buf_clear(&buf);
    return made;
}

static struct target *target_of(struct upstreams *upstreams, struct str address)
{
    int64_t message_bytes_max = upstreams->message_bytes_max;
    for (size_t i = 0; i < upstreams->target_count; i++)
        if (str_eq(str_of(upstreams->targets[i].address), address))
            return &upstreams->targets[i];
    struct target *target = &upstreams->targets[upstreams->target_count++];
    target->address = copy(address);
    struct rpc_client_options options = {.target = target->address,
                                         .message_bytes_max = message_bytes_max,
                                         .call_streams = upstreams->call_streams,
                                         .identity = upstreams->identity};
    target->upstream.client = rpc_client_new(&options);
    buf_init(&target->upstream.scratch, (size_t)message_bytes_max * 8);
    return target;
}

/* One piece of the mapping: prefix=target. */
static enum code add_mapping(struct upstreams *upstreams, struct str piece, struct error *err)
{
    ptrdiff_t equals = str_find(piece, '=');
    if (equals < 1 || (size_t)equals + 1 == piece.len || upstreams->mapping_count == UPSTREAMS_MAX)
        return error_set(err, CODE_FAILED_PRECONDITION, "INVALID_SETTING",
                         "--upstreams: '%.*s' is not prefix=target, or there are more than %d",
                         STR_ARG(piece), UPSTREAMS_MAX);
    struct target *target = target_of(upstreams, str_from(piece, (size_t)equals + 1));
    upstreams->mappings[upstreams->mapping_count++] =
        (struct mapping){copy((struct str){piece.ptr, (size_t)equals}), target, false};
    if (!upstreams->identity)
        return CODE_OK;
    return rpc_identity_check_target(upstreams->identity, target->address, "--upstreams", err);
}

enum code upstreams_new(const struct upstreams_options *options, struct upstreams **upstreams,
                        struct error *err)
{
    struct upstreams *made = xcalloc(1, sizeof *made);
    struct str rest = options->mapping, piece;
    pthread_mutex_init(&made->lock, NULL);
    wait_cond_init(&made->wake);
    made->message_bytes_max = options->message_bytes_max;
    made->call_streams = options->call_streams;
    made->identity = options->identity;
    *upstreams = NULL;
    while (str_next(&rest, ',', &piece)) {
        if (add_mapping(made, str_trim(piece), err) != CODE_OK) {
            upstreams_free(made);
            return err->code;
        }
    }
    *upstreams = made;
    return CODE_OK;
}

struct upstream *upstreams_find(struct upstreams *upstreams, struct str service)
{
    struct mapping *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < upstreams->mapping_count; i++) {
        struct str prefix = str_of(upstreams->mappings[i].prefix);
        bool fits = str_starts(service, prefix) &&
                    (service.len == prefix.len || service.ptr[prefix.len] == '.');
        if (fits && prefix.len > best_length) {
            best = &upstreams->mappings[i];
            best_length = prefix.len;
        }
    }
    if (!best)
        return NULL;
    best->used = true;
    return &best->target->upstream;
}

void upstreams_warn_unused(const struct upstreams *upstreams)
{
    for (size_t i = 0; i < upstreams->mapping_count; i++)
        if (!upstreams->mappings[i].used)
            log_warn("upstream_unused", LOG_C("services", upstreams->mappings[i].prefix),
                     LOG_C("meaning", "--upstreams: no service of the descriptors begins so"));
}

void upstreams_flush(struct upstreams *upstreams)
{
    for (size_t i = 0; i < upstreams->target_count; i++)
        rpc_client_flush(upstreams->targets[i].upstream.client);
}

/* --- health --- */

/* True when it is time to stop. */
static bool pause_for(struct upstreams *upstreams, int64_t milliseconds)
{
    struct timespec until = wait_deadline(milliseconds);
    pthread_mutex_lock(&upstreams->lock);
    while (!upstreams->stop &&
           pthread_cond_timedwait(&upstreams->wake, &upstreams->lock, &until) != ETIMEDOUT)
        ;
    bool stop = upstreams->stop;
    pthread_mutex_unlock(&upstreams->lock);
    return stop;
}

static void *watch(void *argument)
{
    struct upstreams *upstreams = argument;
    do {
        for (size_t i = 0; i < upstreams->target_count; i++) {
            struct target *target = &upstreams->targets[i];
            bool healthy = rpc_client_healthy(target->upstream.client, "", HEALTH_DEADLINE_MS);
            atomic_store(&target->healthy, healthy);
        }
    } while (!pause_for(upstreams, upstreams->poll_ms));
    return NULL;
}

void upstreams_watch(struct upstreams *upstreams, int64_t poll_ms)
{
    upstreams->poll_ms = poll_ms;
    upstreams->watching = pthread_create(&upstreams->watcher, NULL, watch, upstreams) == 0;
    if (upstreams->watching)
        pthread_setname_np(upstreams->watcher, "health");
}

bool upstreams_healthy(struct upstreams *upstreams)
{
    for (size_t i = 0; i < upstreams->target_count; i++)
        if (!atomic_load(&upstreams->targets[i].healthy))
            return false;
    return true;
}

void upstreams_describe(struct upstreams *upstreams, struct json_out *json)
{
    json_array_begin(json);
    for (size_t i = 0; i < upstreams->mapping_count; i++) {
        json_object_begin(json);
        json_key(json, STR("services"));
        json_string(json, str_of(upstreams->mappings[i].prefix));
        json_key(json, STR("healthy"));
        json_bool(json, atomic_load(&upstreams->mappings[i].target->healthy));
        json_object_end(json);
    }
    json_array_end(json);
}

void upstreams_free(struct upstreams *upstreams)
{
    if (!upstreams)
        return;
    pthread_mutex_lock(&upstreams->lock);
    upstreams->stop = true;
    pthread_cond_signal(&upstreams->wake);
    pthread_mutex_unlock(&upstreams->lock);
    if (upstreams->watching)
        pthread_join(upstreams->watcher, NULL);
    for (size_t i = 0; i < upstreams->target_count; i++) {
        rpc_client_free(upstreams->targets[i].upstream.client);
        buf_clear(&upstreams->targets[i].upstream.scratch);
        xfree(upstreams->targets[i].address);
    }
    for (size_t i = 0; i < upstreams->mapping_count; i++)
        xfree(upstreams->mappings[i].prefix);
    pthread_cond_destroy(&upstreams->wake);
    pthread_mutex_destroy(&upstreams->lock);
    xfree(upstreams);
}
