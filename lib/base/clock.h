/*
 * Time as a port: what waits, expires or stamps asks a clock it was given, so that tests turn the
 * hands themselves.
 */
#pragma once
#include <stdint.h>

struct clock {
    int64_t (*wall_us)(const struct clock *clock); /* UTC, microseconds since 1970 */
    int64_t (*mono_ms)(const struct clock *clock); /* never goes back; its zero means nothing */
};

/* The machine's clocks. Thread-safe. */
const struct clock *clock_real(void);

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock);
}

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_us(clock) / 1000;
}

static inline int64_t clock_mono_ms(const struct clock *clock)
{
    return clock->mono_ms(clock);
}
