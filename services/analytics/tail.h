/*
 * Events as they are claimed, to whoever listens. Every listener has a bounded ring of its own: one
 * that reads too slowly misses events and is told how many; nobody ever waits for it.
 */
#pragma once
#include "analytics/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum { TAIL_RING = 512 };

struct tail;
struct tail_listener;

/* `queries`: query texts may be published; else they are left out. */
struct tail *tail_new(bool queries);
/* All listeners must have left. NULL is allowed. */
void tail_free(struct tail *tail);

/* To all listeners; costs nothing when there are none. */
void tail_publish(struct tail *tail, const struct batch *batch, struct str body);

/* Listeners are woken and find the tail closed. */
void tail_close(struct tail *tail);

struct tail_listener *tail_join(struct tail *tail);
void tail_leave(struct tail_listener *listener);

enum tail_result { TAIL_EVENT, TAIL_NOTHING, TAIL_CLOSED };

/* The next event's bytes, copied into `arena`, or nothing within `wait_ms`. *missed: how many were
 * lost since the last event that was taken. */
enum tail_result tail_next(struct tail_listener *listener, int64_t wait_ms, struct arena *arena,
                           struct str *event, uint64_t *missed);
