/*
 * The names that `omnictl gen` makes people of: tables by culture, the common names first, and the
 * writing of any name in ASCII as it stands in email addresses.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum culture_flag {
    CULTURE_FAMILY_FIRST = 1, /* the family name comes first in the full name */
    CULTURE_NO_SPACE = 2,     /* and nothing stands between the two */
    CULTURE_SYLLABLES = 4,    /* a given name is one or two entries of its table in one */
    CULTURE_TWO_FAMILIES = 8, /* often two family names, the father's and the mother's */
    CULTURE_MIDDLE = 16,      /* often a second given name */
    CULTURE_HYPHEN = 32,      /* sometimes a hyphenated given or family name */
    CULTURE_MONONYM = 64,     /* often one name only */
};

/*
 * Entries are separated by `|`, the frequent ones first; `native=ascii` where the ASCII form cannot
 * be derived letter by letter (see names_fold).
 */
struct culture {
    const char *given, *family;
    const char *countries; /* ISO 3166 codes, the frequent ones first */
    uint32_t weight;       /* how many of a thousand people, about */
    uint32_t flags;
};

struct culture_table {
    const struct culture *cultures;
    size_t count;
};

/* One table per file names_*.c. */
extern const struct culture_table NAMES_WEST, NAMES_EAST_EUROPE, NAMES_SOUTH, NAMES_ASIA;

struct name {
    struct str native, ascii;
};

/* Names of which the first is drawn most often, as Zipf's law has it. */
struct name_list {
    struct name *names;
    uint32_t *reach; /* names[i] is drawn for values below reach[i] and not below reach[i - 1] */
    size_t count;
};

/* Reads the `|` form into the arena. */
struct name_list names_parse(struct arena *arena, const char *entries);

/* The name that belongs to a random number. */
const struct name *names_draw(const struct name_list *list, uint64_t random);

/*
 * Appends lower-case ASCII letters and digits for a text in Latin, Cyrillic or Greek letters, ê to
 * e, ж to zh; everything else is left out.
 */
void names_fold(struct buf *out, struct str text);
