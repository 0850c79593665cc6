/*
 * What the admitting stages know of one request (admit.c). Limits are taken in two steps: the rate
 * as soon as it is clear whom to count, the quota when nobody can refuse the caller any more.
 */
#pragma once
#include "gateway/keys.h"
#include "gateway/quota.h"
#include "gateway/throttle.h"

struct request;

struct admit {
    bool has_key, rate_taken;
    bool waiting; /* for the first lease of its quota */
    bool parked;  /* until `outcome` has come */
    struct key_found key;
    struct str subject; /* of a public key: user or network; otherwise empty */
    struct throttle_result rate;
    struct quota_waiter waiter;
    struct quota_outcome outcome;
};

/*
 * Whether a request that was let in would be now: its key is good, its token has not ended. *err
 * says what a new one is told. Any thread, but not once the gateway drains: the keys may be gone.
 */
enum code admit_again(const struct request *request, struct error *err) MUST_CHECK;
