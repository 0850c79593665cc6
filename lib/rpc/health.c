/*
 * A watcher's states; events come in the completion thread, changes from any thread, all under the
 * one lock:
 *
 *   READING ──message──▶ SENDING ◀──change── IDLE
 *      │                    └────sent─────────▶┘
 *      └───no message────────▶ ended ◀── closed, closing, or the send failed
 *
 * A change while a send is under way is sent after it; of several, the last.
 */
#include "rpc/health.h"

#include "base/alloc.h"
#include "grpc/health/v1/health.pb-c.h"
#include "rpc/server_answer.h"
#include "rpc/server_call.h"

#include <string.h>

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

enum { WATCHERS_MAX = 1000, RETRY_MS = 1000, NOTHING_SENT = -1 };

enum watch_state { WATCH_READING, WATCH_IDLE, WATCH_SENDING };

struct watcher { /* lives in its call's arena */
    struct rpc_call *call;
    struct watcher *next, *previous;
    enum watch_state state;
    int sent; /* the last status sent */
    const char *service;
    grpc_byte_buffer *request;
    struct rpc_tag tag;
};

struct known_service {
    char *name;
    bool serving;
};

struct health {
    pthread_mutex_t lock;
    struct known_service *known;
    size_t known_count;
    struct watcher *watchers;
    size_t watcher_count;
    bool closed;
    struct rpc_method methods[2];
    struct rpc_service service;
};

static struct known_service *find(struct health *health, const char *service)
{
    for (size_t i = 0; i < health->known_count; i++)
        if (strcmp(health->known[i].name, service) == 0)
            return &health->known[i];
    return NULL;
}

static struct known_service *find_or_add(struct health *health, const char *service)
{
    struct known_service *known = find(health, service);
    if (known)
        return known;
    health->known = xrealloc(health->known, (health->known_count + 1) * sizeof *health->known);
    known = &health->known[health->known_count++];
    *known = (struct known_service){.name = xstrdup(service)};
    return known;
}

static int status_of(struct health *health, const char *service)
{
    const struct known_service *known = find(health, service);
    if (!known)
        return SERVICE_UNKNOWN;
    return known->serving && !health->closed ? SERVING : NOT_SERVING;
}

static enum code check(struct rpc_call *call, const void *message, void *into, struct error *err)
{
    struct health *health = rpc_call_context(call);
    const Grpc__Health__V1__HealthCheckRequest *request = message;
    Grpc__Health__V1__HealthCheckResponse *response = into;
    pthread_mutex_lock(&health->lock);
    int status = status_of(health, request->service);
    pthread_mutex_unlock(&health->lock);
    if (status == SERVICE_UNKNOWN)
        return error_set(err, CODE_NOT_FOUND, "SERVICE_UNKNOWN", "no service is called %.100s",
                         request->service);
    response->status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status;
    return CODE_OK;
}

/* --- watchers; the lock is held --- */

static void end(struct health *health, struct watcher *watcher, enum code code, const char *text)
{
    struct rpc_call *call = watcher->call;
    struct error err;
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        health->watchers = watcher->next;
    if (watcher->next)
        watcher->next->previous = watcher->previous;
    health->watcher_count--;
    call->watch = NULL;
    error_set(&err, code, NULL, "%s", text);
    server_call_finish(call, &err, NULL); /* the watcher is gone with the call's arena */
}

static void send_status(struct health *health, struct watcher *watcher)
{
    struct rpc_call *call = watcher->call;
    grpc_op ops[2] = {{0}};
    size_t count = 0;
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    watcher->sent = status_of(health, watcher->service);
    watcher->state = WATCH_SENDING;
    response.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)watcher->sent;
    grpc_byte_buffer *message = rpc_buffer_pack(&response.base);
    if (!call->headers_sent)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    call->headers_sent = true;
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = message;
    rpc_batch(call->call, ops, count, &watcher->tag);
    grpc_byte_buffer_destroy(message);
}

/* What is next for a watcher with nothing under way. */
static void settle(struct health *health, struct watcher *watcher)
{
    if (rpc_call_cancelled(watcher->call)) {
        struct error err;
        enum code code = server_call_gone(watcher->call, &err);
        end(health, watcher, code, err.text);
    } else if (watcher->sent != status_of(health, watcher->service)) {
        send_status(health, watcher);
    } else if (health->closed) {
        end(health, watcher, CODE_UNAVAILABLE, "the server is shutting down");
    }
}

static void settle_all(struct health *health)
{
    for (struct watcher *one = health->watchers, *next; one; one = next) {
        next = one->next;
        if (one->state == WATCH_IDLE)
            settle(health, one);
    }
}

/* --- events --- */

static void on_sent(struct rpc_tag *tag, bool ok)
{
    struct watcher *watcher = RPC_TAG_OWNER(tag, struct watcher, tag);
    struct health *health = rpc_call_context(watcher->call);
    pthread_mutex_lock(&health->lock);
    watcher->state = WATCH_IDLE;
    if (ok)
        settle(health, watcher);
    else
        end(health, watcher, CODE_CANCELLED, "the caller has gone");
    pthread_mutex_unlock(&health->lock);
}

static void on_read(struct rpc_tag *tag, bool ok)
{
    struct watcher *watcher = RPC_TAG_OWNER(tag, struct watcher, tag);
    struct rpc_call *call = watcher->call;
    struct health *health = rpc_call_context(call);
    struct error err;
    void *message = NULL;
    enum code code = CODE_UNIMPLEMENTED;
    error_set(&err, code, "MESSAGE_MISSING", "Watch takes one message, none came");
    if (ok && watcher->request)
        code = server_decode_buffer(call, watcher->request, &message, &err);
    if (watcher->request)
        grpc_byte_buffer_destroy(watcher->request);
    pthread_mutex_lock(&health->lock);
    if (code == CODE_OK) {
        watcher->service = ((Grpc__Health__V1__HealthCheckRequest *)message)->service;
        watcher->tag.run = on_sent;
        watcher->state = WATCH_IDLE;
        settle(health, watcher);
    } else {
        end(health, watcher, code, err.text);
    }
    pthread_mutex_unlock(&health->lock);
}

void health_watch(struct rpc_call *call)
{
    struct health *health = rpc_call_context(call);
    struct watcher *watcher = arena_alloc0(&call->arena, sizeof *watcher);
    watcher->call = call;
    watcher->sent = NOTHING_SENT;
    watcher->tag.run = on_read;
    pthread_mutex_lock(&health->lock);
    watcher->next = health->watchers;
    if (watcher->next)
        watcher->next->previous = watcher;
    health->watchers = watcher;
    call->watch = watcher;
    if (++health->watcher_count > WATCHERS_MAX) {
        end(health, watcher, CODE_RESOURCE_EXHAUSTED, "too many calls watch this server's health");
    } else {
        grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
        op.data.recv_message.recv_message = &watcher->request;
        rpc_batch(call->call, &op, 1, &watcher->tag);
    }
    pthread_mutex_unlock(&health->lock);
}

void health_call_closed(struct rpc_call *call)
{
    if (!call->method || call->method->run != RUN_WATCH)
        return;
    struct health *health = rpc_call_context(call);
    pthread_mutex_lock(&health->lock);
    struct watcher *watcher = call->watch;
    if (watcher && watcher->state == WATCH_IDLE)
        end(health, watcher, CODE_CANCELLED, "the caller has gone");
    pthread_mutex_unlock(&health->lock);
}

/* --- the rest --- */

void health_set(struct health *health, const char *service, bool serving)
{
    pthread_mutex_lock(&health->lock);
    find_or_add(health, service)->serving = serving;
    settle_all(health);
    pthread_mutex_unlock(&health->lock);
}

void health_close(struct health *health)
{
    pthread_mutex_lock(&health->lock);
    health->closed = true;
    settle_all(health);
    pthread_mutex_unlock(&health->lock);
}

const struct rpc_service *health_service(const struct health *health)
{
    return &health->service;
}

struct health *health_new(const struct rpc_service *services, size_t service_count)
{
    struct health *health = xcalloc(1, sizeof *health);
    pthread_mutex_init(&health->lock, NULL);
    health->methods[0] = (struct rpc_method){
        .name = "Check",
        .input = &grpc__health__v1__health_check_request__descriptor,
        .output = &grpc__health__v1__health_check_response__descriptor,
        .unary = check,
    };
    health->methods[1] = health->methods[0];
    health->methods[1].name = "Watch";
    health->methods[1].unary = NULL;
    health->methods[1].server_streams = true;
    health->service = (struct rpc_service){"grpc.health.v1.Health", health->methods, 2, health};
    find_or_add(health, "")->serving = true;
    for (size_t i = 0; i < service_count; i++)
        find_or_add(health, services[i].name)->serving = true;
    return health;
}

void health_free(struct health *health)
{
    if (!health)
        return;
    for (size_t i = 0; i < health->known_count; i++)
        xfree(health->known[i].name);
    xfree(health->known);
    pthread_mutex_destroy(&health->lock);
    xfree(health);
}
