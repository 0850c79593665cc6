/* Which searches count, and as what. */
#include "analytics/searches.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static void test_folding(void **state)
{
    static const struct {
        const char *text, *folded;
    } CASES[] = {
        {"", ""},
        {"   ", ""},
        {"Anna", "anna"},
        {"  Anna \t\n Müller  ", "anna müller"},
        {"ÉMILE Ž", "émile ž"},
        {"ΑΘΗΝΑ", "αθηνα"},
        {"МОСКВА", "москва"},
        {"a\xC2\xA0"
         "b\xE3\x80\x80"
         "c",
         "a b c"},
        {"李小龍", "李小龍"},
        {"😀 X", "😀 x"},
        {"\xFF\xFE", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char to[SEARCHES_TEXT_BYTES];
        size_t length = searches_fold(str_of(CASES[i].text), to);
        assert_int_equal(length, strlen(CASES[i].folded));
        assert_memory_equal(to, CASES[i].folded, length);
    }
}

static void test_folding_is_cut_between_characters(void **state)
{
    char text[3 * SEARCHES_TEXT_BYTES + 1], to[SEARCHES_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < SEARCHES_TEXT_BYTES; i++)
        memcpy(text + 3 * i, "€", 3);
    size_t length = searches_fold((struct str){text, 3 * SEARCHES_TEXT_BYTES}, to);
    assert_int_equal(length, SEARCHES_TEXT_BYTES / 3 * 3);
    assert_true(str_is_utf8((struct str){to, length}));
}

static void test_counting(void **state)
{
    struct rollup_delta delta = {0};
    char text[16];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, " %d-", i + 1000);
        searches_count(&delta, str_of(text), STR("a"), i % 2 == 0, 1795370400 + i);
    }
    searches_count(&delta, STR(" \t "), STR("a"), true, 1795370400);
    searches_count(&delta, STR("1000-"), STR("b"), false, 1795370400 + 3599);
    struct sketch *all = rollup_texts(&delta, 1795370400, ROLLUP_ALL_SEARCHES);
    struct sketch_item items[2];
    assert_int_equal(sketch_total(all), 1001);
    assert_int_equal(sketch_top(all, 2, items, 2), 1);
    assert_true(str_eq(items[0].text, STR("1000-")));
    assert_int_equal(items[0].count, 2);
    assert_int_equal(sketch_total(rollup_texts(&delta, 1795370400, ROLLUP_NOTHING_FOUND)), 500);
    uint64_t nothing_found = 0;
    for (size_t i = 0; i < delta.count_used; i++) {
        assert_int_equal(delta.counts[i].kind, ROLLUP_KIND_NOTHING_FOUND);
        nothing_found += delta.counts[i].count;
    }
    assert_int_equal(nothing_found, 500);
    rollup_clear(&delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_folding_is_cut_between_characters),
        cmocka_unit_test(test_counting),
    };
    return cmocka_run_group_tests_name("searches", tests, NULL, NULL);
}
