/* Bump allocation in blocks that double up to 1 MiB; a larger wish gets a block of its own. */
#include "base/arena.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BLOCK_BYTES = 4096, LAST_BLOCK_BYTES = 1 << 20, ALIGN_BYTES = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ALIGN_BYTES) unsigned char bytes[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void free_chain(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        xfree(block);
        block = next;
    }
}

void arena_reset(struct arena *arena)
{
    if (arena->head && arena->head->size > LAST_BLOCK_BYTES)
        arena_clear(arena); /* one large request must not keep its memory for good */
    if (arena->head) {
        free_chain(arena->head->next);
        arena->head->next = NULL;
        arena->head->used = 0;
    }
    arena->used_bytes = 0;
}

void arena_clear(struct arena *arena)
{
    free_chain(arena->head);
    *arena = (struct arena){0};
}

static struct arena_block *grow(struct arena *arena, size_t need)
{
    size_t size = arena->head ? arena->head->size * 2 : FIRST_BLOCK_BYTES;
    if (size > LAST_BLOCK_BYTES)
        size = LAST_BLOCK_BYTES;
    if (size < need)
        size = need;
    struct arena_block *block = xmalloc(sizeof *block + size);
    block->next = arena->head;
    block->used = 0;
    block->size = size;
    arena->head = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    size_t need = (size_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
    struct arena_block *block = arena->head;
    if (!block || block->size - block->used < need)
        block = grow(arena, need);
    void *ptr = block->bytes + block->used;
    block->used += need;
    arena->used_bytes += need;
    return ptr;
}

void *arena_alloc0(struct arena *arena, size_t size_bytes)
{
    return memset(arena_alloc(arena, size_bytes), 0, size_bytes);
}

struct str arena_str(struct arena *arena, struct str text)
{
    return (struct str){arena_cstr(arena, text), text.len};
}

char *arena_cstr(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = arena_alloc(arena, size);
    text[0] = '\0';
    vsnprintf(text, size, format, again);
    va_end(again);
    return text;
}
