/*
 * Measured with 1 million users on two cores, first page of 20: one term 0.06 ms, two letters (a
 * merge of some 40 terms) 0.15 ms, a long word below which lie hundreds of terms 0.6 ms, one with
 * so many that the coarse way is taken 3-5 ms.
 */
#include "user/store_sqlite_cursor.h"

#include "user/search_terms.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 512 };

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

/* --- one term --- */

static const char SEEK_KEY[] =
    "SELECT name_key, id FROM terms WHERE tenant = ?1 AND term = ?2 AND (name_key, id) >= (?3, ?4)"
    " ORDER BY name_key, id LIMIT 1";

static enum code seek_term(struct search_work *work, struct str term, const struct search_key *from,
                           struct search_key *head, bool *end, struct error *err)
{
    struct db_stmt *stmt = db_prepare(work->db, SEEK_KEY, err);
    bool row;
    if (!stmt)
        return err->code;
    work->seeks_left--;
    db_bind_i64(stmt, 1, work->tenant);
    db_bind_blob(stmt, 2, term);
    db_bind_blob(stmt, 3, from->name_key);
    db_bind_blob(stmt, 4, id_bytes(&from->id));
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    *end = !row;
    if (row)
        *head = read_key(stmt, 0, work->arena);
    db_reset(stmt);
    return CODE_OK;
}

/* --- few rows: read and sort --- */

static const char ROWS_BELOW[] = "SELECT name_key, id FROM terms"
                                 " WHERE tenant = ?1 AND term >= ?2 AND term < ?3 LIMIT ?4";

static int compare(const void *a, const void *b)
{
    return cursor_compare(a, b);
}

static size_t without_doubles(struct search_key *keys, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!kept || cursor_compare(&keys[kept - 1], &keys[i]) != 0)
            keys[kept++] = keys[i];
    return kept;
}

/* *few is false when there are more than LIST_MAX rows. */
static enum code try_list(struct search_work *work, struct str low, struct str high,
                          struct cursor *cursor, bool *few, struct error *err)
{
    struct db_stmt *stmt = db_prepare(work->db, ROWS_BELOW, err);
    bool row;
    enum code code;
    size_t count = 0;
    if (!stmt)
        return err->code;
    cursor->list = arena_alloc(work->arena, (LIST_MAX + 1) * sizeof *cursor->list);
    db_bind_i64(stmt, 1, work->tenant);
    db_bind_blob(stmt, 2, low);
    db_bind_blob(stmt, 3, high);
    db_bind_i64(stmt, 4, LIST_MAX + 1);
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row)
        cursor->list[count++] = read_key(stmt, 0, work->arena);
    *few = count <= LIST_MAX;
    if (code == CODE_OK && *few) {
        qsort(cursor->list, count, sizeof *cursor->list, compare);
        cursor->count = without_doubles(cursor->list, count);
        cursor->kind = CURSOR_LIST;
    }
    return code;
}

static void seek_list(struct cursor *cursor, const struct search_key *from)
{
    size_t low = cursor->at, high = cursor->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cursor_compare(&cursor->list[middle], from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    cursor->at = low;
    cursor->end = low == cursor->count;
    if (!cursor->end)
        cursor->head = cursor->list[low];
}

/* --- few terms: merge --- */

static const char NEXT_TERM[] = "SELECT term, name_key, id FROM terms"
                                " WHERE tenant = ?1 AND term >= ?2 AND term < ?3"
                                " ORDER BY term, name_key, id LIMIT 1";

static enum code next_term(struct search_work *work, struct str low, struct str high,
                           struct cursor_stream *stream, struct error *err)
{
    struct db_stmt *stmt = db_prepare(work->db, NEXT_TERM, err);
    bool row;
    if (!stmt)
        return err->code;
    work->seeks_left--;
    db_bind_i64(stmt, 1, work->tenant);
    db_bind_blob(stmt, 2, low);
    db_bind_blob(stmt, 3, high);
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    stream->end = !row;
    if (row) {
        stream->term = arena_str(work->arena, db_blob(stmt, 0));
        stream->head = read_key(stmt, 1, work->arena);
    }
    db_reset(stmt);
    return CODE_OK;
}

/* *few is false when there are more than `terms_max` terms. */
static enum code try_merge(struct search_work *work, struct str low, struct str high,
                           size_t terms_max, struct cursor *cursor, bool *few, struct error *err)
{
    cursor->streams = arena_alloc(work->arena, (terms_max + 1) * sizeof *cursor->streams);
    cursor->count = 0;
    for (;;) {
        struct cursor_stream *stream = &cursor->streams[cursor->count];
        if (next_term(work, low, high, stream, err) != CODE_OK)
            return err->code;
        if (stream->end || cursor->count == terms_max)
            break;
        cursor->count++;
        /* The term with a zero byte behind it is the least that comes after it; arena_str puts
         * one there. */
        low = (struct str){stream->term.ptr, stream->term.len + 1};
    }
    *few = cursor->count < terms_max;
    cursor->kind = CURSOR_MERGE;
    return CODE_OK;
}

static enum code seek_merge(struct search_work *work, struct cursor *cursor,
                            const struct search_key *from, struct error *err)
{
    cursor->end = true;
    for (size_t i = 0; i < cursor->count; i++) {
        struct cursor_stream *stream = &cursor->streams[i];
        if (!stream->end && cursor_compare(&stream->head, from) < 0 &&
            seek_term(work, stream->term, from, &stream->head, &stream->end, err) != CODE_OK)
            return err->code;
        if (!stream->end && (cursor->end || cursor_compare(&stream->head, &cursor->head) < 0)) {
            cursor->head = stream->head;
            cursor->end = false;
        }
    }
    return CODE_OK;
}

/* --- any --- */

enum code cursor_seek(struct search_work *work, struct cursor *cursor,
                      const struct search_key *from, struct error *err)
{
    if (cursor->end || cursor_compare(&cursor->head, from) >= 0)
        return CODE_OK;
    switch (cursor->kind) {
    case CURSOR_TERM:
        return seek_term(work, cursor->term, from, &cursor->head, &cursor->end, err);
    case CURSOR_LIST:
        seek_list(cursor, from);
        break;
    case CURSOR_MERGE:
        return seek_merge(work, cursor, from, err);
    }
    return CODE_OK;
}

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
                           const struct search_key *from, struct cursor *cursor, struct error *err)
{
    cursor->kind = CURSOR_TERM;
    cursor->term = make_term(work->arena, kind, text, "");
    return seek_term(work, cursor->term, from, &cursor->head, &cursor->end, err);
}

enum code cursor_open(struct search_work *work, struct str word, size_t terms_max,
                      const struct search_key *from, struct cursor *cursor, struct error *err)
{
    struct str head = search_terms_head(word, SEARCH_HEAD_CHARS);
    struct str first = search_terms_head(word, 1);
    bool few = false;
    *cursor = (struct cursor){0};
    if (first.len == word.len)
        return open_term(work, "1", word, from, cursor, err);
    bool short_word = search_terms_head(word, SEARCH_HEAD_CHARS - 1).len == word.len;
    if (!short_word && head.len == word.len)
        return open_term(work, "2", word, from, cursor, err);

    const char *kind = short_word ? "2" : "3";
    struct str low = make_term(work->arena, kind, word, "");
    struct str high = make_term(work->arena, kind, word, "\xFF");
    if (try_list(work, low, high, cursor, &few, err) != CODE_OK)
        return err->code;
    if (few) {
        seek_list(cursor, from);
        return CODE_OK;
    }
    if (try_merge(work, low, high, terms_max, cursor, &few, err) != CODE_OK)
        return err->code;
    if (few)
        return seek_merge(work, cursor, from, err);
    cursor->coarse = true;
    return open_term(work, short_word ? "1" : "2", short_word ? first : head, from, cursor, err);
}
