/* The outbox, read: the head of the line for the relay, the counts for everybody. */
#include "user/store_sqlite_reader.h"

#include <string.h>

enum code outbox_batch_id(struct db_stmt *row, struct id *id, struct error *err)
{
    struct str bytes = db_blob(row, 0);
    if (bytes.len != sizeof id->bytes)
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a batch's id is damaged");
    memcpy(id->bytes, bytes.ptr, sizeof id->bytes);
    return CODE_OK;
}

static const char LINE[] = "SELECT id, hour, count, body FROM outbox_batches"
                           " WHERE aside IS NULL ORDER BY seq LIMIT ?1";

enum code outbox_read_line(struct db *db, size_t max, size_t bytes_max, struct arena *arena,
                           struct store_batch *batches, size_t *count, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, LINE, err);
    size_t bytes = 0;
    bool row;
    enum code code;
    *count = 0;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, (int64_t)max);
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
        struct store_batch *batch = &batches[*count];
        struct str body = db_blob(stmt, 3);
        bytes += body.len;
        if (*count && bytes > bytes_max)
            break;
        code = outbox_batch_id(stmt, &batch->id, err);
        if (code != CODE_OK)
            break;
        batch->hour = db_i64(stmt, 1);
        batch->count = (uint32_t)db_i64(stmt, 2);
        batch->body = arena_str(arena, body);
        *count += 1;
    }
    db_reset(stmt);
    return code;
}

/* The older of the first two, as far as `max` and `bytes_max` last. */
static void merge(const struct store_batch *a, size_t a_count, const struct store_batch *b,
                  size_t b_count, size_t max, size_t bytes_max, struct store_batch *to,
                  size_t *count)
{
    size_t bytes = 0;
    for (*count = 0; *count < max && a_count + b_count > 0; (*count)++) {
        bool first = !b_count || (a_count && memcmp(&a->id, &b->id, sizeof a->id) < 0);
        const struct store_batch *next = first ? a : b;
        bytes += next->body.len;
        if (*count && bytes > bytes_max)
            return;
        to[*count] = *next;
        a += first;
        a_count -= first;
        b += !first;
        b_count -= !first;
    }
}

/* Behind so many writes: these do not wait for what cannot be read, or cannot be forgotten. */
static enum code read_reads(struct reads_outbox *reads, size_t writes, size_t max, size_t bytes_max,
                            struct arena *arena, struct store_batch *batches, size_t *count,
                            struct error *err)
{
    *count = 0;
    if (writes && atomic_load(&reads->failing))
        return CODE_OK;
    enum code code = reads_outbox_line(reads, max, bytes_max, arena, batches, count, err);
    if (code == CODE_OK || !writes)
        return code;
    *count = 0;
    error_clear(err); /* it is in the log */
    return CODE_OK;
}

enum code store_sqlite_outbox_oldest(struct store *base, size_t max, size_t bytes_max,
                                     struct arena *arena, struct store_batch *batches,
                                     size_t *count, struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct store_batch *writes = arena_alloc(arena, 2 * max * sizeof *writes);
    struct store_batch *reads = writes + max;
    size_t write_count, read_count;
    struct reader *reader;
    *count = 0;
    if (store_sqlite_reader_take(store, INT64_MAX, &reader, err) != CODE_OK)
        return err->code;
    enum code code = outbox_read_line(reader->db, max, bytes_max, arena, writes, &write_count, err);
    store_sqlite_reader_give(store, reader);
    if (code == CODE_OK)
        code =
            read_reads(&store->reads, write_count, max, bytes_max, arena, reads, &read_count, err);
    if (code == CODE_OK)
        merge(writes, write_count, reads, read_count, max, bytes_max, batches, count);
    return code;
}

static const char HOURS[] = "SELECT hour, emitted, taken FROM emitted"
                            " WHERE tenant = ?1 AND hour >= ?2 AND hour < ?3 ORDER BY hour";

enum code outbox_read_hours(struct db *db, int64_t from, int64_t to, struct arena *arena,
                            struct store_hour **hours, size_t *count, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, HOURS, err);
    size_t room = 0;
    bool row;
    enum code code;
    *count = 0;
    *hours = NULL;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_i64(stmt, 2, from);
    db_bind_i64(stmt, 3, to);
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
        if (*count == room) {
            struct store_hour *more = arena_alloc(arena, (room = 2 * room + 32) * sizeof *more);
            if (*count)
                memcpy(more, *hours, *count * sizeof *more);
            *hours = more;
        }
        uint64_t emitted = (uint64_t)db_i64(stmt, 1), taken = (uint64_t)db_i64(stmt, 2);
        (*hours)[(*count)++] = (struct store_hour){db_i64(stmt, 0), emitted, emitted - taken};
    }
    db_reset(stmt);
    return code;
}

/* Hour by hour, those of both. */
static struct store_hour *add_hours(const struct store_hour *a, size_t a_count,
                                    const struct store_hour *b, size_t b_count, struct arena *arena,
                                    size_t *count)
{
    struct store_hour *sum = arena_alloc(arena, (a_count + b_count + 1) * sizeof *sum);
    *count = 0;
    while (a_count + b_count > 0) {
        struct store_hour *to = &sum[(*count)++];
        bool from_a = a_count && (!b_count || a->hour <= b->hour);
        bool from_b = b_count && (!a_count || b->hour <= a->hour);
        *to = (struct store_hour){.hour = from_a ? a->hour : b->hour};
        to->emitted = (from_a ? a->emitted : 0) + (from_b ? b->emitted : 0);
        to->pending = (from_a ? a->pending : 0) + (from_b ? b->pending : 0);
        a += from_a;
        a_count -= from_a;
        b += from_b;
        b_count -= from_b;
    }
    return sum;
}

enum code store_sqlite_outbox_hours(struct store *base, int64_t from, int64_t to,
                                    struct arena *arena, struct store_hour **hours, size_t *count,
                                    struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct store_hour *writes, *reads;
    size_t write_count, read_count;
    struct reader *reader;
    *count = 0;
    *hours = NULL;
    if (reads_outbox_hours(&store->reads, from, to, arena, &reads, &read_count, err) != CODE_OK ||
        store_sqlite_reader_take(store, INT64_MAX, &reader, err) != CODE_OK)
        return err->code;
    enum code code = outbox_read_hours(reader->db, from, to, arena, &writes, &write_count, err);
    store_sqlite_reader_give(store, reader);
    if (code == CODE_OK)
        *hours = add_hours(writes, write_count, reads, read_count, arena, count);
    return code;
}

void store_sqlite_outbox_stats(struct store *base, struct store_outbox_stats *stats)
{
    const struct store_sqlite *store = (const struct store_sqlite *)base;
    const struct outbox_counts *writes = &store->outbox, *reads = &store->reads.counts;
    int64_t write_ms = atomic_load(&writes->oldest_ms), read_ms = atomic_load(&reads->oldest_ms);
    stats->bytes = atomic_load(&writes->bytes) + atomic_load(&reads->bytes);
    stats->events = atomic_load(&writes->events) + atomic_load(&reads->events);
    stats->unsealed = atomic_load(&writes->unsealed);
    stats->aside = atomic_load(&writes->aside) + atomic_load(&reads->aside);
    stats->oldest_ms = write_ms && (!read_ms || write_ms < read_ms) ? write_ms : read_ms;
}

static const char COUNT_EVENTS[] =
    "SELECT count(*), ifnull(sum(length(event)), 0) FROM outbox_events";
static const char COUNT_BATCHES[] = "SELECT ifnull(sum(count), 0), ifnull(sum(length(body)), 0),"
                                    " count(aside) FROM outbox_batches";
static const char OLDEST[] = "SELECT id FROM outbox_batches ORDER BY seq LIMIT 1";

enum code outbox_load(struct db *db, struct outbox_counts *counts, struct error *err)
{
    bool row;
    struct db_stmt *batches = db_prepare(db, COUNT_BATCHES, err);
    if (!batches || db_step(batches, &row, err) != CODE_OK)
        return err->code;
    atomic_store(&counts->events, (uint64_t)db_i64(batches, 0));
    atomic_store(&counts->bytes, (uint64_t)db_i64(batches, 1));
    atomic_store(&counts->aside, (uint64_t)db_i64(batches, 2));
    db_reset(batches);
    struct db_stmt *oldest = db_prepare(db, OLDEST, err);
    if (!oldest || db_step(oldest, &row, err) != CODE_OK)
        return err->code;
    struct id id;
    enum code code = row ? outbox_batch_id(oldest, &id, err) : CODE_OK;
    if (code == CODE_OK)
        atomic_store(&counts->oldest_ms, row ? id_time_ms(id) : 0);
    db_reset(oldest);
    return code;
}

enum code store_sqlite_outbox_load(struct store_sqlite *store, struct error *err)
{
    struct outbox_counts *counts = &store->outbox;
    bool row;
    struct db_stmt *events = db_prepare(store->db, COUNT_EVENTS, err);
    if (outbox_load(store->db, counts, err) != CODE_OK || !events ||
        db_step(events, &row, err) != CODE_OK)
        return err->code;
    uint64_t unsealed = (uint64_t)db_i64(events, 0);
    atomic_store(&counts->unsealed, unsealed);
    atomic_fetch_add(&counts->events, unsealed);
    atomic_fetch_add(&counts->bytes, (uint64_t)db_i64(events, 1));
    db_reset(events);
    return CODE_OK;
}
