/*
 * What search goes by, the same on every store: the tokens of a user, the words of a query, and the
 * rows of the index that lead from the one to the other.
 *
 * A token is a run of letters, digits and marks of the folded names and email address; apostrophes
 * inside are left out (`O'Brien` is `obrien`). A query's words are made the same way, and a word
 * finds the tokens that begin with it. A user has at most SEARCH_TOKENS_MAX: all those of the email
 * address, however long the names are, then the first ones of the names.
 *
 * The index holds, per token, three kinds of terms; each row also carries (name key, id), so that
 * the rows of one term lie in the order of the answer:
 *   1x       the first code point: words of one code point read their page straight off
 *   2xyz     the first three code points, or all of a shorter token: words of three likewise;
 *            words of two merge the few terms below them
 *   3xyz...  the whole of a longer token: longer words merge the terms below them
 */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "user/user.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    SEARCH_TOKENS_MAX = 23, /* of a user; no more rows of an index fit a transaction of DynamoDB */
    SEARCH_TOKEN_CHARS = 32,
    SEARCH_TERMS_MAX = 3 * SEARCH_TOKENS_MAX,
    SEARCH_NAME_KEY_BYTES = 128,
    SEARCH_HEAD_CHARS = 3,
};

struct search_terms {
    struct str name_key;                /* the folded display name, cut: orders answers */
    struct str tokens;                  /* each one behind a space: " anna muller" */
    struct str terms[SEARCH_TERMS_MAX]; /* sorted, each once */
    size_t count;
};

/* Of a user; texts in `arena`. */
void search_terms_of_user(struct arena *arena, const struct user *user, struct search_terms *out);

/* Of stored name key and tokens: gives the terms that were written for them. */
void search_terms_of_tokens(struct arena *arena, struct str name_key, struct str tokens,
                            struct search_terms *out);

/*
 * The words of a query: folded, each once, none the beginning of another. Returns how many there
 * are, which may be above `max`; only `max` are written.
 */
size_t search_terms_query(struct arena *arena, struct str query, struct str *words, size_t max);

/* Does one of the tokens begin with the word? */
bool search_terms_match(struct str tokens, struct str word);

/* The bytes of the first `chars` code points. */
struct str search_terms_head(struct str word, size_t chars);
