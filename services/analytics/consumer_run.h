/* A consumer's threads: one does the rounds, one the heartbeats. */
#pragma once
#include "analytics/consumer.h"

struct consumer_run;

/*
 * Starts. `recover_all`: nobody else works on this ledger, so every unfinished intent is a dead
 * process's; else only those not seen for the stale time are settled. Errors as consumer_new.
 */
enum code consumer_run_start(const struct consumer_options *options, bool recover_all,
                             struct consumer_run **run, struct error *err) MUST_CHECK;

/*
 * Takes no more messages, finishes what is open for up to `grace_ms`, releases the rest, joins,
 * frees. True when all was finished. NULL is allowed.
 */
bool consumer_run_stop(struct consumer_run *run, int64_t grace_ms);
