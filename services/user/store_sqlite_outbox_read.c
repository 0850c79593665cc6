/* The outbox, read: the head of the line for the relay, the counts for everybody. */
#include "user/store_sqlite_reader.h"

#include <string.h>

static const char LINE[] = "SELECT id, hour, count, body FROM outbox_batches"
                           " WHERE aside IS NULL ORDER BY seq LIMIT ?1";

static enum code read_line(struct db *db, size_t max, size_t bytes_max, struct arena *arena,
                           struct store_batch *batches, size_t *count, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, LINE, err);
    size_t bytes = 0;
    bool row;
    enum code code;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, (int64_t)max);
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
        struct store_batch *batch = &batches[*count];
        struct str body = db_blob(stmt, 3);
        bytes += body.len;
        if (*count && bytes > bytes_max)
            break;
        memcpy(batch->id.bytes, db_blob(stmt, 0).ptr, sizeof batch->id.bytes);
        batch->hour = db_i64(stmt, 1);
        batch->count = (uint32_t)db_i64(stmt, 2);
        batch->body = arena_str(arena, body);
        *count += 1;
    }
    db_reset(stmt);
    return code;
}

enum code store_sqlite_outbox_oldest(struct store *base, size_t max, size_t bytes_max,
                                     struct arena *arena, struct store_batch *batches,
                                     size_t *count, struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct reader *reader;
    *count = 0;
    if (store_sqlite_reader_take(store, INT64_MAX, &reader, err) != CODE_OK)
        return err->code;
    enum code code = read_line(reader->db, max, bytes_max, arena, batches, count, err);
    store_sqlite_reader_give(store, reader);
    return code;
}

static const char HOURS[] = "SELECT hour, emitted, taken FROM emitted"
                            " WHERE tenant = ?1 AND hour >= ?2 AND hour < ?3 ORDER BY hour";

static enum code read_hours(struct db *db, int64_t from, int64_t to, struct arena *arena,
                            struct store_hour **hours, size_t *count, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, HOURS, err);
    size_t room = 0;
    bool row;
    enum code code;
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

enum code store_sqlite_outbox_hours(struct store *base, int64_t from, int64_t to,
                                    struct arena *arena, struct store_hour **hours, size_t *count,
                                    struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct reader *reader;
    *count = 0;
    *hours = NULL;
    if (store_sqlite_reader_take(store, INT64_MAX, &reader, err) != CODE_OK)
        return err->code;
    enum code code = read_hours(reader->db, from, to, arena, hours, count, err);
    store_sqlite_reader_give(store, reader);
    return code;
}

void store_sqlite_outbox_stats(struct store *base, struct store_outbox_stats *stats)
{
    struct outbox_counts *counts = &((struct store_sqlite *)base)->outbox;
    stats->bytes = atomic_load(&counts->bytes);
    stats->events = atomic_load(&counts->events);
    stats->unsealed = atomic_load(&counts->unsealed);
    stats->aside = atomic_load(&counts->aside);
    stats->oldest_ms = atomic_load(&counts->oldest_ms);
}

static const char COUNT_EVENTS[] =
    "SELECT count(*), ifnull(sum(length(event)), 0) FROM outbox_events";
static const char COUNT_BATCHES[] = "SELECT ifnull(sum(count), 0), ifnull(sum(length(body)), 0),"
                                    " count(aside) FROM outbox_batches";
static const char OLDEST[] = "SELECT id FROM outbox_batches ORDER BY seq LIMIT 1";

enum code store_sqlite_outbox_load(struct store_sqlite *store, struct error *err)
{
    struct outbox_counts *counts = &store->outbox;
    bool row;
    struct db_stmt *events = db_prepare(store->db, COUNT_EVENTS, err);
    if (!events || db_step(events, &row, err) != CODE_OK)
        return err->code;
    uint64_t unsealed = (uint64_t)db_i64(events, 0), bytes = (uint64_t)db_i64(events, 1);
    db_reset(events);
    struct db_stmt *batches = db_prepare(store->db, COUNT_BATCHES, err);
    if (!batches || db_step(batches, &row, err) != CODE_OK)
        return err->code;
    atomic_store(&counts->unsealed, unsealed);
    atomic_store(&counts->events, unsealed + (uint64_t)db_i64(batches, 0));
    atomic_store(&counts->bytes, bytes + (uint64_t)db_i64(batches, 1));
    atomic_store(&counts->aside, (uint64_t)db_i64(batches, 2));
    db_reset(batches);
    struct db_stmt *oldest = db_prepare(store->db, OLDEST, err);
    if (!oldest || db_step(oldest, &row, err) != CODE_OK)
        return err->code;
    struct id id = {0};
    if (row)
        memcpy(id.bytes, db_blob(oldest, 0).ptr, sizeof id.bytes);
    atomic_store(&counts->oldest_ms, row ? id_time_ms(id) : 0);
    db_reset(oldest);
    return CODE_OK;
}
