/*
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, revision 10):
 *   RateLimit-Policy: "rate";q=20;w=2, "day";q=1000;w=86400
 *   RateLimit: "rate";r=19;t=1, "day";r=998;t=3600
 * The tightest limit stands first, and when one has refused only that one stands in RateLimit: its
 * t is then the same as Retry-After. t counts the seconds until the limit is whole again.
 */
#pragma once
#include "base/arena.h"
#include "gateway/key_set.h"

/* How things are with one limit. */
struct ratelimit {
    const char *name; /* "rate", "address", "day", "week", "month", "quota" */
    uint64_t limit, left;
    int64_t window_s; /* 0: not known */
    int64_t again_s;  /* below 0: not known */
};

/* Of a bucket. */
struct ratelimit ratelimit_of_bucket(const char *name, const struct throttle_limit *limit,
                                     const struct throttle_result *result);

/* Of a quota; reset_us 0: not known. */
struct ratelimit ratelimit_of_quota(const struct key_plan *plan, uint64_t left, int64_t reset_us,
                                    int64_t now_us);

/* The values of both headers; the order is that of `limits`, the tightest has to be first. */
struct str ratelimit_policy(const struct ratelimit *limits, size_t count, struct arena *arena);
struct str ratelimit_state(const struct ratelimit *limits, size_t count, struct arena *arena);

/* Nanoseconds as whole seconds, rounded up. */
int64_t ratelimit_seconds(int64_t ns);
