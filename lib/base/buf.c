/* Doubling growth up to the maximum; one byte more than the maximum is kept for a NUL. */
#include "base/buf.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BYTES = 256 };

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max = max_bytes};
}

void buf_init_arena(struct buf *buf, struct arena *arena, size_t max_bytes)
{
    *buf = (struct buf){.max = max_bytes, .arena = arena};
}

void buf_clear(struct buf *buf)
{
    if (!buf->arena)
        xfree(buf->ptr);
    *buf = (struct buf){.max = buf->max, .arena = buf->arena};
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
}

static void grow(struct buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : FIRST_BYTES;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max + 1)
        cap = buf->max + 1;
    if (buf->arena) {
        char *bigger = arena_alloc(buf->arena, cap);
        if (buf->len)
            memcpy(bigger, buf->ptr, buf->len);
        buf->ptr = bigger;
    } else {
        buf->ptr = xrealloc(buf->ptr, cap);
    }
    buf->cap = cap;
}

char *buf_grow(struct buf *buf, size_t size_bytes)
{
    if (buf->overflow || size_bytes > buf->max - buf->len) {
        buf->overflow = true;
        return NULL;
    }
    if (buf->len + size_bytes + 1 > buf->cap)
        grow(buf, buf->len + size_bytes + 1);
    return buf->ptr + buf->len;
}

void buf_add_cstr(struct buf *buf, const char *text)
{
    buf_add_mem(buf, text, strlen(text));
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_add_mem(buf, digits + at, sizeof digits - at);
}

void buf_add_i64(struct buf *buf, int64_t value)
{
    if (value < 0)
        buf_add_char(buf, '-');
    buf_add_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = length < 0 ? NULL : buf_reserve(buf, (size_t)length);
    if (to) {
        vsnprintf(to, (size_t)length + 1, format, again);
        buf->len += (size_t)length;
    }
    va_end(again);
}

void buf_drop_front(struct buf *buf, size_t size_bytes)
{
    if (size_bytes >= buf->len) {
        buf->len = 0;
        return;
    }
    if (size_bytes)
        memmove(buf->ptr, buf->ptr + size_bytes, buf->len - size_bytes);
    buf->len -= size_bytes;
}

struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->ptr ? buf->ptr : "", buf->len};
}

const char *buf_cstr(struct buf *buf)
{
    if (buf->len + 1 > buf->cap)
        grow(buf, buf->len + 1);
    buf->ptr[buf->len] = '\0';
    return buf->ptr;
}
