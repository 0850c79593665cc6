/*
 * The archive protocol under every single failure: each external call in turn fails, loses its
 * reply, is the last thing the process does, or is where the process is stopped while another one
 * does all the work. Whatever happened, afterwards every event is archived once and counted once.
 */
#include "tests/unit/analytics/faulty.h"

enum { BATCHES = 6, EVENTS = 4, CALLS_MAX = 500 };

static const int64_t HOUR_S = 1795370400;

/* Six batches of four events in two hours, with two searches each; one event of the third batch
 * cannot be decoded, the fifth batch not at all. */
static void send_batches(struct place *p)
{
    for (int i = 0; i < BATCHES; i++) {
        int64_t hour_s = i % 2 ? HOUR_S - 3600 : HOUR_S;
        struct id id = id_new(&FAKE);
        struct buf body;
        buf_init(&body, 1 << 16);
        begin_batch(&body, id, hour_s, EVENTS);
        for (int k = 0; k < EVENTS; k++) {
            struct made_event event = {.time_ms = hour_s * 1000 + 60000 + k * 5000,
                                       .kind = k < 2 ? 6 : 1,
                                       .query = k < 2 ? (k ? "anna" : "bert") : NULL,
                                       .result_count = k == 0};
            if (i == 2 && k == 3)
                add_raw_event(&body, "\xFFno event");
            else
                add_event(&body, &event);
        }
        if (i == 4)
            body.ptr[body.len - 1] = (char)0x80, body.len--;
        send_bytes(p, id, buf_str(&body), EVENTS);
        buf_clear(&body);
    }
}

struct sums {
    uint64_t events, nothing_found;
};

static void add_count(void *argument, const struct rollup_count *count)
{
    struct sums *sums = argument;
    if (count->kind == ROLLUP_KIND_NOTHING_FOUND)
        sums->nothing_found += count->count;
    else
        sums->events += count->count;
}

static void add_hour(void *argument, const struct ledger_pipeline_hour *hour)
{
    struct ledger_pipeline_hour *hours = argument;
    hours[hour->hour_s == HOUR_S] = *hour;
}

static void check_archive(struct place *p)
{
    struct lines events = read_archive(p, "events/"), searches = read_archive(p, "searches/"),
                 errors = read_archive(p, "errors/");
    assert_int_equal(events.count, 5 * EVENTS - 1);
    for (size_t i = 0; i < events.count; i++) {
        char id[64];
        snprintf(id, sizeof id, "%.44s", events.items[i].text); /* {"id":"…36…" */
        assert_int_equal(count_lines_with(&events, id), 1);
        /* in the partition of its time */
        bool early = strstr(events.items[i].text, "\"time\":\"2026-11-22T17:") != NULL;
        assert_true(early == (strstr(events.items[i].key, "/hour=17/") != NULL));
    }
    assert_int_equal(searches.count, 5 * 2);
    assert_int_equal(count_lines_with(&searches, "\"query\":\"anna\""), 5);
    assert_int_equal(errors.count, 2);
    assert_int_equal(count_lines_with(&errors, "\"position\":3,\"events\":1,"), 1);
    assert_int_equal(count_lines_with(&errors, "\"position\":null,\"events\":4,"), 1);
    free_lines(&events);
    free_lines(&searches);
    free_lines(&errors);
}

static void check_totals(struct place *p)
{
    struct ledger_vtable const *ledger = p->ledger->vtable;
    struct ledger_pipeline_hour hours[2] = {0};
    struct ledger_status status;
    struct sketch_item items[4];
    struct sums sums = {0};
    struct error err;
    static const int64_t WIDTHS[] = {ROLLUP_MINUTE_S, ROLLUP_HOUR_S, ROLLUP_DAY_S};
    for (int i = 0; i < 3; i++) {
        sums = (struct sums){0};
        assert_int_equal(ledger->counts(p->ledger, WIDTHS[i], 0, INT64_MAX, add_count, &sums, &err),
                         CODE_OK);
        assert_int_equal(sums.events, 5 * EVENTS - 1);
        assert_int_equal(sums.nothing_found, 5);
    }
    struct sketch *texts = sketch_new(10);
    assert_int_equal(ledger->texts(p->ledger, ROLLUP_ALL_SEARCHES, 0, INT64_MAX, texts, &err),
                     CODE_OK);
    assert_int_equal(sketch_total(texts), 10);
    assert_int_equal(sketch_top(texts, 1, items, 4), 2);
    assert_int_equal(items[0].count, 5);
    sketch_free(texts);
    assert_int_equal(ledger->status(p->ledger, &status, &err), CODE_OK);
    assert_int_equal(status.claimed, BATCHES * EVENTS);
    assert_int_equal(status.archived, 5 * EVENTS - 1);
    assert_int_equal(status.quarantined, 1 + EVENTS);
    assert_int_equal(ledger->hours(p->ledger, 0, INT64_MAX, add_hour, hours, &err), CODE_OK);
    assert_int_equal(hours[0].archived, 3 * EVENTS);
    assert_int_equal(hours[0].quarantined, 0);
    assert_int_equal(hours[1].archived, 2 * EVENTS - 1);
    assert_int_equal(hours[1].quarantined, 1 + EVENTS);
}

static void check(struct place *p)
{
    check_archive(p);
    check_totals(p);
}

static void check_without_duplicates(struct place *p)
{
    struct ledger_status status;
    struct error err;
    assert_int_equal(p->ledger->vtable->status(p->ledger, &status, &err), CODE_OK);
    assert_int_equal(status.duplicates, 0);
    struct lines all = read_archive(p, "");
    assert_int_equal(all.tombstones, 0);
    free_lines(&all);
}

static void test_without_failure(void **state)
{
    struct place p;
    struct ledger_status status;
    struct error err;
    (void)state;
    place_open(&p);
    send_batches(&p);
    place_finish(&p, "spool");
    check(&p);
    assert_int_equal(p.ledger->vtable->status(p.ledger, &status, &err), CODE_OK);
    assert_int_equal(status.objects, 5); /* two hours of events and searches, one of errors */
    assert_int_equal(status.duplicates, 0);
    place_close(&p);
}

/* The n-th call fails, for every n; the process goes on. */
static void survive_failures(enum fault_mode mode)
{
    bool happened = true;
    int n = 1;
    for (; happened && n < CALLS_MAX; n++) {
        struct place p, outer;
        struct faults faults;
        place_open(&p);
        send_batches(&p);
        outer = faulty_place(&faults, &p, mode, n);
        struct consumer *c = place_consumer(&outer, "spool");
        consumer_recover(c, INT64_MAX);
        place_run(&p, c, &faults);
        happened = faults.happened;
        assert_true(place_is_empty(&p));
        assert_true(consumer_drain(c, 0));
        consumer_free(c);
        check(&p);
        if (mode == FAULT_REPLY_LOST) /* and no work was done twice because of it */
            check_without_duplicates(&p);
        place_close(&p);
    }
    print_message("%d calls\n", n - 2);
    assert_in_range(n, 20, CALLS_MAX - 1);
}

/* Rule 30. */
static void test_each_call_fails(void **state)
{
    (void)state;
    survive_failures(FAULT_FAIL);
}

/* Rule 30. */
static void test_each_reply_is_lost(void **state)
{
    (void)state;
    survive_failures(FAULT_REPLY_LOST);
}

/* The pause after a failure is longer than a segment's age: what was claimed without a reply is not
 * in the object that the claim names. */
static void test_each_reply_is_lost_for_long(void **state)
{
    (void)state;
    place_retry_ms = 2 * AGE_MS;
    survive_failures(FAULT_REPLY_LOST);
    place_retry_ms = RETRY_MS;
}

/* The process dies at the n-th call; a new one, on reopened ports, does the rest. */
static void survive_deaths(enum fault_mode mode)
{
    bool happened = true;
    for (int n = 1; happened && n < CALLS_MAX; n++) {
        struct place p, outer;
        struct faults faults;
        place_open(&p);
        send_batches(&p);
        outer = faulty_place(&faults, &p, mode, n);
        struct consumer *c = place_consumer(&outer, "spool");
        place_run(&p, c, &faults);
        happened = faults.happened;
        consumer_free(c);
        place_reopen(&p);
        place_finish(&p, "spool");
        check(&p);
        place_close(&p);
    }
}

/* Rule 30. */
static void test_death_before_each_call(void **state)
{
    (void)state;
    survive_deaths(FAULT_DIE_BEFORE);
}

/* Rule 30. */
static void test_death_after_each_call(void **state)
{
    (void)state;
    survive_deaths(FAULT_DIE_AFTER);
}

/* The first process dies at a call; in the second, which has to settle what the first one left,
 * each call in turn fails or is its last; a third one does the rest. */
static void survive_two(enum fault_mode first_mode, enum fault_mode mode, int step)
{
    for (int k = 2; k < 60; k += step) {
        bool happened = true;
        for (int n = 1; happened && n < CALLS_MAX; n += step) {
            struct place p, outer;
            struct faults faults;
            place_open(&p);
            send_batches(&p);
            outer = faulty_place(&faults, &p, first_mode, k);
            struct consumer *c = place_consumer(&outer, "spool");
            place_run(&p, c, &faults);
            consumer_free(c);
            place_reopen(&p);
            outer = faulty_place(&faults, &p, mode, n);
            c = place_consumer(&outer, "spool");
            consumer_recover(c, INT64_MAX);
            place_run(&p, c, &faults);
            happened = faults.happened;
            consumer_free(c);
            place_reopen(&p);
            place_finish(&p, "spool");
            check(&p);
            place_close(&p);
        }
    }
}

static void test_death_then_failure(void **state)
{
    (void)state;
    survive_two(FAULT_DIE_AFTER, FAULT_REPLY_LOST, 3);
}

static void test_death_then_death(void **state)
{
    (void)state;
    survive_two(FAULT_DIE_AFTER, FAULT_DIE_AFTER, 3);
}

/* Another process does everything, long after the leases of the one that stands still ended. */
static void let_another_work(void *argument)
{
    struct place *p = argument;
    struct faults *mine = active_faults;
    now_ms += LEASE_MS + STALE_MS + 1;
    struct consumer *c = place_consumer(p, "spool-2");
    place_run(p, c, NULL);
    assert_true(place_is_empty(p));
    consumer_drain(c, 0);
    consumer_free(c);
    active_faults = mine;
}

static void survive_pauses(enum fault_mode mode)
{
    bool happened = true;
    for (int n = 1; happened && n < CALLS_MAX; n++) {
        struct place p, outer;
        struct faults faults;
        place_open(&p);
        send_batches(&p);
        outer = faulty_place(&faults, &p, mode, n);
        faults.pause = let_another_work;
        faults.argument = &p;
        struct consumer *c = place_consumer(&outer, "spool");
        place_run(&p, c, &faults);
        place_run(&p, c, &faults); /* what it still had in hand */
        happened = faults.happened;
        consumer_drain(c, 0);
        assert_int_equal(consumer_segment_count(c), 0);
        consumer_free(c);
        place_reopen(&p);
        place_finish(&p, "spool");
        check(&p);
        place_close(&p);
    }
}

static void test_stopped_before_each_call(void **state)
{
    (void)state;
    survive_pauses(FAULT_PAUSE_BEFORE);
}

static void test_stopped_after_each_call(void **state)
{
    (void)state;
    survive_pauses(FAULT_PAUSE_AFTER);
}

/* Rule 30. The sleeper's object was complete: what it finds at its key is a tombstone. */
static void test_a_sleeper_finds_its_tombstone(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    send_batches(&p);
    struct consumer *sleeper = place_consumer(&p, "spool");
    consumer_heartbeat(sleeper);
    for (int i = 0; i < 3; i++)
        consumer_step(sleeper, 0); /* claimed and spooled, nothing created */
    let_another_work(&p);
    struct lines before = read_archive(&p, "");
    assert_int_equal(before.tombstones, 5);
    now_ms += 1000;
    place_run(&p, sleeper, NULL);
    assert_int_equal(consumer_segment_count(sleeper), 0);
    struct lines after = read_archive(&p, "");
    assert_int_equal(after.count, before.count);
    assert_int_equal(after.objects, before.objects);
    consumer_free(sleeper);
    check(&p);
    free_lines(&before);
    free_lines(&after);
    place_close(&p);
}

static void test_two_at_once(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    send_batches(&p);
    struct consumer *a = place_consumer(&p, "spool"), *b = place_consumer(&p, "spool-2");
    consumer_heartbeat(a);
    consumer_heartbeat(b);
    for (int i = 0; i < 100; i++) {
        consumer_step(i % 2 ? a : b, 0);
        if (i % 7 == 0) { /* leases that end in the middle of it */
            now_ms += LEASE_MS;
            consumer_heartbeat(i % 14 ? a : b);
        }
        now_ms += 300;
    }
    consumer_drain(a, 0);
    consumer_drain(b, 0);
    consumer_free(a);
    consumer_free(b);
    place_reopen(&p);
    place_finish(&p, "spool");
    check(&p);
    place_close(&p);
}

/* Rule 30. Batches that come again after they were archived are dropped and told. */
static void test_duplicates_are_dropped(void **state)
{
    struct place p;
    struct queue_message messages[BATCHES];
    struct ledger_status status;
    struct arena arena;
    struct error err;
    size_t count;
    (void)state;
    place_open(&p);
    send_batches(&p);
    arena_init(&arena);
    assert_int_equal(
        p.queue->vtable->receive(p.queue, BATCHES, 1, 0, &arena, messages, &count, &err), CODE_OK);
    assert_int_equal(count, BATCHES);
    now_ms += 10;
    place_finish(&p, "spool");
    for (size_t i = 0; i < count; i++) {
        struct queue_item item = {messages[i].id, messages[i].body, EVENTS};
        assert_int_equal(p.queue->vtable->send(p.queue, &item, 1, &err), CODE_OK);
    }
    place_finish(&p, "spool");
    check(&p);
    assert_int_equal(p.ledger->vtable->status(p.ledger, &status, &err), CODE_OK);
    assert_int_equal(status.duplicates, BATCHES);
    assert_int_equal(status.objects, 5);
    arena_clear(&arena);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_failure),
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_each_reply_is_lost),
        cmocka_unit_test(test_each_reply_is_lost_for_long),
        cmocka_unit_test(test_death_before_each_call),
        cmocka_unit_test(test_death_after_each_call),
        cmocka_unit_test(test_death_then_failure),
        cmocka_unit_test(test_death_then_death),
        cmocka_unit_test(test_stopped_before_each_call),
        cmocka_unit_test(test_stopped_after_each_call),
        cmocka_unit_test(test_a_sleeper_finds_its_tombstone),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_duplicates_are_dropped),
    };
    return cmocka_run_group_tests_name("archive protocol", tests, NULL, NULL);
}
