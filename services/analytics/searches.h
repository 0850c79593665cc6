/*
 * Searches that are counted: their texts folded (lower case, white space made one space and none at
 * the ends). Which of them were steps of typing, and are not counted, the event says (`partial`).
 */
#pragma once
#include "analytics/rollup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEARCHES_TEXT_BYTES = 256 };

/* Into the sketch of its hour, and of those that found nothing. Nothing but white space is no
 * search. `caller` (may be empty) is for telling many callers from one. */
void searches_count(struct rollup_delta *delta, struct str text, struct str caller,
                    bool nothing_found, int64_t time_s);

/* At most SEARCHES_TEXT_BYTES, cut between characters. Returns the length. */
size_t searches_fold(struct str text, char to[SEARCHES_TEXT_BYTES]);
