/* utf8proc decomposes, this file drops what search does not want, utf8proc composes again. */
#include "user/fold.h"

#include <string.h>
#include <utf8proc.h>

static const utf8proc_option_t OPTIONS =
    (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD |
                        UTF8PROC_IGNORE);

struct range {
    int32_t first, last;
};

/* Accents and points that a reader leaves out when in a hurry. */
static const struct range ACCENTS[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05C7}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0670, 0x0670}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20F0}, {0xFE20, 0xFE2F},
};

/* Letters that Unicode does not decompose and people type without their stroke. */
struct letter {
    int32_t from;
    char to[3];
};
static const struct letter LETTERS[] = {
    {0x00E6, "ae"}, {0x00F0, "d"}, {0x00F8, "o"},  {0x00FE, "th"}, {0x0111, "d"}, {0x0127, "h"},
    {0x0131, "i"},  {0x0142, "l"}, {0x0153, "oe"}, {0x0167, "t"},  {0x0180, "b"}, {0x019A, "l"},
    {0x01B6, "z"},  {0x01E5, "g"}, {0x0237, "j"},  {0x0268, "i"},
};

static bool is_accent(int32_t code_point)
{
    for (size_t i = 0; i < sizeof ACCENTS / sizeof *ACCENTS; i++)
        if (code_point >= ACCENTS[i].first && code_point <= ACCENTS[i].last)
            return true;
    return false;
}

static const char *plain_letter(int32_t code_point)
{
    for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++)
        if (code_point == LETTERS[i].from)
            return LETTERS[i].to;
    return NULL;
}

/* In place would do but for letters that become two: `to` has room for twice as many. */
static size_t drop_accents(const int32_t *from, size_t count, int32_t *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const char *plain = from[i] < 0x80 ? NULL : plain_letter(from[i]);
        if (plain) {
            while (*plain)
                to[kept++] = *plain++;
        } else if (from[i] < 0x80 || !is_accent(from[i])) {
            to[kept++] = from[i];
        }
    }
    return kept;
}

/* Most names are ASCII, and then folding is lower case. */
static bool fold_ascii(struct arena *arena, struct str text, struct str *folded)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    *folded = arena_str(arena, text);
    char *to = (char *)(uintptr_t)folded->ptr;
    for (size_t i = 0; i < text.len; i++)
        if (to[i] >= 'A' && to[i] <= 'Z')
            to[i] = (char)(to[i] + 32);
    return true;
}

static struct str fold(struct arena *arena, struct str text, bool accents)
{
    struct str folded;
    if (fold_ascii(arena, text, &folded))
        return folded;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.ptr;
    utf8proc_ssize_t length = (utf8proc_ssize_t)text.len;
    utf8proc_ssize_t need = utf8proc_decompose(bytes, length, NULL, 0, OPTIONS);
    if (need <= 0)
        return STR("");
    int32_t *points = arena_alloc(arena, ((size_t)need + 1) * sizeof *points);
    need = utf8proc_decompose(bytes, length, points, need, OPTIONS);
    if (need <= 0)
        return STR("");
    size_t count = (size_t)need;
    int32_t *kept = points;
    if (!accents) {
        kept = arena_alloc(arena, (2 * count + 1) * sizeof *kept);
        count = drop_accents(points, count, kept);
    }
    utf8proc_ssize_t size = utf8proc_reencode(kept, (utf8proc_ssize_t)count, OPTIONS);
    return size > 0 ? (struct str){(const char *)kept, (size_t)size} : STR("");
}

struct str fold_case(struct arena *arena, struct str text)
{
    return fold(arena, text, true);
}

struct str fold_search(struct arena *arena, struct str text)
{
    return fold(arena, text, false);
}

int32_t fold_next(struct str text, size_t *at)
{
    utf8proc_int32_t point;
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + *at,
                                             (utf8proc_ssize_t)(text.len - *at), &point);
    if (used <= 0) {
        *at += 1;
        return 0xFFFD;
    }
    *at += (size_t)used;
    return point;
}

bool fold_is_word(int32_t code_point)
{
    if (code_point < 0x80)
        return (code_point >= 'a' && code_point <= 'z') ||
               (code_point >= 'A' && code_point <= 'Z') || (code_point >= '0' && code_point <= '9');
    utf8proc_category_t category = utf8proc_category(code_point);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

bool fold_is_apostrophe(int32_t code_point)
{
    return code_point == '\'' || code_point == 0x2019 || code_point == 0x2018 ||
           code_point == 0x02BC || code_point == 0x00B4 || code_point == '`';
}

bool fold_is_control(int32_t code_point)
{
    utf8proc_category_t category = utf8proc_category(code_point);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP || category == UTF8PROC_CATEGORY_CN ||
           category == UTF8PROC_CATEGORY_CS;
}

bool fold_is_space(int32_t code_point)
{
    return code_point == ' ' || (code_point >= 9 && code_point <= 13) ||
           utf8proc_category(code_point) == UTF8PROC_CATEGORY_ZS;
}

size_t fold_length(struct str text)
{
    size_t count = 0;
    for (size_t at = 0; at < text.len; count++)
        fold_next(text, &at);
    return count;
}
