/* Pseudonyms: an item each, put where there is none, so that two who propose at once agree. */
#include "user/store_dynamodb_internal.h"

static struct dynamodb_key actor_key(struct arena *arena, uint32_t tenant,
                                     const struct store_actor *actor)
{
    return dynamodb_hash_key(arena, tenant, 'a',
                             (struct str){(const char *)actor->hash, STORE_HASH_BYTES});
}

/* Takes what is known; the numbers of the others go to `unknown`. */
static enum code find(struct store_dynamodb *store, const struct dynamodb_key *keys,
                      struct id *pseudonyms, size_t count, int64_t until_ms, struct arena *arena,
                      size_t *unknown, size_t *unknown_count, struct error *err)
{
    const struct json_value **items = arena_alloc(arena, (count + 1) * sizeof *items);
    *unknown_count = 0;
    if (dynamodb_fetch(&store->table.ops, keys, count, until_ms, arena, items, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < count; i++) {
        if (!items[i])
            unknown[(*unknown_count)++] = i;
        else if (!id_parse(dynamodb_text(items[i], "p"), &pseudonyms[i]))
            return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT",
                             "a stored pseudonym is damaged");
    }
    return CODE_OK;
}

static enum code resolve(struct store_dynamodb *store, const struct dynamodb_key *keys,
                         struct id *pseudonyms, size_t count, int64_t until_ms, struct arena *arena,
                         struct error *err)
{
    size_t *unknown = arena_alloc(arena, (count + 1) * sizeof *unknown), left;
    for (int n = 0;; n++) {
        struct dynamodb_write tx;
        struct dynamodb_refusal refusal;
        if (find(store, keys, pseudonyms, count, until_ms, arena, unknown, &left, err) != CODE_OK)
            return err->code;
        if (!left)
            return CODE_OK;
        dynamodb_write_begin(&tx, &store->table.ops, arena);
        for (size_t i = 0; i < left; i++) {
            dynamodb_write_put_begin(&tx, keys[unknown[i]]);
            dynamodb_put_s(&tx.json, "p", dynamodb_id_text(arena, pseudonyms[unknown[i]]));
            dynamodb_write_put_end(&tx, dynamodb_if("attribute_not_exists(pk)"));
        }
        if (dynamodb_write_run(&tx, until_ms, arena, &refusal, err) != CODE_ABORTED)
            return err->code;
        error_clear(err); /* somebody else has just put one */
        if (dynamodb_pause(&store->table.ops, n, until_ms, err) != CODE_OK)
            return err->code;
    }
}

enum code store_dynamodb_actors(struct store *base, const struct store_call *call,
                                const struct store_actor *actors, struct id *pseudonyms,
                                size_t count, struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    int64_t until_ms = dynamodb_until(&store->table.ops, call->remaining_ms);
    struct arena arena = {0};
    struct dynamodb_key *keys = arena_alloc(&arena, (count + 1) * sizeof *keys);
    struct id *known = arena_alloc(&arena, (count + 1) * sizeof *known);
    enum code code = CODE_OK;
    for (size_t i = 0; i < count; i++) {
        keys[i] = actor_key(&arena, call->tenant, &actors[i]);
        known[i] = pseudonyms[i];
    }
    for (size_t at = 0; code == CODE_OK && at < count; at += DYNAMODB_WRITE_MAX) {
        size_t some = count - at < DYNAMODB_WRITE_MAX ? count - at : DYNAMODB_WRITE_MAX;
        code = resolve(store, keys + at, known + at, some, until_ms, &arena, err);
    }
    for (size_t i = 0; code == CODE_OK && i < count; i++)
        pseudonyms[i] = known[i];
    arena_clear(&arena);
    return code;
}

enum code store_dynamodb_actor_forget(struct store *base, const struct store_call *call,
                                      const struct store_actor *actor, struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    struct arena arena = {0};
    struct dynamodb_refusal refusal;
    enum code code = dynamodb_delete(
        &store->table.ops, actor_key(&arena, call->tenant, actor), dynamodb_if(NULL),
        dynamodb_until(&store->table.ops, call->remaining_ms), &arena, &refusal, err);
    arena_clear(&arena);
    return code;
}
