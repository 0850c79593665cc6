/* The small grammars of RFC 9110 that a gateway decides by: entity tags and what is accepted. */
#pragma once
#include "base/str.h"

#include <stdbool.h>

/* If-None-Match: `*` or a list with this tag in it, weakly compared (section 13.1.2). */
bool conditional_matches(struct str header, struct str etag);

enum conditional_tag {
    CONDITIONAL_ANY,    /* `*` */
    CONDITIONAL_STRONG, /* one strong tag: *opaque is what stands between its quotes */
    CONDITIONAL_WEAK,   /* one weak tag: it never matches strongly */
    CONDITIONAL_MANY,
    CONDITIONAL_MALFORMED,
};

/* If-Match (section 13.1.1). */
enum conditional_tag conditional_if_match(struct str header, struct str *opaque);

/* Accept: this very name is there, with a quality above 0 (section 12.4.2), and the usual answer is
 * not named with a higher one. Ranges like `*` are for the usual answer. */
bool conditional_prefers(struct str header, struct str wanted, struct str usual);

/* Accept-Encoding: the coding is named, or `*` is, with a quality above 0 (section 12.5.3). */
bool conditional_accepts(struct str header, struct str coding);
