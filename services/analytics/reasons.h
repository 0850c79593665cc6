/*
 * Every reason (google.rpc.ErrorInfo) that the analytics service gives, with its code and its
 * meaning. lib/queue adds QUEUE_FULL, lib/db DISK_FULL and DATABASE_* for a storage that fails.
 */
#pragma once

/* INVALID_ARGUMENT: a field of the request is wrong; the field violations say which (set by
 * error_field). */
#define REASON_INVALID_FIELD "INVALID_FIELD"

/* OUT_OF_RANGE: the span holds more points than are answered at once. */
#define REASON_TOO_MANY_POINTS "TOO_MANY_POINTS"

/* OUT_OF_RANGE: the span holds more hours than are answered at once. */
#define REASON_TOO_MANY_HOURS "TOO_MANY_HOURS"

/* UNAVAILABLE: the server is shutting down. */
#define REASON_STOPPING "STOPPING"
