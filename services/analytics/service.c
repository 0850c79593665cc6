/* Events in, and out again to listeners. */
#include "analytics/service.h"

#include "analytics/reasons.h"
#include "pb/proto.h"

#include <stdio.h>

enum { BATCHES_MAX = 16, REQUEST_BYTES_MAX = 3 << 20, POLL_MS = 250, SIGN_OF_LIFE_MS = 10000 };

typedef Omnidata__Analytics__V1__RecordEventsRequest record_request;
typedef Omnidata__Analytics__V1__RecordEventsResponse record_response;
typedef Omnidata__Analytics__V1__TailEventsRequest tail_request;
typedef Omnidata__Analytics__V1__TailEventsResponse tail_response;
typedef Omnidata__Event__V1__EventBatch event_batch;

static enum code wrong(size_t index, const char *field, const char *text, struct error *err)
{
    char path[ERROR_FIELD_BYTES];
    snprintf(path, sizeof path, "batches[%zu].%s", index, field);
    return error_field(err, path, "%s", text);
}

static enum code check_batch(const event_batch *batch, size_t index, struct error *err)
{
    struct id id;
    size_t bytes = 0;
    if (!id_parse(str_of(batch->id), &id) || id.bytes[6] >> 4 != 7)
        return wrong(index, "id", "must be a UUID version 7", err);
    if (!batch->hour || batch->hour->nanos || batch->hour->seconds < 0 ||
        batch->hour->seconds >= 253402300800 || batch->hour->seconds % ROLLUP_HOUR_S)
        return wrong(index, "hour", "must be the beginning of an hour", err);
    if (batch->lost && batch->n_events)
        return wrong(index, "lost", "must not be set where there are events", err);
    if (batch->lost && (!batch->count || batch->count > EVENT_BATCH_EVENTS_MAX))
        return wrong(index, "count", "must be 1 to 1,000", err);
    if (!batch->lost && (!batch->n_events || batch->n_events > EVENT_BATCH_EVENTS_MAX))
        return wrong(index, "events", "must be 1 to 1,000", err);
    if (!batch->lost && batch->count != batch->n_events)
        return wrong(index, "count", "is not the number of events", err);
    for (size_t i = 0; i < batch->n_events; i++)
        bytes += batch->events[i].len;
    if (bytes > EVENT_BATCH_BYTES_MAX)
        return wrong(index, "events", "must be at most 180 KiB in all", err);
    return CODE_OK;
}

static enum code record_events(struct rpc_call *call, const void *request, void *response,
                               struct error *err)
{
    const struct service *service = rpc_call_context(call);
    const record_request *in = request;
    record_response *out = response;
    struct queue_item items[BATCHES_MAX];
    size_t bytes = 0;
    if (!in->n_batches || in->n_batches > BATCHES_MAX)
        return error_field(err, "batches", "must be 1 to %d", BATCHES_MAX);
    for (size_t i = 0; i < in->n_batches; i++) {
        if (check_batch(in->batches[i], i, err) != CODE_OK)
            return err->code;
        items[i] = (struct queue_item){
            .id = str_of(in->batches[i]->id),
            .body = proto_encode_arena(rpc_call_arena(call), &in->batches[i]->base),
            .units = in->batches[i]->count,
        };
        bytes += items[i].body.len;
    }
    if (bytes > REQUEST_BYTES_MAX)
        return error_field(err, "batches", "must be at most 3 MiB in all");
    if (service->queue->vtable->send(service->queue, items, in->n_batches, err) != CODE_OK)
        return err->code;
    out->stored = (uint32_t)in->n_batches;
    return CODE_OK;
}

/* --- tail --- */

static bool is_wanted(const tail_request *request, int32_t kind)
{
    for (size_t i = 0; i < request->n_kinds; i++)
        if ((int32_t)request->kinds[i] == kind)
            return true;
    return request->n_kinds == 0;
}

/* One message: an event that is wanted, or nothing as a sign of life. *sent says that one went. */
static enum code send_event(struct rpc_call *call, const tail_request *request, struct arena *arena,
                            struct str bytes, uint64_t *missed, bool *sent, struct error *err)
{
    tail_response message = OMNIDATA__ANALYTICS__V1__TAIL_EVENTS_RESPONSE__INIT;
    *sent = false;
    if (bytes.len) {
        message.event = proto_decode(arena, &omnidata__event__v1__event__descriptor, bytes);
        if (!message.event || !is_wanted(request, (int32_t)message.event->kind))
            return CODE_OK;
    }
    message.missed = *missed;
    *missed = 0;
    *sent = true;
    return rpc_call_send(call, &message.base, err);
}

static enum code tail_loop(struct rpc_call *call, const tail_request *request,
                           struct tail_listener *listener, struct arena *arena, struct error *err)
{
    const struct service *service = rpc_call_context(call);
    int64_t last_ms = clock_mono_ms(service->clock);
    uint64_t missed = 0;
    for (;;) {
        struct str event = {0};
        uint64_t lost = 0;
        bool sent = false;
        enum code code = CODE_OK;
        arena_reset(arena);
        enum tail_result result = tail_next(listener, POLL_MS, arena, &event, &lost);
        missed += lost;
        if (result == TAIL_CLOSED)
            return error_set(err, CODE_UNAVAILABLE, REASON_STOPPING, "the server is stopping");
        if (rpc_call_cancelled(call))
            return error_set(err, CODE_CANCELLED, NULL, "the caller is gone");
        if (result == TAIL_EVENT)
            code = send_event(call, request, arena, event, &missed, &sent, err);
        if (code == CODE_OK && clock_mono_ms(service->clock) - last_ms >= SIGN_OF_LIFE_MS && !sent)
            code = send_event(call, request, arena, (struct str){0}, &missed, &sent, err);
        if (code != CODE_OK)
            return code;
        if (sent)
            last_ms = clock_mono_ms(service->clock);
    }
}

static enum code tail_events(struct rpc_call *call, const void *request, struct error *err)
{
    const struct service *service = rpc_call_context(call);
    const tail_request *in = request;
    if (service_check_kinds(in->kinds, in->n_kinds, err) != CODE_OK)
        return err->code;
    struct tail_listener *listener = tail_join(service->tail);
    struct arena arena;
    arena_init(&arena);
    enum code code = tail_loop(call, in, listener, &arena, err);
    tail_leave(listener);
    arena_clear(&arena);
    return code;
}

#define UNARY(verb, type, function) \
    { \
        .name = (verb), .input = &omnidata__analytics__v1__##type##_request__descriptor, \
        .output = &omnidata__analytics__v1__##type##_response__descriptor, .unary = (function) \
    }

static const struct rpc_method METHODS[] = {
    UNARY("RecordEvents", record_events, record_events),
    UNARY("GetSummary", get_summary, service_get_summary),
    UNARY("QueryTimeSeries", query_time_series, service_query_time_series),
    UNARY("TopSearches", top_searches, service_top_searches),
    UNARY("GetPipelineStatus", get_pipeline_status, service_get_pipeline_status),
    {.name = "TailEvents",
     .input = &omnidata__analytics__v1__tail_events_request__descriptor,
     .output = &omnidata__analytics__v1__tail_events_response__descriptor,
     .stream = tail_events,
     .server_streams = true},
};

/* Events come from the user service; the operator looks. */
const struct rpc_grant SERVICE_GRANTS[] = {
    {"user", "/omnidata.analytics.v1.AnalyticsService/RecordEvents", NULL},
    {"operator", "/", NULL},
};
const size_t SERVICE_GRANT_COUNT = sizeof SERVICE_GRANTS / sizeof *SERVICE_GRANTS;

struct rpc_service service_table(struct service *service)
{
    return (struct rpc_service){"omnidata.analytics.v1.AnalyticsService", METHODS,
                                sizeof METHODS / sizeof *METHODS, service};
}
