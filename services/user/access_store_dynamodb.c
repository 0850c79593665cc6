/* Opening, closing, and the state that every change of plans and keys moves on. */
#include "user/access_store_dynamodb_internal.h"

#include "base/alloc.h"

struct str access_pk(struct arena *arena, uint32_t tenant, const char *what)
{
    return str_of(arena_printf(arena, "%u/access/%s", tenant, what));
}

struct dynamodb_key access_hash_key(struct arena *arena, uint32_t tenant, const char *what,
                                    struct str bytes)
{
    struct str hash = dynamodb_hash_text(arena, bytes);
    return (struct dynamodb_key){
        str_of(arena_printf(arena, "%u/access/%s/%.*s", tenant, what, STR_ARG(hash))), STR("-")};
}

/* --- state --- */

struct dynamodb_key access_state_key(struct arena *arena, uint32_t tenant)
{
    return (struct dynamodb_key){str_of(arena_printf(arena, "%u/access", tenant)), STR("state")};
}

struct access_state access_read_state(const struct json_value *item)
{
    return (struct access_state){(uint64_t)dynamodb_number(item, "v"), dynamodb_number(item, "k"),
                                 dynamodb_number(item, "n")};
}

void access_put_state(struct access_dynamodb *store, struct dynamodb_write *tx, struct arena *arena,
                      uint32_t tenant, const struct access_state *before, int keys, int plans)
{
    int64_t version = (int64_t)before->version + 1, now_us = clock_wall_us(store->clock);
    dynamodb_write_put_begin(tx, access_state_key(arena, tenant));
    dynamodb_put_n(&tx->json, "v", version > now_us ? version : now_us);
    dynamodb_put_n(&tx->json, "k", before->keys + keys);
    dynamodb_put_n(&tx->json, "n", before->plans + plans);
    dynamodb_write_put_end(tx, dynamodb_if_n("v = :n", (int64_t)before->version));
}

static enum code read_version(struct access_store *base, const struct store_call *call,
                              uint64_t *version, struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct arena arena = {0};
    struct dynamodb_key key = access_state_key(&arena, call->tenant);
    const struct json_value *item;
    enum code code =
        dynamodb_fetch(&store->table.ops, &key, 1,
                       dynamodb_until(&store->table.ops, call->remaining_ms), &arena, &item, err);
    if (code == CODE_OK)
        *version = access_read_state(item).version;
    arena_clear(&arena);
    return code;
}

/* --- opening --- */

/* A new table's first version is the time: no other's is the same. */
static enum code put_first_state(struct access_dynamodb *store, struct error *err)
{
    enum { OPEN_MS = 30000 };
    struct arena arena = {0};
    struct dynamodb_write tx;
    struct dynamodb_refusal refusal;
    dynamodb_write_begin(&tx, &store->table.ops, &arena);
    dynamodb_write_put_begin(&tx, access_state_key(&arena, STORE_TENANT));
    dynamodb_put_n(&tx.json, "v", clock_wall_us(store->clock));
    dynamodb_write_put_end(&tx, dynamodb_if("attribute_not_exists(pk)"));
    enum code code =
        dynamodb_write_run(&tx, dynamodb_until(&store->table.ops, OPEN_MS), &arena, &refusal, err);
    arena_clear(&arena);
    if (code != CODE_ABORTED)
        return code;
    error_clear(err); /* it is not new */
    return CODE_OK;
}

static void free_store(struct access_store *base)
{
    xfree(base);
}

static const struct access_store_vtable VTABLE = {
    .put_plan = access_dynamodb_put_plan,
    .get_plan = access_dynamodb_get_plan,
    .list_plans = access_dynamodb_list_plans,
    .create_key = access_dynamodb_create_key,
    .get_key = access_dynamodb_get_key,
    .list_keys = access_dynamodb_list_keys,
    .change_key = access_dynamodb_change_key,
    .version = read_version,
    .snapshot = access_dynamodb_snapshot,
    .get_quota = access_dynamodb_get_quota,
    .put_quota = access_dynamodb_put_quota,
    .free = free_store,
};

enum code access_store_dynamodb_open(const struct access_store_dynamodb_options *options,
                                     struct access_store **out, struct error *err)
{
    struct access_dynamodb *store = xcalloc(1, sizeof *store);
    store->base.vtable = &VTABLE;
    store->clock = options->clock;
    store_table_init(&store->table, &options->port, options->table, options->clock);
    if (put_first_state(store, err) != CODE_OK) {
        xfree(store);
        return err->code;
    }
    *out = &store->base;
    return CODE_OK;
}
