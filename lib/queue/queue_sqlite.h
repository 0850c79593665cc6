/* The queue in a SQLite file of its own: one process, any number of threads. */
#pragma once
#include "base/clock.h"
#include "queue/queue.h"

/* Opens or creates; errors as db_open. */
enum code queue_sqlite_open(const char *path, uint64_t max_bytes, const struct clock *clock,
                            struct queue **queue, struct error *err) MUST_CHECK;
