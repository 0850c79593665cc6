/* Reading many, page by page, and many writers at once. */
#include "tests/contract/user/store_suite.h"

#include <pthread.h>

static void many_are_read_in_order_with_gaps(void **state)
{
    struct suite *suite = *state;
    struct store_call call = suite_call();
    struct user a = suite_create(suite, "a@x", "A"), b = suite_create(suite, "b@x", "B");
    struct id ids[] = {b.id, id_new(&suite->clock.base), a.id, b.id};
    struct user *users[4];
    assert_int_equal(suite->store->vtable->get_many(suite->store, &call, ids, 4, &suite->arena,
                                                    users, &suite->err),
                     CODE_OK);
    assert_str_equal(users[0]->display_name, STR("B"));
    assert_null(users[1]);
    assert_str_equal(users[2]->display_name, STR("A"));
    assert_str_equal(users[3]->display_name, STR("B"));
}

static size_t read_all(struct suite *suite, size_t limit, struct id *ids)
{
    struct store_call call = suite_call();
    struct store_page page = {0};
    size_t count = 0;
    do {
        assert_int_equal(suite->store->vtable->list(suite->store, &call, page.next, limit,
                                                    &suite->arena, &page, &suite->err),
                         CODE_OK);
        assert_true(page.count <= limit);
        for (size_t i = 0; i < page.count; i++)
            ids[count++] = page.users[i].id;
    } while (page.next.len);
    return count;
}

static void pages_hold_everybody_once(void **state)
{
    enum { USERS = 23 };
    static const size_t limits[] = {1, 5, 22, 23, 24, 1000};
    struct suite *suite = *state;
    struct id ids[USERS + 1];
    char email[32];
    assert_int_equal(read_all(suite, 10, ids), 0);
    for (int i = 0; i < USERS; i++) {
        snprintf(email, sizeof email, "u%d@x", i);
        suite_create(suite, email, "U");
    }
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(read_all(suite, limits[i], ids), USERS);
        for (int k = 1; k < USERS; k++)
            assert_true(memcmp(&ids[k - 1], &ids[k], sizeof *ids) < 0);
    }
}

static void strange_position_is_refused(void **state)
{
    struct suite *suite = *state;
    struct store_call call = suite_call();
    struct store_page page;
    assert_int_equal(suite->store->vtable->list(suite->store, &call, STR("x"), 1, &suite->arena,
                                                &page, &suite->err),
                     CODE_INVALID_ARGUMENT);
}

/* --- concurrency --- */

enum { THREADS = 8, EACH = 60 };

struct writer {
    struct suite *suite;
    int number, made, taken;
};

/* All threads fight for the same addresses: each is won by exactly one. */
static void *write_many(void *argument)
{
    struct writer *writer = argument;
    struct suite *suite = writer->suite;
    struct arena arena = {0};
    for (int i = 0; i < EACH; i++) {
        char email[32];
        struct error err = {0};
        struct store_write write = suite_write(NULL);
        struct user created;
        bool replayed;
        snprintf(email, sizeof email, "u%d@x", i);
        struct user user = suite_user(suite, email, "User");
        enum code code = suite->store->vtable->create(suite->store, &write, &user, &arena, &created,
                                                      &replayed, &err);
        writer->made += code == CODE_OK;
        writer->taken += code == CODE_ALREADY_EXISTS;
        arena_reset(&arena);
    }
    arena_clear(&arena);
    return NULL;
}

static void writers_at_once_each_get_their_own_answer(void **state)
{
    struct suite *suite = *state;
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    int made = 0, taken = 0;
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){suite, i, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        made += writers[i].made;
        taken += writers[i].taken;
    }
    assert_int_equal(made, EACH);
    assert_int_equal(taken, EACH * (THREADS - 1));
    struct id ids[EACH + 1];
    assert_int_equal(read_all(suite, 7, ids), EACH);
    assert_int_equal(suite_stats(suite).events, EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(many_are_read_in_order_with_gaps),
        SUITE_TEST(pages_hold_everybody_once),
        SUITE_TEST(strange_position_is_refused),
        SUITE_TEST(writers_at_once_each_get_their_own_answer),
    };
    return suite_run(tests);
}
