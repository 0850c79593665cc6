/*
 * Leases against a store that keeps books as the access service does, with a clock that the tests
 * turn. What the store sees is what counts: it never has to grant more than N.
 */
#include "gateway/quota.h"

#include "base/log.h"
#include "gateway/quota_journal.h"
#include "tests/unit/gateway/quota_store.h"

#include <fcntl.h>

static struct store new_store(uint64_t quota)
{
    now_ms = 1000000;
    return (struct store){.lessor = {store_ask}, .quota = quota};
}

static enum quota_verdict spend(struct quota *quota, uint32_t cost)
{
    return quota_spend(quota, STR("key"), STR(""), cost, NULL).verdict;
}

/* Spends until it is refused; the store answers at once. */
static uint64_t spend_all(struct store *store, struct quota *quota, uint32_t cost)
{
    uint64_t spent = 0;
    for (int misses = 0; misses < 50;) {
        enum quota_verdict verdict = spend(quota, cost);
        answer(store);
        spent += verdict == QUOTA_ADMITTED ? cost : 0;
        misses = verdict == QUOTA_ADMITTED ? 0 : misses + 1;
        if (verdict == QUOTA_USED_UP)
            break;
    }
    return spent;
}

static void tick(struct store *store, struct quota *quota, int64_t milliseconds)
{
    now_ms += milliseconds;
    quota_tick(quota);
    answer(store);
}

/* The end of a test, or of a process that is killed: nothing is said to the store. */
static void kill_it(struct quota *quota)
{
    quota_free(quota);
}

/* Rule 25. */
static void spends_exactly(void **state)
{
    static const uint64_t quotas[] = {1, 2, 3, 7, 100, 12345};
    (void)state;
    for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
        struct store store = new_store(quotas[i]);
        struct quota *quota = new_gateway(&store, "");
        assert_int_equal(spend_all(&store, quota, 1), quotas[i]);
        assert_int_equal(store.used, quotas[i]);
        kill_it(quota);
    }
}

static void asks_ahead(void **state)
{
    struct store store = new_store(100000);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    store.chunk_max = 8;
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    assert_int_equal(store.question_count, 1);
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    assert_int_equal(store.question_count, 1); /* one question at a time */
    answer(&store);
    for (int i = 0; i < 3; i++)
        assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    assert_int_equal(store.question_count, 0);
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED); /* the half is spent */
    assert_int_equal(store.question_count, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(spend(quota, 1), QUOTA_ADMITTED); /* while the question is open */
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    answer(&store);
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    answer(&store);
    kill_it(quota);
}

static void tells_what_is_left(void **state)
{
    struct store store = new_store(40);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    spend(quota, 1);
    answer(&store);
    struct quota_outcome outcome = quota_spend(quota, STR("key"), STR(""), 3, NULL);
    assert_int_equal(outcome.verdict, QUOTA_ADMITTED);
    assert_int_equal(outcome.left, 37);
    assert_int_equal(outcome.reset_us, 1000000000);
    answer(&store);
    kill_it(quota);
}

static void used_up_is_used_up(void **state)
{
    struct store store = new_store(3);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    spend_all(&store, quota, 1);
    size_t asked = store.asked_in_all;
    struct quota_outcome outcome = quota_spend(quota, STR("key"), STR(""), 1, NULL);
    assert_int_equal(outcome.verdict, QUOTA_USED_UP);
    assert_int_equal(outcome.retry_ms, 7000);
    assert_int_equal(outcome.left, 0);
    now_ms += 4999;
    assert_int_equal(quota_spend(quota, STR("key"), STR(""), 1, NULL).retry_ms, 2001);
    assert_int_equal(store.asked_in_all, asked); /* answered from memory */
    now_ms += 1;                                 /* a plan may have changed: asked anew */
    store.quota = 5;
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    answer(&store);
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    answer(&store);
    kill_it(quota);
}

static void costs_are_gathered(void **state)
{
    struct store store = new_store(20);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    store.chunk_max = 3;
    assert_int_equal(spend_all(&store, quota, 7), 14);
    assert_int_equal(spend_all(&store, quota, 1), 6);
    kill_it(quota);
}

/* Rule 25. Whatever a request costs: as many as there is quota for, and then it is used up. */
static void costs_are_exact(void **state)
{
    static const struct {
        uint32_t cost;
        uint64_t quota;
    } cases[] = {{400, 400}, {500, 1000}, {100, 1000}, {7, 50}, {3, 2}, {1000, 1000999}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store store = new_store(cases[i].quota);
        struct quota *quota = new_gateway(&store, "");
        assert_int_equal(spend_all(&store, quota, cases[i].cost),
                         cases[i].quota / cases[i].cost * cases[i].cost);
        assert_int_equal(spend(quota, cases[i].cost), QUOTA_USED_UP);
        assert_int_equal(spend_all(&store, quota, 1), cases[i].quota % cases[i].cost);
        kill_it(quota);
    }
}

/* Rule 25. What several gateways hold, each too little for one more, comes together again, and
 * soon: it is asking in vain that does not count as use. */
static void costs_are_exact_over_gateways(void **state)
{
    struct store store = new_store(50);
    struct quota *gateways[] = {new_gateway(&store, ""), new_gateway(&store, "")};
    int admitted = 0;
    (void)state;
    for (int i = 0; i < VALID_MS / 100 - 20; i++) {
        admitted += spend(gateways[i % 2], 7) == QUOTA_ADMITTED;
        answer(&store);
        tick(&store, gateways[i % 2], 100);
    }
    assert_int_equal(admitted, 7);
    kill_it(gateways[0]);
    kill_it(gateways[1]);
}

/* Nothing of a lease after its end, counted from before the first question. */
static void ends_count_from_the_question(void **state)
{
    struct store store = new_store(1000);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    spend(quota, 1);
    now_ms += 4000; /* the answer takes its time */
    answer(&store);
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    now_ms += 6000 - VALID_MS / 1000 - 2;
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    now_ms += 1;
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    answer(&store);
    tick(&store, quota, 0); /* the old one goes back */
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    tick(&store, quota, 6000); /* idle: all goes back */
    assert_int_equal(store.used, 3);
    kill_it(quota);
}

/* An answer that was lost: the same lease is asked for, and spent once. */
static void lost_answers(void **state)
{
    struct store store = new_store(64);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    spend(quota, 1);
    store.fails = CODE_UNAVAILABLE;
    store.forgets = true;
    answer(&store);
    assert_int_equal(store.used, 16);
    store.fails = CODE_OK;
    tick(&store, quota, 5000);
    assert_int_equal(store.used, 16);
    assert_int_equal(store.lease_count, 1);
    assert_int_equal(spend_all(&store, quota, 1), 64);
    kill_it(quota);
}

static void away_is_not_used_up(void **state)
{
    struct store store = new_store(64);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    store.fails = CODE_UNAVAILABLE;
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    for (int i = 0; i < 3; i++) {
        answer(&store);
        tick(&store, quota, 2000);
    }
    assert_int_equal(spend(quota, 1), QUOTA_AWAY);
    store.fails = CODE_NOT_FOUND; /* such a key, or such a quota, is not there */
    tick(&store, quota, 2000);
    assert_int_equal(spend(quota, 1), QUOTA_AWAY);
    store.fails = CODE_OK;
    now_ms += 2000;
    assert_int_equal(spend(quota, 1), QUOTA_AWAY); /* asked again, and not waited for */
    answer(&store);
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    answer(&store);
    kill_it(quota);
}

/* Rule 25. What is leased goes on being spent while the store is away. */
static void leases_outlive_the_store(void **state)
{
    struct store store = new_store(1000);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    spend(quota, 1);
    answer(&store);
    store.fails = CODE_UNAVAILABLE;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
        answer(&store);
    }
    assert_true(spend(quota, 1) != QUOTA_ADMITTED);
    kill_it(quota);
}

/* --- waiters --- */

struct heard {
    int times;
    struct quota_outcome outcome;
};

static void hear(void *argument, const struct quota_outcome *outcome)
{
    struct heard *heard = argument;
    heard->times++;
    heard->outcome = *outcome;
}

static void waiters_are_told(void **state)
{
    struct store store = new_store(2);
    struct quota *quota = new_gateway(&store, "");
    struct heard heard[3] = {{0}};
    struct quota_waiter waiters[3];
    (void)state;
    store.chunk_max = 2;
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct quota_waiter){.done = hear, .argument = &heard[i]};
        assert_int_equal(quota_spend(quota, STR("key"), STR(""), 1, &waiters[i]).verdict,
                         QUOTA_WAIT);
    }
    answer(&store);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(heard[i].times, 1);
        assert_int_equal(heard[i].outcome.verdict, i < 2 ? QUOTA_ADMITTED : QUOTA_USED_UP);
    }
    kill_it(quota);
}

static void waiters_do_not_wait_for_ever(void **state)
{
    struct store store = new_store(2);
    struct quota *quota = new_gateway(&store, "");
    struct heard heard = {0};
    struct quota_waiter waiter = {.done = hear, .argument = &heard};
    (void)state;
    quota_spend(quota, STR("key"), STR(""), 1, &waiter);
    now_ms += WAIT_MS - 1;
    quota_tick(quota);
    assert_int_equal(heard.times, 0);
    now_ms += 1;
    quota_tick(quota);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.outcome.verdict, QUOTA_AWAY);
    answer(&store);
    assert_int_equal(heard.times, 1);
    kill_it(quota);
}

/* --- several, and killed ones --- */

static void subjects_are_apart(void **state)
{
    struct store store = new_store(100);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    quota_spend(quota, STR("key"), STR("ip:192.0.2.1"), 1, NULL);
    quota_spend(quota, STR("key"), STR("ip:192.0.2.2"), 1, NULL);
    assert_int_equal(store.question_count, 2);
    assert_string_equal(store.questions[0].subject, "ip:192.0.2.1");
    assert_string_equal(store.questions[1].subject, "ip:192.0.2.2");
    answer(&store);
    kill_it(quota);
}

/* --- strangers: many networks that come with a public key --- */

enum { STRANGERS = JOURNAL_SLOTS + 1000, STRANGERS_IN_MASSES = 80000, SELDOM = 400 };

static enum quota_verdict spend_as(struct quota *quota, int stranger)
{
    char subject[40];
    snprintf(subject, sizeof subject, "ip:%d", stranger);
    return quota_spend(quota, STR("public"), str_of(subject), 1, NULL).verdict;
}

/* However many come, what was not used for longest makes room: for them, and for secret keys. */
static void strangers_take_turns(void **state)
{
    struct store store = new_store(1000000);
    struct quota *quota = new_gateway(&store, "");
    uint64_t admitted = 0;
    (void)state;
    for (int i = 0; i < STRANGERS; i++) {
        assert_int_equal(spend_as(quota, i), QUOTA_WAIT);
        answer(&store);
        admitted += spend_as(quota, i) == QUOTA_ADMITTED;
        if (i % SELDOM)
            continue;
        /* Whoever comes again meanwhile keeps his lease. */
        assert_int_equal(spend_as(quota, STRANGERS), i ? QUOTA_ADMITTED : QUOTA_WAIT);
        admitted += i > 0;
        answer(&store);
    }
    assert_int_equal(admitted, STRANGERS + STRANGERS / SELDOM);
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    answer(&store);
    assert_int_equal(spend(quota, 1), QUOTA_ADMITTED);
    tick(&store, quota, 5000);
    assert_int_equal(store.used, admitted + 1);
    kill_it(quota);
}

/* With the store away they fill their part, and no more. */
static void strangers_leave_room_for_keys(void **state)
{
    struct store store = new_store(1000000);
    char *folder = new_folder();
    struct quota *quota = new_gateway(&store, folder);
    enum quota_verdict last = QUOTA_WAIT;
    (void)state;
    for (int i = 0; i < STRANGERS_IN_MASSES; i++)
        last = spend_as(quota, i);
    assert_int_equal(last, QUOTA_AWAY);
    assert_int_equal(store.question_count, JOURNAL_SLOTS / 4 * 3);
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    kill_it(quota);
    quota = new_gateway(&store, folder); /* it counts those that it finds */
    assert_int_equal(spend_as(quota, 0), QUOTA_AWAY);
    assert_int_equal(spend(quota, 1), QUOTA_WAIT);
    kill_it(quota);
    remove_folder(folder);
}

/* Rule 25. Two gateways share one quota; what one holds and does not use goes back. */
static void gateways_share(void **state)
{
    struct store store = new_store(100);
    struct quota *one = new_gateway(&store, ""), *two = new_gateway(&store, "");
    (void)state;
    assert_int_equal(spend(one, 1), QUOTA_WAIT);
    answer(&store);
    assert_int_equal(spend(one, 1), QUOTA_ADMITTED);
    uint64_t spent = 1 + spend_all(&store, two, 1);
    assert_true(spent < 100);
    tick(&store, one, 5000);
    tick(&store, two, 5000);
    spent += spend_all(&store, two, 1);
    assert_int_equal(spent, 100);
    kill_it(one);
    kill_it(two);
}

static void drains(void **state)
{
    struct store store = new_store(100);
    struct quota *quota = new_gateway(&store, "");
    (void)state;
    spend(quota, 1);
    answer(&store);
    assert_int_equal(spend(quota, 5), QUOTA_ADMITTED);
    quota_drain(quota, 0);
    answer(&store);
    assert_int_equal(store.used, 5);
    assert_int_equal(spend(quota, 1), QUOTA_AWAY);
    kill_it(quota);
}

/* Rule 25. Killed at every point of its life; the next process gives back exactly what was not
 * spent. */
static void killed_gateways_give_back(void **state)
{
    (void)state;
    for (uint64_t kill_after = 0; kill_after <= 60; kill_after++) {
        struct store store = new_store(50);
        char *folder = new_folder();
        struct quota *quota = new_gateway(&store, folder);
        uint64_t spent = 0;
        for (uint64_t i = 0; i < kill_after; i++) {
            spent += spend(quota, 1) == QUOTA_ADMITTED;
            if (i % 3 != 1)
                answer(&store);
        }
        store.question_count = 0; /* what was asked last is never heard */
        kill_it(quota);
        quota = new_gateway(&store, folder);
        quota_tick(quota);
        answer(&store);
        assert_int_equal(store.used, spent);
        assert_int_equal(spent + spend_all(&store, quota, 1), 50);
        kill_it(quota);
        remove_folder(folder);
    }
}

/* The question had arrived, and its answer was on the way when the process was killed. */
static void unheard_grants_come_back(void **state)
{
    struct store store = new_store(50);
    char *folder = new_folder();
    struct quota *quota = new_gateway(&store, folder);
    (void)state;
    spend(quota, 1);
    grant(&store, &store.questions[0]);
    store.question_count = 0;
    assert_true(store.used > 0);
    kill_it(quota);
    quota = new_gateway(&store, folder);
    quota_tick(quota);
    answer(&store);
    assert_int_equal(store.used, 0);
    kill_it(quota);
    remove_folder(folder);
}

/* A file from before a restart of the machine may be older than the truth. */
static void another_boot_is_not_believed(void **state)
{
    struct store store = new_store(50);
    char *folder = new_folder();
    char path[96];
    struct quota *quota = new_gateway(&store, folder);
    (void)state;
    spend(quota, 1);
    answer(&store);
    uint64_t used = store.used;
    kill_it(quota);
    snprintf(path, sizeof path, "%s/leases", folder);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "another", 7, 8), 7);
    close(fd);
    quota = new_gateway(&store, folder);
    quota_tick(quota);
    assert_int_equal(store.question_count, 0);
    assert_int_equal(store.used, used);
    kill_it(quota);
    remove_folder(folder);
}

static void one_gateway_a_folder(void **state)
{
    struct store store = new_store(1);
    char *folder = new_folder();
    struct quota *quota = new_gateway(&store, folder), *other;
    struct quota_options options = {&store.lessor, folder, &CLOCK, WAIT_MS};
    struct error err = {0};
    (void)state;
    assert_int_equal(quota_new(&options, &other, &err), CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "--state-dir: another gateway uses"));
    options.state_dir = "/nowhere/at/all";
    assert_int_equal(quota_new(&options, &other, &err), CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, "--state-dir: /nowhere/at/all/leases"));
    kill_it(quota);
    remove_folder(folder);
}

/* Anything may stand in the file: nothing of it is believed that cannot be. */
static void nonsense_in_the_file(void **state)
{
    struct store store = new_store(1);
    char *folder = new_folder();
    char path[96], noise[8192];
    (void)state;
    snprintf(path, sizeof path, "%s/leases", folder);
    quota_free(new_gateway(&store, folder));
    int fd = open(path, O_WRONLY);
    memset(noise, 0x01, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 4096), sizeof noise);
    close(fd);
    struct quota *quota = new_gateway(&store, folder);
    quota_tick(quota);
    assert_int_equal(store.question_count, 0);
    kill_it(quota);
    remove_folder(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(spends_exactly),
        cmocka_unit_test(asks_ahead),
        cmocka_unit_test(tells_what_is_left),
        cmocka_unit_test(used_up_is_used_up),
        cmocka_unit_test(costs_are_gathered),
        cmocka_unit_test(costs_are_exact),
        cmocka_unit_test(costs_are_exact_over_gateways),
        cmocka_unit_test(ends_count_from_the_question),
        cmocka_unit_test(lost_answers),
        cmocka_unit_test(away_is_not_used_up),
        cmocka_unit_test(leases_outlive_the_store),
        cmocka_unit_test(waiters_are_told),
        cmocka_unit_test(waiters_do_not_wait_for_ever),
        cmocka_unit_test(subjects_are_apart),
        cmocka_unit_test(strangers_take_turns),
        cmocka_unit_test(strangers_leave_room_for_keys),
        cmocka_unit_test(gateways_share),
        cmocka_unit_test(drains),
        cmocka_unit_test(killed_gateways_give_back),
        cmocka_unit_test(unheard_grants_come_back),
        cmocka_unit_test(another_boot_is_not_believed),
        cmocka_unit_test(one_gateway_a_folder),
        cmocka_unit_test(nonsense_in_the_file),
    };
    log_init("quota_test", LOG_ERROR); /* refusals are expected here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
