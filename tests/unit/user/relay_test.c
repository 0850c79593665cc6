/*
 * The relay and the emitter over a real store, with a sender that does as it is told: every call
 * that can fail does so once, and nothing is lost, sent changed, or forgotten too early.
 */
#include "tests/contract/user/store_suite.h"

#include "pb/proto.h"
#include "user/emitter.h"
#include "user/relay.h"

#include "omnidata/event/v1/event.pb-c.h"

enum { CALLS_MAX = 64, SEEN_MAX = 64 };

/* Remembers what it was sent and answers by script. */
struct fake_sender {
    struct relay_sender base;
    enum code script[CALLS_MAX]; /* CODE_OK beyond what is set */
    int calls;
    char poison[ID_TEXT_BYTES + 1]; /* this batch is refused, whoever it comes with */
    char sent[SEEN_MAX][ID_TEXT_BYTES + 1];
    size_t batch_counts[CALLS_MAX];
    struct {
        char id[ID_TEXT_BYTES + 1];
        uint64_t digest;
    } seen[SEEN_MAX];
    size_t seen_count, taken;
    bool changed;            /* a batch came with other bytes than before */
    bool takes_every_second; /* when it fails */
};

static uint64_t digest(const ProtobufCMessage *message)
{
    uint8_t bytes[64 * 1024];
    size_t size = protobuf_c_message_pack(message, bytes);
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 1099511628211u;
    return sum;
}

static void remember(struct fake_sender *fake, const Omnidata__Event__V1__EventBatch *batch)
{
    uint64_t sum = digest(&batch->base);
    for (size_t i = 0; i < fake->seen_count; i++) {
        if (strcmp(fake->seen[i].id, batch->id) == 0) {
            fake->changed = fake->changed || fake->seen[i].digest != sum;
            return;
        }
    }
    snprintf(fake->seen[fake->seen_count].id, sizeof fake->seen[0].id, "%s", batch->id);
    fake->seen[fake->seen_count++].digest = sum;
}

static enum code fake_send(struct relay_sender *base, const struct store_batch *batches,
                           size_t count, int64_t deadline_ms, bool *taken, struct error *err)
{
    struct fake_sender *fake = (struct fake_sender *)base;
    struct arena arena = {0};
    char id[ID_TEXT_BYTES + 1];
    assert_true(deadline_ms > 0);
    enum code code = fake->script[fake->calls];
    fake->batch_counts[fake->calls++] = count;
    for (size_t i = 0; i < count; i++) {
        Omnidata__Event__V1__EventBatch *batch =
            proto_decode(&arena, &omnidata__event__v1__event_batch__descriptor, batches[i].body);
        assert_non_null(batch);
        id_format(batches[i].id, id);
        assert_string_equal(batch->id, id);
        remember(fake, batch);
        if (strcmp(id, fake->poison) == 0)
            code = CODE_INVALID_ARGUMENT;
        taken[i] = code == CODE_OK || (fake->takes_every_second && i % 2 == 1);
        if (taken[i])
            snprintf(fake->sent[fake->taken++], sizeof fake->sent[0], "%s", id);
    }
    arena_clear(&arena);
    return code == CODE_OK ? code : error_set(err, code, NULL, "as told");
}

static struct relay *new_relay(struct suite *suite, struct fake_sender *fake)
{
    fake->base.send = fake_send;
    return relay_new_idle(&(struct relay_options){.store = suite->store,
                                                  .sender = &fake->base,
                                                  .backoff_min_ms = 100,
                                                  .backoff_max_ms = 1000,
                                                  .call_ms = 5000});
}

static struct emitter *new_emitter(struct suite *suite, uint64_t outbox_bytes, size_t slots)
{
    return emitter_new_idle(&(struct emitter_options){.store = suite->store,
                                                      .clock = &suite->clock.base,
                                                      .ring_slots = slots,
                                                      .outbox_bytes_max = outbox_bytes});
}

/* `count` batches of one event each. */
static void add_batches(struct suite *suite, struct emitter *emitter, int count)
{
    const struct event_facts facts = {.kind = EVENT_USER_READ, .user_id = STR("u")};
    for (int i = 0; i < count; i++) {
        emitter_put(emitter, &facts);
        emitter_flush(emitter);
    }
    assert_int_equal(suite_stats(suite).unsealed, 0);
}

static void sends_in_order_and_forgets_after_ok(void **state)
{
    struct suite *suite = *state;
    struct fake_sender fake = {0};
    struct emitter *emitter = new_emitter(suite, 1 << 20, 64);
    struct relay *relay = new_relay(suite, &fake);
    assert_int_equal(relay_step(relay), -1);
    assert_int_equal(fake.calls, 0);
    add_batches(suite, emitter, 20);
    assert_int_equal(relay_step(relay), 0);
    assert_int_equal(fake.batch_counts[0], 16);
    assert_int_equal(suite_stats(suite).events, 4);
    assert_int_equal(relay_step(relay), 0);
    assert_int_equal(relay_step(relay), -1);
    assert_int_equal(fake.taken, 20);
    for (size_t i = 1; i < fake.taken; i++)
        assert_true(strcmp(fake.sent[i - 1], fake.sent[i]) < 0);
    assert_int_equal(suite_stats(suite).events, 0);
    assert_int_equal(suite_stats(suite).bytes, 0);
    relay_free(relay, 0);
    emitter_free(emitter);
}

static void failures_are_retried_with_growing_waits(void **state)
{
    static const enum code failures[] = {CODE_UNAVAILABLE,   CODE_DEADLINE_EXCEEDED,
                                         CODE_INTERNAL,      CODE_RESOURCE_EXHAUSTED,
                                         CODE_UNIMPLEMENTED, CODE_UNKNOWN};
    struct suite *suite = *state;
    struct fake_sender fake = {0};
    struct emitter *emitter = new_emitter(suite, 1 << 20, 64);
    struct relay *relay = new_relay(suite, &fake);
    add_batches(suite, emitter, 2);
    memcpy(fake.script, failures, sizeof failures);
    int64_t most = 100;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++, most *= 2) {
        int64_t wait = relay_step(relay);
        assert_true(wait >= 100 && wait <= 100 + (most < 1000 ? most : 1000));
        assert_int_equal(suite_stats(suite).events, 2);
    }
    assert_int_equal(relay_step(relay), 0);
    assert_int_equal(suite_stats(suite).events, 0);
    assert_false(fake.changed);
    assert_int_equal(fake.seen_count, 2);
    relay_free(relay, 0);
    emitter_free(emitter);
}

static void nth_call_fails_and_nothing_is_lost(void **state)
{
    struct suite *suite = *state;
    struct emitter *emitter = new_emitter(suite, 1 << 20, 64);
    for (int n = 0; n < 3; n++) {
        struct fake_sender fake = {0};
        struct relay *relay = new_relay(suite, &fake);
        add_batches(suite, emitter, 18);
        fake.script[n] = CODE_UNAVAILABLE;
        for (int i = 0; i < 10 && relay_step(relay) >= 0; i++)
            ;
        assert_int_equal(fake.taken, 18);
        assert_false(fake.changed);
        assert_int_equal(suite_stats(suite).events, 0);
        relay_free(relay, 0);
    }
    emitter_free(emitter);
}

/* What the sender says is durable is not sent again, though the call failed. */
static void a_part_that_was_taken_is_forgotten(void **state)
{
    struct suite *suite = *state;
    struct fake_sender fake = {.script = {CODE_UNAVAILABLE}, .takes_every_second = true};
    struct emitter *emitter = new_emitter(suite, 1 << 20, 64);
    struct relay *relay = new_relay(suite, &fake);
    add_batches(suite, emitter, 6);
    assert_true(relay_step(relay) > 0);
    assert_int_equal(suite_stats(suite).events, 3);
    assert_int_equal(relay_step(relay), 0);
    assert_int_equal(fake.batch_counts[1], 3);
    assert_int_equal(fake.taken, 6);
    assert_int_equal(suite_stats(suite).events, 0);
    relay_free(relay, 0);
    emitter_free(emitter);
}

static void resent_after_a_restart_byte_for_byte(void **state)
{
    struct suite *suite = *state;
    struct fake_sender fake = {.script = {CODE_UNAVAILABLE}};
    struct emitter *emitter = new_emitter(suite, 1 << 20, 64);
    add_batches(suite, emitter, 3);
    struct relay *relay = new_relay(suite, &fake);
    assert_true(relay_step(relay) > 0);
    relay_free(relay, 0);
    emitter_free(emitter);
    suite_reopen(suite);
    relay = new_relay(suite, &fake);
    assert_int_equal(relay_step(relay), 0);
    assert_int_equal(fake.seen_count, 3);
    assert_int_equal(fake.taken, 3);
    assert_false(fake.changed);
    relay_free(relay, 0);
}

static void poison_is_set_aside_and_the_rest_goes_on(void **state)
{
    struct suite *suite = *state;
    struct fake_sender fake = {0};
    struct store_batch batches[5];
    size_t count;
    struct emitter *emitter = new_emitter(suite, 1 << 20, 64);
    struct relay *relay = new_relay(suite, &fake);
    add_batches(suite, emitter, 5);
    assert_int_equal(suite->store->vtable->outbox_oldest(suite->store, 5, 1 << 20, &suite->arena,
                                                         batches, &count, &suite->err),
                     CODE_OK);
    id_format(batches[2].id, fake.poison);
    for (int i = 0; i < 20 && relay_step(relay) >= 0; i++)
        ;
    assert_int_equal(fake.taken, 4);
    assert_int_equal(suite_stats(suite).aside, 1);
    assert_int_equal(suite_stats(suite).events, 1);
    for (size_t i = 0; i < fake.taken; i++)
        assert_string_not_equal(fake.sent[i], fake.poison);
    relay_free(relay, 0);
    emitter_free(emitter);
}

/* --- the emitter --- */

static void reads_of_two_hours_make_two_batches(void **state)
{
    struct suite *suite = *state;
    struct emitter *emitter = new_emitter(suite, 1 << 20, 64);
    const struct event_facts facts = {.kind = EVENT_USERS_LISTED};
    struct store_hour *hours;
    size_t count;
    for (int i = 0; i < 5; i++) {
        emitter_put(emitter, &facts);
        suite->clock.wall_us += 1000 * 1000000LL;
    }
    emitter_flush(emitter);
    assert_int_equal(suite->store->vtable->outbox_hours(suite->store, 0, INT64_MAX, &suite->arena,
                                                        &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(hours[0].emitted, 3);
    assert_int_equal(hours[1].emitted, 2);
    emitter_free(emitter);
}

static void full_ring_drops_and_counts(void **state)
{
    struct suite *suite = *state;
    struct emitter *emitter = new_emitter(suite, 1 << 20, 4);
    const struct event_facts facts = {.kind = EVENT_USER_READ};
    for (int i = 0; i < 7; i++)
        emitter_put(emitter, &facts);
    assert_int_equal(emitter_dropped(emitter), 3);
    emitter_flush(emitter);
    assert_int_equal(suite_stats(suite).events, 4);
    emitter_free(emitter);
}

static void full_outbox_sheds_reads_before_it_refuses_writes(void **state)
{
    struct suite *suite = *state;
    struct emitter *emitter = new_emitter(suite, 1000, 64);
    const struct event_facts facts = {.kind = EVENT_USER_READ, .user_id = STR("somebody")};
    struct error err = {0};
    struct arena arena = {0};
    while (suite_stats(suite).bytes < 800) {
        assert_int_equal(emitter_dropped(emitter), 0);
        emitter_put(emitter, &facts);
        emitter_flush(emitter);
    }
    assert_int_equal(emitter_admit(emitter, &err), CODE_OK);
    emitter_put(emitter, &facts);
    emitter_flush(emitter);
    assert_int_equal(emitter_dropped(emitter), 1);
    char email[16];
    for (int i = 0; suite_stats(suite).bytes < 1000; i++) {
        assert_int_equal(emitter_admit(emitter, &err), CODE_OK);
        snprintf(email, sizeof email, "%d@x", i);
        suite_create(suite, email, "U");
    }
    uint64_t events = suite_stats(suite).events;
    assert_int_equal(emitter_admit(emitter, &err), CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, REASON_OUTBOX_FULL);
    emitter_flush(emitter);
    assert_int_equal(suite_stats(suite).events, events); /* what has committed stays */
    struct fake_sender fake = {0};
    struct relay *relay = new_relay(suite, &fake);
    while (relay_step(relay) >= 0)
        ;
    error_clear(&err);
    assert_int_equal(emitter_admit(emitter, &err), CODE_OK);
    relay_free(relay, 0);
    emitter_free(emitter);
    arena_clear(&arena);
}

static void threads_end_with_everything_sent(void **state)
{
    struct suite *suite = *state;
    struct fake_sender fake = {.base = {.send = fake_send}};
    struct relay *relay = relay_new(&(struct relay_options){.store = suite->store,
                                                            .sender = &fake.base,
                                                            .backoff_min_ms = 1,
                                                            .backoff_max_ms = 2,
                                                            .call_ms = 5000});
    struct emitter *emitter = emitter_new(&(struct emitter_options){.store = suite->store,
                                                                    .clock = &suite->clock.base,
                                                                    .ring_slots = 64,
                                                                    .outbox_bytes_max = 1 << 20,
                                                                    .sealed = relay_wake,
                                                                    .argument = relay});
    const struct event_facts facts = {.kind = EVENT_USER_READ};
    for (int i = 0; i < 10; i++)
        emitter_put(emitter, &facts);
    suite_create(suite, "a@x", "A");
    emitter_free(emitter);
    relay_free(relay, 5000);
    assert_int_equal(suite_stats(suite).events, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(sends_in_order_and_forgets_after_ok),
        SUITE_TEST(failures_are_retried_with_growing_waits),
        SUITE_TEST(nth_call_fails_and_nothing_is_lost),
        SUITE_TEST(a_part_that_was_taken_is_forgotten),
        SUITE_TEST(resent_after_a_restart_byte_for_byte),
        SUITE_TEST(poison_is_set_aside_and_the_rest_goes_on),
        SUITE_TEST(reads_of_two_hours_make_two_batches),
        SUITE_TEST(full_ring_drops_and_counts),
        SUITE_TEST(full_outbox_sheds_reads_before_it_refuses_writes),
        SUITE_TEST(threads_end_with_everything_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
