/* What every ledger must do, run on each implementation. A new backend adds a row to BACKENDS;
 * DynamoDB's runs when OMNI_TEST_AWS says where AWS is (make interop). */
#include "analytics/ledger_dynamodb.h"
#include "aws/dynamodb_table.h"
#include "tests/unit/analytics/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

enum { DAY_MS = 86400000 };

struct fixture {
    struct ledger *ledger;
    char directory[64], path[96];
    struct arena arena;
    struct aws *aws; /* NULL: local */
    struct aws_client *client;
};

static enum code open_sqlite(struct fixture *f, struct error *err)
{
    return ledger_sqlite_open(f->path, &f->ledger, err);
}

/* A table of each test's own; opened anew it is the same one. */
static enum code open_dynamodb(struct fixture *f, struct error *err)
{
    struct aws_location location;
    char text[256];
    bool created;
    snprintf(text, sizeof text, "dynamodb://%s?endpoint=%s", f->directory + 5,
             getenv("OMNI_TEST_AWS"));
    if (!f->aws && aws_open(&(struct aws_options){0}, &f->aws, err) != CODE_OK)
        return err->code;
    if (aws_location_read(str_of(text), "dynamodb", getenv, NULL, 0, &f->arena, &location, err) !=
        CODE_OK)
        return err->code;
    if (!f->client)
        f->client = aws_client_new(&(struct aws_client_options){
            .aws = f->aws, .service = &DYNAMODB_SERVICE, .location = &location});
    if (dynamodb_table_create(f->client, location.name, 30000, &created, err) != CODE_OK)
        return err->code;
    return ledger_dynamodb_open(
        &(struct ledger_dynamodb_options){.port = dynamodb_port_of(f->client),
                                          .table = location.name,
                                          .clock = clock_real(),
                                          .retention_ms = (int64_t)35 * DAY_MS,
                                          .trends_retention_ms = (int64_t)35 * DAY_MS},
        &f->ledger, err);
}

static const struct backend {
    const char *name;
    enum code (*open)(struct fixture *f, struct error *err);
    bool purges; /* itself, what is old */
    bool local;
} BACKENDS[] = {{"sqlite", open_sqlite, true, true}, {"dynamodb", open_dynamodb, false, false}};

static const struct backend *backend = BACKENDS;

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;
    snprintf(f->directory, sizeof f->directory, "/tmp/ledger-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/ledger.db", f->directory);
    assert_int_equal(backend->open(f, &err), CODE_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ledger_free(f->ledger);
    aws_client_free(f->client);
    aws_free(f->aws);
    arena_clear(&f->arena);
    nftw(f->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    xfree(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    struct error err;
    ledger_free(f->ledger);
    assert_int_equal(backend->open(f, &err), CODE_OK);
}

static struct id begin(struct fixture *f, struct id consumer, enum batch_part_kind kind)
{
    struct ledger_intent intent = {.id = id_new(&FAKE), .consumer = consumer, .kind = kind};
    struct error err;
    snprintf(intent.key, sizeof intent.key, "events/v1/some-key");
    assert_int_equal(f->ledger->vtable->begin(f->ledger, &intent, &err), CODE_OK);
    assert_int_equal(f->ledger->vtable->begin(f->ledger, &intent, &err), CODE_OK); /* again */
    return intent.id;
}

/* A delta of `events` events at this minute. */
static struct str delta_of(struct buf *out, uint64_t events, int64_t time_s)
{
    struct rollup_delta delta = {.claimed = events};
    rollup_add_count(&delta, time_s, 4, 0, events);
    sketch_add(rollup_texts(&delta, time_s / 3600 * 3600, ROLLUP_ALL_SEARCHES), STR("text"), 1);
    buf_init(out, 1 << 16);
    rollup_encode(&delta, out);
    rollup_clear(&delta);
    return buf_str(out);
}

static struct ledger_claim claim(struct fixture *f, struct part_id part, struct id intent)
{
    struct buf bytes;
    struct error err;
    struct ledger_claim made = {
        .part = part, .intent = intent, .delta = delta_of(&bytes, 3, 1795370400)};
    assert_int_equal(f->ledger->vtable->claim(f->ledger, &made, 1, &err), CODE_OK);
    buf_clear(&bytes);
    return made;
}

static bool same(struct id a, struct id b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static enum code seal_with(struct fixture *f, struct id intent, const struct part_id *members,
                           size_t count, uint8_t digest_byte, struct error *err)
{
    struct ledger_hour hour = {1795370400, 3 * count};
    uint8_t digest[CRYPTO_SHA256_BYTES] = {digest_byte};
    struct ledger_seal seal = {members, count, &hour, 1, digest};
    return f->ledger->vtable->seal(f->ledger, intent, &seal, err);
}

/* Rule 30. */
static void test_the_first_claim_wins(void **state)
{
    struct fixture *f = *state;
    struct id a = begin(f, id_new(&FAKE), PART_EVENTS), b = begin(f, id_new(&FAKE), PART_EVENTS);
    struct id batch = id_new(&FAKE);
    struct ledger_claim first = claim(f, part_id_of(batch, PART_EVENTS), a);
    assert_true(first.fresh && same(first.holder, a));
    struct ledger_claim second = claim(f, part_id_of(batch, PART_EVENTS), b);
    assert_true(!second.fresh && same(second.holder, a));
    struct ledger_claim again = claim(f, part_id_of(batch, PART_EVENTS), a);
    assert_true(!again.fresh && same(again.holder, a));
    struct ledger_claim other = claim(f, part_id_of(batch, PART_SEARCHES), b);
    assert_true(other.fresh && same(other.holder, b));
    reopen(f);
    assert_true(same(claim(f, part_id_of(batch, PART_EVENTS), b).holder, a));
}

static void test_a_part_twice_in_one_call(void **state)
{
    struct fixture *f = *state;
    struct id a = begin(f, id_new(&FAKE), PART_EVENTS), b = begin(f, id_new(&FAKE), PART_EVENTS);
    struct part_id part = part_id_of(id_new(&FAKE), PART_EVENTS);
    struct ledger_claim claims[] = {{.part = part, .intent = a}, {.part = part, .intent = b}};
    struct buf bytes;
    struct error err;
    claims[0].delta = claims[1].delta = delta_of(&bytes, 1, 1795370400);
    assert_int_equal(f->ledger->vtable->claim(f->ledger, claims, 2, &err), CODE_OK);
    assert_true(claims[0].fresh && !claims[1].fresh && same(claims[1].holder, a));
    buf_clear(&bytes);
}

static void test_steal_is_conditional(void **state)
{
    struct fixture *f = *state;
    struct id a = begin(f, id_new(&FAKE), PART_EVENTS), b = begin(f, id_new(&FAKE), PART_EVENTS);
    struct id c = begin(f, id_new(&FAKE), PART_EVENTS);
    struct part_id part = part_id_of(id_new(&FAKE), PART_EVENTS);
    struct error err;
    bool stolen;
    claim(f, part, a);
    assert_int_equal(f->ledger->vtable->steal(f->ledger, part, b, c, &stolen, &err), CODE_OK);
    assert_false(stolen);
    assert_int_equal(f->ledger->vtable->steal(f->ledger, part, a, b, &stolen, &err), CODE_OK);
    assert_true(stolen);
    assert_int_equal(f->ledger->vtable->steal(f->ledger, part, a, c, &stolen, &err), CODE_OK);
    assert_false(stolen);
    assert_true(same(claim(f, part, c).holder, b));
}

static void test_seal_once(void **state)
{
    struct fixture *f = *state;
    struct id a = begin(f, id_new(&FAKE), PART_EVENTS);
    struct part_id members[3];
    struct ledger_intent found;
    struct error err;
    bool held;
    for (int i = 0; i < 3; i++)
        members[2 - i] = part_id_of(id_new(&FAKE), PART_EVENTS);
    assert_int_equal(seal_with(f, a, members, 2, 7, &err), CODE_OK);
    assert_int_equal(seal_with(f, a, members, 2, 7, &err), CODE_OK); /* the reply was lost */
    assert_int_equal(seal_with(f, a, members, 3, 8, &err), CODE_ABORTED);
    assert_string_equal(err.reason, "INTENT_LOST");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->ledger->vtable->holds(f->ledger, a, members[i], &held, &err), CODE_OK);
        assert_int_equal(held, i < 2);
    }
    assert_int_equal(f->ledger->vtable->get(f->ledger, a, &found, &err), CODE_OK);
    assert_int_equal(found.state, LEDGER_SEALED);
    assert_int_equal(found.digest[0], 7);
    assert_string_equal(found.key, "events/v1/some-key");
    assert_int_equal(f->ledger->vtable->get(f->ledger, id_new(&FAKE), &found, &err),
                     CODE_NOT_FOUND);
}

static void test_states(void **state)
{
    static const struct {
        bool sealed;
        enum ledger_state first, second;
        enum code first_code, second_code;
    } CASES[] = {
        {true, LEDGER_ARCHIVED, LEDGER_ARCHIVED, CODE_OK, CODE_OK},
        {true, LEDGER_ARCHIVED, LEDGER_ABORTED, CODE_OK, CODE_FAILED_PRECONDITION},
        {true, LEDGER_ABORTED, LEDGER_ABORTED, CODE_OK, CODE_OK},
        {true, LEDGER_ABORTED, LEDGER_ARCHIVED, CODE_OK, CODE_FAILED_PRECONDITION},
        {false, LEDGER_ARCHIVED, LEDGER_ABORTED, CODE_FAILED_PRECONDITION, CODE_OK},
        {false, LEDGER_ABORTED, LEDGER_ABORTED, CODE_OK, CODE_OK},
    };
    struct fixture *f = *state;
    struct part_id member = part_id_of(id_new(&FAKE), PART_EVENTS);
    struct error err;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct id a = begin(f, id_new(&FAKE), PART_EVENTS);
        if (CASES[i].sealed)
            assert_int_equal(seal_with(f, a, &member, 1, 1, &err), CODE_OK);
        assert_int_equal(f->ledger->vtable->finish(f->ledger, a, CASES[i].first, &err),
                         CASES[i].first_code);
        assert_int_equal(f->ledger->vtable->finish(f->ledger, a, CASES[i].second, &err),
                         CASES[i].second_code);
        assert_true(CASES[i].sealed || seal_with(f, a, &member, 1, 1, &err) == CODE_ABORTED);
    }
}

static struct ledger_status status_of(struct fixture *f)
{
    struct ledger_status status;
    struct error err;
    assert_int_equal(f->ledger->vtable->status(f->ledger, &status, &err), CODE_OK);
    return status;
}

/* Rule 30. */
static void test_archived_counts_once(void **state)
{
    struct fixture *f = *state;
    struct part_id member = part_id_of(id_new(&FAKE), PART_EVENTS);
    static const enum batch_part_kind KINDS[] = {PART_EVENTS, PART_SEARCHES, PART_ERRORS};
    struct error err;
    for (int i = 0; i < 3; i++) {
        struct id a = begin(f, id_new(&FAKE), KINDS[i]);
        assert_int_equal(seal_with(f, a, &member, 1, 1, &err), CODE_OK);
        for (int k = 0; k < 3; k++)
            assert_int_equal(f->ledger->vtable->finish(f->ledger, a, LEDGER_ARCHIVED, &err),
                             CODE_OK);
    }
    struct ledger_status status = status_of(f);
    assert_int_equal(status.archived, 3);
    assert_int_equal(status.quarantined, 3);
    assert_int_equal(status.objects, 3);
}

static void add_count(void *argument, const struct rollup_count *count)
{
    uint64_t *sum = argument;
    *sum += count->count;
}

static void test_folded_once(void **state)
{
    struct fixture *f = *state;
    struct id a = begin(f, id_new(&FAKE), PART_EVENTS);
    struct error err;
    size_t folded;
    uint64_t sum = 0;
    for (int i = 0; i < 10; i++) {
        struct part_id part = part_id_of(id_new(&FAKE), PART_EVENTS);
        claim(f, part, a);
        claim(f, part, a);
    }
    assert_int_equal(f->ledger->vtable->fold(f->ledger, 7, &folded, &err), CODE_OK);
    assert_int_equal(folded, 7);
    reopen(f);
    assert_int_equal(f->ledger->vtable->fold(f->ledger, 7, &folded, &err), CODE_OK);
    assert_int_equal(folded, 3);
    assert_int_equal(f->ledger->vtable->fold(f->ledger, 7, &folded, &err), CODE_OK);
    assert_int_equal(folded, 0);
    static const int64_t WIDTHS[] = {60, 3600, 86400};
    for (int i = 0; i < 3; i++) {
        sum = 0;
        assert_int_equal(
            f->ledger->vtable->counts(f->ledger, WIDTHS[i], 0, INT64_MAX, add_count, &sum, &err),
            CODE_OK);
        assert_int_equal(sum, 30);
    }
    assert_int_equal(status_of(f).claimed, 30);
    struct sketch *texts = sketch_new(10);
    assert_int_equal(f->ledger->vtable->texts(f->ledger, ROLLUP_ALL_SEARCHES, 1795370400,
                                              1795370400 + 3600, texts, &err),
                     CODE_OK);
    assert_int_equal(sketch_total(texts), 10);
    sketch_free(texts);
    sum = 0;
    assert_int_equal(f->ledger->vtable->counts(f->ledger, 60, 0, 1795370400, add_count, &sum, &err),
                     CODE_OK);
    assert_int_equal(sum, 0); /* the end is not part of it */
}

static void test_stale_intents(void **state)
{
    struct fixture *f = *state;
    struct id me = id_new(&FAKE), dead = id_new(&FAKE), alive = id_new(&FAKE),
              silent = id_new(&FAKE);
    struct id mine = begin(f, me, PART_EVENTS), lost = begin(f, dead, PART_EVENTS);
    struct id theirs = begin(f, alive, PART_EVENTS), never = begin(f, silent, PART_EVENTS);
    struct id done = begin(f, dead, PART_EVENTS), found[8];
    struct ledger_intent intent;
    struct error err;
    size_t count;
    assert_int_equal(f->ledger->vtable->finish(f->ledger, done, LEDGER_ABORTED, &err), CODE_OK);
    assert_int_equal(f->ledger->vtable->beat(f->ledger, dead, 1000, &err), CODE_OK);
    assert_int_equal(f->ledger->vtable->beat(f->ledger, alive, 2000, &err), CODE_OK);
    assert_int_equal(f->ledger->vtable->beat(f->ledger, alive, 1500, &err), CODE_OK);
    assert_int_equal(f->ledger->vtable->get(f->ledger, theirs, &intent, &err), CODE_OK);
    assert_int_equal(intent.seen_ms, 2000); /* never back */
    assert_true(same(intent.consumer, alive));
    assert_int_equal(f->ledger->vtable->stale(f->ledger, me, 2000, found, 8, &count, &err),
                     CODE_OK);
    assert_int_equal(count, 2);
    assert_true((same(found[0], lost) && same(found[1], never)) ||
                (same(found[1], lost) && same(found[0], never)));
    assert_int_equal(f->ledger->vtable->stale(f->ledger, me, INT64_MAX, found, 1, &count, &err),
                     CODE_OK);
    assert_int_equal(count, 1);
    assert_false(same(found[0], mine));
}

static struct id id_at(int64_t ms)
{
    struct id id = id_new(&FAKE);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return id;
}

static void test_forgets_the_old_only(void **state)
{
    struct fixture *f = *state;
    struct id a = begin(f, id_new(&FAKE), PART_EVENTS), b = begin(f, id_new(&FAKE), PART_EVENTS);
    int64_t before_ms = 1795370400000;
    struct part_id old = part_id_of(id_at(before_ms - 1), PART_EVENTS);
    struct part_id young = part_id_of(id_at(before_ms), PART_EVENTS);
    struct error err;
    size_t folded;
    uint64_t sum = 0;
    claim(f, old, a);
    claim(f, young, a);
    assert_int_equal(f->ledger->vtable->fold(f->ledger, 10, &folded, &err), CODE_OK);
    assert_int_equal(f->ledger->vtable->purge(f->ledger, before_ms, 1795370400, &err), CODE_OK);
    assert_true(claim(f, old, b).fresh);
    assert_false(claim(f, young, b).fresh);
    assert_int_equal(f->ledger->vtable->counts(f->ledger, 60, 0, INT64_MAX, add_count, &sum, &err),
                     CODE_OK);
    assert_int_equal(sum, 6);
    assert_int_equal(f->ledger->vtable->purge(f->ledger, before_ms, 1795370400 + 60, &err),
                     CODE_OK);
    sum = 0;
    assert_int_equal(f->ledger->vtable->counts(f->ledger, 60, 0, INT64_MAX, add_count, &sum, &err),
                     CODE_OK);
    assert_int_equal(sum, 0);
    assert_int_equal(
        f->ledger->vtable->counts(f->ledger, 3600, 0, INT64_MAX, add_count, &sum, &err), CODE_OK);
    assert_int_equal(sum, 6); /* hours and days stay */
}

enum { CLAIMERS = 4, PARTS = 200 };

struct claimer {
    struct fixture *f;
    struct id intent;
    const struct part_id *parts;
    int fresh;
};

static void *claim_all(void *argument)
{
    struct claimer *claimer = argument;
    for (int i = 0; i < PARTS; i++)
        claimer->fresh += claim(claimer->f, claimer->parts[i], claimer->intent).fresh;
    return NULL;
}

static void test_of_many_threads_one_claims(void **state)
{
    struct fixture *f = *state;
    struct part_id parts[PARTS];
    struct claimer claimers[CLAIMERS];
    pthread_t threads[CLAIMERS];
    int fresh = 0;
    for (int i = 0; i < PARTS; i++)
        parts[i] = part_id_of(id_new(&FAKE), PART_EVENTS);
    for (int i = 0; i < CLAIMERS; i++) {
        claimers[i] = (struct claimer){
            .f = f, .parts = parts, .intent = begin(f, id_new(&FAKE), PART_EVENTS)};
        assert_int_equal(pthread_create(&threads[i], NULL, claim_all, &claimers[i]), 0);
    }
    for (int i = 0; i < CLAIMERS; i++) {
        pthread_join(threads[i], NULL);
        fresh += claimers[i].fresh;
    }
    assert_int_equal(fresh, PARTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_claim_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_part_twice_in_one_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steal_is_conditional, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seal_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_states, setup, teardown),
        cmocka_unit_test_setup_teardown(test_archived_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folded_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_intents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_many_threads_one_claims, setup, teardown),
    };
    const struct CMUnitTest of_purging_ones[] = {
        cmocka_unit_test_setup_teardown(test_forgets_the_old_only, setup, teardown),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof BACKENDS / sizeof *BACKENDS; i++) {
        backend = &BACKENDS[i];
        if (!backend->local && !getenv("OMNI_TEST_AWS"))
            continue;
        failed += cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
        if (backend->purges)
            failed += cmocka_run_group_tests_name(backend->name, of_purging_ones, NULL, NULL);
    }
    return failed;
}
