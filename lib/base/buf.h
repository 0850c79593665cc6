/*
 * Growing output with a mandatory maximum. Once an addition would pass the maximum nothing is
 * added any more and `overflow` stays set, so that a writer checks once, at the end.
 */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *ptr;            /* not NUL-terminated; see buf_cstr */
    size_t len, cap, max; /* cap <= max + 1 */
    struct arena *arena;  /* NULL: the heap */
    bool overflow;
};

/* On the heap; give back with buf_clear. */
void buf_init(struct buf *buf, size_t max_bytes);

/* In an arena, which owns the memory. */
void buf_init_arena(struct buf *buf, struct arena *arena, size_t max_bytes);

/* Frees (heap) and leaves an empty buffer with the same maximum. NULL-safe on an unused buffer. */
void buf_clear(struct buf *buf);

/* Empties, keeps the memory, forgets an overflow. */
void buf_reset(struct buf *buf);

/* buf_reserve where the room has to be made first. */
char *buf_grow(struct buf *buf, size_t size_bytes);

/*
 * `size_bytes` of writable room at the end, or NULL at the maximum. The caller writes some of it
 * and adds what it wrote to buf->len. Inline, as the additions below: most of them are a few bytes.
 */
static inline char *buf_reserve(struct buf *buf, size_t size_bytes)
{
    if (buf->cap - buf->len > size_bytes && !buf->overflow)
        return buf->ptr + buf->len;
    return buf_grow(buf, size_bytes);
}

static inline void buf_add_mem(struct buf *buf, const void *ptr, size_t size_bytes)
{
    char *to = buf_reserve(buf, size_bytes);
    if (to && size_bytes) {
        memcpy(to, ptr, size_bytes);
        buf->len += size_bytes;
    }
}

static inline void buf_add(struct buf *buf, struct str text)
{
    buf_add_mem(buf, text.ptr, text.len);
}

static inline void buf_add_char(struct buf *buf, char byte)
{
    buf_add_mem(buf, &byte, 1);
}

void buf_add_cstr(struct buf *buf, const char *text);
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_add_i64(struct buf *buf, int64_t value);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Removes `size_bytes` from the front. */
void buf_drop_front(struct buf *buf, size_t size_bytes);

struct str buf_str(const struct buf *buf);

/* The content followed by NUL; valid until the next change. Empty text when there was an overflow
 * that left no room. */
const char *buf_cstr(struct buf *buf);
