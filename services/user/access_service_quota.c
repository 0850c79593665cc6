/* Leases of quotas, and what was used of them. quota.h says why a quota is never exceeded. */
#include "user/access_service_internal.h"

#include "user/reasons.h"
#include "user/request.h"

#include <string.h>

enum { QUOTA_ATTEMPTS = 16, KEPT_MS = 24 * 3600 * 1000, BUSY_RETRY_MS = 50 };

/* A key, its plan, and the quota in question. */
struct quota_subject {
    struct access_key key;
    struct access_plan plan;
    struct access_counter counter;
};

static enum code find_plan(struct rpc_call *call, struct quota_subject *about, struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    return service->store->vtable->get_plan(service->store, &store_call, about->key.plan_id,
                                            rpc_call_arena(call), &about->plan, err);
}

static enum code find_key(struct rpc_call *call, struct id id, struct quota_subject *about,
                          struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    return service->store->vtable->get_key(service->store, &store_call, id, rpc_call_arena(call),
                                           &about->key, err);
}

/* As stored, made that of the current period; of its own kind when the plan has no quota now. */
static enum code load(struct rpc_call *call, const struct quota_subject *about, int64_t now_ms,
                      struct access_quota *stored, struct quota_state *state, struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    if (service->store->vtable->get_quota(service->store, &store_call, &about->counter,
                                          rpc_call_arena(call), stored, err) != CODE_OK)
        return err->code;
    if (!quota_decode(stored->bytes, state))
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored quota is damaged");
    quota_roll(state, about->plan.quota ? about->plan.period : state->period, now_ms);
    return CODE_OK;
}

/* --- leases --- */

static Google__Protobuf__Duration *duration(int64_t ms, struct arena *arena)
{
    Google__Protobuf__Duration *made = arena_alloc(arena, sizeof *made);
    google__protobuf__duration__init(made);
    made->seconds = ms / 1000;
    made->nanos = (int32_t)(ms % 1000) * 1000000;
    return made;
}

static void fill_lease(Omnidata__Access__V1__LeaseQuotaResponse *response,
                       const Omnidata__Access__V1__LeaseQuotaRequest *request,
                       const struct access_plan *plan, const struct quota_state *state,
                       const struct quota_grant *grant, int64_t now_ms, struct arena *arena)
{
    response->quota = plan->quota;
    response->remaining = quota_left(state, plan->quota);
    response->leased = quota_leased(state, now_ms);
    response->reset_time = service_timestamp(state->end_ms * 1000, arena);
    if (grant->amount) {
        int64_t left_ms = grant->end_ms > now_ms ? grant->end_ms - now_ms : 0;
        response->lease_id = request->lease_id;
        response->granted = grant->amount;
        response->expire_time = service_timestamp(grant->end_ms * 1000, arena);
        response->valid_for = duration(left_ms, arena);
    } else if (request->want) {
        response->retry_after = duration(grant->retry_after_ms, arena);
    }
}

/* One try; ABORTED when the quota was changed in between. */
static enum code try_lease(struct rpc_call *call, const struct quota_subject *about,
                           const struct access_lease_request *wish, struct quota_state *state,
                           struct quota_grant *grant, int64_t *now_ms, struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct arena *arena = rpc_call_arena(call);
    struct store_call store_call = service_store_call(call);
    struct access_quota stored;
    *now_ms = clock_wall_ms(service->clock);
    if (load(call, about, *now_ms, &stored, state, err) != CODE_OK)
        return err->code;
    bool changed = wish->returns && quota_return(state, wish->returned, wish->unspent);
    if (wish->want) {
        *grant = quota_lease(state, about->plan.quota, wish->lease, wish->want, wish->need,
                             service->lease_ms, *now_ms);
        changed |= grant->amount && !grant->repeated;
    }
    if (!changed)
        return CODE_OK;
    stored.bytes = quota_encode(state, arena);
    return service->store->vtable->put_quota(service->store, &store_call, &about->counter, &stored,
                                             state->end_ms + KEPT_MS, err);
}

static enum code lease(struct rpc_call *call,
                       const Omnidata__Access__V1__LeaseQuotaRequest *request,
                       const struct quota_subject *about, const struct access_lease_request *wish,
                       Omnidata__Access__V1__LeaseQuotaResponse *response, struct error *err)
{
    struct arena *arena = rpc_call_arena(call);
    struct quota_state *state = arena_alloc(arena, sizeof *state);
    struct quota_grant grant = {0};
    int64_t now_ms = 0;
    enum code code = CODE_ABORTED;
    for (int i = 0; i < QUOTA_ATTEMPTS && code == CODE_ABORTED; i++) {
        error_clear(err);
        code = try_lease(call, about, wish, state, &grant, &now_ms, err);
    }
    if (code == CODE_OK)
        fill_lease(response, request, &about->plan, state, &grant, now_ms, arena);
    else if (code == CODE_ABORTED)
        err->retry_after_ms = BUSY_RETRY_MS;
    return code;
}

static enum code may_lease(const struct access_service *service, const struct quota_subject *about,
                           struct error *err)
{
    if (access_key_usable(&about->key, clock_wall_us(service->clock), err) != CODE_OK)
        return err->code;
    if (!about->plan.quota)
        return error_set(err, CODE_FAILED_PRECONDITION, REASON_PLAN_HAS_NO_QUOTA,
                         "the key's plan has no quota");
    return CODE_OK;
}

/* A lease may come back when no other can be had: the key may be good again, and the plan have a
 * quota again, within the same period. */
enum code access_lease_quota(struct rpc_call *call, const void *message, void *response,
                             struct error *err)
{
    const Omnidata__Access__V1__LeaseQuotaRequest *request = message;
    struct access_service *service = rpc_call_context(call);
    struct access_lease_request wish;
    struct quota_subject about;
    if (access_request_lease(request, &wish, err) != CODE_OK ||
        find_key(call, wish.key_id, &about, err) != CODE_OK ||
        access_request_counter(&about.key, str_of(request->subject), &about.counter, err) !=
            CODE_OK ||
        find_plan(call, &about, err) != CODE_OK)
        return err->code;
    struct error refused = {0};
    if (wish.want && may_lease(service, &about, &refused) != CODE_OK)
        wish.want = 0;
    pthread_mutex_t *stripe = &service->stripes[about.counter.bytes[0] % ACCESS_STRIPES];
    pthread_mutex_lock(stripe);
    enum code code = lease(call, request, &about, &wish, response, err);
    pthread_mutex_unlock(stripe);
    if (code == CODE_OK && refused.code != CODE_OK)
        *err = refused;
    return err->code;
}

/* --- use --- */

static enum code fill_usage(struct rpc_call *call, const struct quota_subject *about,
                            Omnidata__Access__V1__Usage *usage, struct error *err)
{
    struct access_service *service = rpc_call_context(call);
    struct arena *arena = rpc_call_arena(call);
    struct quota_state *state = arena_alloc(arena, sizeof *state);
    int64_t now_ms = clock_wall_ms(service->clock);
    struct access_quota stored;
    usage->key_id = arena_alloc(arena, ID_TEXT_BYTES + 1);
    id_format(about->key.id, usage->key_id);
    usage->plan = access_plan_messages(&about->plan, 1, arena)[0];
    if (!about->plan.quota)
        return CODE_OK;
    if (load(call, about, now_ms, &stored, state, err) != CODE_OK)
        return err->code;
    usage->used = state->used;
    usage->leased = quota_leased(state, now_ms);
    usage->remaining = quota_left(state, about->plan.quota);
    usage->start_time = service_timestamp(state->start_ms * 1000, arena);
    usage->reset_time = service_timestamp(state->end_ms * 1000, arena);
    return CODE_OK;
}

enum code access_get_usage(struct rpc_call *call, const void *message, void *response,
                           struct error *err)
{
    const struct rpc_caller *caller = rpc_call_caller(call);
    struct str subject = {0};
    struct quota_subject about;
    struct id id;
    (void)message;
    if (!id_parse(caller->key_id, &id))
        return error_set(err, CODE_PERMISSION_DENIED, REASON_API_KEY_NEEDED,
                         "this is about the caller's API key, and none came with the call");
    if (find_key(call, id, &about, err) != CODE_OK)
        return err->code;
    if (about.key.is_public)
        subject = access_subject_of(caller, rpc_call_arena(call));
    if (access_request_counter(&about.key, subject, &about.counter, err) != CODE_OK ||
        find_plan(call, &about, err) != CODE_OK)
        return err->code;
    return fill_usage(call, &about, response, err);
}

enum code access_get_key_usage(struct rpc_call *call, const void *message, void *response,
                               struct error *err)
{
    const Omnidata__Access__V1__GetApiKeyUsageRequest *request = message;
    struct quota_subject about;
    struct id id;
    if (request_id(request->id, "id", &id, err) != CODE_OK ||
        find_key(call, id, &about, err) != CODE_OK ||
        access_request_counter(&about.key, str_of(request->subject), &about.counter, err) !=
            CODE_OK ||
        find_plan(call, &about, err) != CODE_OK)
        return err->code;
    return fill_usage(call, &about, response, err);
}
