/*
 * Claims, intents, consumers. Every step is one transaction on the one writing connection; reads of
 * totals have connections of their own (ledger_sqlite_totals.c). Deltas lie in a table beside the
 * claims, written in the claim's transaction and removed in the one that adds them to the totals.
 *
 * Only sealing waits for the disk. The write-ahead log is one sequence, so what a seal makes
 * durable includes the claims before it, and no object is created before its seal; what a power
 * failure takes away is work on batches that are in the queue still.
 */
#include "analytics/ledger_sqlite.h"

#include "analytics/ledger_pack.h"
#include "analytics/ledger_sqlite_rows.h"
#include "base/alloc.h"

#include <string.h>

enum { APPLICATION_ID = 0x4F4C4731, PURGE_ROWS = 5000 };

/* Intents are kept longer than the claims that name them: a batch's id may be a little younger. */
static const int64_t INTENT_LONGER_MS = (int64_t)2 * 86400 * 1000;

static const char *const STEPS[] = {
    "CREATE TABLE claim (part BLOB PRIMARY KEY, intent BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE delta (seq INTEGER PRIMARY KEY AUTOINCREMENT, delta BLOB NOT NULL);"
    "CREATE TABLE intent (id BLOB PRIMARY KEY, consumer BLOB NOT NULL, kind INTEGER NOT NULL,"
    " key TEXT NOT NULL, state INTEGER NOT NULL, digest BLOB, hours BLOB, members BLOB);"
    "CREATE INDEX intent_unfinished ON intent (state) WHERE state < 2;"
    "CREATE TABLE consumer (id BLOB PRIMARY KEY, seen_ms INTEGER NOT NULL);"
    "CREATE TABLE total (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE hour_total (hour_s INTEGER PRIMARY KEY, archived INTEGER NOT NULL,"
    " quarantined INTEGER NOT NULL);"
    "CREATE TABLE rollup (width_s INTEGER, time_s INTEGER, kind INTEGER, status INTEGER,"
    " count INTEGER NOT NULL, PRIMARY KEY (width_s, time_s, kind, status)) WITHOUT ROWID;"
    "CREATE TABLE texts (class INTEGER, hour_s INTEGER, sketch BLOB NOT NULL,"
    " PRIMARY KEY (class, hour_s));",
};

static const struct db_schema SCHEMA = {"ledger", STEPS, 1, APPLICATION_ID};

static const char BEGIN_INTENT[] = "INSERT INTO intent (id, consumer, kind, key, state)"
                                   " VALUES (?, ?, ?, ?, 0) ON CONFLICT (id) DO NOTHING";
static const char CLAIM[] = "INSERT INTO claim (part, intent) VALUES (?, ?)"
                            " ON CONFLICT (part) DO NOTHING";
static const char HOLDER[] = "SELECT intent FROM claim WHERE part = ?";
static const char DELTA[] = "INSERT INTO delta (delta) VALUES (?)";
static const char STEAL[] = "UPDATE claim SET intent = ?3 WHERE part = ?1 AND intent = ?2";
static const char SEAL[] = "UPDATE intent SET state = 1, digest = ?2, hours = ?3, members = ?4"
                           " WHERE id = ?1 AND state = 0";
static const char FINISH[] = "UPDATE intent SET state = ?2 WHERE id = ?1";
static const char GET[] = "SELECT i.consumer, i.kind, i.key, i.state, i.digest, c.seen_ms, i.hours"
                          " FROM intent i LEFT JOIN consumer c ON c.id = i.consumer"
                          " WHERE i.id = ?";
static const char MEMBERS[] = "SELECT members FROM intent WHERE id = ? AND state IN (1, 2)";
static const char STALE[] = "SELECT i.id FROM intent i LEFT JOIN consumer c ON c.id = i.consumer"
                            " WHERE i.state < 2 AND i.consumer <> ?1"
                            " AND coalesce(c.seen_ms, 0) < ?2 LIMIT ?3";
static const char BEAT[] = "INSERT INTO consumer (id, seen_ms) VALUES (?1, ?2)"
                           " ON CONFLICT (id) DO UPDATE SET seen_ms = max(seen_ms, ?2)";
static const char PURGE_CLAIMS[] = "DELETE FROM claim WHERE part IN"
                                   " (SELECT part FROM claim WHERE part < ?1 LIMIT ?2)";
static const char PURGE_INTENTS[] =
    "DELETE FROM intent WHERE id IN"
    " (SELECT id FROM intent WHERE id < ?1 AND state >= 2 LIMIT ?2)";
static const char PURGE_CONSUMERS[] = "DELETE FROM consumer WHERE seen_ms < ?1 AND id NOT IN"
                                      " (SELECT consumer FROM intent WHERE state < 2)";
static const char PURGE_MINUTES[] = "DELETE FROM rollup WHERE width_s = 60 AND time_s < ?1";
static const char PURGE_TEXTS[] = "DELETE FROM texts WHERE hour_s < ?1";

static struct str id_str(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

static struct str part_str(const struct part_id *part)
{
    return (struct str){(const char *)part->bytes, sizeof part->bytes};
}

static void copy_bytes(void *to, size_t size_bytes, struct str from)
{
    memset(to, 0, size_bytes);
    memcpy(to, from.ptr, from.len < size_bytes ? from.len : size_bytes);
}

/* Ends a transaction by what it came to. */
static enum code end(struct ledger_sqlite *l, enum code code, struct error *err)
{
    if (code == CODE_OK)
        return db_commit(l->db, err);
    db_rollback(l->db);
    return code;
}

/* --- claims --- */

static enum code claim_one(struct db *db, struct ledger_claim *claim, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, CLAIM, err);
    bool row = false;
    if (!stmt)
        return err->code;
    db_bind_blob(stmt, 1, part_str(&claim->part));
    db_bind_blob(stmt, 2, id_str(&claim->intent));
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    claim->fresh = db_changes(db) > 0;
    claim->holder = claim->intent;
    stmt = db_prepare(db, claim->fresh ? DELTA : HOLDER, err);
    if (!stmt)
        return err->code;
    db_bind_blob(stmt, 1, claim->fresh ? claim->delta : part_str(&claim->part));
    if (claim->fresh)
        return db_run(stmt, err);
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    copy_bytes(&claim->holder, sizeof claim->holder, db_blob(stmt, 0));
    db_reset(stmt);
    return CODE_OK;
}

static enum code ledger_claim(struct ledger *ledger, struct ledger_claim *claims, size_t count,
                              struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    pthread_mutex_lock(&l->lock);
    enum code code = db_begin(l->db, err);
    if (code == CODE_OK) {
        for (size_t i = 0; code == CODE_OK && i < count; i++)
            code = claim_one(l->db, &claims[i], err);
        code = end(l, code, err);
    }
    pthread_mutex_unlock(&l->lock);
    return code;
}

static enum code ledger_steal(struct ledger *ledger, struct part_id part, struct id intent_from,
                              struct id to, bool *stolen, struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    pthread_mutex_lock(&l->lock);
    struct db_stmt *stmt = db_prepare(l->db, STEAL, err);
    enum code code = stmt ? CODE_OK : err->code;
    if (stmt) {
        db_bind_blob(stmt, 1, part_str(&part));
        db_bind_blob(stmt, 2, id_str(&intent_from));
        db_bind_blob(stmt, 3, id_str(&to));
        code = db_run(stmt, err);
        *stolen = code == CODE_OK && db_changes(l->db) > 0;
    }
    pthread_mutex_unlock(&l->lock);
    return code;
}

/* --- intents --- */

static enum code ledger_begin(struct ledger *ledger, const struct ledger_intent *intent,
                              struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    pthread_mutex_lock(&l->lock);
    struct db_stmt *stmt = db_prepare(l->db, BEGIN_INTENT, err);
    enum code code = stmt ? CODE_OK : err->code;
    if (stmt) {
        db_bind_blob(stmt, 1, id_str(&intent->id));
        db_bind_blob(stmt, 2, id_str(&intent->consumer));
        db_bind_i64(stmt, 3, intent->kind);
        db_bind_text(stmt, 4, str_of(intent->key));
        code = db_run(stmt, err);
    }
    pthread_mutex_unlock(&l->lock);
    return code;
}

/* `hours`, when wanted, gets a copy of the encoded hours in the arena. */
static enum code get_locked(struct ledger_sqlite *l, struct id intent, struct ledger_intent *found,
                            struct arena *arena, struct str *hours, struct error *err)
{
    struct db_stmt *stmt = db_prepare(l->db, GET, err);
    bool row = false;
    if (!stmt)
        return err->code;
    db_bind_blob(stmt, 1, id_str(&intent));
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    if (!row)
        return error_set(err, CODE_NOT_FOUND, "INTENT_NOT_FOUND", "ledger: no such intent");
    *found = (struct ledger_intent){.id = intent};
    copy_bytes(&found->consumer, sizeof found->consumer, db_blob(stmt, 0));
    found->kind = (enum batch_part_kind)db_i64(stmt, 1);
    copy_bytes(found->key, sizeof found->key - 1, db_text(stmt, 2));
    found->state = (enum ledger_state)db_i64(stmt, 3);
    copy_bytes(found->digest, sizeof found->digest, db_blob(stmt, 4));
    found->seen_ms = db_i64(stmt, 5);
    if (hours)
        *hours = arena_str(arena, db_blob(stmt, 6));
    db_reset(stmt);
    return CODE_OK;
}

static enum code ledger_get(struct ledger *ledger, struct id intent, struct ledger_intent *found,
                            struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    pthread_mutex_lock(&l->lock);
    enum code code = get_locked(l, intent, found, NULL, NULL, err);
    pthread_mutex_unlock(&l->lock);
    return code;
}

static enum code seal_locked(struct ledger_sqlite *l, struct id intent,
                             const struct ledger_seal *seal, struct str members, struct str hours,
                             struct error *err)
{
    struct ledger_intent found;
    struct db_stmt *stmt = db_prepare(l->db, SEAL, err);
    if (!stmt)
        return err->code;
    db_bind_blob(stmt, 1, id_str(&intent));
    db_bind_blob(stmt, 2, (struct str){(const char *)seal->digest, CRYPTO_SHA256_BYTES});
    db_bind_blob(stmt, 3, hours);
    db_bind_blob(stmt, 4, members);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    if (db_changes(l->db))
        return CODE_OK;
    if (get_locked(l, intent, &found, NULL, NULL, err) != CODE_OK)
        return err->code;
    if (found.state == LEDGER_SEALED &&
        memcmp(found.digest, seal->digest, CRYPTO_SHA256_BYTES) == 0)
        return CODE_OK;
    return error_set(err, CODE_ABORTED, "INTENT_LOST", "ledger: the intent is not open any more");
}

static enum code ledger_seal(struct ledger *ledger, struct id intent,
                             const struct ledger_seal *seal, struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    struct arena arena = {0};
    struct str members = ledger_pack_members(seal, &arena), hours = ledger_pack_hours(seal, &arena);
    pthread_mutex_lock(&l->lock);
    enum code code = db_exec(l->db, "PRAGMA synchronous=FULL", err);
    if (code == CODE_OK)
        code = seal_locked(l, intent, seal, members, hours, err);
    if (code == CODE_OK)
        code = db_exec(l->db, "PRAGMA synchronous=NORMAL", err);
    pthread_mutex_unlock(&l->lock);
    arena_clear(&arena);
    return code;
}

static enum code add_hours(struct ledger_sqlite *l, enum batch_part_kind kind, struct str hours,
                           struct error *err)
{
    struct ledger_hour hour;
    uint64_t sum = 0;
    while (ledger_next_hour(&hours, &hour)) {
        sum += hour.events;
        if (ledger_hour_add(l->db, hour.hour_s, kind, hour.events, err) != CODE_OK)
            return err->code;
    }
    if (kind == PART_EVENTS && ledger_total_add(l->db, "archived", sum, err) != CODE_OK)
        return err->code;
    if (kind == PART_ERRORS && ledger_total_add(l->db, "quarantined", sum, err) != CODE_OK)
        return err->code;
    return ledger_total_add(l->db, "objects", 1, err);
}

static enum code finish_locked(struct ledger_sqlite *l, struct id intent, enum ledger_state state,
                               struct arena *arena, struct error *err)
{
    struct ledger_intent found;
    struct str hours;
    if (get_locked(l, intent, &found, arena, &hours, err) != CODE_OK)
        return err->code;
    if (found.state == state)
        return CODE_OK;
    bool allowed =
        found.state == LEDGER_SEALED || (found.state == LEDGER_OPEN && state == LEDGER_ABORTED);
    if (!allowed)
        return error_set(err, CODE_FAILED_PRECONDITION, "INTENT_STATE",
                         "ledger: an intent cannot go from state %d to %d", found.state, state);
    struct db_stmt *stmt = db_prepare(l->db, FINISH, err);
    if (!stmt)
        return err->code;
    db_bind_blob(stmt, 1, id_str(&intent));
    db_bind_i64(stmt, 2, state);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    return state == LEDGER_ARCHIVED ? add_hours(l, found.kind, hours, err) : CODE_OK;
}

static enum code ledger_finish(struct ledger *ledger, struct id intent, enum ledger_state state,
                               struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    struct arena arena;
    arena_init(&arena);
    pthread_mutex_lock(&l->lock);
    enum code code = db_begin(l->db, err);
    if (code == CODE_OK)
        code = end(l, finish_locked(l, intent, state, &arena, err), err);
    pthread_mutex_unlock(&l->lock);
    arena_clear(&arena);
    return code;
}

static enum code ledger_holds(struct ledger *ledger, struct id intent, struct part_id part,
                              bool *held, struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    bool row = false;
    *held = false;
    pthread_mutex_lock(&l->lock);
    struct db_stmt *stmt = db_prepare(l->db, MEMBERS, err);
    enum code code = stmt ? CODE_OK : err->code;
    if (stmt) {
        db_bind_blob(stmt, 1, id_str(&intent));
        code = db_step(stmt, &row, err);
    }
    if (code == CODE_OK && row) {
        *held = ledger_has_member(db_blob(stmt, 0), part);
        db_reset(stmt);
    }
    pthread_mutex_unlock(&l->lock);
    return code;
}

/* --- consumers --- */

static enum code ledger_stale(struct ledger *ledger, struct id consumer, int64_t before_ms,
                              struct id *intents, size_t max, size_t *count, struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    bool row = false;
    *count = 0;
    pthread_mutex_lock(&l->lock);
    struct db_stmt *stmt = db_prepare(l->db, STALE, err);
    enum code code = stmt ? CODE_OK : err->code;
    if (stmt) {
        db_bind_blob(stmt, 1, id_str(&consumer));
        db_bind_i64(stmt, 2, before_ms);
        db_bind_i64(stmt, 3, (int64_t)max);
        while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
            copy_bytes(&intents[*count], sizeof *intents, db_blob(stmt, 0));
            *count += 1;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return code;
}

static enum code ledger_beat(struct ledger *ledger, struct id consumer, int64_t now_ms,
                             struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    pthread_mutex_lock(&l->lock);
    struct db_stmt *stmt = db_prepare(l->db, BEAT, err);
    enum code code = stmt ? CODE_OK : err->code;
    if (stmt) {
        db_bind_blob(stmt, 1, id_str(&consumer));
        db_bind_i64(stmt, 2, now_ms);
        code = db_run(stmt, err);
    }
    pthread_mutex_unlock(&l->lock);
    return code;
}

static enum code ledger_count_duplicates(struct ledger *ledger, uint64_t batches, struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    pthread_mutex_lock(&l->lock);
    enum code code = ledger_total_add(l->db, "duplicates", batches, err);
    pthread_mutex_unlock(&l->lock);
    return code;
}

/* --- forgetting --- */

static enum code purge_below_id(struct db *db, const char *sql, int64_t before_ms,
                                struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, sql, err);
    char key[6];
    if (!stmt)
        return err->code;
    for (int i = 0; i < 6; i++)
        key[i] = (char)(before_ms >> (40 - 8 * i));
    db_bind_blob(stmt, 1, (struct str){key, sizeof key});
    db_bind_i64(stmt, 2, PURGE_ROWS);
    return db_run(stmt, err);
}

static enum code purge_below_time(struct db *db, const char *sql, int64_t before, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, sql, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, before);
    return db_run(stmt, err);
}

static enum code ledger_purge(struct ledger *ledger, int64_t before_ms, int64_t trends_before_s,
                              struct error *err)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    pthread_mutex_lock(&l->lock);
    enum code code = db_begin(l->db, err);
    if (code == CODE_OK) {
        code = purge_below_id(l->db, PURGE_CLAIMS, before_ms, err);
        if (code == CODE_OK)
            code = purge_below_id(l->db, PURGE_INTENTS, before_ms - INTENT_LONGER_MS, err);
        if (code == CODE_OK)
            code = purge_below_time(l->db, PURGE_CONSUMERS, before_ms, err);
        if (code == CODE_OK)
            code = purge_below_time(l->db, PURGE_MINUTES, trends_before_s, err);
        if (code == CODE_OK)
            code = purge_below_time(l->db, PURGE_TEXTS, trends_before_s, err);
        code = end(l, code, err);
    }
    pthread_mutex_unlock(&l->lock);
    return code;
}

static void ledger_close(struct ledger *ledger)
{
    struct ledger_sqlite *l = ledger_sqlite_from(ledger);
    for (size_t i = 0; i < l->reader_count; i++)
        db_close(l->readers[i]);
    db_close(l->db);
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->readers_lock);
    xfree(l->path);
    xfree(l);
}

static const struct ledger_vtable VTABLE = {
    .begin = ledger_begin,
    .claim = ledger_claim,
    .steal = ledger_steal,
    .seal = ledger_seal,
    .finish = ledger_finish,
    .get = ledger_get,
    .holds = ledger_holds,
    .stale = ledger_stale,
    .beat = ledger_beat,
    .fold = ledger_totals_fold,
    .count_duplicates = ledger_count_duplicates,
    .purge = ledger_purge,
    .counts = ledger_totals_counts,
    .texts = ledger_totals_texts,
    .hours = ledger_totals_hours,
    .status = ledger_totals_status,
    .free = ledger_close,
};

enum code ledger_sqlite_open(const char *path, struct ledger **ledger, struct error *err)
{
    struct ledger_sqlite *l = xcalloc(1, sizeof *l);
    if (db_open(path, &SCHEMA, &l->db, err) != CODE_OK ||
        db_exec(l->db, "PRAGMA synchronous=NORMAL", err) != CODE_OK) {
        db_close(l->db);
        xfree(l);
        return err->code;
    }
    l->base.vtable = &VTABLE;
    l->path = xstrdup(path);
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->readers_lock, NULL);
    *ledger = &l->base;
    return CODE_OK;
}
