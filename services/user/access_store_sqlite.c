/*
 * Opening, closing, tables, and how writers share a commit: who finds nobody at it takes all that
 * wait into one transaction and commits for them; who comes meanwhile waits for the next.
 */
#include "user/access_store_sqlite_internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/wait.h"
#include "user/reasons.h"

#include <errno.h>
#include <time.h>

enum { PURGE_EVERY_MS = 1000, PURGE_ROWS = 200 };

static const char STEP_1[] =
    /* Per tenant: the snapshot's version, and how many keys are not disabled. */
    "CREATE TABLE state("
    " tenant INTEGER PRIMARY KEY,"
    " version INTEGER NOT NULL,"
    " keys INTEGER NOT NULL);"
    "CREATE TABLE plans("
    " tenant INTEGER NOT NULL,"
    " id TEXT NOT NULL,"
    " rate REAL NOT NULL,"
    " burst INTEGER NOT NULL,"
    " quota INTEGER NOT NULL,"
    " period INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, id)) WITHOUT ROWID;"
    "CREATE TABLE keys("
    " tenant INTEGER NOT NULL,"
    " id BLOB NOT NULL,"
    " name TEXT NOT NULL,"
    " plan_id TEXT NOT NULL,"
    " public INTEGER NOT NULL,"
    " create_us INTEGER NOT NULL,"
    " rotate_us INTEGER NOT NULL,"
    " expire_us INTEGER NOT NULL,"
    " disable_us INTEGER NOT NULL,"
    " prefix TEXT NOT NULL,"
    " secrets BLOB NOT NULL," /* hash and end (little-endian) of each, never a secret itself */
    " version INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, id)) WITHOUT ROWID;"
    "CREATE TABLE once("
    " tenant INTEGER NOT NULL,"
    " request_id BLOB NOT NULL,"
    " hash BLOB NOT NULL,"
    " key_id BLOB NOT NULL,"
    " forget_ms INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, request_id)) WITHOUT ROWID;"
    "CREATE INDEX once_forget ON once(forget_ms);"
    "CREATE TABLE quotas("
    " tenant INTEGER NOT NULL,"
    " counter BLOB NOT NULL,"
    " version INTEGER NOT NULL,"
    " forget_ms INTEGER NOT NULL,"
    " bytes BLOB NOT NULL," /* quota_encode */
    " PRIMARY KEY(tenant, counter)) WITHOUT ROWID;"
    "CREATE INDEX quotas_forget ON quotas(forget_ms);";

static const char *const STEPS[] = {STEP_1};

static const struct db_schema SCHEMA = {
    .name = "access store",
    .steps = STEPS,
    .step_count = sizeof STEPS / sizeof *STEPS,
    .application_id = 0x4F4D4131, /* "OMA1" */
};

/* --- a group --- */

static bool is_storage_fault(const struct error *err)
{
    switch (err->code) {
    case CODE_UNAVAILABLE:
    case CODE_DATA_LOSS:
    case CODE_INTERNAL:
        return true;
    case CODE_RESOURCE_EXHAUSTED:
        return str_eq(str_of(err->reason), STR(REASON_DISK_FULL));
    case CODE_ALREADY_EXISTS:
        return str_eq(str_of(err->reason), STR("CONSTRAINT"));
    default:
        return false;
    }
}

/* `count` changes from `first` on, in one transaction. */
static void run_group(struct access_sqlite *store, struct access_write *first, size_t count)
{
    struct error err = {0};
    struct access_write *write = first;
    enum code code = db_begin(store->db, &err);
    for (size_t i = 0; code == CODE_OK && i < count; i++, write = write->next) {
        error_clear(&write->err);
        if (write->run(store, write->input, &write->err) != CODE_OK &&
            is_storage_fault(&write->err)) {
            err = write->err;
            code = err.code;
        }
    }
    if (code == CODE_OK)
        code = db_commit(store->db, &err);
    if (code == CODE_OK)
        return;
    db_rollback(store->db);
    if (count == 1) {
        first->err = err;
        log_error("access_write_failed", LOG_ERR(&err), LOG_C("reason", err.reason));
        return;
    }
    /* One by one: each fails, or not, by its own merit. */
    for (write = first; count--; write = write->next)
        run_group(store, write, 1);
}

static const char PURGE_ONCE[] =
    "DELETE FROM once WHERE (tenant, request_id) IN"
    " (SELECT tenant, request_id FROM once WHERE forget_ms <= ?1 LIMIT ?2)";
static const char PURGE_QUOTAS[] =
    "DELETE FROM quotas WHERE (tenant, counter) IN"
    " (SELECT tenant, counter FROM quotas WHERE forget_ms <= ?1 LIMIT ?2)";

static enum code purge(struct access_sqlite *store, const char *sql, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, sql, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, clock_wall_ms(store->clock));
    db_bind_i64(stmt, 2, PURGE_ROWS);
    return db_run(stmt, err);
}

/* Behind a group, in small steps: only writes make rows, so only writes need to take them away. */
static void purge_when_due(struct access_sqlite *store)
{
    int64_t now_ms = clock_mono_ms(store->clock);
    struct error err = {0};
    if (now_ms - store->purged_ms < PURGE_EVERY_MS)
        return;
    store->purged_ms = now_ms;
    if (purge(store, PURGE_ONCE, &err) != CODE_OK || purge(store, PURGE_QUOTAS, &err) != CODE_OK)
        log_warn("access_purge_failed", LOG_ERR(&err));
}

/* Called with the lock, which is let go while the group runs. */
static void lead(struct access_sqlite *store)
{
    struct access_write *group = store->first;
    size_t count = 0;
    for (struct access_write *write = group; write; write = write->next, count++)
        write->state = ACCESS_RUNS;
    store->first = store->last = NULL;
    store->leading = true;
    pthread_mutex_unlock(&store->lock);
    run_group(store, group, count);
    purge_when_due(store);
    pthread_mutex_lock(&store->lock);
    store->leading = false;
    for (; group; group = group->next)
        group->state = ACCESS_DONE;
    pthread_cond_broadcast(&store->done);
}

static void take_out(struct access_sqlite *store, struct access_write *write)
{
    struct access_write **at = &store->first, *before = NULL;
    while (*at != write) {
        before = *at;
        at = &before->next;
    }
    *at = write->next;
    if (store->last == write)
        store->last = before;
}

enum code access_sqlite_write(struct access_sqlite *store, const struct store_call *call,
                              access_write_fn run, void *input, struct error *err)
{
    struct access_write write = {.run = run, .input = input, .state = ACCESS_WAITS};
    struct timespec until = wait_deadline(call->remaining_ms);
    pthread_mutex_lock(&store->lock);
    *(store->last ? &store->last->next : &store->first) = &write;
    store->last = &write;
    while (write.state != ACCESS_DONE) {
        if (!store->leading && write.state == ACCESS_WAITS) {
            lead(store);
        } else if (write.state == ACCESS_RUNS) {
            pthread_cond_wait(&store->done, &store->lock); /* it lies in our frame: to its end */
        } else if (pthread_cond_timedwait(&store->done, &store->lock, &until) == ETIMEDOUT &&
                   write.state == ACCESS_WAITS) {
            take_out(store, &write);
            error_set(&write.err, CODE_DEADLINE_EXCEEDED, REASON_DEADLINE,
                      "the write was not begun in time");
            break;
        }
    }
    pthread_mutex_unlock(&store->lock);
    if (write.err.code != CODE_OK)
        *err = write.err;
    return write.err.code;
}

/* --- opening and closing --- */

static void close_all(struct access_sqlite *store)
{
    db_close(store->reader);
    db_close(store->db);
    pthread_cond_destroy(&store->done);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->reader_lock);
    xfree(store);
}

static void free_store(struct access_store *base)
{
    close_all((struct access_sqlite *)base);
}

static const struct access_store_vtable VTABLE = {
    .put_plan = access_sqlite_put_plan,
    .get_plan = access_sqlite_get_plan,
    .list_plans = access_sqlite_list_plans,
    .create_key = access_sqlite_create_key,
    .get_key = access_sqlite_get_key,
    .list_keys = access_sqlite_list_keys,
    .change_key = access_sqlite_change_key,
    .version = access_sqlite_version,
    .snapshot = access_sqlite_snapshot,
    .get_quota = access_sqlite_get_quota,
    .put_quota = access_sqlite_put_quota,
    .free = free_store,
};

static const char FIRST_STATE[] =
    "INSERT INTO state(tenant, version, keys) VALUES(?1, ?2, 0) ON CONFLICT DO NOTHING";

/* A new database's first version is the time: no other database's is the same. */
static enum code put_first_state(struct access_sqlite *store, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, FIRST_STATE, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_i64(stmt, 2, clock_wall_us(store->clock));
    return db_run(stmt, err);
}

enum code access_store_sqlite_open(const struct access_store_sqlite_options *options,
                                   struct access_store **out, struct error *err)
{
    struct access_sqlite *store = xcalloc(1, sizeof *store);
    pthread_mutex_init(&store->reader_lock, NULL);
    pthread_mutex_init(&store->lock, NULL);
    wait_cond_init(&store->done);
    store->base.vtable = &VTABLE;
    store->clock = options->clock;
    if (db_open(options->path, &SCHEMA, &store->db, err) != CODE_OK ||
        db_exec(store->db, "PRAGMA cache_size=-1024", err) != CODE_OK ||
        put_first_state(store, err) != CODE_OK ||
        db_open_reader(options->path, &store->reader, err) != CODE_OK) {
        close_all(store);
        return err->code;
    }
    *out = &store->base;
    return CODE_OK;
}
