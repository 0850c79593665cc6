/*
 * Puts a person, an email address, a status and labels together to a user.
 *
 * Addresses are counted per name and domain: the first Anna Müller at a domain is anna.muller, the
 * second anna.muller2. The counts are kept by a 64-bit hash of the address; two addresses with the
 * same hash merely count on together.
 */
#include "omnictl/gen.h"

#include "base/alloc.h"
#include "omnictl/names.h"
#include "omnictl/person.h"

#include <string.h>

enum {
    EMAIL_BYTES_MAX = 254,
    LOCAL_BYTES_MAX = 64,
    LOCAL_NAME_BYTES = 48, /* leaves room for the number and a tag */
    COUNTS_AT_FIRST = 1 << 12,
    LABEL_BYTES_MAX = 4096,
    LABEL_VALUE_MAX = 256,
};

struct count {
    uint64_t hash;
    uint32_t times; /* 0: free */
};

struct gen {
    uint64_t seed, index;
    struct person_book *book;
    struct person person;
    struct arena arena;
    struct name_list domains, departments, types;
    struct count *counts;
    size_t counts_size, counts_used; /* the size is a power of two */
    struct buf email, values;
};

static const char DOMAINS[] =
    "example.com|example.org|acme.example|globex.example|example.net|initech.example|"
    "mail.umbrella.example|students.uni.example|hooli.example|corp.stark.example|"
    "xn--bcher-kva.example|hospital.example|wayne.example|a.example|tyrell.co.example";
static const char DEPARTMENTS[] =
    "engineering|sales|support|operations|finance|marketing|people|legal|research|design|data|"
    "security|it|logistics|facilities|procurement|office of the CEO|R&D, materials";
static const char TYPES[] = "full_time|part_time|contractor|intern|temporary|apprentice";

static const struct str LABEL_KEYS[] = {
    {"country", 7},     {"department", 10}, {"employee_type", 13}, {"cost_center", 11},
    {"start_year", 10}, {"level", 5},       {"note", 4},
};
enum { COUNTRY, DEPARTMENT, EMPLOYEE_TYPE, COST_CENTER, START_YEAR, LEVEL, NOTE };

const struct str *gen_label_keys(size_t *count)
{
    *count = sizeof LABEL_KEYS / sizeof *LABEL_KEYS;
    return LABEL_KEYS;
}

struct gen *gen_new(uint64_t seed)
{
    struct gen *gen = xcalloc(1, sizeof *gen);
    gen->seed = seed;
    gen->book = person_book_new();
    person_init(&gen->person);
    gen->domains = names_parse(&gen->arena, DOMAINS);
    gen->departments = names_parse(&gen->arena, DEPARTMENTS);
    gen->types = names_parse(&gen->arena, TYPES);
    gen->counts_size = COUNTS_AT_FIRST;
    gen->counts = xcalloc(gen->counts_size, sizeof *gen->counts);
    buf_init(&gen->email, EMAIL_BYTES_MAX);
    buf_init(&gen->values, LABEL_BYTES_MAX);
    return gen;
}

void gen_free(struct gen *gen)
{
    if (!gen)
        return;
    person_book_free(gen->book);
    person_clear(&gen->person);
    arena_clear(&gen->arena);
    xfree(gen->counts);
    buf_clear(&gen->email);
    buf_clear(&gen->values);
    xfree(gen);
}

static uint64_t hash_of(struct str text, uint64_t hash)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001B3U;
    return hash;
}

static struct count *find_count(struct count *counts, size_t size, uint64_t hash)
{
    size_t at = (size_t)(hash ^ hash >> 29) & (size - 1);
    while (counts[at].times && counts[at].hash != hash)
        at = (at + 1) & (size - 1);
    return &counts[at];
}

static void grow_counts(struct gen *gen)
{
    size_t size = gen->counts_size * 2;
    struct count *counts = xcalloc(size, sizeof *counts);
    for (size_t i = 0; i < gen->counts_size; i++)
        if (gen->counts[i].times)
            *find_count(counts, size, gen->counts[i].hash) = gen->counts[i];
    xfree(gen->counts);
    gen->counts = counts;
    gen->counts_size = size;
}

/* How often this address has been asked for, this time included. */
static uint32_t count_address(struct gen *gen, struct str local, struct str domain)
{
    uint64_t hash = hash_of(domain, hash_of(local, 0xCBF29CE484222325U) * 31);
    struct count *count = find_count(gen->counts, gen->counts_size, hash);
    if (count->times)
        return ++count->times;
    *count = (struct count){hash, 1};
    if (++gen->counts_used > gen->counts_size / 2)
        grow_counts(gen);
    return 1;
}

static void add_local_name(struct gen *gen, struct random *random)
{
    struct buf *out = &gen->email;
    struct str given = gen->person.given_ascii, family = gen->person.family_ascii;
    uint32_t roll = random_below(random, 100);
    struct str initial = {given.ptr, given.len ? 1 : 0};
    bool family_first = roll >= 92;
    struct str first = family_first ? family : roll >= 60 && roll < 75 ? initial : given;
    struct str second = family_first ? given : family;
    if (!family.len)
        first = given, second = family;
    buf_add(out, first);
    if (first.len && second.len && roll < 60)
        buf_add_char(out, '.');
    else if (first.len && second.len && roll >= 85)
        buf_add_char(out, roll < 92 ? '_' : '.');
    buf_add(out, second);
    if (out->len > LOCAL_NAME_BYTES)
        out->len = LOCAL_NAME_BYTES;
    while (out->len && (out->ptr[out->len - 1] == '.' || out->ptr[out->len - 1] == '_'))
        out->len--;
    if (!out->len)
        buf_add_cstr(out, "user");
}

/* Fills the address up to the longest there is: 64 bytes, @, labels of at most 63, 254 in all. */
static void add_longest_domain(struct buf *out)
{
    struct str at_the_end = STR(".example");
    size_t label = 0;
    while (out->len + at_the_end.len < EMAIL_BYTES_MAX) {
        bool dot = label == 60 && out->len + at_the_end.len + 2 < EMAIL_BYTES_MAX;
        buf_add_char(out, dot ? '.' : 'd');
        label = dot ? 0 : label + 1;
    }
    buf_add(out, at_the_end);
}

static void make_email(struct gen *gen, struct random *random)
{
    struct buf *out = &gen->email;
    buf_reset(out);
    add_local_name(gen, random);
    struct str domain = names_draw(&gen->domains, random_next(random))->native;
    uint32_t roll = random_below(random, 20000);
    uint32_t times = count_address(gen, buf_str(out), domain);
    if (times > 1)
        buf_add_u64(out, times);
    if (roll < 20)
        buf_add_cstr(out, "+work");
    if (roll >= 20 && roll < 40)
        for (size_t i = 0; i < out->len; i++)
            if (out->ptr[i] >= 'a' && (i == 0 || out->ptr[i - 1] < 'A'))
                out->ptr[i] = (char)(out->ptr[i] - 32);
    buf_add_char(out, '@');
    /* The longest ones have a domain of their own each, so the local part may stay as it is. */
    if (roll == 40) {
        buf_add(out, domain);
        buf_add_char(out, '.');
        add_longest_domain(out);
    } else {
        buf_add(out, domain);
    }
}

static void add_label(struct gen *gen, struct user_row *row, size_t key, size_t start)
{
    row->labels[row->label_count++] =
        (struct user_label){LABEL_KEYS[key], str_from(buf_str(&gen->values), start)};
}

static void add_number_label(struct gen *gen, struct user_row *row, size_t key, const char *prefix,
                             uint32_t number)
{
    size_t start = gen->values.len;
    buf_add_cstr(&gen->values, prefix);
    buf_add_u64(&gen->values, number);
    add_label(gen, row, key, start);
}

static void make_labels(struct gen *gen, struct random *random, struct user_row *row)
{
    buf_reset(&gen->values);
    buf_reserve(&gen->values, LABEL_BYTES_MAX); /* labels point into it: it must not move */
    row->labels[0] = (struct user_label){LABEL_KEYS[COUNTRY], gen->person.country};
    row->labels[1] = (struct user_label){
        LABEL_KEYS[DEPARTMENT], names_draw(&gen->departments, random_next(random))->native};
    bool other_type = random_chance(random, 22000);
    row->labels[2] =
        (struct user_label){LABEL_KEYS[EMPLOYEE_TYPE],
                            gen->types.names[other_type ? 1 + random_below(random, 5) : 0].native};
    row->label_count = 3;
    uint32_t roll = random_below(random, 20000);
    if (roll % 10 < 7)
        add_number_label(gen, row, COST_CENTER, "cc-", 1000 + random_below(random, 200));
    if (roll % 10 < 6)
        add_number_label(gen, row, START_YEAR, "", 1998 + random_below(random, 27));
    if (roll % 10 < 8)
        add_number_label(gen, row, LEVEL, "l", 1 + random_below(random, 8));
    if (roll < 20) {
        size_t start = gen->values.len;
        if (roll == 0)
            while (gen->values.len - start < LABEL_VALUE_MAX)
                buf_add_cstr(&gen->values, "ü");
        else
            buf_add_cstr(&gen->values, "prefers \"calls\", not mail; 日本語 OK");
        add_label(gen, row, NOTE, start);
    }
}

void gen_next(struct gen *gen, struct user_row *row)
{
    struct random random = random_of(gen->seed, gen->index++);
    person_make(gen->book, &random, &gen->person);
    make_email(gen, &random);
    make_labels(gen, &random, row);
    uint32_t roll = random_below(&random, 100);
    row->email = buf_str(&gen->email);
    row->display_name = buf_str(&gen->person.display_name);
    row->given_name = buf_str(&gen->person.given_name);
    row->family_name = buf_str(&gen->person.family_name);
    row->status = roll < 92   ? STR("USER_STATUS_ACTIVE")
                  : roll < 97 ? STR("USER_STATUS_INVITED")
                              : STR("USER_STATUS_SUSPENDED");
    row->id = row->create_time = row->update_time = row->etag = (struct str){0};
}
