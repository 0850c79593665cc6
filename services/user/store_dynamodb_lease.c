/*
 * Leases of the outbox's shards: who seals and sends a shard. A lease has an owner, a number that
 * grows whenever it is taken, and an end; every sealing is conditional on owner and number, so that
 * clocks that differ cost a batch more, not an event.
 *
 * A shard that is given back may still get an event, from a write that took its time: shards that
 * nobody holds are looked at in turn, one each time.
 */
#include "user/store_dynamodb_outbox.h"

#include "base/log.h"
#include "user/reasons.h"

#include <string.h>

/* Stands in place of an owner when there is none. */
static const struct str NOBODY = {"-", 1};

struct dynamodb_key lease_key(struct arena *arena, int shard)
{
    return (struct dynamodb_key){str_of(arena_printf(arena, "%d/l", STORE_TENANT)),
                                 str_of(arena_printf(arena, "%02d", shard))};
}

struct dynamodb_condition lease_condition(const struct store_dynamodb *store, int shard)
{
    return (struct dynamodb_condition){"o = :a AND f = :n", dynamodb_s(":a", str_of(store->owner)),
                                       dynamodb_n(":n", store->shards[shard].fence)};
}

enum code lease_read_all(struct store_dynamodb *store, int64_t until_ms, struct arena *arena,
                         const struct json_value *leases[DYNAMODB_OUTBOX_SHARDS], struct error *err)
{
    struct dynamodb_query query = {.pk = lease_key(arena, 0).pk};
    const struct json_value *items;
    memset(leases, 0, DYNAMODB_OUTBOX_SHARDS * sizeof *leases);
    do {
        if (dynamodb_page(&store->table.ops, &query, DYNAMODB_BATCH_KEYS, until_ms, arena, &items,
                          err) != CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item; item = item->next) {
            uint64_t shard;
            if (str_to_u64(dynamodb_text(item, "sk"), &shard) && shard < DYNAMODB_OUTBOX_SHARDS)
                leases[shard] = item;
        }
    } while (query.start.len);
    return CODE_OK;
}

/* --- one lease --- */

struct lease_change {
    int shard;
    const char *update;
    struct dynamodb_condition condition;
    struct str owner; /* :o */
    int64_t end_ms;   /* :x */
    int64_t fence;    /* :f */
};

/* *done false: the condition did not hold. */
static enum code change_lease(struct store_dynamodb *store, const struct lease_change *change,
                              int64_t until_ms, int64_t *fence, bool *done, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_refusal refusal;
    const struct json_value *item;
    const struct dynamodb_value values[] = {dynamodb_s(":o", change->owner),
                                            dynamodb_n(":x", change->end_ms),
                                            dynamodb_n(":f", change->fence)};
    const struct dynamodb_update update = {change->update, values, 3, change->condition};
    enum code code = dynamodb_change(&store->table.ops, lease_key(&arena, change->shard), &update,
                                     until_ms, &arena, &item, &refusal, err);
    *done = code == CODE_OK;
    if (*done && fence)
        *fence = dynamodb_number(item, "f");
    if (dynamodb_condition_failed(&refusal)) {
        error_clear(err);
        code = CODE_OK;
    }
    arena_clear(&arena);
    return code;
}

/* If nobody holds it. */
static enum code take(struct store_dynamodb *store, int shard, int64_t until_ms, bool *taken,
                      struct error *err)
{
    struct outbox_shard *own = &store->shards[shard];
    const struct lease_change change = {
        .shard = shard,
        .update = "SET o = :o, x = :x ADD f :f",
        .condition = {"attribute_not_exists(pk) OR o = :d OR o = :o OR x <= :w",
                      dynamodb_s(":d", NOBODY), dynamodb_n(":w", clock_wall_ms(store->clock))},
        .owner = str_of(store->owner),
        .end_ms = clock_wall_ms(store->clock) + STORE_DYNAMODB_LEASE_MS,
        .fence = 1,
    };
    enum code code = change_lease(store, &change, until_ms, &own->fence, taken, err);
    if (*taken)
        own->held = own->unswept = true;
    return code;
}

static enum code renew(struct store_dynamodb *store, int shard, int64_t until_ms, bool *held,
                       struct error *err)
{
    const struct lease_change change = {
        .shard = shard,
        .update = "SET x = :x, o = :o",
        .condition = {"o = :d AND f = :f", dynamodb_s(":d", str_of(store->owner)), {0}},
        .owner = str_of(store->owner),
        .end_ms = clock_wall_ms(store->clock) + STORE_DYNAMODB_LEASE_MS,
        .fence = store->shards[shard].fence,
    };
    return change_lease(store, &change, until_ms, NULL, held, err);
}

static enum code give(struct store_dynamodb *store, int shard, int64_t until_ms, struct error *err)
{
    const struct lease_change change = {
        .shard = shard,
        .update = "SET x = :x, o = :o",
        .condition = {"o = :d AND f = :f", dynamodb_s(":d", str_of(store->owner)), {0}},
        .owner = NOBODY,
        .fence = store->shards[shard].fence,
    };
    bool done;
    store->shards[shard].held = false;
    return change_lease(store, &change, until_ms, NULL, &done, err);
}

void lease_lost(struct store_dynamodb *store, int shard)
{
    log_warn("outbox_shard_lost", LOG_I("shard", shard));
    store->shards[shard].held = false;
    atomic_store(&store->unsure, true);
}

/* --- home --- */

static bool is_free(const struct store_dynamodb *store, const struct json_value *lease)
{
    return !lease || str_eq(dynamodb_text(lease, "o"), NOBODY) ||
           dynamodb_number(lease, "x") <= clock_wall_ms(store->clock);
}

enum code lease_take_home(struct store_dynamodb *store, int64_t until_ms, struct error *err)
{
    struct arena arena = {0};
    const struct json_value *leases[DYNAMODB_OUTBOX_SHARDS];
    bool taken = false;
    enum code code = lease_read_all(store, until_ms, &arena, leases, err);
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS && code == CODE_OK && !taken; i++) {
        if (!is_free(store, leases[i]))
            continue;
        code = take(store, i, until_ms, &taken, err);
        if (taken)
            atomic_store(&store->home, i);
    }
    arena_clear(&arena);
    if (code == CODE_OK && !taken)
        return error_set(err, CODE_RESOURCE_EXHAUSTED, "OUTBOX_SHARDS",
                         "all %d shards of the outbox belong to other processes",
                         DYNAMODB_OUTBOX_SHARDS);
    return code;
}

void lease_give_all(struct store_dynamodb *store)
{
    int64_t until_ms = dynamodb_until(&store->table.ops, 2000);
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS; i++) {
        struct error err = {0};
        if (store->shards[i].held && give(store, i, until_ms, &err) != CODE_OK)
            log_warn("lease_not_given_back", LOG_I("shard", i), LOG_ERR(&err));
    }
}

/* --- tending --- */

static enum code renew_all(struct store_dynamodb *store, int64_t until_ms, struct error *err)
{
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS; i++) {
        bool held, any;
        if (!store->shards[i].held)
            continue;
        if (renew(store, i, until_ms, &held, err) != CODE_OK)
            return err->code;
        if (!held) {
            lease_lost(store, i);
        } else if (i != atomic_load(&store->home)) {
            if (outbox_look(store, i, until_ms, &any, err) != CODE_OK ||
                (!any && give(store, i, until_ms, err) != CODE_OK))
                return err->code;
        }
    }
    if (!store->shards[atomic_load(&store->home)].held)
        return lease_take_home(store, until_ms, err);
    return CODE_OK;
}

/* Those whose owner has gone, and of the others the next one in turn. */
static enum code take_over(struct store_dynamodb *store, int64_t until_ms, bool *found,
                           struct error *err)
{
    struct arena arena = {0};
    const struct json_value *leases[DYNAMODB_OUTBOX_SHARDS];
    enum code code = lease_read_all(store, until_ms, &arena, leases, err);
    int in_turn = store->look_next++ % DYNAMODB_OUTBOX_SHARDS;
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS && code == CODE_OK; i++) {
        bool any = true, taken = false;
        if (!leases[i] || store->shards[i].held || !is_free(store, leases[i]))
            continue;
        if (str_eq(dynamodb_text(leases[i], "o"), NOBODY)) {
            if (i != in_turn)
                continue;
            code = outbox_look(store, i, until_ms, &any, err);
        }
        if (code == CODE_OK && any)
            code = take(store, i, until_ms, &taken, err);
        if (taken) {
            log_info("outbox_shard_taken_over", LOG_I("shard", i));
            *found = true;
        }
    }
    arena_clear(&arena);
    return code;
}

/* A write whose answer was lost, or that another process made, is there without being counted. */
static enum code count_if_needed(struct store_dynamodb *store, bool found, int64_t until_ms,
                                 struct error *err)
{
    bool any = false;
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS && !any; i++)
        if (store->shards[i].held && !atomic_load(&store->events) &&
            outbox_look(store, i, until_ms, &any, err) != CODE_OK)
            return err->code;
    if (!any && !found && !atomic_load(&store->unsure))
        return CODE_OK;
    return outbox_count(store, until_ms, err);
}

void store_dynamodb_tend(struct store *base)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    struct error err = {0};
    bool found = false;
    pthread_mutex_lock(&store->outbox_lock);
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS);
    if (renew_all(store, until_ms, &err) != CODE_OK ||
        take_over(store, until_ms, &found, &err) != CODE_OK ||
        count_if_needed(store, found, until_ms, &err) != CODE_OK)
        log_warn("outbox_not_tended", LOG_ERR(&err));
    pthread_mutex_unlock(&store->outbox_lock);
    if (!found)
        return;
    pthread_mutex_lock(&store->lock);
    if (store->found)
        store->found(store->found_argument);
    pthread_mutex_unlock(&store->lock);
}
