/* The outbox, read: the head of the line for the relay, the counts for everybody. */
#include "user/store_dynamodb_outbox.h"

#include <stdlib.h>
#include <string.h>

/* --- the line --- */

struct line {
    struct store_dynamodb *store;
    struct arena *arena;
    int64_t until_ms;
    struct store_batch *batches; /* `max` of each shard held, then the oldest of all */
    struct handed_out *facts;
    size_t max, bytes_max, count;
};

static enum code read_shard(struct line *line, int shard, struct error *err)
{
    struct dynamodb_query query = {.pk = dynamodb_shard_pk(line->arena, STORE_TENANT, 'b', shard)};
    const struct json_value *items;
    size_t count = 0, bytes = 0;
    do {
        if (dynamodb_page(&line->store->table.ops, &query, line->max - count, line->until_ms,
                          line->arena, &items, err) != CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item && count < line->max;
             item = item->next) {
            struct store_batch *batch = &line->batches[line->count];
            if (!id_parse(dynamodb_text(item, "sk"), &batch->id))
                continue;
            batch->hour = dynamodb_number(item, "h");
            batch->count = (uint32_t)dynamodb_number(item, "n");
            batch->body = dynamodb_bytes(item, "b", line->arena);
            line->facts[line->count++] =
                (struct handed_out){batch->id, shard, batch->hour, batch->count, batch->body.len};
            bytes += batch->body.len;
            count++;
        }
    } while (count < line->max && bytes <= line->bytes_max && query.start.len);
    return CODE_OK;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(&((const struct handed_out *)a)->id, &((const struct handed_out *)b)->id,
                  sizeof(struct id));
}

/* By id, that is by time, across the shards; then as many as asked for. */
static void cut(struct line *line, struct store_batch *batches, size_t *count)
{
    struct store_dynamodb *store = line->store;
    size_t bytes = 0;
    qsort(line->facts, line->count, sizeof *line->facts, by_id);
    for (size_t i = 0; i < line->count && *count < line->max; i++) {
        size_t k = 0;
        while (memcmp(&line->batches[k].id, &line->facts[i].id, sizeof(struct id)) != 0)
            k++;
        bytes += line->batches[k].body.len;
        if (*count && bytes > line->bytes_max)
            break;
        batches[(*count)++] = line->batches[k];
        store->handed_out[store->handed_out_next++ % DYNAMODB_HANDED_OUT] = line->facts[i];
    }
}

/* Nothing waits: what is still counted was counted wrongly. In this order: a write counts its event
 * as unsealed first. */
static void set_right(struct store_dynamodb *store, int64_t bytes, int64_t events)
{
    if (atomic_load(&store->aside) || atomic_load(&store->unsealed))
        return;
    atomic_fetch_sub(&store->bytes, bytes);
    atomic_fetch_sub(&store->events, events);
}

enum code store_dynamodb_outbox_oldest(struct store *base, size_t max, size_t bytes_max,
                                       struct arena *arena, struct store_batch *batches,
                                       size_t *count, struct error *err)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    struct line line = {
        store,     arena, dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS),
        NULL,      NULL,  max,
        bytes_max, 0};
    enum code code = CODE_OK;
    size_t held = 0;
    *count = 0;
    pthread_mutex_lock(&store->outbox_lock);
    int64_t bytes = atomic_load(&store->bytes), events = atomic_load(&store->events);
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS; i++)
        held += store->shards[i].held;
    line.batches = arena_alloc(arena, (held * max + 1) * sizeof *line.batches);
    line.facts = arena_alloc(arena, (held * max + 1) * sizeof *line.facts);
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS && code == CODE_OK; i++)
        if (store->shards[i].held)
            code = read_shard(&line, i, err);
    if (code == CODE_OK) {
        cut(&line, batches, count);
        atomic_store(&store->oldest_ms, *count ? id_time_ms(batches[0].id) : 0);
        if (!*count)
            set_right(store, bytes, events);
    }
    pthread_mutex_unlock(&store->outbox_lock);
    return code;
}

/* --- counting what is there --- */

struct tally {
    int64_t bytes, events, unsealed, aside;
    struct id oldest;
    bool any;
};

static enum code tally_events(struct store_dynamodb *store, int shard, int64_t until_ms,
                              struct tally *tally, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_query query = {.pk = dynamodb_shard_pk(&arena, STORE_TENANT, 'q', shard)};
    const struct json_value *items;
    enum code code;
    do {
        code = dynamodb_page(&store->table.ops, &query, 1000, until_ms, &arena, &items, err);
        for (const struct json_value *item = code == CODE_OK ? items->first : NULL; item;
             item = item->next) {
            tally->unsealed++;
            tally->events++;
            tally->bytes += (int64_t)dynamodb_bytes(item, "e", &arena).len;
        }
    } while (code == CODE_OK && query.start.len);
    arena_clear(&arena);
    return code;
}

static enum code tally_batches(struct store_dynamodb *store, int shard, bool aside,
                               int64_t until_ms, struct tally *tally, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_query query = {
        .pk = dynamodb_shard_pk(&arena, STORE_TENANT, aside ? 'x' : 'b', shard),
        .projection = "sk, n, z"};
    const struct json_value *items;
    enum code code;
    do {
        code = dynamodb_page(&store->table.ops, &query, 1000, until_ms, &arena, &items, err);
        for (const struct json_value *item = code == CODE_OK ? items->first : NULL; item;
             item = item->next) {
            struct id id;
            tally->aside += aside;
            tally->events += dynamodb_number(item, "n");
            tally->bytes += dynamodb_number(item, "z");
            if (!id_parse(dynamodb_text(item, "sk"), &id) ||
                (tally->any && memcmp(&tally->oldest, &id, sizeof id) < 0))
                continue;
            tally->any = true;
            tally->oldest = id;
        }
    } while (code == CODE_OK && query.start.len);
    arena_clear(&arena);
    return code;
}

enum code outbox_count(struct store_dynamodb *store, int64_t until_ms, struct error *err)
{
    struct tally tally = {0};
    atomic_store(&store->unsure, false);
    for (int shard = 0; shard < DYNAMODB_OUTBOX_SHARDS; shard++) {
        if (!store->shards[shard].held)
            continue;
        if ((store->shards[shard].unswept &&
             outbox_sweep(store, shard, until_ms, err) != CODE_OK) ||
            tally_events(store, shard, until_ms, &tally, err) != CODE_OK ||
            tally_batches(store, shard, false, until_ms, &tally, err) != CODE_OK ||
            tally_batches(store, shard, true, until_ms, &tally, err) != CODE_OK) {
            atomic_store(&store->unsure, true);
            return err->code;
        }
    }
    atomic_store(&store->unsealed, tally.unsealed);
    atomic_store(&store->events, tally.events);
    atomic_store(&store->bytes, tally.bytes);
    atomic_store(&store->aside, tally.aside);
    atomic_store(&store->oldest_ms, tally.any ? id_time_ms(tally.oldest) : 0);
    return CODE_OK;
}

enum code outbox_look(struct store_dynamodb *store, int shard, int64_t until_ms, bool *any,
                      struct error *err)
{
    static const char kinds[] = {'q', 'b', 'x'};
    struct arena arena = {0};
    enum code code = CODE_OK;
    *any = false;
    for (size_t i = 0; i < sizeof kinds && code == CODE_OK && !*any; i++) {
        struct dynamodb_query query = {
            .pk = dynamodb_shard_pk(&arena, STORE_TENANT, kinds[i], shard), .projection = "sk"};
        const struct json_value *items;
        code = dynamodb_page(&store->table.ops, &query, 1, until_ms, &arena, &items, err);
        *any = code == CODE_OK && items->count;
    }
    arena_clear(&arena);
    return code;
}

static uint64_t not_below_zero(atomic_int_fast64_t *value)
{
    int64_t now = atomic_load(value);
    return now > 0 ? (uint64_t)now : 0;
}

void store_dynamodb_outbox_stats(struct store *base, struct store_outbox_stats *stats)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    stats->bytes = not_below_zero(&store->bytes);
    stats->events = not_below_zero(&store->events);
    stats->unsealed = not_below_zero(&store->unsealed);
    stats->aside = not_below_zero(&store->aside);
    stats->oldest_ms = atomic_load(&store->oldest_ms);
}

/* --- hours --- */

struct hours {
    struct arena *arena;
    int64_t from, to;
    struct store_hour *list;
    size_t count, room;
};

static struct store_hour *hour_of(struct hours *hours, int64_t hour)
{
    for (size_t i = 0; i < hours->count; i++)
        if (hours->list[i].hour == hour)
            return &hours->list[i];
    if (hours->count == hours->room) {
        struct store_hour *more =
            arena_alloc(hours->arena, (hours->room = 2 * hours->room + 32) * sizeof *more);
        if (hours->count)
            memcpy(more, hours->list, hours->count * sizeof *more);
        hours->list = more;
    }
    hours->list[hours->count] = (struct store_hour){.hour = hour};
    return &hours->list[hours->count++];
}

/* Of the batches. *sum changes whenever something is sealed or forgotten. */
static enum code add_batches(struct store_dynamodb *store, struct hours *hours, int64_t until_ms,
                             int64_t *sum, struct error *err)
{
    struct dynamodb_query query = {
        .pk = outbox_hour_key(hours->arena, hours->from, 0).pk,
        .from = str_of(arena_printf(hours->arena, "%012lld", (long long)hours->from)),
        .to = str_of(arena_printf(hours->arena, "%012lld", (long long)hours->to)),
    };
    const struct json_value *items;
    *sum = 0;
    do {
        if (dynamodb_page(&store->table.ops, &query, 1000, until_ms, hours->arena, &items, err) !=
            CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item; item = item->next) {
            struct str sk = dynamodb_text(item, "sk"), digits;
            uint64_t hour;
            if (!str_next(&sk, '/', &digits) || !str_to_u64(digits, &hour))
                continue;
            int64_t emitted = dynamodb_number(item, "e"), taken = dynamodb_number(item, "t");
            struct store_hour *one = hour_of(hours, (int64_t)hour);
            one->emitted += (uint64_t)emitted;
            one->pending += (uint64_t)(emitted - taken);
            *sum += emitted + taken;
        }
    } while (query.start.len);
    return CODE_OK;
}

static bool has_member(struct str members, struct str sk)
{
    struct id id;
    if (!id_parse(sk, &id))
        return false;
    for (size_t at = 0; at + sizeof id <= members.len; at += sizeof id)
        if (memcmp(members.ptr + at, &id, sizeof id) == 0)
            return true;
    return false;
}

/* Of the events in no batch. */
static enum code add_events(struct store_dynamodb *store, struct hours *hours, int shard,
                            const struct json_value *sweep, int64_t until_ms, struct error *err)
{
    struct dynamodb_query query = {.pk = dynamodb_shard_pk(hours->arena, STORE_TENANT, 'q', shard),
                                   .projection = "sk, h"};
    struct str members = dynamodb_bytes(sweep, "m", hours->arena);
    const struct json_value *items;
    do {
        if (dynamodb_page(&store->table.ops, &query, 1000, until_ms, hours->arena, &items, err) !=
            CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item; item = item->next) {
            int64_t hour = dynamodb_number(item, "h");
            if (hour < hours->from || hour >= hours->to ||
                has_member(members, dynamodb_text(item, "sk")))
                continue;
            struct store_hour *one = hour_of(hours, hour);
            one->emitted++;
            one->pending++;
        }
    } while (query.start.len);
    return CODE_OK;
}

static enum code add_all_events(struct store_dynamodb *store, struct hours *hours, int64_t until_ms,
                                struct error *err)
{
    const struct json_value *leases[DYNAMODB_OUTBOX_SHARDS];
    const struct json_value *sweeps[DYNAMODB_OUTBOX_SHARDS];
    struct dynamodb_key keys[DYNAMODB_OUTBOX_SHARDS];
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS; i++)
        keys[i] = outbox_sweep_key(hours->arena, i);
    if (lease_read_all(store, until_ms, hours->arena, leases, err) != CODE_OK ||
        dynamodb_fetch(&store->table.ops, keys, DYNAMODB_OUTBOX_SHARDS, until_ms, hours->arena,
                       sweeps, err) != CODE_OK)
        return err->code;
    for (int i = 0; i < DYNAMODB_OUTBOX_SHARDS; i++)
        if (leases[i] && add_events(store, hours, i, sweeps[i], until_ms, err) != CODE_OK)
            return err->code;
    return CODE_OK;
}

static int by_hour(const void *a, const void *b)
{
    int64_t x = ((const struct store_hour *)a)->hour, y = ((const struct store_hour *)b)->hour;
    return (x > y) - (x < y);
}

/* An event that is sealed while we look would be seen twice or never: then we look again. */
enum code store_dynamodb_outbox_hours(struct store *base, int64_t from, int64_t to,
                                      struct arena *arena, struct store_hour **list, size_t *count,
                                      struct error *err)
{
    enum { LOOKS_MAX = 5 };
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS), before,
            after = -1;
    struct hours hours = {0};
    *count = 0;
    *list = NULL;
    for (int look = 0; from < to && look < LOOKS_MAX; look++) {
        struct hours again = {.arena = arena, .from = from, .to = to};
        hours = again;
        if (add_batches(store, &hours, until_ms, &before, err) != CODE_OK ||
            add_all_events(store, &hours, until_ms, err) != CODE_OK ||
            add_batches(store, &again, until_ms, &after, err) != CODE_OK)
            return err->code;
        if (before == after)
            break;
    }
    if (hours.count)
        qsort(hours.list, hours.count, sizeof *hours.list, by_hour);
    *list = hours.list;
    *count = hours.count;
    return CODE_OK;
}
