/* The outbox's writes but for sealing: batches that come, leave, and are put aside. */
#include "user/store_dynamodb_outbox.h"

#include "user/reasons.h"

#include <string.h>

enum { FORGET_AT_ONCE = 40 };

struct dynamodb_key outbox_batch_key(struct arena *arena, char kind, int shard, struct id id)
{
    return (struct dynamodb_key){dynamodb_shard_pk(arena, STORE_TENANT, kind, shard),
                                 dynamodb_id_text(arena, id)};
}

struct dynamodb_key outbox_hour_key(struct arena *arena, int64_t hour, int shard)
{
    return (struct dynamodb_key){
        str_of(arena_printf(arena, "%d/c", STORE_TENANT)),
        str_of(arena_printf(arena, "%012lld/%02d", (long long)hour, shard)),
    };
}

void outbox_put_event(struct store_dynamodb *store, struct dynamodb_write *tx, struct arena *arena,
                      const struct store_event *event)
{
    struct id id = id_new(store->clock);
    dynamodb_write_put_begin(tx, outbox_batch_key(arena, 'q', atomic_load(&store->home), id));
    dynamodb_put_n(&tx->json, "h", event->hour);
    dynamodb_put_b(&tx->json, "e", event->bytes);
    dynamodb_write_put_end(tx, dynamodb_if(NULL));
}

void outbox_written(struct store_dynamodb *store, const struct store_event *event)
{
    atomic_fetch_add(&store->unsealed, 1); /* first: see store_dynamodb_line.c */
    atomic_fetch_add(&store->events, 1);
    atomic_fetch_add(&store->bytes, (int64_t)event->bytes.len);
}

void outbox_put_batch(struct json_out *json, const struct store_batch *batch)
{
    dynamodb_put_n(json, "h", batch->hour);
    dynamodb_put_n(json, "n", batch->count);
    dynamodb_put_n(json, "z", (int64_t)batch->body.len);
    dynamodb_put_b(json, "b", batch->body);
}

void outbox_sealed(struct store_dynamodb *store, const struct store_batch *batch)
{
    int64_t none = 0;
    atomic_fetch_add(&store->bytes, (int64_t)batch->body.len);
    atomic_compare_exchange_strong(&store->oldest_ms, &none, id_time_ms(batch->id));
}

/* --- adding --- */

static enum code outbox_add(struct store *base, const struct store_batch *batches, size_t count,
                            struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    struct arena arena = {0};
    struct dynamodb_write tx;
    struct dynamodb_refusal refusal;
    int home = atomic_load(&store->home);
    if (!count)
        return CODE_OK;
    pthread_mutex_lock(&store->outbox_lock);
    dynamodb_write_begin(&tx, &store->table.ops, &arena);
    for (size_t i = 0; i < count; i++) {
        int64_t counted = 0;
        bool again = false;
        dynamodb_write_put_begin(&tx, outbox_batch_key(&arena, 'b', home, batches[i].id));
        outbox_put_batch(&tx.json, &batches[i]);
        dynamodb_write_put_end(&tx, dynamodb_if(NULL));
        for (size_t k = 0; k < count; k++) {
            again = again || (k < i && batches[k].hour == batches[i].hour);
            counted += batches[k].hour == batches[i].hour ? batches[k].count : 0;
        }
        if (!again)
            dynamodb_write_add(&tx, outbox_hour_key(&arena, batches[i].hour, home), 'e', counted);
    }
    enum code code = dynamodb_write_run(
        &tx, dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS), &arena, &refusal, err);
    for (size_t i = 0; code == CODE_OK && i < count; i++) {
        outbox_sealed(store, &batches[i]);
        atomic_fetch_add(&store->events, batches[i].count);
    }
    if (code != CODE_OK && refusal.unsure)
        atomic_store(&store->unsure, true);
    pthread_mutex_unlock(&store->outbox_lock);
    arena_clear(&arena);
    return code;
}

/* --- finding a batch --- */

struct found_batch {
    struct handed_out facts;
    bool aside;
    const struct json_value *item; /* NULL: known without looking */
};

static struct handed_out *handed_out(struct store_dynamodb *store, struct id id)
{
    for (size_t i = 0; i < DYNAMODB_HANDED_OUT; i++)
        if (store->handed_out[i].count && memcmp(&store->handed_out[i].id, &id, sizeof id) == 0)
            return &store->handed_out[i];
    return NULL;
}

/* Looks at every shard held, in line and aside; *there: it was found. */
static enum code look_for(struct store_dynamodb *store, struct id id, int64_t until_ms,
                          struct arena *arena, struct found_batch *batch, bool *there,
                          struct error *err)
{
    enum { KEYS_MAX = 2 * DYNAMODB_OUTBOX_SHARDS };
    struct dynamodb_key keys[KEYS_MAX];
    const struct json_value *items[KEYS_MAX];
    int shards[KEYS_MAX];
    size_t count = 0;
    *there = false;
    for (int shard = 0; shard < DYNAMODB_OUTBOX_SHARDS; shard++) {
        if (!store->shards[shard].held)
            continue;
        for (int aside = 0; aside < 2; aside++) {
            keys[count] = outbox_batch_key(arena, aside ? 'x' : 'b', shard, id);
            shards[count++] = shard;
        }
    }
    if (dynamodb_fetch(&store->table.ops, keys, count, until_ms, arena, items, err) != CODE_OK)
        return err->code;
    for (size_t i = 0; i < count && !*there; i++) {
        if (!items[i])
            continue;
        *there = true;
        batch->aside = i % 2;
        batch->item = items[i];
        batch->facts = (struct handed_out){id, shards[i], dynamodb_number(items[i], "h"),
                                           (uint32_t)dynamodb_number(items[i], "n"),
                                           (size_t)dynamodb_number(items[i], "z")};
    }
    return CODE_OK;
}

/* --- forgetting --- */

struct forgetting {
    struct found_batch batches[FORGET_AT_ONCE];
    int actions[FORGET_AT_ONCE];
    size_t count;
};

static void count_taken(struct dynamodb_write *tx, const struct forgetting *forgetting,
                        struct arena *arena)
{
    for (size_t i = 0; i < forgetting->count; i++) {
        const struct handed_out *facts = &forgetting->batches[i].facts;
        int64_t taken = 0;
        bool again = false;
        for (size_t k = 0; k < forgetting->count; k++) {
            const struct handed_out *other = &forgetting->batches[k].facts;
            bool same = other->hour == facts->hour && other->shard == facts->shard;
            again = again || (same && k < i);
            taken += same ? other->count : 0;
        }
        if (!again)
            dynamodb_write_add(tx, outbox_hour_key(arena, facts->hour, facts->shard), 't', taken);
    }
}

static void forgotten(struct store_dynamodb *store, const struct found_batch *batch)
{
    struct handed_out *known = handed_out(store, batch->facts.id);
    if (known)
        known->count = 0;
    atomic_fetch_sub(&store->bytes, (int64_t)batch->facts.bytes);
    atomic_fetch_sub(&store->events, batch->facts.count);
    atomic_fetch_sub(&store->aside, batch->aside);
}

/* Those that are not there any more have been forgotten before. */
static void drop_missing(struct store_dynamodb *store, struct forgetting *forgetting,
                         const struct dynamodb_refusal *refusal)
{
    size_t kept = 0;
    for (size_t i = 0; i < forgetting->count; i++) {
        struct handed_out *known = handed_out(store, forgetting->batches[i].facts.id);
        if (!dynamodb_write_failed(refusal, forgetting->actions[i]))
            forgetting->batches[kept++] = forgetting->batches[i];
        else if (known)
            known->count = 0;
    }
    forgetting->count = kept;
}

static enum code forget(struct store_dynamodb *store, struct forgetting *forgetting,
                        int64_t until_ms, struct arena *arena, struct error *err)
{
    while (forgetting->count) {
        struct dynamodb_write tx;
        struct dynamodb_refusal refusal;
        dynamodb_write_begin(&tx, &store->table.ops, arena);
        for (size_t i = 0; i < forgetting->count; i++) {
            const struct found_batch *batch = &forgetting->batches[i];
            forgetting->actions[i] =
                dynamodb_write_delete(&tx,
                                      outbox_batch_key(arena, batch->aside ? 'x' : 'b',
                                                       batch->facts.shard, batch->facts.id),
                                      dynamodb_if("attribute_exists(pk)"));
        }
        count_taken(&tx, forgetting, arena);
        enum code code = dynamodb_write_run(&tx, until_ms, arena, &refusal, err);
        if (code == CODE_OK) {
            for (size_t i = 0; i < forgetting->count; i++)
                forgotten(store, &forgetting->batches[i]);
            return CODE_OK;
        }
        if (refusal.unsure)
            atomic_store(&store->unsure, true);
        if (code != CODE_ABORTED)
            return code;
        error_clear(err);
        drop_missing(store, forgetting, &refusal);
    }
    return CODE_OK;
}

static enum code find_all(struct store_dynamodb *store, const struct id *ids, size_t count,
                          int64_t until_ms, struct arena *arena, struct forgetting *forgetting,
                          struct error *err)
{
    forgetting->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct found_batch *batch = &forgetting->batches[forgetting->count];
        const struct handed_out *known = handed_out(store, ids[i]);
        bool there = known != NULL;
        *batch = (struct found_batch){0};
        if (known)
            batch->facts = *known;
        else if (look_for(store, ids[i], until_ms, arena, batch, &there, err) != CODE_OK)
            return err->code;
        forgetting->count += there;
    }
    return CODE_OK;
}

static enum code outbox_forget(struct store *base, const struct id *ids, size_t count,
                               struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS);
    struct arena arena = {0};
    enum code code = CODE_OK;
    pthread_mutex_lock(&store->outbox_lock);
    for (size_t at = 0; code == CODE_OK && at < count; at += FORGET_AT_ONCE) {
        struct forgetting *forgetting = arena_alloc(&arena, sizeof *forgetting);
        size_t some = count - at < FORGET_AT_ONCE ? count - at : FORGET_AT_ONCE;
        code = find_all(store, ids + at, some, until_ms, &arena, forgetting, err);
        if (code == CODE_OK)
            code = forget(store, forgetting, until_ms, &arena, err);
    }
    pthread_mutex_unlock(&store->outbox_lock);
    arena_clear(&arena);
    return code;
}

/* --- aside and back --- */

/* From the line (`b`) to the side (`x`) or back; a batch that has gone meanwhile is no error. */
static enum code move(struct store_dynamodb *store, const struct found_batch *batch,
                      const char *reason, int64_t until_ms, struct arena *arena, struct error *err)
{
    struct store_batch same = {batch->facts.id, batch->facts.hour, batch->facts.count,
                               dynamodb_bytes(batch->item, "b", arena)};
    struct dynamodb_write tx;
    struct dynamodb_refusal refusal;
    dynamodb_write_begin(&tx, &store->table.ops, arena);
    dynamodb_write_delete(
        &tx, outbox_batch_key(arena, batch->aside ? 'x' : 'b', batch->facts.shard, same.id),
        dynamodb_if("attribute_exists(pk)"));
    dynamodb_write_put_begin(
        &tx, outbox_batch_key(arena, batch->aside ? 'b' : 'x', batch->facts.shard, same.id));
    outbox_put_batch(&tx.json, &same);
    if (reason)
        dynamodb_put_s(&tx.json, "w", str_of(reason));
    dynamodb_write_put_end(&tx, dynamodb_if(NULL));
    enum code code = dynamodb_write_run(&tx, until_ms, arena, &refusal, err);
    if (code == CODE_OK)
        atomic_fetch_add(&store->aside, batch->aside ? -1 : 1);
    else if (refusal.unsure)
        atomic_store(&store->unsure, true);
    if (code != CODE_ABORTED)
        return code;
    error_clear(err);
    return CODE_OK;
}

static enum code outbox_set_aside(struct store *base, struct id id, const char *reason,
                                  struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS);
    struct arena arena = {0};
    struct found_batch batch = {0};
    bool there;
    pthread_mutex_lock(&store->outbox_lock);
    enum code code = look_for(store, id, until_ms, &arena, &batch, &there, err);
    if (code == CODE_OK && there && !batch.aside) {
        struct handed_out *known = handed_out(store, id);
        if (known)
            known->count = 0;
        code = move(store, &batch, reason, until_ms, &arena, err);
    }
    pthread_mutex_unlock(&store->outbox_lock);
    arena_clear(&arena);
    return code;
}

static enum code readmit_shard(struct store_dynamodb *store, int shard, int64_t until_ms,
                               struct arena *arena, struct error *err)
{
    struct dynamodb_query query = {.pk = dynamodb_shard_pk(arena, STORE_TENANT, 'x', shard)};
    const struct json_value *items;
    do {
        if (dynamodb_page(&store->table.ops, &query, DYNAMODB_BATCH_KEYS, until_ms, arena, &items,
                          err) != CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item; item = item->next) {
            struct found_batch batch = {.aside = true, .item = item};
            batch.facts = (struct handed_out){.shard = shard,
                                              .hour = dynamodb_number(item, "h"),
                                              .count = (uint32_t)dynamodb_number(item, "n")};
            if (!id_parse(dynamodb_text(item, "sk"), &batch.facts.id))
                continue;
            if (move(store, &batch, NULL, until_ms, arena, err) != CODE_OK)
                return err->code;
        }
    } while (query.start.len);
    return CODE_OK;
}

static enum code outbox_readmit(struct store *base, struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS);
    enum code code = CODE_OK;
    pthread_mutex_lock(&store->outbox_lock);
    for (int shard = 0; code == CODE_OK && shard < DYNAMODB_OUTBOX_SHARDS; shard++) {
        struct arena arena = {0};
        if (store->shards[shard].held)
            code = readmit_shard(store, shard, until_ms, &arena, err);
        arena_clear(&arena);
    }
    pthread_mutex_unlock(&store->outbox_lock);
    return code;
}

const struct store_vtable store_dynamodb_outbox_vtable = {
    .outbox_add = outbox_add,
    .outbox_seal = store_dynamodb_outbox_seal,
    .outbox_oldest = store_dynamodb_outbox_oldest,
    .outbox_forget = outbox_forget,
    .outbox_set_aside = outbox_set_aside,
    .outbox_readmit = outbox_readmit,
    .outbox_hours = store_dynamodb_outbox_hours,
    .outbox_stats = store_dynamodb_outbox_stats,
};
