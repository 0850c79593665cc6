/* How long a caller waits, as condition variables want it. */
#pragma once
#include <stdint.h>
#include <time.h>

/* `remaining_ms` from now (INT64_MAX: far away) on CLOCK_MONOTONIC. */
struct timespec store_deadline(int64_t remaining_ms);
