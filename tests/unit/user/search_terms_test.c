/* Tokens, words and terms in many scripts. */
#include "tests/support/unit.h"

#include "user/fold.h"
#include "user/search_terms.h"

#include <stdio.h>
#include <string.h>

#define assert_str_is(actual, expected) \
    do { \
        struct str actual_ = (actual); \
        assert_int_equal(actual_.len, strlen(expected)); \
        assert_memory_equal(actual_.ptr, expected, actual_.len); \
    } while (0)

static void folding(void **state)
{
    static const struct {
        const char *from, *search, *exact;
    } cases[] = {
        {"", "", ""},
        {"Anna", "anna", "anna"},
        {"José", "jose", "josé"},
        {"Jose\u0301", "jose", "josé"},
        {"MÜLLER", "muller", "müller"},
        {"Straße", "strasse", "strasse"},
        {"Łódź", "lodz", "łódź"},
        {"Søren Ærø", "soren aero", "søren ærø"},
        {"Þórður", "thordur", "þórður"},
        {"İstanbul ışık", "istanbul isik", "i̇stanbul ışık"},
        {"Đặng Thị Hòa", "dang thi hoa", "đặng thị hòa"},
        {"Ὀδυσσεύς", "οδυσσευσ", "ὀδυσσεύσ"},
        {"Йосиф Ёлкин", "иосиф елкин", "йосиф ёлкин"},
        {"ＦＵＬＬ ｗｉｄｔｈ", "full width", "full width"},
        {"ﬁ ﬂ Ⅷ ①", "fi fl viii 1", "fi fl viii 1"},
        {"がぎ ｶﾞ", "がぎ ガ", "がぎ ガ"},
        {"김철수", "김철수", "김철수"},
        {"\u1100\u1161", "가", "가"},
        {"हिन्दी", "हिन्दी", "हिन्दी"},
        {"שָׁלוֹם", "שלום", "שָׁלוֹם"},
        {"مُحَمَّد", "محمد", "مُحَمَّد"},
        {"so\u00ADft\u200B", "soft", "soft"},
        {"\xFF\xFE", "", ""}, /* no UTF-8 */
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_str_is(fold_search(&arena, str_of(cases[i].from)), cases[i].search);
        assert_str_is(fold_case(&arena, str_of(cases[i].from)), cases[i].exact);
    }
    arena_clear(&arena);
}

static void tokens_of_users(void **state)
{
    static const struct {
        const char *display, *given, *family, *email, *tokens, *name_key;
    } cases[] = {
        {"Anna Müller", "", "", "anna.m@example.com", " anna muller m example com", "anna muller"},
        {"  Anna \t Müller ", "Anna", "Müller", "a@b", " anna muller a b", "anna muller"},
        {"Sinéad O'Connor-O’Brien", "", "", "x@y", " sinead oconnor obrien x y",
         "sinead o'connor-o’brien"},
        {"田中 太郎", "太郎", "田中", "tanaka@例え.jp", " 田中 太郎 tanaka 例え jp", "田中 太郎"},
        {"नरेन्द्र मोदी", "", "", "n@m", " नरेन्द्र मोदी n m", "नरेन्द्र मोदी"},
        {"🙂", "", "", "_@-", "", "🙂"},
        {"a b c d e f g h i j k l m n o p q r s", "", "", "t@u",
         " a b c d e f g h i j k l m n o p q r s t u", "a b c d e f g h i j k l m n o p q r s"},
        {"a b c d e f g h i j k l", "m n o p", "q r s t z u v w", "x@y.z",
         " a b c d e f g h i j k l m n o p q r s t z x y", "a b c d e f g h i j k l"},
        {"anna", "", "", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v@w",
         " a b c d e f g h i j k l m n o p q r s t u v w", "anna"},
        {"anna ANNA Ánna", "", "", "anna@anna", " anna", "anna anna anna"},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct user user = {.display_name = str_of(cases[i].display),
                            .given_name = str_of(cases[i].given),
                            .family_name = str_of(cases[i].family),
                            .email = str_of(cases[i].email)};
        struct search_terms terms, again;
        search_terms_of_user(&arena, &user, &terms);
        assert_str_is(terms.tokens, cases[i].tokens);
        assert_str_is(terms.name_key, cases[i].name_key);
        search_terms_of_tokens(&arena, terms.name_key, terms.tokens, &again);
        assert_int_equal(again.count, terms.count);
        for (size_t k = 0; k < terms.count; k++)
            assert_true(str_eq(again.terms[k], terms.terms[k]));
    }
    arena_clear(&arena);
}

static void terms_by_length(void **state)
{
    static const char *const expected[] = {"1a", "1l", "2a", "2ann", "2li", "3anna"};
    struct arena arena = {0};
    struct search_terms terms;
    (void)state;
    search_terms_of_tokens(&arena, STR("k"), STR(" a li ann anna"), &terms);
    assert_int_equal(terms.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_str_is(terms.terms[i], expected[i]);
    search_terms_of_tokens(&arena, STR(""), STR(""), &terms);
    assert_int_equal(terms.count, 0);
    arena_clear(&arena);
}

static void over_long_texts_are_cut(void **state)
{
    struct arena arena = {0};
    char name[801];
    struct search_terms terms;
    (void)state;
    for (int i = 0; i < 200; i++)
        memcpy(name + 4 * i, "𝕏", 4); /* folds to x */
    name[800] = '\0';
    struct user user = {.display_name = str_of(name), .email = STR("a@b")};
    search_terms_of_user(&arena, &user, &terms);
    assert_int_equal(terms.name_key.len, SEARCH_NAME_KEY_BYTES);
    assert_int_equal(terms.tokens.len, 1 + SEARCH_TOKEN_CHARS + 4);
    struct str words[4];
    assert_int_equal(search_terms_query(&arena, str_of(name), words, 4), 1);
    assert_true(search_terms_match(terms.tokens, words[0]));
    arena_clear(&arena);
}

static void words_of_queries(void **state)
{
    static const struct {
        const char *query;
        size_t count;
        const char *first;
    } cases[] = {
        {"", 0, NULL},
        {" ,.-'", 0, NULL},
        {"Anna", 1, "anna"},
        {"an anna", 1, "anna"},
        {"anna an", 1, "anna"},
        {"a@b.c", 3, "a"},
        {"o'brien", 1, "obrien"},
        {"x1 x1 X1", 1, "x1"},
        {"1 2 3 4 5", 5, "1"},
    };
    struct arena arena = {0};
    struct str words[3];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(search_terms_query(&arena, str_of(cases[i].query), words, 3),
                         cases[i].count);
        if (cases[i].first)
            assert_str_is(words[0], cases[i].first);
    }
    arena_clear(&arena);
}

static void matching(void **state)
{
    (void)state;
    assert_true(search_terms_match(STR(" anna muller"), STR("mul")));
    assert_true(search_terms_match(STR(" anna muller"), STR("muller")));
    assert_false(search_terms_match(STR(" anna muller"), STR("mullers")));
    assert_false(search_terms_match(STR(" anna muller"), STR("nna")));
    assert_false(search_terms_match(STR(""), STR("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding),          cmocka_unit_test(tokens_of_users),
        cmocka_unit_test(terms_by_length),  cmocka_unit_test(over_long_texts_are_cut),
        cmocka_unit_test(words_of_queries), cmocka_unit_test(matching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
