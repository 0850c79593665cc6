/* The access store: what it keeps, what it refuses, that changes are seen, and conditions. */
#include "tests/contract/user/access_suite.h"

#include <pthread.h>
#include <stdatomic.h>

static void assert_reason(const struct access_suite *suite, const char *reason)
{
    assert_string_equal(suite->err.reason, reason);
}

static void plans_are_kept_and_replaced(void **state)
{
    struct access_suite *suite = *state;
    struct access_plan plan = {STR("gold"), 0.125, 9, QUOTA_MAX, QUOTA_MONTH}, *plans, got;
    size_t count;
    assert_int_equal(ACCESS(suite, put_plan, &plan), CODE_OK);
    access_suite_plan(suite, "basic", 5);
    plan.burst = 10;
    assert_int_equal(ACCESS(suite, put_plan, &plan), CODE_OK);
    access_suite_reopen(suite);
    assert_int_equal(ACCESS(suite, list_plans, &suite->arena, &plans, &count), CODE_OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(plans[0].id, STR("basic")) && str_eq(plans[1].id, STR("gold")));
    assert_int_equal(ACCESS(suite, get_plan, STR("gold"), &suite->arena, &got), CODE_OK);
    assert_true(got.rate == 0.125 && got.burst == 10 && got.quota == QUOTA_MAX);
    assert_int_equal(got.period, QUOTA_MONTH);
    assert_int_equal(ACCESS(suite, get_plan, STR("silver"), &suite->arena, &got), CODE_NOT_FOUND);
    assert_reason(suite, REASON_PLAN_NOT_FOUND);
}

static void plans_are_bounded(void **state)
{
    struct access_suite *suite = *state;
    char id[32];
    for (int i = 0; i < ACCESS_PLANS_MAX; i++) {
        snprintf(id, sizeof id, "plan-%d", i);
        access_suite_plan(suite, id, 0);
    }
    struct access_plan plan = {STR("one-more"), 1, 1, 0, QUOTA_NONE};
    assert_int_equal(ACCESS(suite, put_plan, &plan), CODE_RESOURCE_EXHAUSTED);
    assert_reason(suite, REASON_PLANS_FULL);
    access_suite_plan(suite, "plan-7", 3); /* those there are can still be changed */
}

static void key_is_read_back_whole(void **state)
{
    struct access_suite *suite = *state;
    char secret[ACCESS_SECRET_CHARS + 1];
    struct access_key key = access_suite_key(suite, "Jos\xC3\xA9's shop"), got;
    access_suite_plan(suite, "p", 0);
    key.is_public = true;
    key.expire_us = suite->wall_us + 77;
    access_key_rotate(&key, suite->wall_us, 5000, secret);
    assert_int_equal(key.secret_count, 2);
    assert_int_equal(ACCESS(suite, create_key, &key, NULL), CODE_OK);
    access_suite_reopen(suite);
    assert_int_equal(ACCESS(suite, get_key, key.id, &suite->arena, &got), CODE_OK);
    assert_true(str_eq(got.name, key.name) && str_eq(got.plan_id, key.plan_id));
    assert_true(got.is_public);
    assert_int_equal(got.create_us, key.create_us);
    assert_int_equal(got.rotate_us, key.rotate_us);
    assert_int_equal(got.expire_us, key.expire_us);
    assert_int_equal(got.disable_us, 0);
    assert_string_equal(got.prefix, key.prefix);
    assert_int_equal(got.secret_count, 2);
    assert_int_equal(got.version, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_memory_equal(got.secrets[i].hash, key.secrets[i].hash, ACCESS_HASH_BYTES);
        assert_int_equal(got.secrets[i].expire_us, key.secrets[i].expire_us);
    }
    assert_int_equal(ACCESS(suite, get_key, id_new(&suite->clock), &suite->arena, &got),
                     CODE_NOT_FOUND);
    assert_reason(suite, REASON_KEY_NOT_FOUND);
}

static void key_needs_its_plan(void **state)
{
    struct access_suite *suite = *state;
    struct access_key key = access_suite_key(suite, "k");
    uint64_t before = access_suite_version(suite);
    assert_int_equal(ACCESS(suite, create_key, &key, NULL), CODE_FAILED_PRECONDITION);
    assert_reason(suite, REASON_PLAN_NOT_FOUND);
    assert_string_equal(suite->err.fields[0].path, "api_key.plan_id");
    assert_int_equal(access_suite_version(suite), before);
}

static void key_is_made_once_for_a_request(void **state)
{
    struct access_suite *suite = *state;
    struct access_key first = access_suite_key(suite, "k"), second = access_suite_key(suite, "k");
    struct store_once once = {STR("request"), {1}}, other = {STR("request"), {2}};
    char id[ID_TEXT_BYTES + 1];
    access_suite_plan(suite, "p", 0);
    assert_int_equal(ACCESS(suite, create_key, &first, &once), CODE_OK);
    access_suite_reopen(suite);
    assert_int_equal(ACCESS(suite, create_key, &second, &once), CODE_ALREADY_EXISTS);
    assert_reason(suite, REASON_KEY_CREATED_BEFORE);
    id_format(first.id, id);
    assert_non_null(strstr(suite->err.text, id));
    assert_int_equal(ACCESS(suite, create_key, &second, &other), CODE_INVALID_ARGUMENT);
    assert_reason(suite, REASON_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(ACCESS(suite, get_key, second.id, &suite->arena, &second), CODE_NOT_FOUND);
    suite->wall_us += STORE_IDEMPOTENCY_MS * 1000LL;
    assert_int_equal(ACCESS(suite, create_key, &second, &other), CODE_OK);
}

static void keys_are_listed_in_pages(void **state)
{
    struct access_suite *suite = *state;
    struct access_key made[5];
    struct access_key_page page;
    access_suite_plan(suite, "p", 0);
    for (int i = 0; i < 5; i++)
        made[i] = access_suite_made(suite, "k");
    assert_int_equal(ACCESS(suite, list_keys, NULL, 3, &suite->arena, &page), CODE_OK);
    assert_int_equal(page.count, 3);
    assert_true(page.more);
    assert_memory_equal(page.keys[0].id.bytes, made[0].id.bytes, 16);
    assert_int_equal(ACCESS(suite, list_keys, &page.keys[2].id, 2, &suite->arena, &page), CODE_OK);
    assert_int_equal(page.count, 2);
    assert_false(page.more);
    assert_memory_equal(page.keys[1].id.bytes, made[4].id.bytes, 16);
    assert_int_equal(ACCESS(suite, list_keys, &made[4].id, 2, &suite->arena, &page), CODE_OK);
    assert_int_equal(page.count, 0);
}

static void change_is_conditional(void **state)
{
    struct access_suite *suite = *state;
    char secret[ACCESS_SECRET_CHARS + 1];
    access_suite_plan(suite, "p", 0);
    struct access_key key = access_suite_made(suite, "k"), old = key, got;
    access_key_rotate(&key, suite->wall_us, 1000, secret);
    assert_int_equal(ACCESS(suite, change_key, &key), CODE_OK);
    old.disable_us = 5;
    assert_int_equal(ACCESS(suite, change_key, &old), CODE_ABORTED);
    assert_reason(suite, REASON_KEY_CHANGED);
    assert_int_equal(ACCESS(suite, get_key, key.id, &suite->arena, &got), CODE_OK);
    assert_int_equal(got.version, 2);
    assert_int_equal(got.disable_us, 0);
    assert_int_equal(got.secret_count, 2);
    assert_string_equal(got.prefix, key.prefix);
    old.id = id_new(&suite->clock);
    assert_int_equal(ACCESS(suite, change_key, &old), CODE_NOT_FOUND);
}

static void change_replaces_what_may_change(void **state)
{
    struct access_suite *suite = *state;
    struct access_key got;
    access_suite_plan(suite, "p", 0);
    access_suite_plan(suite, "q", 5);
    struct access_key key = access_suite_made(suite, "k");
    key.name = STR("another name");
    key.plan_id = STR("q");
    key.expire_us = 1234;
    key.is_public = true; /* stays as it was made */
    assert_int_equal(ACCESS(suite, change_key, &key), CODE_OK);
    assert_int_equal(ACCESS(suite, get_key, key.id, &suite->arena, &got), CODE_OK);
    assert_true(str_eq(got.name, key.name) && str_eq(got.plan_id, STR("q")));
    assert_int_equal(got.expire_us, 1234);
    assert_false(got.is_public);
    uint64_t version = access_suite_version(suite);
    got.plan_id = STR("r");
    assert_int_equal(ACCESS(suite, change_key, &got), CODE_FAILED_PRECONDITION);
    assert_reason(suite, REASON_PLAN_NOT_FOUND);
    assert_int_equal(access_suite_version(suite), version);
}

static void keys_that_are_not_disabled_are_bounded(void **state)
{
    struct access_suite *suite = *state;
    struct access_snapshot snapshot;
    access_suite_plan(suite, "p", 0);
    struct access_key first = access_suite_made(suite, "k"), key;
    for (int i = 1; i < ACCESS_KEYS_MAX; i++)
        access_suite_made(suite, "k");
    key = access_suite_key(suite, "one more");
    assert_int_equal(ACCESS(suite, create_key, &key, NULL), CODE_RESOURCE_EXHAUSTED);
    assert_reason(suite, REASON_KEYS_FULL);
    assert_int_equal(ACCESS(suite, snapshot, &suite->arena, &snapshot), CODE_OK);
    assert_int_equal(snapshot.key_count, ACCESS_KEYS_MAX);
    first.disable_us = suite->wall_us;
    assert_int_equal(ACCESS(suite, change_key, &first), CODE_OK);
    assert_int_equal(ACCESS(suite, create_key, &key, NULL), CODE_OK);
}

static void every_change_is_a_new_version(void **state)
{
    struct access_suite *suite = *state;
    struct access_snapshot snapshot;
    uint64_t version = access_suite_version(suite), next;
    assert_true(version >= (uint64_t)suite->wall_us); /* no other database's */
    access_suite_plan(suite, "p", 0);
    assert_true((next = access_suite_version(suite)) > version);
    version = next;
    struct access_key key = access_suite_made(suite, "k"), other = access_suite_made(suite, "l");
    assert_true((next = access_suite_version(suite)) > version);
    version = next;
    suite->wall_us -= 3600LL * 1000000; /* a clock that goes back */
    key.disable_us = 1;
    assert_int_equal(ACCESS(suite, change_key, &key), CODE_OK);
    assert_true((next = access_suite_version(suite)) > version);
    access_suite_reopen(suite);
    assert_int_equal(access_suite_version(suite), next);
    assert_int_equal(ACCESS(suite, snapshot, &suite->arena, &snapshot), CODE_OK);
    assert_int_equal(snapshot.version, next);
    assert_int_equal(snapshot.key_count, 1);
    assert_memory_equal(snapshot.keys[0].id.bytes, other.id.bytes, 16);
    assert_int_equal(snapshot.plan_count, 1);
}

struct replica {
    struct access_suite *suite;
    bool at_work;
    char made;
};

/* Whenever something is about to be queried, a plan and a key on it come first. */
static void replica_makes_a_plan_and_a_key(void *argument, struct str operation)
{
    struct replica *replica = argument;
    if (replica->at_work || !str_eq(operation, STR("Query")))
        return;
    replica->at_work = true;
    const char plan[] = {++replica->made, '\0'};
    access_suite_plan(replica->suite, plan, 0);
    struct access_key key = access_suite_key(replica->suite, "k");
    key.plan_id = str_of(plan);
    assert_int_equal(ACCESS(replica->suite, create_key, &key, NULL), CODE_OK);
    replica->at_work = false;
}

static bool has_plan(const struct access_snapshot *snapshot, struct str id)
{
    for (size_t i = 0; i < snapshot->plan_count; i++)
        if (str_eq(snapshot->plans[i].id, id))
            return true;
    return false;
}

static void snapshot_has_the_plans_of_its_keys(void **state)
{
    struct access_suite *suite = *state;
    struct replica replica = {.suite = suite, .made = 'a'};
    struct access_snapshot snapshot;
    access_suite_plan(suite, "p", 0);
    access_suite_made(suite, "k");
    if (suite->fake)
        dynamodb_fake_before(suite->fake, replica_makes_a_plan_and_a_key, &replica);
    assert_int_equal(ACCESS(suite, snapshot, &suite->arena, &snapshot), CODE_OK);
    assert_true(snapshot.key_count >= 1);
    for (size_t i = 0; i < snapshot.key_count; i++)
        assert_true(has_plan(&snapshot, snapshot.keys[i].plan_id));
}

/* --- quotas --- */

static void quota_is_replaced_under_a_condition(void **state)
{
    struct access_suite *suite = *state;
    struct access_counter counter = {{1}}, other = {{2}};
    struct access_quota quota, stale;
    assert_int_equal(ACCESS(suite, get_quota, &counter, &suite->arena, &quota), CODE_OK);
    assert_int_equal(quota.bytes.len, 0);
    assert_int_equal(quota.version, 0);
    stale = quota;
    quota.bytes = STR("a\0b");
    assert_int_equal(ACCESS(suite, put_quota, &counter, &quota, INT64_MAX), CODE_OK);
    assert_int_equal(ACCESS(suite, put_quota, &counter, &stale, INT64_MAX), CODE_ABORTED);
    assert_reason(suite, REASON_QUOTA_CHANGED);
    access_suite_reopen(suite);
    assert_int_equal(ACCESS(suite, get_quota, &counter, &suite->arena, &quota), CODE_OK);
    assert_true(str_eq(quota.bytes, STR("a\0b")));
    stale = quota;
    quota.bytes = STR("");
    assert_int_equal(ACCESS(suite, put_quota, &counter, &quota, INT64_MAX), CODE_OK);
    assert_int_equal(ACCESS(suite, put_quota, &counter, &stale, INT64_MAX), CODE_ABORTED);
    assert_int_equal(ACCESS(suite, get_quota, &counter, &suite->arena, &quota), CODE_OK);
    assert_int_equal(quota.bytes.len, 0);
    assert_true(quota.version > stale.version);
    assert_int_equal(ACCESS(suite, get_quota, &other, &suite->arena, &quota), CODE_OK);
    assert_int_equal(quota.version, 0);
}

enum { THREADS = 8, ROUNDS = 60 };

struct racer {
    struct access_suite *suite;
    atomic_int *aborted; /* of them all */
    int done;
};

/* Adds one to a number again and again, as leases do: read, change, replace if nobody else did.
 * Until they have met at least once. */
static void *race(void *argument)
{
    struct racer *racer = argument;
    struct access_store *store = racer->suite->store;
    struct access_counter counter = {{7}};
    struct arena arena = {0};
    while (racer->done < ROUNDS || !atomic_load(racer->aborted)) {
        struct access_quota quota;
        struct error err = {0};
        uint32_t number = 0;
        arena_reset(&arena);
        if (store->vtable->get_quota(store, &ACCESS_CALL, &counter, &arena, &quota, &err))
            break;
        if (quota.bytes.len == sizeof number)
            memcpy(&number, quota.bytes.ptr, sizeof number);
        number++;
        quota.bytes = (struct str){(const char *)&number, sizeof number};
        enum code code =
            store->vtable->put_quota(store, &ACCESS_CALL, &counter, &quota, INT64_MAX, &err);
        if (code != CODE_OK && code != CODE_ABORTED)
            break;
        if (code == CODE_OK)
            racer->done++;
        else
            atomic_fetch_add(racer->aborted, 1);
    }
    arena_clear(&arena);
    return NULL;
}

static void nothing_is_lost_when_many_replace_it(void **state)
{
    struct access_suite *suite = *state;
    struct access_counter counter = {{7}};
    struct access_quota quota;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    uint32_t number;
    int done = 0;
    atomic_int aborted = 0;
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){suite, &aborted, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(racers[i].done >= ROUNDS);
        done += racers[i].done;
    }
    assert_int_equal(ACCESS(suite, get_quota, &counter, &suite->arena, &quota), CODE_OK);
    memcpy(&number, quota.bytes.ptr, sizeof number);
    assert_int_equal(number, done);
}

static void what_is_over_is_forgotten(void **state)
{
    struct access_suite *suite = *state;
    struct access_counter counter = {{1}}, other = {{2}};
    struct access_quota quota = {STR("x"), 0};
    int64_t now_ms = suite->wall_us / 1000;
    assert_int_equal(ACCESS(suite, put_quota, &counter, &quota, now_ms + 1000), CODE_OK);
    suite->wall_us += 5000000;
    assert_int_equal(ACCESS(suite, put_quota, &other, &quota, now_ms + 100000), CODE_OK);
    assert_int_equal(ACCESS(suite, get_quota, &counter, &suite->arena, &quota), CODE_OK);
    assert_int_equal(quota.version, 0);
    assert_int_equal(ACCESS(suite, get_quota, &other, &suite->arena, &quota), CODE_OK);
    assert_int_equal(quota.version, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCESS_TEST(plans_are_kept_and_replaced),
        ACCESS_TEST(plans_are_bounded),
        ACCESS_TEST(key_is_read_back_whole),
        ACCESS_TEST(key_needs_its_plan),
        ACCESS_TEST(key_is_made_once_for_a_request),
        ACCESS_TEST(keys_are_listed_in_pages),
        ACCESS_TEST(change_is_conditional),
        ACCESS_TEST(change_replaces_what_may_change),
        ACCESS_LARGE_TEST(keys_that_are_not_disabled_are_bounded),
        ACCESS_TEST(every_change_is_a_new_version),
        ACCESS_TEST(snapshot_has_the_plans_of_its_keys),
        ACCESS_TEST(quota_is_replaced_under_a_condition),
        ACCESS_TEST(nothing_is_lost_when_many_replace_it),
        ACCESS_TEST(what_is_over_is_forgotten),
    };
    return access_suite_run(tests);
}
