/* One clock for all conditions. */
#include "base/wait.h"

enum { WAIT_MS_MAX = 1 << 30 };

void wait_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct timespec wait_deadline(int64_t ms)
{
    struct timespec at;
    if (ms > WAIT_MS_MAX)
        ms = WAIT_MS_MAX;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += ms % 1000 * 1000000;
    at.tv_sec += ms / 1000 + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}
