/*
 * The writer: one thread, one connection. It takes all operations that wait (up to a bound) into
 * one transaction, each in a savepoint of its own, so that one that is refused leaves its
 * neighbours alone; the group's fsync is paid once. When the storage itself fails inside a group,
 * the group is rolled back and its operations run again one by one: each then fails, or not, by
 * its own merit.
 *
 * An operation owns its memory and is counted by reference, so that a caller whose deadline passes
 * can go while the writer still works on it.
 */
#include "user/store_sqlite_terms.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/wait.h"
#include "user/reasons.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum {
    GROUP_MAX = 256,

    PURGE_EVERY_MS = 1000,
    PURGE_ROWS = 200,
};

struct write_op *store_sqlite_op(void)
{
    struct write_op *op = xcalloc(1, sizeof *op);
    wait_cond_init(&op->done);
    op->references = 1;
    return op;
}

static void drop_reference(struct write_op *op)
{
    if (--op->references)
        return;
    pthread_cond_destroy(&op->done);
    arena_clear(&op->arena);
    xfree(op);
}

void store_sqlite_release(struct store_sqlite *store, struct write_op *op)
{
    pthread_mutex_lock(&store->lock);
    drop_reference(op);
    pthread_mutex_unlock(&store->lock);
}

void store_sqlite_broken(struct write_op *op, const struct error *err)
{
    op->err = *err;
    op->broken = true;
}

static void take_out(struct store_sqlite *store, struct write_op *op)
{
    struct write_op **at = &store->first, *before = NULL;
    while (*at != op) {
        before = *at;
        at = &before->next;
    }
    *at = op->next;
    if (store->last == op)
        store->last = before;
    store->waiting--;
    drop_reference(op); /* the writer's */
}

static enum code enqueue(struct store_sqlite *store, struct write_op *op, struct error *err)
{
    if (store->stopping)
        return error_set(err, CODE_UNAVAILABLE, REASON_STOPPING, "the server is shutting down");
    if (store->waiting >= store->waiting_max)
        return error_set(err, CODE_RESOURCE_EXHAUSTED, REASON_OVERLOADED,
                         "more than %d writes wait", store->waiting_max);
    op->next = NULL;
    op->references++;
    op->state = WRITE_WAITS;
    if (store->last)
        store->last->next = op;
    else
        store->first = op;
    store->last = op;
    if (++store->waiting == 1)
        pthread_cond_signal(&store->work);
    return CODE_OK;
}

enum code store_sqlite_submit(struct store_sqlite *store, struct write_op *op, int64_t remaining_ms,
                              struct error *err)
{
    struct timespec until = wait_deadline(remaining_ms);
    pthread_mutex_lock(&store->lock);
    enum code code = enqueue(store, op, err);
    int late = 0;
    while (code == CODE_OK && op->state != WRITE_DONE && late != ETIMEDOUT) {
        if (remaining_ms == INT64_MAX)
            pthread_cond_wait(&op->done, &store->lock);
        else
            late = pthread_cond_timedwait(&op->done, &store->lock, &until);
    }
    if (code == CODE_OK && op->state != WRITE_DONE) {
        code = error_set(err, CODE_DEADLINE_EXCEEDED, REASON_DEADLINE,
                         op->state == WRITE_WAITS
                             ? "the write was not begun in time"
                             : "the write was not finished in time; it may still be carried out");
        err->unsure = op->state == WRITE_RUNS;
        if (op->state == WRITE_WAITS)
            take_out(store, op);
    } else if (code == CODE_OK && op->err.code != CODE_OK) {
        *err = op->err;
        code = err->code;
    }
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* --- the writer's side --- */

static size_t take_group(struct store_sqlite *store, struct write_op **group)
{
    size_t count = 0;
    while (store->first && count < GROUP_MAX) {
        struct write_op *op = store->first;
        store->first = op->next;
        op->state = WRITE_RUNS;
        group[count++] = op;
        store->waiting--;
    }
    if (!store->first)
        store->last = NULL;
    return count;
}

static void finish_group(struct store_sqlite *store, struct write_op **group, size_t count)
{
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count; i++) {
        group[i]->state = WRITE_DONE;
        pthread_cond_signal(&group[i]->done);
        drop_reference(group[i]);
    }
    pthread_mutex_unlock(&store->lock);
}

static enum code step(struct db *db, const char *sql, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, sql, err);
    return stmt ? db_run(stmt, err) : err->code;
}

static const char SAVEPOINT[] = "SAVEPOINT op";
static const char ROLLBACK_TO[] = "ROLLBACK TO op";
static const char RELEASE[] = "RELEASE op";

/* False when the storage is at fault; op->err then says how. */
static bool run_op(struct store_sqlite *store, struct write_op *op, struct group_delta *delta)
{
    struct group_delta trial = *delta;
    struct error err = {0};
    size_t edits_before = store->edit_count;
    error_clear(&op->err);
    op->broken = false;
    if (step(store->db, SAVEPOINT, &err) != CODE_OK) {
        store_sqlite_broken(op, &err);
        return false;
    }
    op->run(store, op, &trial);
    if (op->broken)
        return false;
    if ((op->err.code != CODE_OK && step(store->db, ROLLBACK_TO, &err) != CODE_OK) ||
        step(store->db, RELEASE, &err) != CODE_OK) {
        store_sqlite_broken(op, &err);
        return false;
    }
    if (op->err.code == CODE_OK)
        *delta = trial;
    else
        store->edit_count = edits_before;
    return true;
}

static void run_group(struct store_sqlite *store, struct write_op **group, size_t count)
{
    struct group_delta delta = {0};
    struct error err = {0};
    size_t done = 0;
    enum code code = db_begin(store->db, &err);
    store->edit_count = 0;
    while (code == CODE_OK && done < count) {
        if (!run_op(store, group[done], &delta)) {
            err = group[done]->err;
            code = err.code;
            break;
        }
        done++;
    }
    if (code == CODE_OK)
        code = store_sqlite_write_edits(store, &err);
    if (code == CODE_OK)
        code = outbox_write_hours(store->db, &delta, &err);
    if (code == CODE_OK)
        code = db_commit(store->db, &err);
    if (code == CODE_OK) {
        if (store->failing)
            log_info("writes_work_again", LOG_I("operations", count));
        store->failing = false;
        outbox_apply(store->db, &store->outbox, &delta);
        return;
    }
    db_rollback(store->db);
    if (count == 1) {
        group[0]->err = err;
        if (!store->failing) /* once, not for each of thousands */
            log_error("writes_fail", LOG_ERR(&err), LOG_C("reason", err.reason));
        store->failing = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        run_group(store, group + i, 1);
}

static const char PURGE[] =
    "DELETE FROM idempotency WHERE (tenant, request_id) IN"
    " (SELECT tenant, request_id FROM idempotency WHERE expires_ms <= ?1 LIMIT ?2)";

/* In small steps, so that nobody waits behind a big one; not in a hurry when it fails. */
static void purge_when_due(struct store_sqlite *store)
{
    int64_t now_ms = clock_mono_ms(store->clock);
    struct error err = {0};
    if (now_ms - store->purged_ms < PURGE_EVERY_MS)
        return;
    store->purged_ms = now_ms;
    struct db_stmt *stmt = db_prepare(store->db, PURGE, &err);
    if (!stmt)
        return;
    db_bind_i64(stmt, 1, clock_wall_ms(store->clock));
    db_bind_i64(stmt, 2, PURGE_ROWS);
    if (db_run(stmt, &err) != CODE_OK)
        log_warn("idempotency_purge_failed", LOG_ERR(&err));
    else if (db_changes(store->db) == PURGE_ROWS)
        store->purged_ms = 0; /* there may be more: with the next group */
}

void *store_sqlite_writer_main(void *argument)
{
    struct store_sqlite *store = argument;
    struct write_op *group[GROUP_MAX];
    for (;;) {
        pthread_mutex_lock(&store->lock);
        if (!store->first && !store->stopping) {
            struct timespec until = wait_deadline(PURGE_EVERY_MS);
            pthread_cond_timedwait(&store->work, &store->lock, &until);
        }
        size_t count = take_group(store, group);
        bool end = !count && store->stopping;
        pthread_mutex_unlock(&store->lock);
        if (end)
            return NULL;
        if (count) {
            run_group(store, group, count);
            finish_group(store, group, count);
        }
        purge_when_due(store);
    }
}
