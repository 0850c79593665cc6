/* Structured fields (RFC 9651): lists of strings with integer parameters. */
#include "gateway/ratelimit.h"

#include "base/buf.h"

#include <time.h>

enum { VALUE_BYTES_MAX = 256, DAY_S = 86400 };

/* Integers in structured fields have at most 15 digits. */
static const uint64_t INTEGER_MAX = 999999999999999;

int64_t ratelimit_seconds(int64_t ns)
{
    return ns / 1000000000 + (ns % 1000000000 > 0);
}

struct ratelimit ratelimit_of_bucket(const char *name, const struct throttle_limit *limit,
                                     const struct throttle_result *result)
{
    return (struct ratelimit){
        .name = name,
        .limit = limit->burst,
        .left = result->admitted ? result->left : 0,
        .window_s = ratelimit_seconds(limit->depth_ns),
        .again_s = ratelimit_seconds(result->admitted ? result->full_ns : result->wait_ns),
    };
}

/* Of the month that ends at `reset_us`. */
static int64_t month_s(int64_t reset_us)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    time_t last = (time_t)(reset_us / 1000000 - 1);
    struct tm tm;
    if (!gmtime_r(&last, &tm))
        return 0;
    int year = tm.tm_year + 1900;
    bool leap = tm.tm_mon == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return (int64_t)(days[tm.tm_mon] + leap) * DAY_S;
}

struct ratelimit ratelimit_of_quota(const struct key_plan *plan, uint64_t left, int64_t reset_us,
                                    int64_t now_us)
{
    static const struct {
        const char *name;
        int64_t window_s;
    } periods[] = {
        [KEY_PERIOD_NONE] = {"quota", 0},  [KEY_PERIOD_DAY] = {"day", DAY_S},
        [KEY_PERIOD_MONTH] = {"month", 0}, [KEY_PERIOD_WEEK] = {"week", 7 * DAY_S},
        [KEY_PERIOD_OTHER] = {"quota", 0},
    };
    struct ratelimit limit = {.name = periods[plan->period].name,
                              .limit = plan->quota,
                              .left = left < plan->quota ? left : plan->quota,
                              .window_s = periods[plan->period].window_s,
                              .again_s = -1};
    if (reset_us <= 0)
        return limit;
    if (plan->period == KEY_PERIOD_MONTH)
        limit.window_s = month_s(reset_us);
    limit.again_s = reset_us > now_us ? (reset_us - now_us + 999999) / 1000000 : 0;
    return limit;
}

static void add(struct buf *out, const struct ratelimit *limit, const char *value_name,
                uint64_t value, const char *time_name, int64_t seconds)
{
    if (out->len)
        buf_add(out, STR(", "));
    buf_add_char(out, '"');
    buf_add_cstr(out, limit->name);
    buf_add(out, STR("\";"));
    buf_add_cstr(out, value_name);
    buf_add_char(out, '=');
    buf_add_u64(out, value < INTEGER_MAX ? value : INTEGER_MAX);
    if (seconds < 0)
        return;
    buf_add_char(out, ';');
    buf_add_cstr(out, time_name);
    buf_add_char(out, '=');
    buf_add_u64(out, (uint64_t)seconds);
}

struct str ratelimit_policy(const struct ratelimit *limits, size_t count, struct arena *arena)
{
    struct buf out;
    buf_init_arena(&out, arena, VALUE_BYTES_MAX);
    for (size_t i = 0; i < count; i++)
        add(&out, &limits[i], "q", limits[i].limit, "w",
            limits[i].window_s ? limits[i].window_s : -1);
    return buf_str(&out);
}

struct str ratelimit_state(const struct ratelimit *limits, size_t count, struct arena *arena)
{
    struct buf out;
    buf_init_arena(&out, arena, VALUE_BYTES_MAX);
    for (size_t i = 0; i < count; i++)
        add(&out, &limits[i], "r", limits[i].left, "t", limits[i].again_s);
    return buf_str(&out);
}
