/*
 * The users that one word finds, as a stream in the order of the answer (name key, id) that can be
 * told to leap forward.
 *
 * Which way is taken depends on the word's length and on how much lies below it in the index (see
 * search_terms.h): the rows of one term as they lie; the rows of few terms read and sorted; many
 * rows of few terms merged, a seek per term and step; or, when even the terms are many, the rows of
 * a shorter word (`coarse`), of which each has to be checked against the user's tokens.
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

struct cursor_stream {
    struct str term;
    struct search_key head;
    bool end;
};

struct cursor {
    enum { CURSOR_TERM, CURSOR_LIST, CURSOR_MERGE } kind;
    bool coarse, end;
    struct search_key head; /* unless `end` */
    struct str term;        /* CURSOR_TERM */
    struct search_key *list;
    size_t count, at;
    struct cursor_stream *streams;
};

/* How many terms are merged at most. */
enum { CURSOR_TERMS_MAX = 512, CURSOR_TERMS_AMONG_OTHERS = 64 };

int cursor_compare(const struct search_key *a, const struct search_key *b);

/* The least key above this one. */
struct search_key cursor_above(const struct search_key *key);

/* Stands on the first key that is not below `from`. */
enum code cursor_open(struct search_work *work, struct str word, size_t terms_max,
                      const struct search_key *from, struct cursor *cursor,
                      struct error *err) MUST_CHECK;

/* Leaps forward to the first key that is not below `from`. */
enum code cursor_seek(struct search_work *work, struct cursor *cursor,
                      const struct search_key *from, struct error *err) MUST_CHECK;
