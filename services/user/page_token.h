/*
 * Page tokens: a store's position, sealed with HMAC-SHA256 so that nobody can make or bend one, and
 * bound to the method, the tenant and the query it was given for. They carry the id of the key that
 * signed them: the key file's first line signs, all its lines are accepted.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

enum { PAGE_POSITION_BYTES_MAX = 2048 }; /* what a store may need to find its place again */

struct page_tokens;

/*
 * Reads the key file; makes one with a new key, readable by its owner only, when there is none.
 * FAILED_PRECONDITION naming the path when it cannot be read, written or understood.
 */
enum code page_tokens_open(const char *path, struct page_tokens **tokens,
                           struct error *err) MUST_CHECK;
void page_tokens_free(struct page_tokens *tokens);

/* What a token is bound to. */
struct page_scope {
    struct str method;
    uint32_t tenant;
    struct str query; /* as it was understood; empty for lists */
};

/* URL-safe text in `arena`; an empty position gives an empty token. The position has at most
 * PAGE_POSITION_BYTES_MAX bytes. Thread-safe. */
struct str page_token_seal(const struct page_tokens *tokens, const struct page_scope *scope,
                           struct str position, struct arena *arena);

/*
 * The position, in `arena`; an empty token gives an empty one. INVALID_ARGUMENT
 * (PAGE_TOKEN_INVALID, field page_token) when it is not ours or belongs to another scope.
 */
enum code page_token_open(const struct page_tokens *tokens, const struct page_scope *scope,
                          struct str token, struct arena *arena, struct str *position,
                          struct error *err) MUST_CHECK;
