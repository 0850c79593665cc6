/* omnictl plans: how much keys may do. */
#include "omnictl/access_api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    const char *rate, *burst, *quota, *per;
    bool json;
};

static const struct access_verb VERBS[] = {
    {"put", 1, "put PLAN --rate=N --burst=N [--quota=N --per=day|week|month]",
     " rate burst quota per json "},
    {"list", 0, "list", " json "},
};

static bool refuse_number(const char *option, const char *text, const char *what)
{
    command_refuse(&COMMAND_PLANS, "--%s: \"%s\" is not a %s above 0", option, text, what);
    return false;
}

static bool read_count(const char *option, const char *text, uint64_t *value)
{
    if (str_to_u64(str_of(text), value) && *value)
        return true;
    return refuse_number(option, text, "whole number");
}

static bool read_rate(const char *text, double *value)
{
    char *end = NULL;
    if (*text >= '0' && *text <= '9') /* no sign, no nan, no inf */
        *value = strtod(text, &end);
    if (end && !*end && isfinite(*value) && *value > 0)
        return true;
    return refuse_number("rate", text, "number");
}

static bool read_plan(const struct command_call *call, Omnidata__Access__V1__Plan *plan)
{
    const struct settings *settings = call->settings;
    uint64_t burst;
    if (!*settings->rate || !*settings->burst) {
        command_refuse(&COMMAND_PLANS, "a plan needs --rate and --burst");
        return false;
    }
    if (!*settings->quota != (strcmp(settings->per, "none") == 0)) {
        command_refuse(&COMMAND_PLANS, "--quota and --per go together");
        return false;
    }
    if (!read_rate(settings->rate, &plan->rate) || !read_count("burst", settings->burst, &burst) ||
        (*settings->quota && !read_count("quota", settings->quota, &plan->quota)))
        return false;
    plan->id = (char *)(uintptr_t)call->arguments[1];
    plan->burst = burst < UINT32_MAX ? (uint32_t)burst : UINT32_MAX; /* too much either way */
    if (strcmp(settings->per, "day") == 0)
        plan->quota_period = OMNIDATA__ACCESS__V1__QUOTA_PERIOD__QUOTA_PERIOD_DAY;
    else if (strcmp(settings->per, "week") == 0)
        plan->quota_period = OMNIDATA__ACCESS__V1__QUOTA_PERIOD__QUOTA_PERIOD_WEEK;
    else if (strcmp(settings->per, "month") == 0)
        plan->quota_period = OMNIDATA__ACCESS__V1__QUOTA_PERIOD__QUOTA_PERIOD_MONTH;
    return true;
}

static void print_plan(const Omnidata__Access__V1__Plan *plan)
{
    printf("  %-32s %10.10g %10u", plan->id, plan->rate, plan->burst);
    if (plan->quota)
        printf(" %18llu a %s\n", (unsigned long long)plan->quota,
               access_period(plan->quota_period));
    else
        puts("                  -");
}

static void print_plans(Omnidata__Access__V1__Plan *const *plans, size_t count, bool list,
                        const struct settings *settings)
{
    struct buf out;
    struct json_out json = json_out_to(&out);
    if (!settings->json) {
        printf("  %-32s %10s %10s %18s\n", "plan", "rate (/s)", "burst", "quota");
        for (size_t i = 0; i < count; i++)
            print_plan(plans[i]);
        return;
    }
    buf_init(&out, ACCESS_TEXT_BYTES_MAX);
    if (list)
        json_array_begin(&json);
    for (size_t i = 0; i < count; i++)
        access_plan_json(&json, plans[i]);
    if (list)
        json_array_end(&json);
    puts(buf_cstr(&out));
    buf_clear(&out);
}

static int put(const struct command_call *call, struct arena *arena)
{
    Omnidata__Access__V1__Plan plan = OMNIDATA__ACCESS__V1__PLAN__INIT, *made;
    Omnidata__Access__V1__PutPlanRequest request = OMNIDATA__ACCESS__V1__PUT_PLAN_REQUEST__INIT;
    void *response;
    if (!read_plan(call, &plan))
        return COMMAND_USAGE;
    request.plan = &plan;
    int result = access_call(&COMMAND_PLANS, call, "PutPlan", &request.base,
                             &omnidata__access__v1__plan__descriptor, arena, &response);
    if (result != COMMAND_OK)
        return result;
    made = response;
    print_plans(&made, 1, false, call->settings);
    return COMMAND_OK;
}

static int list(const struct command_call *call, struct arena *arena)
{
    Omnidata__Access__V1__ListPlansRequest request = OMNIDATA__ACCESS__V1__LIST_PLANS_REQUEST__INIT;
    void *response;
    int result =
        access_call(&COMMAND_PLANS, call, "ListPlans", &request.base,
                    &omnidata__access__v1__list_plans_response__descriptor, arena, &response);
    if (result != COMMAND_OK)
        return result;
    const Omnidata__Access__V1__ListPlansResponse *plans = response;
    print_plans(plans->plans, plans->n_plans, true, call->settings);
    return COMMAND_OK;
}

static int run(const struct command_call *call)
{
    const struct settings *settings = call->settings;
    struct arena arena = {0};
    char given[64];
    snprintf(given, sizeof given, "%s%s%s%s", *settings->rate ? " rate " : "",
             *settings->burst ? " burst " : "", *settings->quota ? " quota " : "",
             strcmp(settings->per, "none") != 0 ? " per " : "");
    const struct access_verb *verb =
        access_verb_find(&COMMAND_PLANS, VERBS, sizeof VERBS / sizeof *VERBS, call, given);
    int result = COMMAND_USAGE;
    if (verb == &VERBS[0])
        result = put(call, &arena);
    else if (verb)
        result = list(call, &arena);
    arena_clear(&arena);
    return result;
}

static const struct config_item ITEMS[] = {
    {.name = "rate",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, rate),
     .default_text = "",
     .help = "put: requests a second in the long run, like 0.5 or 100"},
    {.name = "burst",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, burst),
     .default_text = "",
     .help = "put: requests at once"},
    {.name = "quota",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, quota),
     .default_text = "",
     .help = "put: requests in a period; none: no limit"},
    {.name = "per",
     .kind = CONFIG_CHOICE,
     .offset = offsetof(struct settings, per),
     .default_text = "none",
     .choices = "none|day|week|month",
     .help = "put: the quota's period, in UTC; weeks begin on Mondays"},
    {.name = "json",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, json),
     .default_text = "false",
     .help = "for programs"},
};

const struct command COMMAND_PLANS = {
    .name = "plans",
    .arguments = "put PLAN | list",
    .summary = "usage plans: how fast and how much API keys may ask",
    .detail =
        "put makes a plan or replaces it; it holds for all its keys within a second. Rate and\n"
        "burst are counted by each gateway, the quota by all of them together: it is never\n"
        "exceeded. What was used in a period counts against a quota that is changed in it.\n"
        "  omnictl plans put basic --rate=10 --burst=20 --quota=10000 --per=day\n"
        "Exit code: 0 done, 1 refused, 2 wrong usage, 3 the service cannot be reached.\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 1,
    .arguments_max = 2,
    .calls = true,
    .run = run,
};
