/* Reading by id: many at once, and all of them in order, merged from the shards they lie on. */
#include "user/store_dynamodb_internal.h"

#include "user/reasons.h"
#include "user/store_page.h"
#include "user/store_refusals.h"

#include <string.h>

enum code store_dynamodb_get_many(struct store *base, const struct store_call *call,
                                  const struct id *ids, size_t count, struct arena *arena,
                                  struct user **users, struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    return dynamodb_load_many(store, call->tenant, ids, count,
                              dynamodb_until(&store->table.ops, call->remaining_ms), arena, users,
                              err);
}

enum code dynamodb_load_many(struct store_dynamodb *store, uint32_t tenant, const struct id *ids,
                             size_t count, int64_t until_ms, struct arena *arena,
                             struct user **users, struct error *err)
{
    struct dynamodb_key *keys = arena_alloc(arena, (count + 1) * sizeof *keys);
    const struct json_value **items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        keys[i] = dynamodb_user_key(arena, tenant, ids[i]);
    if (dynamodb_fetch(&store->table.ops, keys, count, until_ms, arena, items, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < count; i++) {
        users[i] = NULL;
        if (!items[i])
            continue;
        users[i] = arena_alloc(arena, sizeof **users);
        if (item_user(items[i], arena, users[i], err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

enum code store_dynamodb_get(struct store *base, const struct store_call *call, struct id id,
                             struct arena *arena, struct user *user, struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    bool found;
    if (gather_get(store->gather, call, id, arena, user, &found, err) != CODE_OK)
        return err->code;
    if (!found)
        return store_refuse_unknown(err);
    return CODE_OK;
}

/* --- list --- */

/* A shard's users in order, as far as they were read. */
struct stream {
    struct dynamodb_query query;
    const struct json_value *next; /* NULL: read on, unless `end` */
    bool end;
};

static enum code fill(struct store_dynamodb *store, struct stream *stream, struct str after,
                      size_t limit, int64_t until_ms, struct arena *arena, struct error *err)
{
    const struct json_value *items;
    while (!stream->next && !stream->end) {
        if (dynamodb_page(&store->table.ops, &stream->query, limit, until_ms, arena, &items, err) !=
            CODE_OK)
            return err->code;
        stream->next = items->first;
        if (stream->next &&
            str_eq(dynamodb_text(stream->next, "sk"), after)) /* the position itself */
            stream->next = stream->next->next;
        stream->end = !stream->query.start.len;
    }
    return CODE_OK;
}

static enum code merge(struct store_dynamodb *store, struct stream *streams, struct str after,
                       size_t limit, int64_t until_ms, struct arena *arena, struct store_page *page,
                       struct error *err)
{
    size_t at_once = limit / DYNAMODB_USER_SHARDS * 3 / 2 + 4;
    struct user user;
    for (;;) {
        struct stream *least = NULL;
        for (int i = 0; i < DYNAMODB_USER_SHARDS; i++) {
            struct stream *stream = &streams[i];
            if (fill(store, stream, after, at_once, until_ms, arena, err) != CODE_OK)
                return err->code;
            if (stream->next && (!least || str_cmp(dynamodb_text(stream->next, "sk"),
                                                   dynamodb_text(least->next, "sk")) < 0))
                least = stream;
        }
        if (!least)
            return CODE_OK;
        if (item_user(least->next, arena, &user, err) != CODE_OK)
            return err->code;
        if (!store_page_add(page, limit, &user))
            break;
        least->next = least->next->next;
    }
    const struct id *last = &page->users[page->count - 1].id;
    page->next = arena_str(arena, (struct str){(const char *)last->bytes, sizeof last->bytes});
    return CODE_OK;
}

enum code store_dynamodb_list(struct store *base, const struct store_call *call, struct str after,
                              size_t limit, struct arena *arena, struct store_page *page,
                              struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    struct stream streams[DYNAMODB_USER_SHARDS] = {0};
    struct str from = {0};
    struct id id;
    *page = (struct store_page){.users = arena_alloc(arena, (limit + 1) * sizeof *page->users)};
    if (after.len && after.len != sizeof id)
        return error_set(err, CODE_INVALID_ARGUMENT, REASON_PAGE_TOKEN_INVALID,
                         "this is no position in the list");
    if (after.len) {
        memcpy(id.bytes, after.ptr, sizeof id.bytes);
        from = dynamodb_id_text(arena, id);
    }
    for (int i = 0; i < DYNAMODB_USER_SHARDS; i++)
        streams[i].query = (struct dynamodb_query){
            .pk = dynamodb_shard_pk(arena, call->tenant, 'u', i),
            .from = from,
        };
    return merge(store, streams, from, limit, dynamodb_until(&store->table.ops, call->remaining_ms),
                 arena, page, err);
}
