/* Points in time as text: RFC 3339, UTC, years 0001 to 9999. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* "2026-11-22T18:00:00Z", with 3, 6 or 9 digits of a second when they are not zero. */
void time_add_rfc3339(struct buf *out, int64_t seconds, int32_t nanos);

/* The same from microseconds since 1970. */
void time_add_rfc3339_us(struct buf *out, int64_t wall_us);

/*
 * Reads RFC 3339 (any offset, 0 to 9 digits of a second, `T` and `Z` in capitals as ProtoJSON has
 * them). False when it is not one or lies outside 0001-01-01 to 9999-12-31.
 */
bool time_parse_rfc3339(struct str text, int64_t *seconds, int32_t *nanos);

/* The calendar day and hour in UTC. */
struct time_utc {
    int year, month, day, hour, minute, second;
};
struct time_utc time_utc_of(int64_t seconds);

/* Seconds since 1970 of a UTC calendar time. */
int64_t time_seconds_of(struct time_utc utc);
