/*
 * Any text as a page token is refused with its field; what was sealed opens in its scope, and
 * neither in another one nor with a byte of it changed.
 */
#include "base/buf.h"
#include "user/page_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct page_tokens *tokens_once(void)
{
    static struct page_tokens *tokens;
    char path[] = "/tmp/page-token-fuzz-XXXXXX", key[64];
    struct error err;
    if (tokens)
        return tokens;
    if (!mkdtemp(path))
        abort();
    snprintf(key, sizeof key, "%s/key", path);
    if (page_tokens_open(key, &tokens, &err) != CODE_OK)
        abort();
    unlink(key);
    rmdir(path);
    return tokens;
}

static void expect_refusal(const struct page_scope *scope, struct str token, struct arena *arena)
{
    struct str position;
    struct error err = {0};
    if (page_token_open(tokens_once(), scope, token, arena, &position, &err) !=
            CODE_INVALID_ARGUMENT ||
        err.field_count != 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct error err = {0};
    struct str text = {(const char *)data, size}, position;
    size_t cut = size ? data[0] % size : 0;
    const struct page_scope scope = {STR("Search"), 1, {text.ptr, cut}};
    const struct page_scope other = {STR("List"), 1, {text.ptr, cut}};
    const struct page_tokens *tokens = tokens_once();
    if (size) /* nobody has sealed it */
        expect_refusal(&scope, text, &arena);
    struct str inside = str_from(text, cut);
    if (inside.len > PAGE_POSITION_BYTES_MAX)
        inside.len = PAGE_POSITION_BYTES_MAX;
    struct str token = page_token_seal(tokens, &scope, inside, &arena);
    if (page_token_open(tokens, &scope, token, &arena, &position, &err) != CODE_OK ||
        !str_eq(position, inside))
        abort();
    if (token.len) {
        char *bent = arena_cstr(&arena, token);
        bent[data[size - 1] % token.len] ^= 1;
        expect_refusal(&scope, (struct str){bent, token.len}, &arena);
        expect_refusal(&other, token, &arena);
    }
    arena_clear(&arena);
    return 0;
}
