/* Folding and splitting; pure functions over an arena. */
#include "user/search_terms.h"

#include "base/buf.h"
#include "user/fold.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS_BYTES_MAX = SEARCH_TOKENS_MAX * (SEARCH_TOKEN_CHARS * 4 + 1) };

struct str search_terms_head(struct str word, size_t chars)
{
    size_t at = 0;
    while (chars-- && at < word.len)
        fold_next(word, &at);
    return (struct str){word.ptr, at};
}

/* The next run of word characters, apostrophes left out; false when there is none. */
static bool next_word(struct arena *arena, struct str folded, size_t *at, struct str *word)
{
    struct buf out;
    buf_init_arena(&out, arena, TOKENS_BYTES_MAX);
    size_t chars = 0;
    while (*at < folded.len) {
        size_t start = *at;
        int32_t point = fold_next(folded, at);
        if (fold_is_word(point)) {
            if (chars++ < SEARCH_TOKEN_CHARS)
                buf_add(&out, (struct str){folded.ptr + start, *at - start});
        } else if (chars && !fold_is_apostrophe(point)) {
            break;
        }
    }
    *word = buf_str(&out);
    return word->len > 0;
}

static bool has_token(struct str tokens, struct str word)
{
    struct str rest = str_from(tokens, 1), token;
    if (!tokens.len)
        return false;
    while (str_next(&rest, ' ', &token))
        if (str_eq(token, word))
            return true;
    return false;
}

/* Those of `sure` are counted already, and always find room. */
static void add_tokens(struct arena *arena, struct str folded, struct str sure, struct buf *tokens,
                       size_t *count)
{
    struct str word;
    size_t at = 0;
    while (next_word(arena, folded, &at, &word)) {
        bool counted = has_token(sure, word);
        if (has_token(buf_str(tokens), word) || (!counted && *count == SEARCH_TOKENS_MAX))
            continue;
        buf_add_char(tokens, ' ');
        buf_add(tokens, word);
        *count += !counted;
    }
}

/* Folded, spaces trimmed and single, cut: equal names give equal keys. */
static struct str name_key_of(struct arena *arena, struct str folded)
{
    struct buf out;
    bool space = false;
    buf_init_arena(&out, arena, folded.len + 1);
    for (size_t at = 0; at < folded.len;) {
        size_t start = at;
        int32_t point = fold_next(folded, &at);
        if (fold_is_space(point)) {
            space = out.len > 0;
            continue;
        }
        if (space)
            buf_add_char(&out, ' ');
        space = false;
        buf_add(&out, (struct str){folded.ptr + start, at - start});
    }
    return str_utf8_cut(buf_str(&out), SEARCH_NAME_KEY_BYTES);
}

static struct str make_term(struct arena *arena, char kind, struct str text)
{
    char *to = arena_alloc(arena, text.len + 1);
    to[0] = kind;
    memcpy(to + 1, text.ptr, text.len);
    return (struct str){to, text.len + 1};
}

static int compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void search_terms_of_tokens(struct arena *arena, struct str name_key, struct str tokens,
                            struct search_terms *out)
{
    struct str rest = str_from(tokens, 1), token;
    size_t count = 0;
    out->name_key = name_key;
    out->tokens = tokens;
    for (size_t n = 0; tokens.len && n < SEARCH_TOKENS_MAX && str_next(&rest, ' ', &token); n++) {
        struct str head = search_terms_head(token, SEARCH_HEAD_CHARS);
        out->terms[count++] = make_term(arena, '1', search_terms_head(token, 1));
        out->terms[count++] = make_term(arena, '2', head);
        if (head.len < token.len)
            out->terms[count++] = make_term(arena, '3', token);
    }
    qsort(out->terms, count, sizeof *out->terms, compare);
    out->count = 0;
    for (size_t i = 0; i < count; i++)
        if (!out->count || !str_eq(out->terms[out->count - 1], out->terms[i]))
            out->terms[out->count++] = out->terms[i];
}

void search_terms_of_user(struct arena *arena, const struct user *user, struct search_terms *out)
{
    struct buf of_email, tokens;
    size_t count = 0;
    buf_init_arena(&of_email, arena, TOKENS_BYTES_MAX);
    buf_init_arena(&tokens, arena, TOKENS_BYTES_MAX);
    struct str display = fold_search(arena, user->display_name);
    struct str email = fold_search(arena, user->email);
    add_tokens(arena, email, STR(""), &of_email, &count);
    struct str sure = buf_str(&of_email);
    add_tokens(arena, display, sure, &tokens, &count);
    add_tokens(arena, fold_search(arena, user->given_name), sure, &tokens, &count);
    add_tokens(arena, fold_search(arena, user->family_name), sure, &tokens, &count);
    add_tokens(arena, email, sure, &tokens, &count);
    search_terms_of_tokens(arena, name_key_of(arena, display), buf_str(&tokens), out);
}

size_t search_terms_query(struct arena *arena, struct str query, struct str *words, size_t max)
{
    struct str folded = fold_search(arena, query), word;
    size_t count = 0;
    for (size_t at = 0; next_word(arena, folded, &at, &word);) {
        bool covered = false;
        for (size_t i = 0; i < count && i < max; i++) {
            covered = covered || str_starts(words[i], word);
            if (!covered && str_starts(word, words[i])) { /* the longer one says it all */
                words[i] = word;
                covered = true;
            }
        }
        if (covered)
            continue;
        if (count < max)
            words[count] = word;
        count++;
    }
    return count;
}

bool search_terms_match(struct str tokens, struct str word)
{
    for (size_t at = 0; at + word.len < tokens.len; at++)
        if (tokens.ptr[at] == ' ' && memcmp(tokens.ptr + at + 1, word.ptr, word.len) == 0)
            return true;
    return false;
}
