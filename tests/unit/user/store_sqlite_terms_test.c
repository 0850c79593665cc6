/* Edits of the index: in its order, and of one key in their own. */
#include "tests/support/unit.h"

#include "base/alloc.h"
#include "user/store_sqlite_terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct index {
    char directory[32], path[64];
    struct store_sqlite store; /* its connection and its edits, nothing else */
    struct error err;
};

static int set_up(void **state)
{
    struct index *index = xcalloc(1, sizeof *index);
    snprintf(index->directory, sizeof index->directory, "/tmp/omni-terms-XXXXXX");
    if (!mkdtemp(index->directory))
        return 1;
    snprintf(index->path, sizeof index->path, "%s/users.db", index->directory);
    *state = index;
    return db_open(index->path, &store_sqlite_schema, &index->store.db, &index->err) != CODE_OK;
}

static int tear_down(void **state)
{
    struct index *index = *state;
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    char path[80];
    db_close(index->store.db);
    xfree(index->store.edits);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s%s", index->path, endings[i]);
        unlink(path);
    }
    int left = rmdir(index->directory);
    xfree(index);
    return left;
}

static void edit(struct index *index, bool drop, const char *term, const char *name, uint8_t id)
{
    store_sqlite_edit(&index->store, &(struct term_edit){.tenant = STORE_TENANT,
                                                         .drop = drop,
                                                         .term = str_of(term),
                                                         .name_key = str_of(name),
                                                         .id = {{id}}});
}

static enum code write_edits(struct index *index)
{
    enum code code = store_sqlite_write_edits(&index->store, &index->err);
    index->store.edit_count = 0;
    return code;
}

/* All rows as "term name id " in the order of the index. */
static const char *rows(struct index *index)
{
    static const char SQL[] = "SELECT group_concat(term || name_key || hex(substr(id, 1, 1)), ' ')"
                              " FROM (SELECT * FROM terms ORDER BY term, name_key, id)";
    static char text[256];
    bool row;
    struct db_stmt *stmt = db_prepare(index->store.db, SQL, &index->err);
    assert_int_equal(db_step(stmt, &row, &index->err), CODE_OK);
    snprintf(text, sizeof text, "%.*s", STR_ARG(db_text(stmt, 0)));
    db_reset(stmt);
    return text;
}

static void one_key_is_edited_in_order(void **state)
{
    struct index *index = *state;
    edit(index, false, "b", "x", 1); /* somebody comes, is renamed and renamed back */
    edit(index, false, "a", "y", 2);
    edit(index, true, "b", "x", 1);
    edit(index, false, "c", "x", 1);
    edit(index, true, "c", "x", 1);
    edit(index, false, "b", "x", 1);
    edit(index, true, "a", "y", 2); /* somebody comes and goes */
    assert_int_equal(write_edits(index), CODE_OK);
    assert_string_equal(rows(index), "bx01");
    edit(index, true, "b", "x", 1);
    edit(index, false, "b", "x", 3);
    edit(index, false, "b", "w", 3);
    edit(index, false, "b", "x", 2);
    assert_int_equal(write_edits(index), CODE_OK);
    assert_string_equal(rows(index), "bw03 bx02 bx03");
}

static void many_are_kept(void **state)
{
    enum { MANY = 5000 };
    static char terms[MANY][8];
    struct index *index = *state;
    struct db_stmt *stmt;
    bool row;
    for (int i = 0; i < MANY; i++) {
        snprintf(terms[i], sizeof terms[i], "%04d", i * 7919 % MANY);
        edit(index, false, terms[i], "n", 1);
    }
    assert_int_equal(write_edits(index), CODE_OK);
    stmt = db_prepare(index->store.db, "SELECT count(DISTINCT term) FROM terms", &index->err);
    assert_int_equal(db_step(stmt, &row, &index->err), CODE_OK);
    assert_int_equal(db_i64(stmt, 0), MANY);
}

static void a_row_that_is_there_is_an_error(void **state)
{
    struct index *index = *state;
    edit(index, false, "a", "x", 1);
    edit(index, false, "a", "x", 1);
    assert_int_equal(write_edits(index), CODE_ALREADY_EXISTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_key_is_edited_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_is_there_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
