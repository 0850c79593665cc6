/*
 * The outbox: events that committed with their writes, the batches they are sealed into, and the
 * count per hour of what was made and what was taken over.
 */
#include "user/store_sqlite_internal.h"

#include "user/event.h"
#include "user/reasons.h"

#include <string.h>

enum outbox_verb { OUTBOX_SEAL, OUTBOX_FORGET, OUTBOX_ASIDE, OUTBOX_READMIT };

struct outbox_input {
    enum outbox_verb verb;
    const struct id *ids; /* forget, aside; the caller's: it waits without a deadline */
    size_t count;
    const char *reason;
    size_t sealed;
};

/* --- hours and counts --- */

enum code outbox_count_hour(struct group_delta *delta, int64_t hour, int64_t emitted, int64_t taken,
                            struct error *err)
{
    size_t i = 0;
    while (i < delta->hour_count && delta->hours[i].hour != hour)
        i++;
    if (i == GROUP_HOURS_MAX)
        return error_set(err, CODE_INTERNAL, NULL, "too many hours in one group");
    if (i == delta->hour_count) {
        delta->hours[i].hour = hour;
        delta->hours[i].emitted = delta->hours[i].taken = 0;
        delta->hour_count++;
    }
    delta->hours[i].emitted += emitted;
    delta->hours[i].taken += taken;
    return CODE_OK;
}

static const char ADD_HOUR[] =
    "INSERT INTO emitted(tenant, hour, emitted, taken) VALUES(?1, ?2, ?3, ?4)"
    " ON CONFLICT(tenant, hour) DO UPDATE SET emitted = emitted + ?3, taken = taken + ?4";

enum code outbox_write_hours(struct db *db, const struct group_delta *delta, struct error *err)
{
    for (size_t i = 0; i < delta->hour_count; i++) {
        struct db_stmt *stmt = db_prepare(db, ADD_HOUR, err);
        if (!stmt)
            return err->code;
        db_bind_i64(stmt, 1, STORE_TENANT);
        db_bind_i64(stmt, 2, delta->hours[i].hour);
        db_bind_i64(stmt, 3, delta->hours[i].emitted);
        db_bind_i64(stmt, 4, delta->hours[i].taken);
        if (db_run(stmt, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

static const char OLDEST[] = "SELECT id FROM outbox_batches ORDER BY seq LIMIT 1";

void outbox_apply(struct db *db, struct outbox_counts *counts, const struct group_delta *delta)
{
    struct error ignored = {0};
    bool row = false;
    atomic_fetch_add(&counts->bytes, (uint64_t)delta->bytes);
    atomic_fetch_add(&counts->events, (uint64_t)delta->events);
    atomic_fetch_add(&counts->unsealed, (uint64_t)delta->unsealed);
    atomic_fetch_add(&counts->aside, (uint64_t)delta->aside);
    if (!delta->bytes && !delta->unsealed)
        return;
    struct db_stmt *stmt = db_prepare(db, OLDEST, &ignored);
    if (!stmt || db_step(stmt, &row, &ignored) != CODE_OK)
        return;
    struct id id;
    if (!row)
        atomic_store(&counts->oldest_ms, 0);
    else if (outbox_batch_id(stmt, &id, &ignored) == CODE_OK)
        atomic_store(&counts->oldest_ms, id_time_ms(id));
    db_reset(stmt);
}

/* --- coming --- */

static struct str id_bytes(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

static const char PUT_EVENT[] = "INSERT INTO outbox_events(tenant, hour, event) VALUES(?1, ?2, ?3)";

enum code store_sqlite_outbox_put(struct store_sqlite *store, const struct store_event *event,
                                  struct group_delta *delta, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, PUT_EVENT, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_i64(stmt, 2, event->hour);
    db_bind_blob(stmt, 3, event->bytes);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    if (outbox_count_hour(delta, event->hour, 1, 0, err) != CODE_OK)
        return err->code;
    delta->bytes += (int64_t)event->bytes.len;
    delta->events++;
    delta->unsealed++;
    return CODE_OK;
}

static const char PUT_BATCH[] = "INSERT INTO outbox_batches(tenant, id, hour, count, body)"
                                " VALUES(?1, ?2, ?3, ?4, ?5)";

static enum code put_batch(struct db *db, const struct store_batch *batch, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, PUT_BATCH, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_blob(stmt, 2, id_bytes(&batch->id));
    db_bind_i64(stmt, 3, batch->hour);
    db_bind_i64(stmt, 4, batch->count);
    db_bind_blob(stmt, 5, batch->body);
    return db_run(stmt, err);
}

enum code outbox_put_batches(struct db *db, const struct store_batch *batches, size_t count,
                             struct group_delta *delta, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_batch *batch = &batches[i];
        if (put_batch(db, batch, err) != CODE_OK ||
            outbox_count_hour(delta, batch->hour, batch->count, 0, err) != CODE_OK)
            return err->code;
        delta->bytes += (int64_t)batch->body.len;
        delta->events += batch->count;
    }
    return CODE_OK;
}

/* --- sealing --- */

static const char UNSEALED[] = "SELECT seq, hour, event FROM outbox_events ORDER BY seq LIMIT ?1";
static const char DROP_EVENT[] = "DELETE FROM outbox_events WHERE seq = ?1";

/* The events of the first one's hour, as many as fit; their numbers go to `seqs`. */
static enum code gather(struct store_sqlite *store, struct event_batch *batch, int64_t *seqs,
                        int64_t *bytes, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, UNSEALED, err);
    bool row;
    enum code code;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, EVENT_BATCH_EVENTS_MAX);
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
        struct str event = db_blob(stmt, 2);
        if (!batch->count)
            batch->hour = db_i64(stmt, 1);
        if (db_i64(stmt, 1) != batch->hour)
            continue;
        seqs[batch->count] = db_i64(stmt, 0);
        if (!event_batch_add(batch, event))
            break;
        *bytes += (int64_t)event.len;
    }
    db_reset(stmt);
    return code;
}

static enum code drop_events(struct db *db, const int64_t *seqs, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct db_stmt *stmt = db_prepare(db, DROP_EVENT, err);
        if (!stmt)
            return err->code;
        db_bind_i64(stmt, 1, seqs[i]);
        if (db_run(stmt, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

static enum code seal(struct store_sqlite *store, struct outbox_input *input,
                      struct group_delta *delta, struct arena *arena, struct error *err)
{
    int64_t *seqs = arena_alloc(arena, (EVENT_BATCH_EVENTS_MAX + 1) * sizeof *seqs);
    int64_t bytes = 0;
    struct event_batch batch;
    struct buf body;
    event_batch_init(&batch, store->clock, 0);
    buf_init_arena(&body, arena, EVENT_BATCH_BYTES_MAX);
    enum code code = gather(store, &batch, seqs, &bytes, err);
    if (code == CODE_OK && batch.count) {
        event_batch_seal(&batch, &body);
        struct store_batch sealed = {batch.id, batch.hour, batch.count, buf_str(&body)};
        code = put_batch(store->db, &sealed, err);
        if (code == CODE_OK)
            code = drop_events(store->db, seqs, batch.count, err);
        delta->bytes += (int64_t)body.len - bytes;
        delta->unsealed -= batch.count;
        input->sealed = batch.count;
    }
    event_batch_clear(&batch);
    return code;
}

/* --- leaving --- */

static const char FIND_BATCH[] = "SELECT seq, hour, count, length(body), aside IS NOT NULL"
                                 " FROM outbox_batches WHERE tenant = ?1 AND id = ?2";
static const char DROP_BATCH[] = "DELETE FROM outbox_batches WHERE seq = ?1";
static const char SET_ASIDE[] =
    "UPDATE outbox_batches SET aside = ?3 WHERE tenant = ?1 AND id = ?2 AND aside IS NULL";
static const char READMIT[] = "UPDATE outbox_batches SET aside = NULL WHERE aside IS NOT NULL";

enum code outbox_forget_batch(struct db *db, const struct id *id, bool *found,
                              struct group_delta *delta, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, FIND_BATCH, err);
    *found = false;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_blob(stmt, 2, id_bytes(id));
    enum code code = db_step(stmt, found, err);
    if (code != CODE_OK || !*found)
        return code;
    int64_t seq = db_i64(stmt, 0), hour = db_i64(stmt, 1), count = db_i64(stmt, 2);
    delta->bytes -= db_i64(stmt, 3);
    delta->aside -= db_i64(stmt, 4);
    delta->events -= count;
    db_reset(stmt);
    if (outbox_count_hour(delta, hour, 0, count, err) != CODE_OK ||
        !(stmt = db_prepare(db, DROP_BATCH, err)))
        return err->code;
    db_bind_i64(stmt, 1, seq);
    return db_run(stmt, err);
}

enum code outbox_put_aside(struct db *db, const struct id *id, const char *reason,
                           struct group_delta *delta, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, SET_ASIDE, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_blob(stmt, 2, id_bytes(id));
    db_bind_text(stmt, 3, str_of(reason));
    enum code code = db_run(stmt, err);
    delta->aside += db_changes(db);
    return code;
}

enum code outbox_readmit_all(struct db *db, struct group_delta *delta, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, READMIT, err);
    if (!stmt)
        return err->code;
    enum code code = db_run(stmt, err);
    delta->aside -= db_changes(db);
    return code;
}

/* --- as operations of the writer --- */

static void run_outbox(struct store_sqlite *store, struct write_op *op, struct group_delta *delta)
{
    struct outbox_input *input = op->input;
    struct error err = {0};
    enum code code = CODE_OK;
    bool found;
    switch (input->verb) {
    case OUTBOX_SEAL:
        code = seal(store, input, delta, &op->arena, &err);
        break;
    case OUTBOX_FORGET:
        for (size_t i = 0; code == CODE_OK && i < input->count; i++)
            code = outbox_forget_batch(store->db, &input->ids[i], &found, delta, &err);
        break;
    case OUTBOX_ASIDE:
        code = outbox_put_aside(store->db, input->ids, input->reason, delta, &err);
        break;
    case OUTBOX_READMIT:
        code = outbox_readmit_all(store->db, delta, &err);
        break;
    }
    if (code != CODE_OK)
        store_sqlite_broken(op, &err);
}

/* Waits without a deadline: the input is the caller's memory. */
static enum code submit(struct store_sqlite *store, struct outbox_input *input, struct error *err)
{
    struct write_op *op = store_sqlite_op();
    op->run = run_outbox;
    op->input = input;
    enum code code = store_sqlite_submit(store, op, INT64_MAX, err);
    store_sqlite_release(store, op);
    return code;
}

/* --- the vtable --- */

static enum code outbox_add(struct store *base, const struct store_batch *batches, size_t count,
                            struct error *err)
{
    return reads_outbox_add(&((struct store_sqlite *)base)->reads, batches, count, err);
}

static enum code outbox_seal(struct store *base, size_t *sealed, struct error *err)
{
    struct outbox_input input = {.verb = OUTBOX_SEAL};
    *sealed = 0;
    enum code code = submit((struct store_sqlite *)base, &input, err);
    if (code == CODE_OK)
        *sealed = input.sealed;
    return code;
}

/* Of both: what went wrong with the writes' outbox, or else with the reads', which does not keep
 * the first from its turn. */
static enum code after_writes(enum code code, const struct error *reads, struct error *err)
{
    if (code == CODE_OK && reads->code != CODE_OK)
        *err = *reads;
    return code == CODE_OK ? reads->code : code;
}

static enum code outbox_forget(struct store *base, const struct id *ids, size_t count,
                               struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct arena arena = {0};
    struct outbox_input input = {.verb = OUTBOX_FORGET};
    struct id *others = arena_alloc(&arena, (count + 1) * sizeof *others);
    struct error reads = {0};
    (void)!reads_outbox_forget(&store->reads, ids, count, others, &input.count, &reads);
    input.ids = others;
    enum code code = input.count ? submit(store, &input, err) : CODE_OK;
    arena_clear(&arena);
    return after_writes(code, &reads, err);
}

static enum code outbox_set_aside(struct store *base, struct id id, const char *reason,
                                  struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct outbox_input input = {.verb = OUTBOX_ASIDE, .ids = &id, .count = 1, .reason = reason};
    struct error reads = {0};
    bool found;
    (void)!reads_outbox_set_aside(&store->reads, &id, reason, &found, &reads);
    return found ? CODE_OK : after_writes(submit(store, &input, err), &reads, err);
}

static enum code outbox_readmit(struct store *base, struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct outbox_input input = {.verb = OUTBOX_READMIT};
    struct error reads = {0};
    (void)!reads_outbox_readmit(&store->reads, &reads);
    return after_writes(submit(store, &input, err), &reads, err);
}

const struct store_vtable store_sqlite_outbox_vtable = {
    .outbox_add = outbox_add,
    .outbox_seal = outbox_seal,
    .outbox_oldest = store_sqlite_outbox_oldest,
    .outbox_forget = outbox_forget,
    .outbox_set_aside = outbox_set_aside,
    .outbox_readmit = outbox_readmit,
    .outbox_hours = store_sqlite_outbox_hours,
    .outbox_stats = store_sqlite_outbox_stats,
};
