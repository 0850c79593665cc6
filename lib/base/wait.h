/* pthread conditions that wait by CLOCK_MONOTONIC, so that nobody's wait changes when the time
 * does. */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* For pthread_cond_timedwait with times of wait_deadline. */
void wait_cond_init(pthread_cond_t *cond);

/* So many milliseconds (0 or more) from now on; of more than twelve days only twelve are waited. */
struct timespec wait_deadline(int64_t ms);
