/* The outbox of events without writes: one connection, one transaction a call. */
#include "user/store_sqlite_outbox.h"

#include "base/program.h"

#include <stdio.h>

static const char *const STEPS[] = {OUTBOX_TABLES};

static const struct db_schema SCHEMA = {
    .name = "outbox of read events",
    .steps = STEPS,
    .step_count = 1,
    .application_id = 0x4F4D5231, /* "OMR1" */
};

static const char PRAGMAS[] = "PRAGMA cache_size=-1024; PRAGMA journal_size_limit=16777216";

enum code reads_outbox_open(struct reads_outbox *reads, const char *path, struct error *err)
{
    char beside[PROGRAM_PATH_BYTES + 8];
    snprintf(beside, sizeof beside, "%s-reads", path);
    if (db_open(beside, &SCHEMA, &reads->db, err) != CODE_OK ||
        db_exec(reads->db, PRAGMAS, err) != CODE_OK)
        return err->code;
    return outbox_load(reads->db, &reads->counts, err);
}

void reads_outbox_close(struct reads_outbox *reads)
{
    db_close(reads->db);
}

static enum code begin(struct reads_outbox *reads, struct error *err)
{
    pthread_mutex_lock(&reads->lock);
    if (db_begin(reads->db, err) == CODE_OK)
        return CODE_OK;
    pthread_mutex_unlock(&reads->lock);
    return err->code;
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
    pthread_mutex_unlock(&reads->lock);
    return code;
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
    if (code != CODE_OK)
        return code;
    for (size_t i = 0; code == CODE_OK && i < count; i++) {
        bool found;
        code = outbox_forget_batch(reads->db, &ids[i], &found, &delta, err);
        if (code == CODE_OK && !found)
            others[(*other_count)++] = ids[i];
    }
    return end(reads, code, &delta, err);
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
    pthread_mutex_lock(&reads->lock);
    enum code code = outbox_read_line(reads->db, max, bytes_max, arena, batches, count, err);
    pthread_mutex_unlock(&reads->lock);
    return code;
}

enum code reads_outbox_hours(struct reads_outbox *reads, int64_t from, int64_t to,
                             struct arena *arena, struct store_hour **hours, size_t *count,
                             struct error *err)
{
    pthread_mutex_lock(&reads->lock);
    enum code code = outbox_read_hours(reads->db, from, to, arena, hours, count, err);
    pthread_mutex_unlock(&reads->lock);
    return code;
}
