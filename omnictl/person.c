/* Puts names together. Every choice is a draw of integers, in a fixed order. */
#include "omnictl/person.h"

#include "base/alloc.h"
#include "omnictl/names.h"

#include <string.h>

enum { NAME_BYTES_MAX = 4096 };

struct culture_names {
    const struct culture *culture;
    struct name_list given, family, countries;
};

struct person_book {
    struct arena arena;
    struct culture_names cultures[PERSON_CULTURES_MAX];
    uint32_t reach[PERSON_CULTURES_MAX];
    size_t count;
};

static const struct culture_table *const TABLES[] = {&NAMES_WEST, &NAMES_EAST_EUROPE, &NAMES_SOUTH,
                                                     &NAMES_ASIA};
static const char *const EMOJI[] = {"🚀",    "🌻", "👩‍💻",     "🏳️‍🌈",
                                    "🦄", "☕", "👨🏽‍🔬", "🇺🇳"};
static const char *const TITLES[] = {"Dr.", "Prof.", "Ing.", "Sra.", "Mgr.", "Prof. Dr."};
static const char *const SUFFIXES[] = {"Jr.", "III", "PhD", "Sr.", "MBA, PMP", "II"};
static const char *const NICKNAMES[] = {"Bob", "Lupe", "Max", "Kiki", "Doc", "Ace"};
#define PICK(random, texts) (texts)[random_below(random, sizeof(texts) / sizeof *(texts))]

struct person_book *person_book_new(void)
{
    struct person_book *book = xcalloc(1, sizeof *book);
    uint32_t sum = 0;
    for (size_t t = 0; t < sizeof TABLES / sizeof *TABLES; t++) {
        for (size_t i = 0; i < TABLES[t]->count && book->count < PERSON_CULTURES_MAX; i++) {
            const struct culture *culture = &TABLES[t]->cultures[i];
            sum += culture->weight;
            book->reach[book->count] = sum;
            book->cultures[book->count++] = (struct culture_names){
                .culture = culture,
                .given = names_parse(&book->arena, culture->given),
                .family = names_parse(&book->arena, culture->family),
                .countries = names_parse(&book->arena, culture->countries),
            };
        }
    }
    return book;
}

void person_book_free(struct person_book *book)
{
    if (!book)
        return;
    arena_clear(&book->arena);
    xfree(book);
}

void person_init(struct person *person)
{
    *person = (struct person){0};
    buf_init(&person->display_name, NAME_BYTES_MAX);
    buf_init(&person->given_name, NAME_BYTES_MAX);
    buf_init(&person->family_name, NAME_BYTES_MAX);
    buf_init(&person->ascii, NAME_BYTES_MAX);
}

void person_clear(struct person *person)
{
    buf_clear(&person->display_name);
    buf_clear(&person->given_name);
    buf_clear(&person->family_name);
    buf_clear(&person->ascii);
}

struct str person_cut(struct str text, size_t count)
{
    size_t end = 0;
    for (; end < text.len; end++)
        if (((unsigned char)text.ptr[end] & 0xC0) != 0x80 && count-- == 0)
            break;
    return (struct str){text.ptr, end};
}

static const struct culture_names *draw_culture(const struct person_book *book,
                                                struct random *random)
{
    uint32_t value = random_below(random, book->reach[book->count - 1]);
    size_t i = 0;
    while (value >= book->reach[i])
        i++;
    return &book->cultures[i];
}

static const struct name *draw(const struct name_list *list, struct random *random)
{
    return names_draw(list, random_next(random));
}

static void make_given(const struct culture_names *names, struct random *random,
                       struct person *person)
{
    uint32_t flags = names->culture->flags;
    const struct name *first = draw(&names->given, random);
    buf_add(&person->given_name, first->native);
    person->given_ascii = first->ascii;
    if (flags & CULTURE_SYLLABLES && random_chance(random, 75000)) {
        const struct name *second = draw(&names->given, random);
        buf_add(&person->given_name, second->native);
        buf_add(&person->ascii, first->ascii);
        buf_add(&person->ascii, second->ascii);
        person->given_ascii = buf_str(&person->ascii);
    } else if (flags & CULTURE_MIDDLE && random_chance(random, 12000)) {
        buf_add_char(&person->given_name, ' ');
        buf_add(&person->given_name, draw(&names->given, random)->native);
    } else if (flags & CULTURE_HYPHEN && random_chance(random, 3000)) {
        buf_add_char(&person->given_name, '-');
        buf_add(&person->given_name, draw(&names->given, random)->native);
    }
}

static void make_family(const struct culture_names *names, struct random *random,
                        struct person *person)
{
    uint32_t flags = names->culture->flags;
    person->family_ascii = (struct str){0};
    if (random_chance(random, flags & CULTURE_MONONYM ? 12000 : 200))
        return;
    const struct name *first = draw(&names->family, random);
    buf_add(&person->family_name, first->native);
    person->family_ascii = first->ascii;
    if (flags & CULTURE_TWO_FAMILIES && random_chance(random, 70000)) {
        buf_add_char(&person->family_name, ' ');
        buf_add(&person->family_name, draw(&names->family, random)->native);
    } else if (flags & CULTURE_HYPHEN && random_chance(random, 3000)) {
        buf_add_char(&person->family_name, '-');
        buf_add(&person->family_name, draw(&names->family, random)->native);
    }
}

static void cut(struct buf *buf, size_t characters)
{
    buf->len = person_cut(buf_str(buf), characters).len;
    while (buf->len && buf->ptr[buf->len - 1] == ' ')
        buf->len--;
}

/* Names that go on and on, as far as they may. */
static void lengthen(struct buf *buf, const struct name_list *list, struct random *random,
                     size_t more, size_t characters)
{
    while (more--) {
        buf_add_char(buf, ' ');
        buf_add(buf, draw(list, random)->native);
    }
    buf->len = person_cut(buf_str(buf), characters).len;
    while (buf->len && buf->ptr[buf->len - 1] == ' ')
        buf->ptr[buf->len - 1] = '.'; /* no space at the end, the length stays */
}

/* Latin-1 letters as letter and combining mark, as some systems store them (NFD). */
static void decompose(struct buf *buf, struct buf *scratch)
{
    static const char LETTERS[] = "AAAAAA.CEEEEIIII.NOOOOO..UUUUY..";
    static const char MARKS[] = "gactdr.,gacdgacd.tgactd..gacda..";
    static const char ORDER[] = "gact,dr";
    static const char *const COMBINING[] = {"\u0300", "\u0301", "\u0302", "\u0303",
                                            "\u0327", "\u0308", "\u030A"};
    buf_reset(scratch);
    for (size_t i = 0; i < buf->len; i++) {
        unsigned char byte = (unsigned char)buf->ptr[i];
        unsigned char low = i + 1 < buf->len ? (unsigned char)buf->ptr[i + 1] : 0;
        size_t letter = low & 0x1F;
        if (byte != 0xC3 || LETTERS[letter] == '.') {
            buf_add_char(scratch, buf->ptr[i]);
            continue;
        }
        buf_add_char(scratch, (char)(LETTERS[letter] + (low & 0x20)));
        buf_add_cstr(scratch, COMBINING[strchr(ORDER, MARKS[letter]) - ORDER]);
        i++;
    }
    buf_reset(buf);
    buf_add(buf, buf_str(scratch));
}

static void join(struct buf *out, struct str a, const char *between, struct str b)
{
    buf_add(out, a);
    if (a.len && b.len)
        buf_add_cstr(out, between);
    buf_add(out, b);
}

static void make_display(uint32_t flags, struct random *random, struct person *person)
{
    struct buf *out = &person->display_name;
    struct str given = buf_str(&person->given_name), family = buf_str(&person->family_name);
    uint32_t roll = random_below(random, 10000);
    if (roll < 20) { /* as some systems sort them */
        join(out, family, ", ", given);
    } else if (flags & CULTURE_FAMILY_FIRST) {
        join(out, family, flags & CULTURE_NO_SPACE ? "" : " ", given);
    } else if (roll < 50) {
        buf_addf(out, "%.*s \"%s\" %.*s", STR_ARG(given), PICK(random, NICKNAMES), STR_ARG(family));
    } else if (roll < 80) {
        buf_addf(out, "%s ", PICK(random, TITLES));
        join(out, given, " ", family);
    } else {
        join(out, given, " ", family);
        if (roll < 130)
            buf_addf(out, " %s", PICK(random, SUFFIXES));
    }
    while (out->len && out->ptr[out->len - 1] == ' ')
        out->len--;
    if (roll >= 9995)
        buf_addf(out, " %s", PICK(random, EMOJI));
}

void person_make(const struct person_book *book, struct random *random, struct person *person)
{
    const struct culture_names *names = draw_culture(book, random);
    buf_reset(&person->display_name);
    buf_reset(&person->given_name);
    buf_reset(&person->family_name);
    buf_reset(&person->ascii);
    person->country = draw(&names->countries, random)->native;
    make_given(names, random, person);
    make_family(names, random, person);
    uint32_t roll = random_below(random, 20000);
    if (roll < 40) {
        lengthen(&person->given_name, &names->given, random, 3 + roll / 8, PERSON_PART_CHARACTERS);
    } else if (roll < 42) {
        lengthen(&person->given_name, &names->given, random, 101, PERSON_PART_CHARACTERS);
        lengthen(&person->family_name, &names->family, random, 101, PERSON_PART_CHARACTERS);
    } else if (roll < 150) {
        decompose(&person->given_name, &person->display_name);
        decompose(&person->family_name, &person->display_name);
        buf_reset(&person->display_name);
    }
    make_display(names->culture->flags, random, person);
    if (roll == 41)
        lengthen(&person->display_name, &names->given, random, 101, PERSON_NAME_CHARACTERS);
    cut(&person->given_name, PERSON_PART_CHARACTERS);
    cut(&person->family_name, PERSON_PART_CHARACTERS);
    cut(&person->display_name, PERSON_NAME_CHARACTERS);
}
