/*
 * The promise of quota.h against an oracle: thousands of random histories of gateways, servers and
 * a network between them that loses, repeats and delays, with crashes, clocks that are wrong, plans
 * that change and periods that end. Time is a number; nothing waits.
 *
 * Servers share one stored state and change it under a condition, as the service does: what one
 * read before another wrote is refused and tried again. Gateways follow the rules of access.proto's
 * LeaseQuota and no others. The oracle counts what they admit, by period.
 */
#include "tests/support/unit.h"

#include "base/buf.h"
#include "user/quota.h"

#include <stdio.h>
#include <string.h>

enum {
    HISTORIES = 400,
    STEPS = 1500,
    GATEWAYS = 3,
    LEASES = 4, /* that a gateway holds at most */
    MESSAGES = 24,
    LEASE_MS = 60000,
    LAG_MS_MAX = 90000, /* by how much a server's clock is set back */
};
static const int64_t DAY_MS = 24 * 3600 * 1000;

struct held {
    enum { FREE, ASKED, HELD, DONE } is; /* DONE: it stopped spending; to be returned */
    uint32_t number;                     /* the lease's id */
    uint64_t amount, left;
    int64_t until_ms; /* of the gateway's own clock */
};

struct gateway {
    int64_t clock_ms; /* how far its clock is from the true time; it does not go back */
    struct held leases[LEASES];
};

/* A request or its answer, on its way. */
struct message {
    bool used, is_answer, for_return;
    int gateway, slot;
    uint32_t number;
    uint64_t want, need, amount; /* amount: granted, or not spent */
    int64_t asked_ms;            /* by the gateway's clock, before it went */
    int64_t valid_ms;
};

struct world {
    uint64_t random;
    int64_t now_ms, lag_ms; /* the true time; how much the servers' clock is behind it */
    uint32_t last_number;
    uint64_t quota;
    enum quota_period period;
    struct arena arena;
    struct str stored; /* the store: bytes and their version */
    uint64_t version;
    struct gateway gateways[GATEWAYS];
    struct message messages[MESSAGES];
    /* The oracle. */
    int64_t start_ms; /* of the period it counts in */
    enum quota_period kind;
    uint64_t admitted, most; /* in it; the largest quota there was meanwhile */
    uint64_t total, periods, conflicts;
    bool kinds; /* the plan's kind of period changes in this history */
};

static uint64_t pick(struct world *world, uint64_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random % below;
}

static bool chance(struct world *world, uint64_t percent)
{
    return pick(world, 100) < percent;
}

static int64_t server_ms(const struct world *world)
{
    return world->now_ms - world->lag_ms;
}

static struct quota_state current(struct world *world)
{
    struct quota_state state;
    assert_true(quota_decode(world->stored, &state));
    quota_roll(&state, world->period, server_ms(world));
    return state;
}

/* The oracle turns its page when a period ends or the plan's kind of period changes. */
static void look(struct world *world)
{
    struct quota_state state = current(world);
    if (state.start_ms != world->start_ms || state.period != world->kind) {
        world->start_ms = state.start_ms;
        world->kind = state.period;
        world->admitted = 0;
        /* Leases that were out when the kind of period changed are taken along; else there are
         * none. */
        assert_true(state.used == 0 || world->kinds);
        world->most = state.used;
        world->periods++;
    }
    if (world->quota > world->most)
        world->most = world->quota;
}

static void admit(struct world *world)
{
    look(world);
    world->admitted++;
    world->total++;
    struct quota_state state = current(world);
    assert_true(world->admitted <= state.used);
    assert_true(world->admitted <= world->most);
}

/* --- the network --- */

static void post(struct world *world, struct message message)
{
    message.used = true;
    for (int i = 0; i < MESSAGES; i++)
        if (!world->messages[i].used) {
            world->messages[i] = message;
            return;
        }
    /* The line is full: this one is lost. */
}

/* --- a server --- */

static void lease_id(uint32_t number, int gateway, uint8_t id[QUOTA_LEASE_ID_BYTES])
{
    memset(id, 0, QUOTA_LEASE_ID_BYTES);
    memcpy(id, &number, sizeof number);
    id[15] = (uint8_t)gateway;
}

static void serve(struct world *world, struct message request)
{
    struct message answer = request;
    struct quota_grant grant = {0};
    uint8_t id[QUOTA_LEASE_ID_BYTES];
    lease_id(request.number, request.gateway, id);
    look(world);
    for (bool written = false; !written;) {
        uint64_t read = world->version;
        struct quota_state state = current(world);
        int64_t now_ms = server_ms(world);
        if (request.for_return)
            quota_return(&state, id, request.amount);
        else
            grant =
                quota_lease(&state, world->quota, id, request.want, request.need, LEASE_MS, now_ms);
        if (chance(world, 10)) { /* another server was faster */
            struct quota_state other = current(world);
            uint8_t nobodys[QUOTA_LEASE_ID_BYTES];
            lease_id(++world->last_number, GATEWAYS, nobodys);
            quota_lease(&other, world->quota, nobodys, 1, 0, LEASE_MS, now_ms);
            world->stored = quota_encode(&other, &world->arena);
            world->version++;
        }
        written = world->version == read;
        world->conflicts += !written;
        if (!written)
            continue;
        world->stored = quota_encode(&state, &world->arena);
        world->version++;
        answer.valid_ms = grant.end_ms > now_ms ? grant.end_ms - now_ms : 0;
    }
    answer.is_answer = true;
    answer.amount = request.for_return ? 0 : grant.amount;
    if (!chance(world, 15))
        post(world, answer);
}

/* Others lease more often than a server remembers, and give most of it back, or nothing. */
static void crowd(struct world *world)
{
    bool back = chance(world, 70);
    look(world);
    struct quota_state state = current(world);
    for (int i = 0; i < 2 * QUOTA_LEASES_MAX; i++) {
        uint8_t nobodys[QUOTA_LEASE_ID_BYTES];
        lease_id(++world->last_number, GATEWAYS, nobodys);
        quota_lease(&state, world->quota, nobodys, 1, 0, LEASE_MS, server_ms(world));
        if (back && !chance(world, 2))
            quota_return(&state, nobodys, 1);
    }
    world->stored = quota_encode(&state, &world->arena);
    world->version++;
}

/* --- a gateway --- */

static int64_t gateway_ms(const struct world *world, const struct gateway *gateway)
{
    return world->now_ms + gateway->clock_ms;
}

static void ask(struct world *world, int g, int slot)
{
    struct gateway *gateway = &world->gateways[g];
    struct held *held = &gateway->leases[slot];
    if (held->is == FREE) {
        *held = (struct held){.is = ASKED, .number = ++world->last_number};
    }
    struct message request = {.gateway = g,
                              .slot = slot,
                              .number = held->number,
                              .want = 1 + pick(world, 60),
                              .asked_ms = gateway_ms(world, gateway)};
    request.need = chance(world, 30) ? 1 + pick(world, request.want) : 0;
    post(world, request);
    if (chance(world, 10))
        post(world, request); /* twice on its way */
}

static void give_back(struct world *world, int g, int slot)
{
    const struct held *held = &world->gateways[g].leases[slot];
    struct message request = {.for_return = true,
                              .gateway = g,
                              .slot = slot,
                              .number = held->number,
                              .amount = held->left};
    post(world, request);
}

static void hear(struct world *world, const struct message *answer)
{
    struct gateway *gateway = &world->gateways[answer->gateway];
    struct held *held = &gateway->leases[answer->slot];
    if (held->number != answer->number)
        return; /* of a life before a crash, or of a lease that is through */
    if (answer->for_return && held->is == DONE)
        held->is = FREE;
    if (answer->for_return || held->is != ASKED)
        return;
    if (!answer->amount) {
        held->is = FREE;
        return;
    }
    held->is = HELD;
    held->amount = held->left = answer->amount;
    held->until_ms = answer->asked_ms + answer->valid_ms;
}

static void spend(struct world *world, int g)
{
    struct gateway *gateway = &world->gateways[g];
    for (int i = 0; i < LEASES; i++) {
        struct held *held = &gateway->leases[i];
        if (held->is != HELD || gateway_ms(world, gateway) >= held->until_ms || !held->left)
            continue;
        held->left--;
        admit(world);
        return;
    }
}

/* What has ended, or is not needed any more, is to be returned. */
static void tidy(struct world *world, int g, bool all)
{
    struct gateway *gateway = &world->gateways[g];
    for (int i = 0; i < LEASES; i++) {
        struct held *held = &gateway->leases[i];
        if (held->is == HELD &&
            (all || gateway_ms(world, gateway) >= held->until_ms || !held->left))
            held->is = DONE;
        if (held->is == DONE)
            give_back(world, g, i);
    }
}

/* With its memory gone; or with its counts kept in a file, so that it can return what it held. */
static void crash(struct world *world, int g, bool kept)
{
    struct gateway *gateway = &world->gateways[g];
    for (int i = 0; i < LEASES; i++) {
        struct held *held = &gateway->leases[i];
        if (kept && (held->is == HELD || held->is == DONE))
            held->is = DONE;
        else
            *held = (struct held){.is = FREE};
    }
    gateway->clock_ms += (int64_t)pick(world, 1000000); /* another boot, another zero */
}

/* --- a history --- */

static void deliver(struct world *world)
{
    struct message *message = &world->messages[pick(world, MESSAGES)];
    if (!message->used)
        return;
    struct message copy = *message;
    message->used = chance(world, 5); /* some arrive again */
    if (chance(world, 8))
        return; /* lost */
    if (copy.is_answer)
        hear(world, &copy);
    else
        serve(world, copy);
}

static void pass_time(struct world *world)
{
    static const int64_t long_ms[] = {1, 50, 1000, 20000, 61000, 3600000, 8 * 3600000};
    int64_t most = long_ms[pick(world, sizeof long_ms / sizeof *long_ms)];
    world->now_ms += (int64_t)pick(world, (uint64_t)most + 1);
    if (chance(world, 3) && world->lag_ms < LAG_MS_MAX)
        world->lag_ms += (int64_t)pick(world, 30000); /* the servers' clock is set back */
}

static void change_plan(struct world *world)
{
    look(world);
    if (!world->kinds || chance(world, 70))
        world->quota = 1 + pick(world, 400);
    else
        world->period = QUOTA_DAY + (world->period - QUOTA_DAY + 1 + pick(world, 2)) % 3;
    look(world);
}

static void step(struct world *world)
{
    int g = (int)pick(world, GATEWAYS);
    uint64_t what = pick(world, 1000);
    if (what < 420)
        deliver(world);
    else if (what < 700)
        for (uint64_t i = 0, some = 1 + pick(world, 30); i < some; i++)
            spend(world, g);
    else if (what < 850)
        for (int i = 0; i < LEASES; i++) {
            const struct held *held = &world->gateways[g].leases[i];
            if (held->is == ASKED || held->is == FREE) {
                ask(world, g, i);
                break;
            }
        }
    else if (what < 930)
        tidy(world, g, chance(world, 20));
    else if (what < 985)
        pass_time(world);
    else if (what < 990)
        change_plan(world);
    else if (what < 993)
        crowd(world);
    else
        crash(world, g, chance(world, 50));
}

static void begin(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->random = seed * 0x9E3779B97F4A7C15 + 1;
    world->now_ms = 20783 * DAY_MS + (int64_t)pick(world, (uint64_t)DAY_MS);
    world->quota = 1 + pick(world, 400);
    world->period = chance(world, 70) ? QUOTA_DAY : chance(world, 50) ? QUOTA_WEEK : QUOTA_MONTH;
    world->kinds = seed % 2;
    look(world);
}

/* Rule 25. */
static void no_history_admits_more_than_the_quota(void **unused)
{
    uint64_t total = 0, periods = 0, conflicts = 0;
    (void)unused;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        struct world world;
        begin(&world, seed);
        for (int i = 0; i < STEPS; i++)
            step(&world);
        total += world.total;
        periods += world.periods;
        conflicts += world.conflicts;
        arena_clear(&world.arena);
    }
    print_message("%llu admitted in %llu periods, %llu conflicts\n", (unsigned long long)total,
                  (unsigned long long)periods, (unsigned long long)conflicts);
    /* Histories in which little happened would prove little. */
    assert_true(total > HISTORIES * 50);
    assert_true(periods > HISTORIES * 3);
    assert_true(conflicts > HISTORIES * 10);
}

/* All messages arrive, nobody crashes, time stands still but for leases that end. */
static void settle(struct world *world)
{
    for (int round = 0; round < 600; round++) {
        for (int i = 0; i < MESSAGES; i++) {
            struct message copy = world->messages[i];
            world->messages[i].used = false;
            if (copy.used && copy.is_answer)
                hear(world, &copy);
            else if (copy.used)
                serve(world, copy);
        }
        int g = round % GATEWAYS;
        for (int i = 0; i < 200; i++)
            spend(world, g);
        tidy(world, g, false);
        if (world->gateways[g].leases[0].is == FREE || world->gateways[g].leases[0].is == ASKED)
            ask(world, g, 0);
    }
}

/* Rule 25. What is not lost is admitted: after any history, in a new period, with one gateway
 * killed in the middle, all of the quota is used but what that gateway had not spent; and that too,
 * if it kept count and comes back.
 */
static void all_is_admitted_but_what_was_lost(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct world world;
        uint64_t lost = 0;
        bool kept = seed % 2;
        begin(&world, seed);
        world.period = QUOTA_DAY;
        world.now_ms = 20783 * DAY_MS + 1;
        world.kinds = false;
        look(&world);
        /* One lease that is partly spent when its gateway is killed. */
        ask(&world, 0, 0);
        for (int i = 0; i < 100000 && world.gateways[0].leases[0].is != HELD; i++) {
            deliver(&world);
            if (!world.messages[0].used && world.gateways[0].leases[0].is != HELD)
                ask(&world, 0, 0);
        }
        assert_int_equal(world.gateways[0].leases[0].is, HELD);
        for (uint64_t i = 0, some = pick(&world, 20); i < some; i++)
            spend(&world, 0);
        if (!kept)
            lost = world.gateways[0].leases[0].left;
        crash(&world, 0, kept);
        world.now_ms += LEASE_MS;
        memset(world.messages, 0, sizeof world.messages);
        world.random |= 1;
        settle(&world);
        struct quota_state state = current(&world);
        uint64_t nobodys = 0; /* what the other servers granted in between */
        for (size_t i = 0; i < state.lease_count; i++)
            if (state.leases[i].id[15] == GATEWAYS)
                nobodys += state.leases[i].amount;
        assert_int_equal(state.used, world.quota);
        assert_int_equal(world.admitted + lost + nobodys, world.quota);
        arena_clear(&world.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_history_admits_more_than_the_quota),
        cmocka_unit_test(all_is_admitted_but_what_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
