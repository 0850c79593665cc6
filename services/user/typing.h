/*
 * Which searches were steps of typing. Somebody who types `jose` into a page that searches at every
 * key sends `j`, `jo`, `jos`, `jose`; only the last is a search to be counted. A search is
 * `partial` when the same caller's next one, in order of time, goes on from its text within
 * TYPING_STEP_MS. What came before it, or what does not follow directly, never makes it one; going
 * back neither.
 *
 * That is known only when the next one comes: the event of a successful search is held until then,
 * or until TYPING_STEP_MS have passed. One is held for a caller, at most TYPING_CALLERS in all; of
 * two callers who fall on the same place the first one's search is let go undecided, as a search.
 *
 * A caller is the event's actor, or its API key where nobody was signed in. All callers of one key,
 * and all that are not known, are taken for one, so that "the next" is whoever's comes next. When
 * several type at once, and where a caller's searches go to several processes, steps are counted as
 * searches: too many rather than too few. Too few only when one's search is followed directly by
 * another's that goes on from it.
 *
 * For one thread.
 */
#pragma once
#include "user/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TYPING_STEP_MS = 2000, TYPING_CALLERS = 1024 };

struct typing;

struct typing *typing_new(void);
void typing_free(struct typing *typing); /* what is held goes as well; NULL is allowed */

/* False: the event is held. True: *event is one that goes on its way, which may be another one that
 * was held until now. */
bool typing_pass(struct typing *typing, omnidata_event_v1_Event *event);

/* True: *event is one that has been held for TYPING_STEP_MS; INT64_MAX lets all of them go. False:
 * there is none, or no more. */
bool typing_release(struct typing *typing, int64_t now_ms, omnidata_event_v1_Event *event);

size_t typing_held(const struct typing *typing);
