/* Reading by id, alone, together and page by page, each in one consistent view. */
#include "user/store_sqlite_reader.h"

#include "user/reasons.h"
#include "user/store_page.h"
#include "user/store_refusals.h"

#include <string.h>

static const char BY_ROW[] = "SELECT " USER_COLUMNS " FROM users NOT INDEXED"
                             " WHERE row = ?3 AND tenant = ?1 AND id = ?2";
static const char BY_ID[] = "SELECT " USER_COLUMNS " FROM users WHERE tenant = ?1 AND id = ?2";
static const char AFTER_ID[] = "SELECT " USER_COLUMNS " FROM users"
                               " WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

static struct str id_bytes(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

/* 48 bits of milliseconds, the 12 that order the ids of one, and 3 of the random ones. */
int64_t store_sqlite_row_of(struct id id)
{
    uint64_t ticks = 0;
    for (int i = 0; i < 6; i++)
        ticks = ticks << 8 | id.bytes[i];
    ticks = ticks << 12 | (uint64_t)(id.bytes[6] & 15) << 8 | id.bytes[7];
    return (int64_t)(ticks << 3 | (id.bytes[8] & 7));
}

static enum code load_by(struct db *db, const char *sql, uint32_t tenant, const struct id *id,
                         struct arena *arena, struct user *user, bool *found, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, sql, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    db_bind_blob(stmt, 2, id_bytes(id));
    if (sql == BY_ROW)
        db_bind_i64(stmt, 3, store_sqlite_row_of(*id));
    enum code code = db_step(stmt, found, err);
    if (code == CODE_OK && *found)
        code = store_sqlite_user(stmt, arena, user, err);
    db_reset(stmt);
    return code;
}

enum code store_sqlite_load(struct db *db, uint32_t tenant, struct id id, struct arena *arena,
                            struct user *user, bool *found, struct error *err)
{
    enum code code = load_by(db, BY_ROW, tenant, &id, arena, user, found, err);
    if (code == CODE_OK && !*found)
        code = load_by(db, BY_ID, tenant, &id, arena, user, found, err);
    return code;
}

enum code store_sqlite_get(struct store *base, const struct store_call *call, struct id id,
                           struct arena *arena, struct user *user, struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct reader *reader;
    bool found = false;
    if (store_sqlite_reader_take(store, call->remaining_ms, &reader, err) != CODE_OK)
        return err->code;
    enum code code = store_sqlite_load(reader->db, call->tenant, id, arena, user, &found, err);
    store_sqlite_reader_give(store, reader);
    if (code == CODE_OK && !found)
        return store_refuse_unknown(err);
    return code;
}

static enum code load_all(struct db *db, uint32_t tenant, const struct id *ids, size_t count,
                          struct arena *arena, struct user **users, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct user user;
        bool found;
        if (store_sqlite_load(db, tenant, ids[i], arena, &user, &found, err) != CODE_OK)
            return err->code;
        users[i] = NULL;
        if (found) {
            users[i] = arena_alloc(arena, sizeof user);
            *users[i] = user;
        }
    }
    return CODE_OK;
}

enum code store_sqlite_get_many(struct store *base, const struct store_call *call,
                                const struct id *ids, size_t count, struct arena *arena,
                                struct user **users, struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct reader *reader;
    if (store_sqlite_view_begin(store, call->remaining_ms, &reader, err) != CODE_OK)
        return err->code;
    enum code code = load_all(reader->db, call->tenant, ids, count, arena, users, err);
    store_sqlite_view_end(store, reader);
    return code;
}

/* One more than fits is read, to know whether there is a next page. */
static enum code read_page(struct db *db, uint32_t tenant, struct str after, size_t limit,
                           struct arena *arena, struct store_page *page, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, AFTER_ID, err);
    bool row = false;
    struct user user;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    db_bind_blob(stmt, 2, after);
    db_bind_i64(stmt, 3, (int64_t)limit + 1);
    enum code code;
    while ((code = db_step(stmt, &row, err)) == CODE_OK && row) {
        code = store_sqlite_user(stmt, arena, &user, err);
        if (code != CODE_OK)
            break;
        if (!store_page_add(page, limit, &user)) {
            page->next = arena_str(arena, id_bytes(&page->users[page->count - 1].id));
            break;
        }
    }
    db_reset(stmt);
    return code;
}

enum code store_sqlite_list(struct store *base, const struct store_call *call, struct str after,
                            size_t limit, struct arena *arena, struct store_page *page,
                            struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct reader *reader;
    *page = (struct store_page){.users = arena_alloc(arena, (limit + 1) * sizeof *page->users)};
    if (after.len && after.len != sizeof(struct id))
        return error_set(err, CODE_INVALID_ARGUMENT, REASON_PAGE_TOKEN_INVALID,
                         "this is no position in the list");
    if (store_sqlite_reader_take(store, call->remaining_ms, &reader, err) != CODE_OK)
        return err->code;
    enum code code = read_page(reader->db, call->tenant, after, limit, arena, page, err);
    store_sqlite_reader_give(store, reader);
    return code;
}
