/* What only the SQLite store has: purging, its limit, neighbours in a group, a full waiting line.
 */
#include "tests/contract/user/store_suite.h"

#include "user/store_sqlite_internal.h"

#include <pthread.h>
#include <time.h>

static int64_t count_rows(struct suite *suite, const char *sql)
{
    struct db *db;
    bool row;
    assert_int_equal(db_open_reader(suite->path, &db, &suite->err), CODE_OK);
    struct db_stmt *stmt = db_prepare(db, sql, &suite->err);
    assert_non_null(stmt);
    assert_int_equal(db_step(stmt, &row, &suite->err), CODE_OK);
    int64_t count = db_i64(stmt, 0);
    db_close(db);
    return count;
}

static void expired_request_ids_are_purged(void **state)
{
    enum { IDS = 450, WAIT_MS = 20000 };
    static const char sql[] = "SELECT count(*) FROM idempotency";
    struct suite *suite = *state;
    char text[32];
    for (int i = 0; i < IDS; i++) {
        struct user user = suite_user(suite, "", "U"), created;
        snprintf(text, sizeof text, "%d@x", i);
        user.email = str_of(text);
        struct store_once once = {.request_id = str_of(text)};
        assert_int_equal(suite_create_once(suite, &user, &once, &created), CODE_OK);
    }
    assert_int_equal(count_rows(suite, sql), IDS);
    suite->clock.wall_us += STORE_IDEMPOTENCY_MS * 1000LL;
    int64_t left = IDS;
    for (int waited = 0; left && waited < WAIT_MS; waited += 50) {
        nanosleep(&(struct timespec){0, 50 * 1000000}, NULL);
        suite->clock.wall_us += 1000 * 1000; /* the next step is due */
        left = count_rows(suite, sql);
    }
    assert_int_equal(left, 0);
    assert_int_equal(count_rows(suite, "SELECT count(*) FROM users"), IDS);
}

static void index_has_no_orphans(void **state)
{
    struct suite *suite = *state;
    struct user a = suite_create(suite, "a@x", "Anna Alpha"), updated;
    struct user b = suite_create(suite, "b@x", "Bert Beta");
    struct user_change change = {
        .id = a.id,
        .fields = USER_FIELD_DISPLAY_NAME | USER_FIELD_EMAIL,
        .values = {.display_name = STR("Anna Gamma"), .email = STR("c@y.org")}};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    struct search_terms terms;
    search_terms_of_user(&suite->arena, &updated, &terms);
    assert_int_equal(suite_remove(suite, b.id, STR("")), CODE_OK);
    assert_int_equal(count_rows(suite, "SELECT count(*) FROM terms"), terms.count);
    assert_int_equal(suite_remove(suite, a.id, STR("")), CODE_OK);
    assert_int_equal(count_rows(suite, "SELECT count(*) FROM terms"), 0);
}

/* --- the numbers of rows --- */

static void run_sql(struct suite *suite, const char *sql)
{
    struct db *db;
    store_free(suite->store);
    suite->store = NULL;
    assert_int_equal(db_open(suite->path, &store_sqlite_schema, &db, &suite->err), CODE_OK);
    assert_int_equal(db_exec(db, sql, &suite->err), CODE_OK);
    db_close(db);
    assert_int_equal(suite->open(suite), CODE_OK);
}

/* Reads, finds, changes and removes the user, wherever his row is. */
static void use_user(struct suite *suite, struct id id, const char *name)
{
    struct user user;
    struct user_change change = {
        .id = id, .fields = USER_FIELD_GIVEN_NAME, .values = {.given_name = STR("Changed")}};
    assert_int_equal(suite_get(suite, id, &user), CODE_OK);
    assert_memory_equal(&user.id, &id, sizeof id);
    assert_true(str_eq(user.display_name, str_of(name)));
    struct store_page page = suite_search(suite, name, STR(""), 10);
    assert_int_equal(page.count, 1);
    assert_memory_equal(&page.users[0].id, &id, sizeof id);
    assert_int_equal(suite_update(suite, &change, &user), CODE_OK);
    assert_int_equal(suite_get(suite, id, &user), CODE_OK);
    assert_true(str_eq(user.given_name, STR("Changed")));
    assert_true(str_eq(user.display_name, str_of(name)));
    assert_int_equal(suite_remove(suite, id, STR("")), CODE_OK);
    assert_int_equal(suite_get(suite, id, &user), CODE_NOT_FOUND);
}

static void ids_that_want_the_same_row_both_have_one(void **state)
{
    struct suite *suite = *state;
    struct user a = suite_user(suite, "a@x", "Anna"), b = suite_user(suite, "b@x", "Bert"), created;
    b.id = a.id;
    b.id.bytes[15] ^= 1;
    assert_int_equal(store_sqlite_row_of(a.id), store_sqlite_row_of(b.id));
    assert_int_equal(suite_create_once(suite, &a, NULL, &created), CODE_OK);
    assert_int_equal(suite_create_once(suite, &b, NULL, &created), CODE_OK);
    assert_int_equal(count_rows(suite, "SELECT count(*) FROM users"), 2);
    use_user(suite, b.id, "Bert");
    use_user(suite, a.id, "Anna");
    assert_int_equal(count_rows(suite, "SELECT count(*) FROM terms"), 0);
}

/* One after the other, as they once were. */
static void rows_that_were_numbered_otherwise_are_found(void **state)
{
    struct suite *suite = *state;
    struct user a = suite_create(suite, "a@x", "Anna"), b = suite_create(suite, "b@x", "Bert");
    run_sql(suite,
            "UPDATE users SET row = (SELECT count(*) FROM users AS u WHERE u.id <= users.id)");
    assert_int_equal(count_rows(suite, "SELECT max(row) FROM users"), 2);
    use_user(suite, a.id, "Anna");
    use_user(suite, b.id, "Bert");
}

static enum code open_small(struct suite *suite)
{
    return store_sqlite_open(&(struct store_sqlite_options){.path = suite->path,
                                                            .readers = 1,
                                                            .bytes_max = 200 * 1024,
                                                            .writes_waiting_max = 1000,
                                                            .clock = &suite->clock.base},
                             &suite->store, &suite->err);
}

static void full_store_refuses_keeps_and_recovers(void **state)
{
    struct suite *suite = *state;
    suite->open = open_small;
    suite_reopen(suite);
    char email[32];
    struct user user, created;
    enum code code = CODE_OK;
    int made = 0;
    for (; code == CODE_OK && made < 10000; made++) {
        snprintf(email, sizeof email, "%d@x", made);
        user = suite_user(suite, email, "Somebody With A Name");
        code = suite_create_once(suite, &user, NULL, &created);
    }
    made--;
    assert_int_equal(code, CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(suite->err.reason, REASON_DISK_FULL);
    assert_int_equal(count_rows(suite, "SELECT count(*) FROM users"), made);
    assert_int_equal(suite_stats(suite).events, made);
    assert_int_equal(suite_get(suite, user.id, &created), CODE_NOT_FOUND);
    suite->open = suite_open_sqlite;
    suite_reopen(suite);
    suite_create(suite, email, "Somebody");
    assert_int_equal(suite_stats(suite).events, made + 1);
}

/* --- a group in which one fails by the storage's fault --- */

struct creator {
    struct suite *suite;
    pthread_barrier_t *start;
    struct user user;
    enum code code;
};

static void *create(void *argument)
{
    struct creator *creator = argument;
    struct store_write write = suite_write(NULL);
    struct arena arena = {0};
    struct error err = {0};
    struct user created;
    bool replayed;
    pthread_barrier_wait(creator->start);
    creator->code = creator->suite->store->vtable->create(
        creator->suite->store, &write, &creator->user, &arena, &created, &replayed, &err);
    arena_clear(&arena);
    return NULL;
}

static void one_that_does_not_fit_leaves_its_neighbours_alone(void **state)
{
    enum { CREATORS = 8, LARGE = 5 };
    struct suite *suite = *state;
    static char large[300 * 1024]; /* more than the store may hold */
    struct creator creators[CREATORS];
    pthread_t threads[CREATORS];
    pthread_barrier_t start;
    char emails[CREATORS][16];
    suite->open = open_small;
    suite_reopen(suite);
    memset(large, 'x', sizeof large);
    pthread_barrier_init(&start, NULL, CREATORS);
    for (int i = 0; i < CREATORS; i++) {
        snprintf(emails[i], sizeof emails[i], "%d@x", i);
        creators[i] = (struct creator){suite, &start, suite_user(suite, emails[i], "U"), CODE_OK};
        if (i == LARGE)
            creators[i].user.given_name = (struct str){large, sizeof large};
        assert_int_equal(pthread_create(&threads[i], NULL, create, &creators[i]), 0);
    }
    for (int i = 0; i < CREATORS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(creators[i].code, i == LARGE ? CODE_RESOURCE_EXHAUSTED : CODE_OK);
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(suite_stats(suite).events, CREATORS - 1);
}

static enum code open_without_line(struct suite *suite)
{
    return store_sqlite_open(&(struct store_sqlite_options){.path = suite->path,
                                                            .readers = 1,
                                                            .writes_waiting_max = 0,
                                                            .clock = &suite->clock.base},
                             &suite->store, &suite->err);
}

static void full_line_is_overload(void **state)
{
    struct suite *suite = *state;
    suite->open = open_without_line;
    suite_reopen(suite);
    struct user user = suite_user(suite, "a@x", "A"), created;
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(suite->err.reason, REASON_OVERLOADED);
}

/* --- a write that takes too long --- */

/* Another connection keeps the writer waiting inside its group. */
static struct db *hold_writer(struct suite *suite)
{
    struct db *db;
    assert_int_equal(db_open_reader(suite->path, &db, &suite->err), CODE_OK);
    assert_int_equal(db_exec(db, "PRAGMA query_only=0; BEGIN IMMEDIATE", &suite->err), CODE_OK);
    return db;
}

/* Waits longer and longer, until its time runs out when it has begun and not before. */
static void create_until_begun(struct suite *suite, const struct user *user)
{
    struct store_write write = suite_write(NULL);
    struct user created;
    write.call.remaining_ms = 1;
    do {
        write.call.remaining_ms *= 2;
        error_clear(&suite->err);
        assert_int_equal(suite->store->vtable->create(suite->store, &write, user, &suite->arena,
                                                      &created, &suite->replayed, &suite->err),
                         CODE_DEADLINE_EXCEEDED);
        assert_string_equal(suite->err.reason, REASON_DEADLINE);
    } while (!suite->err.unsure);
}

static void a_write_that_may_still_happen_is_unsure(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_user(suite, "a@x", "A"), got;
    struct db *held = hold_writer(suite);
    create_until_begun(suite, &user);
    assert_string_equal(suite->err.text,
                        "the write was not finished in time; it may still be carried out");
    db_close(held);
    suite_create(suite, "b@x", "B"); /* comes after it */
    assert_int_equal(suite_get(suite, user.id, &got), CODE_OK);
    assert_int_equal(suite_stats(suite).events, 2);
    assert_int_equal(suite_create_once(suite, &user, NULL, &got), CODE_ALREADY_EXISTS);
    assert_false(suite->err.unsure);
}

/* --- two outboxes --- */

/* What another connection sees of the users' database: changes with every commit. */
static int64_t version_of(struct db *db)
{
    struct error err = {0};
    bool row;
    struct db_stmt *stmt = db_prepare(db, "PRAGMA data_version", &err);
    assert_int_equal(db_step(stmt, &row, &err), CODE_OK);
    int64_t version = db_i64(stmt, 0);
    db_reset(stmt);
    return version;
}

static struct store_batch read_batch(struct suite *suite, const char *body)
{
    suite->clock.wall_us += 1000;
    return (struct store_batch){id_new(&suite->clock.base), SUITE_HOUR, 5, str_of(body)};
}

static void events_of_reads_leave_the_users_alone(void **state)
{
    struct suite *suite = *state;
    const struct store_vtable *vtable = suite->store->vtable;
    struct store_batch batches[] = {read_batch(suite, "one"), read_batch(suite, "two")}, line[4];
    size_t count;
    struct db *db;
    suite_create(suite, "a@x", "A");
    assert_int_equal(db_open_reader(suite->path, &db, &suite->err), CODE_OK);
    int64_t before = version_of(db);
    assert_int_equal(vtable->outbox_add(suite->store, batches, 2, &suite->err), CODE_OK);
    assert_int_equal(vtable->outbox_set_aside(suite->store, batches[0].id, "bad", &suite->err),
                     CODE_OK);
    assert_int_equal(vtable->outbox_readmit(suite->store, &suite->err), CODE_OK);
    assert_int_equal(vtable->outbox_forget(suite->store, &batches[0].id, 1, &suite->err), CODE_OK);
    assert_int_equal(
        vtable->outbox_oldest(suite->store, 4, 1 << 20, &suite->arena, line, &count, &suite->err),
        CODE_OK);
    assert_int_equal(count, 1);
    assert_str_equal(line[0].body, str_of("two"));
    assert_int_equal(version_of(db), before);
    suite_create(suite, "b@x", "B");
    assert_int_not_equal(version_of(db), before);
    db_close(db);
}

static void two_outboxes_are_one_line(void **state)
{
    struct suite *suite = *state;
    const struct store_vtable *vtable = suite->store->vtable;
    struct store_batch first, third, line[4], one[1];
    struct store_hour *hours;
    struct id all[3];
    size_t count, sealed;
    first = read_batch(suite, "first");
    assert_int_equal(vtable->outbox_add(suite->store, &first, 1, &suite->err), CODE_OK);
    suite_create(suite, "a@x", "A");
    suite->clock.wall_us += 1000;
    assert_int_equal(vtable->outbox_seal(suite->store, &sealed, &suite->err), CODE_OK);
    third = read_batch(suite, "third");
    assert_int_equal(vtable->outbox_add(suite->store, &third, 1, &suite->err), CODE_OK);
    suite_reopen(suite);
    vtable = suite->store->vtable;
    assert_int_equal(suite_stats(suite).events, 11);
    assert_int_equal(suite_stats(suite).oldest_ms, id_time_ms(first.id));
    assert_int_equal(
        vtable->outbox_oldest(suite->store, 4, 1 << 20, &suite->arena, line, &count, &suite->err),
        CODE_OK);
    assert_int_equal(count, 3);
    assert_str_equal(line[0].body, str_of("first"));
    assert_int_equal(line[1].count, 1);
    assert_str_equal(line[2].body, str_of("third"));
    assert_int_equal(suite_stats(suite).bytes, 10 + line[1].body.len);
    /* As many, and as much, as is asked for. */
    assert_int_equal(
        vtable->outbox_oldest(suite->store, 1, 1 << 20, &suite->arena, one, &count, &suite->err),
        CODE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(vtable->outbox_oldest(suite->store, 4, 5 + line[1].body.len, &suite->arena,
                                           line, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(vtable->outbox_hours(suite->store, SUITE_HOUR, SUITE_HOUR + 3600,
                                          &suite->arena, &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(hours[0].emitted, 11);
    assert_int_equal(hours[0].pending, 11);
    all[0] = line[1].id;
    all[1] = third.id;
    all[2] = first.id;
    assert_int_equal(vtable->outbox_forget(suite->store, all, 3, &suite->err), CODE_OK);
    assert_int_equal(vtable->outbox_forget(suite->store, all, 3, &suite->err), CODE_OK);
    assert_int_equal(suite_stats(suite).events, 0);
    assert_int_equal(suite_stats(suite).bytes, 0);
    assert_int_equal(suite_stats(suite).oldest_ms, 0);
    assert_int_equal(vtable->outbox_hours(suite->store, SUITE_HOUR, SUITE_HOUR + 3600,
                                          &suite->arena, &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(hours[0].emitted, 11);
    assert_int_equal(hours[0].pending, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(expired_request_ids_are_purged),
        SUITE_TEST(index_has_no_orphans),
        SUITE_TEST(ids_that_want_the_same_row_both_have_one),
        SUITE_TEST(rows_that_were_numbered_otherwise_are_found),
        SUITE_TEST(full_store_refuses_keeps_and_recovers),
        SUITE_TEST(one_that_does_not_fit_leaves_its_neighbours_alone),
        SUITE_TEST(full_line_is_overload),
        SUITE_TEST(a_write_that_may_still_happen_is_unsure),
        SUITE_TEST(events_of_reads_leave_the_users_alone),
        SUITE_TEST(two_outboxes_are_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
