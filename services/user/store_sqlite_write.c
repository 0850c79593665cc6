/*
 * Create, update, delete: what each does inside its savepoint. Row, terms of the index, event and
 * idempotency record are written here together or not at all.
 */
#include "user/store_sqlite_terms.h"

#include "base/buf.h"
#include "user/fold.h"
#include "user/reasons.h"
#include "user/record.h"
#include "user/store_refusals.h"

#include <string.h>

enum write_kind { WRITE_CREATE, WRITE_UPDATE, WRITE_REMOVE };

enum { RECORD_BYTES_MAX = 64 * 1024 };

struct write_input {
    enum write_kind kind;
    uint32_t tenant;
    struct store_event event;
    bool has_once;
    struct store_once once;
    bool has_owner;
    struct store_owner owner;  /* update, remove */
    struct user user;          /* create: the new one */
    struct user_change change; /* update; its id and etag also serve remove */
    struct user answer;        /* what came of it */
    bool unchanged;            /* update: the user was like that already */
    bool replayed;
};

/* A user as it lies in the table, with what leads to its terms. */
struct stored_user {
    int64_t row;
    struct user user;
    struct str name_key, tokens;
};

static struct str id_bytes(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

/* --- idempotency --- */

static const char FIND_ONCE[] = "SELECT hash, answer FROM idempotency"
                                " WHERE tenant = ?1 AND request_id = ?2 AND expires_ms > ?3";
static const char PUT_ONCE[] =
    "INSERT INTO idempotency(tenant, request_id, hash, answer, expires_ms)"
    " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(tenant, request_id)"
    " DO UPDATE SET hash = ?3, answer = ?4, expires_ms = ?5";

static enum code find_once(struct store_sqlite *store, struct write_input *input,
                           struct arena *arena, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, FIND_ONCE, err);
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, input->once.request_id);
    db_bind_i64(stmt, 3, clock_wall_ms(store->clock));
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    if (row) {
        struct str hash = db_blob(stmt, 0), answer = arena_str(arena, db_blob(stmt, 1));
        bool same = hash.len == STORE_HASH_BYTES &&
                    memcmp(hash.ptr, input->once.hash, STORE_HASH_BYTES) == 0;
        input->replayed = same;
        if (!same)
            store_refuse_reused(err);
        else if (answer.len && !record_read_user(answer, arena, &input->answer))
            error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored answer is damaged");
    }
    db_reset(stmt);
    return err->code;
}

static enum code put_once(struct store_sqlite *store, struct write_input *input,
                          struct arena *arena, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, PUT_ONCE, err);
    struct buf answer;
    if (!stmt)
        return err->code;
    buf_init_arena(&answer, arena, RECORD_BYTES_MAX);
    if (input->kind != WRITE_REMOVE)
        record_add_user(&answer, &input->answer);
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, input->once.request_id);
    db_bind_blob(stmt, 3, (struct str){(const char *)input->once.hash, STORE_HASH_BYTES});
    db_bind_blob(stmt, 4, buf_str(&answer));
    db_bind_i64(stmt, 5, clock_wall_ms(store->clock) + STORE_IDEMPOTENCY_MS);
    return db_run(stmt, err);
}

/* --- terms --- */

static bool has_term(const struct search_terms *terms, struct str term)
{
    for (size_t i = 0; i < terms->count; i++)
        if (str_eq(terms->terms[i], term))
            return true;
    return false;
}

/* Puts or drops each of `terms` that `other` (NULL: none) has not under the same name key. */
static void edit_terms(struct store_sqlite *store, bool drop, uint32_t tenant, const struct id *id,
                       const struct search_terms *terms, const struct search_terms *other)
{
    bool same_key = other && str_eq(terms->name_key, other->name_key);
    for (size_t i = 0; i < terms->count; i++)
        if (!same_key || !has_term(other, terms->terms[i]))
            store_sqlite_edit(store, &(struct term_edit){.tenant = tenant,
                                                         .drop = drop,
                                                         .term = terms->terms[i],
                                                         .name_key = terms->name_key,
                                                         .id = *id});
}

/* --- rows --- */

static const char LOAD[] = "SELECT " USER_COLUMNS ", row, name_key, tokens FROM users"
                           " WHERE tenant = ?1 AND id = ?2";
static const char EMAIL_OWNER[] = "SELECT id FROM users WHERE tenant = ?1 AND email_key = ?2";
static const char INSERT_USER[] =
    "INSERT INTO users(row, tenant, id, email_key, email, display_name, given_name, family_name,"
    " status, labels, create_us, update_us, version, owner_issuer, owner_subject, name_key, tokens)"
    " VALUES(?17, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    " ON CONFLICT(row) DO NOTHING";
static const char CHANGE_USER[] =
    "UPDATE users SET email_key = ?3, email = ?4, display_name = ?5, given_name = ?6,"
    " family_name = ?7, status = ?8, labels = ?9, create_us = ?10, update_us = ?11, version = ?12,"
    " owner_issuer = ?13, owner_subject = ?14, name_key = ?15, tokens = ?16"
    " WHERE row = ?17 AND tenant = ?1 AND id = ?2";
static const char DELETE_USER[] = "DELETE FROM users WHERE row = ?1";

/* PERMISSION_DENIED, NOT_FOUND and ABORTED are the request's fault; anything else is the storage's.
 */
static enum code load_for_change(struct store_sqlite *store, const struct write_input *input,
                                 struct arena *arena, struct stored_user *found, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, LOAD, err);
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, id_bytes(&input->change.id));
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    const struct store_owner *owner = input->has_owner ? &input->owner : NULL;
    if (!row)
        return store_check_owner(owner, NULL, err);
    if (store_sqlite_user(stmt, arena, &found->user, err) == CODE_OK) {
        found->row = db_i64(stmt, USER_COLUMN_COUNT);
        found->name_key = arena_str(arena, db_blob(stmt, USER_COLUMN_COUNT + 1));
        found->tokens = arena_str(arena, db_blob(stmt, USER_COLUMN_COUNT + 2));
    }
    db_reset(stmt);
    if (err->code != CODE_OK || store_check_owner(owner, &found->user, err) != CODE_OK)
        return err->code;
    const char *path = input->kind == WRITE_REMOVE ? "etag" : "user.etag";
    return user_check_etag(&found->user, input->change.etag, path, err);
}

static enum code check_email(struct store_sqlite *store, uint32_t tenant, struct str email_key,
                             const struct id *own, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, EMAIL_OWNER, err);
    bool row;
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, tenant);
    db_bind_blob(stmt, 2, email_key);
    if (db_step(stmt, &row, err) != CODE_OK)
        return err->code;
    bool taken = row && !str_eq(db_blob(stmt, 0), id_bytes(own));
    db_reset(stmt);
    return taken ? store_refuse_email(err) : CODE_OK;
}

enum { ROW_ANY = -1 }; /* the next free one */

static enum code write_row(struct store_sqlite *store, const char *sql, int64_t row,
                           uint32_t tenant, const struct user *user, struct str email_key,
                           const struct search_terms *terms, struct arena *arena, struct error *err)
{
    struct db_stmt *stmt = db_prepare(store->db, sql, err);
    struct buf labels;
    if (!stmt)
        return err->code;
    buf_init_arena(&labels, arena, RECORD_BYTES_MAX);
    record_add_labels(&labels, user);
    db_bind_i64(stmt, 1, tenant);
    db_bind_blob(stmt, 2, id_bytes(&user->id));
    db_bind_blob(stmt, 3, email_key);
    db_bind_text(stmt, 4, user->email);
    db_bind_text(stmt, 5, user->display_name);
    db_bind_text(stmt, 6, user->given_name);
    db_bind_text(stmt, 7, user->family_name);
    db_bind_i64(stmt, 8, user->status);
    db_bind_blob(stmt, 9, buf_str(&labels));
    db_bind_i64(stmt, 10, user->create_us);
    db_bind_i64(stmt, 11, user->update_us);
    db_bind_i64(stmt, 12, (int64_t)user->version);
    db_bind_text(stmt, 13, user->owner_issuer);
    db_bind_text(stmt, 14, user->owner_subject);
    db_bind_blob(stmt, 15, terms->name_key);
    db_bind_blob(stmt, 16, terms->tokens);
    if (row == ROW_ANY)
        db_bind_null(stmt, 17);
    else
        db_bind_i64(stmt, 17, row);
    return db_run(stmt, err);
}

static enum code insert_row(struct store_sqlite *store, uint32_t tenant, const struct user *user,
                            struct str email_key, const struct search_terms *terms,
                            struct arena *arena, struct error *err)
{
    int64_t row = store_sqlite_row_of(user->id);
    enum code code = write_row(store, INSERT_USER, row, tenant, user, email_key, terms, arena, err);
    if (code == CODE_OK && db_changes(store->db) == 0)
        code = write_row(store, INSERT_USER, ROW_ANY, tenant, user, email_key, terms, arena, err);
    return code;
}

static enum code do_create(struct store_sqlite *store, struct write_input *input,
                           struct arena *arena, struct error *err)
{
    struct search_terms terms;
    struct user *user = &input->user;
    struct str email_key = fold_case(arena, user->email);
    user->version = 1;
    search_terms_of_user(arena, user, &terms);
    if (check_email(store, input->tenant, email_key, &user->id, err) != CODE_OK ||
        insert_row(store, input->tenant, user, email_key, &terms, arena, err) != CODE_OK)
        return err->code;
    input->answer = *user;
    edit_terms(store, false, input->tenant, &user->id, &terms, NULL);
    return CODE_OK;
}

static enum code do_update(struct store_sqlite *store, struct write_input *input,
                           struct arena *arena, struct error *err)
{
    struct stored_user found;
    struct search_terms before, after;
    struct user *user = &input->answer;
    if (load_for_change(store, input, arena, &found, err) != CODE_OK ||
        user_apply(&found.user, &input->change, arena, user, err) != CODE_OK)
        return err->code;
    input->unchanged = user->version == found.user.version;
    if (input->unchanged)
        return CODE_OK;
    struct str email_key = fold_case(arena, user->email);
    search_terms_of_tokens(arena, found.name_key, found.tokens, &before);
    search_terms_of_user(arena, user, &after);
    if (check_email(store, input->tenant, email_key, &user->id, err) != CODE_OK ||
        write_row(store, CHANGE_USER, found.row, input->tenant, user, email_key, &after, arena,
                  err) != CODE_OK)
        return err->code;
    edit_terms(store, true, input->tenant, &user->id, &before, &after);
    edit_terms(store, false, input->tenant, &user->id, &after, &before);
    return CODE_OK;
}

static enum code do_remove(struct store_sqlite *store, struct write_input *input,
                           struct arena *arena, struct error *err)
{
    struct stored_user found;
    struct search_terms before;
    if (load_for_change(store, input, arena, &found, err) != CODE_OK)
        return err->code;
    search_terms_of_tokens(arena, found.name_key, found.tokens, &before);
    struct db_stmt *stmt = db_prepare(store->db, DELETE_USER, err);
    if (!stmt)
        return err->code;
    db_bind_i64(stmt, 1, found.row);
    if (db_run(stmt, err) != CODE_OK)
        return err->code;
    edit_terms(store, true, input->tenant, &input->change.id, &before, NULL);
    return CODE_OK;
}

static enum code do_write(struct store_sqlite *store, struct write_input *input,
                          struct arena *arena, struct group_delta *delta, struct error *err)
{
    enum code code = CODE_OK;
    input->replayed = input->unchanged = false; /* it may be the second attempt */
    if (input->has_once)
        code = find_once(store, input, arena, err);
    if (code != CODE_OK || input->replayed)
        return code;
    if (input->kind == WRITE_CREATE)
        code = do_create(store, input, arena, err);
    else if (input->kind == WRITE_UPDATE)
        code = do_update(store, input, arena, err);
    else
        code = do_remove(store, input, arena, err);
    if (code == CODE_OK && !input->unchanged)
        code = store_sqlite_outbox_put(store, &input->event, delta, err);
    if (code == CODE_OK && input->has_once)
        code = put_once(store, input, arena, err);
    return code;
}

/* What the request can be told without the storage being at fault. */
static bool is_refusal(const struct error *err)
{
    return err->code == CODE_NOT_FOUND || err->code == CODE_ABORTED ||
           err->code == CODE_INVALID_ARGUMENT || err->code == CODE_PERMISSION_DENIED ||
           (err->code == CODE_ALREADY_EXISTS &&
            str_eq(str_of(err->reason), STR(REASON_EMAIL_TAKEN)));
}

static void run_write(struct store_sqlite *store, struct write_op *op, struct group_delta *delta)
{
    struct error err = {0};
    if (do_write(store, op->input, &op->arena, delta, &err) == CODE_OK)
        return;
    if (is_refusal(&err))
        op->err = err;
    else
        store_sqlite_broken(op, &err);
}

static struct write_op *new_write(enum write_kind kind, const struct store_write *write,
                                  struct write_input **out)
{
    struct write_op *op = store_sqlite_op();
    struct write_input *input = arena_alloc0(&op->arena, sizeof *input);
    input->kind = kind;
    input->tenant = write->call.tenant;
    input->event.hour = write->event.hour;
    input->event.bytes = arena_str(&op->arena, write->event.bytes);
    input->has_once = write->once != NULL;
    if (write->once) {
        input->once = *write->once;
        input->once.request_id = arena_str(&op->arena, write->once->request_id);
    }
    input->has_owner = write->owner != NULL;
    if (write->owner) {
        input->owner.issuer = arena_str(&op->arena, write->owner->issuer);
        input->owner.subject = arena_str(&op->arena, write->owner->subject);
    }
    op->run = run_write;
    op->input = input;
    *out = input;
    return op;
}

static enum code finish_write(struct store_sqlite *store, const struct store_write *write,
                              struct write_op *op, struct arena *arena, struct user *answer,
                              bool *replayed, struct error *err)
{
    struct write_input *input = op->input;
    enum code code = store_sqlite_submit(store, op, write->call.remaining_ms, err);
    if (code == CODE_OK) {
        *replayed = input->replayed;
        if (answer)
            *answer = user_copy(arena, &input->answer);
    }
    store_sqlite_release(store, op);
    return code;
}

enum code store_sqlite_create(struct store *base, const struct store_write *write,
                              const struct user *user, struct arena *arena, struct user *created,
                              bool *replayed, struct error *err)
{
    struct write_input *input;
    struct write_op *op = new_write(WRITE_CREATE, write, &input);
    input->user = user_copy(&op->arena, user);
    return finish_write((struct store_sqlite *)base, write, op, arena, created, replayed, err);
}

static struct user_change copy_change(struct arena *arena, const struct user_change *change)
{
    struct user_change copy = *change;
    copy.etag = arena_str(arena, change->etag);
    copy.values = user_copy(arena, &change->values);
    copy.edits = arena_alloc(arena, change->edit_count * sizeof *copy.edits);
    for (size_t i = 0; i < change->edit_count; i++) {
        copy.edits[i].key = arena_str(arena, change->edits[i].key);
        copy.edits[i].value = arena_str(arena, change->edits[i].value);
        copy.edits[i].remove = change->edits[i].remove;
    }
    return copy;
}

enum code store_sqlite_update(struct store *base, const struct store_write *write,
                              const struct user_change *change, struct arena *arena,
                              struct user *updated, bool *replayed, struct error *err)
{
    struct write_input *input;
    struct write_op *op = new_write(WRITE_UPDATE, write, &input);
    input->change = copy_change(&op->arena, change);
    return finish_write((struct store_sqlite *)base, write, op, arena, updated, replayed, err);
}

enum code store_sqlite_remove(struct store *base, const struct store_write *write, struct id id,
                              struct str etag, bool *replayed, struct error *err)
{
    struct write_input *input;
    struct write_op *op = new_write(WRITE_REMOVE, write, &input);
    input->change.id = id;
    input->change.etag = arena_str(&op->arena, etag);
    return finish_write((struct store_sqlite *)base, write, op, NULL, NULL, replayed, err);
}
