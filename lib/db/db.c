/* The only file that sees sqlite3.h. */
#include "db/db.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { STATEMENTS_MAX = 96, PATH_BYTES = 4096, READER_MMAP_MIB = 256 };

struct db_stmt {
    sqlite3_stmt *handle;
    const char *sql;
    struct db *db;
};

struct db {
    sqlite3 *handle;
    int lock_fd; /* -1 for readers */
    bool reader;
    int count;
    struct db_stmt statements[STATEMENTS_MAX];
};

/* `what` we did is for the log; a full disk is shown to callers, who do not care. */
static enum code fail(struct db *db, const char *what, struct error *err)
{
    int primary = sqlite3_errcode(db->handle) & 0xFF;
    const char *text = sqlite3_errmsg(db->handle);
    switch (primary) {
    case SQLITE_FULL:
        return error_set(err, CODE_RESOURCE_EXHAUSTED, "DISK_FULL", "the disk is full");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, CODE_UNAVAILABLE, "DATABASE_BUSY", "%s: %s", what, text);
    case SQLITE_CONSTRAINT:
        return error_set(err, CODE_ALREADY_EXISTS, "CONSTRAINT", "%s: %s", what, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "%s: %s", what, text);
    case SQLITE_IOERR:
        if (sqlite3_system_errno(db->handle) == ENOSPC || errno == ENOSPC)
            return error_set(err, CODE_RESOURCE_EXHAUSTED, "DISK_FULL", "the disk is full");
        return error_set(err, CODE_INTERNAL, "DATABASE_IO", "%s: %s", what, text);
    default:
        return error_set(err, CODE_INTERNAL, "DATABASE", "%s: %s", what, text);
    }
}

static enum code lock_file(const char *path, int *fd, struct error *err)
{
    char lock[PATH_BYTES];
    snprintf(lock, sizeof lock, "%s.lock", path);
    *fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot write %s", lock);
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        close(*fd);
        *fd = -1;
        return error_set(err, CODE_FAILED_PRECONDITION, "DATABASE_IN_USE",
                         "%s is in use by another process", path);
    }
    return CODE_OK;
}

static enum code pragma_i64(struct db *db, const char *sql, int64_t *value, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        enum code code = fail(db, sql, err);
        sqlite3_finalize(stmt);
        return code;
    }
    *value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return CODE_OK;
}

/* Refuses what is not ours before anything is written. */
static enum code check_identity(struct db *db, const char *path, const struct db_schema *schema,
                                int64_t *version, struct error *err)
{
    int64_t application = 0, objects = 0;
    if (pragma_i64(db, "PRAGMA application_id", &application, err) != CODE_OK ||
        pragma_i64(db, "PRAGMA user_version", version, err) != CODE_OK ||
        pragma_i64(db, "SELECT count(*) FROM sqlite_schema", &objects, err) != CODE_OK)
        return err->code;
    if (objects && application != schema->application_id)
        return error_set(err, CODE_FAILED_PRECONDITION, "DATABASE_FOREIGN",
                         "%s is not a database of the %s", path, schema->name);
    if (*version > schema->step_count)
        return error_set(err, CODE_FAILED_PRECONDITION, "DATABASE_NEWER",
                         "%s has schema version %lld, this program knows up to %d: "
                         "use a newer program",
                         path, (long long)*version, schema->step_count);
    return CODE_OK;
}

static enum code migrate(struct db *db, const struct db_schema *schema, int64_t version,
                         struct error *err)
{
    for (; version < schema->step_count; version++) {
        char mark[96];
        snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                 schema->application_id, (int)version + 1);
        if (db_begin(db, err) != CODE_OK)
            return err->code;
        if (db_exec(db, schema->steps[version], err) != CODE_OK ||
            db_exec(db, mark, err) != CODE_OK) {
            db_rollback(db);
            return err->code;
        }
        if (db_commit(db, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

/* Nobody asks SQLite how much memory it has: without the count an allocation needs no lock. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum code open_handle(struct db *db, const char *path, int flags, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure);
    int result = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (!db->handle)
        return error_set(err, CODE_INTERNAL, "DATABASE", "cannot open %s", path);
    if (result != SQLITE_OK)
        return error_set(err, CODE_FAILED_PRECONDITION, "DATABASE", "cannot open %s: %s", path,
                         sqlite3_errmsg(db->handle));
    if (!db->reader && sqlite3_db_readonly(db->handle, "main") == 1)
        return error_set(err, CODE_FAILED_PRECONDITION, "DATABASE_READONLY", "cannot write %s",
                         path);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, 5000);
    return CODE_OK;
}

enum code db_open(const char *path, const struct db_schema *schema, struct db **out,
                  struct error *err)
{
    struct db *db = xcalloc(1, sizeof *db);
    int64_t version = 0;
    db->lock_fd = -1;
    if (lock_file(path, &db->lock_fd, err) != CODE_OK ||
        open_handle(db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err) != CODE_OK ||
        check_identity(db, path, schema, &version, err) != CODE_OK ||
        db_exec(db,
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                "PRAGMA temp_store=MEMORY",
                err) != CODE_OK ||
        migrate(db, schema, version, err) != CODE_OK) {
        if (err->code == CODE_DATA_LOSS) {
            error_prefix(err, path);
            err->code = CODE_FAILED_PRECONDITION;
        }
        db_close(db);
        return err->code;
    }
    *out = db;
    return CODE_OK;
}

enum code db_open_reader(const char *path, struct db **out, struct error *err)
{
    struct db *db = xcalloc(1, sizeof *db);
    char mmap[64];
    db->lock_fd = -1;
    db->reader = true;
    snprintf(mmap, sizeof mmap, "PRAGMA query_only=1; PRAGMA mmap_size=%lld",
             (long long)READER_MMAP_MIB << 20);
    if (open_handle(db, path, SQLITE_OPEN_READWRITE, err) != CODE_OK ||
        db_exec(db, mmap, err) != CODE_OK) {
        db_close(db);
        return err->code;
    }
    *out = db;
    return CODE_OK;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (int i = 0; i < db->count; i++)
        sqlite3_finalize(db->statements[i].handle);
    sqlite3_close(db->handle);
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    xfree(db);
}

enum code db_exec(struct db *db, const char *sql, struct error *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(db, "exec", err);
    return CODE_OK;
}

struct db_stmt *db_prepare(struct db *db, const char *sql, struct error *err)
{
    for (int i = 0; i < db->count; i++) {
        if (db->statements[i].sql == sql) {
            db_reset(&db->statements[i]);
            return &db->statements[i];
        }
    }
    if (db->count == STATEMENTS_MAX) {
        error_set(err, CODE_INTERNAL, "DATABASE", "more than %d statements", STATEMENTS_MAX);
        return NULL;
    }
    struct db_stmt *stmt = &db->statements[db->count];
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, NULL) !=
        SQLITE_OK) {
        fail(db, "prepare", err);
        return NULL;
    }
    stmt->sql = sql;
    stmt->db = db;
    db->count++;
    return stmt;
}

void db_bind_text(struct db_stmt *stmt, int index, struct str text)
{
    sqlite3_bind_text64(stmt->handle, index, text.ptr ? text.ptr : "", text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void db_bind_blob(struct db_stmt *stmt, int index, struct str bytes)
{
    sqlite3_bind_blob64(stmt->handle, index, bytes.ptr ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

void db_bind_i64(struct db_stmt *stmt, int index, int64_t value)
{
    sqlite3_bind_int64(stmt->handle, index, value);
}

void db_bind_double(struct db_stmt *stmt, int index, double value)
{
    sqlite3_bind_double(stmt->handle, index, value);
}

void db_bind_null(struct db_stmt *stmt, int index)
{
    sqlite3_bind_null(stmt->handle, index);
}

enum code db_step(struct db_stmt *stmt, bool *row, struct error *err)
{
    int result = sqlite3_step(stmt->handle);
    *row = result == SQLITE_ROW;
    if (result == SQLITE_ROW)
        return CODE_OK;
    enum code code = result == SQLITE_DONE ? CODE_OK : fail(stmt->db, "step", err);
    sqlite3_reset(stmt->handle);
    return code;
}

enum code db_run(struct db_stmt *stmt, struct error *err)
{
    bool row;
    enum code code = db_step(stmt, &row, err);
    sqlite3_reset(stmt->handle);
    return code;
}

void db_reset(struct db_stmt *stmt)
{
    sqlite3_reset(stmt->handle);
    sqlite3_clear_bindings(stmt->handle);
}

struct str db_text(struct db_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt->handle, column);
    return (struct str){text ? text : "", (size_t)sqlite3_column_bytes(stmt->handle, column)};
}

struct str db_blob(struct db_stmt *stmt, int column)
{
    const char *bytes = sqlite3_column_blob(stmt->handle, column);
    return (struct str){bytes ? bytes : "", (size_t)sqlite3_column_bytes(stmt->handle, column)};
}

int64_t db_i64(struct db_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->handle, column);
}

double db_double(struct db_stmt *stmt, int column)
{
    return sqlite3_column_double(stmt->handle, column);
}

bool db_is_null(struct db_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

/* --- transactions: every job of reads has one, so that they are prepared as well --- */

static const char BEGIN_READ[] = "BEGIN DEFERRED", BEGIN_WRITE[] = "BEGIN IMMEDIATE";
static const char COMMIT[] = "COMMIT", ROLLBACK[] = "ROLLBACK";

static enum code run(struct db *db, const char *sql, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, sql, err);
    return stmt ? db_run(stmt, err) : err->code;
}

enum code db_begin(struct db *db, struct error *err)
{
    if (!db_prepare(db, ROLLBACK, err)) /* what has begun can be ended */
        return err->code;
    return run(db, db->reader ? BEGIN_READ : BEGIN_WRITE, err);
}

enum code db_commit(struct db *db, struct error *err)
{
    if (run(db, COMMIT, err) != CODE_OK) {
        db_rollback(db);
        return err->code;
    }
    return CODE_OK;
}

void db_rollback(struct db *db)
{
    struct error ignored;
    if (!sqlite3_get_autocommit(db->handle))
        (void)!run(db, ROLLBACK, &ignored);
}
