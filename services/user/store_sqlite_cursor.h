/*
 * The users that one word finds, as a stream in the order of the answer (name key, id) that can be
 * told to leap forward: one run of keys, or several that are merged.
 *
 * Which way is taken depends on the word's length and on how much lies below it in the index (see
 * search_terms.h): the rows of one term as they lie; the rows of few terms merged; few rows of more
 * terms, read and sorted; many of both merged; or, when even the terms are too many, the rows of a
 * shorter word (`coarse`), of which each has to be checked against the user's tokens.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"
#include "db/db.h"

#include <stdbool.h>

struct search_key {
    struct str name_key;
    struct id id;
};

/* The work of one search: its connection, memory, and the seeks it may still do. */
struct search_work {
    struct db *db;
    uint32_t tenant;
    struct arena *arena;
    int seeks_left;
};

/* Keys in order: those that have been read and, of a term, those behind them. */
struct cursor_run {
    struct str term; /* unless `last` */
    struct search_key *keys;
    size_t count, at, room;
    size_t ahead; /* how many to read next time */
    bool last;    /* nothing comes behind the keys */
    bool end;     /* nothing is left; else keys[at] is the first */
};

struct cursor {
    bool coarse, end;
    struct search_key head; /* unless `end` */
    struct cursor_run *runs;
    size_t count;
};

/* How many terms are merged at most. */
enum { CURSOR_TERMS_MAX = 512, CURSOR_TERMS_AMONG_OTHERS = 64 };

int cursor_compare(const struct search_key *a, const struct search_key *b);

/* The least key above this one. */
struct search_key cursor_above(const struct search_key *key);

/*
 * Stands on the first key that is not below `from`. `ahead` keys of it will be wanted one after the
 * other, as far as can be told; how it went decides how far is read ahead later.
 */
enum code cursor_open(struct search_work *work, struct str word, size_t terms_max, size_t ahead,
                      const struct search_key *from, struct cursor *cursor,
                      struct error *err) MUST_CHECK;

/* Leaps forward to the first key that is not below `from`. */
enum code cursor_seek(struct search_work *work, struct cursor *cursor,
                      const struct search_key *from, struct error *err) MUST_CHECK;
