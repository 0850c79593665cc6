/*
 * Makes up a person's name: a culture, names of it in its order and script, and now and then what
 * real directories hold as well: one name only, titles, quoted nicknames, decomposed accents,
 * emoji, names as long as they may be.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "omnictl/random.h"

#include <stddef.h>

enum {
    PERSON_NAME_CHARACTERS = 200, /* the contract's limits: user.proto */
    PERSON_PART_CHARACTERS = 100,
    PERSON_CULTURES_MAX = 64,
};

struct person_book; /* all names in memory; read only once made */

/* Room for one name, to be used again for the next. */
struct person {
    struct buf display_name, given_name, family_name;
    struct str given_ascii, family_ascii; /* of the first given and the first family name */
    struct buf ascii;                     /* what they point into, when put together */
    struct str country;
};

struct person_book *person_book_new(void);
void person_book_free(struct person_book *book);

void person_init(struct person *person);
void person_clear(struct person *person);

/* The same numbers give the same person. */
void person_make(const struct person_book *book, struct random *random, struct person *person);

/* The first `count` characters (code points) of a valid UTF-8 text. */
struct str person_cut(struct str text, size_t count);
