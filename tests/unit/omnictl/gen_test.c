/* omnictl/gen: the same users everywhere, all of them within the contract's limits. */
#include "tests/support/unit.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "crypto/crypto.h"
#include "omnictl/gen.h"
#include "omnictl/names.h"
#include "omnictl/person.h"

#include <stdlib.h>
#include <string.h>

enum { USERS = 200000, LINE_BYTES_MAX = 1 << 20 };

static size_t characters(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return count;
}

static void hash_users(uint64_t seed, size_t count, enum user_format format, char hex[65])
{
    struct gen *gen = gen_new(seed);
    struct crypto_hash *hash = crypto_hash_new();
    struct user_row row = {0};
    struct buf line;
    uint8_t digest[CRYPTO_SHA256_BYTES];
    size_t key_count;
    const struct str *keys = gen_label_keys(&key_count);
    buf_init(&line, LINE_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        gen_next(gen, &row);
        buf_reset(&line);
        if (format == USER_FORMAT_CSV)
            user_row_write_csv(&line, &row, keys, key_count, false);
        else
            user_row_write_ndjson(&line, &row);
        crypto_hash_add(hash, buf_str(&line));
    }
    crypto_hash_finish(hash, digest);
    buf_reset(&line);
    encode_hex(&line, (struct str){(char *)digest, sizeof digest});
    memcpy(hex, buf_cstr(&line), 65);
    buf_clear(&line);
    gen_free(gen);
}

/* A change here changes what every seed means: intended, or a bug. */
static void test_golden(void **state)
{
    static const struct {
        uint64_t seed;
        size_t count;
        enum user_format format;
        const char *hash;
    } CASES[] = {
        {1, 10000, USER_FORMAT_NDJSON,
         "b5e28fba8040e7a0ecdd0a9db15750e07e9d390d6c15cc2fa86b1b8a027f73f7"},
        {1, 10000, USER_FORMAT_CSV,
         "663e0a3872bcfec251c7884353abbb9d650b8c5d57e232b5a5daf6d61d4a7ffd"},
        {77, 100, USER_FORMAT_NDJSON,
         "e642a1ab6d066928547fdfdf9a78931cd885d43ad5bada98710aaab5ee1012ae"},
    };
    char hex[65];
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        hash_users(CASES[i].seed, CASES[i].count, CASES[i].format, hex);
        assert_string_equal(hex, CASES[i].hash);
    }
}

static void test_first_users_are_the_same_however_many_follow(void **state)
{
    struct gen *few = gen_new(9), *again = gen_new(9), *other = gen_new(10);
    struct user_row a = {0}, b = {0}, c = {0};
    size_t same = 0;
    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        gen_next(few, &a);
        gen_next(again, &b);
        gen_next(other, &c);
        assert_true(str_eq(a.email, b.email) && str_eq(a.display_name, b.display_name));
        same += str_eq(a.display_name, c.display_name);
    }
    assert_true(same < 50);
    gen_free(few);
    gen_free(again);
    gen_free(other);
}

static void check_email(struct str email)
{
    ptrdiff_t at = str_find(email, '@');
    struct str domain = str_from(email, (size_t)at + 1), label;
    assert_true(at > 0 && at <= 64 && email.len <= 254 && str_find(domain, '@') < 0);
    for (ptrdiff_t i = 0; i < at; i++)
        assert_non_null(memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-",
                               email.ptr[i], 66));
    assert_true(email.ptr[0] != '.' && email.ptr[at - 1] != '.');
    while (str_next(&domain, '.', &label))
        assert_true(label.len > 0 && label.len <= 63);
}

static void check_text(struct str text, size_t most)
{
    assert_true(str_is_utf8(text));
    assert_true(characters(text) <= most);
    assert_true(str_eq(text, str_trim(text)));
    for (size_t i = 0; i < text.len; i++)
        assert_true((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7F);
}

static void check_labels(const struct user_row *row)
{
    assert_true(row->label_count >= 3 && row->label_count <= 32);
    for (size_t i = 0; i < row->label_count; i++) {
        struct str key = row->labels[i].key, value = row->labels[i].value;
        assert_true(key.len >= 1 && key.len <= 63 && value.len >= 1 && value.len <= 256);
        assert_true(str_is_utf8(value));
        for (size_t j = 0; j < key.len; j++)
            assert_non_null(memchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", key.ptr[j], 39));
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *folded(struct str email)
{
    char *text = xmalloc(email.len + 1);
    for (size_t i = 0; i < email.len; i++)
        text[i] =
            (char)(email.ptr[i] >= 'A' && email.ptr[i] <= 'Z' ? email.ptr[i] + 32 : email.ptr[i]);
    text[email.len] = '\0';
    return text;
}

static void test_all_are_valid_and_no_address_comes_twice(void **state)
{
    struct gen *gen = gen_new(1);
    struct user_row row = {0};
    char **emails = xcalloc(USERS, sizeof *emails);
    size_t longest_email = 0, longest_name = 0, longest_given = 0, longest_family = 0, single = 0;
    (void)state;
    for (size_t i = 0; i < USERS; i++) {
        gen_next(gen, &row);
        check_email(row.email);
        check_text(row.display_name, 200);
        check_text(row.given_name, 100);
        check_text(row.family_name, 100);
        check_labels(&row);
        assert_true(row.display_name.len > 0 && row.given_name.len > 0);
        emails[i] = folded(row.email);
        longest_email = row.email.len > longest_email ? row.email.len : longest_email;
        size_t name = characters(row.display_name), given = characters(row.given_name);
        longest_name = name > longest_name ? name : longest_name;
        longest_given = given > longest_given ? given : longest_given;
        size_t family = characters(row.family_name);
        longest_family = family > longest_family ? family : longest_family;
        single += family == 0;
    }
    qsort(emails, USERS, sizeof *emails, compare);
    for (size_t i = 1; i < USERS; i++)
        assert_string_not_equal(emails[i - 1], emails[i]);
    for (size_t i = 0; i < USERS; i++)
        xfree(emails[i]);
    xfree(emails);
    gen_free(gen);
    assert_int_equal(longest_email, 254);
    assert_int_equal(longest_name, 200);
    assert_int_equal(longest_given, 100);
    assert_int_equal(longest_family, 100);
    assert_true(single > USERS / 100 && single < USERS / 10);
}

static void test_scripts_and_odd_cases_are_there(void **state)
{
    static const char *const WANTED[] = {
        "É",  "Ж",      "Ω",          "محمد", "כהן", "शर्मा", "王",     "さくら",
        "김", "ท",      "Nguyễn",     "ბერ",  "Հ",   "ከ",    "’",      "'",
        "-",  "\u0301", "\U0001F680", "\"",   ", ",  "Dr. ", "\u200C",
    };
    enum { COUNT = sizeof WANTED / sizeof *WANTED };
    struct gen *gen = gen_new(1);
    struct user_row row = {0};
    bool seen[COUNT] = {false};
    (void)state;
    for (size_t i = 0; i < 60000; i++) {
        gen_next(gen, &row);
        for (size_t w = 0; w < COUNT; w++)
            seen[w] = seen[w] || memmem(row.display_name.ptr, row.display_name.len, WANTED[w],
                                        strlen(WANTED[w]));
    }
    for (size_t w = 0; w < COUNT; w++)
        if (!seen[w])
            fail_msg("no display name with %s", WANTED[w]);
    gen_free(gen);
}

static void test_names_are_folded_to_ascii(void **state)
{
    static const struct {
        const char *text, *ascii;
    } CASES[] = {
        {"José", "jose"},          {"Łukasz", "lukasz"},
        {"Weiß", "weiss"},         {"Ørsted", "orsted"},
        {"Þórunn", "thorunn"},     {"Nguyễn", "nguyen"},
        {"Đặng", "dang"},          {"Ștefan", "stefan"},
        {"Фёдор", "fedor"},        {"Щукарь", "schukar"},
        {"Їванна", "ivanna"},      {"Ђорђе", "djordje"},
        {"Γιώργος", "giorgos"},    {"Άγγελος", "aggelos"},
        {"Ωρίων", "orion"},        {"O’Brien", "obrien"},
        {"van 't Hof", "vanthof"}, {"Ọláwálé", "olawale"},
        {"e\u0301", "e"},          {"王", ""},
    };
    struct buf out;
    (void)state;
    buf_init(&out, 256);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        buf_reset(&out);
        names_fold(&out, str_of(CASES[i].text));
        assert_string_equal(buf_cstr(&out), CASES[i].ascii);
    }
    buf_clear(&out);
}

/* Every name must leave something for the address, and be valid UTF-8. */
static void test_tables(void **state)
{
    const struct culture_table *tables[] = {&NAMES_WEST, &NAMES_EAST_EUROPE, &NAMES_SOUTH,
                                            &NAMES_ASIA};
    size_t cultures = 0;
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        for (size_t i = 0; i < tables[t]->count; i++, cultures++) {
            const char *texts[] = {tables[t]->cultures[i].given, tables[t]->cultures[i].family,
                                   tables[t]->cultures[i].countries};
            for (size_t k = 0; k < 3; k++) {
                struct arena arena = {0};
                struct name_list list = names_parse(&arena, texts[k]);
                assert_true(str_is_utf8(str_of(texts[k])) && list.count > 0);
                for (size_t n = 0; n < list.count; n++) {
                    assert_true(list.names[n].native.len > 0 && list.names[n].ascii.len > 0);
                    assert_true(n == 0 || list.reach[n] > list.reach[n - 1]);
                }
                arena_clear(&arena);
            }
        }
    }
    assert_true(cultures <= PERSON_CULTURES_MAX);
}

static void test_common_names_are_common(void **state)
{
    struct arena arena = {0};
    struct name_list list = names_parse(&arena, "a|b|c|d|e|f|g|h|i|j");
    struct random random = random_of(3, 0);
    size_t counts[10] = {0};
    (void)state;
    for (size_t i = 0; i < 100000; i++)
        counts[names_draw(&list, random_next(&random))->native.ptr[0] - 'a']++;
    for (size_t i = 1; i < 10; i++)
        assert_true(counts[i] > 1000 && counts[i] < counts[i - 1]);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_first_users_are_the_same_however_many_follow),
        cmocka_unit_test(test_all_are_valid_and_no_address_comes_twice),
        cmocka_unit_test(test_scripts_and_odd_cases_are_there),
        cmocka_unit_test(test_names_are_folded_to_ascii),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_common_names_are_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
