/*
 * Search. The rarest word would be the best to go by; what is known without counting is that long
 * words are rare. So the tokens below each word are read, the longest word first, as far as they
 * are few: they are sorted, and the rows of the others need not be looked at. When all words are
 * frequent, rows in the order of the answer are read and filtered, which then finds many.
 */
#include "user/store_dynamodb_internal.h"

#include "user/reasons.h"

#include <stdlib.h>
#include <string.h>

enum {
    LIST_ROWS_MAX = 500,   /* tokens below a word that are read and sorted */
    PROBES_MAX = 3,        /* words of which this is tried */
    SCAN_ROWS_MAX = 10000, /* rows in order that are read for one page */
    SCAN_ROWS_LEAST = 50,
};

/* Which way a page was made: the next one need not find out again that the words are frequent. */
enum { WAY_LIST = 'l', WAY_SCAN = 's', POSITION_LEAST = 1 + sizeof(struct id) };

struct hit {
    struct str sk; /* NAME⇥UUID: the order of the answer */
    struct id id;
};

struct search {
    struct store_dynamodb *store;
    uint32_t tenant;
    int64_t until_ms;
    struct arena *arena;
    const struct str *words[STORE_SEARCH_WORDS_MAX]; /* the longest first */
    size_t word_count;
    size_t limit;
    struct store_page *page;
    struct str at; /* the position: go on from here, this one included */
    bool scans;    /* the page before was made so */
};

static size_t chars_of(struct str word)
{
    size_t chars = 0;
    while (search_terms_head(word, chars).len < word.len)
        chars++;
    return chars;
}

static bool matches(const struct search *search, struct str tokens)
{
    for (size_t i = 0; i < search->word_count; i++)
        if (!search_terms_match(tokens, *search->words[i]))
            return false;
    return true;
}

/* Of this row, or of what may come behind it: the way, the id, the name key. */
static struct str encode_position(struct arena *arena, char way, struct str sk, bool behind)
{
    struct str name_key;
    struct id id;
    if (!dynamodb_read_name_sk(sk, &name_key, &id))
        return (struct str){0};
    for (size_t i = sizeof id.bytes; behind && i > 0; i--)
        behind = ++id.bytes[i - 1] == 0;
    char *to = arena_alloc(arena, POSITION_LEAST + name_key.len);
    to[0] = way;
    memcpy(to + 1, id.bytes, sizeof id);
    memcpy(to + POSITION_LEAST, name_key.ptr, name_key.len);
    return (struct str){to, POSITION_LEAST + name_key.len};
}

static bool read_position(struct search *search, struct str after)
{
    struct id id;
    if (!after.len)
        return true;
    if (after.len < POSITION_LEAST || (after.ptr[0] != WAY_LIST && after.ptr[0] != WAY_SCAN))
        return false;
    memcpy(id.bytes, after.ptr + 1, sizeof id);
    search->scans = after.ptr[0] == WAY_SCAN;
    search->at = dynamodb_name_sk(search->arena, str_from(after, POSITION_LEAST), id);
    return true;
}

/* The users of these hits, but for those that have changed since their rows were read. */
static enum code load_hits(struct search *search, const struct hit *hits, size_t count,
                           struct error *err)
{
    struct arena *arena = search->arena;
    struct dynamodb_key *keys = arena_alloc(arena, (count + 1) * sizeof *keys);
    const struct json_value **items = arena_alloc(arena, (count + 1) * sizeof *items);
    struct store_page *page = search->page;
    for (size_t i = 0; i < count; i++)
        keys[i] = dynamodb_user_key(arena, search->tenant, hits[i].id);
    if (dynamodb_fetch(&search->store->table.ops, keys, count, search->until_ms, arena, items,
                       err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < count; i++) {
        if (!items[i] || !matches(search, dynamodb_text(items[i], "tk")) ||
            !str_eq(dynamodb_name_sk(arena, dynamodb_text(items[i], "nk"), hits[i].id), hits[i].sk))
            continue;
        if (item_user(items[i], arena, &page->users[page->count++], err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

/* --- few tokens: a list --- */

static int by_sk(const void *a, const void *b)
{
    return str_cmp(((const struct hit *)a)->sk, ((const struct hit *)b)->sk);
}

/* All the tokens below the word, if they are few: of each user once, those at or behind the
 * position that have all the words. */
static enum code read_list(struct search *search, struct str word, struct hit *hits, size_t *count,
                           bool *few, struct error *err)
{
    struct dynamodb_query query = {
        .pk = dynamodb_text_pk(search->arena, search->tenant, 'w', search_terms_head(word, 1)),
        .from = word,
        .prefix = true};
    const struct json_value *items;
    size_t rows = 0;
    *count = 0;
    do {
        if (dynamodb_page(&search->store->table.ops, &query, LIST_ROWS_MAX - rows, search->until_ms,
                          search->arena, &items, err) != CODE_OK)
            return err->code;
        rows += items->count;
        for (const struct json_value *item = items->first; item; item = item->next) {
            struct hit *hit = &hits[*count];
            struct str rest = dynamodb_text(item, "sk"), token, name_key;
            if (!str_next(&rest, '\t', &token) || !dynamodb_read_name_sk(rest, &name_key, &hit->id))
                continue;
            hit->sk = rest;
            *count += str_cmp(rest, search->at) >= 0 && matches(search, dynamodb_text(item, "t"));
        }
    } while (query.start.len && rows < LIST_ROWS_MAX);
    *few = !query.start.len;
    return CODE_OK;
}

static enum code answer_list(struct search *search, struct hit *hits, size_t count,
                             struct error *err)
{
    size_t distinct = 0;
    if (count)
        qsort(hits, count, sizeof *hits, by_sk);
    for (size_t i = 0; i < count; i++)
        if (!distinct || !str_eq(hits[distinct - 1].sk, hits[i].sk))
            hits[distinct++] = hits[i];
    if (distinct > search->limit) {
        search->page->next =
            encode_position(search->arena, WAY_LIST, hits[search->limit].sk, false);
        distinct = search->limit;
    }
    return load_hits(search, hits, distinct, err);
}

/* --- many: rows in order --- */

static enum code scan(struct search *search, struct error *err)
{
    struct str word = *search->words[0];
    bool headed = chars_of(word) >= SEARCH_HEAD_CHARS;
    struct dynamodb_query query = {.from = search->at};
    struct hit *hits = arena_alloc(search->arena, (search->limit + 1) * sizeof *hits);
    const struct json_value *items;
    size_t count = 0, rows = 0;
    if (headed)
        query.pk = dynamodb_text_pk(search->arena, search->tenant, 'h',
                                    search_terms_head(word, SEARCH_HEAD_CHARS));
    else
        query.pk = str_of(arena_printf(search->arena, "%u/n", search->tenant));
    /* More with each request: where few are found, many have to be looked at. */
    for (size_t ask = search->limit + SCAN_ROWS_LEAST; count <= search->limit;
         ask = ask < SCAN_ROWS_MAX / 2 ? 2 * ask : SCAN_ROWS_MAX) {
        if (dynamodb_page(&search->store->table.ops, &query, ask, search->until_ms, search->arena,
                          &items, err) != CODE_OK)
            return err->code;
        rows += items->count;
        for (const struct json_value *item = items->first; item && count <= search->limit;
             item = item->next) {
            struct hit hit = {.sk = dynamodb_text(item, "sk")};
            struct str name_key;
            if (matches(search, dynamodb_text(item, "t")) &&
                dynamodb_read_name_sk(hit.sk, &name_key, &hit.id))
                hits[count++] = hit;
        }
        if (!query.start.len || rows >= SCAN_ROWS_MAX)
            break;
    }
    if (count > search->limit)
        search->page->next = encode_position(search->arena, WAY_SCAN, hits[--count].sk, false);
    else if (query.start.len)
        search->page->next = encode_position(search->arena, WAY_SCAN, query.start, true);
    return load_hits(search, hits, count, err);
}

/* --- which way --- */

static int longest_first(const void *a, const void *b)
{
    size_t x = chars_of(**(const struct str *const *)a),
           y = chars_of(**(const struct str *const *)b);
    return (x < y) - (x > y);
}

static enum code run(struct search *search, struct error *err)
{
    struct hit *hits = arena_alloc(search->arena, (LIST_ROWS_MAX + 1) * sizeof *hits);
    qsort(search->words, search->word_count, sizeof *search->words, longest_first);
    for (size_t i = 0; !search->scans && i < search->word_count && i < PROBES_MAX; i++) {
        size_t count = 0;
        bool few = false;
        if (read_list(search, *search->words[i], hits, &count, &few, err) != CODE_OK)
            return err->code;
        if (few)
            return answer_list(search, hits, count, err);
    }
    return scan(search, err);
}

enum code store_dynamodb_search(struct store *base, const struct store_call *call,
                                const struct str *words, size_t word_count, struct str after,
                                size_t limit, struct arena *arena, struct store_page *page,
                                struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    struct search search = {
        .store = store,
        .tenant = call->tenant,
        .until_ms = dynamodb_until(&store->table.ops, call->remaining_ms),
        .arena = arena,
        .word_count = word_count,
        .limit = limit,
        .page = page,
    };
    *page = (struct store_page){.users = arena_alloc(arena, (limit + 1) * sizeof *page->users)};
    if (word_count > STORE_SEARCH_WORDS_MAX || !read_position(&search, after))
        return error_set(err, CODE_INVALID_ARGUMENT, REASON_PAGE_TOKEN_INVALID,
                         "this is no position in a search");
    if (!word_count)
        return CODE_OK;
    for (size_t i = 0; i < word_count; i++)
        search.words[i] = &words[i];
    return run(&search, err);
}
