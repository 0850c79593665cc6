/*
 * What the rooms of the SQLite store share:
 *   store_sqlite.c          opening, closing, the vtable
 *   store_sqlite_reader.c   connections for readers
 *   store_sqlite_schema.c   tables and migrations
 *   store_sqlite_writer.c   the writer thread: groups, savepoints, deadlines
 *   store_sqlite_write.c    create, update, delete as operations of the writer
 *   store_sqlite_terms.c    the index of terms, changed for a whole group
 *   store_sqlite_actors.c   pseudonyms
 *   store_sqlite_read.c     get, get_many, list
 *   store_sqlite_search.c   search: words as cursors that leap over each other
 *   store_sqlite_cursor.c   the ordered stream of users that one word finds
 *   store_sqlite_outbox.c   sealing, forgetting, putting aside
 *   store_sqlite_outbox_read.c  the line and the counts
 *   store_sqlite_reads.c    the outbox of events without writes, a database of its own
 */
#pragma once
#include "db/db.h"
#include "user/search_terms.h"
#include "user/store_sqlite.h"
#include "user/store_sqlite_outbox.h"

#include <pthread.h>

struct write_op;

struct reader {
    struct db *db;
    struct reader *next;
    bool shared; /* in the view of a together_begin */
};

struct store_sqlite {
    struct store base;
    const struct clock *clock;
    struct db *db;               /* the writer's */
    struct outbox_counts outbox; /* of what is in `db` */
    struct reads_outbox reads;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;  /* the writer waits here */
    struct write_op *first, *last;
    int waiting, waiting_max;
    bool stopping;
    pthread_t thread;
    bool thread_runs;
    int64_t purged_ms;       /* of clock_mono_ms; the writer's own */
    bool failing;            /* the last commit did not work; the writer's own */
    struct term_edit *edits; /* of the group; the writer's own */
    size_t edit_count, edit_room;

    pthread_mutex_t readers_lock;
    pthread_cond_t readers_free;
    struct reader *free_readers;
    struct reader *readers;
    int reader_count;
};

/*
 * An operation of the writer. `run` works inside a savepoint and may run a second time after a
 * rollback: it starts from `input` alone. It sets op->err itself; `broken` says that the storage,
 * not the request, is at fault.
 */
struct write_op {
    struct write_op *next;
    struct arena arena; /* input, answer */
    void (*run)(struct store_sqlite *store, struct write_op *op, struct group_delta *delta);
    void *input;
    struct error err;
    bool broken;
    int references; /* the caller's and the writer's; guarded by the store's lock */
    enum { WRITE_WAITS, WRITE_RUNS, WRITE_DONE } state;
    pthread_cond_t done;
};

extern const struct db_schema store_sqlite_schema;

/* --- writer --- */
struct write_op *store_sqlite_op(void);
/* Hands the operation over and waits for its group. What comes back is op->err, or why it was not
 * waited for, with err->unsure when its group runs already; the caller releases in any case. */
enum code store_sqlite_submit(struct store_sqlite *store, struct write_op *op, int64_t remaining_ms,
                              struct error *err);
void store_sqlite_release(struct store_sqlite *store, struct write_op *op);
/* The storage failed: keeps the error and marks the operation. */
void store_sqlite_broken(struct write_op *op, const struct error *err);
void *store_sqlite_writer_main(void *store);

/* --- rows --- */
#define USER_COLUMNS \
    "id, email, display_name, given_name, family_name, status, labels, create_us, update_us, " \
    "version, owner_issuer, owner_subject"
enum { USER_COLUMN_COUNT = 12 };
/* The columns above; texts are copied to the arena. */
enum code store_sqlite_user(struct db_stmt *row, struct arena *arena, struct user *user,
                            struct error *err);
/* The number of a user's row, unless it was taken (by an id of a clock that was set back) or the
 * row is older than this: then the index of ids leads to it. */
int64_t store_sqlite_row_of(struct id id);
/* *found: whether there is one. */
enum code store_sqlite_load(struct db *db, uint32_t tenant, struct id id, struct arena *arena,
                            struct user *user, bool *found, struct error *err);

/* --- the vtable's functions, by room --- */
enum code store_sqlite_create(struct store *, const struct store_write *, const struct user *,
                              struct arena *, struct user *, bool *, struct error *);
enum code store_sqlite_update(struct store *, const struct store_write *,
                              const struct user_change *, struct arena *, struct user *, bool *,
                              struct error *);
enum code store_sqlite_remove(struct store *, const struct store_write *, struct id, struct str,
                              bool *, struct error *);
enum code store_sqlite_actors(struct store *, const struct store_call *, const struct store_actor *,
                              struct id *, size_t, struct error *);
enum code store_sqlite_actor_forget(struct store *, const struct store_call *,
                                    const struct store_actor *, struct error *);
enum code store_sqlite_get(struct store *, const struct store_call *, struct id, struct arena *,
                           struct user *, struct error *);
enum code store_sqlite_get_many(struct store *, const struct store_call *, const struct id *,
                                size_t, struct arena *, struct user **, struct error *);
enum code store_sqlite_list(struct store *, const struct store_call *, struct str, size_t,
                            struct arena *, struct store_page *, struct error *);
enum code store_sqlite_search(struct store *, const struct store_call *, const struct str *, size_t,
                              struct str, size_t, struct arena *, struct store_page *,
                              struct error *);
enum code store_sqlite_outbox_oldest(struct store *, size_t, size_t, struct arena *,
                                     struct store_batch *, size_t *, struct error *);
enum code store_sqlite_outbox_hours(struct store *, int64_t, int64_t, struct arena *,
                                    struct store_hour **, size_t *, struct error *);
void store_sqlite_outbox_stats(struct store *, struct store_outbox_stats *);
enum code store_sqlite_outbox_load(struct store_sqlite *store, struct error *err);
extern const struct store_vtable store_sqlite_outbox_vtable; /* its outbox_* are used */
/* Inside an operation: the event of a write. */
enum code store_sqlite_outbox_put(struct store_sqlite *store, const struct store_event *event,
                                  struct group_delta *delta, struct error *err);
