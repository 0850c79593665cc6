/*
 * What a batch adds to the trends: counts per minute, kind and status, and the search texts per
 * hour. A delta is computed once, from the batch's bytes alone, and lies in the ledger beside the
 * claim until a transaction adds it to the totals and removes it; so it is counted exactly once.
 * Several deltas merged are one delta.
 */
#pragma once
#include "analytics/sketch.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ROLLUP_MINUTE_S = 60,
    ROLLUP_HOUR_S = 3600,
    ROLLUP_DAY_S = 86400,
    ROLLUP_TEXTS = 1000, /* counters kept per hour and class */
    /* A kind that no event has: successful searches that found nothing. */
    ROLLUP_KIND_NOTHING_FOUND = -1,
};

enum rollup_class { ROLLUP_ALL_SEARCHES, ROLLUP_NOTHING_FOUND, ROLLUP_CLASSES };

struct rollup_count {
    int64_t time_s; /* the beginning of the minute */
    int32_t kind, status;
    uint64_t count;
};

struct rollup_texts {
    int64_t hour_s;
    enum rollup_class class;
    struct sketch *sketch;
};

struct rollup_delta {
    uint64_t claimed; /* events that the batch brings, quarantined ones included */
    struct rollup_count *counts;
    size_t count_used, count_room;
    struct rollup_texts *texts;
    size_t texts_used, texts_room;
    uint32_t *table; /* of counts: index + 1, 0: free */
};

/* `{0}` is an empty delta. */
void rollup_clear(struct rollup_delta *delta);

void rollup_add_count(struct rollup_delta *delta, int64_t time_s, int32_t kind, int32_t status,
                      uint64_t count);

/* The sketch of an hour and class, made when it is not there. */
struct sketch *rollup_texts(struct rollup_delta *delta, int64_t hour_s, enum rollup_class class);

void rollup_encode(const struct rollup_delta *delta, struct buf *out);

/* Adds an encoded delta to `into`; false when the bytes are none. */
bool rollup_merge_encoded(struct rollup_delta *into, struct str bytes);
