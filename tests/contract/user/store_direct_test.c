/*
 * Read events that go straight to the queue, over every store: the bodies never pass it, what is
 * sent is counted before, and what is counted is sent, or told to be lost, whatever happens.
 */
#include "tests/contract/user/store_suite.h"

#include "pb/proto.h"
#include "user/direct.h"
#include "user/emitter.h"
#include "user/relay.h"

#include "omnidata/event/v1/event.pb-c.h"

#include <pthread.h>

enum { SENT_MAX = 32, ROOMY = 1 << 20 };

/* Remembers what it was sent; answers as it is told, once. */
struct fake_queue {
    struct relay_sender base;
    enum code next; /* of the next call; CODE_OK from then on */
    struct {
        struct id id;
        uint32_t count;
        size_t events;
        bool lost;
    } sent[SENT_MAX];
    size_t sent_count;
};

struct straight {
    struct suite *suite;
    struct fake_queue queue;
    struct direct *direct;
    struct emitter *emitter;
    struct relay *relay;
};

static enum code fake_send(struct relay_sender *base, const struct store_batch *batches,
                           size_t count, int64_t deadline_ms, bool *taken, struct error *err)
{
    struct fake_queue *queue = (struct fake_queue *)base;
    struct arena arena = {0};
    enum code code = queue->next;
    (void)deadline_ms;
    for (size_t i = 0; i < count && code != CODE_UNAVAILABLE; i++) {
        const Omnidata__Event__V1__EventBatch *batch =
            proto_decode(&arena, &omnidata__event__v1__event_batch__descriptor, batches[i].body);
        char id[ID_TEXT_BYTES + 1];
        assert_non_null(batch);
        id_format(batches[i].id, id);
        assert_string_equal(batch->id, id);
        assert_int_equal(batch->hour->seconds, batches[i].hour);
        queue->sent[queue->sent_count].id = batches[i].id;
        queue->sent[queue->sent_count].count = batch->count;
        queue->sent[queue->sent_count].events = batch->n_events;
        queue->sent[queue->sent_count++].lost = batch->lost;
        taken[i] = code == CODE_OK;
    }
    arena_clear(&arena);
    queue->next = CODE_OK;
    return code == CODE_OK ? code : error_set(err, code, NULL, "as told");
}

static void start(struct straight *s, struct suite *suite, size_t direct_bytes)
{
    *s = (struct straight){.suite = suite, .queue = {.base = {.send = fake_send}}};
    s->direct = direct_new(direct_bytes);
    s->emitter = emitter_new_idle(&(struct emitter_options){.store = suite->store,
                                                            .direct = s->direct,
                                                            .clock = &suite->clock.base,
                                                            .ring_slots = 64,
                                                            .outbox_bytes_max = 1 << 20});
    s->relay = relay_new_idle(&(struct relay_options){.store = suite->store,
                                                      .sender = &s->queue.base,
                                                      .direct = s->direct,
                                                      .backoff_min_ms = 1,
                                                      .backoff_max_ms = 2,
                                                      .call_ms = 5000});
}

static void stop(struct straight *s)
{
    emitter_free(s->emitter);
    relay_free(s->relay, 0);
    direct_free(s->direct);
}

static void read_some(struct straight *s, int count)
{
    const struct event_facts facts = {.kind = EVENT_USER_READ, .user_id = STR("somebody")};
    for (int i = 0; i < count; i++)
        emitter_put(s->emitter, &facts);
    emitter_flush(s->emitter);
}

static void assert_books(struct suite *suite, uint64_t emitted, uint64_t pending)
{
    struct store_hour *hours;
    size_t count;
    assert_int_equal(suite->store->vtable->outbox_hours(suite->store, 0, INT64_MAX, &suite->arena,
                                                        &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, emitted != 0);
    if (count) {
        assert_int_equal(hours[0].emitted, emitted);
        assert_int_equal(hours[0].pending, pending);
    }
    assert_int_equal(suite_stats(suite).events, pending);
}

static void run_relay(struct straight *s)
{
    while (relay_step(s->relay) >= 0)
        ;
}

/* Nothing is kept any more: there is room for a body as large as all of it. */
static void assert_all_room(struct straight *s, size_t direct_bytes)
{
    char *bytes = xcalloc(1, direct_bytes);
    const struct store_batch large = {.id = {{1}}, .body = {bytes, direct_bytes}};
    assert_true(direct_keep(s->direct, &large));
    assert_true(direct_drop(s->direct, large.id));
    xfree(bytes);
}

static void bodies_do_not_pass_the_store(void **state)
{
    struct suite *suite = *state;
    struct straight s;
    struct store_batch line[4];
    size_t count;
    start(&s, suite, ROOMY);
    read_some(&s, 5);
    assert_books(suite, 5, 5);
    assert_int_equal(suite->store->vtable->outbox_oldest(suite->store, 4, 1 << 20, &suite->arena,
                                                         line, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(line[0].count, 5);
    assert_true(line[0].body.len < 100);
    assert_int_equal(relay_step(s.relay), 0);
    assert_int_equal(s.queue.sent_count, 1);
    assert_int_equal(s.queue.sent[0].events, 5);
    assert_false(s.queue.sent[0].lost);
    assert_books(suite, 5, 0);
    assert_all_room(&s, ROOMY);
    assert_int_equal(emitter_dropped(s.emitter), 0);
    stop(&s);
}

/* The outbox of writes is as it was: those events are in its bodies. */
static void writes_go_as_before(void **state)
{
    struct suite *suite = *state;
    struct straight s;
    start(&s, suite, ROOMY);
    suite_create(suite, "a@x", "A");
    read_some(&s, 2);
    stop(&s);
    suite_reopen(suite);
    start(&s, suite, ROOMY);
    run_relay(&s);
    assert_int_equal(s.queue.sent_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(s.queue.sent[i].events, s.queue.sent[i].lost ? 0 : 1);
    assert_int_not_equal(s.queue.sent[0].lost, s.queue.sent[1].lost);
    stop(&s);
}

static void what_a_crash_takes_is_told(void **state)
{
    struct suite *suite = *state;
    struct straight s;
    start(&s, suite, ROOMY);
    read_some(&s, 3);
    stop(&s);
    suite_reopen(suite);
    assert_books(suite, 3, 3);
    start(&s, suite, ROOMY);
    run_relay(&s);
    assert_int_equal(s.queue.sent_count, 1);
    assert_true(s.queue.sent[0].lost);
    assert_int_equal(s.queue.sent[0].count, 3);
    assert_int_equal(s.queue.sent[0].events, 0);
    assert_books(suite, 3, 0);
    stop(&s);
}

/* Sent, the answer lost, and a crash before it could be sent again: under the same id. */
static void a_lost_answer_changes_nothing(void **state)
{
    struct suite *suite = *state;
    struct straight s;
    start(&s, suite, ROOMY);
    read_some(&s, 3);
    s.queue.next = CODE_DEADLINE_EXCEEDED;
    assert_true(relay_step(s.relay) > 0);
    assert_books(suite, 3, 3);
    struct id id = s.queue.sent[0].id;
    assert_int_equal(relay_step(s.relay), 0);
    assert_int_equal(s.queue.sent_count, 2);
    assert_int_equal(s.queue.sent[1].events, 3);
    assert_memory_equal(&s.queue.sent[1].id, &id, sizeof id);
    read_some(&s, 4);
    s.queue.next = CODE_DEADLINE_EXCEEDED;
    assert_true(relay_step(s.relay) > 0);
    id = s.queue.sent[2].id;
    stop(&s);
    suite_reopen(suite);
    start(&s, suite, ROOMY);
    run_relay(&s);
    assert_int_equal(s.queue.sent_count, 1);
    assert_true(s.queue.sent[0].lost);
    assert_memory_equal(&s.queue.sent[0].id, &id, sizeof id);
    assert_books(suite, 7, 0);
    stop(&s);
}

static void while_the_queue_is_away_reads_are_shed_and_counted(void **state)
{
    enum { FOUR = 4 * 4096 }; /* as many as the smallest ones take */
    struct suite *suite = *state;
    struct straight s;
    start(&s, suite, FOUR);
    for (int i = 0; i < 10; i++) {
        read_some(&s, 2);
        s.queue.next = CODE_UNAVAILABLE;
        assert_true(relay_step(s.relay) > 0);
    }
    assert_int_equal(emitter_dropped(s.emitter), 12);
    assert_books(suite, 8, 8); /* what is shed was never emitted */
    run_relay(&s);
    assert_int_equal(s.queue.sent_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(s.queue.sent[i].events, 2);
    assert_books(suite, 8, 0);
    read_some(&s, 2);
    run_relay(&s);
    assert_books(suite, 10, 0);
    assert_int_equal(emitter_dropped(s.emitter), 12);
    stop(&s);
}

static void what_the_queue_refuses_is_not_kept(void **state)
{
    struct suite *suite = *state;
    struct straight s;
    start(&s, suite, ROOMY);
    read_some(&s, 2);
    s.queue.next = CODE_INVALID_ARGUMENT;
    assert_int_equal(relay_step(s.relay), 0);
    assert_int_equal(suite_stats(suite).aside, 1);
    assert_all_room(&s, ROOMY);
    assert_int_equal(suite->store->vtable->outbox_readmit(suite->store, &suite->err), CODE_OK);
    run_relay(&s);
    assert_true(s.queue.sent[s.queue.sent_count - 1].lost);
    assert_books(suite, 2, 0);
    stop(&s);
}

/* Another process has taken the line over, and what we kept for it is of no use any more. */
static void orphans_are_dropped(void **state)
{
    struct suite *suite = *state;
    struct straight s;
    struct store_batch line[1];
    size_t count;
    start(&s, suite, ROOMY);
    read_some(&s, 2);
    assert_int_equal(suite->store->vtable->outbox_oldest(suite->store, 1, 1 << 20, &suite->arena,
                                                         line, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(suite->store->vtable->outbox_forget(suite->store, &line[0].id, 1, &suite->err),
                     CODE_OK);
    assert_int_equal(relay_step(s.relay), -1);
    assert_int_equal(s.queue.sent_count, 0);
    assert_all_room(&s, ROOMY);
    stop(&s);
}

static void *read_many(void *argument)
{
    const struct event_facts facts = {.kind = EVENT_USER_READ, .user_id = STR("somebody")};
    for (int i = 0; i < 20; i++)
        emitter_put(argument, &facts);
    return NULL;
}

static void threads_end_with_everything_sent(void **state)
{
    struct suite *suite = *state;
    struct fake_queue queue = {.base = {.send = fake_send}};
    struct direct *direct = direct_new(ROOMY);
    struct relay *relay = relay_new(&(struct relay_options){.store = suite->store,
                                                            .sender = &queue.base,
                                                            .direct = direct,
                                                            .backoff_min_ms = 1,
                                                            .backoff_max_ms = 2,
                                                            .call_ms = 5000});
    struct emitter *emitter = emitter_new(&(struct emitter_options){.store = suite->store,
                                                                    .direct = direct,
                                                                    .clock = &suite->clock.base,
                                                                    .ring_slots = 64,
                                                                    .outbox_bytes_max = 1 << 20,
                                                                    .sealed = relay_wake,
                                                                    .argument = relay});
    pthread_t readers[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_many, emitter), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    emitter_free(emitter);
    relay_free(relay, 60000);
    size_t events = 0;
    for (size_t i = 0; i < queue.sent_count; i++)
        events += queue.sent[i].events;
    assert_int_equal(events, 40);
    assert_books(suite, 40, 0);
    direct_free(direct);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(bodies_do_not_pass_the_store),
        SUITE_TEST(writes_go_as_before),
        SUITE_TEST(what_a_crash_takes_is_told),
        SUITE_TEST(a_lost_answer_changes_nothing),
        SUITE_TEST(while_the_queue_is_away_reads_are_shed_and_counted),
        SUITE_TEST(what_the_queue_refuses_is_not_kept),
        SUITE_TEST(orphans_are_dropped),
        SUITE_TEST(threads_end_with_everything_sent),
    };
    return suite_run(tests);
}
