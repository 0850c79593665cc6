/* Several processes on one table: who seals a shard, what becomes of one whose process is gone. */
#include "tests/contract/user/store_suite.h"

enum { DYNAMODB = 1, SHARDS = 64 };

static int setup(void **state)
{
    suite_backend = &SUITE_BACKENDS[DYNAMODB];
    return suite_setup(state);
}

/* Another process. */
static struct store *open_other(struct suite *suite)
{
    struct store *mine = suite->store, *other;
    assert_int_equal(suite_open_fake(suite), CODE_OK);
    other = suite->store;
    suite->store = mine;
    return other;
}

static void create_on(struct suite *suite, struct store *store, const char *email)
{
    struct store *mine = suite->store;
    suite->store = store;
    suite_create(suite, email, "Somebody");
    suite->store = mine;
}

static size_t seal(struct suite *suite, struct store *store)
{
    size_t sealed;
    assert_int_equal(store->vtable->outbox_seal(store, &sealed, &suite->err), CODE_OK);
    return sealed;
}

static size_t line_of(struct suite *suite, struct store *store, struct store_batch batches[8])
{
    size_t count;
    assert_int_equal(store->vtable->outbox_oldest(store, 8, 1 << 20, &suite->arena, batches, &count,
                                                  &suite->err),
                     CODE_OK);
    return count;
}

static struct store_outbox_stats stats_of(struct store *store)
{
    struct store_outbox_stats stats;
    store->vtable->outbox_stats(store, &stats);
    return stats;
}

static struct store_hour hour_of(struct suite *suite, struct store *store)
{
    struct store_hour *hours;
    size_t count;
    assert_int_equal(store->vtable->outbox_hours(store, SUITE_HOUR, SUITE_HOUR + 3600,
                                                 &suite->arena, &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 1);
    return hours[0];
}

static void lease_ends(struct suite *suite)
{
    suite->clock.wall_us += (STORE_DYNAMODB_LEASE_MS + 1) * 1000LL;
}

static void each_seals_its_own_and_all_count_all(void **state)
{
    struct suite *suite = *state;
    struct store *other = open_other(suite);
    struct store_batch batches[8];
    create_on(suite, suite->store, "a@x");
    create_on(suite, other, "b@x");
    create_on(suite, other, "c@x");
    assert_int_equal(hour_of(suite, suite->store).emitted, 3);
    assert_int_equal(seal(suite, suite->store), 1);
    assert_int_equal(seal(suite, suite->store), 0);
    assert_int_equal(line_of(suite, suite->store, batches), 1);
    assert_int_equal(line_of(suite, other, batches), 0);
    assert_int_equal(seal(suite, other), 2);
    assert_int_equal(hour_of(suite, suite->store).emitted, 3);
    assert_int_equal(hour_of(suite, other).pending, 3);
    assert_int_equal(stats_of(suite->store).events, 1);
    assert_int_equal(stats_of(other).events, 2);
    store_free(other);
}

static void count_up(void *argument)
{
    ++*(int *)argument;
}

static void a_shard_is_taken_over_when_its_lease_ends(void **state)
{
    struct suite *suite = *state;
    struct store *other = open_other(suite);
    struct store_batch batches[8];
    int found = 0;
    store_dynamodb_on_found(suite->store, count_up, &found);
    create_on(suite, other, "a@x");
    assert_int_equal(seal(suite, other), 1);
    create_on(suite, other, "b@x");
    store_dynamodb_tend(suite->store);
    assert_int_equal(stats_of(suite->store).events, 0); /* its owner is there */
    assert_int_equal(found, 0);
    lease_ends(suite); /* `other` is paused: it does not renew */
    store_dynamodb_tend(suite->store);
    assert_int_equal(found, 1);
    assert_int_equal(stats_of(suite->store).events, 2);
    assert_int_equal(stats_of(suite->store).unsealed, 1);
    assert_int_equal(line_of(suite, suite->store, batches), 1);
    assert_int_equal(seal(suite, suite->store), 1);
    assert_int_equal(line_of(suite, suite->store, batches), 2);

    /* It goes on, with a write and a sealing that it has no right to any more. */
    create_on(suite, other, "c@x");
    assert_int_equal(seal(suite, other), 0);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/b/"), 2);
    store_dynamodb_tend(other); /* and learns it, and takes another home */
    create_on(suite, other, "d@x");
    assert_int_equal(seal(suite, other), 1);
    store_dynamodb_tend(suite->store);
    assert_int_equal(seal(suite, suite->store), 1); /* the late write */
    assert_int_equal(seal(suite, suite->store), 0);
    assert_int_equal(hour_of(suite, suite->store).emitted, 4);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/q/"), 0);
    store_free(other);
}

static void an_empty_shard_that_was_taken_over_is_given_back(void **state)
{
    struct suite *suite = *state;
    struct store *other = open_other(suite);
    struct store_batch batches[8];
    create_on(suite, other, "a@x");
    lease_ends(suite);
    store_dynamodb_tend(suite->store);
    assert_int_equal(seal(suite, suite->store), 1);
    assert_int_equal(line_of(suite, suite->store, batches), 1);
    assert_int_equal(
        suite->store->vtable->outbox_forget(suite->store, &batches[0].id, 1, &suite->err), CODE_OK);
    store_dynamodb_tend(suite->store);
    create_on(suite, other, "b@x"); /* a write that took its time, to a shard that nobody holds */
    for (int i = 0; i <= SHARDS && !stats_of(suite->store).unsealed; i++)
        store_dynamodb_tend(suite->store);
    assert_int_equal(seal(suite, suite->store), 1);
    store_free(other);
}

/* What a process leaves behind is there for the next. */
static void content_of_a_shard_that_was_given_back_is_found(void **state)
{
    struct suite *suite = *state;
    struct store *other = open_other(suite);
    create_on(suite, other, "a@x");
    store_free(other);
    for (int i = 0; i <= SHARDS && !stats_of(suite->store).events; i++)
        store_dynamodb_tend(suite->store);
    assert_int_equal(stats_of(suite->store).unsealed, 1);
    assert_int_equal(seal(suite, suite->store), 1);
}

/* 30 events of `store` are sealed, and the first deletion fails. */
static void seal_without_deleting(struct suite *suite, struct store *store)
{
    for (int i = 0; i < 30; i++) {
        char email[16];
        snprintf(email, sizeof email, "%d@x", i);
        create_on(suite, store, email);
    }
    dynamodb_fake_fail(suite->fake, FAKE_REFUSED, 4, false); /* query, seal, list, delete */
    assert_int_equal(seal(suite, store), 30);
    dynamodb_fake_fail(suite->fake, FAKE_NONE, 0, false);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/q/"), 30);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/s/"), 1);
    assert_int_equal(hour_of(suite, suite->store).emitted, 30);
    assert_int_equal(hour_of(suite, suite->store).pending, 30);
    create_on(suite, store, "one-more@x");
    assert_int_equal(hour_of(suite, suite->store).emitted, 31);
}

static void check_sealed_once(struct suite *suite, struct store *store)
{
    struct store_batch batches[8];
    assert_int_equal(seal(suite, store), 1);
    assert_int_equal(seal(suite, store), 0);
    assert_int_equal(line_of(suite, store, batches), 2);
    assert_int_equal(batches[0].count + batches[1].count, 31);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/s/"), 0);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/q/"), 0);
    assert_int_equal(hour_of(suite, suite->store).emitted, 31);
}

static void a_deletion_that_failed_is_made_up_for_first(void **state)
{
    struct suite *suite = *state;
    seal_without_deleting(suite, suite->store);
    check_sealed_once(suite, suite->store);
}

static void nothing_is_sealed_twice_after_a_crash(void **state)
{
    struct suite *suite = *state;
    struct store *other = open_other(suite);
    seal_without_deleting(suite, other);
    lease_ends(suite); /* `other` is no more */
    store_dynamodb_tend(suite->store);
    check_sealed_once(suite, suite->store);
    store_free(other);
}

/* --- one who goes on after his lease has ended --- */

struct takeover {
    struct suite *suite;
    struct store *other; /* whose shard it is, until he is about to drop his list */
    bool done;
};

/* Takes the shard over, sweeps it, and seals what came meanwhile without deleting it. */
static void take_over(void *argument, struct str operation)
{
    struct takeover *takeover = argument;
    struct suite *suite = takeover->suite;
    if (takeover->done || !str_eq(operation, STR("DeleteItem")))
        return;
    takeover->done = true;
    lease_ends(suite);
    create_on(suite, takeover->other, "late@x");
    store_dynamodb_tend(suite->store);
    dynamodb_fake_fail(suite->fake, FAKE_REFUSED, 4, false); /* query, seal, list, delete */
    assert_int_equal(seal(suite, suite->store), 1);
    dynamodb_fake_fail(suite->fake, FAKE_NONE, 0, false);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/s/"), 1);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/q/"), 1);
}

static void a_late_sweep_leaves_the_successors_list_alone(void **state)
{
    struct suite *suite = *state;
    struct takeover takeover = {suite, open_other(suite), false};
    create_on(suite, takeover.other, "early@x");
    dynamodb_fake_before(suite->fake, take_over, &takeover);
    assert_int_equal(seal(suite, takeover.other), 1);
    dynamodb_fake_before(suite->fake, NULL, NULL);
    assert_true(takeover.done);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/s/"), 1);
    assert_int_equal(seal(suite, suite->store), 0);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/s/"), 0);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/q/"), 0);
    assert_int_equal(hour_of(suite, suite->store).emitted, 2);
    store_free(takeover.other);
}

static void there_is_a_shard_for_each_of_64(void **state)
{
    struct suite *suite = *state;
    struct store *others[SHARDS - 1], *mine = suite->store;
    for (int i = 0; i < SHARDS - 1; i++)
        others[i] = open_other(suite);
    assert_int_equal(suite_open_fake(suite), CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(suite->err.text, "all 64 shards of the outbox belong to other processes");
    suite->store = mine;
    store_free(others[7]);
    others[7] = open_other(suite);
    for (int i = 0; i < SHARDS - 1; i++)
        store_free(others[i]);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, suite_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_seals_its_own_and_all_count_all),
        TEST(a_shard_is_taken_over_when_its_lease_ends),
        TEST(an_empty_shard_that_was_taken_over_is_given_back),
        TEST(content_of_a_shard_that_was_given_back_is_found),
        TEST(a_deletion_that_failed_is_made_up_for_first),
        TEST(nothing_is_sealed_twice_after_a_crash),
        TEST(a_late_sweep_leaves_the_successors_list_alone),
        TEST(there_is_a_shard_for_each_of_64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
