/*
 * Token buckets: `burst` tokens at most, `rate` new ones a second, a request takes its cost or is
 * refused. A bucket is one number, the moment at which it will be full again (the generic cell rate
 * algorithm): a token is a span of time, taking one moves the moment on by that span.
 *
 * Integers only, in nanoseconds of a clock that never goes back. A token's span is rounded up, by
 * less than a nanosecond: in any time T no more than burst + rate × T is admitted, never one more.
 *
 * The table is of a fixed size: sets of eight, chosen by a keyed hash. When a set has no room a
 * newcomer takes the place of the bucket that will be full first, and *keeps its moment*. Moments
 * of a set never go back, so whoever is displaced and comes again finds at least the debt that he
 * left: filling the table with strangers gives nobody a fresh bucket. The price is paid by a
 * newcomer to a set of eight that are all in debt: he inherits the smallest of these debts, at most
 * his own burst.
 *
 * A limit may change from one request to the next, and holds at once: what is owed under the old
 * one is at most a full bucket of the new one. Only then a moment goes back.
 */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct throttle_limit {
    int64_t token_ns; /* the span of one token */
    int64_t depth_ns; /* of a full bucket */
    uint32_t burst;
};

/* Rates are taken to a millionth of a request a second; below that is that. burst 0 is 1. */
struct throttle_limit throttle_limit_of(double rate, uint32_t burst);

struct throttle_result {
    bool admitted;
    uint32_t left;   /* tokens */
    int64_t wait_ns; /* refused: until the same request would be admitted */
    int64_t full_ns; /* until the bucket is full */
};

/* One bucket; *full_at_ns is 0 at first. A cost above the burst takes a full bucket. */
struct throttle_result throttle_apply(int64_t *full_at_ns, const struct throttle_limit *limit,
                                      uint32_t cost, int64_t now_ns);

struct throttle;

/* For at least this many buckets. */
struct throttle *throttle_new(uint32_t buckets);
void throttle_free(struct throttle *throttle);

/* The bucket of this name. Thread-safe. Cost 0 is a look: what the name owes does not change. */
struct throttle_result throttle_take(struct throttle *throttle, struct str name,
                                     const struct throttle_limit *limit, uint32_t cost,
                                     int64_t now_ns);
