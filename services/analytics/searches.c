/* Folding by the C library's Unicode tables (C.UTF-8). */
#include "analytics/searches.h"

#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wctype.h>

static locale_t unicode;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* One code point off the front of valid UTF-8. */
static uint32_t take_code_point(struct str *text)
{
    const uint8_t *at = (const uint8_t *)text->ptr;
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    uint32_t point = size == 1 ? at[0] : at[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (at[i] & 0x3F);
    *text = str_from(*text, size);
    return point;
}

static size_t put_code_point(char *to, uint32_t point)
{
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (size == 1) {
        to[0] = (char)point;
        return 1;
    }
    for (size_t i = size - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    to[0] = (char)((0xF00u >> size & 0xFFu) | point);
    return size;
}

static uint32_t lower(uint32_t point)
{
    if (point < 0x80)
        return point >= 'A' && point <= 'Z' ? point + 32 : point;
    return unicode ? (uint32_t)towlower_l((wint_t)point, unicode) : point;
}

static bool is_space(uint32_t point)
{
    return point == ' ' || (point >= 9 && point <= 13) || point == 0x85 || point == 0xA0 ||
           point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
           point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

size_t searches_fold(struct str text, char to[SEARCHES_TEXT_BYTES])
{
    size_t length = 0;
    bool space = false;
    pthread_once(&once, make_locale);
    if (!str_is_utf8(text))
        return 0;
    while (text.len) {
        uint32_t point = take_code_point(&text);
        char bytes[4];
        if (is_space(point)) {
            space = length > 0;
            continue;
        }
        size_t size = put_code_point(bytes, lower(point));
        if (length + space + size > SEARCHES_TEXT_BYTES)
            break;
        if (space)
            to[length++] = ' ';
        space = false;
        memcpy(to + length, bytes, size);
        length += size;
    }
    return length;
}

static uint32_t hash_of(struct str caller)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < caller.len; i++)
        hash = (hash ^ (uint8_t)caller.ptr[i]) * 16777619u;
    return caller.len && hash ? hash : caller.len ? 1 : 0;
}

void searches_count(struct rollup_delta *delta, struct str text, struct str caller,
                    bool nothing_found, int64_t time_s)
{
    char memory[SEARCHES_TEXT_BYTES];
    struct str folded = {memory, searches_fold(text, memory)};
    int64_t hour_s = time_s - time_s % ROLLUP_HOUR_S;
    if (!folded.len)
        return;
    sketch_add(rollup_texts(delta, hour_s, ROLLUP_ALL_SEARCHES), folded, hash_of(caller));
    if (!nothing_found)
        return;
    sketch_add(rollup_texts(delta, hour_s, ROLLUP_NOTHING_FOUND), folded, hash_of(caller));
    rollup_add_count(delta, time_s, ROLLUP_KIND_NOTHING_FOUND, 0, 1);
}
