/*
 * What the contract suite of the access store needs: the backends it runs on (a new one is a line),
 * a fresh store per test, in memory and with a clock of its own, and short words.
 */
#pragma once
#include "tests/support/unit.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/contract/user/far_table.h"
#include "tests/support/dynamodb_fake.h"
#include "user/access_store_dynamodb.h"
#include "user/access_store_sqlite.h"
#include "user/reasons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct access_suite {
    struct access_store *store;
    struct arena arena;
    struct error err;
    struct clock clock;
    _Atomic int64_t wall_us;
    char directory[64], path[128];
    struct dynamodb_fake *fake; /* NULL: not that backend */
    struct far_table far;
};

static inline int64_t access_suite_wall_us(const struct clock *clock)
{
    return ((const struct access_suite *)((const char *)clock -
                                          offsetof(struct access_suite, clock)))
        ->wall_us;
}

static inline int64_t access_suite_mono_ms(const struct clock *clock)
{
    return access_suite_wall_us(clock) / 1000;
}

static inline enum code access_suite_open_sqlite(struct access_suite *suite)
{
    return access_store_sqlite_open(
        &(struct access_store_sqlite_options){suite->path, &suite->clock}, &suite->store,
        &suite->err);
}

static inline enum code access_suite_open_fake(struct access_suite *suite)
{
    if (!suite->fake)
        suite->fake = dynamodb_fake_new();
    return access_store_dynamodb_open(
        &(struct access_store_dynamodb_options){
            {dynamodb_fake_call, suite->fake}, STR("users"), &suite->clock},
        &suite->store, &suite->err);
}

/* A table of each test's own; opened anew it is the same one. */
static inline enum code access_suite_open_aws(struct access_suite *suite)
{
    if (far_table_open(&suite->far, suite->directory, &suite->err) != CODE_OK)
        return suite->err.code;
    return access_store_dynamodb_open(
        &(struct access_store_dynamodb_options){dynamodb_port_of(suite->far.client),
                                                str_of(suite->far.name), &suite->clock},
        &suite->store, &suite->err);
}

struct access_suite_backend {
    const char *name;
    enum code (*open)(struct access_suite *suite);
    bool far; /* a network away, and slow */
};
static const struct access_suite_backend ACCESS_SUITE_BACKENDS[] = {
    {"sqlite", access_suite_open_sqlite, false},
    {"dynamodb", access_suite_open_fake, false},
    {"dynamodb at AWS", access_suite_open_aws, true},
};
/* The one whose turn it is. */
static const struct access_suite_backend *access_suite_backend = &ACCESS_SUITE_BACKENDS[0];

static inline int access_suite_setup(void **state)
{
    struct access_suite *suite = xcalloc(1, sizeof *suite);
    suite->clock = (struct clock){access_suite_wall_us, access_suite_mono_ms};
    suite->wall_us = 1795374600LL * 1000000;
    snprintf(suite->directory, sizeof suite->directory, "/dev/shm/access-suite-XXXXXX");
    if (!mkdtemp(suite->directory))
        return -1;
    snprintf(suite->path, sizeof suite->path, "%s/access.db", suite->directory);
    *state = suite;
    return access_suite_backend->open(suite) == CODE_OK ? 0 : -1;
}

static inline int access_suite_teardown(void **state)
{
    struct access_suite *suite = *state;
    static const char *const files[] = {"", "-wal", "-shm", ".lock"};
    char path[160];
    access_store_free(suite->store);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s%s", suite->path, files[i]);
        unlink(path);
    }
    rmdir(suite->directory);
    if (suite->fake)
        dynamodb_fake_free(suite->fake);
    if (suite->far.aws)
        far_table_close(&suite->far);
    arena_clear(&suite->arena);
    xfree(suite);
    return 0;
}

/* As after a crash or a restart. */
static inline void access_suite_reopen(struct access_suite *suite)
{
    access_store_free(suite->store);
    assert_int_equal(access_suite_backend->open(suite), CODE_OK);
}

#define ACCESS_TEST(test) \
    cmocka_unit_test_setup_teardown(test, access_suite_setup, access_suite_teardown)
/* One that makes more keys than a network away can be waited for. */
#define ACCESS_LARGE_TEST(test) \
    cmocka_unit_test_prestate_setup_teardown(test, access_suite_setup, access_suite_teardown, \
                                             (void *)"large")

/* All of `tests` on every backend here; or on the one that is far, when the environment says where
 * it is. Returns how many failed. */
static inline int access_suite_run_all(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof ACCESS_SUITE_BACKENDS / sizeof *ACCESS_SUITE_BACKENDS; i++) {
        struct CMUnitTest chosen[32];
        size_t chosen_count = 0;
        access_suite_backend = &ACCESS_SUITE_BACKENDS[i];
        if (access_suite_backend->far != far_table_wanted())
            continue;
        assert_true(count <= sizeof chosen / sizeof *chosen);
        for (size_t j = 0; j < count; j++)
            if (!access_suite_backend->far || !tests[j].initial_state)
                chosen[chosen_count++] = tests[j];
        printf("# backend: %s\n", access_suite_backend->name);
        failed +=
            _cmocka_run_group_tests(access_suite_backend->name, chosen, chosen_count, NULL, NULL);
    }
    return failed;
}

#define access_suite_run(tests) access_suite_run_all(tests, sizeof(tests) / sizeof *(tests))

static const struct store_call ACCESS_CALL = {STORE_TENANT, INT64_MAX};

/* The vtable's functions without what is always the same; the error is forgotten before. */
#define ACCESS(suite, verb, ...) \
    (error_clear(&(suite)->err), \
     (suite)->store->vtable->verb((suite)->store, &ACCESS_CALL, __VA_ARGS__, &(suite)->err))

static inline void access_suite_plan(struct access_suite *suite, const char *id, uint64_t quota)
{
    struct access_plan plan = {str_of(id), 2.5, 7, quota, quota ? QUOTA_DAY : QUOTA_NONE};
    assert_int_equal(ACCESS(suite, put_plan, &plan), CODE_OK);
}

static inline struct access_key access_suite_key(struct access_suite *suite, const char *name)
{
    char secret[ACCESS_SECRET_CHARS + 1];
    struct access_key key = {.id = id_new(&suite->clock),
                             .name = str_of(name),
                             .plan_id = STR("p"),
                             .create_us = suite->wall_us,
                             .rotate_us = suite->wall_us};
    access_key_make_secret(&key, secret);
    return key;
}

/* Made, under a plan "p" that must be there. */
static inline struct access_key access_suite_made(struct access_suite *suite, const char *name)
{
    struct access_key key = access_suite_key(suite, name);
    assert_int_equal(ACCESS(suite, create_key, &key, NULL), CODE_OK);
    key.version = 1;
    return key;
}

static inline uint64_t access_suite_version(struct access_suite *suite)
{
    uint64_t version = 0;
    assert_int_equal(ACCESS(suite, version, &version), CODE_OK);
    return version;
}
