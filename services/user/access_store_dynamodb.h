/*
 * The access store in a DynamoDB table, which may be the users' own: other keys.
 *
 *   pk               sk      what                              attributes
 *   1/access         state   the snapshot's version, counts    v, k (keys not disabled), n (plans)
 *   1/access/plans   ID      a plan                            rate, burst, quota, period
 *   1/access/keys    UUID    a key                             name, … v
 *   1/access/o/HASH  -       a request that has made a key     h, k, x, ttl
 *   1/access/q/HASH  -       a quota                           v, b, x, ttl
 *
 * Every change of plans and keys is one transaction with the state, conditional on the state's
 * version as it was read: changes come one after the other, as they do in SQLite, which suits what
 * people do by hand. Quotas are single conditional puts, each on an item of its own.
 *
 * What is over is not seen any more from that moment on; DynamoDB deletes it some time later (ttl).
 */
#pragma once
#include "aws/dynamodb_ops.h"
#include "base/clock.h"
#include "user/access_store.h"

struct access_store_dynamodb_options {
    struct dynamodb_port port;
    struct str table;
    const struct clock *clock;
};

/* FAILED_PRECONDITION (TABLE_MISSING) when there is no table. */
enum code access_store_dynamodb_open(const struct access_store_dynamodb_options *options,
                                     struct access_store **store, struct error *err) MUST_CHECK;
