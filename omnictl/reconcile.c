/*
 * omnictl reconcile: the books of both sides, hour by hour. What the user service emitted must be
 * what the archive holds and what was put into quarantine; nothing more, nothing less.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_out.h"
#include "base/time_text.h"
#include "omnictl/api.h"
#include "omnictl/command.h"
#include "omnictl/progress.h"
#include "omnictl/reconcile_hours.h"

#include "omnidata/analytics/v1/analytics.pb-c.h"
#include "omnidata/event/v1/source.pb-c.h"

#include <poll.h>
#include <stdio.h>

enum { POLL_MS = 500, TEXT_BYTES_MAX = 64 * 1024 * 1024, DAY_S = 24 * 3600, HOUR_S = 3600 };

struct settings {
    const char *from, *to;
    int64_t wait_ms, patience_ms;
    bool json;
};

struct reconcile {
    const struct command_call *call;
    const struct settings *settings;
    struct rpc_client *users, *analytics;
    int64_t from_s, to_s; /* to_s 0: now */
    struct arena arena;
    struct hour_list hours;
    uint64_t pending; /* at the source, of all hours */
    uint64_t queued;
};

/* RFC 3339, or a duration: so long ago. */
static bool parse_time(const char *text, int64_t *seconds)
{
    int64_t ago_ms;
    int32_t nanos;
    if (config_parse_duration(str_of(text), &ago_ms)) {
        *seconds = clock_wall_ms(clock_real()) / 1000 - ago_ms / 1000;
        return true;
    }
    return time_parse_rfc3339(str_of(text), seconds, &nanos);
}

static Google__Protobuf__Timestamp timestamp_of(int64_t seconds)
{
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = seconds;
    return time;
}

static int ask_analytics(struct reconcile *reconcile, Google__Protobuf__Timestamp *from,
                         Google__Protobuf__Timestamp *to)
{
    Omnidata__Analytics__V1__GetPipelineStatusRequest request =
        OMNIDATA__ANALYTICS__V1__GET_PIPELINE_STATUS_REQUEST__INIT;
    struct error err;
    void *response;
    request.start_time = from;
    request.end_time = to;
    if (api_call(reconcile->analytics, API_GET_PIPELINE, &request.base,
                 &omnidata__analytics__v1__get_pipeline_status_response__descriptor,
                 &reconcile->arena, &response, reconcile->settings->patience_ms, &err) != CODE_OK)
        return api_complain("reconcile", "analytics", reconcile->call->globals->analytics, &err);
    const Omnidata__Analytics__V1__GetPipelineStatusResponse *status = response;
    reconcile->queued = status->queued_events; /* those being worked on included */
    for (size_t i = 0; i < status->n_hours; i++) {
        const Omnidata__Analytics__V1__PipelineHour *hour = status->hours[i];
        struct hour_books *books =
            hour_list_at(&reconcile->hours, hour->hour ? hour->hour->seconds : 0);
        books->archived += hour->archived;
        books->quarantined += hour->quarantined;
    }
    return COMMAND_OK;
}

static int ask_users(struct reconcile *reconcile, Google__Protobuf__Timestamp *from,
                     Google__Protobuf__Timestamp *to)
{
    Omnidata__Event__V1__GetEmittedRequest request = OMNIDATA__EVENT__V1__GET_EMITTED_REQUEST__INIT;
    struct error err;
    void *response;
    request.start_time = from;
    request.end_time = to;
    if (api_call(reconcile->users, API_GET_EMITTED, &request.base,
                 &omnidata__event__v1__get_emitted_response__descriptor, &reconcile->arena,
                 &response, reconcile->settings->patience_ms, &err) != CODE_OK)
        return api_complain("reconcile", "user", reconcile->call->globals->users, &err);
    const Omnidata__Event__V1__GetEmittedResponse *emitted = response;
    reconcile->pending = emitted->pending;
    for (size_t i = 0; i < emitted->n_hours; i++) {
        const Omnidata__Event__V1__EmittedHour *hour = emitted->hours[i];
        struct hour_books *books =
            hour_list_at(&reconcile->hours, hour->hour ? hour->hour->seconds : 0);
        books->emitted += hour->emitted;
        books->pending += hour->pending;
    }
    return COMMAND_OK;
}

/*
 * The archive is asked first: what is archived in between can only be missing in its answer, and
 * the next look finds it.
 */
static int ask_both(struct reconcile *reconcile)
{
    int64_t now_s = clock_wall_ms(clock_real()) / 1000;
    Google__Protobuf__Timestamp from = timestamp_of(reconcile->from_s);
    Google__Protobuf__Timestamp to =
        timestamp_of(reconcile->to_s ? reconcile->to_s : now_s - now_s % HOUR_S + HOUR_S);
    hour_list_clear(&reconcile->hours);
    arena_reset(&reconcile->arena);
    int result = ask_analytics(reconcile, &from, &to);
    return result == COMMAND_OK ? ask_users(reconcile, &from, &to) : result;
}

/* Events that no hour counts yet are of the hour that goes on. */
static bool is_equal(const struct reconcile *reconcile)
{
    return hour_list_equal(&reconcile->hours) && (reconcile->to_s || !reconcile->pending);
}

static void print_json(struct reconcile *reconcile, struct buf *out)
{
    struct json_out json = json_out_to(out);
    struct hour_books total = hour_list_total(&reconcile->hours);
    json_object_begin(&json);
    json_key(&json, STR("equal"));
    json_bool(&json, is_equal(reconcile));
    json_key(&json, STR("total"));
    hour_books_json(&json, &total, false);
    json_key(&json, STR("pendingAtSource"));
    json_u64(&json, reconcile->pending);
    json_key(&json, STR("underWay"));
    json_u64(&json, reconcile->queued);
    json_key(&json, STR("hours"));
    json_array_begin(&json);
    for (size_t i = 0; i < reconcile->hours.count; i++)
        hour_books_json(&json, &reconcile->hours.hours[i], true);
    json_array_end(&json);
    json_object_end(&json);
    buf_add_char(out, '\n');
}

static void print_table(struct reconcile *reconcile, struct buf *out)
{
    hour_list_table(&reconcile->hours, out);
    if (is_equal(reconcile)) {
        buf_add_cstr(out, "equal: every event is archived or quarantined\n");
        return;
    }
    buf_addf(out,
             "NOT EQUAL: %llu wait at the user service, %llu are under way in the analytics "
             "service\n",
             (unsigned long long)reconcile->pending, (unsigned long long)reconcile->queued);
}

/* Looks until both sides are equal or the time is over. COMMAND_FAILED: they answered and are not
 * equal; what a service refuses is a question asked wrongly. */
static int look(struct reconcile *reconcile, const volatile sig_atomic_t *signals)
{
    int64_t end_ms = clock_mono_ms(clock_real()) + reconcile->settings->wait_ms;
    for (;;) {
        int result = ask_both(reconcile);
        if (*signals)
            return COMMAND_INTERRUPTED;
        if (result != COMMAND_OK)
            return result == COMMAND_FAILED ? COMMAND_USAGE : result;
        if (is_equal(reconcile))
            return COMMAND_OK;
        if (clock_mono_ms(clock_real()) + POLL_MS > end_ms)
            return COMMAND_FAILED;
        poll(NULL, 0, POLL_MS);
    }
}

static int run(const struct command_call *call)
{
    const struct settings *settings = call->settings;
    struct reconcile reconcile = {.call = call, .settings = settings};
    struct buf out;
    int64_t from_s = 0;
    if (!parse_time(settings->from, &from_s))
        return command_refuse(&COMMAND_RECONCILE, "--from: \"%s\" is no time", settings->from);
    if (settings->to[0] && !parse_time(settings->to, &reconcile.to_s))
        return command_refuse(&COMMAND_RECONCILE, "--to: \"%s\" is no time", settings->to);
    reconcile.from_s = from_s - ((from_s % HOUR_S) + HOUR_S) % HOUR_S; /* whole hours only */
    if (reconcile.to_s && reconcile.to_s <= reconcile.from_s)
        return command_refuse(&COMMAND_RECONCILE, "--to must be later than --from");
    const volatile sig_atomic_t *signals = api_catch_signals();
    reconcile.users = api_connect_users(call->globals);
    reconcile.analytics = api_connect_analytics(call->globals);
    int result = look(&reconcile, signals);
    if (result == COMMAND_OK || result == COMMAND_FAILED) {
        buf_init(&out, TEXT_BYTES_MAX);
        if (settings->json)
            print_json(&reconcile, &out);
        else
            print_table(&reconcile, &out);
        fputs(buf_cstr(&out), stdout);
        buf_clear(&out);
    }
    rpc_client_free(reconcile.users);
    rpc_client_free(reconcile.analytics);
    hour_list_clear(&reconcile.hours);
    arena_clear(&reconcile.arena);
    return result;
}

static const struct config_item ITEMS[] = {
    {.name = "from",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, from),
     .default_text = "24h",
     .help = "first hour: a time (RFC 3339), or so long ago"},
    {.name = "to",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, to),
     .default_text = "",
     .help = "before this time, likewise; none: up to now"},
    {.name = "wait",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, wait_ms),
     .default_text = "0s",
     .low = "0s",
     .help = "look again until both are equal, so long"},
    {.name = "retry-for",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, patience_ms),
     .default_text = "5s",
     .low = "0s",
     .help = "how long a service may not answer"},
    {.name = "json",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, json),
     .default_text = "false",
     .help = "for programs"},
};

const struct command COMMAND_RECONCILE = {
    .name = "reconcile",
    .arguments = "",
    .summary = "per hour: are all emitted events archived or quarantined?",
    .detail = "Hours in which the two sides differ are marked with !. Events of the last minutes\n"
              "are usually still on their way: --wait.\n"
              "Exit code: 0 equal, 1 not equal, 2 wrong usage, 3 a service cannot be reached.\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 0,
    .arguments_max = 0,
    .calls = true,
    .run = run,
};
