/* Keys: an item each, all in one partition, in the order of their ids. */
#include "user/access_store_dynamodb_internal.h"

#include "user/access_refusals.h"

#include <string.h>

enum { PAGE_ITEMS = 1000, TTL_SLACK_S = 3600 };

static struct item_key key_key(struct arena *arena, uint32_t tenant, struct id id)
{
    char *text = arena_alloc(arena, ID_TEXT_BYTES + 1);
    id_format(id, text);
    return (struct item_key){access_pk(arena, tenant, "keys"), {text, ID_TEXT_BYTES}};
}

static enum code read_key(const struct json_value *item, struct arena *arena,
                          struct access_key *key, struct error *err)
{
    struct str prefix = item_s(item, "prefix");
    memset(key, 0, sizeof *key);
    if (!id_parse(item_s(item, "sk"), &key->id) || prefix.len > ACCESS_PREFIX_CHARS ||
        !access_key_unpack_secrets(item_b(item, "secrets", arena), key))
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored key is damaged");
    memcpy(key->prefix, prefix.ptr, prefix.len);
    key->name = arena_str(arena, item_s(item, "name"));
    key->plan_id = arena_str(arena, item_s(item, "plan_id"));
    key->is_public = item_n(item, "public") != 0;
    key->create_us = item_n(item, "create_us");
    key->rotate_us = item_n(item, "rotate_us");
    key->expire_us = item_n(item, "expire_us");
    key->disable_us = item_n(item, "disable_us");
    key->version = (uint64_t)item_n(item, "v");
    return CODE_OK;
}

static int put_key(struct transaction *tx, struct arena *arena, uint32_t tenant,
                   const struct access_key *key, const struct condition *condition)
{
    uint8_t secrets[ACCESS_SECRETS_BYTES];
    int action = transaction_put_begin(tx, key_key(arena, tenant, key->id));
    item_put_s(&tx->json, "name", key->name);
    item_put_s(&tx->json, "plan_id", key->plan_id);
    item_put_n(&tx->json, "public", key->is_public);
    item_put_n(&tx->json, "create_us", key->create_us);
    item_put_n(&tx->json, "rotate_us", key->rotate_us);
    item_put_n(&tx->json, "expire_us", key->expire_us);
    item_put_n(&tx->json, "disable_us", key->disable_us);
    item_put_s(&tx->json, "prefix", str_of(key->prefix));
    item_put_b(&tx->json, "secrets", access_key_pack_secrets(key, secrets));
    item_put_n(&tx->json, "v", (int64_t)key->version);
    transaction_put_end(tx, condition);
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
    change->until_ms = dynamodb_until(&store->table, call->remaining_ms);
}

static struct item_key once_key(struct change *change)
{
    return access_hash_key(&change->arena, change->tenant, "o", change->once->request_id);
}

/* All that a change depends on, in one request. */
static enum code look(struct change *change, struct error *err)
{
    struct arena *arena = &change->arena;
    const struct json_value *items[4] = {0};
    struct item_key keys[4] = {
        access_state_key(arena, change->tenant),
        access_plan_key(arena, change->tenant, change->key->plan_id),
        key_key(arena, change->tenant, change->key->id),
    };
    if (change->once)
        keys[3] = once_key(change);
    if (dynamodb_fetch(&change->store->table, keys, change->once ? 4 : 3, change->until_ms, arena,
                       items, err) != CODE_OK)
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
    if (!change->made || item_n(change->made, "x") <= clock_wall_ms(change->store->clock))
        return CODE_OK;
    (void)id_parse(item_s(change->made, "k"), &made);
    return access_refuse_made_before(change->once, item_b(change->made, "h", &change->arena), made,
                                     err);
}

static void put_once(struct change *change, struct transaction *tx)
{
    int64_t now_ms = clock_wall_ms(change->store->clock);
    int64_t forget_ms = now_ms + STORE_IDEMPOTENCY_MS;
    if (!change->once)
        return;
    transaction_put_begin(tx, once_key(change));
    item_put_b(&tx->json, "h", (struct str){(const char *)change->once->hash, STORE_HASH_BYTES});
    item_put_s(&tx->json, "k", key_key(&change->arena, change->tenant, change->key->id).sk);
    item_put_n(&tx->json, "x", forget_ms);
    item_put_n(&tx->json, "ttl", forget_ms / 1000 + TTL_SLACK_S);
    transaction_put_end(tx, &(struct condition){.expression = "attribute_not_exists(pk) OR x <= :n",
                                                .n = now_ms,
                                                .has_n = true});
}

/* *again: something was faster, and it has to be looked at anew. */
static enum code commit(struct change *change, struct transaction *tx, int n, bool *again,
                        struct error *err)
{
    struct dynamodb_refusal refusal;
    bool unsure;
    enum code code = transaction_run(tx, change->until_ms, &change->arena, &refusal, &unsure, err);
    *again = code == CODE_ABORTED;
    if (!*again)
        return code;
    error_clear(err);
    return dynamodb_pause(&change->store->table, n, change->until_ms, err);
}

static enum code create(struct change *change, struct error *err)
{
    struct access_key first = *change->key;
    bool again = true;
    first.version = 1;
    for (int n = 0; again; n++) {
        struct transaction tx;
        if (look(change, err) != CODE_OK || check_once(change, err) != CODE_OK)
            return err->code;
        if (change
                ->old) /* by an attempt of ours whose answer was lost: ids are never given twice */
            return CODE_OK;
        if (!change->plan)
            return access_refuse_plan_of_key(change->key->plan_id, err);
        if (change->state.keys >= ACCESS_KEYS_MAX)
            return access_refuse_more_keys(err);
        transaction_begin(&tx, &change->store->table, &change->arena);
        put_key(&tx, &change->arena, change->tenant, &first,
                &(struct condition){.expression = "attribute_not_exists(pk)"});
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
        struct transaction tx;
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
        transaction_begin(&tx, &change->store->table, &change->arena);
        put_key(
            &tx, &change->arena, change->tenant, &now,
            &(struct condition){.expression = "v = :n", .n = (int64_t)old.version, .has_n = true});
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
    struct item_key at = key_key(arena, call->tenant, id);
    const struct json_value *item;
    if (dynamodb_fetch(&store->table, &at, 1, dynamodb_until(&store->table, call->remaining_ms),
                       arena, &item, err) != CODE_OK)
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
    struct query query = {.pk = access_pk(arena, call->tenant, "keys"), .from = after};
    int64_t until_ms = dynamodb_until(&store->table, call->remaining_ms);
    const struct json_value *items;
    *count = 0;
    *more = false;
    do {
        if (dynamodb_query(&store->table, &query, PAGE_ITEMS, until_ms, arena, &items, err) !=
            CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item; item = item->next) {
            if (str_eq(item_s(item, "sk"), after) || (good_only && item_n(item, "disable_us")))
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

/* The version is read first: what changes meanwhile is newer than it says. */
enum code access_dynamodb_snapshot(struct access_store *base, const struct store_call *call,
                                   struct arena *arena, struct access_snapshot *snapshot,
                                   struct error *err)
{
    bool more;
    snapshot->keys = arena_alloc(arena, ACCESS_KEYS_MAX * sizeof *snapshot->keys);
    if (base->vtable->version(base, call, &snapshot->version, err) != CODE_OK ||
        access_dynamodb_list_plans(base, call, arena, &snapshot->plans, &snapshot->plan_count,
                                   err) != CODE_OK)
        return err->code;
    return read_keys((struct access_dynamodb *)base, call, STR(""), ACCESS_KEYS_MAX, true, arena,
                     snapshot->keys, &snapshot->key_count, &more, err);
}
