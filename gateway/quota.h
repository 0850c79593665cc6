/*
 * Quotas that many gateways share, without asking anybody while a request waits: the access service
 * leases parts of a quota, a gateway spends its leases in memory and asks for the next before the
 * last is spent.
 *
 * Why a quota of N never admits more than N in its period, whatever is killed or lost:
 *   - what is granted counts as spent in the store at once, in one transaction with the check
 *   - a lease is spent at most once: its id is made here, written down before it is asked for, and
 *     asked for again under the same id when an answer does not come
 *   - it is spent only until its end, counted by a clock that nobody sets and no sleep stops, from
 *     before the first question (and a thousandth shorter, for clocks that run differently), so
 *     never beyond the period
 *   - what is spent is written down before the request goes on. It is in memory that outlives a
 *     killed process (quota_journal.h); the next process returns exactly the rest. What a crash of
 *     the machine may have lost is not returned at all: it counts as spent
 *   - a lease is returned only after its last spending, and the store believes a return once.
 * It admits fewer by what is out in leases. They come back: at their end, after some seconds
 * without use (at once, where there are more subjects than room for their leases), when a gateway
 * stops, and after a kill when it is started again.
 *
 * With the store away requests go on while a lease has something left; then they are refused as
 * unavailable (503): the caller did nothing wrong. They are refused as used up (429) only when
 * the store has said so. The first request of a key waits for its lease without a thread.
 */
#pragma once
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>

/* --- the access service, as a port --- */

struct quota_ask {
    struct str key_id, subject, gateway_id;
    struct str lease_id;          /* empty: nothing is wanted */
    uint64_t want, need;          /* need: with less than this nothing can be done */
    struct str returned_lease_id; /* empty: nothing is given back */
    uint64_t unspent;
};

struct quota_grant {
    enum code code; /* not OK: all else means nothing */
    uint64_t granted, remaining;
    int64_t valid_ms, retry_ms;
    int64_t reset_us; /* UTC; 0: not said */
};

typedef void (*quota_granted_fn)(void *argument, const struct quota_grant *grant);

struct quota_lessor {
    /* Does not block. `granted` runs once, later, in another thread or in this one. */
    void (*ask)(const struct quota_lessor *lessor, const struct quota_ask *ask,
                quota_granted_fn granted, void *argument);
};

/* --- spending --- */

struct quota;

struct quota_options {
    const struct quota_lessor *lessor;
    const char *state_dir;     /* "": a killed gateway's leases are lost until the period ends */
    const struct clock *clock; /* its mono_ms goes on while the machine sleeps */
    int64_t wait_ms;           /* longest wait for a lease */
};

/* FAILED_PRECONDITION naming --state-dir when it cannot be used or another gateway uses it. */
enum code quota_new(const struct quota_options *options, struct quota **quota,
                    struct error *err) MUST_CHECK;

enum quota_verdict {
    QUOTA_ADMITTED,
    QUOTA_WAIT,    /* for a lease; with a waiter, its `done` comes later */
    QUOTA_USED_UP, /* retry_ms says when to ask again */
    QUOTA_AWAY,    /* nobody can say */
};

struct quota_outcome {
    enum quota_verdict verdict;
    uint64_t left;    /* of the quota, as far as this gateway knows */
    int64_t reset_us; /* when the quota begins anew, UTC; 0: not known */
    int64_t retry_ms;
};

/* Of the caller, until `done` has run; that only passes on what it hears: it must not call back. */
struct quota_waiter {
    void (*done)(void *argument, const struct quota_outcome *outcome);
    void *argument;
    uint32_t cost;
    int64_t until_ms;
    struct quota_waiter *next;
};

/*
 * Takes `cost` of the quota of a key (and of a subject, with public keys). Never blocks. Without a
 * waiter QUOTA_WAIT means: asked for, come again. `done` runs in another thread. Thread-safe.
 */
struct quota_outcome quota_spend(struct quota *quota, struct str key_id, struct str subject,
                                 uint32_t cost, struct quota_waiter *waiter);

/* What is due: leases that end, questions to repeat, waiters to tell. Every 100 ms or so. */
void quota_tick(struct quota *quota);

/* Calls quota_tick from a thread of its own. */
void quota_start(struct quota *quota);

/*
 * Returns all leases, as far as the store answers within `wait_ms`; tells all waiters. Nothing is
 * spent afterwards.
 */
void quota_drain(struct quota *quota, int64_t wait_ms);

/* When no answer of the lessor's is to come any more. NULL is allowed. */
void quota_free(struct quota *quota);
