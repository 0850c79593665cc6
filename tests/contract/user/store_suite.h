/*
 * What the contract suites of the user store share: the backends they run on (a table: a new one is
 * a line), a fresh store per test with a clock of its own, and short words for making users.
 */
#pragma once
#include "tests/support/unit.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/contract/user/far_table.h"
#include "tests/support/dynamodb_fake.h"
#include "user/event.h"
#include "user/reasons.h"
#include "user/search_terms.h"
#include "user/store_dynamodb.h"
#include "user/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct suite_clock {
    struct clock base;
    _Atomic int64_t wall_us; /* the store's threads look as well */
};

struct suite {
    struct store *store;
    struct arena arena;
    struct error err;
    struct suite_clock clock;
    char directory[64];
    char path[128];
    bool replayed;
    enum code (*open)(struct suite *suite);
    void (*close)(struct suite *suite); /* what the backend keeps beside the store */
    struct dynamodb_fake *fake;
    struct far_table far;
};

static inline int64_t suite_wall_us(const struct clock *clock)
{
    return ((const struct suite_clock *)clock)->wall_us;
}

static inline int64_t suite_mono_ms(const struct clock *clock)
{
    return ((const struct suite_clock *)clock)->wall_us / 1000;
}

static inline enum code suite_open_sqlite(struct suite *suite)
{
    return store_sqlite_open(&(struct store_sqlite_options){.path = suite->path,
                                                            .readers = 2,
                                                            .writes_waiting_max = 1000,
                                                            .clock = &suite->clock.base},
                             &suite->store, &suite->err);
}

static inline enum code suite_open_fake(struct suite *suite)
{
    if (!suite->fake)
        suite->fake = dynamodb_fake_new();
    return store_dynamodb_open(
        &(struct store_dynamodb_options){.port = {dynamodb_fake_call, suite->fake},
                                         .table = STR("users"),
                                         .clock = &suite->clock.base,
                                         .reads_at_once = 2},
        &suite->store, &suite->err);
}

/* Small pages and left-over batches on the way: what real tables do when they are large. */
static inline enum code suite_open_fake_small(struct suite *suite)
{
    enum code code = suite_open_fake(suite);
    dynamodb_fake_page(suite->fake, 100);
    dynamodb_fake_fail(suite->fake, FAKE_LEFT_OVER, 3, true);
    return code;
}

static inline void suite_close_fake(struct suite *suite)
{
    dynamodb_fake_free(suite->fake);
}

/* A table of each test's own; opened anew it is the same one. */
static inline enum code suite_open_aws(struct suite *suite)
{
    if (far_table_open(&suite->far, suite->directory, &suite->err) != CODE_OK)
        return suite->err.code;
    return store_dynamodb_open(
        &(struct store_dynamodb_options){.port = dynamodb_port_of(suite->far.client),
                                         .table = str_of(suite->far.name),
                                         .clock = &suite->clock.base,
                                         .reads_at_once = 2},
        &suite->store, &suite->err);
}

static inline void suite_close_aws(struct suite *suite)
{
    far_table_close(&suite->far);
}

struct suite_backend {
    const char *name;
    enum code (*open)(struct suite *suite);
    void (*close)(struct suite *suite);
    bool far;                        /* a network away, and slow: few users will do */
    size_t search_users, small_page; /* what makes every way of a search taken, and no slower */
};

enum { SUITE_DYNAMODB = 1, SUITE_AWS = 3 }; /* places in the table */
static const struct suite_backend SUITE_BACKENDS[] = {
    {"sqlite", suite_open_sqlite, NULL, false, 3000, 7},
    {"dynamodb", suite_open_fake, suite_close_fake, false, 700, 17},
    {"dynamodb with small pages", suite_open_fake_small, suite_close_fake, false, 700, 33},
    {"dynamodb at AWS", suite_open_aws, suite_close_aws, true, 40, 7},
};
/* The one whose turn it is. */
static const struct suite_backend *suite_backend = &SUITE_BACKENDS[0];
enum { SUITE_HOUR = 1795374000 }; /* the hour in which the clock starts */

static inline int suite_setup(void **state)
{
    struct suite *suite = xcalloc(1, sizeof *suite);
    suite->clock =
        (struct suite_clock){{suite_wall_us, suite_mono_ms}, (SUITE_HOUR + 600LL) * 1000000};
    snprintf(suite->directory, sizeof suite->directory, "/tmp/store-suite-XXXXXX");
    if (!mkdtemp(suite->directory))
        return -1;
    snprintf(suite->path, sizeof suite->path, "%s/users.db", suite->directory);
    suite->open = suite_backend->open;
    suite->close = suite_backend->close;
    *state = suite;
    return suite->open(suite) == CODE_OK ? 0 : -1;
}

static inline int suite_teardown(void **state)
{
    struct suite *suite = *state;
    static const char *const files[] = {
        "",           "-wal",       "-shm",        ".lock",          "-reads",
        "-reads-wal", "-reads-shm", "-reads.lock", "-reads.damaged", "-reads.damaged-wal"};
    char path[160];
    store_free(suite->store);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s%s", suite->path, files[i]);
        unlink(path);
    }
    rmdir(suite->directory);
    if (suite->close)
        suite->close(suite);
    arena_clear(&suite->arena);
    xfree(suite);
    return 0;
}

/* As after a crash or a restart: the store is closed and opened again. */
static inline void suite_reopen(struct suite *suite)
{
    store_free(suite->store);
    assert_int_equal(suite->open(suite), CODE_OK);
}

#define SUITE_TEST(test) cmocka_unit_test_setup_teardown(test, suite_setup, suite_teardown)

/* One that makes more users than a network away can be waited for. */
#define SUITE_LARGE_TEST(test) \
    cmocka_unit_test_prestate_setup_teardown(test, suite_setup, suite_teardown, (void *)"large")

static inline int suite_run_on(const struct suite_backend *backend, const struct CMUnitTest *tests,
                               size_t count)
{
    struct CMUnitTest chosen[32];
    size_t chosen_count = 0;
    assert_true(count <= sizeof chosen / sizeof *chosen);
    for (size_t i = 0; i < count; i++)
        if (!backend->far || !tests[i].initial_state)
            chosen[chosen_count++] = tests[i];
    suite_backend = backend;
    printf("# backend: %s\n", backend->name);
    return _cmocka_run_group_tests(backend->name, chosen, chosen_count, NULL, NULL);
}

/* All of `tests` on every backend here; or on those that are far, when the environment says where
 * they are. Returns how many failed. */
static inline int suite_run_all(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof SUITE_BACKENDS / sizeof *SUITE_BACKENDS; i++)
        if (SUITE_BACKENDS[i].far == far_table_wanted())
            failed += suite_run_on(&SUITE_BACKENDS[i], tests, count);
    return failed;
}

#define suite_run(tests) suite_run_all(tests, sizeof(tests) / sizeof *(tests))

static inline struct store_call suite_call(void)
{
    return (struct store_call){STORE_TENANT, INT64_MAX};
}

static inline struct store_write suite_write(const struct store_once *once)
{
    return (struct store_write){
        .call = suite_call(), .event = {STR("an event"), SUITE_HOUR}, .once = once};
}

static inline struct user suite_user(struct suite *suite, const char *email, const char *name)
{
    struct user user = {.email = str_of(email),
                        .display_name = str_of(name),
                        .status = USER_ACTIVE,
                        .create_us = suite->clock.wall_us,
                        .update_us = suite->clock.wall_us};
    user.id = id_new(&suite->clock.base);
    return user;
}

static inline enum code suite_create_once(struct suite *suite, const struct user *user,
                                          const struct store_once *once, struct user *created)
{
    struct store_write write = suite_write(once);
    error_clear(&suite->err);
    return suite->store->vtable->create(suite->store, &write, user, &suite->arena, created,
                                        &suite->replayed, &suite->err);
}

/* Must succeed. */
static inline struct user suite_create(struct suite *suite, const char *email, const char *name)
{
    struct user user = suite_user(suite, email, name), created;
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_OK);
    return created;
}

static inline enum code suite_update(struct suite *suite, const struct user_change *change,
                                     struct user *updated)
{
    struct store_write write = suite_write(NULL);
    error_clear(&suite->err);
    return suite->store->vtable->update(suite->store, &write, change, &suite->arena, updated,
                                        &suite->replayed, &suite->err);
}

static inline enum code suite_remove(struct suite *suite, struct id id, struct str etag)
{
    struct store_write write = suite_write(NULL);
    error_clear(&suite->err);
    return suite->store->vtable->remove(suite->store, &write, id, etag, &suite->replayed,
                                        &suite->err);
}

static inline enum code suite_get(struct suite *suite, struct id id, struct user *user)
{
    struct store_call call = suite_call();
    error_clear(&suite->err);
    return suite->store->vtable->get(suite->store, &call, id, &suite->arena, user, &suite->err);
}

static inline struct store_page suite_search(struct suite *suite, const char *query,
                                             struct str after, size_t limit)
{
    struct str words[STORE_SEARCH_WORDS_MAX];
    struct store_call call = suite_call();
    struct store_page page;
    size_t count = search_terms_query(&suite->arena, str_of(query), words, STORE_SEARCH_WORDS_MAX);
    error_clear(&suite->err);
    assert_int_equal(suite->store->vtable->search(suite->store, &call, words, count, after, limit,
                                                  &suite->arena, &page, &suite->err),
                     CODE_OK);
    return page;
}

static inline struct store_outbox_stats suite_stats(struct suite *suite)
{
    struct store_outbox_stats stats;
    suite->store->vtable->outbox_stats(suite->store, &stats);
    return stats;
}

#define assert_str_equal(actual, expected) \
    do { \
        struct str actual_ = (actual), expected_ = (expected); \
        assert_int_equal(actual_.len, expected_.len); \
        assert_memory_equal(actual_.ptr, expected_.ptr, expected_.len); \
    } while (0)
