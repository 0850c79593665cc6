/* Plans and keys as rows, and the snapshot of all of them. */
#include "user/access_store_sqlite_internal.h"

#include "user/access_refusals.h"

#include <string.h>

static struct str id_bytes(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

static enum code damaged(const char *what, struct error *err)
{
    return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored %s is damaged", what);
}

/* --- state --- */

static const char BUMP[] =
    "UPDATE state SET version = max(version + 1, ?2), keys = keys + ?3 WHERE tenant = ?1";
static const char STATE[] = "SELECT version, keys FROM state WHERE tenant = ?1";

/* Every change ends here: the snapshot has a new version. */
static enum code bump(struct access_sqlite *store, uint32_t tenant, int keys, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, BUMP, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    db_bind_i64(stmt, 2, clock_wall_us(store->clock));
    db_bind_i64(stmt, 3, keys);
    return db_run(stmt, err);
}

static enum code read_state(struct db *db, uint32_t tenant, uint64_t *version, int64_t *keys,
                            struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, STATE, err);
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    *version = row ? (uint64_t)db_i64(stmt, 0) : 0;
    *keys = row ? db_i64(stmt, 1) : 0;
    db_reset(stmt);
    return CODE_OK;
}

/* --- plans --- */

#define PLAN_COLUMNS "id, rate, burst, quota, period"

static const char GET_PLAN[] = "SELECT " PLAN_COLUMNS " FROM plans WHERE tenant = ?1 AND id = ?2";
static const char LIST_PLANS[] = "SELECT " PLAN_COLUMNS " FROM plans WHERE tenant = ?1 ORDER BY id";
static const char COUNT_PLANS[] = "SELECT count(*) FROM plans WHERE tenant = ?1";
static const char PUT_PLAN[] =
    "INSERT INTO plans(tenant, id, rate, burst, quota, period) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT(tenant, id) DO UPDATE SET rate = ?3, burst = ?4, quota = ?5, period = ?6";

static struct access_plan read_plan(struct db_stmt *row, struct arena *arena)
{
    return (struct access_plan){
        .id = arena_str(arena, db_text(row, 0)),
        .rate = db_double(row, 1),
        .burst = (uint32_t)db_i64(row, 2),
        .quota = (uint64_t)db_i64(row, 3),
        .period = (enum quota_period)db_i64(row, 4),
    };
}

/* *found: whether there is one; `arena` NULL when nothing else is asked. */
static enum code find_plan(struct db *db, uint32_t tenant, struct str id, struct arena *arena,
                           struct access_plan *plan, bool *found, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, GET_PLAN, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    db_bind_text(stmt, 2, id);
    if (db_step(stmt, found, err) != CODE_OK)
        return err->code;
    if (*found && arena)
        *plan = read_plan(stmt, arena);
    db_reset(stmt);
    return CODE_OK;
}

static enum code list_plans(struct db *db, uint32_t tenant, struct arena *arena,
                            struct access_plan **plans, size_t *count, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, LIST_PLANS, err);
    bool row;
    *plans = arena_alloc(arena, ACCESS_PLANS_MAX * sizeof **plans);
    *count = 0;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    while (db_step(stmt, &row, err) == CODE_OK && row && *count < ACCESS_PLANS_MAX)
        (*plans)[(*count)++] = read_plan(stmt, arena);
    db_reset(stmt);
    return err->code;
}

struct plan_input {
    uint32_t tenant;
    const struct access_plan *plan;
};

static enum code count_plans(struct access_sqlite *store, uint32_t tenant, int64_t *count,
                             struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, COUNT_PLANS, err);
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    *count = db_i64(stmt, 0);
    db_reset(stmt);
    return CODE_OK;
}

static enum code run_put_plan(struct access_sqlite *store, void *argument, struct error *err)
{
    const struct plan_input *input = argument;
    const struct access_plan *plan = input->plan;
    bool found;
    int64_t count = 0;
    if (find_plan(store->db, input->tenant, plan->id, NULL, NULL, &found, err) != CODE_OK ||
        (!found && count_plans(store, input->tenant, &count, err) != CODE_OK))
        return err->code;
    if (!found && count >= ACCESS_PLANS_MAX)
        return access_refuse_more_plans(err);
    struct db_stmt *stmt = db_prepare(store->db, PUT_PLAN, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_text(stmt, 2, plan->id);
    db_bind_double(stmt, 3, plan->rate);
    db_bind_i64(stmt, 4, plan->burst);
    db_bind_i64(stmt, 5, (int64_t)plan->quota);
    db_bind_i64(stmt, 6, plan->period);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    return bump(store, input->tenant, 0, err);
}

enum code access_sqlite_put_plan(struct access_store *base, const struct store_call *call,
                                 const struct access_plan *plan, struct error *err)
{
    struct plan_input input = {call->tenant, plan};
    return access_sqlite_write((struct access_sqlite *)base, call, run_put_plan, &input, err);
}

enum code access_sqlite_get_plan(struct access_store *base, const struct store_call *call,
                                 struct str id, struct arena *arena, struct access_plan *plan,
                                 struct error *err)
{
    struct access_sqlite *store = (struct access_sqlite *)base;
    bool found = false;
    pthread_mutex_lock(&store->reader_lock);
    enum code code = find_plan(store->reader, call->tenant, id, arena, plan, &found, err);
    pthread_mutex_unlock(&store->reader_lock);
    if (code == CODE_OK && !found)
        code = access_refuse_unknown_plan(id, err);
    return code;
}

enum code access_sqlite_list_plans(struct access_store *base, const struct store_call *call,
                                   struct arena *arena, struct access_plan **plans, size_t *count,
                                   struct error *err)
{
    struct access_sqlite *store = (struct access_sqlite *)base;
    pthread_mutex_lock(&store->reader_lock);
    enum code code = list_plans(store->reader, call->tenant, arena, plans, count, err);
    pthread_mutex_unlock(&store->reader_lock);
    return code;
}

/* --- keys --- */

#define KEY_COLUMNS \
    "id, name, plan_id, public, create_us, rotate_us, expire_us, disable_us, prefix, secrets," \
    " version"

static const char GET_KEY[] = "SELECT " KEY_COLUMNS " FROM keys WHERE tenant = ?1 AND id = ?2";
static const char LIST_KEYS[] =
    "SELECT " KEY_COLUMNS " FROM keys WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
static const char GOOD_KEYS[] =
    "SELECT " KEY_COLUMNS " FROM keys WHERE tenant = ?1 AND disable_us = 0 ORDER BY id";
static const char PUT_KEY[] =
    "INSERT INTO keys(tenant, id, name, plan_id, public, create_us, rotate_us, expire_us,"
    " disable_us, prefix, secrets, version) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
    "1)";
static const char CHANGE_KEY[] =
    "UPDATE keys SET rotate_us = ?3, disable_us = ?4, prefix = ?5, secrets = ?6, name = ?7,"
    " plan_id = ?8, expire_us = ?9, version = version + 1 WHERE tenant = ?1 AND id = ?2";

static enum code read_key(struct db_stmt *row, struct arena *arena, struct access_key *key,
                          struct error *err)
{
    struct str id = db_blob(row, 0), prefix = db_text(row, 8);
    memset(key, 0, sizeof *key);
    if (id.len != sizeof key->id.bytes || prefix.len > ACCESS_PREFIX_CHARS ||
        !access_key_unpack_secrets(db_blob(row, 9), key))
        return damaged("key", err);
    memcpy(key->id.bytes, id.ptr, sizeof key->id.bytes);
    memcpy(key->prefix, prefix.ptr, prefix.len);
    key->name = arena_str(arena, db_text(row, 1));
    key->plan_id = arena_str(arena, db_text(row, 2));
    key->is_public = db_i64(row, 3) != 0;
    key->create_us = db_i64(row, 4);
    key->rotate_us = db_i64(row, 5);
    key->expire_us = db_i64(row, 6);
    key->disable_us = db_i64(row, 7);
    key->version = (uint64_t)db_i64(row, 10);
    return CODE_OK;
}

static enum code find_key(struct db *db, uint32_t tenant, const struct id *id, struct arena *arena,
                          struct access_key *key, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, GET_KEY, err);
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    db_bind_blob(stmt, 2, id_bytes(id));
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    if (!row)
        return access_refuse_unknown_key(err);
    enum code code = read_key(stmt, arena, key, err);
    db_reset(stmt);
    return code;
}

struct key_input {
    uint32_t tenant;
    const struct access_key *key;
    const struct store_once *once;
};

static const char FIND_ONCE[] = "SELECT hash, key_id FROM once"
                                " WHERE tenant = ?1 AND request_id = ?2 AND forget_ms > ?3";
static const char PUT_ONCE[] =
    "INSERT INTO once(tenant, request_id, hash, key_id, forget_ms) VALUES(?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT(tenant, request_id) DO UPDATE SET hash = ?3, key_id = ?4, forget_ms = ?5";

/* Refuses what was done before. */
static enum code check_once(struct access_sqlite *store, const struct key_input *input,
                            struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, FIND_ONCE, err);
    struct id made;
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, input->once->request_id);
    db_bind_i64(stmt, 3, clock_wall_ms(store->clock));
    if (db_step(stmt, &row, err) != CODE_OK || !row)
        return err->code;
    struct str hash = db_blob(stmt, 0), id = db_blob(stmt, 1);
    if (hash.len != STORE_HASH_BYTES || id.len != sizeof made.bytes) {
        damaged("request", err);
    } else {
        memcpy(made.bytes, id.ptr, sizeof made.bytes);
        access_refuse_made_before(input->once, hash, made, err);
    }
    db_reset(stmt);
    return err->code;
}

static enum code put_once(struct access_sqlite *store, const struct key_input *input,
                          struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, PUT_ONCE, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, input->once->request_id);
    db_bind_blob(stmt, 3, (struct str){(const char *)input->once->hash, STORE_HASH_BYTES});
    db_bind_blob(stmt, 4, id_bytes(&input->key->id));
    db_bind_i64(stmt, 5, clock_wall_ms(store->clock) + STORE_IDEMPOTENCY_MS);
    return db_run(stmt, err);
}

static enum code put_key(struct access_sqlite *store, const struct key_input *input,
                         struct error *err)
{
    uint8_t secrets[ACCESS_SECRETS_BYTES];
    const struct access_key *key = input->key;
    struct db_stmt *stmt = db_prepare(store->db, PUT_KEY, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, id_bytes(&key->id));
    db_bind_text(stmt, 3, key->name);
    db_bind_text(stmt, 4, key->plan_id);
    db_bind_i64(stmt, 5, key->is_public);
    db_bind_i64(stmt, 6, key->create_us);
    db_bind_i64(stmt, 7, key->rotate_us);
    db_bind_i64(stmt, 8, key->expire_us);
    db_bind_i64(stmt, 9, key->disable_us);
    db_bind_text(stmt, 10, str_of(key->prefix));
    db_bind_blob(stmt, 11, access_key_pack_secrets(key, secrets));
    return db_run(stmt, err);
}

static enum code check_plan(struct access_sqlite *store, const struct key_input *input,
                            struct error *err)
{
    bool found;
    if (find_plan(store->db, input->tenant, input->key->plan_id, NULL, NULL, &found, err) !=
            CODE_OK ||
        found)
        return err->code;
    return access_refuse_plan_of_key(input->key->plan_id, err);
}

static enum code run_create_key(struct access_sqlite *store, void *argument, struct error *err)
{
    const struct key_input *input = argument;
    uint64_t version;
    int64_t keys;
    if ((input->once && check_once(store, input, err) != CODE_OK) ||
        check_plan(store, input, err) != CODE_OK ||
        read_state(store->db, input->tenant, &version, &keys, err) != CODE_OK)
        return err->code;
    if (keys >= ACCESS_KEYS_MAX)
        return access_refuse_more_keys(err);
    if (put_key(store, input, err) != CODE_OK ||
        (input->once && put_once(store, input, err) != CODE_OK))
        return err->code;
    return bump(store, input->tenant, 1, err);
}

enum code access_sqlite_create_key(struct access_store *base, const struct store_call *call,
                                   const struct access_key *key, const struct store_once *once,
                                   struct error *err)
{
    struct key_input input = {call->tenant, key, once};
    return access_sqlite_write((struct access_sqlite *)base, call, run_create_key, &input, err);
}

enum code access_sqlite_get_key(struct access_store *base, const struct store_call *call,
                                struct id id, struct arena *arena, struct access_key *key,
                                struct error *err)
{
    struct access_sqlite *store = (struct access_sqlite *)base;
    pthread_mutex_lock(&store->reader_lock);
    enum code code = find_key(store->reader, call->tenant, &id, arena, key, err);
    pthread_mutex_unlock(&store->reader_lock);
    return code;
}

static enum code run_change_key(struct access_sqlite *store, void *argument, struct error *err)
{
    const struct key_input *input = argument;
    uint8_t secrets[ACCESS_SECRETS_BYTES];
    struct arena arena = {0};
    struct access_key old;
    enum code code = find_key(store->db, input->tenant, &input->key->id, &arena, &old, err);
    arena_clear(&arena);
    if (code != CODE_OK)
        return code;
    if (old.version != input->key->version)
        return access_refuse_changed_key(err);
    if (check_plan(store, input, err) != CODE_OK)
        return err->code;
    struct db_stmt *stmt = db_prepare(store->db, CHANGE_KEY, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, id_bytes(&input->key->id));
    db_bind_i64(stmt, 3, input->key->rotate_us);
    db_bind_i64(stmt, 4, input->key->disable_us);
    db_bind_text(stmt, 5, str_of(input->key->prefix));
    db_bind_blob(stmt, 6, access_key_pack_secrets(input->key, secrets));
    db_bind_text(stmt, 7, input->key->name);
    db_bind_text(stmt, 8, input->key->plan_id);
    db_bind_i64(stmt, 9, input->key->expire_us);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    return bump(store, input->tenant, (old.disable_us != 0) - (input->key->disable_us != 0), err);
}

enum code access_sqlite_change_key(struct access_store *base, const struct store_call *call,
                                   const struct access_key *key, struct error *err)
{
    struct key_input input = {call->tenant, key, NULL};
    return access_sqlite_write((struct access_sqlite *)base, call, run_change_key, &input, err);
}

/* Steps through the rows of `stmt` into at most `max` keys; *more: there are others. */
static enum code read_keys(struct db_stmt *stmt, size_t max, struct arena *arena,
                           struct access_key **keys, size_t *count, bool *more, struct error *err)
{
    size_t room = 0;
    *keys = NULL;
    *count = 0;
    while (db_step(stmt, more, err) == CODE_OK && *more && *count < max) {
        if (*count == room) {
            room = room ? room * 2 : 16;
            struct access_key *bigger = arena_alloc(arena, room * sizeof *bigger);
            if (*count)
                memcpy(bigger, *keys, *count * sizeof *bigger);
            *keys = bigger;
        }
        if (read_key(stmt, arena, &(*keys)[*count], err) != CODE_OK)
            break;
        (*count)++;
    }
    db_reset(stmt);
    return err->code;
}

enum code access_sqlite_list_keys(struct access_store *base, const struct store_call *call,
                                  const struct id *after, size_t limit, struct arena *arena,
                                  struct access_key_page *page, struct error *err)
{
    struct access_sqlite *store = (struct access_sqlite *)base;
    pthread_mutex_lock(&store->reader_lock);
    struct db_stmt *stmt = db_prepare(store->reader, LIST_KEYS, err);
    if (stmt) {
        db_bind_i64(stmt, 1, call->tenant);
        db_bind_blob(stmt, 2, after ? id_bytes(after) : STR(""));
        db_bind_i64(stmt, 3, (int64_t)limit + 1);
        read_keys(stmt, limit, arena, &page->keys, &page->count, &page->more, err);
    }
    pthread_mutex_unlock(&store->reader_lock);
    return err->code;
}

/* --- for gateways --- */

enum code access_sqlite_version(struct access_store *base, const struct store_call *call,
                                uint64_t *version, struct error *err)
{
    struct access_sqlite *store = (struct access_sqlite *)base;
    int64_t keys;
    pthread_mutex_lock(&store->reader_lock);
    enum code code = read_state(store->reader, call->tenant, version, &keys, err);
    pthread_mutex_unlock(&store->reader_lock);
    return code;
}

/* Within one transaction: all of it is of the same moment. */
static enum code read_snapshot(struct db *db, uint32_t tenant, struct arena *arena,
                               struct access_snapshot *snapshot, struct error *err)
{
    int64_t keys;
    bool more;
    if (read_state(db, tenant, &snapshot->version, &keys, err) != CODE_OK ||
        list_plans(db, tenant, arena, &snapshot->plans, &snapshot->plan_count, err) != CODE_OK)
        return err->code;
    struct db_stmt *stmt = db_prepare(db, GOOD_KEYS, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    return read_keys(stmt, ACCESS_KEYS_MAX, arena, &snapshot->keys, &snapshot->key_count, &more,
                     err);
}

enum code access_sqlite_snapshot(struct access_store *base, const struct store_call *call,
                                 struct arena *arena, struct access_snapshot *snapshot,
                                 struct error *err)
{
    struct access_sqlite *store = (struct access_sqlite *)base;
    pthread_mutex_lock(&store->reader_lock);
    enum code code = db_begin(store->reader, err);
    if (code == CODE_OK) {
        code = read_snapshot(store->reader, call->tenant, arena, snapshot, err);
        db_rollback(store->reader); /* it has read only */
    }
    pthread_mutex_unlock(&store->reader_lock);
    return code;
}
