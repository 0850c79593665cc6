/*
 * From the searches of a batch to those worth counting. A text is folded (lower case, spaces made
 * one). Somebody who types `jose` into a page that searches at every key sends `j`, `jo`, `jos`,
 * `jose`: steps on the way are not searches. A search is a step only when the next search of the
 * same caller in the same batch, in order of time, extends its text within SEARCHES_STEP_MS. What
 * came before it, or what does not follow directly, never makes it one; going back neither.
 *
 * A caller is the event's actor, or its API key where nobody was signed in. All callers of one key,
 * and all that are not known, are taken for one, so that "the next" is whoever's comes next. When
 * several type at once, steps are counted as searches: too many rather than too few. Too few only
 * when one's search is followed directly by another's that extends it.
 */
#pragma once
#include "analytics/rollup.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { SEARCHES_TEXT_BYTES = 256, SEARCHES_STEP_MS = 2000 };

struct search {
    uint32_t caller; /* a hash of who it is; 0: not known */
    uint32_t order;  /* in the batch */
    int64_t time_ms;
    size_t text_start, text_bytes; /* in searches->texts */
    bool nothing_found;
};

/* All searches of a batch, until it is read to its end: only then is known which comes next. */
struct searches {
    struct rollup_delta *delta;
    struct search *items;
    size_t count, room;
    struct buf texts;
};

/* Ends with searches_finish, always. */
void searches_init(struct searches *searches, struct rollup_delta *delta);

/* Searches come in the order of the batch, which decides between equal times. */
void searches_add(struct searches *searches, struct str text, struct str caller, bool nothing_found,
                  int64_t time_ms);

/* Counts those that are no steps, and frees. */
void searches_finish(struct searches *searches);

/* Lower case, white space made one space and none at the ends; at most SEARCHES_TEXT_BYTES, cut
 * between characters. Returns the length. */
size_t searches_fold(struct str text, char to[SEARCHES_TEXT_BYTES]);
