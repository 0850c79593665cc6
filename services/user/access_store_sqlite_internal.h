/*
 * What the rooms of the SQLite access store share:
 *   access_store_sqlite.c         opening, closing, the vtable, tables, how writers share a commit
 *   access_store_sqlite_keys.c    plans and keys, the snapshot
 *   access_store_sqlite_quota.c   quotas
 */
#pragma once
#include "db/db.h"
#include "user/access_store_sqlite.h"

#include <pthread.h>

struct access_write;

struct access_sqlite {
    struct access_store base;
    const struct clock *clock;
    struct db *db; /* the leader's: whoever commits just now */
    pthread_mutex_t reader_lock;
    struct db *reader; /* under reader_lock */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t done;  /* a group has committed */
    struct access_write *first, *last;
    bool leading;
    int64_t purged_ms; /* the leader's */
};

/*
 * A change on its way. `run` may run twice, the second time after a rollback. It looks before it
 * writes: what it refuses it has not begun to write, so that it leaves the others of its group
 * alone. What lib/db says is the storage's fault is no refusal: the group is rolled back.
 */
typedef enum code (*access_write_fn)(struct access_sqlite *store, void *input, struct error *err);

struct access_write {
    struct access_write *next;
    access_write_fn run;
    void *input;
    struct error err;
    enum { ACCESS_WAITS, ACCESS_RUNS, ACCESS_DONE } state;
};

/* Waits for the change's group and its commit. */
enum code access_sqlite_write(struct access_sqlite *store, const struct store_call *call,
                              access_write_fn run, void *input, struct error *err);

/* --- the vtable's functions, by room --- */
enum code access_sqlite_put_plan(struct access_store *, const struct store_call *,
                                 const struct access_plan *, struct error *);
enum code access_sqlite_get_plan(struct access_store *, const struct store_call *, struct str,
                                 struct arena *, struct access_plan *, struct error *);
enum code access_sqlite_list_plans(struct access_store *, const struct store_call *, struct arena *,
                                   struct access_plan **, size_t *, struct error *);
enum code access_sqlite_create_key(struct access_store *, const struct store_call *,
                                   const struct access_key *, const struct store_once *,
                                   struct error *);
enum code access_sqlite_get_key(struct access_store *, const struct store_call *, struct id,
                                struct arena *, struct access_key *, struct error *);
enum code access_sqlite_list_keys(struct access_store *, const struct store_call *,
                                  const struct id *, size_t, struct arena *,
                                  struct access_key_page *, struct error *);
enum code access_sqlite_change_key(struct access_store *, const struct store_call *,
                                   const struct access_key *, struct error *);
enum code access_sqlite_version(struct access_store *, const struct store_call *, uint64_t *,
                                struct error *);
enum code access_sqlite_snapshot(struct access_store *, const struct store_call *, struct arena *,
                                 struct access_snapshot *, struct error *);
enum code access_sqlite_get_quota(struct access_store *, const struct store_call *,
                                  const struct access_counter *, struct arena *,
                                  struct access_quota *, struct error *);
enum code access_sqlite_put_quota(struct access_store *, const struct store_call *,
                                  const struct access_counter *, const struct access_quota *,
                                  int64_t, struct error *);
