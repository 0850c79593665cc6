/*
 * An outbox of read events that is damaged, or does not work: events of writes go their way, at the
 * start and while it happens, and the counts say nothing that is not so.
 */
#include "tests/contract/user/store_suite.h"

#include "user/store_sqlite_internal.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { PAGE_BYTES = 4096, READS = 5, BODY_BYTES = 10 * PAGE_BYTES, STEPS_MAX = 40, AT_ONCE = 4 };

static char body[BODY_BYTES]; /* most of it lies on pages of its own */

static const char *path_of(struct suite *suite, const char *end)
{
    return arena_printf(&suite->arena, "%s-reads%s", suite->path, end);
}

static bool is_there(struct suite *suite, const char *end)
{
    struct stat facts;
    return stat(path_of(suite, end), &facts) == 0;
}

/* --- what is in the line --- */

static struct id add_reads(struct suite *suite)
{
    suite->clock.wall_us += 1000;
    memset(body, 'x', sizeof body);
    struct store_batch batch = {id_new(&suite->clock.base), SUITE_HOUR, READS, {body, sizeof body}};
    assert_int_equal(suite->store->vtable->outbox_add(suite->store, &batch, 1, &suite->err),
                     CODE_OK);
    return batch.id;
}

static void add_write(struct suite *suite, const char *email)
{
    size_t sealed;
    suite->clock.wall_us += 1000;
    suite_create(suite, email, "A");
    assert_int_equal(suite->store->vtable->outbox_seal(suite->store, &sealed, &suite->err),
                     CODE_OK);
    assert_int_equal(sealed, 1);
}

struct taken {
    size_t writes, reads; /* events; batches that come twice count once */
    int errors;
    struct id last;
};

/* As the relay does it, who goes on after an error; until nothing is left, or goes. */
static struct taken take_all(struct suite *suite)
{
    const struct store_vtable *vtable = suite->store->vtable;
    struct taken taken = {0};
    for (int i = 0; i < STEPS_MAX; i++) {
        struct store_batch line[AT_ONCE];
        struct id ids[AT_ONCE];
        size_t count = 0;
        bool failed = vtable->outbox_oldest(suite->store, AT_ONCE, 1 << 20, &suite->arena, line,
                                            &count, &suite->err) != CODE_OK;
        if (!count && !failed)
            return taken;
        for (size_t k = 0; k < count; k++) {
            bool again = memcmp(&line[k].id, &taken.last, sizeof taken.last) <= 0;
            taken.writes += again || line[k].count == READS ? 0 : line[k].count;
            taken.reads += again || line[k].count != READS ? 0 : line[k].count;
            ids[k] = line[k].id;
        }
        if (count && memcmp(&ids[count - 1], &taken.last, sizeof taken.last) > 0)
            taken.last = ids[count - 1];
        if (count && vtable->outbox_forget(suite->store, ids, count, &suite->err) != CODE_OK)
            failed = true;
        taken.errors += failed;
    }
    return taken;
}

static struct store_hour hour_of(struct suite *suite)
{
    struct store_hour *hours;
    size_t count;
    assert_int_equal(suite->store->vtable->outbox_hours(suite->store, SUITE_HOUR, SUITE_HOUR + 3600,
                                                        &suite->arena, &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 1);
    return hours[0];
}

/* --- damage --- */

static void overwrite(struct suite *suite, int64_t page)
{
    char bytes[PAGE_BYTES];
    int fd = open(path_of(suite, ""), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, (page - 1) * PAGE_BYTES), sizeof bytes);
    close(fd);
}

/* The first page of a table or an index. */
static void damage(struct suite *suite, const char *name)
{
    static const char sql[] = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    struct db *db;
    bool row;
    assert_int_equal(db_open_reader(path_of(suite, ""), &db, &suite->err), CODE_OK);
    struct db_stmt *stmt = db_prepare(db, sql, &suite->err);
    db_bind_text(stmt, 1, str_of(name));
    assert_int_equal(db_step(stmt, &row, &suite->err), CODE_OK);
    assert_true(row);
    int64_t page = db_i64(stmt, 0);
    db_close(db);
    overwrite(suite, page);
}

/* Pages that hold nothing but a body and the number of the next. */
static void damage_bodies(struct suite *suite)
{
    char bytes[PAGE_BYTES];
    int fd = open(path_of(suite, ""), O_RDONLY | O_CLOEXEC), damaged = 0;
    assert_true(fd >= 0);
    for (int64_t page = 1; pread(fd, bytes, PAGE_BYTES, (page - 1) * PAGE_BYTES) == PAGE_BYTES;
         page++) {
        if (memcmp(bytes + 4, body, PAGE_BYTES - 4) != 0)
            continue;
        overwrite(suite, page);
        damaged++;
    }
    close(fd);
    assert_true(damaged > 0);
}

static void damage_index(struct suite *suite)
{
    damage(suite, "outbox_batches_id");
}

static void damage_counts(struct suite *suite)
{
    damage(suite, "emitted");
}

static void damage_batches(struct suite *suite)
{
    damage(suite, "outbox_batches");
}

static void write_garbage(struct suite *suite)
{
    FILE *file = fopen(path_of(suite, ""), "we");
    assert_non_null(file);
    for (int i = 0; i < PAGE_BYTES; i++)
        fputs("no database", file);
    assert_int_equal(fclose(file), 0);
}

static void cut_off(struct suite *suite)
{
    assert_int_equal(truncate(path_of(suite, ""), 2 * PAGE_BYTES), 0);
}

/* Five read events, then a write, then five more; all of it in the file itself. */
static void fill(struct suite *suite)
{
    add_reads(suite);
    add_write(suite, "a@x");
    add_reads(suite);
    suite_reopen(suite);
}

/* Whatever became of the old one. */
static void assert_a_new_one_works(struct suite *suite)
{
    assert_true(is_there(suite, ".damaged"));
    assert_int_equal(suite_stats(suite).events, 0);
    assert_int_equal(suite_stats(suite).bytes, 0);
    assert_int_equal(suite_stats(suite).oldest_ms, 0);
    struct store_hour before = hour_of(suite);
    assert_int_equal(before.pending, 0);
    add_reads(suite);
    add_write(suite, "b@x");
    suite_reopen(suite);
    assert_int_equal(hour_of(suite).pending, READS + 1);
    struct taken taken = take_all(suite);
    assert_int_equal(taken.errors, 0);
    assert_int_equal(taken.reads, READS);
    assert_int_equal(taken.writes, 1);
    assert_int_equal(hour_of(suite).emitted, before.emitted + READS + 1);
    assert_int_equal(hour_of(suite).pending, 0);
}

static void damage_that_is_found_later_stops_no_write(void **state)
{
    static const struct {
        void (*damage)(struct suite *suite);
        int errors;         /* that the relay sees, of the call that finds it */
        size_t reads, kept; /* events handed out; counted still */
    } cases[] = {
        {damage_bodies, 0, 0, 2 * READS},        /* in the line, behind a write */
        {damage_index, 1, 2 * READS, 2 * READS}, /* when they are to be forgotten */
        {damage_counts, 1, 2 * READS, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i) {
            suite_teardown(state);
            assert_int_equal(suite_setup(state), 0);
        }
        struct suite *suite = *state;
        fill(suite);
        cases[i].damage(suite);
        struct taken taken = take_all(suite);
        assert_int_equal(taken.writes, 1);
        assert_int_equal(taken.errors, cases[i].errors);
        assert_int_equal(taken.reads, cases[i].reads);
        assert_int_equal(hour_of(suite).emitted, cases[i].kept + 1);
        assert_a_new_one_works(suite);
    }
}

static void damaged_counts_are_said_once_and_begun_anew(void **state)
{
    struct suite *suite = *state;
    struct store_hour *hours;
    size_t count;
    fill(suite);
    damage_counts(suite);
    assert_int_equal(suite->store->vtable->outbox_hours(suite->store, SUITE_HOUR, SUITE_HOUR + 3600,
                                                        &suite->arena, &hours, &count, &suite->err),
                     CODE_DATA_LOSS);
    assert_int_equal(hour_of(suite).emitted, 1);
    assert_int_equal(take_all(suite).writes, 1);
    assert_a_new_one_works(suite);
}

static void a_file_that_is_damaged_at_the_start_is_put_aside(void **state)
{
    static const struct {
        void (*damage)(struct suite *suite);
        size_t kept;
    } cases[] = {{damage_batches, 2 * READS}, {write_garbage, 0}, {cut_off, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i) {
            suite_teardown(state);
            assert_int_equal(suite_setup(state), 0);
        }
        struct suite *suite = *state;
        fill(suite);
        store_free(suite->store);
        suite->store = NULL;
        cases[i].damage(suite);
        assert_int_equal(suite->open(suite), CODE_OK);
        assert_int_equal(suite_stats(suite).events, 1);
        struct taken taken = take_all(suite);
        assert_int_equal(taken.errors, 0);
        assert_int_equal(taken.reads, 0);
        assert_int_equal(taken.writes, 1);
        assert_int_equal(hour_of(suite).emitted, cases[i].kept + 1);
        assert_a_new_one_works(suite);
    }
}

/* The newest is kept: with its log, and without that of the one before. */
static void a_second_damage_takes_the_place_of_the_first(void **state)
{
    struct suite *suite = *state;
    for (int i = 0; i < 2; i++) {
        store_free(suite->store);
        suite->store = NULL;
        write_garbage(suite);
        FILE *log = i ? NULL : fopen(path_of(suite, "-wal"), "we");
        if (log)
            fclose(log);
        assert_int_equal(suite->open(suite), CODE_OK);
        assert_true(is_there(suite, ".damaged"));
    }
    assert_false(is_there(suite, ".damaged-wal"));
}

/* --- what is not damaged, but fails --- */

static void change_reads(struct suite *suite, const char *sql)
{
    struct db *db;
    assert_int_equal(db_open_reader(path_of(suite, ""), &db, &suite->err), CODE_OK);
    assert_int_equal(db_exec(db, "PRAGMA query_only=0", &suite->err), CODE_OK);
    assert_int_equal(db_exec(db, sql, &suite->err), CODE_OK);
    db_close(db);
}

/* More than fit into what is sent at once stand before it. */
static void a_write_passes_reads_that_cannot_be_forgotten(void **state)
{
    struct suite *suite = *state;
    for (int i = 0; i < AT_ONCE + 1; i++)
        add_reads(suite);
    add_write(suite, "a@x");
    change_reads(suite, "CREATE TRIGGER stay BEFORE DELETE ON outbox_batches"
                        " BEGIN SELECT RAISE(ABORT, 'stays'); END");
    assert_int_equal(take_all(suite).writes, 1);
    assert_int_equal(suite_stats(suite).events, (AT_ONCE + 1) * READS);
    assert_int_equal(hour_of(suite).pending, (AT_ONCE + 1) * READS);
    change_reads(suite, "DROP TRIGGER stay");
    struct taken taken = take_all(suite);
    assert_int_equal(taken.errors, 0);
    assert_int_equal(taken.reads, (AT_ONCE + 1) * READS);
    assert_int_equal(hour_of(suite).emitted, (AT_ONCE + 1) * READS + 1);
    assert_int_equal(hour_of(suite).pending, 0);
    assert_false(is_there(suite, ".damaged"));
}

static void a_write_passes_reads_that_cannot_be_read(void **state)
{
    struct suite *suite = *state;
    const struct store_vtable *vtable = suite->store->vtable;
    struct store_batch line[AT_ONCE];
    size_t count;
    add_reads(suite);
    add_write(suite, "a@x");
    change_reads(suite, "ALTER TABLE outbox_batches RENAME TO hidden");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vtable->outbox_oldest(suite->store, AT_ONCE, 1 << 20, &suite->arena, line,
                                               &count, &suite->err),
                         CODE_OK);
        assert_int_equal(count, 1);
        assert_int_equal(line[0].count, 1);
    }
    assert_int_equal(vtable->outbox_set_aside(suite->store, line[0].id, "bad", &suite->err),
                     CODE_INTERNAL); /* it may be a read's */
    assert_int_equal(suite_stats(suite).aside, 1);
    assert_int_equal(vtable->outbox_readmit(suite->store, &suite->err), CODE_INTERNAL);
    assert_int_equal(suite_stats(suite).aside, 0);
    assert_int_equal(vtable->outbox_forget(suite->store, &line[0].id, 1, &suite->err),
                     CODE_INTERNAL);
    assert_int_equal(suite_stats(suite).events, READS);
    /* Nothing but reads is left: then it is said that they cannot be read. */
    assert_int_equal(vtable->outbox_oldest(suite->store, AT_ONCE, 1 << 20, &suite->arena, line,
                                           &count, &suite->err),
                     CODE_INTERNAL);
    change_reads(suite, "ALTER TABLE hidden RENAME TO outbox_batches");
    assert_int_equal(take_all(suite).reads, READS);
    assert_int_equal(suite_stats(suite).events, 0);
    assert_false(is_there(suite, ".damaged"));
}

/* A folder lies where the damaged file would go, for a while. */
static void until_another_can_be_begun_only_reads_are_lost(void **state)
{
    struct suite *suite = *state;
    struct store_batch batch = {id_new(&suite->clock.base), SUITE_HOUR, READS, STR("reads")};
    fill(suite);
    damage_index(suite);
    assert_int_equal(mkdir(path_of(suite, ".damaged"), 0700), 0);
    assert_int_equal(take_all(suite).writes, 1);
    assert_int_equal(suite_stats(suite).events, 0);
    add_write(suite, "c@x");
    assert_int_equal(take_all(suite).writes, 1);
    assert_int_equal(suite->store->vtable->outbox_add(suite->store, &batch, 1, &suite->err),
                     CODE_DATA_LOSS);
    assert_int_equal(rmdir(path_of(suite, ".damaged")), 0);
    assert_int_equal(suite->store->vtable->outbox_add(suite->store, &batch, 1, &suite->err),
                     CODE_DATA_LOSS); /* but the next one works */
    assert_a_new_one_works(suite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(damage_that_is_found_later_stops_no_write),
        SUITE_TEST(damaged_counts_are_said_once_and_begun_anew),
        SUITE_TEST(a_file_that_is_damaged_at_the_start_is_put_aside),
        SUITE_TEST(a_second_damage_takes_the_place_of_the_first),
        SUITE_TEST(a_write_passes_reads_that_cannot_be_forgotten),
        SUITE_TEST(a_write_passes_reads_that_cannot_be_read),
        SUITE_TEST(until_another_can_be_begun_only_reads_are_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
