/*
 * Three gateways share a quota while everything goes wrong by chance: questions and answers are
 * lost, come late or in another order, gateways are killed and started again, time passes. After
 * every step no more has been admitted than the store has counted, and it has counted no more than
 * the quota. When all is quiet again every request that was not admitted has come back.
 */
#include "base/log.h"
#include "tests/unit/gateway/quota_store.h"

enum { GATEWAYS = 3, STEPS = 1000, SEEDS = 25, WAITERS = 8192, QUOTA = 900, LATE_MAX = 256 };

struct world;

/* A gateway's way to the store, which remembers who asked. */
struct line {
    struct quota_lessor lessor; /* first */
    struct world *world;
    size_t number;
};

struct world {
    struct store store;
    struct line lines[GATEWAYS];
    struct quota *gateways[GATEWAYS];
    char *folders[GATEWAYS];
    struct quota_waiter waiters[WAITERS];
    size_t waiter_count;
    uint64_t admitted, random;
    struct question late[LATE_MAX]; /* still on the network, though nobody waits for an answer */
    size_t late_count;
    bool network_is_late;
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random % below;
}

static void line_ask(const struct quota_lessor *lessor, const struct quota_ask *ask,
                     quota_granted_fn granted, void *argument)
{
    const struct line *line = (const struct line *)lessor;
    struct store *store = &line->world->store;
    store_ask(&store->lessor, ask, granted, argument);
    store->questions[store->question_count - 1].owner = line->number;
}

static void hear(void *argument, const struct quota_outcome *outcome)
{
    struct world *world = argument;
    world->admitted += outcome->verdict == QUOTA_ADMITTED;
}

/* --- what happens --- */

static void spend_some(struct world *world)
{
    struct quota *quota = world->gateways[draw(world, GATEWAYS)];
    for (uint64_t times = draw(world, 12); times > 0; times--) {
        bool wait = draw(world, 2) && world->waiter_count < WAITERS;
        uint32_t cost = wait ? 1 : (uint32_t)draw(world, 3) + 1;
        struct quota_waiter *waiter = wait ? &world->waiters[world->waiter_count++] : NULL;
        if (waiter)
            *waiter = (struct quota_waiter){.done = hear, .argument = world};
        if (quota_spend(quota, STR("key"), STR(""), cost, waiter).verdict == QUOTA_ADMITTED)
            world->admitted += cost;
    }
}

static void answer_some(struct world *world)
{
    struct store *store = &world->store;
    if (!store->question_count)
        return;
    size_t at = draw(world, store->question_count);
    uint64_t chance = draw(world, 8);
    enum fate fate = chance == 0 ? ANSWER_LOST : chance == 1 ? QUESTION_LOST : ANSWERED;
    if (world->network_is_late && fate == QUESTION_LOST && world->late_count < LATE_MAX)
        world->late[world->late_count++] = store->questions[at];
    answer_one(store, at, fate);
}

/* Arrives after its sender has given up, and perhaps been killed. */
static void arrive_late(struct world *world)
{
    struct quota_grant unheard = {0};
    if (!world->late_count)
        return;
    size_t at = draw(world, world->late_count);
    carry_out(&world->store, &world->late[at], &unheard);
    world->late[at] = world->late[--world->late_count];
}

static void turn_clock(struct world *world)
{
    now_ms += (int64_t)draw(world, draw(world, 20) ? 300 : 2 * VALID_MS);
    quota_tick(world->gateways[draw(world, GATEWAYS)]);
}

/* kill -9: what was asked has arrived or not, and no answer is heard. */
static void kill_one(struct world *world)
{
    size_t which = draw(world, GATEWAYS);
    struct store *store = &world->store;
    struct quota_grant unheard = {0};
    for (size_t i = store->question_count; i-- > 0;) {
        if (store->questions[i].owner != which)
            continue;
        struct question question = take_question(store, i);
        if (draw(world, 2))
            carry_out(store, &question, &unheard);
    }
    quota_free(world->gateways[which]);
    world->gateways[which] = new_gateway_of(&world->lines[which].lessor, world->folders[which]);
}

static void step(struct world *world)
{
    uint64_t chance = draw(world, 100);
    if (chance < 35)
        spend_some(world);
    else if (chance < 75)
        answer_some(world);
    else if (chance < 95)
        turn_clock(world);
    else if (chance < 98)
        arrive_late(world);
    else
        kill_one(world);
}

/* --- the runs --- */

static struct world *begin(uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    now_ms = 1000000;
    world->random = seed * 0x9E3779B97F4A7C15U + 1;
    world->store = (struct store){.lessor = {store_ask}, .quota = QUOTA};
    for (size_t i = 0; i < GATEWAYS; i++) {
        world->folders[i] = new_folder();
        world->lines[i] = (struct line){{line_ask}, world, i};
        world->gateways[i] = new_gateway_of(&world->lines[i].lessor, world->folders[i]);
    }
    return world;
}

static void run(struct world *world, uint64_t seed)
{
    for (int i = 0; i < STEPS; i++) {
        step(world);
        if (world->admitted > world->store.used || world->store.used > QUOTA)
            fail_msg("seed %llu, step %d: admitted %llu, counted %llu", (unsigned long long)seed, i,
                     (unsigned long long)world->admitted, (unsigned long long)world->store.used);
    }
}

/* Nothing is lost any more, and nobody spends: what is leased comes back. */
static void settle(struct world *world)
{
    for (int i = 0; i < 200; i++) {
        now_ms += 1000;
        for (size_t j = 0; j < GATEWAYS; j++)
            quota_tick(world->gateways[j]);
        answer(&world->store);
    }
}

static void end(struct world *world)
{
    for (size_t i = 0; i < GATEWAYS; i++) {
        quota_free(world->gateways[i]);
        remove_folder(world->folders[i]);
    }
    free(world);
}

/* Rule 25. */
static void nothing_is_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *world = begin(seed);
        run(world, seed);
        settle(world);
        if (world->store.used != world->admitted)
            fail_msg("seed %llu: admitted %llu, counted %llu", (unsigned long long)seed,
                     (unsigned long long)world->admitted, (unsigned long long)world->store.used);
        end(world);
    }
}

/* Rule 25. Messages that arrive after their senders have given up may cost a lease, and never give
 * one. */
static void late_messages_admit_no_more(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *world = begin(seed + 1000);
        world->network_is_late = true;
        run(world, seed);
        settle(world);
        assert_true(world->admitted <= world->store.used);
        end(world);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(late_messages_admit_no_more),
    };
    log_init("quota_chaos_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
