/* The small grammars of RFC 9110 that a gateway decides by: entity tags and what is accepted. */
#pragma once
#include "base/str.h"

#include <stdbool.h>

/* If-None-Match: `*` or a list with this tag in it, weakly compared (section 13.1.2). */
bool conditional_matches(struct str header, struct str etag);

/* If-Match: `*` or a list with this strong tag in it (section 13.1.1). */
bool conditional_matches_strongly(struct str header, struct str etag);

enum conditional_tag {
    CONDITIONAL_ANY,       /* `*` */
    CONDITIONAL_ONE,       /* what stands between the quotes of the one tag that can match */
    CONDITIONAL_NEVER,     /* weak tags, which never match strongly, or "", which no resource has */
    CONDITIONAL_MANY,      /* several tags that could match, and differ */
    CONDITIONAL_MALFORMED, /* no list of tags, or an empty one */
};

/* If-Match, for who is to compare it elsewhere. *opaque is set for CONDITIONAL_ONE, and lies in the
 * header. */
enum conditional_tag conditional_if_match(struct str header, struct str *opaque);

/* Accept: this very name is there, with a quality above 0 (section 12.4.2), and the usual answer is
 * not named with a higher one. Ranges like `*` are for the usual answer. */
bool conditional_prefers(struct str header, struct str wanted, struct str usual);

/* Accept-Encoding: the coding is named, or `*` is, with a quality above 0 (section 12.5.3). */
bool conditional_accepts(struct str header, struct str coding);
