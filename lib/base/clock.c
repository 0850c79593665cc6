/* The real clocks. */
#include "base/clock.h"

#include <time.h>

static int64_t real_wall_us(const struct clock *clock)
{
    struct timespec now;
    (void)clock;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t real_mono_ms(const struct clock *clock)
{
    struct timespec now;
    (void)clock;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const struct clock *clock_real(void)
{
    static const struct clock real = {real_wall_us, real_mono_ms};
    return &real;
}
