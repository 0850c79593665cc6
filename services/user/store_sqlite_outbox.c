/*
 * The outbox: events that committed with their writes, the batches they are sealed into, and the
 * count per hour of what was made and what was taken over.
 */
#include "user/store_sqlite_internal.h"

#include "user/event.h"
#include "user/reasons.h"

#include <string.h>

enum outbox_verb { OUTBOX_ADD, OUTBOX_SEAL, OUTBOX_FORGET, OUTBOX_ASIDE, OUTBOX_READMIT };

struct outbox_input {
    enum outbox_verb verb;
    const struct store_batch *batches; /* add; the caller's: it waits without a deadline */
    const struct id *ids;              /* forget, aside */
    size_t count;
    const char *reason;
    size_t sealed;
};

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
    if (!store_sqlite_count(delta, event->hour, 1, 0))
        return error_set(err, CODE_INTERNAL, NULL, "too many hours in one group");
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

static enum code add_batches(struct store_sqlite *store, const struct outbox_input *input,
                             struct group_delta *delta, struct error *err)
{
    for (size_t i = 0; i < input->count; i++) {
        const struct store_batch *batch = &input->batches[i];
        if (put_batch(store->db, batch, err) != CODE_OK)
            return err->code;
        if (!store_sqlite_count(delta, batch->hour, batch->count, 0))
            return error_set(err, CODE_INTERNAL, NULL, "too many hours in one group");
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

static enum code forget_one(struct db *db, const struct id *id, struct group_delta *delta,
                            struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, FIND_BATCH, err);
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_blob(stmt, 2, id_bytes(id));
    if (db_step(stmt, &row, err) != CODE_OK || !row)
        return err->code;
    int64_t seq = db_i64(stmt, 0), hour = db_i64(stmt, 1), count = db_i64(stmt, 2);
    delta->bytes -= db_i64(stmt, 3);
    delta->aside -= db_i64(stmt, 4);
    delta->events -= count;
    db_reset(stmt);
    if (!store_sqlite_count(delta, hour, 0, count))
        return error_set(err, CODE_INTERNAL, NULL, "too many hours in one group");
    if (!(stmt = db_prepare(db, DROP_BATCH, err)))
        return err->code;
    db_bind_i64(stmt, 1, seq);
    return db_run(stmt, err);
}

static enum code set_aside(struct db *db, const struct outbox_input *input,
                           struct group_delta *delta, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, SET_ASIDE, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, STORE_TENANT);
    db_bind_blob(stmt, 2, id_bytes(input->ids));
    db_bind_text(stmt, 3, str_of(input->reason));
    enum code code = db_run(stmt, err);
    delta->aside += db_changes(db);
    return code;
}

static enum code readmit(struct db *db, struct group_delta *delta, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, READMIT, err);
    if (!stmt)
        return err->code;
    enum code code = db_run(stmt, err);
    delta->aside -= db_changes(db);
    return code;
}

static void run_outbox(struct store_sqlite *store, struct write_op *op, struct group_delta *delta)
{
    struct outbox_input *input = op->input;
    struct error err = {0};
    enum code code = CODE_OK;
    switch (input->verb) {
    case OUTBOX_ADD:
        code = add_batches(store, input, delta, &err);
        break;
    case OUTBOX_SEAL:
        code = seal(store, input, delta, &op->arena, &err);
        break;
    case OUTBOX_FORGET:
        for (size_t i = 0; code == CODE_OK && i < input->count; i++)
            code = forget_one(store->db, &input->ids[i], delta, &err);
        break;
    case OUTBOX_ASIDE:
        code = set_aside(store->db, input, delta, &err);
        break;
    case OUTBOX_READMIT:
        code = readmit(store->db, delta, &err);
        break;
    }
    if (code != CODE_OK)
        store_sqlite_broken(op, &err);
}

/* Waits without a deadline: the input is the caller's memory. */
static enum code submit(struct store *base, struct outbox_input *input, struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct write_op *op = store_sqlite_op();
    op->run = run_outbox;
    op->input = input;
    enum code code = store_sqlite_submit(store, op, INT64_MAX, err);
    store_sqlite_release(store, op);
    return code;
}

static enum code outbox_add(struct store *base, const struct store_batch *batches, size_t count,
                            struct error *err)
{
    struct outbox_input input = {.verb = OUTBOX_ADD, .batches = batches, .count = count};
    return submit(base, &input, err);
}

static enum code outbox_seal(struct store *base, size_t *sealed, struct error *err)
{
    struct outbox_input input = {.verb = OUTBOX_SEAL};
    *sealed = 0;
    enum code code = submit(base, &input, err);
    if (code == CODE_OK)
        *sealed = input.sealed;
    return code;
}

static enum code outbox_forget(struct store *base, const struct id *ids, size_t count,
                               struct error *err)
{
    struct outbox_input input = {.verb = OUTBOX_FORGET, .ids = ids, .count = count};
    return submit(base, &input, err);
}

static enum code outbox_set_aside(struct store *base, struct id id, const char *reason,
                                  struct error *err)
{
    struct outbox_input input = {.verb = OUTBOX_ASIDE, .ids = &id, .count = 1, .reason = reason};
    return submit(base, &input, err);
}

static enum code outbox_readmit(struct store *base, struct error *err)
{
    struct outbox_input input = {.verb = OUTBOX_READMIT};
    return submit(base, &input, err);
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
