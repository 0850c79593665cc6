/*
 * Carries sealed batches from the outbox to the analytics service: the oldest first, resent byte
 * for byte until the other side says that it has them durably, forgotten only then.
 *
 * Failures are retried with exponential backoff and full jitter, for ever. INVALID_ARGUMENT means
 * that a batch can never be taken: the relay finds it by sending one at a time, sets it aside in
 * the store with an error in the log, and goes on; a restart tries it once more.
 */
#pragma once
#include "base/clock.h"
#include "base/error.h"
#include "user/store.h"

/* Who carries: gRPC or SQS in the program, a fake in tests. */
struct relay_sender {
    /* OK when all batches are durable on the other side. After an error taken[i], false at first,
     * may tell which of them are so all the same. */
    enum code (*send)(struct relay_sender *sender, const struct store_batch *batches, size_t count,
                      int64_t deadline_ms, bool *taken, struct error *err);
    void (*free)(struct relay_sender *sender); /* may be NULL */
};

struct relay;
struct direct;

struct relay_options {
    struct store *store;
    struct relay_sender *sender; /* the caller's */
    struct direct *direct;       /* bodies that the store has not; the caller's; may be NULL */
    int64_t backoff_min_ms, backoff_max_ms;
    int64_t call_ms; /* deadline of one call */
};

/* Starts its thread; NULL when there is none to be had. */
struct relay *relay_new(const struct relay_options *options);

/* There may be something new. Any thread. */
void relay_wake(void *relay);

/* Goes on for at most `grace_ms` while it succeeds, joins, frees. NULL is allowed. */
void relay_free(struct relay *relay, int64_t grace_ms);

/* --- the same without a thread --- */

struct relay *relay_new_idle(const struct relay_options *options);

/* One call at most. Milliseconds to wait before the next step: 0 none, -1 until relay_wake. */
int64_t relay_step(struct relay *relay);

/* The gRPC sender: calls RecordEvents at `target` ("127.0.0.1:50052", "dns:///host:port"), by this
 * identity (may be NULL), which must outlive it. */
struct rpc_identity;
struct relay_sender *relay_sender_grpc(const char *target, struct rpc_identity *identity);
