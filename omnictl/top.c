/*
 * omnictl top: the pipeline, live.
 *
 * All questions of a round are asked at once and answered into a table; when the last answer is
 * there the picture is made. So a service that hangs delays the picture by the calls' deadline and
 * never the keyboard.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "omnictl/api.h"
#include "omnictl/command.h"
#include "omnictl/pipeline_view.h"
#include "omnictl/terminal.h"
#include "pb/proto.h"

#include "omnidata/analytics/v1/analytics.pb-c.h"
#include "omnidata/event/v1/source.pb-c.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 2000,
    TURN_MS = 50,
    ANSWER_BYTES_MAX = 16 * 1024 * 1024,
    SCREEN_BYTES_MAX = 256 * 1024,
    PLAIN_COLUMNS = 100,
    HOUR_S = 3600,
};

enum question { ASK_EMITTED, ASK_PIPELINE, ASK_SUMMARY, ASK_SERIES, ASK_SEARCHES, ASK_COUNT };

struct settings {
    int64_t interval_ms;
    bool once, json;
};

struct top;

struct answer {
    struct top *top;
    struct error err;
    struct buf bytes;
};

struct top {
    const struct command_call *call;
    struct rpc_client *users, *analytics;
    pthread_mutex_t lock; /* guards `missing` and, while it is above 0, the answers */
    size_t missing;
    struct answer answers[ASK_COUNT];
    struct pipeline_view view;
    int64_t viewed_ms; /* when the view was made; 0: not yet */
};

static void take_answer(void *argument, const struct rpc_result *result)
{
    struct answer *answer = argument;
    pthread_mutex_lock(&answer->top->lock);
    error_clear(&answer->err);
    buf_reset(&answer->bytes);
    if (result->code == CODE_OK)
        buf_add(&answer->bytes, result->response);
    else
        rpc_result_error(result, &answer->err);
    answer->top->missing--;
    pthread_mutex_unlock(&answer->top->lock);
}

static void ask(struct top *top, enum question question, struct str method,
                const ProtobufCMessage *request)
{
    const struct rpc_call_options options = {.method = method, .deadline_ms = DEADLINE_MS};
    struct arena arena = {0};
    rpc_client_start(question == ASK_EMITTED ? top->users : top->analytics, &options,
                     proto_encode_arena(&arena, request), take_answer, &top->answers[question],
                     NULL);
    arena_clear(&arena);
}

static void ask_all(struct top *top)
{
    Google__Protobuf__Timestamp hour_ago = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Omnidata__Event__V1__GetEmittedRequest emitted = OMNIDATA__EVENT__V1__GET_EMITTED_REQUEST__INIT;
    Omnidata__Analytics__V1__GetPipelineStatusRequest pipeline =
        OMNIDATA__ANALYTICS__V1__GET_PIPELINE_STATUS_REQUEST__INIT;
    Omnidata__Analytics__V1__GetSummaryRequest summary =
        OMNIDATA__ANALYTICS__V1__GET_SUMMARY_REQUEST__INIT;
    Omnidata__Analytics__V1__QueryTimeSeriesRequest series =
        OMNIDATA__ANALYTICS__V1__QUERY_TIME_SERIES_REQUEST__INIT;
    Omnidata__Analytics__V1__TopSearchesRequest searches =
        OMNIDATA__ANALYTICS__V1__TOP_SEARCHES_REQUEST__INIT;
    hour_ago.seconds = clock_wall_ms(clock_real()) / 1000 - HOUR_S;
    emitted.start_time = &hour_ago;
    pipeline.start_time = &hour_ago;
    series.granularity = OMNIDATA__ANALYTICS__V1__GRANULARITY__GRANULARITY_MINUTE;
    searches.limit = VIEW_SEARCHES_MAX;
    pthread_mutex_lock(&top->lock);
    top->missing = ASK_COUNT;
    pthread_mutex_unlock(&top->lock);
    ask(top, ASK_EMITTED, API_GET_EMITTED, &emitted.base);
    ask(top, ASK_PIPELINE, API_GET_PIPELINE, &pipeline.base);
    ask(top, ASK_SUMMARY, API_GET_SUMMARY, &summary.base);
    ask(top, ASK_SERIES, API_GET_SERIES, &series.base);
    ask(top, ASK_SEARCHES, API_TOP_SEARCHES, &searches.base);
}

static bool all_answered(struct top *top)
{
    pthread_mutex_lock(&top->lock);
    bool all = top->missing == 0;
    pthread_mutex_unlock(&top->lock);
    return all;
}

/* The answer as a message, or NULL; the service is down if it is an error. */
static void *decode(struct top *top, enum question question, struct view_service *service,
                    const ProtobufCMessageDescriptor *type, struct arena *arena)
{
    struct answer *answer = &top->answers[question];
    void *message =
        answer->err.code == CODE_OK ? proto_decode(arena, type, buf_str(&answer->bytes)) : NULL;
    if (answer->err.code == CODE_OK && !message)
        error_set(&answer->err, CODE_INTERNAL, NULL, "the answer is no %s", type->short_name);
    service->asked = true;
    if (answer->err.code != CODE_OK && service->err.code == CODE_OK)
        service->err = answer->err;
    return message;
}

static struct view_kind *kind_of(struct pipeline_view *view,
                                 const Omnidata__Analytics__V1__KindCount *count)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
        &omnidata__event__v1__event_kind__descriptor, (int)count->kind);
    struct view_kind named = {0};
    struct str prefix = STR("EVENT_KIND_");
    snprintf(named.name, sizeof named.name, "%s", value ? value->name + prefix.len : "OTHER");
    for (size_t i = 0; i < view->kind_count; i++)
        if (strcmp(view->kinds[i].name, named.name) == 0)
            return &view->kinds[i];
    if (view->kind_count == VIEW_KINDS_MAX)
        return &view->kinds[VIEW_KINDS_MAX - 1];
    view->kinds[view->kind_count] = named;
    return &view->kinds[view->kind_count++];
}

static void take_pipeline(struct pipeline_view *view,
                          const Omnidata__Analytics__V1__GetPipelineStatusResponse *status,
                          const struct pipeline_view *before, int64_t elapsed_ms)
{
    view->queued_batches = status->queued_batches;
    view->queued_events = status->queued_events;
    view->queued_oldest_ms = status->oldest_queued_ms;
    view->open_events = status->open_events;
    view->archived_events = status->archived_events;
    view->archived_objects = status->archived_objects;
    view->quarantined_events = status->quarantined_events;
    view->duplicate_batches = status->duplicate_batches;
    if (elapsed_ms > 0 && before->archived_events &&
        status->archived_events >= before->archived_events)
        view->archived_per_s =
            (double)(status->archived_events - before->archived_events) * 1000 / (double)elapsed_ms;
}

static void take_series(struct pipeline_view *view,
                        const Omnidata__Analytics__V1__QueryTimeSeriesResponse *series)
{
    size_t first = series->n_points > VIEW_POINTS_MAX ? series->n_points - VIEW_POINTS_MAX : 0;
    for (size_t i = first; i < series->n_points; i++)
        view->points[view->point_count++] = series->points[i]->events;
    if (series->n_points < 2)
        return;
    const Omnidata__Analytics__V1__TimeSeriesPoint *last = series->points[series->n_points - 2];
    for (size_t i = 0; i < last->n_kinds; i++)
        kind_of(view, last->kinds[i])->last_minute += last->kinds[i]->count;
}

static void take_searches(struct pipeline_view *view,
                          const Omnidata__Analytics__V1__TopSearchesResponse *found)
{
    for (size_t i = 0; i < found->n_searches && i < VIEW_SEARCHES_MAX; i++) {
        struct view_search *search = &view->searches[view->search_count++];
        struct str query = str_utf8_cut(str_of(found->searches[i]->query), VIEW_TEXT_BYTES - 1);
        memcpy(search->query, query.ptr, query.len);
        search->count = found->searches[i]->count;
        search->max_error = found->searches[i]->max_error;
    }
}

/* The answers of a round become the next picture. */
static void make_view(struct top *top)
{
    struct arena arena = {0};
    int64_t now_ms = clock_mono_ms(clock_real());
    const struct pipeline_view before = top->view;
    struct pipeline_view *view = &top->view;
    const struct command_globals *globals = top->call->globals;
    *view =
        (struct pipeline_view){.now_s = clock_wall_ms(clock_real()) / 1000,
                               .users = {.name = "users", .address = globals->users},
                               .analytics = {.name = "analytics", .address = globals->analytics}};
    const Omnidata__Event__V1__GetEmittedResponse *emitted =
        decode(top, ASK_EMITTED, &view->users,
               &omnidata__event__v1__get_emitted_response__descriptor, &arena);
    const void *pipeline =
        decode(top, ASK_PIPELINE, &view->analytics,
               &omnidata__analytics__v1__get_pipeline_status_response__descriptor, &arena);
    const Omnidata__Analytics__V1__GetSummaryResponse *summary =
        decode(top, ASK_SUMMARY, &view->analytics,
               &omnidata__analytics__v1__get_summary_response__descriptor, &arena);
    const void *series =
        decode(top, ASK_SERIES, &view->analytics,
               &omnidata__analytics__v1__query_time_series_response__descriptor, &arena);
    const void *searches =
        decode(top, ASK_SEARCHES, &view->analytics,
               &omnidata__analytics__v1__top_searches_response__descriptor, &arena);
    if (emitted) {
        view->outbox_pending = emitted->pending;
        view->outbox_oldest_ms = emitted->oldest_pending_ms;
        view->dropped_reads = emitted->dropped_reads;
    }
    if (pipeline)
        take_pipeline(view, pipeline, &before, top->viewed_ms ? now_ms - top->viewed_ms : 0);
    for (size_t i = 0; summary && i < summary->n_kinds; i++) {
        struct view_kind *kind = kind_of(view, summary->kinds[i]);
        kind->day += summary->kinds[i]->count;
        kind->failures += summary->kinds[i]->failures;
    }
    if (series)
        take_series(view, series);
    if (searches)
        take_searches(view, searches);
    top->viewed_ms = now_ms;
    arena_clear(&arena);
}

static void show(struct top *top, bool drawn)
{
    const struct settings *settings = top->call->settings;
    struct buf out;
    size_t columns = PLAIN_COLUMNS, rows;
    buf_init(&out, SCREEN_BYTES_MAX);
    if (drawn)
        terminal_size(&columns, &rows);
    if (settings->json)
        pipeline_view_json(&out, &top->view);
    else
        pipeline_view_text(&out, &top->view, columns, drawn);
    if (drawn) {
        terminal_draw(buf_str(&out));
    } else {
        fwrite(out.ptr, 1, out.len, stdout);
        fflush(stdout);
    }
    buf_clear(&out);
}

static bool both_down(const struct pipeline_view *view)
{
    return view->users.err.code != CODE_OK && view->analytics.err.code != CODE_OK;
}

/* Rounds, one an interval, until it is enough. */
static int watch(struct top *top, bool drawn, const volatile sig_atomic_t *signals)
{
    const struct settings *settings = top->call->settings;
    size_t columns = 0, rows = 0, old_columns = 0, old_rows = 0;
    int64_t next_ms = clock_mono_ms(clock_real());
    bool asking = false;
    while (!*signals) {
        int64_t now = clock_mono_ms(clock_real());
        int key = terminal_key();
        if (key == 'q' || key == 'Q' || ferror(stdout))
            return COMMAND_OK;
        if (!asking && now >= next_ms) {
            next_ms = now + settings->interval_ms;
            ask_all(top);
            asking = true;
        }
        bool fresh = asking && all_answered(top);
        if (fresh) {
            asking = false;
            make_view(top);
        }
        if (drawn)
            terminal_size(&columns, &rows);
        bool resized = columns != old_columns || rows != old_rows;
        old_columns = columns;
        old_rows = rows;
        if (fresh || (resized && top->viewed_ms))
            show(top, drawn);
        if (fresh && settings->once)
            return both_down(&top->view) ? COMMAND_UNREACHABLE : COMMAND_OK;
        struct pollfd keyboard = {.fd = drawn ? STDIN_FILENO : -1, .events = POLLIN};
        poll(&keyboard, 1, TURN_MS);
    }
    return drawn ? COMMAND_OK : COMMAND_INTERRUPTED;
}

static int run(const struct command_call *call)
{
    const struct settings *settings = call->settings;
    struct top *top = xcalloc(1, sizeof *top);
    const volatile sig_atomic_t *signals = api_catch_signals();
    signal(SIGPIPE, SIG_IGN);
    top->call = call;
    pthread_mutex_init(&top->lock, NULL);
    for (size_t i = 0; i < ASK_COUNT; i++) {
        top->answers[i].top = top;
        buf_init(&top->answers[i].bytes, ANSWER_BYTES_MAX);
    }
    top->users = api_connect_users(call->globals);
    top->analytics = api_connect_analytics(call->globals);
    bool drawn = !settings->once && !settings->json && terminal_open();
    int result = watch(top, drawn, signals);
    terminal_close();
    rpc_client_free(top->users); /* what is under way ends now, before its memory does */
    rpc_client_free(top->analytics);
    for (size_t i = 0; i < ASK_COUNT; i++)
        buf_clear(&top->answers[i].bytes);
    pthread_mutex_destroy(&top->lock);
    xfree(top);
    return result;
}

static const struct config_item ITEMS[] = {
    {.name = "interval",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, interval_ms),
     .default_text = "1s",
     .low = "100ms",
     .high = "1h",
     .help = "how often to look"},
    {.name = "once",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, once),
     .default_text = "false",
     .help = "look once and print it"},
    {.name = "json",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, json),
     .default_text = "false",
     .help = "a line of JSON each time"},
};

const struct command COMMAND_TOP = {
    .name = "top",
    .arguments = "",
    .summary = "shows the pipeline live: rates, what waits, what is archived",
    .detail =
        "On a terminal the picture is redrawn in place; q or Ctrl-C ends it. Elsewhere it is\n"
        "printed again and again.\n"
        "Exit code of --once: 0, or 3 when neither service answers.\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 0,
    .arguments_max = 0,
    .calls = true,
    .run = run,
};
