/* From a message's bytes to parts: clocks, errors, and that reading again gives the same. */
#include "analytics/batch.h"
#include "tests/unit/analytics/pipeline.h"

static const int64_t HOUR_S = 1795370400; /* 2026-11-22T18:00:00Z */
static const int64_t RETENTION_MS = (int64_t)35 * 86400000;

static void test_clamping(void **state)
{
    /* relative to 18:00; `sent` and `time` in seconds */
    static const struct {
        int64_t partition, sent, time, told;
        bool clamped;
    } CASES[] = {
        {0, 600, 60, 60, false},
        {0, 600, 900, 900, false}, /* 5 minutes ahead */
        {0, 600, 901, 600, true},  /* more */
        {0, 600, 3600, 600, true}, /* not in the hour */
        {0, 4000, -1, 3599, true}, /* not in the hour, sent after it */
        {0, -200, 60, 60, false},  /* sent before the hour, within 5 minutes */
        {0, -290, 60, 0, true},    /* too far ahead: the hour's first instant */
        {-7 * 86400, 600, -7 * 86400 + 600, -7 * 86400 + 600, false},
        {-7 * 86400, 600, -7 * 86400 + 599, -7 * 86400 + 3599, true}, /* the hour's last instant */
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct row_time time = {HOUR_S + CASES[i].time, 0};
        bool clamped =
            batch_clamp(true, &time, HOUR_S + CASES[i].partition, (HOUR_S + CASES[i].sent) * 1000);
        assert_int_equal(clamped, CASES[i].clamped);
        assert_int_equal(time.seconds - HOUR_S, CASES[i].told);
    }
    struct row_time none = {0, 0}, odd = {HOUR_S, -1};
    assert_true(batch_clamp(false, &none, HOUR_S, HOUR_S * 1000 + 5));
    assert_int_equal(none.seconds, HOUR_S);
    assert_int_equal(none.nanos, 5000000);
    assert_true(batch_clamp(true, &odd, HOUR_S, HOUR_S * 1000));
}

struct read {
    struct buf rows, deltas;
    struct batch batch;
};

static void read_message(struct read *r, struct str body, int64_t sent_ms)
{
    struct queue_message message = {.id = STR("not an id"), .body = body, .sent_ms = sent_ms};
    buf_init(&r->rows, 1 << 24);
    buf_init(&r->deltas, 1 << 24);
    batch_read(&message, RETENTION_MS, &r->rows, &r->deltas, &r->batch);
}

static void clear(struct read *r)
{
    buf_clear(&r->rows);
    buf_clear(&r->deltas);
}

static void make(struct buf *body, struct id id, int64_t hour_s, int count)
{
    buf_init(body, 1 << 20);
    begin_batch(body, id, hour_s, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        struct made_event event = {.time_ms = hour_s * 1000 + i * 3000,
                                   .kind = i % 2 ? 6 : 4,
                                   .query = i % 2 ? "x" : NULL};
        add_event(body, &event);
    }
}

static void test_partition(void **state)
{
    static const struct {
        int64_t hour, sent, partition; /* relative to 18:00, seconds */
    } CASES[] = {
        {0, 60, 0},
        {-3600, 60, -3600},
        {3600, 3300, 3600}, /* 5 minutes ahead */
        {3600, 3299, 0},    /* more */
        {-7 * 86400, 60, -7 * 86400},
        {-7 * 86400, 3600, 3600}, /* all of it is more than 7 days back */
        {-7 * 86400, 3599, -7 * 86400},
        {-400 * 86400, 60, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct read r;
        struct buf body;
        make(&body, id_new(&FAKE), HOUR_S + CASES[i].hour, 2);
        read_message(&r, buf_str(&body), (HOUR_S + CASES[i].sent) * 1000);
        assert_int_equal(r.batch.hour_s - HOUR_S, CASES[i].hour);
        assert_int_equal(r.batch.partition_s - HOUR_S, CASES[i].partition);
        assert_int_equal(r.batch.parts[PART_EVENTS].events, 2);
        assert_int_equal(r.batch.parts[PART_SEARCHES].events, 1);
        assert_int_equal(r.batch.parts[PART_ERRORS].events, 0);
        clear(&r);
        buf_clear(&body);
    }
}

static void test_reading_again_gives_the_same(void **state)
{
    struct buf body;
    struct read a, b;
    (void)state;
    make(&body, id_new(&FAKE), HOUR_S, 100);
    read_message(&a, buf_str(&body), HOUR_S * 1000);
    read_message(&b, buf_str(&body), HOUR_S * 1000);
    assert_true(str_eq(buf_str(&a.rows), buf_str(&b.rows)));
    assert_true(str_eq(buf_str(&a.deltas), buf_str(&b.deltas)));
    assert_memory_equal(&a.batch, &b.batch, sizeof a.batch);
    clear(&a);
    clear(&b);
    buf_clear(&body);
}

static void test_every_cut_is_an_error_of_the_whole(void **state)
{
    struct buf body;
    (void)state;
    make(&body, id_new(&FAKE), HOUR_S, 3);
    for (size_t length = 0; length < body.len; length++) {
        char *exact = xmalloc(length + 1);
        struct read r;
        memcpy(exact, body.ptr, length);
        read_message(&r, (struct str){exact, length}, HOUR_S * 1000);
        assert_int_equal(r.batch.parts[PART_EVENTS].events, 0);
        assert_true(r.batch.parts[PART_ERRORS].events >= 1);
        assert_true(r.batch.parts[PART_ERRORS].events <= 3);
        clear(&r);
        xfree(exact);
    }
    buf_clear(&body);
}

static void test_bytes_without_id_get_one_of_their_own(void **state)
{
    struct read a, b, c;
    (void)state;
    read_message(&a, STR("no batch"), HOUR_S * 1000);
    read_message(&b, STR("no batch"), HOUR_S * 1000);
    read_message(&c, STR("another"), HOUR_S * 1000);
    assert_memory_equal(&a.batch.id, &b.batch.id, sizeof a.batch.id);
    assert_memory_not_equal(&a.batch.id, &c.batch.id, sizeof a.batch.id);
    assert_int_equal(a.batch.parts[PART_ERRORS].events, 1);
    clear(&a);
    clear(&b);
    clear(&c);
}

static struct id id_at(int64_t ms)
{
    struct id id = id_new(&FAKE);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return id;
}

static void test_ids_out_of_the_ledgers_memory(void **state)
{
    static const struct {
        int64_t days; /* of the id, from the sending */
        bool error;
    } CASES[] = {{0, false}, {-34, false}, {-36, true}, {2, true}};
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf body;
        struct read r;
        make(&body, id_at(HOUR_S * 1000 + CASES[i].days * 86400000), HOUR_S, 4);
        read_message(&r, buf_str(&body), HOUR_S * 1000);
        assert_int_equal(r.batch.parts[PART_EVENTS].events, CASES[i].error ? 0 : 4);
        assert_int_equal(r.batch.parts[PART_ERRORS].events, CASES[i].error ? 4 : 0);
        clear(&r);
        buf_clear(&body);
    }
}

static void test_deltas_add_up(void **state)
{
    struct rollup_delta sum = {0};
    struct buf body;
    struct read r;
    uint64_t events = 0;
    (void)state;
    make(&body, id_new(&FAKE), HOUR_S, 10);
    read_message(&r, buf_str(&body), HOUR_S * 1000 + 100000);
    for (int kind = 0; kind < PART_KINDS; kind++) {
        struct str delta = {r.deltas.ptr + r.batch.parts[kind].delta_start,
                            r.batch.parts[kind].delta_bytes};
        assert_true(rollup_merge_encoded(&sum, delta));
        for (size_t length = 0; length < delta.len; length++) {
            struct rollup_delta cut = {0};
            assert_false(rollup_merge_encoded(&cut, (struct str){delta.ptr, length}));
            rollup_clear(&cut);
        }
    }
    assert_int_equal(sum.claimed, 10);
    for (size_t i = 0; i < sum.count_used; i++)
        events += sum.counts[i].kind > 0 ? sum.counts[i].count : 0;
    assert_int_equal(events, 10);
    assert_int_equal(sketch_total(rollup_texts(&sum, HOUR_S, ROLLUP_ALL_SEARCHES)), 5);
    rollup_clear(&sum);
    clear(&r);
    buf_clear(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clamping),
        cmocka_unit_test(test_partition),
        cmocka_unit_test(test_reading_again_gives_the_same),
        cmocka_unit_test(test_every_cut_is_an_error_of_the_whole),
        cmocka_unit_test(test_bytes_without_id_get_one_of_their_own),
        cmocka_unit_test(test_ids_out_of_the_ledgers_memory),
        cmocka_unit_test(test_deltas_add_up),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
