/*
 * Name tables in memory and the way names are drawn and put into ASCII. Integers only: the same
 * random numbers give the same names on every machine.
 */
#include "omnictl/names.h"

enum {
    ZIPF_SCALE = 4000000, /* weight of rank r: ZIPF_SCALE / (r + ZIPF_SHIFT) */
    ZIPF_SHIFT = 4,
    FOLDED_BYTES_MAX = 512,
};

struct fold_range {
    uint32_t first, last;
    const char *ascii;
};

/* Letters of Latin-1 to Latin Extended Additional, both cases at once. */
static const struct fold_range LATIN[] = {
    {0xC0, 0xC5, "a"},     {0xC6, 0xC6, "ae"},    {0xC7, 0xC7, "c"},     {0xC8, 0xCB, "e"},
    {0xCC, 0xCF, "i"},     {0xD0, 0xD0, "d"},     {0xD1, 0xD1, "n"},     {0xD2, 0xD6, "o"},
    {0xD8, 0xD8, "o"},     {0xD9, 0xDC, "u"},     {0xDD, 0xDD, "y"},     {0xDE, 0xDE, "th"},
    {0xDF, 0xDF, "ss"},    {0xE0, 0xE5, "a"},     {0xE6, 0xE6, "ae"},    {0xE7, 0xE7, "c"},
    {0xE8, 0xEB, "e"},     {0xEC, 0xEF, "i"},     {0xF0, 0xF0, "d"},     {0xF1, 0xF1, "n"},
    {0xF2, 0xF6, "o"},     {0xF8, 0xF8, "o"},     {0xF9, 0xFC, "u"},     {0xFD, 0xFD, "y"},
    {0xFE, 0xFE, "th"},    {0xFF, 0xFF, "y"},     {0x100, 0x105, "a"},   {0x106, 0x10D, "c"},
    {0x10E, 0x111, "d"},   {0x112, 0x11B, "e"},   {0x11C, 0x123, "g"},   {0x124, 0x127, "h"},
    {0x128, 0x131, "i"},   {0x134, 0x135, "j"},   {0x136, 0x138, "k"},   {0x139, 0x142, "l"},
    {0x143, 0x14B, "n"},   {0x14C, 0x151, "o"},   {0x152, 0x153, "oe"},  {0x154, 0x159, "r"},
    {0x15A, 0x161, "s"},   {0x162, 0x167, "t"},   {0x168, 0x173, "u"},   {0x174, 0x175, "w"},
    {0x176, 0x178, "y"},   {0x179, 0x17E, "z"},   {0x1A0, 0x1A1, "o"},   {0x1AF, 0x1B0, "u"},
    {0x218, 0x219, "s"},   {0x21A, 0x21B, "t"},   {0x253, 0x253, "b"},   {0x257, 0x257, "d"},
    {0x259, 0x259, "a"},   {0x18F, 0x18F, "a"},   {0x1E00, 0x1E3F, "m"}, {0x1E62, 0x1E63, "s"},
    {0x1E6C, 0x1E6D, "t"}, {0x1EA0, 0x1EB7, "a"}, {0x1EB8, 0x1EC7, "e"}, {0x1EC8, 0x1ECB, "i"},
    {0x1ECC, 0x1EE3, "o"}, {0x1EE4, 0x1EF1, "u"}, {0x1EF2, 0x1EF9, "y"},
};

/* From U+0430 on; the capitals lie 0x20 below. */
static const char *const CYRILLIC[] = {
    "a", "b", "v",  "g", "d", "e",  "zh", "z",  "i",  "y",   "k",  "l", "m", "n", "o",  "p",
    "r", "s", "t",  "u", "f", "h",  "ts", "ch", "sh", "sch", "",   "y", "",  "e", "yu", "ya",
    "e", "e", "dj", "g", "e", "dz", "i",  "i",  "j",  "lj",  "nj", "c", "k", "i", "u",  "dz",
};

/* From U+03B1 on; the capitals lie 0x20 below. */
static const char *const GREEK[] = {
    "a", "v", "g", "d", "e", "z", "i", "th", "i",  "k", "l", "m", "n", "x", "o",
    "p", "r", "s", "s", "t", "y", "f", "ch", "ps", "o", "i", "y", "o", "y", "o",
};

static const char *fold_letter(uint32_t letter)
{
    if (letter >= 0x410 && letter <= 0x42F)
        letter += 0x20;
    else if (letter >= 0x400 && letter <= 0x40F)
        letter += 0x50;
    if (letter >= 0x430 && letter < 0x430 + sizeof CYRILLIC / sizeof *CYRILLIC)
        return CYRILLIC[letter - 0x430];
    if (letter >= 0x490 && letter <= 0x491)
        return "g";
    if (letter >= 0x391 && letter <= 0x3A9)
        letter += 0x20;
    if (letter >= 0x3AC && letter <= 0x3AF) /* ά έ ή ί */
        return letter == 0x3AC ? "a" : letter == 0x3AD ? "e" : "i";
    if (letter >= 0x388 && letter <= 0x38F)
        return letter == 0x388 ? "e" : letter <= 0x38A ? "i" : letter == 0x38E ? "y" : "o";
    if (letter == 0x386)
        return "a";
    if (letter >= 0x3B1 && letter < 0x3B1 + sizeof GREEK / sizeof *GREEK)
        return GREEK[letter - 0x3B1];
    for (size_t i = 0; i < sizeof LATIN / sizeof *LATIN; i++)
        if (letter >= LATIN[i].first && letter <= LATIN[i].last)
            return LATIN[i].ascii;
    return "";
}

/* The code point at text[*at]; moves on. The tables are valid UTF-8. */
static uint32_t next_letter(struct str text, size_t *at)
{
    unsigned char lead = (unsigned char)text.ptr[(*at)++];
    int more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    uint32_t letter = more == 0 ? lead : lead & (0x3FU >> more);
    while (more-- > 0 && *at < text.len)
        letter = letter << 6 | ((unsigned char)text.ptr[(*at)++] & 0x3F);
    return letter;
}

void names_fold(struct buf *out, struct str text)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t letter = next_letter(text, &at);
        if (letter >= 'A' && letter <= 'Z')
            buf_add_char(out, (char)(letter + 32));
        else if ((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9'))
            buf_add_char(out, (char)letter);
        else if (letter >= 0x80)
            buf_add_cstr(out, fold_letter(letter));
    }
}

static struct name parse_name(struct arena *arena, struct str entry)
{
    ptrdiff_t equals = str_find(entry, '=');
    if (equals >= 0)
        return (struct name){{entry.ptr, (size_t)equals}, str_from(entry, (size_t)equals + 1)};
    struct buf folded;
    buf_init_arena(&folded, arena, FOLDED_BYTES_MAX);
    names_fold(&folded, entry);
    return (struct name){entry, arena_str(arena, buf_str(&folded))};
}

struct name_list names_parse(struct arena *arena, const char *entries)
{
    struct name_list list = {0};
    struct str rest = str_of(entries), entry;
    size_t count = 1;
    for (size_t i = 0; i < rest.len; i++)
        count += rest.ptr[i] == '|';
    list.names = arena_alloc(arena, count * sizeof *list.names);
    list.reach = arena_alloc(arena, count * sizeof *list.reach);
    uint32_t sum = 0;
    while (str_next(&rest, '|', &entry)) {
        sum += ZIPF_SCALE / ((uint32_t)list.count + ZIPF_SHIFT);
        list.reach[list.count] = sum;
        list.names[list.count++] = parse_name(arena, entry);
    }
    return list;
}

const struct name *names_draw(const struct name_list *list, uint64_t random)
{
    uint32_t value = (uint32_t)((random >> 32) * list->reach[list->count - 1] >> 32);
    size_t low = 0, high = list->count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value < list->reach[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return &list->names[low];
}
