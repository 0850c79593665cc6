/* Folding by the C library's Unicode tables (C.UTF-8); steps by looking at neighbours, sorted. */
#include "analytics/searches.h"

#include "base/alloc.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
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

void searches_init(struct searches *searches, struct rollup_delta *delta)
{
    *searches = (struct searches){.delta = delta};
    buf_init(&searches->texts, SIZE_MAX / 2); /* the batch has a maximum */
}

void searches_add(struct searches *searches, struct str text, struct str caller, bool nothing_found,
                  int64_t time_ms)
{
    char folded[SEARCHES_TEXT_BYTES];
    size_t length = searches_fold(text, folded);
    if (!length)
        return;
    if (searches->count == searches->room) {
        searches->room = searches->room ? searches->room * 2 : 64;
        searches->items = xrealloc(searches->items, searches->room * sizeof *searches->items);
    }
    searches->items[searches->count] = (struct search){
        .caller = hash_of(caller),
        .order = (uint32_t)searches->count,
        .time_ms = time_ms,
        .text_start = searches->texts.len,
        .text_bytes = length,
        .nothing_found = nothing_found,
    };
    searches->count++;
    buf_add_mem(&searches->texts, folded, length);
}

/* Each caller's searches together, in order of time. */
static int compare(const void *left, const void *right)
{
    const struct search *a = left, *b = right;
    if (a->caller != b->caller)
        return a->caller < b->caller ? -1 : 1;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static struct str text_of(const struct searches *searches, const struct search *search)
{
    return (struct str){searches->texts.ptr + search->text_start, search->text_bytes};
}

static bool is_step(const struct searches *searches, const struct search *search,
                    const struct search *next)
{
    return search->caller == next->caller && next->time_ms - search->time_ms <= SEARCHES_STEP_MS &&
           search->text_bytes < next->text_bytes &&
           str_starts(text_of(searches, next), text_of(searches, search));
}

static void count_search(struct searches *searches, const struct search *search)
{
    int64_t time_s = search->time_ms / 1000;
    int64_t hour_s = time_s - time_s % ROLLUP_HOUR_S;
    struct str text = text_of(searches, search);
    sketch_add(rollup_texts(searches->delta, hour_s, ROLLUP_ALL_SEARCHES), text, search->caller);
    if (search->nothing_found) {
        sketch_add(rollup_texts(searches->delta, hour_s, ROLLUP_NOTHING_FOUND), text,
                   search->caller);
        rollup_add_count(searches->delta, time_s, ROLLUP_KIND_NOTHING_FOUND, 0, 1);
    }
}

void searches_finish(struct searches *searches)
{
    const struct search *items = searches->items;
    if (searches->count)
        qsort(searches->items, searches->count, sizeof *searches->items, compare);
    for (size_t i = 0; i < searches->count; i++)
        if (i + 1 == searches->count || !is_step(searches, &items[i], &items[i + 1]))
            count_search(searches, &items[i]);
    xfree(searches->items);
    buf_clear(&searches->texts);
    *searches = (struct searches){0};
}
