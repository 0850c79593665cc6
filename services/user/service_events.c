/* EventSourceService: how many events were made, how many still wait here, and by whom they were.
 */
#include "user/service_internal.h"

#include "user/event.h"
#include "user/pseudonyms.h"

enum { DAY_S = 24 * 3600 };

static Google__Protobuf__Timestamp *timestamp(int64_t seconds, struct arena *arena)
{
    Google__Protobuf__Timestamp *time = arena_alloc(arena, sizeof *time);
    google__protobuf__timestamp__init(time);
    time->seconds = seconds;
    return time;
}

static void fill_hours(Omnidata__Event__V1__GetEmittedResponse *response,
                       const struct store_hour *hours, size_t count, struct arena *arena)
{
    Omnidata__Event__V1__EmittedHour *messages = arena_alloc(arena, (count + 1) * sizeof *messages);
    response->hours = arena_alloc(arena, (count + 1) * sizeof *response->hours);
    response->n_hours = count;
    for (size_t i = 0; i < count; i++) {
        omnidata__event__v1__emitted_hour__init(&messages[i]);
        messages[i].hour = timestamp(hours[i].hour, arena);
        messages[i].emitted = hours[i].emitted;
        messages[i].pending = hours[i].pending;
        response->hours[i] = &messages[i];
    }
}

enum code service_get_emitted(struct rpc_call *call, const void *message, void *answer,
                              struct error *err)
{
    const Omnidata__Event__V1__GetEmittedRequest *request = message;
    Omnidata__Event__V1__GetEmittedResponse *response = answer;
    struct service *service = rpc_call_context(call);
    struct arena *arena = rpc_call_arena(call);
    int64_t now_ms = clock_wall_ms(service->clock);
    int64_t end = request->end_time ? request->end_time->seconds : now_ms / 1000 + 1;
    int64_t start = request->start_time ? request->start_time->seconds : now_ms / 1000 - DAY_S;
    struct store_outbox_stats stats;
    struct store_hour *hours;
    size_t count, waiting = emitter_waiting(service->emitter); /* before it comes into the books */
    if (start < 0)
        return error_field(err, "start_time", "lies before 1970");
    if (end <= start)
        return error_field(err, "end_time", "is not after start_time");
    if (service->store->vtable->outbox_hours(service->store, event_hour_of(start), end, arena,
                                             &hours, &count, err) != CODE_OK)
        return err->code;
    service->store->vtable->outbox_stats(service->store, &stats);
    fill_hours(response, hours, count, arena);
    response->pending = stats.events + waiting;
    if (stats.oldest_ms && stats.oldest_ms < now_ms)
        response->oldest_pending_ms = (uint64_t)(now_ms - stats.oldest_ms);
    response->dropped_reads = emitter_dropped(service->emitter);
    return CODE_OK;
}

enum code service_forget_actor(struct rpc_call *call, const void *message, void *answer,
                               struct error *err)
{
    const Omnidata__Event__V1__ForgetActorRequest *request = message;
    struct service *service = rpc_call_context(call);
    struct store_call store_call = service_store_call(call);
    (void)answer;
    if (!*request->issuer)
        error_field(err, "issuer", "is required");
    if (!*request->subject)
        error_field(err, "subject", "is required");
    if (err->code != CODE_OK)
        return err->code;
    struct store_actor actor = pseudonyms_actor(str_of(request->issuer), str_of(request->subject));
    return emitter_forget_actor(service->emitter, &store_call, &actor, err);
}
