/*
 * Which receipts are ours until when, by our own clock. SQS takes a handle whose lease has ended,
 * or that an other receipt followed, without a word: only we can tell that it was lost. It also
 * ends every receipt after twelve hours. Not thread-safe.
 */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lease;

struct leases {
    struct lease **slots;
    size_t slot_count, count;
    int64_t sweep_ms; /* when those that nobody asked for again are next looked for */
};

/* All times are monotonic milliseconds. `{0}` is an empty one. */
void leases_clear(struct leases *leases);

/* A receipt at `now_ms`, leased for `lease_ms`. The handle is copied. */
void leases_add(struct leases *leases, struct str handle, int64_t now_ms, int64_t lease_ms);

/* How much longer, from now on, the lease may be made: `lease_ms`, or what is left of the receipt's
 * `cap_ms`. 0: it is not ours any more, and is forgotten. */
int64_t leases_may_extend(struct leases *leases, struct str handle, int64_t now_ms,
                          int64_t lease_ms, int64_t cap_ms);

/* It now ends in `lease_ms`; 0 forgets it. */
void leases_extend(struct leases *leases, struct str handle, int64_t now_ms, int64_t lease_ms);

void leases_forget(struct leases *leases, struct str handle);
