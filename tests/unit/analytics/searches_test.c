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

struct step {
    const char *text, *actor;
    int64_t time_ms;
};

static void test_steps(void **state)
{
    static const struct {
        struct step steps[8];
        const char *counted; /* text=count, by count and text */
    } CASES[] = {
        {{{"jose", "", 0}}, "jose=1 "},
        {{{"j", "", 0}, {"jo", "", 200}, {"jos", "", 400}, {"jose", "", 600}}, "jose=1 "},
        {{{"j", "", 0}, {"jose", "", 900}}, "jose=1 "},
        /* going back is no typing towards: each was looked at */
        {{{"jose", "", 0}, {"jos", "", 100}, {"jo", "", 200}}, "jo=1 jos=1 jose=1 "},
        /* what comes later does not take a search that is not the one just before it */
        {{{"jose", "", 0},
          {"mul", "", 150},
          {"zzzzqqq", "", 300},
          {"j", "", 450},
          {"jo", "", 600},
          {"jos", "", 750}},
         "jos=1 jose=1 mul=1 zzzzqqq=1 "},
        {{{"jo", "", 0}, {"mul", "", 100}, {"jose", "", 200}}, "jo=1 jose=1 mul=1 "},
        {{{"j", "", 0}, {"jo", "", 100}, {"anna", "", 200}}, "anna=1 jo=1 "},
        /* next in time, not in the order of the batch */
        {{{"jose", "", 600}, {"jo", "", 200}, {"jos", "", 400}, {"j", "", 0}}, "jose=1 "},
        {{{"jo", "", 0}, {"jose", "", 200}, {"mul", "", 100}}, "jo=1 jose=1 mul=1 "},
        /* at the same time: the order of the batch */
        {{{"jo", "", 0}, {"jose", "", 0}}, "jose=1 "},
        {{{"jose", "", 0}, {"jo", "", 0}}, "jo=1 jose=1 "},
        /* too late to be the same typing */
        {{{"jo", "", 0}, {"jose", "", 2001}}, "jo=1 jose=1 "},
        {{{"jo", "", 0}, {"jose", "", 2000}}, "jose=1 "},
        /* the same text twice is two searches */
        {{{"anna", "", 0}, {"anna", "", 100}}, "anna=2 "},
        {{{"Jo", "", 0}, {"jO ", "", 100}}, "jo=2 "},
        /* others in between: too many, when callers are not known */
        {{{"an", "", 0}, {"be", "", 50}, {"ann", "", 100}, {"ber", "", 150}},
         "an=1 ann=1 be=1 ber=1 "},
        {{{"an", "a", 0}, {"be", "b", 50}, {"ann", "a", 100}, {"ber", "b", 150}}, "ann=1 ber=1 "},
        /* known callers do not take over each other's */
        {{{"an", "a", 0}, {"anna", "b", 100}}, "an=1 anna=1 "},
        {{{"an", "a", 0}, {"anna", "b", 100}, {"ann", "a", 200}}, "ann=1 anna=1 "},
        {{{"an", "a", 0}, {"anna", "", 100}}, "an=1 anna=1 "},
        /* nothing but spaces is no search */
        {{{"  ", "", 0}, {"x", "", 10}}, "x=1 "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct rollup_delta delta = {0};
        struct searches searches;
        struct sketch_item items[8];
        char got[256] = "";
        searches_init(&searches, &delta);
        for (size_t k = 0; k < 8 && CASES[i].steps[k].text; k++)
            searches_add(&searches, str_of(CASES[i].steps[k].text), str_of(CASES[i].steps[k].actor),
                         false, 1795370400000 + CASES[i].steps[k].time_ms);
        searches_finish(&searches);
        size_t count =
            sketch_top(rollup_texts(&delta, 1795370400, ROLLUP_ALL_SEARCHES), 1, items, 8);
        for (size_t k = 0; k < count; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s=%d ",
                     STR_ARG(items[k].text), (int)items[k].count);
        assert_string_equal(got, CASES[i].counted);
        rollup_clear(&delta);
    }
}

static void test_many_searches(void **state)
{
    struct rollup_delta delta = {0};
    struct searches searches;
    char text[16];
    (void)state;
    searches_init(&searches, &delta);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d-", i + 1000);
        searches_add(&searches, str_of(text), STR("a"), i % 2 == 0, 1795370400000);
    }
    searches_finish(&searches);
    assert_int_equal(sketch_total(rollup_texts(&delta, 1795370400, ROLLUP_ALL_SEARCHES)), 1000);
    assert_int_equal(sketch_total(rollup_texts(&delta, 1795370400, ROLLUP_NOTHING_FOUND)), 500);
    assert_int_equal(delta.count_used, 1);
    assert_int_equal(delta.counts[0].kind, ROLLUP_KIND_NOTHING_FOUND);
    assert_int_equal(delta.counts[0].count, 500);
    rollup_clear(&delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_folding_is_cut_between_characters),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_many_searches),
    };
    return cmocka_run_group_tests_name("searches", tests, NULL, NULL);
}
