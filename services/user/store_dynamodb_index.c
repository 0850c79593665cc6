/*
 * The rows of the search index: one by name; for each token one by its first character, and one by
 * its first three (once for tokens that share them).
 */
#include "user/store_dynamodb_internal.h"

enum {
    ROWS_MAX = 1 + 2 * SEARCH_TOKENS_MAX,
    OTHER_ACTIONS = 5, /* the user, the address before and after, the event, the request_id */
};
_Static_assert(2 * ROWS_MAX + OTHER_ACTIONS <= DYNAMODB_WRITE_MAX, "any update is a transaction");

struct rows {
    struct dynamodb_key keys[ROWS_MAX];
    size_t count;
    struct str tokens;
};

static bool has_row(const struct rows *rows, const struct dynamodb_key *key)
{
    for (size_t i = 0; i < rows->count; i++)
        if (str_eq(rows->keys[i].pk, key->pk) && str_eq(rows->keys[i].sk, key->sk))
            return true;
    return false;
}

static void add_row(struct rows *rows, struct dynamodb_key key)
{
    if (!has_row(rows, &key) && rows->count < ROWS_MAX)
        rows->keys[rows->count++] = key;
}

static void make_rows(struct arena *arena, uint32_t tenant, struct id id,
                      const struct search_terms *terms, struct rows *rows)
{
    rows->count = 0;
    if (!terms)
        return;
    struct str by_name = dynamodb_name_sk(arena, terms->name_key, id);
    struct str rest = str_from(terms->tokens, 1), token;
    rows->tokens = terms->tokens;
    add_row(rows, (struct dynamodb_key){str_of(arena_printf(arena, "%u/n", tenant)), by_name});
    while (terms->tokens.len && str_next(&rest, ' ', &token)) {
        struct str first = search_terms_head(token, 1);
        struct str head = search_terms_head(token, SEARCH_HEAD_CHARS);
        struct str sk = str_of(arena_printf(arena, "%.*s\t%.*s", STR_ARG(token), STR_ARG(by_name)));
        add_row(rows, (struct dynamodb_key){dynamodb_text_pk(arena, tenant, 'w', first), sk});
        if (search_terms_head(token, SEARCH_HEAD_CHARS - 1).len < token.len)
            add_row(rows,
                    (struct dynamodb_key){dynamodb_text_pk(arena, tenant, 'h', head), by_name});
    }
}

void index_write(struct dynamodb_write *tx, struct arena *arena, uint32_t tenant, struct id id,
                 const struct search_terms *before, const struct search_terms *after)
{
    struct rows *old = arena_alloc(arena, sizeof *old), *new = arena_alloc(arena, sizeof *new);
    make_rows(arena, tenant, id, before, old);
    make_rows(arena, tenant, id, after, new);
    bool same_tokens = before && after && str_eq(before->tokens, after->tokens);
    for (size_t i = 0; i < old->count; i++)
        if (!has_row(new, &old->keys[i]))
            dynamodb_write_delete(tx, old->keys[i], dynamodb_if(NULL));
    for (size_t i = 0; i < new->count; i++) {
        if (same_tokens && has_row(old, &new->keys[i]))
            continue;
        dynamodb_write_put_begin(tx, new->keys[i]);
        dynamodb_put_s(&tx->json, "t", new->tokens);
        dynamodb_write_put_end(tx, dynamodb_if(NULL));
    }
}
