/*
 * A batch and the word that it is lost, both in the queue under one id, in either order, under
 * every single failure: afterwards its events are archived, or in quarantine, once; never both.
 */
#include "tests/unit/analytics/faulty.h"

enum { EVENTS = 4, CALLS_MAX = 300 };

static const int64_t HOUR_S = 1795370400;

static void send_one(struct place *p, struct id id, bool lost)
{
    struct buf body;
    buf_init(&body, 1 << 16);
    begin_batch(&body, id, HOUR_S, EVENTS);
    for (int i = 0; i < EVENTS && !lost; i++) {
        struct made_event event = {
            .time_ms = HOUR_S * 1000 + 60000, .kind = i ? 4 : 6, .query = i ? NULL : "anna"};
        add_event(&body, &event);
    }
    if (lost) {
        wire_add_varint(&body, 5 << 3);
        wire_add_varint(&body, 1);
    }
    send_bytes(p, id_new(&FAKE), buf_str(&body), EVENTS); /* a message of its own */
    buf_clear(&body);
}

static void add_count(void *argument, const struct rollup_count *count)
{
    if (count->kind != ROLLUP_KIND_NOTHING_FOUND)
        *(uint64_t *)argument += count->count;
}

static void add_hour(void *argument, const struct ledger_pipeline_hour *hour)
{
    struct ledger_pipeline_hour *sum = argument;
    assert_int_equal(hour->hour_s, HOUR_S);
    sum->archived += hour->archived;
    sum->quarantined += hour->quarantined;
}

/* True: the events are archived; false: the loss is. */
static bool check(struct place *p)
{
    struct ledger_pipeline_hour hour = {0};
    struct ledger_status status;
    struct error err;
    uint64_t counted = 0;
    struct lines events = read_archive(p, "events/"), errors = read_archive(p, "errors/");
    bool archived = events.count > 0;
    assert_int_equal(events.count, archived ? EVENTS : 0);
    assert_int_equal(errors.count, archived ? 0 : 1);
    assert_int_equal(count_lines_with(&errors, "\"position\":null,\"events\":4,"), errors.count);
    assert_int_equal(count_lines_with(&errors, "lost before they could be sent"), errors.count);
    assert_int_equal(p->ledger->vtable->hours(p->ledger, 0, INT64_MAX, add_hour, &hour, &err),
                     CODE_OK);
    assert_int_equal(hour.archived, archived ? EVENTS : 0);
    assert_int_equal(hour.quarantined, archived ? 0 : EVENTS);
    assert_int_equal(p->ledger->vtable->status(p->ledger, &status, &err), CODE_OK);
    assert_int_equal(status.claimed, EVENTS);
    assert_int_equal(status.archived + status.quarantined, EVENTS);
    assert_int_equal(p->ledger->vtable->counts(p->ledger, ROLLUP_MINUTE_S, 0, INT64_MAX, add_count,
                                               &counted, &err),
                     CODE_OK);
    assert_int_equal(counted, events.count); /* the trends are of what is archived */
    free_lines(&events);
    free_lines(&errors);
    return archived;
}

static void open_with(struct place *p, bool lost_first)
{
    place_open(p);
    struct id id = id_new(&FAKE);
    send_one(p, id, lost_first);
    send_one(p, id, !lost_first);
}

/* Rule 30. */
static void test_the_first_one_counts(void **state)
{
    (void)state;
    for (int lost_first = 0; lost_first < 2; lost_first++) {
        struct place p;
        open_with(&p, lost_first);
        place_finish(&p, "spool");
        assert_int_equal(check(&p), !lost_first);
        place_close(&p);
    }
}

static void test_alone(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    send_one(&p, id_new(&FAKE), true);
    place_finish(&p, "spool");
    assert_false(check(&p));
    place_close(&p);
}

/* Somebody else does all the work while the one that stands still holds one of the two. */
static void let_another_work(void *argument)
{
    struct place *p = argument;
    struct faults *mine = active_faults;
    now_ms += LEASE_MS + STALE_MS + 1;
    struct consumer *c = place_consumer(p, "spool-2");
    place_run(p, c, NULL);
    consumer_drain(c, 0);
    consumer_free(c);
    active_faults = mine;
}

static bool survive(enum fault_mode mode, int at, bool lost_first)
{
    struct place p, outer;
    struct faults faults;
    open_with(&p, lost_first);
    outer = faulty_place(&faults, &p, mode, at);
    faults.pause = let_another_work;
    faults.argument = &p;
    struct consumer *c = place_consumer(&outer, "spool");
    place_run(&p, c, &faults);
    bool happened = faults.happened;
    consumer_free(c);
    place_reopen(&p);
    now_ms += LEASE_MS + 1;
    place_finish(&p, "spool");
    check(&p);
    place_close(&p);
    return happened;
}

static void test_each_call_goes_wrong(void **state)
{
    static const enum fault_mode MODES[] = {FAULT_FAIL,      FAULT_REPLY_LOST,   FAULT_DIE_BEFORE,
                                            FAULT_DIE_AFTER, FAULT_PAUSE_BEFORE, FAULT_PAUSE_AFTER};
    (void)state;
    for (size_t mode = 0; mode < sizeof MODES / sizeof *MODES; mode++)
        for (int lost_first = 0; lost_first < 2; lost_first++) {
            int at = 1;
            while (at < CALLS_MAX && survive(MODES[mode], at, lost_first))
                at++;
            assert_in_range(at, 10, CALLS_MAX - 1);
        }
}

/* Somebody has the message for an hour. */
static struct str take_away(struct place *p, struct arena *arena)
{
    struct queue_message message;
    struct error err;
    size_t count;
    assert_int_equal(
        p->queue->vtable->receive(p->queue, 1, 3600 * 1000, 0, arena, &message, &count, &err),
        CODE_OK);
    assert_int_equal(count, 1);
    return message.handle;
}

/* The claim of one sort is left to that sort, for however long its message does not come: the other
 * one waits, and is a duplicate then. */
static void test_no_claim_is_taken_across(void **state)
{
    (void)state;
    for (int lost_first = 0; lost_first < 2; lost_first++) {
        struct place p;
        struct arena arena = {0};
        struct error err;
        place_open(&p);
        struct id id = id_new(&FAKE);
        send_one(&p, id, lost_first);
        struct consumer *dead = place_consumer(&p, "spool");
        consumer_heartbeat(dead);
        consumer_step(dead, 0); /* claims, and dies with the message in its hands */
        consumer_free(dead);
        now_ms += LEASE_MS + 1;
        struct str handle = take_away(&p, &arena);
        send_one(&p, id, !lost_first);
        now_ms += STALE_MS;
        struct consumer *alive = place_consumer(&p, "spool");
        for (int i = 0; i < 20; i++) {
            consumer_step(alive, 0);
            now_ms += AGE_MS;
        }
        assert_true(consumer_drain(alive, 0));
        consumer_free(alive);
        struct lines events = read_archive(&p, "events/"), errors = read_archive(&p, "errors/");
        assert_int_equal(events.count + errors.count, 0);
        free_lines(&events);
        free_lines(&errors);
        assert_int_equal(p.queue->vtable->extend(p.queue, handle, 0, &err), CODE_OK);
        place_finish(&p, "spool");
        assert_int_equal(check(&p), !lost_first);
        arena_clear(&arena);
        place_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_one_counts),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_each_call_goes_wrong),
        cmocka_unit_test(test_no_claim_is_taken_across),
    };
    return cmocka_run_group_tests_name("lost batches", tests, NULL, NULL);
}
