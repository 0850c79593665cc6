/*
 * Messages are rows in the order of sending; what a process holds of them under a lease is memory
 * only, because a lease means nothing once its holder, this process, is gone: after a restart
 * everything is receivable at once. Receipts are counted on disk, without waiting for the disk.
 *
 * Sending waits for the disk (FULL). Receiving and deleting do not (NORMAL): they survive the death
 * of the process, and a deletion that a power failure undoes is one more delivery, which any user
 * of an at-least-once queue must bear.
 */
#include "queue/queue_sqlite.h"

#include "base/alloc.h"
#include "base/str.h"
#include "base/wait.h"
#include "db/db.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { APPLICATION_ID = 0x4F515531, COMPACT_MIN = 64 };

static const char *const STEPS[] = {
    "CREATE TABLE message (seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,"
    " sent_ms INTEGER NOT NULL, units INTEGER NOT NULL, size INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE TABLE receipt (seq INTEGER PRIMARY KEY, count INTEGER NOT NULL);",
};

static const struct db_schema SCHEMA = {"queue", STEPS, 1, APPLICATION_ID};

static const char INSERT[] = "INSERT INTO message (id, sent_ms, units, size, body)"
                             " VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
static const char NEXT[] = "SELECT seq, id, sent_ms, units, body FROM message"
                           " WHERE seq > ? ORDER BY seq LIMIT ?";
static const char ONE[] = "SELECT seq, id, sent_ms, units, body FROM message WHERE seq = ?";
static const char RECEIPT[] = "INSERT INTO receipt (seq, count) VALUES (?, 1)"
                              " ON CONFLICT (seq) DO UPDATE SET count = count + 1 RETURNING count";
static const char REMOVE[] = "DELETE FROM message WHERE seq = ?";
static const char REMOVE_RECEIPT[] = "DELETE FROM receipt WHERE seq = ?";
static const char TOTALS[] = "SELECT count(*), coalesce(sum(units), 0), coalesce(sum(size), 0)"
                             " FROM message";
static const char OLDEST[] = "SELECT sent_ms FROM message ORDER BY seq LIMIT 1";

/* One message that was received by this process. Sorted by seq; gone ones stay until compaction. */
struct lease {
    int64_t seq, until_ms, count;
    uint64_t units, size;
    bool gone;
};

struct queue_sqlite {
    struct queue base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const struct clock *clock;
    struct db *db;
    uint64_t max_bytes, bytes, units, messages;
    int64_t cursor;        /* the last seq that was received for the first time */
    int64_t next_lapse_ms; /* no lease ends before */
    uint64_t wakes;
    struct lease *leases;
    size_t lease_count, lease_cap, gone_count;
};

static struct queue_sqlite *from(struct queue *queue)
{
    return (struct queue_sqlite *)queue;
}

/* --- leases --- */

static struct lease *lease_find(struct queue_sqlite *q, int64_t seq)
{
    size_t low = 0, high = q->lease_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (q->leases[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < q->lease_count && q->leases[low].seq == seq && !q->leases[low].gone;
    return found ? &q->leases[low] : NULL;
}

static void lease_append(struct queue_sqlite *q, struct lease lease)
{
    if (q->lease_count == q->lease_cap) {
        q->lease_cap = q->lease_cap ? q->lease_cap * 2 : COMPACT_MIN;
        q->leases = xrealloc(q->leases, q->lease_cap * sizeof *q->leases);
    }
    q->leases[q->lease_count++] = lease;
}

static void lease_drop(struct queue_sqlite *q, struct lease *lease)
{
    lease->gone = true;
    if (++q->gone_count < COMPACT_MIN || q->gone_count * 2 < q->lease_count)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < q->lease_count; i++)
        if (!q->leases[i].gone)
            q->leases[kept++] = q->leases[i];
    q->lease_count = kept;
    q->gone_count = 0;
}

static void lease_set(struct queue_sqlite *q, struct lease *lease, int64_t until_ms)
{
    lease->until_ms = until_ms;
    if (until_ms < q->next_lapse_ms)
        q->next_lapse_ms = until_ms;
}

static struct lease *lease_of(struct queue_sqlite *q, struct str handle)
{
    ptrdiff_t dot = str_find(handle, '.');
    int64_t seq, count;
    if (dot < 0 || !str_to_i64((struct str){handle.ptr, (size_t)dot}, &seq) ||
        !str_to_i64(str_from(handle, (size_t)dot + 1), &count))
        return NULL;
    struct lease *lease = lease_find(q, seq);
    return lease && lease->count == count ? lease : NULL;
}

/* --- sending --- */

static enum code insert(struct queue_sqlite *q, const struct queue_item *item, uint64_t *stored,
                        uint64_t *bytes, uint64_t *units, struct error *err)
{
    struct db_stmt *stmt = db_prepare(q->db, INSERT, err);
    if (!stmt)
        return err->code;
    db_bind_blob(stmt, 1, item->id);
    db_bind_i64(stmt, 2, clock_wall_ms(q->clock));
    db_bind_i64(stmt, 3, (int64_t)item->units);
    db_bind_i64(stmt, 4, (int64_t)item->body.len);
    db_bind_blob(stmt, 5, item->body);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    if (db_changes(q->db)) {
        *stored += 1;
        *bytes += item->body.len;
        *units += item->units;
    }
    return CODE_OK;
}

static enum code send_locked(struct queue_sqlite *q, const struct queue_item *items, size_t count,
                             struct error *err)
{
    uint64_t stored = 0, bytes = 0, units = 0;
    if (db_exec(q->db, "PRAGMA synchronous=FULL", err) != CODE_OK ||
        db_begin(q->db, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < count; i++) {
        if (insert(q, &items[i], &stored, &bytes, &units, err) != CODE_OK) {
            db_rollback(q->db);
            return err->code;
        }
    }
    if (bytes && q->bytes + bytes > q->max_bytes) {
        db_rollback(q->db);
        return error_set(err, CODE_RESOURCE_EXHAUSTED, "QUEUE_FULL",
                         "the queue holds %llu bytes, %llu more are above its maximum of %llu",
                         (unsigned long long)q->bytes, (unsigned long long)bytes,
                         (unsigned long long)q->max_bytes);
    }
    if (db_commit(q->db, err) != CODE_OK)
        return err->code;
    q->messages += stored;
    q->bytes += bytes;
    q->units += units;
    return CODE_OK;
}

static enum code queue_send(struct queue *queue, const struct queue_item *items, size_t count,
                            struct error *err)
{
    struct queue_sqlite *q = from(queue);
    pthread_mutex_lock(&q->lock);
    enum code code = send_locked(q, items, count, err);
    if (code == CODE_OK)
        pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    return code;
}

/* --- receiving --- */

/* Counts the receipt on disk; when that cannot be done, memory has to do. */
static int64_t count_receipt(struct queue_sqlite *q, int64_t seq, int64_t known)
{
    struct error err;
    bool row;
    struct db_stmt *stmt = db_prepare(q->db, RECEIPT, &err);
    if (!stmt)
        return known + 1;
    db_bind_i64(stmt, 1, seq);
    if (db_step(stmt, &row, &err) != CODE_OK || !row)
        return known + 1;
    int64_t count = db_i64(stmt, 0);
    db_reset(stmt);
    return count > known ? count : known + 1;
}

static void take_row(struct queue_sqlite *q, struct db_stmt *stmt, int64_t until_ms,
                     struct arena *arena, struct queue_message *message)
{
    int64_t seq = db_i64(stmt, 0);
    struct lease *lease = lease_find(q, seq);
    message->id = arena_str(arena, db_blob(stmt, 1));
    message->sent_ms = db_i64(stmt, 2);
    message->body = arena_str(arena, db_blob(stmt, 4));
    message->receive_count = count_receipt(q, seq, lease ? lease->count : 0);
    message->handle =
        str_of(arena_printf(arena, "%lld.%lld", (long long)seq, (long long)message->receive_count));
    if (!lease) {
        lease_append(q, (struct lease){.seq = seq,
                                       .units = (uint64_t)db_i64(stmt, 3),
                                       .size = message->body.len});
        lease = &q->leases[q->lease_count - 1];
        q->cursor = seq;
    }
    lease->count = message->receive_count;
    lease_set(q, lease, until_ms);
}

/* Those whose lease has ended or was given back. */
static enum code take_lapsed(struct queue_sqlite *q, int64_t now_ms, size_t max, int64_t until_ms,
                             struct arena *arena, struct queue_message *messages, size_t *count,
                             struct error *err)
{
    int64_t next = INT64_MAX;
    if (now_ms < q->next_lapse_ms)
        return CODE_OK;
    for (size_t i = 0; i < q->lease_count; i++) {
        struct lease *lease = &q->leases[i];
        bool row = false;
        if (!lease->gone && lease->until_ms <= now_ms && *count < max) {
            struct db_stmt *stmt = db_prepare(q->db, ONE, err);
            if (!stmt)
                return err->code;
            db_bind_i64(stmt, 1, lease->seq);
            if (db_step(stmt, &row, err) != CODE_OK)
                return err->code;
            if (row) {
                take_row(q, stmt, until_ms, arena, &messages[*count]);
                *count += 1;
                db_reset(stmt);
            }
        }
        if (!lease->gone && lease->until_ms < next)
            next = lease->until_ms;
    }
    q->next_lapse_ms = next;
    return CODE_OK;
}

static enum code take_new(struct queue_sqlite *q, size_t max, int64_t until_ms, struct arena *arena,
                          struct queue_message *messages, size_t *count, struct error *err)
{
    bool row = false;
    if (*count == max)
        return CODE_OK;
    struct db_stmt *stmt = db_prepare(q->db, NEXT, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, q->cursor);
    db_bind_i64(stmt, 2, (int64_t)(max - *count));
    enum code code;
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
        take_row(q, stmt, until_ms, arena, &messages[*count]);
        *count += 1;
    }
    return code;
}

/*
 * An error after some messages were taken is not the caller's trouble: it gets those, and the error
 * comes again next time. Without a transaction (it could not be begun, on a full disk) reading
 * still works and receipts are counted in memory.
 */
static enum code receive_locked(struct queue_sqlite *q, size_t max, int64_t lease_ms,
                                struct arena *arena, struct queue_message *messages, size_t *count,
                                struct error *err)
{
    struct error ignored;
    int64_t now_ms = clock_mono_ms(q->clock);
    bool begun = db_exec(q->db, "PRAGMA synchronous=NORMAL", &ignored) == CODE_OK &&
                 db_begin(q->db, &ignored) == CODE_OK;
    enum code code = take_lapsed(q, now_ms, max, now_ms + lease_ms, arena, messages, count, err);
    if (code == CODE_OK)
        code = take_new(q, max, now_ms + lease_ms, arena, messages, count, err);
    if (begun && db_commit(q->db, &ignored) != CODE_OK)
        db_rollback(q->db);
    return *count ? CODE_OK : code;
}

static enum code queue_receive(struct queue *queue, size_t max, int64_t lease_ms, int64_t wait_ms,
                               struct arena *arena, struct queue_message *messages, size_t *count,
                               struct error *err)
{
    struct queue_sqlite *q = from(queue);
    struct timespec until = wait_deadline(wait_ms);
    enum code code = CODE_OK;
    bool timed_out = wait_ms <= 0;
    *count = 0;
    pthread_mutex_lock(&q->lock);
    uint64_t wakes = q->wakes;
    for (;;) {
        if (q->messages || q->lease_count)
            code = receive_locked(q, max, lease_ms, arena, messages, count, err);
        if (code != CODE_OK || *count || timed_out || wakes != q->wakes)
            break;
        timed_out = pthread_cond_timedwait(&q->changed, &q->lock, &until) != 0;
    }
    pthread_mutex_unlock(&q->lock);
    return code;
}

/* --- what was received --- */

static bool extend_locked(struct queue_sqlite *q, struct str handle, int64_t lease_ms)
{
    struct lease *lease = lease_of(q, handle);
    int64_t now_ms = clock_mono_ms(q->clock);
    if (!lease || lease->until_ms <= now_ms)
        return false;
    lease_set(q, lease, now_ms + lease_ms);
    if (lease_ms <= 0)
        pthread_cond_broadcast(&q->changed);
    return true;
}

static enum code queue_extend_many(struct queue *queue, const struct str *handles, size_t count,
                                   int64_t lease_ms, bool *lost, struct error *err)
{
    struct queue_sqlite *q = from(queue);
    (void)err;
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < count; i++)
        lost[i] = !extend_locked(q, handles[i], lease_ms);
    pthread_mutex_unlock(&q->lock);
    return CODE_OK;
}

static enum code queue_extend(struct queue *queue, struct str handle, int64_t lease_ms,
                              struct error *err)
{
    bool lost;
    enum code code = queue_extend_many(queue, &handle, 1, lease_ms, &lost, err);
    if (code == CODE_OK && lost)
        code = error_set(err, CODE_NOT_FOUND, "LEASE_LOST", "the lease of this receipt has ended");
    return code;
}

static enum code delete_row(struct queue_sqlite *q, const char *sql, int64_t seq, struct error *err)
{
    struct db_stmt *stmt = db_prepare(q->db, sql, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, seq);
    return db_run(stmt, err);
}

static enum code remove_locked(struct queue_sqlite *q, const struct str *handles, size_t count,
                               struct error *err)
{
    if (db_exec(q->db, "PRAGMA synchronous=NORMAL", err) != CODE_OK ||
        db_begin(q->db, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < count; i++) {
        struct lease *lease = lease_of(q, handles[i]);
        if (lease && (delete_row(q, REMOVE, lease->seq, err) != CODE_OK ||
                      delete_row(q, REMOVE_RECEIPT, lease->seq, err) != CODE_OK)) {
            db_rollback(q->db);
            return err->code;
        }
    }
    if (db_commit(q->db, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < count; i++) {
        struct lease *lease = lease_of(q, handles[i]);
        if (!lease)
            continue;
        q->messages--;
        q->bytes -= lease->size;
        q->units -= lease->units;
        lease_drop(q, lease);
    }
    return CODE_OK;
}

static enum code queue_remove(struct queue *queue, const struct str *handles, size_t count,
                              struct error *err)
{
    struct queue_sqlite *q = from(queue);
    pthread_mutex_lock(&q->lock);
    enum code code = remove_locked(q, handles, count, err);
    pthread_mutex_unlock(&q->lock);
    return code;
}

static void queue_wake(struct queue *queue)
{
    struct queue_sqlite *q = from(queue);
    pthread_mutex_lock(&q->lock);
    q->wakes++;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

static enum code queue_stats(struct queue *queue, struct queue_stats *stats, struct error *err)
{
    struct queue_sqlite *q = from(queue);
    bool row = false;
    enum code code;
    pthread_mutex_lock(&q->lock);
    *stats = (struct queue_stats){.messages = q->messages, .units = q->units};
    struct db_stmt *stmt = db_prepare(q->db, OLDEST, err);
    code = stmt ? db_step(stmt, &row, err) : err->code;
    if (code == CODE_OK && row) {
        stats->oldest_ms = stats->since_ms = db_i64(stmt, 0);
        db_reset(stmt);
    }
    pthread_mutex_unlock(&q->lock);
    return code;
}

static void queue_close(struct queue *queue)
{
    struct queue_sqlite *q = from(queue);
    db_close(q->db);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    xfree(q->leases);
    xfree(q);
}

static const struct queue_vtable VTABLE = {
    .send = queue_send,
    .receive = queue_receive,
    .extend = queue_extend,
    .extend_many = queue_extend_many,
    .remove = queue_remove,
    .wake = queue_wake,
    .stats = queue_stats,
    .free = queue_close,
};

static enum code read_totals(struct queue_sqlite *q, struct error *err)
{
    bool row = false;
    struct db_stmt *stmt = db_prepare(q->db, TOTALS, err);
    if (!stmt || db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    q->messages = (uint64_t)db_i64(stmt, 0);
    q->units = (uint64_t)db_i64(stmt, 1);
    q->bytes = (uint64_t)db_i64(stmt, 2);
    db_reset(stmt);
    return CODE_OK;
}

enum code queue_sqlite_open(const char *path, uint64_t max_bytes, const struct clock *clock,
                            struct queue **queue, struct error *err)
{
    struct queue_sqlite *q = xcalloc(1, sizeof *q);
    if (db_open(path, &SCHEMA, &q->db, err) != CODE_OK)
        goto fail;
    q->base.vtable = &VTABLE;
    q->clock = clock;
    q->max_bytes = max_bytes;
    q->next_lapse_ms = INT64_MAX;
    if (read_totals(q, err) != CODE_OK)
        goto fail;
    pthread_mutex_init(&q->lock, NULL);
    wait_cond_init(&q->changed);
    *queue = &q->base;
    return CODE_OK;
fail:
    db_close(q->db);
    xfree(q);
    return err->code;
}
