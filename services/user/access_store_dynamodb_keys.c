/* Keys: an item each, all in one partition, in the order of their ids. */
#include "user/access_store_dynamodb_internal.h"

#include "user/access_refusals.h"

#include <string.h>

enum { PAGE_ITEMS = 1000, TTL_SLACK_S = 3600 };

static struct dynamodb_key key_key(struct arena *arena, uint32_t tenant, struct id id)
{
    return (struct dynamodb_key){access_pk(arena, tenant, "keys"), dynamodb_id_text(arena, id)};
}

static enum code read_key(const struct json_value *item, struct arena *arena,
                          struct access_key *key, struct error *err)
{
    struct str prefix = dynamodb_text(item, "prefix");
    memset(key, 0, sizeof *key);
    if (!id_parse(dynamodb_text(item, "sk"), &key->id) || prefix.len > ACCESS_PREFIX_CHARS ||
        !access_key_unpack_secrets(dynamodb_bytes(item, "secrets", arena), key))
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored key is damaged");
    memcpy(key->prefix, prefix.ptr, prefix.len);
    key->name = arena_str(arena, dynamodb_text(item, "name"));
    key->plan_id = arena_str(arena, dynamodb_text(item, "plan_id"));
    key->is_public = dynamodb_number(item, "public") != 0;
    key->create_us = dynamodb_number(item, "create_us");
    key->rotate_us = dynamodb_number(item, "rotate_us");
    key->expire_us = dynamodb_number(item, "expire_us");
    key->disable_us = dynamodb_number(item, "disable_us");
    key->version = (uint64_t)dynamodb_number(item, "v");
    return CODE_OK;
}

static int put_key(struct dynamodb_write *tx, struct arena *arena, uint32_t tenant,
                   const struct access_key *key, struct dynamodb_condition condition)
{
    uint8_t secrets[ACCESS_SECRETS_BYTES];
    int action = dynamodb_write_put_begin(tx, key_key(arena, tenant, key->id));
    dynamodb_put_s(&tx->json, "name", key->name);
    dynamodb_put_s(&tx->json, "plan_id", key->plan_id);
    dynamodb_put_n(&tx->json, "public", key->is_public);
    dynamodb_put_n(&tx->json, "create_us", key->create_us);
    dynamodb_put_n(&tx->json, "rotate_us", key->rotate_us);
    dynamodb_put_n(&tx->json, "expire_us", key->expire_us);
    dynamodb_put_n(&tx->json, "disable_us", key->disable_us);
    dynamodb_put_s(&tx->json, "prefix", str_of(key->prefix));
    dynamodb_put_b(&tx->json, "secrets", access_key_pack_secrets(key, secrets));
    dynamodb_put_n(&tx->json, "v", (int64_t)key->version);
    dynamodb_write_put_end(tx, condition);
    return action;
}

/* --- writing --- */

struct change {
    struct access_dynamodb *store;
    uint32_t tenant;
    const struct access_key *key;
    const struct store_once *once;
    int64_t until_ms;
    struct arena arena;
    struct access_state state;
    const struct json_value *plan, *old, *made; /* as read; NULL: there is none */
};

static void change_init(struct change *change, struct access_store *base,
                        const struct store_call *call, const struct access_key *key,
                        const struct store_once *once)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    *change = (struct change){.store = store, .tenant = call->tenant, .key = key, .once = once};
    change->until_ms = dynamodb_until(&store->table.ops, call->remaining_ms);
}

static struct dynamodb_key once_key(struct change *change)
{
    return access_hash_key(&change->arena, change->tenant, "o", change->once->request_id);
}

/* All that a change depends on, in one request. */
static enum code look(struct change *change, struct error *err)
{
    struct arena *arena = &change->arena;
    const struct json_value *items[4] = {0};
    struct dynamodb_key keys[4] = {
        access_state_key(arena, change->tenant),
        access_plan_key(arena, change->tenant, change->key->plan_id),
        key_key(arena, change->tenant, change->key->id),
    };
    if (change->once)
        keys[3] = once_key(change);
    if (dynamodb_fetch(&change->store->table.ops, keys, change->once ? 4 : 3, change->until_ms,
                       arena, items, err) != CODE_OK)
        return err->code;
    change->state = access_read_state(items[0]);
    change->plan = items[1];
    change->old = items[2];
    change->made = items[3];
    return CODE_OK;
}

/* Refuses what was done before. */
static enum code check_once(struct change *change, struct error *err)
{
    struct id made = {0};
    if (!change->made || dynamodb_number(change->made, "x") <= clock_wall_ms(change->store->clock))
        return CODE_OK;
    (void)id_parse(dynamodb_text(change->made, "k"), &made);
    return access_refuse_made_before(change->once,
                                     dynamodb_bytes(change->made, "h", &change->arena), made, err);
}

static void put_once(struct change *change, struct dynamodb_write *tx)
{
    int64_t now_ms = clock_wall_ms(change->store->clock);
    int64_t forget_ms = now_ms + STORE_IDEMPOTENCY_MS;
    if (!change->once)
        return;
    dynamodb_write_put_begin(tx, once_key(change));
    dynamodb_put_b(&tx->json, "h",
                   (struct str){(const char *)change->once->hash, STORE_HASH_BYTES});
    dynamodb_put_s(&tx->json, "k", key_key(&change->arena, change->tenant, change->key->id).sk);
    dynamodb_put_n(&tx->json, "x", forget_ms);
    dynamodb_put_n(&tx->json, "ttl", forget_ms / 1000 + TTL_SLACK_S);
    dynamodb_write_put_end(tx, dynamodb_if_n("attribute_not_exists(pk) OR x <= :n", now_ms));
}

/* *again: something was faster, and it has to be looked at anew. */
static enum code commit(struct change *change, struct dynamodb_write *tx, int n, bool *again,
                        struct error *err)
{
    struct dynamodb_refusal refusal;
    enum code code = dynamodb_write_run(tx, change->until_ms, &change->arena, &refusal, err);
    *again = code == CODE_ABORTED;
    if (!*again)
        return code;
    error_clear(err);
    return dynamodb_pause(&change->store->table.ops, n, change->until_ms, err);
}

static enum code create(struct change *change, struct error *err)
{
    struct access_key first = *change->key;
    bool again = true;
    first.version = 1;
    for (int n = 0; again; n++) {
        struct dynamodb_write tx;
        if (look(change, err) != CODE_OK || check_once(change, err) != CODE_OK)
            return err->code;
        if (change
                ->old) /* by an attempt of ours whose answer was lost: ids are never given twice */
            return CODE_OK;
        if (!change->plan)
            return access_refuse_plan_of_key(change->key->plan_id, err);
        if (change->state.keys >= ACCESS_KEYS_MAX)
            return access_refuse_more_keys(err);
        dynamodb_write_begin(&tx, &change->store->table.ops, &change->arena);
        put_key(&tx, &change->arena, change->tenant, &first,
                dynamodb_if("attribute_not_exists(pk)"));
        put_once(change, &tx);
        access_put_state(change->store, &tx, &change->arena, change->tenant, &change->state, 1, 0);
        if (commit(change, &tx, n, &again, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

enum code access_dynamodb_create_key(struct access_store *base, const struct store_call *call,
                                     const struct access_key *key, const struct store_once *once,
                                     struct error *err)
{
    struct change change;
    change_init(&change, base, call, key, once);
    enum code code = create(&change, err);
    arena_clear(&change.arena);
    return code;
}

static enum code replace(struct change *change, struct error *err)
{
    bool again = true;
    for (int n = 0; again; n++) {
        struct dynamodb_write tx;
        struct access_key old, now = *change->key;
        if (look(change, err) != CODE_OK)
            return err->code;
        if (!change->old)
            return access_refuse_unknown_key(err);
        if (read_key(change->old, &change->arena, &old, err) != CODE_OK)
            return err->code;
        if (old.version != now.version)
            return access_refuse_changed_key(err);
        if (!change->plan)
            return access_refuse_plan_of_key(now.plan_id, err);
        now.is_public = old.is_public;
        now.create_us = old.create_us;
        now.version++;
        dynamodb_write_begin(&tx, &change->store->table.ops, &change->arena);
        put_key(&tx, &change->arena, change->tenant, &now,
                dynamodb_if_n("v = :n", (int64_t)old.version));
        access_put_state(change->store, &tx, &change->arena, change->tenant, &change->state,
                         (old.disable_us != 0) - (now.disable_us != 0), 0);
        if (commit(change, &tx, n, &again, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

enum code access_dynamodb_change_key(struct access_store *base, const struct store_call *call,
                                     const struct access_key *key, struct error *err)
{
    struct change change;
    change_init(&change, base, call, key, NULL);
    enum code code = replace(&change, err);
    arena_clear(&change.arena);
    return code;
}

/* --- reading --- */

enum code access_dynamodb_get_key(struct access_store *base, const struct store_call *call,
                                  struct id id, struct arena *arena, struct access_key *key,
                                  struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct dynamodb_key at = key_key(arena, call->tenant, id);
    const struct json_value *item;
    if (dynamodb_fetch(&store->table.ops, &at, 1,
                       dynamodb_until(&store->table.ops, call->remaining_ms), arena, &item,
                       err) != CODE_OK)
        return err->code;
    if (!item)
        return access_refuse_unknown_key(err);
    return read_key(item, arena, key, err);
}

/* Keys behind `after` (empty: all), at most `max`. */
static enum code read_keys(struct access_dynamodb *store, const struct store_call *call,
                           struct str after, size_t max, bool good_only, struct arena *arena,
                           struct access_key *keys, size_t *count, bool *more, struct error *err)
{
    struct dynamodb_query query = {.pk = access_pk(arena, call->tenant, "keys"), .from = after};
    int64_t until_ms = dynamodb_until(&store->table.ops, call->remaining_ms);
    const struct json_value *items;
    *count = 0;
    *more = false;
    do {
        if (dynamodb_page(&store->table.ops, &query, PAGE_ITEMS, until_ms, arena, &items, err) !=
            CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item; item = item->next) {
            if (str_eq(dynamodb_text(item, "sk"), after) ||
                (good_only && dynamodb_number(item, "disable_us")))
                continue;
            *more = *count == max;
            if (*more)
                return CODE_OK;
            if (read_key(item, arena, &keys[(*count)++], err) != CODE_OK)
                return err->code;
        }
    } while (query.start.len);
    return CODE_OK;
}

enum code access_dynamodb_list_keys(struct access_store *base, const struct store_call *call,
                                    const struct id *after, size_t limit, struct arena *arena,
                                    struct access_key_page *page, struct error *err)
{
    struct str start = after ? key_key(arena, call->tenant, *after).sk : STR("");
    page->keys = arena_alloc(arena, (limit + 1) * sizeof *page->keys);
    return read_keys((struct access_dynamodb *)base, call, start, limit, false, arena, page->keys,
                     &page->count, &page->more, err);
}

/* The version is read first: what changes meanwhile is newer than it says. The plans are read last:
 * none is ever deleted, so that of each key is among them, whatever a replica makes meanwhile. */
enum code access_dynamodb_snapshot(struct access_store *base, const struct store_call *call,
                                   struct arena *arena, struct access_snapshot *snapshot,
                                   struct error *err)
{
    bool more;
    snapshot->keys = arena_alloc(arena, ACCESS_KEYS_MAX * sizeof *snapshot->keys);
    if (base->vtable->version(base, call, &snapshot->version, err) != CODE_OK ||
        read_keys((struct access_dynamodb *)base, call, STR(""), ACCESS_KEYS_MAX, true, arena,
                  snapshot->keys, &snapshot->key_count, &more, err) != CODE_OK)
        return err->code;
    return access_dynamodb_list_plans(base, call, arena, &snapshot->plans, &snapshot->plan_count,
                                      err);
}
