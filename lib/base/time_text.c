/* Calendar arithmetic after Howard Hinnant's "chrono-compatible low-level date algorithms". */
#include "base/time_text.h"

enum { DAY_SECONDS = 86400 };

static const int64_t FIRST_SECOND = -62135596800; /* 0001-01-01T00:00:00Z */
static const int64_t LAST_SECOND = 253402300799;  /* 9999-12-31T23:59:59Z */

static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct time_utc time_utc_of(int64_t seconds)
{
    int64_t days = seconds / DAY_SECONDS;
    int64_t rest = seconds % DAY_SECONDS;
    if (rest < 0) {
        rest += DAY_SECONDS;
        days--;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    return (struct time_utc){
        .year = (int)(year_of_era + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1),
        .hour = (int)(rest / 3600),
        .minute = (int)(rest / 60 % 60),
        .second = (int)(rest % 60),
    };
}

int64_t time_seconds_of(struct time_utc utc)
{
    return days_from_civil(utc.year, utc.month, utc.day) * DAY_SECONDS + utc.hour * 3600 +
           utc.minute * 60 + utc.second;
}

/* `value` in exactly `count` digits; returns what is behind them. */
static char *put_digits(char *to, int value, int count)
{
    for (int i = count; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + count;
}

/* By hand, because every record that is shown or archived passes here: printf costs 20 times it. */
void time_add_rfc3339(struct buf *out, int64_t seconds, int32_t nanos)
{
    struct time_utc t = time_utc_of(seconds);
    char text[32], *to = put_digits(text, t.year, 4);
    *to++ = '-';
    to = put_digits(to, t.month, 2);
    *to++ = '-';
    to = put_digits(to, t.day, 2);
    *to++ = 'T';
    to = put_digits(to, t.hour, 2);
    *to++ = ':';
    to = put_digits(to, t.minute, 2);
    *to++ = ':';
    to = put_digits(to, t.second, 2);
    if (nanos) {
        *to++ = '.';
        if (nanos % 1000000 == 0)
            to = put_digits(to, nanos / 1000000, 3);
        else if (nanos % 1000 == 0)
            to = put_digits(to, nanos / 1000, 6);
        else
            to = put_digits(to, nanos, 9);
    }
    *to++ = 'Z';
    buf_add_mem(out, text, (size_t)(to - text));
}

void time_add_rfc3339_us(struct buf *out, int64_t wall_us)
{
    int64_t seconds = wall_us / 1000000;
    int64_t micros = wall_us % 1000000;
    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    time_add_rfc3339(out, seconds, (int32_t)micros * 1000);
}

/* Exactly `count` digits at *text, taken off its front. */
static bool take_digits(struct str *text, size_t count, int *value)
{
    int sum = 0;
    if (text->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (text->ptr[i] < '0' || text->ptr[i] > '9')
            return false;
        sum = sum * 10 + (text->ptr[i] - '0');
    }
    *text = str_from(*text, count);
    *value = sum;
    return true;
}

static bool take_char(struct str *text, char wanted)
{
    if (!text->len || text->ptr[0] != wanted)
        return false;
    *text = str_from(*text, 1);
    return true;
}

static bool take_fraction(struct str *text, int32_t *nanos)
{
    int digits = 0, value = 0;
    *nanos = 0;
    if (!take_char(text, '.'))
        return true;
    while (text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9') {
        if (++digits > 9)
            return false;
        value = value * 10 + (text->ptr[0] - '0');
        *text = str_from(*text, 1);
    }
    for (int i = digits; i < 9; i++)
        value *= 10;
    *nanos = value;
    return digits > 0;
}

/* "Z" or "+hh:mm": what must be subtracted from the local time. */
static bool take_offset(struct str *text, int64_t *offset_seconds)
{
    int hours, minutes;
    *offset_seconds = 0;
    if (take_char(text, 'Z'))
        return true;
    bool negative = text->len && text->ptr[0] == '-';
    if (!take_char(text, negative ? '-' : '+') || !take_digits(text, 2, &hours) ||
        !take_char(text, ':') || !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_seconds = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool time_parse_rfc3339(struct str text, int64_t *seconds, int32_t *nanos)
{
    struct time_utc t;
    int64_t offset;
    if (!take_digits(&text, 4, &t.year) || !take_char(&text, '-') ||
        !take_digits(&text, 2, &t.month) || !take_char(&text, '-') ||
        !take_digits(&text, 2, &t.day) || !take_char(&text, 'T') ||
        !take_digits(&text, 2, &t.hour) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &t.minute) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &t.second) || !take_fraction(&text, nanos) ||
        !take_offset(&text, &offset) || text.len)
        return false;
    if (t.year < 1 || t.month < 1 || t.month > 12 || t.day < 1 ||
        t.day > days_in_month(t.year, t.month) || t.hour > 23 || t.minute > 59 || t.second > 59)
        return false;
    *seconds = time_seconds_of(t) - offset;
    return *seconds >= FIRST_SECOND && *seconds <= LAST_SECOND;
}
