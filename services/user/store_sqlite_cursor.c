/*
 * Measured with 1 million users on two busy cores, first page of 20 with its users: one term 0.16
 * ms, two letters (a merge of some 40 terms) 0.24 ms, four to six letters 0.35 to 0.4 ms on
 * average, one below which so much lies that the coarse way is taken 3-5 ms.
 */
#include "user/store_sqlite_cursor.h"

#include "user/search_terms.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MANY = 4,   /* of a term: to leap over more costs less than to read them */
    ROWS_MAX = 512,  /* of terms with fewer: they are sorted */
    AHEAD_MAX = 128, /* keys of a term that are read at once */
    ROWS_A_SEEK = 8, /* that cost as much as a seek */
};

static struct str id_bytes(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

int cursor_compare(const struct search_key *a, const struct search_key *b)
{
    int order = str_cmp(a->name_key, b->name_key);
    return order ? order : memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
}

struct search_key cursor_above(const struct search_key *key)
{
    struct search_key above = *key;
    for (int i = 15; i >= 0 && ++above.id.bytes[i] == 0; i--)
        ;
    return above;
}

static struct search_key read_key(struct db_stmt *stmt, int column, struct arena *arena)
{
    struct search_key key = {.name_key = arena_str(arena, db_blob(stmt, column))};
    struct str id = db_blob(stmt, column + 1);
    if (id.len == sizeof key.id.bytes)
        memcpy(key.id.bytes, id.ptr, id.len);
    return key;
}

/* --- one run --- */

static const char SEEK_KEYS[] =
    "SELECT name_key, id FROM terms WHERE tenant = ?1 AND term = ?2 AND (name_key, id) >= (?3, ?4)"
    " ORDER BY name_key, id LIMIT ?5";

/* The next keys of the run's term, from `from` on. */
static enum code read_keys(struct search_work *work, struct cursor_run *run,
                           const struct search_key *from, struct error *err)
{
    struct db_stmt *stmt = db_prepare(work->db, SEEK_KEYS, err);
    bool row;
    enum code code;
    if (!stmt)
        return err->code;
    work->seeks_left -= 1 + (int)run->ahead / ROWS_A_SEEK;
    db_bind_i64(stmt, 1, work->tenant);
    db_bind_blob(stmt, 2, run->term);
    db_bind_blob(stmt, 3, from->name_key);
    db_bind_blob(stmt, 4, id_bytes(&from->id));
    db_bind_i64(stmt, 5, (int64_t)run->ahead);
    run->count = run->at = 0;
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row)
        run->keys[run->count++] = read_key(stmt, 0, work->arena);
    run->last = run->count < run->ahead;
    return code;
}

/* Twice as many as last time when all of those were walked through, one when they were leapt over.
 */
static void look_further(struct cursor_run *run, struct arena *arena)
{
    if (run->count)
        run->ahead = run->at + 1 >= run->count ? run->ahead * 2 : 1;
    if (run->ahead > AHEAD_MAX)
        run->ahead = AHEAD_MAX;
    if (run->ahead > run->room) {
        run->room = run->ahead;
        run->keys = arena_alloc(arena, run->room * sizeof *run->keys);
    }
}

/* False when all that have been read are below `from`. */
static bool seek_keys(struct cursor_run *run, const struct search_key *from)
{
    size_t low = run->at, high = run->count;
    if (low < high && cursor_compare(&run->keys[low], from) >= 0)
        return true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cursor_compare(&run->keys[middle], from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == run->count)
        return false;
    run->at = low;
    return true;
}

static enum code seek_run(struct search_work *work, struct cursor_run *run,
                          const struct search_key *from, struct error *err)
{
    if (run->end || seek_keys(run, from))
        return CODE_OK;
    if (!run->last) {
        look_further(run, work->arena);
        if (read_keys(work, run, from, err) != CODE_OK)
            return err->code;
    }
    run->end = !seek_keys(run, from);
    return CODE_OK;
}

/* Moves all runs to `from`, and the cursor to the first of their keys. */
static enum code merge(struct search_work *work, struct cursor *cursor,
                       const struct search_key *from, struct error *err)
{
    cursor->end = true;
    for (size_t i = 0; i < cursor->count; i++) {
        struct cursor_run *run = &cursor->runs[i];
        if (seek_run(work, run, from, err) != CODE_OK)
            return err->code;
        if (!run->end && (cursor->end || cursor_compare(&run->keys[run->at], &cursor->head) < 0)) {
            cursor->head = run->keys[run->at];
            cursor->end = false;
        }
    }
    return CODE_OK;
}

enum code cursor_seek(struct search_work *work, struct cursor *cursor,
                      const struct search_key *from, struct error *err)
{
    if (cursor->end || cursor_compare(&cursor->head, from) >= 0)
        return CODE_OK;
    return merge(work, cursor, from, err);
}

/* --- the terms below a word --- */

static const char ROWS_BELOW[] = "SELECT term, name_key, id FROM terms"
                                 " WHERE tenant = ?1 AND term >= ?2 AND term < ?3"
                                 " ORDER BY term, name_key, id";

/* What has been read of them: a run for each term with many rows, and the rows of all others. */
struct below {
    struct str term; /* the last one; followed by a zero byte */
    bool dense;      /* it has many rows: it is to be leapt over */
    struct search_key rows[ROWS_MAX];
    size_t count;
};

/* Reads on until a term turns out to have many rows, or there is nothing more, or too much. */
static enum code read_rows(struct search_work *work, struct str low, struct str high,
                           struct below *below, struct error *err)
{
    struct db_stmt *stmt = db_prepare(work->db, ROWS_BELOW, err);
    size_t same = 0;
    bool row;
    enum code code;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, work->tenant);
    db_bind_blob(stmt, 2, low);
    db_bind_blob(stmt, 3, high);
    below->dense = false;
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row && below->count < ROWS_MAX) {
        struct str term = db_blob(stmt, 0);
        if (!same || !str_eq(term, below->term)) {
            below->term = arena_str(work->arena, term);
            same = 0;
        }
        below->rows[below->count++] = read_key(stmt, 1, work->arena);
        below->dense = ++same == ROWS_MANY;
        if (below->dense)
            break;
    }
    db_reset(stmt);
    return code;
}

/* The last rows become the beginning of a run of their own. */
static void add_run(struct search_work *work, struct below *below, struct cursor *cursor)
{
    struct cursor_run *run = &cursor->runs[cursor->count++];
    *run = (struct cursor_run){.term = below->term,
                               .keys = arena_alloc(work->arena, ROWS_MANY * sizeof *run->keys),
                               .count = ROWS_MANY,
                               .room = ROWS_MANY,
                               .ahead = ROWS_MANY};
    below->count -= ROWS_MANY;
    memcpy(run->keys, &below->rows[below->count], ROWS_MANY * sizeof *run->keys);
}

static int compare(const void *a, const void *b)
{
    return cursor_compare(a, b);
}

/* The same user may have several terms. */
static size_t without_doubles(struct search_key *keys, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!kept || cursor_compare(&keys[kept - 1], &keys[i]) != 0)
            keys[kept++] = keys[i];
    return kept;
}

/* *few is false when there are more than `terms_max` terms with many rows, or too many rows of
 * others. */
static enum code open_below(struct search_work *work, struct str low, struct str high,
                            size_t terms_max, struct cursor *cursor, bool *few, struct error *err)
{
    struct below *below = arena_alloc(work->arena, sizeof *below);
    cursor->runs = arena_alloc(work->arena, (terms_max + 1) * sizeof *cursor->runs);
    below->count = 0;
    do {
        if (read_rows(work, low, high, below, err) != CODE_OK)
            return err->code;
        *few = below->count < ROWS_MAX && cursor->count < terms_max;
        if (below->dense && *few) {
            add_run(work, below, cursor);
            /* The zero byte behind the term makes it the least that comes after it. */
            low = (struct str){below->term.ptr, below->term.len + 1};
        }
    } while (below->dense && *few);
    if (!*few)
        return CODE_OK;
    qsort(below->rows, below->count, sizeof *below->rows, compare);
    cursor->runs[cursor->count++] = (struct cursor_run){
        .keys = below->rows, .count = without_doubles(below->rows, below->count), .last = true};
    return CODE_OK;
}

/* --- any word --- */

static struct str make_term(struct arena *arena, const char *before, struct str text,
                            const char *behind)
{
    size_t head = strlen(before), tail = strlen(behind);
    char *to = arena_alloc(arena, head + text.len + tail);
    memcpy(to, before, head);
    memcpy(to + head, text.ptr, text.len);
    memcpy(to + head + text.len, behind, tail);
    return (struct str){to, head + text.len + tail};
}

static enum code open_term(struct search_work *work, const char *kind, struct str text,
                           size_t ahead, const struct search_key *from, struct cursor *cursor,
                           struct error *err)
{
    cursor->runs = arena_alloc(work->arena, sizeof *cursor->runs);
    cursor->runs[0] =
        (struct cursor_run){.term = make_term(work->arena, kind, text, ""), .ahead = ahead};
    cursor->count = 1;
    return merge(work, cursor, from, err);
}

enum code cursor_open(struct search_work *work, struct str word, size_t terms_max, size_t ahead,
                      const struct search_key *from, struct cursor *cursor, struct error *err)
{
    struct str head = search_terms_head(word, SEARCH_HEAD_CHARS);
    struct str first = search_terms_head(word, 1);
    bool few = false;
    *cursor = (struct cursor){0};
    if (first.len == word.len)
        return open_term(work, "1", word, ahead, from, cursor, err);
    bool short_word = search_terms_head(word, SEARCH_HEAD_CHARS - 1).len == word.len;
    if (!short_word && head.len == word.len)
        return open_term(work, "2", word, ahead, from, cursor, err);

    const char *kind = short_word ? "2" : "3";
    struct str low = make_term(work->arena, kind, word, "");
    struct str high = make_term(work->arena, kind, word, "\xFF");
    if (open_below(work, low, high, terms_max, cursor, &few, err) != CODE_OK)
        return err->code;
    if (few)
        return merge(work, cursor, from, err);
    cursor->coarse = true;
    return open_term(work, short_word ? "1" : "2", short_word ? first : head, ahead, from, cursor,
                     err);
}
