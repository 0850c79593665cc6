/* SQLite's wrapper: migrations, refusals that leave the file alone, the lock, a full disk. */
#include "tests/support/unit.h"

#include "db/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const STEPS[] = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB) STRICT",
    "ALTER TABLE t ADD COLUMN extra TEXT; CREATE INDEX t_extra ON t(extra)",
};
static const struct db_schema FIRST = {"test store", STEPS, 1, 4711};
static const struct db_schema SECOND = {"test store", STEPS, 2, 4711};
static const struct db_schema FOREIGN = {"other store", STEPS, 1, 4712};

static char folder[64], path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/omni-db-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    (void)state;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static struct db *open_or_fail(const struct db_schema *schema)
{
    struct db *db = NULL;
    struct error err;
    if (db_open(path, schema, &db, &err) != CODE_OK)
        fail_msg("%s", err.text);
    return db;
}

static void insert(struct db *db, const char *name, enum code wanted)
{
    struct error err;
    struct db_stmt *stmt = db_prepare(db, "INSERT INTO t(name, data) VALUES(?1, ?2)", &err);
    assert_non_null(stmt);
    db_bind_text(stmt, 1, str_of(name));
    db_bind_blob(stmt, 2, STR("\0\1"));
    assert_int_equal(db_run(stmt, &err), wanted);
}

static int64_t count_rows(struct db *db)
{
    struct error err;
    bool row;
    struct db_stmt *stmt = db_prepare(db, "SELECT count(*) FROM t", &err);
    assert_non_null(stmt);
    assert_int_equal(db_step(stmt, &row, &err), CODE_OK);
    int64_t count = db_i64(stmt, 0);
    db_reset(stmt);
    return count;
}

static void migrates_and_keeps_what_was_there(void **state)
{
    struct db *db = open_or_fail(&FIRST);
    struct error err;
    (void)state;
    insert(db, "a", CODE_OK);
    insert(db, "a", CODE_ALREADY_EXISTS);
    db_close(db);
    db = open_or_fail(&SECOND);
    assert_int_equal(count_rows(db), 1);
    assert_int_equal(db_exec(db, "UPDATE t SET extra = 'x'", &err), CODE_OK);
    db_close(db);
}

static void reads_what_it_wrote_beside_the_writer(void **state)
{
    struct db *db = open_or_fail(&FIRST), *reader;
    struct error err;
    bool row;
    (void)state;
    assert_int_equal(db_begin(db, &err), CODE_OK);
    insert(db, "a", CODE_OK);
    assert_int_equal(db_open_reader(path, &reader, &err), CODE_OK);
    assert_int_equal(count_rows(reader), 0);
    assert_int_equal(db_commit(db, &err), CODE_OK);
    assert_int_equal(count_rows(reader), 1);
    struct db_stmt *stmt = db_prepare(reader, "SELECT name, data, NULL FROM t", &err);
    assert_int_equal(db_step(stmt, &row, &err), CODE_OK);
    assert_true(row && str_eq(db_text(stmt, 0), STR("a")));
    assert_true(str_eq(db_blob(stmt, 1), STR("\0\1")) && db_is_null(stmt, 2));
    assert_int_equal(db_step(stmt, &row, &err), CODE_OK);
    assert_false(row);
    assert_int_not_equal(db_exec(reader, "DELETE FROM t", &err), CODE_OK);
    db_close(reader);
    db_close(db);
    db_close(NULL);
}

static void rolls_back_what_is_not_committed(void **state)
{
    struct db *db = open_or_fail(&FIRST);
    struct error err;
    (void)state;
    assert_int_equal(db_begin(db, &err), CODE_OK);
    insert(db, "a", CODE_OK);
    db_rollback(db);
    db_rollback(db);
    assert_int_equal(count_rows(db), 0);
    db_close(db);
}

static void must_refuse(const struct db_schema *schema, const char *words)
{
    struct db *db = NULL;
    struct error err;
    assert_int_equal(db_open(path, schema, &db, &err), CODE_FAILED_PRECONDITION);
    if (!strstr(err.text, words) || !strstr(err.text, path))
        fail_msg("%s", err.text);
    assert_null(db);
}

static void refuses_newer_and_foreign_files(void **state)
{
    (void)state;
    db_close(open_or_fail(&SECOND));
    must_refuse(&FIRST, "schema version 2");
    must_refuse(&FOREIGN, "is not a database of the other store");
    db_close(open_or_fail(&SECOND));
}

static void refuses_a_corrupt_file_and_leaves_it_alone(void **state)
{
    static const char text[] = "this is no database, and it is longer than a SQLite header is, "
                               "which has one hundred bytes, so that it is looked at.";
    char again[sizeof text] = {0};
    (void)state;
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    must_refuse(&FIRST, "not a database");
    assert_int_equal(pread(fd, again, sizeof again, 0), sizeof text);
    assert_string_equal(again, text);
    close(fd);
}

static void refuses_a_second_process(void **state)
{
    struct db *db = open_or_fail(&FIRST);
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct db *second = NULL;
        struct error err;
        enum code code = db_open(path, &FIRST, &second, &err);
        _exit(code == CODE_FAILED_PRECONDITION && strstr(err.text, "in use by another process")
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    db_close(db);
}

static void refuses_a_folder_that_is_not_there(void **state)
{
    struct db *db = NULL;
    struct error err;
    (void)state;
    assert_int_equal(db_open("/nonexistent/t.db", &FIRST, &db, &err), CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "/nonexistent/t.db"));
}

/* Root may write everywhere: the child becomes somebody who may not. */
static void refuses_a_file_and_a_folder_that_cannot_be_written(void **state)
{
    static const struct {
        mode_t folder, file;
    } cases[] = {{0555, 0666}, {0777, 0444}};
    (void)state;
    db_close(open_or_fail(&FIRST));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        assert_int_equal(chmod(path, cases[i].file), 0);
        assert_int_equal(chmod(folder, cases[i].folder), 0);
        char lock[160];
        snprintf(lock, sizeof lock, "%s.lock", path);
        unlink(lock);
        pid_t child = fork();
        if (child == 0) {
            struct db *db = NULL;
            struct error err;
            if (getuid() == 0 && setuid(65534) != 0)
                _exit(2);
            enum code code = db_open(path, &SECOND, &db, &err);
            if (code == CODE_FAILED_PRECONDITION && strstr(err.text, path) &&
                strstr(err.text, "cannot write"))
                _exit(0);
            fprintf(stderr, "%s %s\n", code_name(code), err.text);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(chmod(folder, 0700), 0);
        assert_int_equal(status, 0);
    }
}

static void says_that_the_disk_is_full_and_goes_on_when_it_is_not(void **state)
{
    struct db *db = open_or_fail(&FIRST);
    struct error err;
    char name[2000] = {0};
    enum code code = CODE_OK;
    (void)state;
    memset(name, 'x', sizeof name - 1);
    assert_int_equal(db_exec(db, "PRAGMA max_page_count=20", &err), CODE_OK);
    for (int i = 0; i < 100 && code == CODE_OK; i++) {
        struct db_stmt *stmt = db_prepare(db, "INSERT INTO t(name) VALUES(?1)", &err);
        name[i / 10] = (char)('0' + i % 10); /* UNIQUE: another text each time */
        db_bind_text(stmt, 1, (struct str){name, sizeof name});
        code = db_run(stmt, &err);
    }
    assert_int_equal(code, CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "DISK_FULL");
    assert_string_equal(err.text, "the disk is full");
    assert_int_equal(db_exec(db, "PRAGMA max_page_count=10000", &err), CODE_OK);
    insert(db, "room again", CODE_OK);
    db_close(db);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(migrates_and_keeps_what_was_there),
        CASE(reads_what_it_wrote_beside_the_writer),
        CASE(rolls_back_what_is_not_committed),
        CASE(refuses_newer_and_foreign_files),
        CASE(refuses_a_corrupt_file_and_leaves_it_alone),
        CASE(refuses_a_second_process),
        CASE(refuses_a_folder_that_is_not_there),
        CASE(refuses_a_file_and_a_folder_that_cannot_be_written),
        CASE(says_that_the_disk_is_full_and_goes_on_when_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
