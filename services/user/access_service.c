/* The table; plans and keys for those who look after them; the snapshots that gateways follow. */
#include "user/access_service_internal.h"

#include "user/reasons.h"
#include "user/request.h"

#include "google/protobuf/empty.pb-c.h"

#include <string.h>

enum { CHANGE_ATTEMPTS = 8, WATCH_LOOK_MS = 250 };

void access_service_init(struct access_service *service)
{
    for (size_t i = 0; i < ACCESS_STRIPES; i++)
        pthread_mutex_init(&service->stripes[i], NULL);
}

enum code access_key_usable(const struct access_key *key, int64_t now_us, struct error *err)
{
    if (key->disable_us)
        return error_set(err, CODE_FAILED_PRECONDITION, REASON_KEY_DISABLED,
                         "the key has been disabled");
    if (key->expire_us && key->expire_us <= now_us)
        return error_set(err, CODE_FAILED_PRECONDITION, REASON_KEY_EXPIRED, "the key has expired");
    return CODE_OK;
}

/* --- plans --- */

Omnidata__Access__V1__Plan **access_plan_messages(const struct access_plan *plans, size_t count,
                                                  struct arena *arena)
{
    Omnidata__Access__V1__Plan **list = arena_alloc(arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        list[i] = arena_alloc(arena, sizeof **list);
        omnidata__access__v1__plan__init(list[i]);
        list[i]->id = arena_cstr(arena, plans[i].id);
        list[i]->rate = plans[i].rate;
        list[i]->burst = plans[i].burst;
        list[i]->quota = plans[i].quota;
        list[i]->quota_period = (Omnidata__Access__V1__QuotaPeriod)plans[i].period;
    }
    return list;
}

static enum code put_plan(struct rpc_call *call, const void *request, void *response,
                          struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    const Omnidata__Access__V1__PutPlanRequest *put = request;
    struct access_plan plan;
    if (put->plan)
        rpc_call_about(call, str_of(put->plan->id));
    if (access_request_plan(request, &plan, err) != CODE_OK ||
        service->store->vtable->put_plan(service->store, &store_call, &plan, err) != CODE_OK)
        return err->code;
    access_watch_refresh(service->watch);
    *(Omnidata__Access__V1__Plan *)response =
        *access_plan_messages(&plan, 1, rpc_call_arena(call))[0];
    return CODE_OK;
}

static enum code list_plans(struct rpc_call *call, const void *request, void *message,
                            struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    struct arena *arena = rpc_call_arena(call);
    Omnidata__Access__V1__ListPlansResponse *response = message;
    struct access_plan *plans;
    (void)request;
    if (service->store->vtable->list_plans(service->store, &store_call, arena, &plans,
                                           &response->n_plans, err) != CODE_OK)
        return err->code;
    response->plans = access_plan_messages(plans, response->n_plans, arena);
    return CODE_OK;
}

/* --- keys --- */

static void fill_key(Omnidata__Access__V1__ApiKey *message, const struct access_key *key,
                     int64_t now_us, struct arena *arena)
{
    omnidata__access__v1__api_key__init(message);
    message->id = arena_alloc(arena, ID_TEXT_BYTES + 1);
    id_format(key->id, message->id);
    message->display_name = arena_cstr(arena, key->name);
    message->plan_id = arena_cstr(arena, key->plan_id);
    message->etag = arena_alloc(arena, ACCESS_ETAG_CHARS + 1);
    access_key_etag(key, message->etag);
    message->prefix = arena_cstr(arena, str_of(key->prefix));
    message->public_ = key->is_public;
    message->disabled = key->disable_us != 0;
    message->create_time = service_timestamp(key->create_us, arena);
    message->rotate_time = service_timestamp(key->rotate_us, arena);
    if (key->expire_us)
        message->expire_time = service_timestamp(key->expire_us, arena);
    if (key->disable_us)
        message->disable_time = service_timestamp(key->disable_us, arena);
    if (access_key_secrets(key, now_us) > 1)
        message->old_secret_expire_time = service_timestamp(key->secrets[1].expire_us, arena);
}

static void fill_secret(Omnidata__Access__V1__CreateApiKeyResponse *response,
                        const struct access_key *key, const char *secret, int64_t now_us,
                        struct arena *arena)
{
    response->api_key = arena_alloc(arena, sizeof *response->api_key);
    fill_key(response->api_key, key, now_us, arena);
    response->secret = arena_cstr(arena, str_of(secret));
}

static enum code create_key(struct rpc_call *call, const void *request, void *response,
                            struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    struct arena *arena = rpc_call_arena(call);
    int64_t now_us = clock_wall_us(service->clock);
    char secret[ACCESS_SECRET_CHARS + 1];
    Omnidata__Access__V1__CreateApiKeyResponse *answer = response;
    const struct store_once *once;
    struct access_key key;
    if (access_request_key(rpc_call_caller(call), request, now_us, arena, &key, &once, err) !=
        CODE_OK)
        return err->code;
    key.id = id_new(service->clock);
    key.create_us = key.rotate_us = now_us;
    access_key_make_secret(&key, secret);
    if (service->store->vtable->create_key(service->store, &store_call, &key, once, err) ==
        CODE_OK) {
        access_watch_refresh(service->watch);
        fill_secret(answer, &key, secret, now_us, arena);
        rpc_call_about(call, str_of(answer->api_key->id));
    }
    explicit_bzero(secret, sizeof secret);
    return err->code;
}

static enum code get_key(struct rpc_call *call, const void *message, void *response,
                         struct error *err)
{
    const Omnidata__Access__V1__GetApiKeyRequest *request = message;
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    struct arena *arena = rpc_call_arena(call);
    struct access_key key;
    struct id id;
    if (request_id(request->id, "id", &id, err) != CODE_OK ||
        service->store->vtable->get_key(service->store, &store_call, id, arena, &key, err) !=
            CODE_OK)
        return err->code;
    fill_key(response, &key, clock_wall_us(service->clock), arena);
    return CODE_OK;
}

static enum code list_keys(struct rpc_call *call, const void *message, void *answer,
                           struct error *err)
{
    const Omnidata__Access__V1__ListApiKeysRequest *request = message;
    Omnidata__Access__V1__ListApiKeysResponse *response = answer;
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    struct arena *arena = rpc_call_arena(call);
    struct page_scope scope = {STR("ListApiKeys"), store_call.tenant, STR("")};
    struct access_key_page page = {0};
    struct str position, next = {0};
    struct id after = {0};
    size_t limit = 0;
    enum code sized =
        request_page_size(request->page_size, LIST_PAGE_DEFAULT, LIST_PAGE_MAX, &limit, err);
    if (page_token_open(service->tokens, &scope, str_of(request->page_token), arena, &position,
                        err) != CODE_OK ||
        sized != CODE_OK)
        return err->code;
    if (position.len == sizeof after.bytes)
        memcpy(after.bytes, position.ptr, sizeof after.bytes);
    if (service->store->vtable->list_keys(service->store, &store_call, position.len ? &after : NULL,
                                          limit, arena, &page, err) != CODE_OK)
        return err->code;
    response->n_api_keys = page.count;
    response->api_keys = arena_alloc(arena, (page.count + 1) * sizeof *response->api_keys);
    for (size_t i = 0; i < page.count; i++) {
        response->api_keys[i] = arena_alloc(arena, sizeof **response->api_keys);
        fill_key(response->api_keys[i], &page.keys[i], clock_wall_us(service->clock), arena);
    }
    if (page.more)
        next = (struct str){(const char *)page.keys[page.count - 1].id.bytes, sizeof after.bytes};
    response->next_page_token =
        arena_cstr(arena, page_token_seal(service->tokens, &scope, next, arena));
    return CODE_OK;
}

/* How a change looks for the key as it is now; false when there is nothing to change. */
typedef bool (*change_fn)(struct access_key *key, int64_t now_us, const void *argument,
                          struct error *err);

/* Reads, changes, writes; again when somebody else was faster. */
static enum code change_key(struct rpc_call *call, const char *id_text, const char *path,
                            change_fn change, const void *argument, struct access_key *key,
                            struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    const struct access_store_vtable *vtable = service->store->vtable;
    struct id id;
    rpc_call_about(call, str_of(id_text));
    if (request_id(id_text, path, &id, err) != CODE_OK)
        return err->code;
    for (int attempt = 1;; attempt++) {
        error_clear(err);
        if (vtable->get_key(service->store, &store_call, id, rpc_call_arena(call), key, err) !=
            CODE_OK)
            return err->code;
        if (!change(key, clock_wall_us(service->clock), argument, err))
            return err->code;
        enum code code = vtable->change_key(service->store, &store_call, key, err);
        if (code == CODE_OK)
            access_watch_refresh(service->watch);
        if (code != CODE_ABORTED || attempt == CHANGE_ATTEMPTS)
            return code;
    }
}

static bool update(struct access_key *key, int64_t now_us, const void *argument, struct error *err)
{
    const struct access_key_change *change = argument;
    char etag[ACCESS_ETAG_CHARS + 1];
    (void)now_us;
    access_key_etag(key, etag);
    if (change->etag.len && !str_eq(change->etag, str_of(etag))) {
        error_set(err, CODE_ABORTED, REASON_ETAG_MISMATCH,
                  "the key has changed since it was read: read it again");
        error_add_field(err, "api_key.etag", "is not that of the key's present state");
        return false;
    }
    if (key->disable_us) {
        error_set(err, CODE_FAILED_PRECONDITION, REASON_KEY_DISABLED, "the key has been disabled");
        return false;
    }
    if (change->fields & ACCESS_FIELD_NAME)
        key->name = change->values.name;
    if (change->fields & ACCESS_FIELD_PLAN)
        key->plan_id = change->values.plan_id;
    if (change->fields & ACCESS_FIELD_EXPIRY)
        key->expire_us = change->values.expire_us;
    return change->fields != 0;
}

static enum code update_key(struct rpc_call *call, const void *message, void *response,
                            struct error *err)
{
    const Omnidata__Access__V1__UpdateApiKeyRequest *request = message;
    const struct access_service *service = rpc_call_context(call);
    int64_t now_us = clock_wall_us(service->clock);
    struct access_key_change change;
    struct access_key key;
    if (access_request_change(request, now_us, &change, err) != CODE_OK ||
        change_key(call, request->api_key->id, "api_key.id", update, &change, &key, err) != CODE_OK)
        return err->code;
    fill_key(response, &key, now_us, rpc_call_arena(call));
    return CODE_OK;
}

struct rotation {
    int64_t overlap_us;
    char *secret;
};

static bool rotate(struct access_key *key, int64_t now_us, const void *argument, struct error *err)
{
    const struct rotation *rotation = argument;
    if (access_key_usable(key, now_us, err) != CODE_OK)
        return false;
    access_key_rotate(key, now_us, rotation->overlap_us, rotation->secret);
    return true;
}

static enum code rotate_key(struct rpc_call *call, const void *message, void *response,
                            struct error *err)
{
    const Omnidata__Access__V1__RotateApiKeyRequest *request = message;
    const struct access_service *service = rpc_call_context(call);
    char secret[ACCESS_SECRET_CHARS + 1];
    struct rotation rotation = {(int64_t)request->overlap_seconds * 1000000, secret};
    struct access_key key;
    if (request->overlap_seconds > ACCESS_OVERLAP_S_MAX)
        error_field(err, "overlap_seconds", "must be at most %d: 30 days", ACCESS_OVERLAP_S_MAX);
    if (err->code != CODE_OK ||
        change_key(call, request->id, "id", rotate, &rotation, &key, err) != CODE_OK)
        return err->code;
    fill_secret(response, &key, secret, clock_wall_us(service->clock), rpc_call_arena(call));
    explicit_bzero(secret, sizeof secret);
    return CODE_OK;
}

static bool disable(struct access_key *key, int64_t now_us, const void *argument, struct error *err)
{
    (void)argument;
    (void)err;
    if (key->disable_us)
        return false;
    key->disable_us = now_us;
    return true;
}

static enum code disable_key(struct rpc_call *call, const void *message, void *response,
                             struct error *err)
{
    const Omnidata__Access__V1__DisableApiKeyRequest *request = message;
    struct access_key key;
    (void)response;
    return change_key(call, request->id, "id", disable, NULL, &key, err);
}

/* --- gateways --- */

static enum code watch_snapshot(struct rpc_call *call, const void *message, struct error *err)
{
    const Omnidata__Access__V1__WatchSnapshotRequest *request = message;
    struct access_service *service = rpc_call_context(call);
    uint64_t held = request->version;
    access_watch_refresh(service->watch); /* also what other processes have changed */
    for (;;) {
        struct access_view *view = NULL;
        enum access_watch_result result =
            access_watch_next(service->watch, held, WATCH_LOOK_MS, &view);
        if (result == ACCESS_WATCH_CLOSED)
            return error_set(err, CODE_UNAVAILABLE, REASON_STOPPING, "the server is shutting down");
        if (rpc_call_cancelled(call) && result == ACCESS_WATCH_NOTHING)
            return error_set(err, CODE_CANCELLED, NULL, "the gateway is gone");
        if (result == ACCESS_WATCH_NOTHING)
            continue;
        held = view->message.version;
        enum code code = rpc_call_send(call, &view->message.base, err);
        access_view_release(service->watch, view);
        if (code != CODE_OK)
            return code;
    }
}

#define METHOD(verb, input_type, output_type, ...) \
    { \
        .name = (verb), .input = &omnidata__access__v1__##input_type##__descriptor, \
        .output = &output_type##__descriptor, __VA_ARGS__ \
    }

static const struct rpc_method METHODS[] = {
    METHOD("CreateApiKey", create_api_key_request, omnidata__access__v1__create_api_key_response,
           .unary = create_key),
    METHOD("GetApiKey", get_api_key_request, omnidata__access__v1__api_key, .unary = get_key,
           .quick = true),
    METHOD("ListApiKeys", list_api_keys_request, omnidata__access__v1__list_api_keys_response,
           .unary = list_keys, .quick = true),
    METHOD("UpdateApiKey", update_api_key_request, omnidata__access__v1__api_key,
           .unary = update_key),
    METHOD("RotateApiKey", rotate_api_key_request, omnidata__access__v1__create_api_key_response,
           .unary = rotate_key),
    METHOD("DisableApiKey", disable_api_key_request, google__protobuf__empty, .unary = disable_key),
    METHOD("PutPlan", put_plan_request, omnidata__access__v1__plan, .unary = put_plan),
    METHOD("ListPlans", list_plans_request, omnidata__access__v1__list_plans_response,
           .unary = list_plans, .quick = true),
    METHOD("GetApiKeyUsage", get_api_key_usage_request, omnidata__access__v1__usage,
           .unary = access_get_key_usage, .quick = true),
    METHOD("WatchSnapshot", watch_snapshot_request, omnidata__access__v1__snapshot,
           .stream = watch_snapshot, .server_streams = true),
    METHOD("LeaseQuota", lease_quota_request, omnidata__access__v1__lease_quota_response,
           .unary = access_lease_quota),
    METHOD("GetUsage", get_usage_request, omnidata__access__v1__usage, .unary = access_get_usage,
           .quick = true),
};

struct rpc_service access_service_table(struct access_service *service)
{
    return (struct rpc_service){"omnidata.access.v1.AccessService", METHODS,
                                sizeof METHODS / sizeof *METHODS, service};
}
