/* Reads that arrive together share a request, and nobody waits for another's deadline. */
#include "tests/contract/user/store_suite.h"

#include "user/store_dynamodb_internal.h"

#include <pthread.h>
#include <sched.h>

enum { DYNAMODB = 1, READERS = 40 };

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    bool shut;
    int inside;
};

static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

/* Requests for users stand before the gate as long as it is shut. */
static void wait_at_gate(void *argument, struct str operation)
{
    (void)argument;
    if (!str_eq(operation, STR("BatchGetItem")))
        return;
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.turn);
    while (gate.shut)
        pthread_cond_wait(&gate.turn, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}

static void set_gate(bool shut)
{
    pthread_mutex_lock(&gate.lock);
    gate.shut = shut;
    pthread_cond_broadcast(&gate.turn);
    pthread_mutex_unlock(&gate.lock);
}

static void await_inside(int count)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside < count)
        pthread_cond_wait(&gate.turn, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void await_waiting(struct suite *suite, size_t count)
{
    struct store_dynamodb *store = (struct store_dynamodb *)suite->store;
    while (gather_waiting(store->gather) != count)
        sched_yield();
}

static int setup(void **state)
{
    suite_backend = &SUITE_BACKENDS[DYNAMODB];
    if (suite_setup(state) != 0)
        return -1;
    dynamodb_fake_before(((struct suite *)*state)->fake, wait_at_gate, NULL);
    return 0;
}

struct reading {
    struct suite *suite;
    struct id id;
    int64_t remaining_ms;
    enum code code;
    char email[32];
    pthread_t thread;
};

static void *read_one(void *argument)
{
    struct reading *reading = argument;
    struct store *store = reading->suite->store;
    struct store_call call = {STORE_TENANT, reading->remaining_ms};
    struct arena arena = {0};
    struct error err = {0};
    struct user user;
    reading->code = store->vtable->get(store, &call, reading->id, &arena, &user, &err);
    if (reading->code == CODE_OK)
        snprintf(reading->email, sizeof reading->email, "%.*s", STR_ARG(user.email));
    arena_clear(&arena);
    return NULL;
}

static void start(struct reading *reading, struct suite *suite, struct id id, int64_t remaining_ms)
{
    *reading = (struct reading){.suite = suite, .id = id, .remaining_ms = remaining_ms};
    assert_int_equal(pthread_create(&reading->thread, NULL, read_one, reading), 0);
}

static void join(struct reading *reading)
{
    pthread_join(reading->thread, NULL);
}

static void waiting_reads_share_the_next_request(void **state)
{
    struct suite *suite = *state;
    struct reading readings[READERS];
    struct user users[READERS];
    char email[16];
    for (int i = 0; i < READERS; i++) {
        snprintf(email, sizeof email, "%d@x", i / 2); /* in pairs: the same id twice is one key */
        users[i] = i % 2 ? users[i - 1] : suite_create(suite, email, "U");
    }
    users[READERS - 1].id = id_new(&suite->clock.base); /* nobody's */
    int before = dynamodb_fake_count(suite->fake, "BatchGetItem");
    set_gate(true);
    for (int i = 0; i < 2; i++) /* as many requests as may be under way */
        start(&readings[i], suite, users[i].id, INT64_MAX);
    await_inside(2);
    for (int i = 2; i < READERS; i++)
        start(&readings[i], suite, users[i].id, INT64_MAX);
    await_waiting(suite, READERS - 2);
    set_gate(false);
    for (int i = 0; i < READERS; i++) {
        join(&readings[i]);
        snprintf(email, sizeof email, "%d@x", i / 2);
        assert_int_equal(readings[i].code, i == READERS - 1 ? CODE_NOT_FOUND : CODE_OK);
        if (readings[i].code == CODE_OK)
            assert_string_equal(readings[i].email, email);
    }
    /* Both of the first may end before one of those who wait has asked: then two do. */
    assert_in_range(dynamodb_fake_count(suite->fake, "BatchGetItem") - before, 3, 4);
}

static void who_waits_too_long_leaves_and_the_others_are_answered(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "U");
    struct reading leaders[2], hurried, patient;
    set_gate(true);
    for (int i = 0; i < 2; i++)
        start(&leaders[i], suite, user.id, INT64_MAX);
    await_inside(2);
    start(&patient, suite, user.id, INT64_MAX);
    start(&hurried, suite, user.id, 1);
    join(&hurried);
    assert_int_equal(hurried.code, CODE_DEADLINE_EXCEEDED);
    set_gate(false);
    join(&patient);
    assert_int_equal(patient.code, CODE_OK);
    for (int i = 0; i < 2; i++) {
        join(&leaders[i]);
        assert_int_equal(leaders[i].code, CODE_OK);
    }
}

/* The one who asks has no time left: the others are asked for by one of them. */
static void a_late_leader_does_not_make_others_late(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "U");
    struct reading leaders[2], late, patient[3];
    set_gate(true);
    for (int i = 0; i < 2; i++)
        start(&leaders[i], suite, user.id, INT64_MAX);
    await_inside(2);
    start(&late, suite, user.id, 30 * 1000);
    await_waiting(suite, 1);
    for (int i = 0; i < 3; i++)
        start(&patient[i], suite, user.id, INT64_MAX);
    await_waiting(suite, 4);
    suite->clock.wall_us += 31 * 1000000LL; /* the store's clock: `late` is, before it asks */
    set_gate(false);
    join(&late);
    assert_int_equal(late.code, CODE_DEADLINE_EXCEEDED);
    for (int i = 0; i < 2; i++)
        join(&leaders[i]);
    for (int i = 0; i < 3; i++) {
        join(&patient[i]);
        assert_int_equal(patient[i].code, CODE_OK);
    }
}

static void a_failure_is_told_to_all_who_shared_it(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "U");
    struct reading readings[8];
    set_gate(true);
    for (int i = 0; i < 2; i++)
        start(&readings[i], suite, user.id, INT64_MAX);
    await_inside(2);
    for (int i = 2; i < 8; i++)
        start(&readings[i], suite, user.id, INT64_MAX);
    await_waiting(suite, 6);
    dynamodb_fake_fail(suite->fake, FAKE_REFUSED, 1, true);
    set_gate(false);
    for (int i = 0; i < 8; i++) {
        join(&readings[i]);
        assert_int_equal(readings[i].code, CODE_UNAVAILABLE);
    }
    dynamodb_fake_fail(suite->fake, FAKE_NONE, 0, false);
    assert_int_equal(suite_get(suite, user.id, &user), CODE_OK);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, suite_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waiting_reads_share_the_next_request),
        TEST(who_waits_too_long_leaves_and_the_others_are_answered),
        TEST(a_late_leader_does_not_make_others_late),
        TEST(a_failure_is_told_to_all_who_shared_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
