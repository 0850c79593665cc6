/* A thread that calls back later: the pauses between attempts. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct aws_timer;

/* From the timer's thread; must not block. */
typedef void (*aws_timer_fn)(void *argument);

struct aws_timer *aws_timer_new(void); /* NULL: no thread to be had */

/* Calls back in `delay_ms`, once. False after aws_timer_stop: never. Any thread. */
bool aws_timer_after(struct aws_timer *timer, int64_t delay_ms, aws_timer_fn fn, void *argument)
    __attribute__((warn_unused_result));

/* What waits is called at once, from here; joins the thread. */
void aws_timer_stop(struct aws_timer *timer);

/* Stops, frees. NULL is allowed. */
void aws_timer_free(struct aws_timer *timer);
