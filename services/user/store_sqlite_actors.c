/*
 * Pseudonyms: looked up and, where there are none, kept as they are proposed; an operation of the
 * writer, so that two who propose at once agree.
 */
#include "user/store_sqlite_internal.h"

#include <string.h>

struct actors_input {
    uint32_t tenant;
    const struct store_actor *actors;
    const struct id *proposed;
    struct id *pseudonyms; /* what came of it */
    size_t count;
    bool forget;
};

static const char FIND_ACTOR[] = "SELECT pseudonym FROM actors WHERE tenant = ?1 AND actor = ?2";
static const char PUT_ACTOR[] = "INSERT INTO actors(tenant, actor, pseudonym) VALUES(?1, ?2, ?3)";
static const char DROP_ACTOR[] = "DELETE FROM actors WHERE tenant = ?1 AND actor = ?2";

static void bind_actor(struct db_stmt *stmt, const struct actors_input *input, size_t i)
{
    db_bind_i64(stmt, 1, input->tenant);
    db_bind_blob(stmt, 2, (struct str){(const char *)input->actors[i].hash, STORE_HASH_BYTES});
}

static enum code find_actor(struct db *db, struct actors_input *input, size_t i, bool *found,
                            struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, FIND_ACTOR, err);
    struct id *id = &input->pseudonyms[i];
    if (!stmt)
        return err->code;
    bind_actor(stmt, input, i);
    if (db_step(stmt, found, err) != CODE_OK || !*found)
        return err->code;
    struct str bytes = db_blob(stmt, 0);
    if (bytes.len == sizeof id->bytes)
        memcpy(id->bytes, bytes.ptr, sizeof id->bytes);
    else
        error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored pseudonym is damaged");
    db_reset(stmt);
    return err->code;
}

static enum code change_actor(struct db *db, const char *sql, const struct actors_input *input,
                              size_t i, struct error *err)
{
    struct db_stmt *stmt = db_prepare(db, sql, err);
    if (!stmt)
        return err->code;
    bind_actor(stmt, input, i);
    if (!input->forget)
        db_bind_blob(stmt, 3,
                     (struct str){(const char *)input->pseudonyms[i].bytes, sizeof(struct id)});
    return db_run(stmt, err);
}

static void run_actors(struct store_sqlite *store, struct write_op *op, struct group_delta *delta)
{
    struct actors_input *input = op->input;
    struct error err = {0};
    (void)delta;
    if (!input->forget)
        memcpy(input->pseudonyms, input->proposed, input->count * sizeof *input->pseudonyms);
    for (size_t i = 0; i < input->count && err.code == CODE_OK; i++) {
        bool found = false;
        if (input->forget)
            (void)!change_actor(store->db, DROP_ACTOR, input, i, &err);
        else if (find_actor(store->db, input, i, &found, &err) == CODE_OK && !found)
            (void)!change_actor(store->db, PUT_ACTOR, input, i, &err);
    }
    if (err.code != CODE_OK)
        store_sqlite_broken(op, &err);
}

/* The input is copied: a caller whose time is over goes while the writer still works. */
static enum code submit(struct store *base, const struct store_call *call,
                        const struct store_actor *actors, struct id *pseudonyms, size_t count,
                        struct error *err)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct write_op *op = store_sqlite_op();
    struct actors_input *input = arena_alloc0(&op->arena, sizeof *input);
    struct store_actor *own_actors = arena_alloc(&op->arena, (count + 1) * sizeof *own_actors);
    memcpy(own_actors, actors, count * sizeof *actors);
    input->tenant = call->tenant;
    input->actors = own_actors;
    input->count = count;
    input->forget = !pseudonyms;
    struct id *proposed = arena_alloc(&op->arena, (count + 1) * sizeof *proposed);
    if (pseudonyms)
        memcpy(proposed, pseudonyms, count * sizeof *pseudonyms);
    input->proposed = proposed;
    input->pseudonyms = arena_alloc(&op->arena, (count + 1) * sizeof *input->pseudonyms);
    op->run = run_actors;
    op->input = input;
    enum code code = store_sqlite_submit(store, op, call->remaining_ms, err);
    if (code == CODE_OK && pseudonyms)
        memcpy(pseudonyms, input->pseudonyms, count * sizeof *pseudonyms);
    store_sqlite_release(store, op);
    return code;
}

enum code store_sqlite_actors(struct store *store, const struct store_call *call,
                              const struct store_actor *actors, struct id *pseudonyms, size_t count,
                              struct error *err)
{
    return submit(store, call, actors, pseudonyms, count, err);
}

enum code store_sqlite_actor_forget(struct store *store, const struct store_call *call,
                                    const struct store_actor *actor, struct error *err)
{
    return submit(store, call, actor, NULL, 1, err);
}
