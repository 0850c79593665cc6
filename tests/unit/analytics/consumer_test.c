/* Leases, segments, limits, the tail: what the consumer does beside the protocol. */
#include "analytics/tail.h"
#include "tests/unit/analytics/faulty.h"

static const int64_t HOUR_S = 1795370400;

static void send_event(struct place *p, int64_t hour_s, const char *query)
{
    struct made_event event = {
        .time_ms = hour_s * 1000 + 1000, .kind = query ? 6 : 4, .query = query};
    struct id id = id_new(&FAKE);
    struct buf body;
    buf_init(&body, 1 << 16);
    begin_batch(&body, id, hour_s, 1);
    add_event(&body, &event);
    send_bytes(p, id, buf_str(&body), 1);
    buf_clear(&body);
}

static size_t receivable(struct place *p)
{
    struct queue_message messages[16];
    struct arena arena;
    struct error err;
    size_t count;
    arena_init(&arena);
    assert_int_equal(p->queue->vtable->receive(p->queue, 16, 1, 0, &arena, messages, &count, &err),
                     CODE_OK);
    arena_clear(&arena);
    return count;
}

static uint64_t waiting(struct place *p)
{
    struct queue_stats stats;
    struct error err;
    assert_int_equal(p->queue->vtable->stats(p->queue, &stats, &err), CODE_OK);
    return stats.messages;
}

/* Rule 29. */
static void test_heartbeats_keep_what_is_held(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    struct consumer *c = place_consumer(&p, "spool");
    send_event(&p, HOUR_S, NULL);
    consumer_step(c, 0);
    for (int i = 0; i < 10; i++) {
        now_ms += LEASE_MS - 1;
        consumer_heartbeat(c);
    }
    assert_int_equal(receivable(&p), 0);
    now_ms += LEASE_MS + 1;
    assert_int_equal(receivable(&p), 1); /* none came: anybody's */
    consumer_free(c);
    place_close(&p);
}

/* Rule 33. */
/* A batch that comes twice, to two consumers: the second one does not look again before the first
 * can have died. Each look is a receipt, and there are not many before the dead letters. Rule 31.
 */
static void test_what_another_holds_is_seldom_looked_at(void **state)
{
    struct made_event event = {.time_ms = HOUR_S * 1000 + 1000, .kind = 4};
    struct place p;
    struct buf body;
    (void)state;
    place_open(&p);
    struct consumer *one = place_consumer(&p, "spool"), *other = place_consumer(&p, "spool-2");
    buf_init(&body, 1 << 16);
    begin_batch(&body, id_new(&FAKE), HOUR_S, 1);
    add_event(&body, &event);
    send_bytes(&p, id_new(&FAKE), buf_str(&body), 1);
    consumer_heartbeat(one);
    consumer_step(one, 0);
    send_bytes(&p, id_new(&FAKE), buf_str(&body), 1);
    consumer_step(other, 0);
    for (int i = 0; i < 4; i++) {
        now_ms += STALE_MS / 4;
        consumer_heartbeat(one);
        assert_int_equal(receivable(&p), 0);
    }
    now_ms += RETRY_MS + 1;
    assert_int_equal(receivable(&p), 1);
    consumer_free(one);
    consumer_free(other);
    buf_clear(&body);
    place_close(&p);
}

static void test_late_hours_do_not_close_open_ones(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    struct consumer *c = place_consumer(&p, "spool");
    for (int i = 0; i < 10; i++) {
        send_event(&p, HOUR_S - i % 5 * 3600, NULL);
        consumer_step(c, 0);
    }
    assert_int_equal(consumer_segment_count(c), 5);
    now_ms += AGE_MS;
    consumer_step(c, 0);
    assert_int_equal(consumer_segment_count(c), 0);
    struct lines lines = read_archive(&p, "events/");
    assert_int_equal(lines.objects, 5);
    assert_int_equal(lines.count, 10);
    assert_int_equal(waiting(&p), 0);
    free_lines(&lines);
    consumer_free(c);
    place_close(&p);
}

static void test_more_hours_than_may_be_open(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    struct consumer *c = place_consumer(&p, "spool");
    for (int i = 0; i < 60; i++)
        send_event(&p, HOUR_S - i * 3600, "x");
    for (int i = 0; i < 200 && waiting(&p); i++) {
        consumer_step(c, 0);
        assert_in_range(consumer_segment_count(c), 0, 32);
        now_ms += 50;
    }
    now_ms += AGE_MS;
    for (int i = 0; i < 20; i++) {
        consumer_step(c, 0);
        now_ms += AGE_MS;
    }
    assert_int_equal(waiting(&p), 0);
    struct lines lines = read_archive(&p, "events/");
    assert_int_equal(lines.count, 60);
    free_lines(&lines);
    consumer_free(c);
    place_close(&p);
}

struct sizes {
    uint64_t objects, least_bytes;
};

static void add_size(void *argument, struct str key, uint64_t size_bytes)
{
    struct sizes *sizes = argument;
    (void)key;
    if (!sizes->objects++ || size_bytes < sizes->least_bytes)
        sizes->least_bytes = size_bytes;
}

/* Rule 33. */
static void test_size_closes_a_segment(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    struct consumer *c = place_consumer(&p, "spool"); /* 1 MiB */
    int steps = 0;
    char query[201] = "";
    while (steps < 60) {
        struct id id = id_new(&FAKE);
        struct buf body;
        buf_init(&body, 1 << 20);
        begin_batch(&body, id, HOUR_S, 400);
        for (int i = 0; i < 400; i++) {
            struct made_event event = {.time_ms = HOUR_S * 1000 + 1000, .kind = 6, .query = query};
            id_random_bytes(query, 200);
            for (int k = 0; k < 200; k++)
                query[k] = (char)('a' + (query[k] & 15));
            add_event(&body, &event);
        }
        send_bytes(&p, id, buf_str(&body), 400);
        buf_clear(&body);
        consumer_step(c, 0);
        steps++;
    }
    consumer_step(c, 0);
    struct sizes sizes = {0};
    struct error err;
    assert_int_equal(p.archive->vtable->list(p.archive, STR("searches/"), add_size, &sizes, &err),
                     CODE_OK);
    assert_in_range(sizes.objects, 1, 4);
    assert_true(sizes.least_bytes >= 1 << 20);
    consumer_free(c);
    place_close(&p);
}

/* Rule 32. */
static void test_a_drain_leaves_nothing(void **state)
{
    struct place p;
    (void)state;
    place_open(&p);
    struct consumer *c = place_consumer(&p, "spool");
    for (int i = 0; i < 3; i++)
        send_event(&p, HOUR_S, "x");
    consumer_step(c, 0);
    assert_int_equal(consumer_segment_count(c), 2);
    assert_true(consumer_drain(c, 1000));
    assert_int_equal(waiting(&p), 0);
    struct lines lines = read_archive(&p, "events/");
    assert_int_equal(lines.count, 3);
    free_lines(&lines);
    consumer_free(c);
    place_close(&p);
}

/* Rule 32. */
static void test_a_drain_that_fails_releases(void **state)
{
    struct place p, outer;
    struct faults faults;
    (void)state;
    place_open(&p);
    for (int i = 0; i < 3; i++)
        send_event(&p, HOUR_S, NULL);
    outer = faulty_place(&faults, &p, FAULT_NONE, 0);
    struct consumer *c = place_consumer(&outer, "spool");
    consumer_step(c, 0);
    char away[160], there[160];
    snprintf(there, sizeof there, "%s/archive/.tmp", p.directory);
    snprintf(away, sizeof away, "%s/elsewhere", p.directory);
    assert_int_equal(rename(there, away), 0);
    assert_false(consumer_drain(c, 0));
    assert_int_equal(waiting(&p), 3);
    assert_int_equal(receivable(&p), 3); /* at once, not when the lease ends */
    assert_int_equal(rename(away, there), 0);
    consumer_free(c);
    place_close(&p);
}

static struct tail *heard;

static void publish(void *argument, const struct batch *batch, struct str body)
{
    (void)argument;
    tail_publish(heard, batch, body);
}

static void test_tail_gets_each_batch_once(void **state)
{
    struct place p;
    struct arena arena;
    struct str event;
    struct error err;
    uint64_t missed = 0;
    int count = 0;
    (void)state;
    place_open(&p);
    heard = tail_new(true);
    struct tail_listener *listener = tail_join(heard);
    struct consumer_options options = {.queue = p.queue,
                                       .archive = p.archive,
                                       .ledger = p.ledger,
                                       .clock = &FAKE,
                                       .spool_dir = place_path(&p, "spool"),
                                       .lease_ms = LEASE_MS,
                                       .stale_ms = 0,
                                       .segment_age_ms = AGE_MS,
                                       .segment_bytes = 1 << 20,
                                       .retention_ms = (int64_t)35 * 86400000,
                                       .retry_ms = RETRY_MS,
                                       .compression_level = 1,
                                       .group_max = 8,
                                       .held_max = 100,
                                       .segments_max = 4,
                                       .fresh = publish};
    for (int i = 0; i < 5; i++)
        send_event(&p, HOUR_S, "x");
    for (int run = 0; run < 3; run++) { /* each forgets what the one before had claimed */
        struct consumer *c;
        assert_int_equal(consumer_new(&options, &c, &err), CODE_OK);
        consumer_step(c, 0);
        consumer_free(c);
        now_ms += LEASE_MS + 1;
    }
    arena_init(&arena);
    while (tail_next(listener, 0, &arena, &event, &missed) == TAIL_EVENT)
        count++;
    assert_int_equal(count, 5);
    tail_close(heard);
    assert_int_equal(tail_next(listener, 1000, &arena, &event, &missed), TAIL_CLOSED);
    tail_leave(listener);
    tail_free(heard);
    arena_clear(&arena);
    place_close(&p);
}

static void test_a_full_ring_counts_what_is_missed(void **state)
{
    struct tail *tail = tail_new(false);
    struct tail_listener *listener = tail_join(tail), *other = tail_join(tail);
    struct batch batch = {.partition_s = HOUR_S, .sent_ms = HOUR_S * 1000};
    struct buf body;
    struct arena arena;
    struct str event;
    uint64_t missed = 0, sum = 0;
    size_t count = 0;
    (void)state;
    buf_init(&body, 1 << 20);
    arena_init(&arena);
    begin_batch(&body, id_new(&FAKE), HOUR_S, TAIL_RING + 88);
    for (int i = 0; i < TAIL_RING + 88; i++)
        add_event(&body, &(struct made_event){.time_ms = HOUR_S * 1000, .kind = 6, .query = "no"});
    tail_publish(tail, &batch, buf_str(&body));
    tail_leave(other);
    while (tail_next(listener, 0, &arena, &event, &missed) == TAIL_EVENT) {
        omnidata_event_v1_Event decoded;
        const char *reason;
        bool unknown;
        assert_true(event_decode(event, &decoded, &unknown, &reason));
        assert_string_equal(decoded.query, ""); /* texts may not be published here */
        sum += missed;
        count++;
    }
    assert_int_equal(count, TAIL_RING);
    assert_int_equal(sum, 88);
    tail_leave(listener);
    tail_free(tail);
    buf_clear(&body);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeats_keep_what_is_held),
        cmocka_unit_test(test_what_another_holds_is_seldom_looked_at),
        cmocka_unit_test(test_late_hours_do_not_close_open_ones),
        cmocka_unit_test(test_more_hours_than_may_be_open),
        cmocka_unit_test(test_size_closes_a_segment),
        cmocka_unit_test(test_a_drain_leaves_nothing),
        cmocka_unit_test(test_a_drain_that_fails_releases),
        cmocka_unit_test(test_tail_gets_each_batch_once),
        cmocka_unit_test(test_a_full_ring_counts_what_is_missed),
    };
    return cmocka_run_group_tests_name("consumer", tests, NULL, NULL);
}
