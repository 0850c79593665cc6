/*
 * From the searches of a batch to those worth counting. A text is folded (lower case, spaces made
 * one). Somebody who types `jose` into a page that searches at every key sends `j`, `jo`, `jos`,
 * `jose`: steps on the way are not searches. A search is a step when, within SEARCHES_STEP_MS, the
 * same caller (or, when callers are not known, anybody) sends a text in the same batch that begins
 * with it, or that it begins with (going back). The last one counts.
 */
#pragma once
#include "analytics/rollup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { SEARCHES_TEXT_BYTES = 256, SEARCHES_STEP_MS = 2000, SEARCHES_OPEN_MAX = 32 };

struct search {
    char text[SEARCHES_TEXT_BYTES];
    size_t length;
    uint32_t caller; /* a hash of the actor; 0: not known */
    bool nothing_found;
    int64_t time_ms;
};

/* The searches that may still turn out to be steps, oldest first. */
struct searches {
    struct rollup_delta *delta;
    struct search open[SEARCHES_OPEN_MAX];
    size_t count;
};

void searches_init(struct searches *searches, struct rollup_delta *delta);

/* Searches come in the order of the batch. */
void searches_add(struct searches *searches, struct str text, struct str actor, bool nothing_found,
                  int64_t time_ms);

/* Counts what is still open. */
void searches_finish(struct searches *searches);

/* Lower case, white space made one space and none at the ends; at most SEARCHES_TEXT_BYTES, cut
 * between characters. Returns the length. */
size_t searches_fold(struct str text, char to[SEARCHES_TEXT_BYTES]);
