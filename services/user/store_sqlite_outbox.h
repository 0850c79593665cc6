/*
 * An outbox in a database: sealed batches in line, and per hour how many events were made and how
 * many of them the other side has. There are two. The first is in the users' own database, for
 * events that commit with their writes. The second is a database of its own beside it (PATH-reads),
 * for batches of events that come with no write: every commit makes the readers let go of all pages
 * that they have mapped, so that nothing that is only read should change the users' database.
 *
 * The functions on a struct db are for whoever is in a transaction on it.
 */
#pragma once
#include "base/program.h"
#include "db/db.h"
#include "user/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* Counts beside the tables; read by anybody. */
struct outbox_counts {
    atomic_uint_fast64_t bytes, events, unsealed, aside;
    atomic_int_fast64_t oldest_ms;
};

/* What a transaction changes about the counts, applied when it has committed. */
enum { GROUP_HOURS_MAX = 16 };
struct group_delta {
    int64_t bytes, events, unsealed, aside;
    struct {
        int64_t hour, emitted, taken;
    } hours[GROUP_HOURS_MAX];
    size_t hour_count;
};

/* The tables, for the schemas of both. */
#define OUTBOX_TABLES \
    "CREATE TABLE outbox_batches(" \
    " seq INTEGER PRIMARY KEY AUTOINCREMENT," \
    " tenant INTEGER NOT NULL," \
    " id BLOB NOT NULL," \
    " hour INTEGER NOT NULL," \
    " count INTEGER NOT NULL," \
    " aside TEXT," /* why the other side refused it; NULL: it waits in line */ \
    " body BLOB NOT NULL);" \
    "CREATE UNIQUE INDEX outbox_batches_id ON outbox_batches(tenant, id);" /* Per hour: events \
                                                                              made, and those that \
                                                                              the other side has \
                                                                              taken over. */ \
    "CREATE TABLE emitted(" \
    " tenant INTEGER NOT NULL," \
    " hour INTEGER NOT NULL," \
    " emitted INTEGER NOT NULL," \
    " taken INTEGER NOT NULL," \
    " PRIMARY KEY(tenant, hour)) WITHOUT ROWID;"

/* --- changing (store_sqlite_outbox.c) --- */

/* Counts towards an hour; INTERNAL when the transaction has too many hours. */
enum code outbox_count_hour(struct group_delta *delta, int64_t hour, int64_t emitted, int64_t taken,
                            struct error *err);
enum code outbox_put_batches(struct db *db, const struct store_batch *batches, size_t count,
                             struct group_delta *delta, struct error *err);
/* *found: whether it was there. */
enum code outbox_forget_batch(struct db *db, const struct id *id, bool *found,
                              struct group_delta *delta, struct error *err);
enum code outbox_put_aside(struct db *db, const struct id *id, const char *reason,
                           struct group_delta *delta, struct error *err);
enum code outbox_readmit_all(struct db *db, struct group_delta *delta, struct error *err);
/* Before the commit, and after it. */
enum code outbox_write_hours(struct db *db, const struct group_delta *delta, struct error *err);
void outbox_apply(struct db *db, struct outbox_counts *counts, const struct group_delta *delta);

/* --- reading (store_sqlite_outbox_read.c) --- */

/* The first column. DATA_LOSS (DATABASE_CORRUPT) when it is no id. */
enum code outbox_batch_id(struct db_stmt *row, struct id *id, struct error *err);
/* As the vtable's outbox_oldest and outbox_hours, of one database. */
enum code outbox_read_line(struct db *db, size_t max, size_t bytes_max, struct arena *arena,
                           struct store_batch *batches, size_t *count, struct error *err);
enum code outbox_read_hours(struct db *db, int64_t from, int64_t to, struct arena *arena,
                            struct store_hour **hours, size_t *count, struct error *err);
/* The counts of the batches, from the tables. */
enum code outbox_load(struct db *db, struct outbox_counts *counts, struct error *err);

/*
 * --- the second one (store_sqlite_reads.c); any thread ---
 *
 * Its events may be lost, those of writes may not: so nothing about it stops the first one. A file
 * that is damaged, at the start or later, becomes PATH-reads.damaged, with an error in the log, and
 * another is begun. The batches in it are lost. The counts of emitted events go over, with all of
 * them taken: what is lost shows in `omnictl reconcile` as emitted and not archived, which it is.
 * Counts that cannot be read are lost as well: what is archived of these hours shows as never
 * emitted, what was lost does not show there at all, and the error in the log is what tells of it.
 * The call that finds the damage fails (DATABASE_CORRUPT), the next one works. What fails for
 * another reason, such as a full disk, stays as it is; while it lasts writes go before reads, so
 * that they do not wait behind what cannot be forgotten.
 */

enum { READS_PATH_BYTES = PROGRAM_PATH_BYTES + 8 };

struct reads_outbox {
    char path[READS_PATH_BYTES];
    struct db *db; /* NULL: no other could be begun yet; each call tries */
    struct outbox_counts counts;
    atomic_bool failing;  /* the last batches could not be read, or not be forgotten */
    pthread_mutex_t lock; /* of db */
};

/* Beside the users' database at `path`. */
enum code reads_outbox_open(struct reads_outbox *reads, const char *path, struct error *err);
void reads_outbox_close(struct reads_outbox *reads);
enum code reads_outbox_add(struct reads_outbox *reads, const struct store_batch *batches,
                           size_t count, struct error *err);
/* Those that are not here go to `others`, which has room for all; after an error all of them do. */
enum code reads_outbox_forget(struct reads_outbox *reads, const struct id *ids, size_t count,
                              struct id *others, size_t *other_count, struct error *err);
/* *found: whether it was here. */
enum code reads_outbox_set_aside(struct reads_outbox *reads, const struct id *id,
                                 const char *reason, bool *found, struct error *err);
enum code reads_outbox_readmit(struct reads_outbox *reads, struct error *err);
enum code reads_outbox_line(struct reads_outbox *reads, size_t max, size_t bytes_max,
                            struct arena *arena, struct store_batch *batches, size_t *count,
                            struct error *err);
enum code reads_outbox_hours(struct reads_outbox *reads, int64_t from, int64_t to,
                             struct arena *arena, struct store_hour **hours, size_t *count,
                             struct error *err);
