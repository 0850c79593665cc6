/* Events and batches, and the ring that they wait in. */
#include "tests/support/unit.h"

#include "base/clock.h"
#include "pb/nano.h"
#include "pb/proto.h"
#include "user/event.h"
#include "user/event_ring.h"

#include "omnidata/event/v1/event.pb-c.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int64_t wall_us(const struct clock *clock)
{
    (void)clock;
    return 1795374000123456;
}

static const struct clock CLOCK = {wall_us, NULL};

static void event_says_what_happened(void **state)
{
    omnidata_event_v1_Event event, back;
    const char *reason;
    struct buf bytes;
    (void)state;
    const struct event_facts facts = {
        .kind = EVENT_USERS_SEARCHED,
        .status = 3,
        .query = STR("jos\xC3\xA9"),
        .trace_id = STR("0123456789abcdef0123456789abcdef"),
        .result_count = 7,
    };
    event_make(&event, &CLOCK, &facts);
    buf_init(&bytes, EVENT_BYTES_MAX);
    event_encode(&bytes, &event);
    assert_false(bytes.overflow);
    assert_true(nano_decode(buf_str(&bytes), omnidata_event_v1_Event_fields, &back, &reason));
    struct id id;
    assert_true(id_parse(str_of(back.id), &id));
    assert_int_equal(back.schema_version, 1);
    assert_int_equal(back.time.seconds, 1795374000);
    assert_int_equal(back.time.nanos, 123456000);
    assert_int_equal(back.kind, EVENT_USERS_SEARCHED);
    assert_int_equal(back.status, 3);
    assert_string_equal(back.query, "jos\xC3\xA9");
    assert_string_equal(back.trace_id, "0123456789abcdef0123456789abcdef");
    assert_int_equal(back.result_count, 7);
    assert_false(back.truncated);
    assert_int_equal(event_hour(&back), 1795374000 - 1795374000 % 3600);
    buf_clear(&bytes);
}

/* Fills the event with whatever the dice say, texts up to their full length. */
static void any_text(char *text, size_t size, uint64_t *dice)
{
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    size_t length = *dice >> 60 == 0 ? size - 1 : (*dice >> 40) % size;
    memset(text, 'a' + (int)(*dice >> 33) % 26, length);
    text[*dice >> 62 ? length : 0] = '\0';
}

static int64_t any_number(uint64_t *dice)
{
    static const int shifts[] = {63, 57, 50, 32, 1, 0};
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    int64_t number = (int64_t)*dice >> shifts[(*dice >> 20) % 6];
    return *dice >> 61 ? number : 0;
}

static void any_event(omnidata_event_v1_Event *event, uint64_t *dice)
{
    memset(event, 0, sizeof *event);
    any_text(event->id, sizeof event->id, dice);
    event->schema_version = (uint32_t)any_number(dice);
    event->has_time = any_number(dice) & 1;
    event->time.seconds = any_number(dice);
    event->time.nanos = (int32_t)any_number(dice);
    event->kind = (omnidata_event_v1_EventKind)(any_number(dice) & 7);
    event->status = (int32_t)any_number(dice);
    any_text(event->actor, sizeof event->actor, dice);
    any_text(event->key_id, sizeof event->key_id, dice);
    any_text(event->user_id, sizeof event->user_id, dice);
    any_text(event->query, sizeof event->query, dice);
    event->result_count = (uint32_t)any_number(dice);
    any_text(event->trace_id, sizeof event->trace_id, dice);
    event->truncated = any_number(dice) & 1;
    event->has_producer_time = any_number(dice) & 1;
    event->producer_time.seconds = any_number(dice);
    event->producer_time.nanos = (int32_t)any_number(dice);
    event->partial = any_number(dice) & 1;
}

static void encoding_is_that_of_nanopb(void **state)
{
    omnidata_event_v1_Event event;
    struct buf ours, theirs;
    uint64_t dice = 7;
    (void)state;
    buf_init(&ours, EVENT_BYTES_MAX);
    buf_init(&theirs, EVENT_BYTES_MAX);
    for (int i = 0; i < 20000; i++) {
        any_event(&event, &dice);
        buf_reset(&ours);
        buf_reset(&theirs);
        event_encode(&ours, &event);
        assert_true(nano_encode(&theirs, omnidata_event_v1_Event_fields, &event));
        assert_false(ours.overflow);
        assert_int_equal(ours.len, theirs.len);
        assert_memory_equal(ours.ptr, theirs.ptr, ours.len);
    }
    buf_clear(&ours);
    buf_clear(&theirs);
}

static void long_texts_are_cut_between_code_points(void **state)
{
    omnidata_event_v1_Event event;
    char query[400];
    (void)state;
    memset(query, 'x', sizeof query);
    memcpy(query + 255, "\xC3\xA9", 2); /* bytes 255 and 256: only one would fit */
    struct event_facts facts = {.kind = EVENT_USERS_SEARCHED, .query = {query, 300}};
    event_make(&event, &CLOCK, &facts);
    assert_int_equal(strlen(event.query), 255);
    assert_true(event.truncated);
    facts.query.len = 255;
    event_make(&event, &CLOCK, &facts);
    assert_int_equal(strlen(event.query), 255);
    assert_false(event.truncated);
}

static void largest_event_fits(void **state)
{
    omnidata_event_v1_Event event;
    char text[300];
    struct buf bytes;
    (void)state;
    memset(text, 'x', sizeof text);
    struct str all = {text, sizeof text};
    const struct event_facts facts = {EVENT_USER_DELETED, -1,  all, all, all, all, all,
                                      UINT32_MAX,         NULL};
    event_make(&event, &CLOCK, &facts);
    buf_init(&bytes, EVENT_BYTES_MAX);
    event_encode(&bytes, &event);
    assert_false(bytes.overflow);
    buf_clear(&bytes);
}

static void batch_is_an_event_batch(void **state)
{
    struct event_batch batch;
    struct buf body;
    struct arena arena = {0};
    char id[ID_TEXT_BYTES + 1];
    (void)state;
    event_batch_init(&batch, &CLOCK, 1795374000);
    assert_true(event_batch_add(&batch, STR("first")));
    assert_true(event_batch_add(&batch, STR("")));
    buf_init(&body, 4096);
    event_batch_seal(&batch, &body);
    Omnidata__Event__V1__EventBatch *read =
        proto_decode(&arena, &omnidata__event__v1__event_batch__descriptor, buf_str(&body));
    assert_non_null(read);
    id_format(batch.id, id);
    assert_string_equal(read->id, id);
    assert_int_equal(read->hour->seconds, 1795374000);
    assert_int_equal(read->count, 2);
    assert_int_equal(read->n_events, 2);
    assert_int_equal(read->events[0].len, 5);
    assert_memory_equal(read->events[0].data, "first", 5);
    buf_clear(&body);
    event_batch_clear(&batch);
    arena_clear(&arena);
}

static void batch_is_full_by_number_or_bytes(void **state)
{
    static char large[500];
    struct event_batch batch;
    struct buf body;
    (void)state;
    event_batch_init(&batch, &CLOCK, 0);
    for (int i = 0; i < EVENT_BATCH_EVENTS_MAX; i++)
        assert_true(event_batch_add(&batch, STR("x")));
    assert_false(event_batch_add(&batch, STR("x")));
    event_batch_clear(&batch);
    event_batch_init(&batch, &CLOCK, 0);
    while (event_batch_add(&batch, (struct str){large, sizeof large}))
        ;
    assert_true(batch.count > 350);
    buf_init(&body, EVENT_BATCH_BYTES_MAX);
    event_batch_seal(&batch, &body);
    assert_false(body.overflow);
    buf_clear(&body);
    event_batch_clear(&batch);
}

/* --- the ring --- */

static void ring_keeps_order_and_counts_what_it_drops(void **state)
{
    struct event_ring *ring = event_ring_new(3); /* four */
    struct ring_event event = {0};
    (void)state;
    assert_int_equal(event_ring_slots(ring), 4);
    for (int round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < 6; i++) {
            event.event.result_count = i;
            assert_int_equal(event_ring_put(ring, &event), i < 4);
        }
        assert_int_equal(event_ring_waiting(ring), 4);
        for (uint32_t i = 0; i < 4; i++) {
            assert_true(event_ring_take(ring, &event));
            assert_int_equal(event.event.result_count, i);
        }
        assert_false(event_ring_take(ring, &event));
        assert_int_equal(event_ring_dropped(ring), 2 * (round + 1));
    }
    event_ring_free(ring);
}

enum { PRODUCERS = 4, EVENTS_EACH = 20000 };

static void *produce(void *argument)
{
    struct ring_event event = {0};
    for (uint32_t i = 0; i < EVENTS_EACH; i++) {
        event.event.result_count = i;
        event_ring_put(argument, &event);
    }
    return NULL;
}

static void every_event_is_taken_once_or_counted(void **state)
{
    struct event_ring *ring = event_ring_new(64);
    pthread_t threads[PRODUCERS];
    struct ring_event event;
    uint64_t taken = 0;
    (void)state;
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, ring), 0);
    for (int i = 0; i < 1000000 && taken + event_ring_dropped(ring) < PRODUCERS * EVENTS_EACH; i++)
        while (event_ring_take(ring, &event))
            taken++;
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    while (event_ring_take(ring, &event))
        taken++;
    assert_int_equal(taken + event_ring_dropped(ring), PRODUCERS * EVENTS_EACH);
    assert_true(taken >= 64);
    event_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_says_what_happened),
        cmocka_unit_test(encoding_is_that_of_nanopb),
        cmocka_unit_test(long_texts_are_cut_between_code_points),
        cmocka_unit_test(largest_event_fits),
        cmocka_unit_test(batch_is_an_event_batch),
        cmocka_unit_test(batch_is_full_by_number_or_bytes),
        cmocka_unit_test(ring_keeps_order_and_counts_what_it_drops),
        cmocka_unit_test(every_event_is_taken_once_or_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
