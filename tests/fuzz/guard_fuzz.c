/*
 * The small grammars of headers by which a gateway decides: any text gets an answer, and what is
 * said of it holds: a tag matches itself, a list holds its members, an opaque tag has no quotes.
 */
#include "base/arena.h"
#include "gateway/conditional.h"
#include "http/http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    /* Exactly as long as the text, so that a look beyond it is seen. */
    char *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    struct str header = {copy, size}, opaque;
    (void)conditional_accepts(header, STR("gzip"));
    (void)http_token_in_list(header, STR("close"));
    bool weakly = conditional_matches(header, STR("\"e1\""));
    if (conditional_matches_strongly(header, STR("\"e1\"")) && !weakly)
        abort();
    enum conditional_tag tag = conditional_if_match(header, &opaque);
    if (tag == CONDITIONAL_ONE) {
        struct str quoted = str_of(arena_printf(&arena, "\"%.*s\"", STR_ARG(opaque)));
        if (!opaque.len || str_find(opaque, '"') >= 0)
            abort();
        if (!memchr(opaque.ptr, 0, opaque.len) && !conditional_matches(header, quoted))
            abort();
    }
    free(copy);
    arena_clear(&arena);
    return 0;
}
