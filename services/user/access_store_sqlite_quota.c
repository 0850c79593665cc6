/* Quotas: a row per counter, replaced as a whole if nobody else has replaced it. */
#include "user/access_store_sqlite_internal.h"

#include "user/access_refusals.h"

static const char GET[] = "SELECT version, bytes FROM quotas WHERE tenant = ?1 AND counter = ?2";
static const char INSERT[] = "INSERT INTO quotas(tenant, counter, version, forget_ms, bytes)"
                             " VALUES(?1, ?2, ?3 + 1, ?4, ?5) ON CONFLICT DO NOTHING";
static const char UPDATE[] = "UPDATE quotas SET version = ?3 + 1, forget_ms = ?4, bytes = ?5"
                             " WHERE tenant = ?1 AND counter = ?2 AND version = ?3";

static struct str counter_bytes(const struct access_counter *counter)
{
    return (struct str){(const char *)counter->bytes, sizeof counter->bytes};
}

enum code access_sqlite_get_quota(struct access_store *base, const struct store_call *call,
                                  const struct access_counter *counter, struct arena *arena,
                                  struct access_quota *quota, struct error *err)
{
    struct access_sqlite *store = (struct access_sqlite *)base;
    bool row = false;
    *quota = (struct access_quota){0};
    pthread_mutex_lock(&store->reader_lock);
    struct db_stmt *stmt = db_prepare(store->reader, GET, err);
    if (stmt) {
        db_bind_i64(stmt, 1, call->tenant);
        db_bind_blob(stmt, 2, counter_bytes(counter));
    }
    if (stmt && db_step(stmt, &row, err) == CODE_OK && row) {
        quota->version = (uint64_t)db_i64(stmt, 0);
        quota->bytes = arena_str(arena, db_blob(stmt, 1));
        db_reset(stmt);
    }
    pthread_mutex_unlock(&store->reader_lock);
    return err->code;
}

struct quota_input {
    uint32_t tenant;
    const struct access_counter *counter;
    const struct access_quota *quota;
    int64_t forget_ms;
};

static enum code run_put(struct access_sqlite *store, void *argument, struct error *err)
{
    const struct quota_input *input = argument;
    struct db_stmt *stmt = db_prepare(store->db, input->quota->version ? UPDATE : INSERT, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, counter_bytes(input->counter));
    db_bind_i64(stmt, 3, (int64_t)input->quota->version);
    db_bind_i64(stmt, 4, input->forget_ms);
    db_bind_blob(stmt, 5, input->quota->bytes);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    if (db_changes(store->db) == 0)
        return access_refuse_changed_quota(err);
    return CODE_OK;
}

enum code access_sqlite_put_quota(struct access_store *base, const struct store_call *call,
                                  const struct access_counter *counter,
                                  const struct access_quota *quota, int64_t forget_ms,
                                  struct error *err)
{
    struct quota_input input = {call->tenant, counter, quota, forget_ms};
    return access_sqlite_write((struct access_sqlite *)base, call, run_put, &input, err);
}
