/*
 * Search: the words' cursors leap over each other until they stand on the same user. The work is
 * bounded per page: two frequent words that never meet give an empty page that can be gone on
 * from, not a slow one.
 */
#include "user/store_sqlite_cursor.h"
#include "user/store_sqlite_reader.h"

#include "user/reasons.h"

#include <string.h>

enum { SEEKS_MAX = 4000 };

struct search {
    struct search_work work;
    const struct str *words;
    size_t word_count;
    struct cursor cursors[STORE_SEARCH_WORDS_MAX];
    bool coarse;
};

static const char TOKENS[] = "SELECT tokens FROM users WHERE tenant = ?1 AND id = ?2";

/* Do the user's tokens bear out what coarse cursors promise? */
static enum code check_tokens(struct search *search, const struct search_key *key, bool *hit,
                              struct error *err)
{
    struct db_stmt *stmt = db_prepare(search->work.db, TOKENS, err);
    bool row;
    if (!stmt)
        return err->code;
    search->work.seeks_left--;
    db_bind_i64(stmt, 1, search->work.tenant);
    db_bind_blob(stmt, 2, (struct str){(const char *)key->id.bytes, sizeof key->id.bytes});
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    *hit = row;
    for (size_t i = 0; *hit && i < search->word_count; i++)
        *hit = search_terms_match(db_blob(stmt, 0), search->words[i]);
    db_reset(stmt);
    return CODE_OK;
}

/*
 * Moves `at` to the next key that all cursors share. *hit false and *end false: the work is used
 * up and `at` is where to go on.
 */
static enum code next_hit(struct search *search, struct search_key *at, bool *hit, bool *end,
                          struct error *err)
{
    size_t agreed = 0;
    *hit = *end = false;
    for (size_t i = 0; search->work.seeks_left > 0; i = (i + 1) % search->word_count) {
        struct cursor *cursor = &search->cursors[i];
        if (cursor_seek(&search->work, cursor, at, err) != CODE_OK)
            return err->code;
        *end = cursor->end;
        if (*end)
            return CODE_OK;
        agreed = cursor_compare(&cursor->head, at) == 0 ? agreed + 1 : 1;
        *at = cursor->head;
        if (agreed < search->word_count)
            continue;
        *hit = true;
        if (search->coarse && check_tokens(search, at, hit, err) != CODE_OK)
            return err->code;
        if (*hit)
            return CODE_OK;
        *at = cursor_above(at);
        agreed = 0;
    }
    return CODE_OK;
}

static struct str encode_key(struct arena *arena, const struct search_key *key)
{
    size_t size = sizeof key->id.bytes + key->name_key.len;
    char *to = arena_alloc(arena, size);
    memcpy(to, key->id.bytes, sizeof key->id.bytes);
    if (key->name_key.len)
        memcpy(to + sizeof key->id.bytes, key->name_key.ptr, key->name_key.len);
    return (struct str){to, size};
}

/* A page and the one behind it, which tells where the next page begins. */
static enum code open_cursors(struct search *search, const struct search_key *from, size_t limit,
                              struct error *err)
{
    bool alone = search->word_count == 1;
    size_t terms_max = alone ? CURSOR_TERMS_MAX : CURSOR_TERMS_AMONG_OTHERS;
    for (size_t i = 0; i < search->word_count; i++) {
        if (cursor_open(&search->work, search->words[i], terms_max, alone ? limit + 1 : 1, from,
                        &search->cursors[i], err) != CODE_OK)
            return err->code;
        search->coarse = search->coarse || search->cursors[i].coarse;
    }
    /* Opening may cost as much as it likes; what follows is bounded, and moves on at least once. */
    search->work.seeks_left = SEEKS_MAX;
    return CODE_OK;
}

static enum code run_search(struct search *search, struct search_key at, size_t limit,
                            struct store_page *page, struct error *err)
{
    struct arena *arena = search->work.arena;
    bool hit = false, end = false, found = false;
    if (open_cursors(search, &at, limit, err) != CODE_OK)
        return err->code;
    for (;;) {
        if (next_hit(search, &at, &hit, &end, err) != CODE_OK)
            return err->code;
        if (end)
            return CODE_OK;
        if (!hit || page->count == limit)
            break;
        struct user *user = &page->users[page->count];
        if (store_sqlite_load(search->work.db, search->work.tenant, at.id, arena, user, &found,
                              err) != CODE_OK)
            return err->code;
        page->count += found;
        at = cursor_above(&at);
    }
    page->next = encode_key(arena, &at);
    return CODE_OK;
}

enum code store_sqlite_search(struct store *base, const struct store_call *call,
                              const struct str *words, size_t word_count, struct str after,
                              size_t limit, struct arena *arena, struct store_page *page,
                              struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct search_key from = {.name_key = str_from(after, sizeof from.id.bytes)};
    struct reader *reader;
    *page = (struct store_page){.users = arena_alloc(arena, (limit + 1) * sizeof *page->users)};
    if ((after.len && after.len < sizeof from.id.bytes) || word_count > STORE_SEARCH_WORDS_MAX)
        return error_set(err, CODE_INVALID_ARGUMENT, REASON_PAGE_TOKEN_INVALID,
                         "this is no position in a search");
    if (!word_count)
        return CODE_OK;
    if (after.len)
        memcpy(from.id.bytes, after.ptr, sizeof from.id.bytes);
    if (store_sqlite_view_begin(store, call->remaining_ms, &reader, err) != CODE_OK)
        return err->code;
    struct search *search = arena_alloc0(arena, sizeof *search);
    search->work = (struct search_work){reader->db, call->tenant, arena, 0};
    search->words = words;
    search->word_count = word_count;
    enum code code = run_search(search, from, limit, page, err);
    store_sqlite_view_end(store, reader);
    return code;
}
