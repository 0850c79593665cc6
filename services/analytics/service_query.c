/* Questions: spans of time checked, rows of totals summed. */
#include "analytics/event.h"
#include "analytics/reasons.h"
#include "analytics/service.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum {
    POINTS_MAX = 1500,
    POINTS_USUAL = 60,
    HOURS_MAX = 1000,
    SEARCHES_USUAL = 10,
    SEARCHES_MAX = 100,
    MERGED_TEXTS = 8000,
    KINDS_MAX = 100, /* of a request: they are gone through for every count and event */
};

static const int64_t FIRST_SECOND = -62135596800; /* 0001-01-01 */
static const int64_t LAST_SECOND = 253402300799;  /* 9999-12-31 */

typedef Google__Protobuf__Timestamp timestamp;
typedef Omnidata__Analytics__V1__KindCount kind_count;
typedef Omnidata__Analytics__V1__TimeSeriesPoint point;
typedef Omnidata__Analytics__V1__SearchCount search_count;
typedef Omnidata__Analytics__V1__PipelineHour pipeline_hour;

/* --- spans of time --- */

struct span {
    int64_t start_s, end_s;
};

static int64_t round_down(int64_t time_s, int64_t width_s)
{
    int64_t rest = time_s % width_s;
    return time_s - (rest < 0 ? rest + width_s : rest);
}

static int64_t round_up(int64_t time_s, int64_t width_s)
{
    return round_down(time_s + width_s - 1, width_s);
}

static enum code check_time(const timestamp *time, const char *path, struct error *err)
{
    if (time && (time->seconds < FIRST_SECOND || time->seconds > LAST_SECOND || time->nanos < 0 ||
                 time->nanos > 999999999))
        return error_field(err, path, "must lie in the years 1 to 9999");
    return CODE_OK;
}

/* Whole points of `width_s` that cover what was asked for; `usual_s` long when no start was. */
static enum code read_span(const struct service *service, const timestamp *start,
                           const timestamp *end, int64_t width_s, int64_t usual_s,
                           struct span *span, struct error *err)
{
    if (check_time(start, "start_time", err) != CODE_OK ||
        check_time(end, "end_time", err) != CODE_OK)
        return err->code;
    int64_t end_s =
        end ? end->seconds + (end->nanos > 0) : clock_wall_ms(service->clock) / 1000 + 1;
    span->end_s = round_up(end_s, width_s);
    span->start_s = round_down(start ? start->seconds : span->end_s - usual_s, width_s);
    if (span->start_s < FIRST_SECOND)
        span->start_s = FIRST_SECOND; /* a whole minute, hour and day */
    if (span->start_s >= span->end_s)
        return error_field(err, "start_time", "must be before end_time");
    return CODE_OK;
}

static enum code limit_hours(struct span span, struct error *err)
{
    if ((span.end_s - span.start_s) / ROLLUP_HOUR_S <= HOURS_MAX)
        return CODE_OK;
    return error_set(err, CODE_OUT_OF_RANGE, REASON_TOO_MANY_HOURS,
                     "the span holds more than %d hours", HOURS_MAX);
}

static timestamp *make_time(struct arena *arena, int64_t seconds)
{
    timestamp *time = arena_alloc(arena, sizeof *time);
    google__protobuf__timestamp__init(time);
    time->seconds = seconds;
    return time;
}

/* --- counts by kind --- */

struct kinds {
    struct arena *arena;
    uint64_t events, failures, nothing_found;
    kind_count **items;
    size_t count, room;
};

static kind_count *kind_for(struct kinds *kinds, int32_t kind)
{
    for (size_t i = 0; i < kinds->count; i++)
        if ((int32_t)kinds->items[i]->kind == kind)
            return kinds->items[i];
    if (kinds->count == kinds->room) {
        kind_count **old = kinds->items;
        kinds->room = kinds->room ? kinds->room * 2 : 8;
        kinds->items = arena_alloc(kinds->arena, kinds->room * sizeof *kinds->items);
        if (kinds->count)
            memcpy(kinds->items, old, kinds->count * sizeof *old);
    }
    kind_count *item = arena_alloc(kinds->arena, sizeof *item);
    omnidata__analytics__v1__kind_count__init(item);
    item->kind = (Omnidata__Event__V1__EventKind)kind;
    kinds->items[kinds->count++] = item;
    return item;
}

static void add_to_kinds(struct kinds *kinds, const struct rollup_count *count)
{
    if (count->kind == ROLLUP_KIND_NOTHING_FOUND) {
        kinds->nothing_found += count->count;
        return;
    }
    kind_count *item = kind_for(kinds, count->kind);
    uint64_t failures = count->status == CODE_OK ? 0 : count->count;
    item->count += count->count;
    item->failures += failures;
    kinds->events += count->count;
    kinds->failures += failures;
}

static int by_count(const void *a, const void *b)
{
    const kind_count *x = *(kind_count *const *)a, *y = *(kind_count *const *)b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

static void sort_kinds(struct kinds *kinds)
{
    if (kinds->count)
        qsort(kinds->items, kinds->count, sizeof *kinds->items, by_count);
}

/* --- summary --- */

static void add_summary(void *argument, const struct rollup_count *count)
{
    add_to_kinds(argument, count);
}

/* Hours are kept for ever, minutes are not: where these may have gone, the span is rounded out to
 * whole hours. One hour sooner than need be, so that nothing goes while it is counted. */
static void round_old_edges(const struct service *service, struct span *span)
{
    int64_t kept_s =
        (clock_wall_ms(service->clock) - service->trends_retention_ms) / 1000 + ROLLUP_HOUR_S;
    if (span->start_s >= kept_s)
        return;
    span->start_s = round_down(span->start_s, ROLLUP_HOUR_S);
    if (round_down(span->end_s, ROLLUP_HOUR_S) < kept_s)
        span->end_s = round_up(span->end_s, ROLLUP_HOUR_S);
}

/* Days where whole days lie in the span, hours at their sides, minutes at theirs: few rows however
 * long the span is. */
static enum code sum_span(struct ledger *ledger, struct span span, size_t widest,
                          struct kinds *kinds, struct error *err)
{
    static const int64_t WIDTHS[] = {ROLLUP_MINUTE_S, ROLLUP_HOUR_S, ROLLUP_DAY_S};
    struct span inner = {0, 0};
    if (span.start_s >= span.end_s)
        return CODE_OK;
    if (widest > 0)
        inner = (struct span){round_up(span.start_s, WIDTHS[widest]),
                              round_down(span.end_s, WIDTHS[widest])};
    if (widest > 0 && inner.start_s >= inner.end_s)
        return sum_span(ledger, span, widest - 1, kinds, err);
    if (widest == 0)
        return ledger->vtable->counts(ledger, ROLLUP_MINUTE_S, span.start_s, span.end_s,
                                      add_summary, kinds, err);
    if (sum_span(ledger, (struct span){span.start_s, inner.start_s}, widest - 1, kinds, err) !=
            CODE_OK ||
        ledger->vtable->counts(ledger, WIDTHS[widest], inner.start_s, inner.end_s, add_summary,
                               kinds, err) != CODE_OK)
        return err->code;
    return sum_span(ledger, (struct span){inner.end_s, span.end_s}, widest - 1, kinds, err);
}

enum code service_get_summary(struct rpc_call *call, const void *request, void *response,
                              struct error *err)
{
    const struct service *service = rpc_call_context(call);
    const Omnidata__Analytics__V1__GetSummaryRequest *in = request;
    Omnidata__Analytics__V1__GetSummaryResponse *out = response;
    struct kinds kinds = {.arena = rpc_call_arena(call)};
    struct span span;
    if (read_span(service, in->start_time, in->end_time, ROLLUP_MINUTE_S, ROLLUP_DAY_S, &span,
                  err) != CODE_OK)
        return err->code;
    round_old_edges(service, &span);
    if (sum_span(service->ledger, span, 2, &kinds, err) != CODE_OK)
        return err->code;
    sort_kinds(&kinds);
    out->start_time = make_time(kinds.arena, span.start_s);
    /* Rounded up, the end of the last minute of all would be in a year that no answer can hold. */
    out->end_time = make_time(kinds.arena, span.end_s < LAST_SECOND ? span.end_s : LAST_SECOND);
    out->events = kinds.events;
    out->failures = kinds.failures;
    out->searches_without_result = kinds.nothing_found;
    out->kinds = kinds.items;
    out->n_kinds = kinds.count;
    return CODE_OK;
}

/* --- time series --- */

struct series {
    const Omnidata__Analytics__V1__QueryTimeSeriesRequest *request;
    int64_t start_s, width_s;
    struct kinds *points;
};

static void add_point(void *argument, const struct rollup_count *count)
{
    struct series *series = argument;
    bool wanted = series->request->n_kinds == 0;
    for (size_t i = 0; i < series->request->n_kinds; i++)
        wanted |= (int32_t)series->request->kinds[i] == count->kind;
    if (wanted)
        add_to_kinds(&series->points[(count->time_s - series->start_s) / series->width_s], count);
}

static point *make_point(struct arena *arena, struct kinds *kinds, int64_t time_s)
{
    point *made = arena_alloc(arena, sizeof *made);
    omnidata__analytics__v1__time_series_point__init(made);
    sort_kinds(kinds);
    made->time = make_time(arena, time_s);
    made->events = kinds->events;
    made->failures = kinds->failures;
    made->kinds = kinds->items;
    made->n_kinds = kinds->count;
    return made;
}

enum code service_check_kinds(const Omnidata__Event__V1__EventKind *kinds, size_t count,
                              struct error *err)
{
    if (count > KINDS_MAX)
        return error_field(err, "kinds", "must be at most %d", KINDS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!event_kind_name((int32_t)kinds[i]))
            return error_field(err, "kinds", "%d is no kind of event", (int)kinds[i]);
    return CODE_OK;
}

static enum code read_width(int32_t granularity, int64_t *width_s, struct error *err)
{
    static const int64_t WIDTHS[] = {ROLLUP_MINUTE_S, ROLLUP_MINUTE_S, ROLLUP_HOUR_S, ROLLUP_DAY_S};
    if (granularity < 0 || (size_t)granularity >= sizeof WIDTHS / sizeof *WIDTHS)
        return error_field(err, "granularity", "must be minute, hour or day");
    *width_s = WIDTHS[granularity];
    return CODE_OK;
}

enum code service_query_time_series(struct rpc_call *call, const void *request, void *response,
                                    struct error *err)
{
    const struct service *service = rpc_call_context(call);
    const Omnidata__Analytics__V1__QueryTimeSeriesRequest *in = request;
    Omnidata__Analytics__V1__QueryTimeSeriesResponse *out = response;
    struct arena *arena = rpc_call_arena(call);
    struct series series = {.request = in};
    struct span span;
    if (service_check_kinds(in->kinds, in->n_kinds, err) != CODE_OK ||
        read_width((int32_t)in->granularity, &series.width_s, err) != CODE_OK ||
        read_span(service, in->start_time, in->end_time, series.width_s,
                  POINTS_USUAL * series.width_s, &span, err) != CODE_OK)
        return err->code;
    int64_t count = (span.end_s - span.start_s) / series.width_s;
    if (count > POINTS_MAX)
        return error_set(err, CODE_OUT_OF_RANGE, REASON_TOO_MANY_POINTS,
                         "the span holds %lld points, at most %d are answered", (long long)count,
                         POINTS_MAX);
    series.start_s = span.start_s;
    series.points = arena_alloc0(arena, (size_t)count * sizeof *series.points);
    for (int64_t i = 0; i < count; i++)
        series.points[i].arena = arena;
    struct ledger *ledger = service->ledger;
    if (ledger->vtable->counts(ledger, series.width_s, span.start_s, span.end_s, add_point, &series,
                               err) != CODE_OK)
        return err->code;
    out->n_points = (size_t)count;
    out->points = arena_alloc(arena, (size_t)count * sizeof *out->points);
    for (int64_t i = 0; i < count; i++)
        out->points[i] = make_point(arena, &series.points[i], span.start_s + i * series.width_s);
    return CODE_OK;
}

/* --- searches --- */

static search_count *make_search(struct arena *arena, const struct sketch_item *item)
{
    search_count *made = arena_alloc(arena, sizeof *made);
    omnidata__analytics__v1__search_count__init(made);
    made->query = arena_cstr(arena, item->text);
    made->count = item->count;
    made->max_error = item->error;
    return made;
}

/* The bound holds for every text that is not in the answer, those that were left out too. */
static void list_searches(const struct service *service, struct arena *arena,
                          const struct sketch *sketch, size_t limit,
                          Omnidata__Analytics__V1__TopSearchesResponse *out)
{
    struct sketch_item *all = xcalloc(2 * MERGED_TEXTS + 1, sizeof *all);
    size_t count = sketch_top(sketch, 0, all, 2 * MERGED_TEXTS);
    out->searches = arena_alloc(arena, limit * sizeof *out->searches);
    out->max_error = sketch_absent(sketch);
    for (size_t i = 0; i < count; i++) {
        if (out->n_searches < limit && all[i].caller_count >= service->callers_min)
            out->searches[out->n_searches++] = make_search(arena, &all[i]);
        else if (all[i].count > out->max_error)
            out->max_error = all[i].count;
    }
    out->total = sketch_total(sketch);
    xfree(all);
}

enum code service_top_searches(struct rpc_call *call, const void *request, void *response,
                               struct error *err)
{
    const struct service *service = rpc_call_context(call);
    const Omnidata__Analytics__V1__TopSearchesRequest *in = request;
    struct ledger *ledger = service->ledger;
    struct span span;
    if (in->limit < 0)
        return error_field(err, "limit", "must not be negative");
    if (read_span(service, in->start_time, in->end_time, ROLLUP_HOUR_S, ROLLUP_DAY_S, &span, err) !=
            CODE_OK ||
        limit_hours(span, err) != CODE_OK)
        return err->code;
    size_t limit = in->limit == 0 ? SEARCHES_USUAL : (size_t)in->limit;
    struct sketch *sketch = sketch_new(MERGED_TEXTS);
    enum code code = ledger->vtable->texts(
        ledger, in->without_result ? ROLLUP_NOTHING_FOUND : ROLLUP_ALL_SEARCHES, span.start_s,
        span.end_s, sketch, err);
    if (code == CODE_OK)
        list_searches(service, rpc_call_arena(call), sketch,
                      limit < SEARCHES_MAX ? limit : SEARCHES_MAX, response);
    sketch_free(sketch);
    return code;
}

/* --- pipeline --- */

struct hour_list {
    struct arena *arena;
    pipeline_hour *items[HOURS_MAX + 1];
    size_t count;
};

static void add_hour(void *argument, const struct ledger_pipeline_hour *hour)
{
    struct hour_list *list = argument;
    if (list->count > HOURS_MAX)
        return;
    pipeline_hour *made = arena_alloc(list->arena, sizeof *made);
    omnidata__analytics__v1__pipeline_hour__init(made);
    made->hour = make_time(list->arena, hour->hour_s);
    made->archived = hour->archived;
    made->quarantined = hour->quarantined;
    list->items[list->count++] = made;
}

enum code service_get_pipeline_status(struct rpc_call *call, const void *request, void *response,
                                      struct error *err)
{
    const struct service *service = rpc_call_context(call);
    const Omnidata__Analytics__V1__GetPipelineStatusRequest *in = request;
    Omnidata__Analytics__V1__GetPipelineStatusResponse *out = response;
    struct arena *arena = rpc_call_arena(call);
    struct hour_list *list = arena_alloc0(arena, sizeof *list);
    struct ledger *ledger = service->ledger;
    struct ledger_status status;
    struct queue_stats stats;
    struct span span;
    list->arena = arena;
    if (read_span(service, in->start_time, in->end_time, ROLLUP_HOUR_S, ROLLUP_DAY_S, &span, err) !=
            CODE_OK ||
        limit_hours(span, err) != CODE_OK ||
        service->queue->vtable->stats(service->queue, &stats, err) != CODE_OK ||
        ledger->vtable->status(ledger, &status, err) != CODE_OK ||
        ledger->vtable->hours(ledger, span.start_s, span.end_s, add_hour, list, err) != CODE_OK)
        return err->code;
    uint64_t done = status.archived + status.quarantined;
    int64_t age_ms = stats.oldest_ms ? clock_wall_ms(service->clock) - stats.oldest_ms : 0;
    out->queued_batches = stats.messages;
    out->queued_events = stats.units;
    out->oldest_queued_ms = age_ms > 0 ? (uint64_t)age_ms : 0;
    out->open_events = status.claimed > done ? status.claimed - done : 0;
    out->archived_events = status.archived;
    out->quarantined_events = status.quarantined;
    out->duplicate_batches = status.duplicates;
    out->archived_objects = status.objects;
    out->hours = list->items;
    out->n_hours = list->count;
    return CODE_OK;
}
