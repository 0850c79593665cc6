/*
 * The ledger in one DynamoDB table, for as many consumers as wanted. Keys are texts; every read is
 * consistent; no index.
 *
 *   pk          sk             what                              attributes
 *   L/c/PART    -              a claim                           i (intent), ttl
 *   L/d/SHARD   PART           a delta that is not in the totals e (encoded)
 *   L/i/INTENT  -              an intent                         c, k, o, s, d, h, m, ttl
 *   L/u         INTENT         an intent that is not finished    c
 *   L/s         CONSUMER       a consumer                        m (last seen), ttl
 *   L/t/WIDTH   TIME           counts of a minute, hour, day     one per kind and status, ttl
 *   L/x/CLASS   TIME/CHUNK     search texts of an hour           b, v (version), n, ttl
 *   L/h         TIME           an hour's objects                 a (archived), q (quarantined)
 *   L/g         -              the totals                        claimed, archived, …
 *
 * Claiming is a transaction of pairs, claim and delta, each claim on condition that there is none;
 * those that are held are told by what cancelled it, and the others are tried again. Finishing
 * moves the intent, takes it off L/u and adds its hours, in one transaction: an object has at most
 * 64 hours. Folding adds deltas up, and in one transaction deletes them, each on condition that it
 * is there, and adds the sum: as many as lead to no more than 100 actions. One delta alone always
 * fits: it is of one hour, so that it touches at most 60 minutes, an hour, a day, two sketches and
 * the totals.
 *
 * Nothing is purged: what is old has a `ttl` and goes by itself (some time after; that changes
 * nothing, since batches older than the retention are never claimed).
 */
#pragma once
#include "analytics/ledger.h"
#include "aws/dynamodb_write.h"

struct ledger_dynamodb_options {
    struct dynamodb_port port;
    struct str table;
    const struct clock *clock;
    int64_t retention_ms;        /* of claims and finished intents */
    int64_t trends_retention_ms; /* of minutes and search texts */
    int64_t call_ms;             /* of one function; 0: 30 seconds */
};

/* Looks for the table: FAILED_PRECONDITION when it is missing or of a newer program. */
enum code ledger_dynamodb_open(const struct ledger_dynamodb_options *options,
                               struct ledger **ledger, struct error *err) MUST_CHECK;
