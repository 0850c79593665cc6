/* Out of memory is not an error that callers can mend, so it is not one that they see. */
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void alloc_failed(const char *what)
{
    fprintf(stderr, "out of memory: %s\n", what);
    abort();
}

static void *checked(void *ptr, size_t size_bytes)
{
    if (!ptr && size_bytes) {
        fprintf(stderr, "out of memory: %zu bytes\n", size_bytes);
        abort();
    }
    return ptr;
}

void *xmalloc(size_t size_bytes)
{
    return checked(malloc(size_bytes), size_bytes);
}

void *xcalloc(size_t count, size_t size_bytes)
{
    return checked(calloc(count, size_bytes), count && size_bytes);
}

void *xrealloc(void *ptr, size_t size_bytes)
{
    return checked(realloc(ptr, size_bytes), size_bytes);
}

char *xstrdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(xmalloc(size), text, size);
}

void xfree(void *ptr)
{
    free(ptr);
}
