/* The outbox: what is sealed stays as it is, what is forgotten is counted, nothing is lost. */
#include "tests/contract/user/store_suite.h"

#include "user/emitter.h"

static size_t seal(struct suite *suite)
{
    size_t sealed;
    assert_int_equal(suite->store->vtable->outbox_seal(suite->store, &sealed, &suite->err),
                     CODE_OK);
    return sealed;
}

static size_t oldest(struct suite *suite, struct store_batch *batches, size_t max, size_t bytes_max)
{
    size_t count;
    assert_int_equal(suite->store->vtable->outbox_oldest(
                         suite->store, max, bytes_max, &suite->arena, batches, &count, &suite->err),
                     CODE_OK);
    return count;
}

static void create_in_hour(struct suite *suite, const char *email, int64_t hour)
{
    struct store_write write = suite_write(NULL);
    struct user user = suite_user(suite, email, "U"), created;
    write.event.hour = hour;
    assert_int_equal(suite->store->vtable->create(suite->store, &write, &user, &suite->arena,
                                                  &created, &suite->replayed, &suite->err),
                     CODE_OK);
}

static void batch_holds_one_hour_and_never_changes(void **state)
{
    struct suite *suite = *state;
    struct store_batch first[4], again[4];
    create_in_hour(suite, "1@x", SUITE_HOUR);
    create_in_hour(suite, "2@x", SUITE_HOUR + 3600);
    create_in_hour(suite, "3@x", SUITE_HOUR);
    assert_int_equal(seal(suite), 2);
    assert_int_equal(oldest(suite, first, 4, 1 << 20), 1);
    assert_int_equal(first[0].count, 2);
    assert_int_equal(first[0].hour, SUITE_HOUR);
    create_in_hour(suite, "4@x", SUITE_HOUR);
    assert_int_equal(seal(suite), 1);
    assert_int_equal(seal(suite), 1);
    assert_int_equal(seal(suite), 0);
    suite_reopen(suite);
    assert_int_equal(oldest(suite, again, 4, 1 << 20), 3);
    assert_memory_equal(&again[0].id, &first[0].id, sizeof first[0].id);
    assert_str_equal(again[0].body, first[0].body);
    assert_int_equal(again[1].hour, SUITE_HOUR + 3600);
    assert_int_equal(suite_stats(suite).unsealed, 0);
    assert_int_equal(suite_stats(suite).events, 4);
    assert_int_equal(suite_stats(suite).bytes,
                     again[0].body.len + again[1].body.len + again[2].body.len);
}

static void line_is_cut_by_number_and_bytes(void **state)
{
    struct suite *suite = *state;
    struct store_batch batches[4];
    for (int i = 0; i < 3; i++) {
        char email[16];
        snprintf(email, sizeof email, "%d@x", i);
        create_in_hour(suite, email, SUITE_HOUR);
        seal(suite);
    }
    assert_int_equal(oldest(suite, batches, 2, 1 << 20), 2);
    assert_int_equal(oldest(suite, batches, 4, 1), 1);
    assert_int_equal(oldest(suite, batches, 4, batches[0].body.len * 2), 2);
}

static void hours_count_made_and_waiting(void **state)
{
    struct suite *suite = *state;
    struct store_batch batch;
    struct store_hour *hours;
    size_t count;
    create_in_hour(suite, "1@x", SUITE_HOUR);
    create_in_hour(suite, "2@x", SUITE_HOUR);
    create_in_hour(suite, "3@x", SUITE_HOUR + 3600);
    struct store_batch read = {id_new(&suite->clock.base), SUITE_HOUR, 5, STR("reads")};
    assert_int_equal(suite->store->vtable->outbox_add(suite->store, &read, 1, &suite->err),
                     CODE_OK);
    assert_int_equal(seal(suite), 2);
    assert_int_equal(oldest(suite, &batch, 1, 1 << 20), 1);
    for (int i = 0; i < 2; i++) /* forgetting twice is forgetting once */
        assert_int_equal(
            suite->store->vtable->outbox_forget(suite->store, &batch.id, 1, &suite->err), CODE_OK);
    suite_reopen(suite);
    assert_int_equal(suite->store->vtable->outbox_hours(suite->store, SUITE_HOUR, SUITE_HOUR + 7200,
                                                        &suite->arena, &hours, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(hours[0].hour, SUITE_HOUR);
    assert_int_equal(hours[0].emitted, 7);
    assert_int_equal(hours[0].pending, 7 - batch.count);
    assert_int_equal(hours[1].emitted, 1);
    assert_int_equal(hours[1].pending, 1);
    assert_int_equal(suite_stats(suite).events, 8 - batch.count);
    assert_int_equal(suite->store->vtable->outbox_hours(suite->store, SUITE_HOUR + 3600,
                                                        SUITE_HOUR + 3600, &suite->arena, &hours,
                                                        &count, &suite->err),
                     CODE_OK);
    assert_int_equal(count, 0);
}

static void refused_batch_is_kept_aside_until_readmitted(void **state)
{
    struct suite *suite = *state;
    struct store_batch batches[2] = {{id_new(&suite->clock.base), SUITE_HOUR, 1, STR("one")},
                                     {id_new(&suite->clock.base), SUITE_HOUR, 1, STR("two")}};
    struct store_batch line[2];
    assert_int_equal(suite->store->vtable->outbox_add(suite->store, batches, 2, &suite->err),
                     CODE_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            suite->store->vtable->outbox_set_aside(suite->store, batches[0].id, "bad", &suite->err),
            CODE_OK);
    assert_int_equal(suite_stats(suite).aside, 1);
    suite_reopen(suite);
    assert_int_equal(suite_stats(suite).aside, 1);
    assert_int_equal(suite_stats(suite).events, 2);
    assert_int_equal(oldest(suite, line, 2, 1 << 20), 1);
    assert_str_equal(line[0].body, STR("two"));
    assert_int_equal(suite->store->vtable->outbox_readmit(suite->store, &suite->err), CODE_OK);
    assert_int_equal(oldest(suite, line, 2, 1 << 20), 2);
    assert_str_equal(line[0].body, STR("one"));
    assert_int_equal(suite_stats(suite).aside, 0);
}

static void sealing_stops_at_a_full_batch(void **state)
{
    struct suite *suite = *state;
    char email[32];
    for (int i = 0; i < EVENT_BATCH_EVENTS_MAX + 3; i++) {
        snprintf(email, sizeof email, "u%d@x", i);
        create_in_hour(suite, email, SUITE_HOUR);
    }
    assert_int_equal(seal(suite), EVENT_BATCH_EVENTS_MAX);
    assert_int_equal(seal(suite), 3);
}

/* Batches that are cut short: two by the end of an hour, one by its bytes. */
static void a_flush_seals_whatever_waits(void **state)
{
    static char large[EVENT_BATCH_BYTES_MAX / 3];
    struct suite *suite = *state;
    struct store_write write = suite_write(NULL);
    struct store_batch line[8];
    struct emitter *emitter =
        emitter_new_idle(&(struct emitter_options){.store = suite->store,
                                                   .clock = &suite->clock.base,
                                                   .ring_slots = 2,
                                                   .outbox_bytes_max = 1 << 20});
    create_in_hour(suite, "1@x", SUITE_HOUR);
    create_in_hour(suite, "2@x", SUITE_HOUR + 3600);
    write.event = (struct store_event){{large, sizeof large}, SUITE_HOUR + 7200};
    for (int i = 3; i <= 5; i++) {
        char email[16];
        snprintf(email, sizeof email, "%d@x", i);
        struct user user = suite_user(suite, email, "U"), created;
        assert_int_equal(suite->store->vtable->create(suite->store, &write, &user, &suite->arena,
                                                      &created, &suite->replayed, &suite->err),
                         CODE_OK);
    }
    emitter_flush(emitter);
    assert_int_equal(suite_stats(suite).unsealed, 0);
    assert_int_equal(oldest(suite, line, 8, 1 << 20), 4);
    assert_int_equal(line[2].count, 2);
    assert_int_equal(line[3].count, 1);
    emitter_free(emitter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(batch_holds_one_hour_and_never_changes),
        SUITE_TEST(line_is_cut_by_number_and_bytes),
        SUITE_TEST(hours_count_made_and_waiting),
        SUITE_TEST(refused_batch_is_kept_aside_until_readmitted),
        SUITE_TEST(a_flush_seals_whatever_waits),
        SUITE_LARGE_TEST(sealing_stops_at_a_full_batch),
    };
    return suite_run(tests);
}
