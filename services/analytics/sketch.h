/*
 * The most frequent texts of a stream in bounded memory, with the error told. Misra-Gries counters
 * (Misra, Gries 1982; mergeable: Agarwal et al., "Mergeable Summaries", 2012), kept as upper
 * bounds: a text's true count lies in [count - error, count]; a text that is not listed occurred
 * at most `absent` times. With `capacity` counters and a stream of N, absent <= N / (capacity + 1),
 * however the stream was cut into pieces and the pieces merged. While no more texts than counters
 * were seen every count is exact.
 *
 * The same additions in the same order always give the same bytes.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SKETCH_CALLERS_MAX = 8 };

struct sketch_item {
    struct str text;
    uint64_t count, error;
    /* Hashes of different callers, sorted; SKETCH_CALLERS_MAX of them mean "or more". */
    uint32_t callers[SKETCH_CALLERS_MAX];
    uint32_t caller_count;
};

struct sketch;

/* `capacity` counters are kept; up to twice as many exist between prunings. */
struct sketch *sketch_new(size_t capacity);
void sketch_free(struct sketch *sketch);

/* One occurrence by the caller with this hash. */
void sketch_add(struct sketch *sketch, struct str text, uint32_t caller);

/* Adds what `from` has seen to `into`. */
void sketch_merge(struct sketch *into, const struct sketch *from);

/* Down to `capacity` counters. */
void sketch_prune(struct sketch *sketch);

/* How many occurrences were added in all; the bound for texts that are not listed. */
uint64_t sketch_total(const struct sketch *sketch);
uint64_t sketch_absent(const struct sketch *sketch);

/*
 * The most frequent `max` items by count, then by text; only those seen from at least `callers_min`
 * callers. Texts belong to the sketch. Returns how many there are.
 */
size_t sketch_top(const struct sketch *sketch, uint32_t callers_min, struct sketch_item *items,
                  size_t max);

/* Bytes and back. Decoding adds to `into`; false when the bytes are no sketch. */
void sketch_encode(const struct sketch *sketch, struct buf *out);
bool sketch_decode(struct str *bytes, struct sketch *into);
