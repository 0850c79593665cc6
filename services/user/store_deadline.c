/* Time that remains as a moment to wait for. */
#include "user/store_deadline.h"

enum { DEADLINE_MS_MAX = 1 << 30 };

struct timespec store_deadline(int64_t remaining_ms)
{
    struct timespec at;
    int64_t ms = remaining_ms < DEADLINE_MS_MAX ? remaining_ms : DEADLINE_MS_MAX;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}
