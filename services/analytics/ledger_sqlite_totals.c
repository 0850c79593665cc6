/*
 * Totals: folded from deltas by the writer, read by whoever asks on a connection of its own, so
 * that a question never waits for the consumer.
 */
#include "analytics/ledger_sqlite_rows.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { SKETCH_BYTES_MAX = 4 << 20 };

static const char TOTAL_ADD[] = "INSERT INTO total (name, value) VALUES (?1, ?2)"
                                " ON CONFLICT (name) DO UPDATE SET value = value + ?2";
static const char HOUR_ADD[] = "INSERT INTO hour_total (hour_s, archived, quarantined)"
                               " VALUES (?1, ?2, ?3) ON CONFLICT (hour_s) DO UPDATE SET"
                               " archived = archived + ?2, quarantined = quarantined + ?3";
static const char DELTAS[] = "SELECT seq, delta FROM delta ORDER BY seq LIMIT ?";
static const char DELTAS_DONE[] = "DELETE FROM delta WHERE seq <= ?";
static const char COUNT_ADD[] = "INSERT INTO rollup (width_s, time_s, kind, status, count)"
                                " VALUES (?1, ?2, ?3, ?4, ?5)"
                                " ON CONFLICT DO UPDATE SET count = count + ?5";
static const char TEXTS_GET[] = "SELECT sketch FROM texts WHERE class = ? AND hour_s = ?";
static const char TEXTS_PUT[] = "INSERT INTO texts (class, hour_s, sketch) VALUES (?, ?, ?)"
                                " ON CONFLICT DO UPDATE SET sketch = excluded.sketch";
static const char TEXTS_RANGE[] = "SELECT sketch FROM texts WHERE class = ? AND hour_s >= ?"
                                  " AND hour_s < ? ORDER BY hour_s";
static const char COUNTS[] = "SELECT time_s, kind, status, count FROM rollup WHERE width_s = ?"
                             " AND time_s >= ? AND time_s < ? ORDER BY time_s";
static const char HOURS[] = "SELECT hour_s, archived, quarantined FROM hour_total"
                            " WHERE hour_s >= ? AND hour_s < ? ORDER BY hour_s";
static const char TOTALS[] = "SELECT name, value FROM total";

enum code ledger_total_add(struct db *db, const char *name, uint64_t value, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, TOTAL_ADD, err);
    if (!stmt)
        return err->code;
    db_bind_text(stmt, 1, str_of(name));
    db_bind_i64(stmt, 2, (int64_t)value);
    return db_run(stmt, err);
}

enum code ledger_hour_add(struct db *db, int64_t hour_s, enum batch_part_kind kind, uint64_t events,
                          struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, HOUR_ADD, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, hour_s);
    db_bind_i64(stmt, 2, kind == PART_EVENTS ? (int64_t)events : 0);
    db_bind_i64(stmt, 3, kind == PART_ERRORS ? (int64_t)events : 0);
    return db_run(stmt, err);
}

/* --- folding --- */

static enum code read_deltas(struct db *db, size_t max, struct rollup_delta *sum, size_t *count,
                             int64_t *last_seq, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, DELTAS, err);
    bool row = false;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, (int64_t)max);
    enum code code;
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
        if (!rollup_merge_encoded(sum, db_blob(stmt, 1))) {
            db_reset(stmt);
            return error_set(err, CODE_DATA_LOSS, "DELTA_CORRUPT",
                             "ledger: a delta cannot be read");
        }
        *last_seq = db_i64(stmt, 0);
        *count += 1;
    }
    return code;
}

static enum code add_counts(struct db *db, const struct rollup_delta *sum, int64_t width_s,
                            struct error *err)
{
    for (size_t i = 0; i < sum->count_used; i++) {
        const struct rollup_count *count = &sum->counts[i];
        int64_t rest = count->time_s % width_s;
        struct db_stmt *stmt = db_prepare(db, COUNT_ADD, err);
        if (!stmt)
            return err->code;
        db_bind_i64(stmt, 1, width_s);
        db_bind_i64(stmt, 2, count->time_s - (rest < 0 ? rest + width_s : rest));
        db_bind_i64(stmt, 3, count->kind);
        db_bind_i64(stmt, 4, count->status);
        db_bind_i64(stmt, 5, (int64_t)count->count);
        if (db_run(stmt, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

static enum code add_texts(struct db *db, const struct rollup_texts *texts, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, TEXTS_GET, err);
    struct sketch *sketch = sketch_new(ROLLUP_TEXTS);
    struct buf bytes;
    bool row = false;
    buf_init(&bytes, SKETCH_BYTES_MAX);
    enum code code = stmt ? CODE_OK : err->code;
    if (stmt) {
        db_bind_i64(stmt, 1, texts->class);
        db_bind_i64(stmt, 2, texts->hour_s);
        code = db_step(stmt, &row, err);
    }
    if (code == CODE_OK && row) {
        struct str old = db_blob(stmt, 0);
        if (!sketch_decode(&old, sketch))
            code = error_set(err, CODE_DATA_LOSS, "SKETCH_CORRUPT",
                             "ledger: the search texts of an hour cannot be read");
        db_reset(stmt);
    }
    if (code == CODE_OK) {
        sketch_merge(sketch, texts->sketch);
        sketch_prune(sketch);
        sketch_encode(sketch, &bytes);
        stmt = db_prepare(db, TEXTS_PUT, err);
        code = stmt ? CODE_OK : err->code;
    }
    if (code == CODE_OK) {
        db_bind_i64(stmt, 1, texts->class);
        db_bind_i64(stmt, 2, texts->hour_s);
        db_bind_blob(stmt, 3, buf_str(&bytes));
        code = db_run(stmt, err);
    }
    sketch_free(sketch);
    buf_clear(&bytes);
    return code;
}

static enum code fold_locked(struct db *db, size_t max, struct rollup_delta *sum, size_t *count,
                             struct error *err)
{
    int64_t last_seq = 0;
    if (read_deltas(db, max, sum, count, &last_seq, err) != CODE_OK)
        return err->code;
    if (!*count)
        return CODE_OK;
    if (add_counts(db, sum, ROLLUP_MINUTE_S, err) != CODE_OK ||
        add_counts(db, sum, ROLLUP_HOUR_S, err) != CODE_OK ||
        add_counts(db, sum, ROLLUP_DAY_S, err) != CODE_OK ||
        ledger_total_add(db, "claimed", sum->claimed, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < sum->texts_used; i++)
        if (add_texts(db, &sum->texts[i], err) != CODE_OK)
            return err->code;
    struct db_stmt *stmt = db_prepare(db, DELTAS_DONE, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, last_seq);
    return db_run(stmt, err);
}

enum code ledger_totals_fold(struct ledger *ledger, size_t max, size_t *folded, struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    struct rollup_delta sum = {0};
    size_t count = 0;
    pthread_mutex_lock(&l->lock);
    enum code code = db_begin(l->db, err);
    if (code == CODE_OK) {
        code = fold_locked(l->db, max, &sum, &count, err);
        if (code == CODE_OK)
            code = db_commit(l->db, err);
        else
            db_rollback(l->db);
    }
    pthread_mutex_unlock(&l->lock);
    rollup_clear(&sum);
    *folded = code == CODE_OK ? count : 0;
    return code;
}

/* --- reading --- */

static enum code reader_take(struct ledger_sqlite *l, struct db **db, struct error *err)
{
    *db = NULL;
    pthread_mutex_lock(&l->readers_lock);
    if (l->reader_count)
        *db = l->readers[--l->reader_count];
    pthread_mutex_unlock(&l->readers_lock);
    return *db ? CODE_OK : db_open_reader(l->path, db, err);
}

static void reader_give(struct ledger_sqlite *l, struct db *db)
{
    pthread_mutex_lock(&l->readers_lock);
    bool keep = l->reader_count < LEDGER_READERS_KEPT;
    if (keep)
        l->readers[l->reader_count++] = db;
    pthread_mutex_unlock(&l->readers_lock);
    if (!keep)
        db_close(db);
}

typedef enum code (*row_fn)(struct db_stmt *stmt, void *argument, struct error *err);

/* Runs `sql` with up to three numbers on a reader and hands each row over. */
static enum code query(struct ledger *ledger, const char *sql, const int64_t *numbers, int count,
                       row_fn each, void *argument, struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    struct db *db;
    bool row = true;
    if (reader_take(l, &db, err) != CODE_OK)
        return err->code;
    struct db_stmt *stmt = db_prepare(db, sql, err);
    enum code code = stmt ? CODE_OK : err->code;
    for (int i = 0; stmt && i < count; i++)
        db_bind_i64(stmt, i + 1, numbers[i]);
    while (code == CODE_OK && (code = db_step(stmt, &row, err)) == CODE_OK && row) {
        code = each(stmt, argument, err);
        if (code != CODE_OK)
            db_reset(stmt);
    }
    reader_give(l, db);
    return code;
}

struct each_count {
    ledger_count_fn each;
    void *argument;
};

static enum code count_row(struct db_stmt *stmt, void *argument, struct error *err)
{
    const struct each_count *to = argument;
    struct rollup_count count = {db_i64(stmt, 0), (int32_t)db_i64(stmt, 1),
                                 (int32_t)db_i64(stmt, 2), (uint64_t)db_i64(stmt, 3)};
    (void)err;
    to->each(to->argument, &count);
    return CODE_OK;
}

enum code ledger_totals_counts(struct ledger *ledger, int64_t width_s, int64_t start_s,
                               int64_t end_s, ledger_count_fn each, void *argument,
                               struct error *err)
{
    struct each_count to = {each, argument};
    return query(ledger, COUNTS, (const int64_t[]){width_s, start_s, end_s}, 3, count_row, &to,
                 err);
}

static enum code texts_row(struct db_stmt *stmt, void *argument, struct error *err)
{
    struct str bytes = db_blob(stmt, 0);
    if (sketch_decode(&bytes, argument))
        return CODE_OK;
    return error_set(err, CODE_DATA_LOSS, "SKETCH_CORRUPT",
                     "the search texts of an hour cannot be read");
}

enum code ledger_totals_texts(struct ledger *ledger, enum rollup_class class, int64_t start_s,
                              int64_t end_s, struct sketch *into, struct error *err)
{
    return query(ledger, TEXTS_RANGE, (const int64_t[]){class, start_s, end_s}, 3, texts_row, into,
                 err);
}

struct each_hour {
    ledger_hour_fn each;
    void *argument;
};

static enum code hour_row(struct db_stmt *stmt, void *argument, struct error *err)
{
    const struct each_hour *to = argument;
    struct ledger_pipeline_hour hour = {db_i64(stmt, 0), (uint64_t)db_i64(stmt, 1),
                                        (uint64_t)db_i64(stmt, 2)};
    (void)err;
    to->each(to->argument, &hour);
    return CODE_OK;
}

enum code ledger_totals_hours(struct ledger *ledger, int64_t start_s, int64_t end_s,
                              ledger_hour_fn each, void *argument, struct error *err)
{
    struct each_hour to = {each, argument};
    return query(ledger, HOURS, (const int64_t[]){start_s, end_s}, 2, hour_row, &to, err);
}

static enum code total_row(struct db_stmt *stmt, void *argument, struct error *err)
{
    struct ledger_status *status = argument;
    struct str name = db_text(stmt, 0);
    uint64_t value = (uint64_t)db_i64(stmt, 1);
    (void)err;
    if (str_eq(name, STR("claimed")))
        status->claimed = value;
    else if (str_eq(name, STR("archived")))
        status->archived = value;
    else if (str_eq(name, STR("quarantined")))
        status->quarantined = value;
    else if (str_eq(name, STR("duplicates")))
        status->duplicates = value;
    else if (str_eq(name, STR("objects")))
        status->objects = value;
    return CODE_OK;
}

enum code ledger_totals_status(struct ledger *ledger, struct ledger_status *status,
                               struct error *err)
{
    *status = (struct ledger_status){0};
    return query(ledger, TOTALS, NULL, 0, total_row, status, err);
}
