/* Search against what it should find by looking at every user, whatever way the store takes. */
#include "tests/contract/user/store_suite.h"

static void accents_and_case_do_not_matter(void **state)
{
    static const struct {
        const char *query;
        size_t found;
    } cases[] = {
        {"jose", 1},      {"JOS\xC3\x89", 1}, {"mul", 1},          {"m\xC3\xBCl an", 1},
        {"anna jose", 0}, {"example", 2},     {"jose@example", 1}, {"ann mul exa", 1},
        {"zz", 0},        {"muller", 1},      {"mullerx", 0},      {"...", 0},
    };
    struct suite *suite = *state;
    suite_create(suite, "j@example.com",
                 "Jos\xC3\xA9 Garc\xC3\xAD"
                 "a");
    suite_create(suite, "jose.x@example.org", "Anna M\xC3\xBCller");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i == 0 || i == 1) /* `jose` is also in Anna's address */
            assert_int_equal(suite_search(suite, cases[i].query, STR(""), 10).count, 2);
        else if (i == 4 || i == 6)
            assert_true(suite_search(suite, cases[i].query, STR(""), 10).count >= 1);
        else
            assert_int_equal(suite_search(suite, cases[i].query, STR(""), 10).count,
                             cases[i].found);
    }
}

static void order_is_by_folded_name_then_id(void **state)
{
    static const char *const expected[] = {"abel x",
                                           ("\xC3\x81"
                                            "bel x"),
                                           "Abel Y", "Zoe x"};
    struct suite *suite = *state;
    suite_create(suite, "1@x", "Zoe x");
    suite_create(suite, "2@x", "abel x");
    suite_create(suite, "3@x", "Abel Y");
    suite_create(suite, "4@x",
                 "\xC3\x81"
                 "bel x");
    struct store_page page = suite_search(suite, "x", STR(""), 10);
    assert_int_equal(page.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_str_equal(page.users[i].display_name, str_of(expected[i]));
}

static void change_and_delete_reach_the_index(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "Old Name"), updated;
    struct user_change change = {.id = user.id,
                                 .fields = USER_FIELD_DISPLAY_NAME,
                                 .values = {.display_name = STR("New Name")}};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_int_equal(suite_search(suite, "old", STR(""), 10).count, 0);
    assert_int_equal(suite_search(suite, "new", STR(""), 10).count, 1);
    assert_int_equal(suite_search(suite, "name", STR(""), 10).count, 1);
    assert_int_equal(suite_remove(suite, user.id, STR("")), CODE_OK);
    assert_int_equal(suite_search(suite, "name", STR(""), 10).count, 0);
    assert_int_equal(suite_search(suite, "a", STR(""), 10).count, 0);
}

/* `count` words of as many different beginnings, whose first letter is `first`. */
static char *words_from(struct suite *suite, char first, size_t count)
{
    struct buf out;
    buf_init_arena(&out, &suite->arena, 4096);
    for (size_t i = 0; i < count; i++)
        buf_addf(&out, "%s%c%c%cx", i ? " " : "", first, (char)('a' + i), (char)('z' - i));
    return arena_cstr(&suite->arena, buf_str(&out));
}

/* Whatever the names are: the address finds its user, and as many words of the names as there is
 * room for. All of them change in one write, and none stays behind. */
static void a_user_with_many_words_is_found_by_the_address(void **state)
{
    static const struct {
        const char *query;
        size_t before, after;
    } cases[] = {
        {"zebra@zoo.org", 1, 0}, {"cow@shed.com", 0, 1}, {"paz", 1, 0}, {"pt", 1, 0}, {"pu", 0, 0},
        {"qaz", 0, 1},           {"qt", 0, 1},           {"qu", 0, 0},  {"q", 0, 1},  {"p z", 1, 0},
    };
    struct suite *suite = *state;
    struct user user = suite_create(suite, "zebra@zoo.org", words_from(suite, 'p', 25)), updated;
    struct user_change change = {.id = user.id,
                                 .fields = USER_FIELD_DISPLAY_NAME | USER_FIELD_EMAIL,
                                 .values = {.email = STR("cow@shed.com"),
                                            .display_name = str_of(words_from(suite, 'q', 25))}};
    const struct store_once once = {.request_id = STR("r")};
    struct store_write write = suite_write(&once);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(suite_search(suite, cases[i].query, STR(""), 10).count, cases[i].before);
    assert_int_equal(suite->store->vtable->update(suite->store, &write, &change, &suite->arena,
                                                  &updated, &suite->replayed, &suite->err),
                     CODE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(suite_search(suite, cases[i].query, STR(""), 10).count, cases[i].after);
    assert_int_equal(suite_remove(suite, user.id, STR("")), CODE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(suite_search(suite, cases[i].query, STR(""), 10).count, 0);
    if (suite->fake)
        assert_int_equal(dynamodb_fake_items(suite->fake, "1/w") +
                             dynamodb_fake_items(suite->fake, "1/h") +
                             dynamodb_fake_items(suite->fake, "1/n"),
                         0);
}

/* --- against the definition --- */

enum { USERS_MAX = 3000 };

struct model {
    struct user users[USERS_MAX];
    struct search_terms terms[USERS_MAX];
    size_t order[USERS_MAX];
};

static struct model *sorted_model;

static int compare(const void *a, const void *b)
{
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = str_cmp(sorted_model->terms[i].name_key, sorted_model->terms[k].name_key);
    return order
               ? order
               : memcmp(&sorted_model->users[i].id, &sorted_model->users[k].id, sizeof(struct id));
}

/* Many tokens below `mari` and `xy`: lists, merges and coarse ways are all taken. */
static struct model *fill(struct suite *suite)
{
    struct model *model = xcalloc(1, sizeof *model);
    uint32_t dice = 12345;
    for (size_t i = 0; i < suite_backend->search_users; i++) {
        dice = dice * 1664525u + 1013904223u;
        static const char *const given[] = {"Maria", "Marianne", "Mar\xC3\xADn",
                                            "Jo",    "Anna",     "Li"};
        static const char *const family[] = {"M\xC3\xBCller", "Marino", "Xy", "Ng",
                                             "O'Brien",       "Wu"};
        char *name =
            arena_printf(&suite->arena, "%s %s", given[dice >> 8 & 3], family[(dice >> 12) % 6]);
        char *email = arena_printf(&suite->arena, "mari%zu.xy%zu@%s.com", i, i * 7 % 1000,
                                   i % 3 ? "example" : "sample");
        model->users[i] = suite_create(suite, email, name);
        search_terms_of_user(&suite->arena, &model->users[i], &model->terms[i]);
        model->order[i] = i;
    }
    sorted_model = model;
    qsort(model->order, suite_backend->search_users, sizeof *model->order, compare);
    return model;
}

static bool matches(const struct search_terms *terms, const struct str *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!search_terms_match(terms->tokens, words[i]))
            return false;
    return true;
}

static void check_query(struct suite *suite, const struct model *model, const char *query,
                        size_t limit)
{
    struct str words[STORE_SEARCH_WORDS_MAX];
    size_t count = search_terms_query(&suite->arena, str_of(query), words, STORE_SEARCH_WORDS_MAX);
    struct store_page page = {0};
    size_t in_page = 0;
    for (size_t i = 0; i < suite_backend->search_users; i++) {
        const struct user *expected = &model->users[model->order[i]];
        if (!matches(&model->terms[model->order[i]], words, count))
            continue;
        while (in_page == page.count) {
            assert_true(i == 0 || in_page == 0 || page.next.len);
            page = suite_search(suite, query, page.next, limit);
            in_page = 0;
            assert_true(page.count || page.next.len);
        }
        assert_memory_equal(&page.users[in_page++].id, &expected->id, sizeof expected->id);
    }
    assert_int_equal(in_page, page.count);
    while (page.next.len) {
        page = suite_search(suite, query, page.next, limit);
        assert_int_equal(page.count, 0);
    }
}

static void every_way_finds_what_the_definition_says(void **state)
{
    static const char *const queries[] = {
        "m",        "ma",     "mar",      "mari",    "mari1",       "maria",  "marian",
        "j",        "jo",     "x",        "xy",      "xy1",         "xy12",   "li",
        "mari xy",  "ma x",   "obrien m", "exa sam", "mari1 xy1",   "com jo", "jo wu mari2",
        "mulle an", "sample", "exampl",   "xy999",   "maria mulle", "ng ng",  "n",
    };
    const size_t limits[] = {suite_backend->small_page, 100};
    struct suite *suite = *state;
    struct model *model = fill(suite);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++)
            check_query(suite, model, queries[i], limits[k]);
    xfree(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(accents_and_case_do_not_matter),
        SUITE_TEST(order_is_by_folded_name_then_id),
        SUITE_TEST(change_and_delete_reach_the_index),
        SUITE_TEST(a_user_with_many_words_is_found_by_the_address),
        SUITE_TEST(every_way_finds_what_the_definition_says),
    };
    return suite_run(tests);
}
