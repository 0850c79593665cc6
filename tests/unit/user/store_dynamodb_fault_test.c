/*
 * One operation of DynamoDB fails, whichever it is and however: no acknowledged write is lost, none
 * happens twice, nothing half-written is to be seen. And what else comes in between.
 */
#include "tests/contract/user/store_suite.h"

#include <pthread.h>

enum { DYNAMODB = 1, STEPS_MAX = 200 };

static int setup(void **state)
{
    suite_backend = &SUITE_BACKENDS[DYNAMODB];
    return suite_setup(state);
}

/* --- a day's work, retried by a client that means to have it done --- */

struct work {
    struct suite *suite;
    struct id ada, bob;
    int events; /* that must be in the outbox, each once */
};

static bool passes(enum code code)
{
    return code == CODE_UNAVAILABLE;
}

static struct store_write write_of(struct work *work, const struct store_once *once)
{
    struct store_write write = suite_write(once);
    write.event.bytes =
        str_of(arena_printf(&work->suite->arena, "<%.*s>", STR_ARG(once->request_id)));
    return write;
}

static struct store_once once_of(const char *name)
{
    struct store_once once = {.request_id = str_of(name)};
    memset(once.hash, name[0], sizeof once.hash);
    return once;
}

static struct id create(struct work *work, const char *name, const char *email)
{
    struct suite *suite = work->suite;
    struct store_once once = once_of(name);
    struct store_write write = write_of(work, &once);
    struct user user = suite_user(suite, email, "Anna Maria Example"), created;
    enum code code;
    do {
        error_clear(&suite->err);
        code = suite->store->vtable->create(suite->store, &write, &user, &suite->arena, &created,
                                            &suite->replayed, &suite->err);
    } while (passes(code));
    assert_int_equal(code, CODE_OK);
    work->events++;
    return created.id;
}

static void rename_to(struct work *work, const char *once_name, struct id id, const char *email)
{
    struct suite *suite = work->suite;
    struct store_once once = once_of(once_name);
    struct store_write write = write_of(work, &once);
    struct user_change change = {.id = id,
                                 .fields = USER_FIELD_DISPLAY_NAME | USER_FIELD_EMAIL,
                                 .values = {.display_name = STR("Zoe New"), .email = str_of(email)},
                                 .now_us = suite->clock.wall_us};
    struct user updated;
    enum code code;
    do {
        error_clear(&suite->err);
        code = suite->store->vtable->update(suite->store, &write, &change, &suite->arena, &updated,
                                            &suite->replayed, &suite->err);
    } while (passes(code));
    assert_int_equal(code, CODE_OK);
    assert_int_equal(updated.version, 2);
    work->events++;
}

static void erase(struct work *work, const char *once_name, struct id id)
{
    struct suite *suite = work->suite;
    struct store_once once = once_of(once_name);
    struct store_write write = write_of(work, &once);
    enum code code;
    do {
        error_clear(&suite->err);
        code = suite->store->vtable->remove(suite->store, &write, id, STR(""), &suite->replayed,
                                            &suite->err);
    } while (passes(code));
    assert_int_equal(code, CODE_OK);
    work->events++;
}

/* What a write whose answer was lost has left is found by whoever tends the outbox. */
static void seal_all(struct suite *suite)
{
    size_t sealed = 1;
    store_dynamodb_tend(suite->store);
    for (int n = 0; n < STEPS_MAX && (sealed || suite_stats(suite).unsealed); n++) {
        struct error err = {0};
        sealed = 0;
        if (suite->store->vtable->outbox_seal(suite->store, &sealed, &err) != CODE_OK) {
            assert_true(passes(err.code));
            sealed = 1;
        }
    }
}

static int count_in(struct str text, const char *part)
{
    int count = 0;
    size_t length = strlen(part);
    for (size_t at = 0; at + length <= text.len; at++)
        count += memcmp(text.ptr + at, part, length) == 0;
    return count;
}

/* Takes all batches out, as the relay does; what they hold goes to `all`. */
static void send_all(struct suite *suite, struct buf *all)
{
    struct id seen[STEPS_MAX];
    size_t seen_count = 0;
    for (int n = 0; n < STEPS_MAX; n++) {
        struct store_batch batch;
        struct error err = {0};
        size_t count = 0;
        if (suite->store->vtable->outbox_oldest(suite->store, 1, 1 << 20, &suite->arena, &batch,
                                                &count, &err) != CODE_OK) {
            assert_true(passes(err.code));
            continue;
        }
        if (!count)
            return;
        bool again =
            false; /* a batch whose forgetting failed comes again; they know it by its id */
        for (size_t i = 0; i < seen_count; i++)
            again = again || memcmp(&seen[i], &batch.id, sizeof batch.id) == 0;
        if (!again) {
            seen[seen_count++] = batch.id;
            buf_add(all, batch.body);
        }
        if (suite->store->vtable->outbox_forget(suite->store, &batch.id, 1, &err) != CODE_OK)
            assert_true(passes(err.code));
    }
    fail_msg("the line does not end");
}

static void check_found(struct suite *suite, const char *query, size_t expected)
{
    assert_int_equal(suite_search(suite, query, STR(""), 10).count, expected);
}

static void check_end(struct work *work, struct str sent)
{
    static const char *const events[] = {"<create-ada>", "<create-bob>", "<rename-ada>",
                                         "<erase-bob>", "<create-cyd>"};
    struct suite *suite = work->suite;
    struct user got;
    struct store_hour *hours;
    size_t count;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        assert_int_equal(count_in(sent, events[i]), 1);
    assert_int_equal(suite_get(suite, work->ada, &got), CODE_OK);
    assert_str_equal(got.display_name, STR("Zoe New"));
    assert_int_equal(suite_get(suite, work->bob, &got), CODE_NOT_FOUND);
    check_found(suite, "zoe", 1);
    check_found(suite, "ada", 0); /* the old address */
    check_found(suite, "bob", 1); /* another one */
    check_found(suite, "anna maria", 1);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/u/"), 2);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/e/"), 2);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/n"), 2);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/w/"), 4 + 5);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/q/"), 0);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/s/"), 0);
    assert_int_equal(suite->store->vtable->outbox_hours(suite->store, SUITE_HOUR, SUITE_HOUR + 3600,
                                                        &suite->arena, &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(hours[0].emitted, work->events);
    assert_int_equal(hours[0].pending, 0);
}

static void do_work(struct work *work, struct buf *sent)
{
    struct suite *suite = work->suite;
    work->ada = create(work, "create-ada", "ada@x");
    work->bob = create(work, "create-bob", "bob@x");
    seal_all(suite);
    rename_to(work, "rename-ada", work->ada, "zoe@example.y");
    erase(work, "erase-bob", work->bob);
    send_all(suite, sent);
    create(work, "create-cyd", "bob@x"); /* the address is free again */
    seal_all(suite);
    seal_all(suite);
    send_all(suite, sent);
}

/* Returns how many operations the work took. */
static int work_with_fault(enum fake_fault fault, int at, bool every)
{
    void *state = NULL;
    struct work work = {0};
    struct buf sent;
    assert_int_equal(setup(&state), 0);
    work.suite = state;
    buf_init(&sent, 1 << 20);
    dynamodb_fake_fail(work.suite->fake, fault, at, every);
    do_work(&work, &sent);
    int operations = dynamodb_fake_operations(work.suite->fake);
    dynamodb_fake_fail(work.suite->fake, FAKE_NONE, 0, false);
    store_dynamodb_tend(work.suite->store); /* the last answer may be the one that was lost */
    seal_all(work.suite);
    send_all(work.suite, &sent);
    check_end(&work, buf_str(&sent));
    buf_clear(&sent);
    assert_int_equal(suite_teardown(&state), 0);
    return operations;
}

/* Rule 39. */
static void every_operation_fails_once(void **state)
{
    (void)state;
    int operations = work_with_fault(FAKE_NONE, 0, false);
    assert_in_range(operations, 20, STEPS_MAX);
    for (int fault = FAKE_NONE + 1; fault < FAKE_FAULTS; fault++)
        for (int at = 1; at <= operations; at++)
            work_with_fault((enum fake_fault)fault, at, false);
}

static void every_third_operation_fails(void **state)
{
    (void)state;
    for (int fault = FAKE_NONE + 1; fault < FAKE_FAULTS; fault++)
        work_with_fault((enum fake_fault)fault, 3, true);
}

/* Rule 39. The client of AWS asks again by itself: the token says that it is the same request. */
static void a_lost_answer_needs_no_request_id(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_user(suite, "a@x", "A"), created;
    struct user_change change = {
        .id = user.id, .fields = USER_FIELD_GIVEN_NAME, .values = {.given_name = STR("B")}};
    dynamodb_fake_fail(suite->fake, FAKE_LOST_RETRY, 1, true);
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_OK);
    assert_int_equal(suite_update(suite, &change, &created), CODE_OK);
    assert_int_equal(created.version, 2);
    assert_int_equal(suite_remove(suite, user.id, STR("")), CODE_OK);
    assert_int_equal(suite_stats(suite).events, 3);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/q/"), 3);
}

static void assert_unsure(struct suite *suite, enum code code)
{
    assert_int_equal(code, CODE_UNAVAILABLE);
    assert_true(suite->err.unsure);
    dynamodb_fake_fail(suite->fake, FAKE_NONE, 0, false);
}

/* Rule 39. The answer to the transaction is lost. */
static void what_may_have_been_carried_out_is_unsure(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_user(suite, "a@x", "A"), got;
    struct user_change change = {
        .id = user.id, .fields = USER_FIELD_GIVEN_NAME, .values = {.given_name = STR("B")}};
    dynamodb_fake_fail(suite->fake, FAKE_LOST, 1, false);
    assert_unsure(suite, suite_create_once(suite, &user, NULL, &got));
    assert_int_equal(suite_get(suite, user.id, &got), CODE_OK);
    dynamodb_fake_fail(suite->fake, FAKE_LOST, 2, false); /* after a read */
    assert_unsure(suite, suite_update(suite, &change, &got));
    assert_int_equal(suite_get(suite, user.id, &got), CODE_OK);
    assert_int_equal(got.version, 2);
    dynamodb_fake_fail(suite->fake, FAKE_LOST, 2, false);
    assert_unsure(suite, suite_remove(suite, user.id, STR("")));
    assert_int_equal(suite_get(suite, user.id, &got), CODE_NOT_FOUND);
}

static void what_was_not_carried_out_is_sure(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "A"), other = suite_user(suite, "a@x", "B"), got;
    struct user_change change = {
        .id = user.id, .fields = USER_FIELD_GIVEN_NAME, .values = {.given_name = STR("B")}};
    assert_int_equal(suite_create_once(suite, &other, NULL, &got), CODE_ALREADY_EXISTS);
    assert_false(suite->err.unsure);
    dynamodb_fake_fail(suite->fake, FAKE_REFUSED, 1, false); /* the read */
    assert_int_equal(suite_update(suite, &change, &got), CODE_UNAVAILABLE);
    assert_false(suite->err.unsure);
    dynamodb_fake_fail(suite->fake, FAKE_NONE, 0, false);
    assert_int_equal(suite_remove(suite, other.id, STR("")), CODE_NOT_FOUND);
    assert_false(suite->err.unsure);
}

/* --- in between --- */

struct intruder {
    struct suite *suite;
    struct id id;
    const char *name;
    int times;
};

/* Another replica changes the user after it was read and before it is written. */
static void intrude(void *argument, struct str operation)
{
    struct intruder *intruder = argument;
    if (!intruder->times || !str_eq(operation, STR("TransactWriteItems")))
        return;
    intruder->times--;
    int times = intruder->times;
    intruder->times = 0; /* not into its own */
    struct suite *suite = intruder->suite;
    struct store_write write = suite_write(NULL);
    struct arena arena = {0};
    struct error err = {0};
    struct user_change change = {.id = intruder->id, .fields = USER_FIELD_GIVEN_NAME};
    struct user updated;
    bool replayed;
    change.values.given_name = str_of(arena_printf(&arena, "%s%d", intruder->name, times));
    assert_int_equal(suite->store->vtable->update(suite->store, &write, &change, &arena, &updated,
                                                  &replayed, &err),
                     CODE_OK);
    arena_clear(&arena);
    intruder->times = times;
}

/* Rule 39. */
static void a_change_in_between_is_not_overwritten(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "A"), updated;
    char etag[USER_ETAG_BYTES];
    struct intruder intruder = {suite, user.id, "Given", 3};
    struct user_change change = {
        .id = user.id, .fields = USER_FIELD_FAMILY_NAME, .values = {.family_name = STR("Family")}};
    dynamodb_fake_before(suite->fake, intrude, &intruder);
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_int_equal(updated.version, 5);
    assert_str_equal(updated.given_name, STR("Given0"));
    assert_str_equal(updated.family_name, STR("Family"));
    user_etag(&updated, etag);
    intruder.times = 1;
    intruder.name = "Other";
    change.etag = str_of(etag);
    change.values.family_name = STR("Late");
    assert_int_equal(suite_update(suite, &change, &updated), CODE_ABORTED);
    assert_string_equal(suite->err.reason, REASON_ETAG_MISMATCH);
    intruder.times = 1;
    intruder.name = "Third";
    user_etag(&updated, etag);
    assert_int_equal(suite_get(suite, user.id, &updated), CODE_OK);
    user_etag(&updated, etag);
    assert_int_equal(suite_remove(suite, user.id, str_of(etag)), CODE_ABORTED);
    assert_int_equal(suite_remove(suite, user.id, STR("")), CODE_OK);
}

/* --- the largest writes --- */

static char *long_name(struct suite *suite, char from)
{
    struct buf name;
    buf_init_arena(&name, &suite->arena, 1024);
    for (int i = 0; i < SEARCH_TOKENS_MAX; i++)
        buf_addf(&name, "%c%clongword ", 'a' + i, from);
    return arena_cstr(&suite->arena, str_trim(buf_str(&name)));
}

static void the_largest_change_is_one_transaction(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "zebra@yak", long_name(suite, 'x')), updated;
    struct user_change change = {.id = user.id,
                                 .fields = USER_FIELD_DISPLAY_NAME | USER_FIELD_EMAIL,
                                 .values = {.email = STR("yellow@zoo")}};
    struct store_once once = once_of("big");
    struct store_write write = suite_write(&once);
    change.values.display_name = str_of(long_name(suite, 'y'));
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/w/"), SEARCH_TOKENS_MAX);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/h/"), SEARCH_TOKENS_MAX);
    assert_int_equal(suite->store->vtable->update(suite->store, &write, &change, &suite->arena,
                                                  &updated, &suite->replayed, &suite->err),
                     CODE_OK);
    assert_int_equal(suite_search(suite, "aylong", STR(""), 5).count, 1);
    assert_int_equal(suite_search(suite, "axlong", STR(""), 5).count, 0);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/w/"), SEARCH_TOKENS_MAX);
    assert_int_equal(dynamodb_fake_items(suite->fake, "1/h/"), SEARCH_TOKENS_MAX);
}

/* --- races --- */

enum { THREADS = 6, ROUNDS = 20 };

struct racer {
    struct suite *suite;
    pthread_barrier_t *start;
    struct id id; /* of the answer, or of whom to change */
    int won, replayed, refused;
    char etag[USER_ETAG_BYTES];
};

/* The same request from all at once, each with an id of its own. */
static void *race_create(void *argument)
{
    struct racer *racer = argument;
    struct suite *suite = racer->suite;
    struct arena arena = {0};
    struct error err = {0};
    struct store_once once = once_of("same");
    struct store_write write = suite_write(&once);
    struct user user = suite_user(suite, "a@x", "A"), created;
    bool replayed;
    pthread_barrier_wait(racer->start);
    if (suite->store->vtable->create(suite->store, &write, &user, &arena, &created, &replayed,
                                     &err) == CODE_OK) {
        racer->id = created.id;
        racer->won = !replayed;
        racer->replayed = replayed;
    }
    arena_clear(&arena);
    return NULL;
}

/* The same etag from all at once. */
static void *race_update(void *argument)
{
    struct racer *racer = argument;
    struct suite *suite = racer->suite;
    struct arena arena = {0};
    struct error err = {0};
    struct store_write write = suite_write(NULL);
    struct user_change change = {
        .id = racer->id, .fields = USER_FIELD_GIVEN_NAME, .etag = str_of(racer->etag)};
    struct user updated;
    bool replayed;
    change.values.given_name = str_of(arena_printf(&arena, "%p", (void *)racer));
    pthread_barrier_wait(racer->start);
    enum code code = suite->store->vtable->update(suite->store, &write, &change, &arena, &updated,
                                                  &replayed, &err);
    racer->won = code == CODE_OK;
    racer->refused = code == CODE_ABORTED;
    arena_clear(&arena);
    return NULL;
}

static void race(struct suite *suite, struct racer *racers, void *(*run)(void *))
{
    pthread_barrier_t start;
    pthread_t threads[THREADS];
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        racers[i].suite = suite;
        racers[i].start = &start;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}

static void races_have_one_winner(void **state)
{
    struct suite *suite = *state;
    dynamodb_fake_fail(suite->fake, FAKE_CONFLICT, 4, true);
    for (int round = 0; round < ROUNDS; round++) {
        struct racer racers[THREADS] = {0};
        int won = 0, replayed = 0, refused = 0;
        struct user user;
        suite->clock.wall_us += (STORE_IDEMPOTENCY_MS + 1000) * 1000LL;
        race(suite, racers, race_create);
        for (int i = 0; i < THREADS; i++) {
            won += racers[i].won;
            replayed += racers[i].replayed;
            assert_memory_equal(&racers[i].id, &racers[0].id, sizeof racers[0].id);
        }
        assert_int_equal(won, 1);
        assert_int_equal(replayed, THREADS - 1);
        assert_int_equal(suite_get(suite, racers[0].id, &user), CODE_OK);
        for (int i = 0; i < THREADS; i++)
            user_etag(&user, racers[i].etag);
        won = 0;
        race(suite, racers, race_update);
        for (int i = 0; i < THREADS; i++) {
            won += racers[i].won;
            refused += racers[i].refused;
        }
        assert_int_equal(won, 1);
        assert_int_equal(refused, THREADS - 1);
        assert_int_equal(suite_remove(suite, user.id, STR("")), CODE_OK);
    }
    assert_int_equal(suite_stats(suite).events, ROUNDS * 3);
}

/* --- a busy table, and one that is not as it should be --- */

static void a_table_that_stays_busy_is_told_so(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_user(suite, "a@x", "A"), created;
    dynamodb_fake_fail(suite->fake, FAKE_CONFLICT, 1, true);
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_UNAVAILABLE);
    assert_string_equal(suite->err.reason, REASON_STORE_UNAVAILABLE);
    dynamodb_fake_fail(suite->fake, FAKE_NONE, 0, false);
    assert_int_equal(suite_stats(suite).events, 0);
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_OK);
}

/* The layout's version is another one. */
static enum code call_newer(void *fake, struct str operation, struct str body, int64_t deadline_ms,
                            struct arena *arena, const struct json_value **answer,
                            struct dynamodb_refusal *refusal, struct error *err)
{
    if (!str_eq(operation, STR("BatchGetItem")))
        return dynamodb_fake_call(fake, operation, body, deadline_ms, arena, answer, refusal, err);
    memset(refusal, 0, sizeof *refusal);
    return json_read(arena,
                     STR("{\"Responses\":{\"users\":[{\"pk\":{\"S\":\"schema\"},\"sk\":{\"S\":"
                         "\"-\"},\"v\":{\"N\":\"9\"}}]}}"),
                     json_limits_default(), answer, err);
}

static enum code call_missing(void *context, struct str operation, struct str body,
                              int64_t deadline_ms, struct arena *arena,
                              const struct json_value **answer, struct dynamodb_refusal *refusal,
                              struct error *err)
{
    (void)context, (void)operation, (void)body, (void)deadline_ms, (void)arena, (void)answer;
    memset(refusal, 0, sizeof *refusal);
    refusal->error = STR("ResourceNotFoundException");
    return error_set(err, CODE_INTERNAL, "ResourceNotFoundException", "secret words");
}

static void a_wrong_table_is_refused_at_start(void **state)
{
    struct suite *suite = *state;
    struct store *store = NULL;
    struct error err = {0};
    struct store_dynamodb_options options = {.port = {call_newer, suite->fake},
                                             .table = STR("users"),
                                             .clock = &suite->clock.base,
                                             .reads_at_once = 1};
    assert_int_equal(store_dynamodb_open(&options, &store, &err), CODE_FAILED_PRECONDITION);
    assert_string_equal(err.text, "the table's layout is version 9; this program knows 1");
    error_clear(&err);
    options.port = (struct dynamodb_port){call_missing, NULL};
    assert_int_equal(store_dynamodb_open(&options, &store, &err), CODE_FAILED_PRECONDITION);
    assert_string_equal(err.text, "there is no table \"users\"; `omnictl aws init` makes it");
}

/* Transactions are not allowed to us. */
static enum code call_denied(void *fake, struct str operation, struct str body, int64_t deadline_ms,
                             struct arena *arena, const struct json_value **answer,
                             struct dynamodb_refusal *refusal, struct error *err)
{
    if (!str_eq(operation, STR("TransactWriteItems")))
        return dynamodb_fake_call(fake, operation, body, deadline_ms, arena, answer, refusal, err);
    memset(refusal, 0, sizeof *refusal);
    refusal->error = STR("TransactionCanceledException");
    refusal->reason_count = 2;
    refusal->reasons[0] = STR("None");
    refusal->reasons[1] = STR("AccessDenied");
    return error_set(err, CODE_ABORTED, "TransactionCanceledException", "secret words");
}

static void what_never_passes_is_not_tried_again(void **state)
{
    struct suite *suite = *state;
    struct store *mine = suite->store, *denied;
    struct store_dynamodb_options options = {.port = {call_denied, suite->fake},
                                             .table = STR("users"),
                                             .clock = &suite->clock.base,
                                             .reads_at_once = 1};
    struct user user = suite_user(suite, "a@x", "A"), created;
    assert_int_equal(store_dynamodb_open(&options, &denied, &suite->err), CODE_OK);
    suite->store = denied;
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_INTERNAL);
    assert_string_equal(suite->err.reason, REASON_STORE_REFUSED);
    assert_string_equal(suite->err.text, "the store refused a request");
    suite->store = mine;
    store_free(denied);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, suite_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_fails_once),
        cmocka_unit_test(every_third_operation_fails),
        TEST(a_lost_answer_needs_no_request_id),
        TEST(a_change_in_between_is_not_overwritten),
        TEST(the_largest_change_is_one_transaction),
        TEST(races_have_one_winner),
        TEST(a_table_that_stays_busy_is_told_so),
        TEST(what_never_passes_is_not_tried_again),
        TEST(a_wrong_table_is_refused_at_start),
        TEST(what_may_have_been_carried_out_is_unsure),
        TEST(what_was_not_carried_out_is_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
