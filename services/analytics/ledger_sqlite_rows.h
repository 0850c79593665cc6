/* What the two files of the SQLite ledger share: ledger_sqlite.c has the claims and intents,
 * ledger_sqlite_totals.c the totals. */
#pragma once
#include "analytics/ledger.h"
#include "db/db.h"

#include <pthread.h>

enum { LEDGER_READERS_KEPT = 16 };

struct ledger_sqlite {
    struct ledger base;
    pthread_mutex_t lock; /* of `db`, the writer */
    struct db *db;
    char *path;
    pthread_mutex_t readers_lock;
    struct db *readers[LEDGER_READERS_KEPT]; /* that nobody uses now */
    size_t reader_count;
};

static inline struct ledger_sqlite *ledger_sqlite_from(struct ledger *ledger)
{
    return (struct ledger_sqlite *)ledger;
}

/* In a transaction of the caller: adds to a row of `total` or `hour_total`. */
enum code ledger_total_add(struct db *db, const char *name, uint64_t value, struct error *err);
enum code ledger_hour_add(struct db *db, int64_t hour_s, enum batch_part_kind kind, uint64_t events,
                          struct error *err);

enum code ledger_totals_fold(struct ledger *ledger, size_t max, size_t *folded, struct error *err);
enum code ledger_totals_counts(struct ledger *ledger, int64_t width_s, int64_t start_s,
                               int64_t end_s, ledger_count_fn each, void *argument,
                               struct error *err);
enum code ledger_totals_texts(struct ledger *ledger, enum rollup_class class, int64_t start_s,
                              int64_t end_s, struct sketch *into, struct error *err);
enum code ledger_totals_hours(struct ledger *ledger, int64_t start_s, int64_t end_s,
                              ledger_hour_fn each, void *argument, struct error *err);
enum code ledger_totals_status(struct ledger *ledger, struct ledger_status *status,
                               struct error *err);
