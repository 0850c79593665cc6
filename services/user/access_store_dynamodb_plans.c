/* Plans: an item each; how many there are stands in the state. */
#include "user/access_store_dynamodb_internal.h"

#include "user/access_refusals.h"

struct dynamodb_key access_plan_key(struct arena *arena, uint32_t tenant, struct str id)
{
    return (struct dynamodb_key){access_pk(arena, tenant, "plans"), id};
}

static struct access_plan read_plan(const struct json_value *item, struct arena *arena)
{
    double rate = 0;
    struct str text = dynamodb_text(item, "rate");
    if (json_is_number(text))
        (void)json_number_double(text, &rate);
    return (struct access_plan){
        .id = arena_str(arena, dynamodb_text(item, "sk")),
        .rate = rate,
        .burst = (uint32_t)dynamodb_number(item, "burst"),
        .quota = (uint64_t)dynamodb_number(item, "quota"),
        .period = (enum quota_period)dynamodb_number(item, "period"),
    };
}

static void put_plan_item(struct dynamodb_write *tx, struct arena *arena, uint32_t tenant,
                          const struct access_plan *plan)
{
    struct buf rate;
    buf_init_arena(&rate, arena, 64);
    struct json_out json = json_out_to(&rate);
    json_double(&json, plan->rate); /* a text that reads back as the same number */
    dynamodb_write_put_begin(tx, access_plan_key(arena, tenant, plan->id));
    dynamodb_put_s(&tx->json, "rate", buf_str(&rate));
    dynamodb_put_n(&tx->json, "burst", plan->burst);
    dynamodb_put_n(&tx->json, "quota", (int64_t)plan->quota);
    dynamodb_put_n(&tx->json, "period", plan->period);
    dynamodb_write_put_end(tx, dynamodb_if(NULL));
}

static enum code put_plan(struct access_dynamodb *store, uint32_t tenant,
                          const struct access_plan *plan, int64_t until_ms, struct arena *arena,
                          struct error *err)
{
    for (int n = 0;; n++) {
        struct dynamodb_key keys[2] = {access_state_key(arena, tenant),
                                       access_plan_key(arena, tenant, plan->id)};
        const struct json_value *items[2];
        struct dynamodb_write tx;
        struct dynamodb_refusal refusal;
        if (dynamodb_fetch(&store->table.ops, keys, 2, until_ms, arena, items, err) != CODE_OK)
            return err->code;
        struct access_state state = access_read_state(items[0]);
        if (!items[1] && state.plans >= ACCESS_PLANS_MAX)
            return access_refuse_more_plans(err);
        dynamodb_write_begin(&tx, &store->table.ops, arena);
        put_plan_item(&tx, arena, tenant, plan);
        access_put_state(store, &tx, arena, tenant, &state, 0, !items[1]);
        if (dynamodb_write_run(&tx, until_ms, arena, &refusal, err) != CODE_ABORTED)
            return err->code;
        error_clear(err); /* something else has changed meanwhile */
        if (dynamodb_pause(&store->table.ops, n, until_ms, err) != CODE_OK)
            return err->code;
    }
}

enum code access_dynamodb_put_plan(struct access_store *base, const struct store_call *call,
                                   const struct access_plan *plan, struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct arena arena = {0};
    enum code code = put_plan(store, call->tenant, plan,
                              dynamodb_until(&store->table.ops, call->remaining_ms), &arena, err);
    arena_clear(&arena);
    return code;
}

enum code access_dynamodb_get_plan(struct access_store *base, const struct store_call *call,
                                   struct str id, struct arena *arena, struct access_plan *plan,
                                   struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct dynamodb_key key = access_plan_key(arena, call->tenant, id);
    const struct json_value *item = NULL;
    int64_t until_ms = dynamodb_until(&store->table.ops, call->remaining_ms);
    if (id.len && id.len <= ACCESS_PLAN_ID_CHARS &&
        dynamodb_fetch(&store->table.ops, &key, 1, until_ms, arena, &item, err) != CODE_OK)
        return err->code;
    if (!item)
        return access_refuse_unknown_plan(id, err);
    *plan = read_plan(item, arena);
    return CODE_OK;
}

enum code access_dynamodb_list_plans(struct access_store *base, const struct store_call *call,
                                     struct arena *arena, struct access_plan **plans, size_t *count,
                                     struct error *err)
{
    struct access_dynamodb *store = (struct access_dynamodb *)base;
    struct dynamodb_query query = {.pk = access_pk(arena, call->tenant, "plans")};
    int64_t until_ms = dynamodb_until(&store->table.ops, call->remaining_ms);
    const struct json_value *items;
    *plans = arena_alloc(arena, ACCESS_PLANS_MAX * sizeof **plans);
    *count = 0;
    do {
        if (dynamodb_page(&store->table.ops, &query, ACCESS_PLANS_MAX, until_ms, arena, &items,
                          err) != CODE_OK)
            return err->code;
        for (const struct json_value *item = items->first; item && *count < ACCESS_PLANS_MAX;
             item = item->next)
            (*plans)[(*count)++] = read_plan(item, arena);
    } while (query.start.len);
    return CODE_OK;
}
