/*
 * Sealing: events of one hour become a batch that never changes again. The transaction puts the
 * batch, counts it, and lists the events that are in it; deleting these takes as many requests as
 * it takes, and the list stays until it is done, so that nothing is ever in two batches.
 */
#include "user/store_dynamodb_outbox.h"

#include "user/event.h"

#include <string.h>

enum { DELETES_AT_ONCE = 25 };

struct dynamodb_key outbox_sweep_key(struct arena *arena, int shard)
{
    return (struct dynamodb_key){dynamodb_shard_pk(arena, STORE_TENANT, 's', shard), STR("-")};
}

/* --- sweeping --- */

/* The body of a BatchWriteItem that deletes these events. */
static struct str deletes(struct store_dynamodb *store, int shard, const struct id *ids,
                          size_t count, struct arena *arena)
{
    struct buf body;
    buf_init_arena(&body, arena, DYNAMODB_BODY_MAX);
    struct json_out json = json_out_to(&body);
    json_object_begin(&json);
    json_key(&json, STR("RequestItems"));
    json_object_begin(&json);
    json_key(&json, str_of(store->table.ops.table));
    json_array_begin(&json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&json);
        json_key(&json, STR("DeleteRequest"));
        json_object_begin(&json);
        json_key(&json, STR("Key"));
        json_object_begin(&json);
        dynamodb_put_key(&json, outbox_batch_key(arena, 'q', shard, ids[i]));
        json_object_end(&json);
        json_object_end(&json);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    json_object_end(&json);
    return buf_str(&body);
}

/* What DynamoDB did not get to is told by its key. */
static size_t left_over(struct store_dynamodb *store, const struct json_value *answer,
                        struct id *ids)
{
    const struct json_value *left =
        json_get(json_get(answer, STR("UnprocessedItems")), str_of(store->table.ops.table));
    size_t count = 0;
    for (const struct json_value *one = left ? left->first : NULL; one && count < DELETES_AT_ONCE;
         one = one->next) {
        const struct json_value *key = json_get(json_get(one, STR("DeleteRequest")), STR("Key"));
        count += id_parse(dynamodb_text(key, "sk"), &ids[count]);
    }
    return count;
}

static enum code delete_events(struct store_dynamodb *store, int shard, struct str members,
                               int64_t until_ms, struct arena *arena, struct error *err)
{
    struct id ids[DELETES_AT_ONCE];
    while (members.len >= sizeof *ids) {
        size_t count = members.len / sizeof *ids;
        if (count > DELETES_AT_ONCE)
            count = DELETES_AT_ONCE;
        memcpy(ids, members.ptr, count * sizeof *ids);
        members = str_from(members, count * sizeof *ids);
        for (int attempt = 0; count; attempt++) {
            struct dynamodb_refusal refusal;
            const struct json_value *answer;
            struct str body = deletes(store, shard, ids, count, arena);
            if (attempt && dynamodb_pause(&store->table.ops, attempt, until_ms, err) != CODE_OK)
                return err->code;
            if (dynamodb_do(&store->table.ops, "BatchWriteItem", body, until_ms, arena, &answer,
                            &refusal, err) != CODE_OK)
                return err->code;
            count = left_over(store, answer, ids);
        }
    }
    return CODE_OK;
}

/* Only while it is the list of these members: who has lost the lease meanwhile leaves his
 * successor's alone. */
static enum code drop_list(struct store_dynamodb *store, struct dynamodb_key key,
                           struct str members, int64_t until_ms, struct arena *arena, bool *dropped,
                           struct error *err)
{
    const struct dynamodb_condition same = {"m = :m", .a = dynamodb_b(":m", members)};
    struct dynamodb_refusal refusal;
    enum code code = dynamodb_delete(&store->table.ops, key, same, until_ms, arena, &refusal, err);
    *dropped = code == CODE_OK;
    if (*dropped || !dynamodb_condition_failed(&refusal))
        return code;
    error_clear(err);
    return CODE_OK;
}

enum code outbox_sweep(struct store_dynamodb *store, int shard, int64_t until_ms, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_key key = outbox_sweep_key(&arena, shard);
    const struct json_value *item;
    bool swept = true;
    enum code code = dynamodb_fetch(&store->table.ops, &key, 1, until_ms, &arena, &item, err);
    if (code == CODE_OK && item) {
        struct str members = dynamodb_bytes(item, "m", &arena);
        code = delete_events(store, shard, members, until_ms, &arena, err);
        if (code == CODE_OK)
            code = drop_list(store, key, members, until_ms, &arena, &swept, err);
    }
    if (code == CODE_OK && swept)
        store->shards[shard].unswept = false;
    arena_clear(&arena);
    return code;
}

/* --- sealing --- */

struct gathered {
    struct event_batch batch;
    struct buf members; /* the events' ids */
    int64_t bytes;
};

/* False: the batch is full. */
static bool take(struct gathered *gathered, const struct json_value *item, struct arena *arena)
{
    struct str event = dynamodb_bytes(item, "e", arena);
    struct id id;
    int64_t hour = dynamodb_number(item, "h");
    if (!gathered->batch.count)
        gathered->batch.hour = hour;
    if (hour != gathered->batch.hour || !id_parse(dynamodb_text(item, "sk"), &id))
        return true;
    if (!event_batch_add(&gathered->batch, event))
        return false;
    buf_add_mem(&gathered->members, id.bytes, sizeof id.bytes);
    gathered->bytes += (int64_t)event.len;
    return true;
}

/* Of the shard's first events, those of the first one's hour. */
static enum code gather(struct store_dynamodb *store, int shard, int64_t until_ms,
                        struct arena *arena, struct gathered *gathered, struct error *err)
{
    struct dynamodb_query query = {.pk = dynamodb_shard_pk(arena, STORE_TENANT, 'q', shard)};
    const struct json_value *items;
    size_t left = EVENT_BATCH_EVENTS_MAX;
    bool room = true;
    do {
        if (dynamodb_page(&store->table.ops, &query, left, until_ms, arena, &items, err) != CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item && room; item = item->next)
            room = take(gathered, item, arena);
        left -= items->count < left ? items->count : left;
    } while (room && left && query.start.len);
    return CODE_OK;
}

static enum code commit(struct store_dynamodb *store, int shard, struct gathered *gathered,
                        const struct store_batch *batch, int64_t until_ms, struct arena *arena,
                        bool *done, struct error *err)
{
    struct dynamodb_write tx;
    struct dynamodb_refusal refusal;
    dynamodb_write_begin(&tx, &store->table.ops, arena);
    dynamodb_write_put_begin(&tx, outbox_batch_key(arena, 'b', shard, batch->id));
    outbox_put_batch(&tx.json, batch);
    dynamodb_write_put_end(&tx, dynamodb_if(NULL));
    dynamodb_write_put_begin(&tx, outbox_sweep_key(arena, shard));
    dynamodb_put_b(&tx.json, "m", buf_str(&gathered->members));
    dynamodb_write_put_end(&tx, dynamodb_if("attribute_not_exists(pk)"));
    dynamodb_write_add(&tx, outbox_hour_key(arena, batch->hour, shard), 'e', batch->count);
    int lease = dynamodb_write_check(&tx, lease_key(arena, shard), lease_condition(store, shard));
    store->shards[shard].unswept = true; /* until it is known better */
    enum code code = dynamodb_write_run(&tx, until_ms, arena, &refusal, err);
    *done = code == CODE_OK;
    if (*done || code != CODE_ABORTED) {
        if (!*done && refusal.unsure)
            atomic_store(&store->unsure, true);
        return code;
    }
    error_clear(err);
    if (dynamodb_write_failed(&refusal, lease))
        lease_lost(store, shard);
    return CODE_OK;
}

static enum code seal_shard(struct store_dynamodb *store, int shard, int64_t until_ms,
                            size_t *sealed, struct error *err)
{
    struct arena arena = {0};
    struct gathered gathered = {0};
    struct buf body;
    bool done = false;
    if (store->shards[shard].unswept && outbox_sweep(store, shard, until_ms, err) != CODE_OK)
        return err->code;
    event_batch_init(&gathered.batch, store->clock, 0);
    buf_init_arena(&gathered.members, &arena, EVENT_BATCH_EVENTS_MAX * sizeof(struct id));
    buf_init_arena(&body, &arena, EVENT_BATCH_BYTES_MAX);
    enum code code = gather(store, shard, until_ms, &arena, &gathered, err);
    if (code == CODE_OK && gathered.batch.count) {
        event_batch_seal(&gathered.batch, &body);
        struct store_batch batch = {gathered.batch.id, gathered.batch.hour, gathered.batch.count,
                                    buf_str(&body)};
        code = commit(store, shard, &gathered, &batch, until_ms, &arena, &done, err);
        if (done) {
            struct error later = {0}; /* what is not deleted now is deleted before the next batch */
            *sealed = batch.count;
            outbox_sealed(store, &batch);
            atomic_fetch_sub(&store->bytes, gathered.bytes);
            atomic_fetch_sub(&store->unsealed, batch.count);
            (void)outbox_sweep(store, shard, until_ms, &later);
        }
    }
    event_batch_clear(&gathered.batch);
    arena_clear(&arena);
    return code;
}

enum code store_dynamodb_outbox_seal(struct store *base, size_t *sealed, struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS);
    enum code code = CODE_OK;
    *sealed = 0;
    pthread_mutex_lock(&store->outbox_lock);
    int64_t counted = atomic_load(&store->unsealed);
    int home = atomic_load(&store->home);
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS && code == CODE_OK && !*sealed; i++) {
        int shard = (home + i) % DYNAMODB_OUTBOX_SHARDS;
        if (store->shards[shard].held)
            code = seal_shard(store, shard, until_ms, sealed, err);
    }
    if (code == CODE_OK && !*sealed && counted) /* counted twice, or sealed before counted */
        atomic_fetch_sub(&store->unsealed, counted);
    pthread_mutex_unlock(&store->outbox_lock);
    return code;
}
