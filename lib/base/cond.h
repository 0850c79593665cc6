/* Condition variables that wait by the clock which nobody sets. */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* A condition variable whose timed waits go by CLOCK_MONOTONIC. */
void cond_init(pthread_cond_t *cond);

/* The point in time so many milliseconds from now, for pthread_cond_timedwait on such a one. */
struct timespec cond_after_ms(int64_t milliseconds);
