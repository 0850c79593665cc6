/*
 * SQLite as this project uses it: WAL, foreign keys, prepared statements kept, errors in gRPC
 * codes, a schema version with migrations, and one process at a time on a database.
 *
 * A struct db belongs to one thread at a time. Error codes: a full disk is RESOURCE_EXHAUSTED
 * (DISK_FULL), a busy or locked database UNAVAILABLE, a broken uniqueness ALREADY_EXISTS, a
 * corrupt file DATA_LOSS, everything else INTERNAL.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct db_stmt;

/* One step of the schema: the SQL that leads from version i to i + 1 for the i-th. */
struct db_schema {
    const char *name; /* "user store": for messages */
    const char *const *steps;
    int step_count;
    int application_id; /* PRAGMA application_id: another program's file is refused */
};

/*
 * Opens for writing, creating and migrating as needed, and locks `path`.lock against a second
 * process. FAILED_PRECONDITION with a message that names the path when the directory cannot be
 * written, the file is corrupt, belongs to another program, has a newer schema, or is in use.
 * Nothing is changed in these cases.
 */
enum code db_open(const char *path, const struct db_schema *schema, struct db **db,
                  struct error *err) MUST_CHECK;

/* One more connection to a database this process has open, for reading only. */
enum code db_open_reader(const char *path, struct db **db, struct error *err) MUST_CHECK;

/* Closes; statements go with it. NULL is allowed. */
void db_close(struct db *db);

/* Runs statements without results. */
enum code db_exec(struct db *db, const char *sql, struct error *err) MUST_CHECK;

/*
 * The prepared statement for `sql`, reset and without bindings. Kept by the address of `sql`,
 * which therefore must be a literal or static array.
 */
struct db_stmt *db_prepare(struct db *db, const char *sql, struct error *err) MUST_CHECK;

/* Parameters count from 1. Bytes must live until the next step or reset. */
void db_bind_text(struct db_stmt *stmt, int index, struct str text);
void db_bind_blob(struct db_stmt *stmt, int index, struct str bytes);
void db_bind_i64(struct db_stmt *stmt, int index, int64_t value);
void db_bind_double(struct db_stmt *stmt, int index, double value);
void db_bind_null(struct db_stmt *stmt, int index);

/* *row is true while there is one. The statement is reset when there is none and on error. */
enum code db_step(struct db_stmt *stmt, bool *row, struct error *err) MUST_CHECK;

/* Steps once and resets: for statements whose result does not matter. */
enum code db_run(struct db_stmt *stmt, struct error *err) MUST_CHECK;

/* Ends a statement before its last row. */
void db_reset(struct db_stmt *stmt);

/* Columns count from 0; bytes live until the next step or reset. NULL reads as empty or 0. */
struct str db_text(struct db_stmt *stmt, int column);
struct str db_blob(struct db_stmt *stmt, int column);
int64_t db_i64(struct db_stmt *stmt, int column);
double db_double(struct db_stmt *stmt, int column);
bool db_is_null(struct db_stmt *stmt, int column);

/* Rows that the last INSERT, UPDATE or DELETE changed. */
int64_t db_changes(struct db *db);

/* BEGIN IMMEDIATE, or BEGIN DEFERRED on a reader. */
enum code db_begin(struct db *db, struct error *err) MUST_CHECK;

/* COMMIT; rolls back when that fails. */
enum code db_commit(struct db *db, struct error *err) MUST_CHECK;

/* ROLLBACK; harmless when SQLite has rolled back by itself. */
void db_rollback(struct db *db);
