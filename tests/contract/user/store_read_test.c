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

/* Rule 22. */
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

/* A user of some 48 KiB, which no validation has seen. */
static struct user large_user(struct suite *suite, int number)
{
    enum { VALUE_BYTES = 1536 };
    char *value = arena_alloc(&suite->arena, VALUE_BYTES);
    struct user user = suite_user(suite, arena_printf(&suite->arena, "u%d@x", number), "Large");
    memset(value, 'v', VALUE_BYTES);
    user.labels = arena_alloc(&suite->arena, USER_LABELS_MAX * sizeof *user.labels);
    for (; user.label_count < USER_LABELS_MAX; user.label_count++)
        user.labels[user.label_count] = (struct user_label){
            str_of(arena_printf(&suite->arena, "%02zu", user.label_count)), {value, VALUE_BYTES}};
    return user;
}

/* Rule 22. */
static void pages_end_before_they_are_too_large_for_a_message(void **state)
{
    enum { USERS = 60 };
    static const size_t limits[] = {1000, USERS, USERS - 1, 7};
    struct suite *suite = *state;
    struct store_call call = suite_call();
    struct store_page page;
    struct user created;
    struct id ids[USERS + 1];
    size_t bytes = 0;
    for (int i = 0; i < USERS; i++) {
        struct user user = large_user(suite, i);
        assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_OK);
    }
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(read_all(suite, limits[i], ids), USERS);
        for (int k = 1; k < USERS; k++)
            assert_true(memcmp(&ids[k - 1], &ids[k], sizeof *ids) < 0);
    }
    assert_int_equal(suite->store->vtable->list(suite->store, &call, STR(""), 1000, &suite->arena,
                                                &page, &suite->err),
                     CODE_OK);
    for (size_t i = 0; i < page.count; i++)
        bytes += user_bytes(&page.users[i]);
    assert_true(bytes <= STORE_PAGE_BYTES_MAX);
    assert_true(bytes + user_bytes(&created) > STORE_PAGE_BYTES_MAX);
    assert_true(page.next.len > 0);
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

/* --- reads that share a view --- */

static size_t users_seen(struct suite *suite, struct id id)
{
    struct store_call call = suite_call();
    struct store_page listed, found;
    const struct str word = STR("sam");
    struct user user, *many[1];
    const struct store_vtable *vtable = suite->store->vtable;
    enum code code = vtable->get(suite->store, &call, id, &suite->arena, &user, &suite->err);
    assert_int_equal(
        vtable->get_many(suite->store, &call, &id, 1, &suite->arena, many, &suite->err), CODE_OK);
    assert_int_equal(
        vtable->list(suite->store, &call, STR(""), 100, &suite->arena, &listed, &suite->err),
        CODE_OK);
    assert_int_equal(vtable->search(suite->store, &call, &word, 1, STR(""), 100, &suite->arena,
                                    &found, &suite->err),
                     CODE_OK);
    assert_int_equal(code, many[0] ? CODE_OK : CODE_NOT_FOUND);
    assert_int_equal(listed.count, found.count);
    return found.count;
}

/* Whether a store shares a view or not, all that was written before `begin` is seen, and afterwards
 * everything is. One that does share it sees the same all the time. */
static void reads_that_share_a_view(void **state)
{
    struct suite *suite = *state;
    const struct store_vtable *vtable = suite->store->vtable;
    struct user first = suite_create(suite, "a@x", "Sam One");
    for (int round = 1; round <= 2 && vtable->together_begin; round++) {
        char email[32];
        vtable->together_begin(suite->store);
        assert_int_equal(users_seen(suite, first.id), (size_t)round);
        snprintf(email, sizeof email, "b%d@x", round);
        struct user more = suite_create(suite, email, "Sam Two");
        assert_int_equal(users_seen(suite, more.id), (size_t)round);
        vtable->together_end(suite->store);
        assert_int_equal(users_seen(suite, more.id), (size_t)round + 1);
    }
}

/* Sharing again and again loses no connection. */
static void connections_come_back_from_sharing(void **state)
{
    struct suite *suite = *state;
    const struct store_vtable *vtable = suite->store->vtable;
    struct user user = suite_create(suite, "a@x", "Sam");
    if (!vtable->together_begin)
        return;
    for (int i = 0; i < 100; i++) {
        vtable->together_begin(suite->store);
        assert_int_equal(users_seen(suite, user.id), 1);
        vtable->together_end(suite->store);
        vtable->together_end(suite->store); /* nothing to end: nothing happens */
    }
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
        SUITE_TEST(pages_end_before_they_are_too_large_for_a_message),
        SUITE_TEST(strange_position_is_refused),
        SUITE_TEST(reads_that_share_a_view),
        SUITE_TEST(connections_come_back_from_sharing),
        SUITE_LARGE_TEST(writers_at_once_each_get_their_own_answer),
    };
    return suite_run(tests);
}
