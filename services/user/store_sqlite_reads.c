/*
 * The outbox of events without writes: one connection, one transaction a call. All that is in it
 * may be lost, so that a damaged file stops nobody: it is put aside and another is begun, at the
 * start and whenever it turns out to be damaged.
 */
#include "user/store_sqlite_outbox.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = READS_PATH_BYTES + 16 };

static const char *const STEPS[] = {OUTBOX_TABLES};

static const struct db_schema SCHEMA = {
    .name = "outbox of read events",
    .steps = STEPS,
    .step_count = 1,
    .application_id = 0x4F4D5231, /* "OMR1" */
};

static const char PRAGMAS[] = "PRAGMA cache_size=-1024; PRAGMA journal_size_limit=16777216";

static enum code open_file(struct reads_outbox *reads, struct error *err)
{
    if (db_open(reads->path, &SCHEMA, &reads->db, err) != CODE_OK ||
        db_exec(reads->db, PRAGMAS, err) != CODE_OK)
        return err->code;
    return outbox_load(reads->db, &reads->counts, err);
}

/* Nothing waits in it then. */
static void close_file(struct reads_outbox *reads)
{
    db_close(reads->db);
    reads->db = NULL;
    atomic_store(&reads->counts.bytes, 0);
    atomic_store(&reads->counts.events, 0);
    atomic_store(&reads->counts.aside, 0);
    atomic_store(&reads->counts.oldest_ms, 0);
}

/* --- trouble --- */

/* Once, not for each of thousands. */
static void fails(struct reads_outbox *reads, const struct error *err)
{
    if (!atomic_exchange(&reads->failing, true))
        log_error("read_outbox_fails", LOG_ERR(err), LOG_C("reason", err->reason));
}

static void works(struct reads_outbox *reads)
{
    if (atomic_exchange(&reads->failing, false))
        log_info("read_outbox_works_again", LOG_C("path", reads->path));
}

/* db_open makes a FAILED_PRECONDITION of it. */
static bool is_damage(const struct error *err)
{
    return strcmp(err->reason, "DATABASE_CORRUPT") == 0;
}

/* The log goes first: beside another file it would be taken for that one's. */
static enum code move_aside(const char *path, struct error *err)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    snprintf(from, sizeof from, "%s-wal", path);
    snprintf(to, sizeof to, "%s.damaged-wal", path);
    unlink(to); /* of one before */
    if (rename(from, to) != 0 && errno != ENOENT)
        return error_errno(err, CODE_UNAVAILABLE, errno, "cannot put %s aside", from);
    snprintf(from, sizeof from, "%s-shm", path);
    unlink(from);
    snprintf(to, sizeof to, "%s.damaged", path);
    if (rename(path, to) != 0)
        return error_errno(err, CODE_UNAVAILABLE, errno, "cannot put %s aside", path);
    return CODE_OK;
}

/* What was emitted was emitted; nothing of it waits any more. */
static enum code put_counts(struct db *db, const struct store_hour *hours, size_t count,
                            struct error *err)
{
    enum code code = db_begin(db, err);
    if (code != CODE_OK)
        return code;
    for (size_t i = 0; i < count && code == CODE_OK; i++) {
        struct group_delta delta = {0};
        int64_t emitted = (int64_t)hours[i].emitted;
        code = outbox_count_hour(&delta, hours[i].hour, emitted, emitted, err);
        if (code == CODE_OK)
            code = outbox_write_hours(db, &delta, err);
    }
    if (code == CODE_OK)
        return db_commit(db, err);
    db_rollback(db);
    return code;
}

/* Without the old file's batches, with as many of its counts as can be read. */
static enum code begin_anew(struct reads_outbox *reads, const struct error *damage,
                            struct error *err)
{
    struct arena arena = {0};
    struct store_hour *hours = NULL;
    struct error unread = {0};
    size_t count = 0;
    uint64_t waited = 0;
    if (reads->db)
        (void)!outbox_read_hours(reads->db, INT64_MIN, INT64_MAX, &arena, &hours, &count, &unread);
    for (size_t i = 0; i < count; i++)
        waited += hours[i].pending;
    close_file(reads);
    enum code code = move_aside(reads->path, err);
    if (code == CODE_OK) {
        log_error("read_outbox_damaged", LOG_ERR(damage), LOG_C("path", reads->path),
                  LOG_C("kept_with_suffix", ".damaged"), LOG_I("events_given_up_at_least", waited));
        code = open_file(reads, err);
    }
    if (code == CODE_OK)
        code = put_counts(reads->db, hours, count, err);
    if (code != CODE_OK)
        close_file(reads);
    arena_clear(&arena);
    return code;
}

enum code reads_outbox_open(struct reads_outbox *reads, const char *path, struct error *err)
{
    snprintf(reads->path, sizeof reads->path, "%s-reads", path);
    enum code code = open_file(reads, err);
    if (code == CODE_OK || !is_damage(err))
        return code;
    const struct error damage = *err;
    error_clear(err);
    return begin_anew(reads, &damage, err);
}

void reads_outbox_close(struct reads_outbox *reads)
{
    close_file(reads);
}

/* --- a call --- */

/* What did not work before may do so now. */
static enum code enter(struct reads_outbox *reads, struct error *err)
{
    pthread_mutex_lock(&reads->lock);
    if (reads->db)
        return CODE_OK;
    enum code code = open_file(reads, err);
    if (code != CODE_OK)
        close_file(reads);
    return code;
}

/* After `code`, which is also returned. */
static enum code leave(struct reads_outbox *reads, enum code code, const struct error *err)
{
    struct error anew = {0};
    if (code != CODE_OK && is_damage(err)) {
        if (begin_anew(reads, err, &anew) == CODE_OK)
            works(reads);
        else
            fails(reads, &anew);
    }
    pthread_mutex_unlock(&reads->lock);
    return code;
}

static enum code begin(struct reads_outbox *reads, struct error *err)
{
    enum code code = enter(reads, err);
    if (code == CODE_OK)
        code = db_begin(reads->db, err);
    return code == CODE_OK ? code : leave(reads, code, err);
}

static enum code end(struct reads_outbox *reads, enum code code, const struct group_delta *delta,
                     struct error *err)
{
    if (code == CODE_OK)
        code = outbox_write_hours(reads->db, delta, err);
    if (code == CODE_OK)
        code = db_commit(reads->db, err);
    if (code == CODE_OK)
        outbox_apply(reads->db, &reads->counts, delta);
    else
        db_rollback(reads->db);
    return leave(reads, code, err);
}

enum code reads_outbox_add(struct reads_outbox *reads, const struct store_batch *batches,
                           size_t count, struct error *err)
{
    struct group_delta delta = {0};
    if (begin(reads, err) != CODE_OK)
        return err->code;
    return end(reads, outbox_put_batches(reads->db, batches, count, &delta, err), &delta, err);
}

enum code reads_outbox_forget(struct reads_outbox *reads, const struct id *ids, size_t count,
                              struct id *others, size_t *other_count, struct error *err)
{
    struct group_delta delta = {0};
    enum code code = begin(reads, err);
    *other_count = 0;
    if (code == CODE_OK) {
        for (size_t i = 0; code == CODE_OK && i < count; i++) {
            bool found;
            code = outbox_forget_batch(reads->db, &ids[i], &found, &delta, err);
            if (code == CODE_OK && !found)
                others[(*other_count)++] = ids[i];
        }
        code = end(reads, code, &delta, err);
    }
    if (code == CODE_OK) {
        if (delta.events)
            works(reads);
        return code;
    }
    if (!is_damage(err))
        fails(reads, err);
    memcpy(others, ids, count * sizeof *ids);
    *other_count = count;
    return code;
}

enum code reads_outbox_set_aside(struct reads_outbox *reads, const struct id *id,
                                 const char *reason, bool *found, struct error *err)
{
    struct group_delta delta = {0};
    *found = false;
    if (begin(reads, err) != CODE_OK)
        return err->code;
    enum code code = outbox_put_aside(reads->db, id, reason, &delta, err);
    *found = delta.aside > 0;
    return end(reads, code, &delta, err);
}

enum code reads_outbox_readmit(struct reads_outbox *reads, struct error *err)
{
    struct group_delta delta = {0};
    if (begin(reads, err) != CODE_OK)
        return err->code;
    return end(reads, outbox_readmit_all(reads->db, &delta, err), &delta, err);
}

enum code reads_outbox_line(struct reads_outbox *reads, size_t max, size_t bytes_max,
                            struct arena *arena, struct store_batch *batches, size_t *count,
                            struct error *err)
{
    enum code code = enter(reads, err);
    if (code == CODE_OK)
        code = outbox_read_line(reads->db, max, bytes_max, arena, batches, count, err);
    if (code != CODE_OK && !is_damage(err))
        fails(reads, err);
    return leave(reads, code, err);
}

enum code reads_outbox_hours(struct reads_outbox *reads, int64_t from, int64_t to,
                             struct arena *arena, struct store_hour **hours, size_t *count,
                             struct error *err)
{
    enum code code = enter(reads, err);
    if (code == CODE_OK)
        code = outbox_read_hours(reads->db, from, to, arena, hours, count, err);
    return leave(reads, code, err);
}
