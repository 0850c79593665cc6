/*
 * An arena: memory for one request, given back all at once.
 * Not thread-safe; it moves between threads only by hand-over of the whole request.
 */
#pragma once
#include "base/str.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* the block that is being filled */
    size_t used_bytes;        /* handed out in all since the last reset */
};

/* An empty arena; the first block comes with the first allocation. `{0}` is one as well. */
void arena_init(struct arena *arena);

/* Gives back all but one block and starts again; pointers from before are dead. */
void arena_reset(struct arena *arena);

/* Gives back everything; the arena is empty and usable again. */
void arena_clear(struct arena *arena);

/* Uninitialised memory, aligned for any type. Never NULL. */
void *arena_alloc(struct arena *arena, size_t size_bytes);

/* As above, zeroed. */
void *arena_alloc0(struct arena *arena, size_t size_bytes);

/* Copies; the result is followed by a NUL byte that its length does not count. */
struct str arena_str(struct arena *arena, struct str text);
char *arena_cstr(struct arena *arena, struct str text);

/* printf into the arena. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
