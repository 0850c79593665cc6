/* The arithmetic of quotas, case by case. The promise as a whole is
 * tests/unit/user/quota_model_test.c. */
#include "tests/support/unit.h"

#include "user/quota.h"

#include "base/time_text.h"

#include <string.h>

enum { LEASE_MS = 60000 };
static const int64_t HOUR_MS = 3600 * 1000;

static int64_t at(const char *text)
{
    int64_t seconds;
    int32_t nanos;
    assert_true(time_parse_rfc3339(str_of(text), &seconds, &nanos));
    return seconds * 1000 + nanos / 1000000;
}

/* Rule 25. */
static void periods_are_those_of_utc(void **state)
{
    static const struct {
        enum quota_period period;
        const char *now, *start, *end;
    } cases[] = {
        {QUOTA_DAY, "2026-11-26T00:00:00Z", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"},
        {QUOTA_DAY, "2026-11-26T23:59:59.999Z", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"},
        {QUOTA_DAY, "2028-02-28T12:00:00Z", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
        {QUOTA_DAY, "1969-12-31T23:59:59.500Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
        {QUOTA_WEEK, "2026-11-26T10:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
        {QUOTA_WEEK, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
        {QUOTA_WEEK, "2026-11-29T23:59:59.999Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
        {QUOTA_WEEK, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
        {QUOTA_WEEK, "1969-12-28T23:00:00Z", "1969-12-22T00:00:00Z", "1969-12-29T00:00:00Z"},
        {QUOTA_MONTH, "2026-11-26T10:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
        {QUOTA_MONTH, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {QUOTA_MONTH, "2028-02-29T01:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
        {QUOTA_MONTH, "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t start, end;
        quota_period_of(cases[i].period, at(cases[i].now), &start, &end);
        assert_int_equal(start, at(cases[i].start));
        assert_int_equal(end, at(cases[i].end));
    }
}

static struct quota_grant lease(struct quota_state *state, uint64_t quota, uint8_t id,
                                uint64_t want, int64_t now_ms)
{
    uint8_t bytes[QUOTA_LEASE_ID_BYTES] = {id, 1};
    quota_roll(state, QUOTA_DAY, now_ms);
    return quota_lease(state, quota, bytes, want, 0, LEASE_MS, now_ms);
}

static bool give_back(struct quota_state *state, uint8_t id, uint64_t unspent)
{
    uint8_t bytes[QUOTA_LEASE_ID_BYTES] = {id, 1};
    return quota_return(state, bytes, unspent);
}

/* Rule 25. */
static void leases_shrink_towards_the_end_and_never_exceed(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    uint64_t sum = 0, before = UINT64_MAX;
    (void)unused;
    for (uint8_t id = 0;; id++) {
        struct quota_grant grant = lease(&state, 1000, id, 1000000, now_ms);
        if (!grant.amount)
            break;
        assert_true(grant.amount <= before);
        assert_int_equal(grant.end_ms, now_ms + LEASE_MS);
        before = grant.amount;
        sum += grant.amount;
    }
    assert_int_equal(sum, 1000);
    assert_int_equal(before, 1);
    assert_int_equal(state.leases[0].amount, 250);
    assert_int_equal(quota_left(&state, 1000), 0);
    assert_int_equal(quota_leased(&state, now_ms), 1000);
    assert_int_equal(quota_leased(&state, now_ms + LEASE_MS), 0);
}

static void no_more_is_granted_than_wanted(void **unused)
{
    struct quota_state state = {0};
    (void)unused;
    assert_int_equal(lease(&state, 1000, 1, 10, at("2026-11-26T10:00:00Z")).amount, 10);
    assert_int_equal(state.used, 10);
}

/* What one request needs is given whole, or not at all. */
static void what_is_needed_is_more_than_a_quarter(void **unused)
{
    static const struct {
        uint64_t want, need, amount;
    } cases[] = {{1000, 0, 250},  {1000, 100, 250},   {1000, 251, 251}, {600, 600, 600},
                 {999, 999, 999}, {1000, 1000, 1000}, {2000, 1001, 0},  {10, 10, 10}};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quota_state state = {0};
        const uint8_t id[QUOTA_LEASE_ID_BYTES] = {1};
        quota_roll(&state, QUOTA_DAY, now_ms);
        struct quota_grant grant =
            quota_lease(&state, 1000, id, cases[i].want, cases[i].need, LEASE_MS, now_ms);
        assert_int_equal(grant.amount, cases[i].amount);
        assert_int_equal(state.used, cases[i].amount);
        assert_true(grant.amount || grant.retry_after_ms > 0);
    }
}

static void same_id_is_the_same_lease(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    (void)unused;
    struct quota_grant first = lease(&state, 1000, 1, 100, now_ms);
    struct quota_grant again = lease(&state, 1000, 1, 500, now_ms + 20000);
    assert_false(first.repeated);
    assert_true(again.repeated);
    assert_int_equal(again.amount, 100);
    assert_int_equal(again.end_ms, first.end_ms); /* asking again makes it no longer */
    assert_int_equal(state.used, 100);
    assert_true(give_back(&state, 1, 40));
    again = lease(&state, 1000, 1, 100, now_ms + 30000); /* a request that was long on its way */
    assert_true(again.repeated);
    assert_int_equal(again.amount, 0);
    assert_int_equal(state.used, 60);
}

static void a_lease_comes_back_once_and_by_its_amount_at_most(void **unused)
{
    struct quota_state state = {0};
    (void)unused;
    lease(&state, 1000, 1, 100, at("2026-11-26T10:00:00Z"));
    lease(&state, 1000, 2, 100, at("2026-11-26T10:00:00Z"));
    assert_false(give_back(&state, 3, 50));
    assert_int_equal(state.used, 200);
    assert_true(give_back(&state, 1, UINT64_MAX));
    assert_false(give_back(&state, 1, 10));
    assert_int_equal(state.used, 100);
}

static void a_lease_that_has_ended_comes_back_only_by_its_gateways_word(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    (void)unused;
    lease(&state, 1000, 1, 100, now_ms);
    quota_roll(&state, QUOTA_DAY, now_ms + HOUR_MS);
    assert_int_equal(state.used, 100);
    assert_true(give_back(&state, 1, 30));
    assert_int_equal(state.used, 70);
}

static void nothing_left_says_when_to_ask_again(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T23:00:00Z");
    (void)unused;
    assert_int_equal(lease(&state, 1, 1, 5, now_ms).amount, 1);
    assert_int_equal(lease(&state, 1, 2, 5, now_ms + 1000).retry_after_ms, LEASE_MS - 1000);
    assert_int_equal(lease(&state, 1, 2, 5, now_ms + LEASE_MS).retry_after_ms, HOUR_MS - LEASE_MS);
}

static void a_lease_ends_with_its_period(void **unused)
{
    struct quota_state state = {0};
    int64_t midnight = at("2026-11-27T00:00:00Z");
    (void)unused;
    assert_int_equal(lease(&state, 100, 1, 5, midnight - 1).end_ms, midnight);
    assert_int_equal(lease(&state, 100, 2, 5, midnight).end_ms, midnight + LEASE_MS);
    assert_int_equal(state.used, 5);
    assert_false(give_back(&state, 1, 5)); /* too late: that period is over */
}

static void clock_that_goes_back_begins_no_period_again(void **unused)
{
    struct quota_state state = {0};
    int64_t midnight = at("2026-11-27T00:00:00Z");
    (void)unused;
    lease(&state, 100, 1, 50, midnight + 5);
    quota_roll(&state, QUOTA_DAY, midnight - HOUR_MS);
    assert_int_equal(state.start_ms, midnight);
    assert_int_equal(state.used, 25);
    quota_roll(&state, QUOTA_DAY, midnight + 10);
    assert_int_equal(state.used, 25);
}

static void clock_that_was_far_ahead_once_does_not_block_for_ever(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    (void)unused;
    lease(&state, 100, 1, 20, at("2100-01-01T00:00:00Z"));
    quota_roll(&state, QUOTA_DAY, now_ms);
    assert_int_equal(state.start_ms, at("2026-11-26T00:00:00Z"));
    assert_int_equal(state.used, 20); /* what is out stays out */
    quota_roll(&state, QUOTA_DAY, now_ms + 24 * HOUR_MS);
    assert_int_equal(state.start_ms, at("2026-11-27T00:00:00Z"));
}

static void another_quota_is_compared_with_the_same_use(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    (void)unused;
    lease(&state, 400, 1, 100, now_ms);
    assert_int_equal(quota_left(&state, 50), 0);
    assert_int_equal(lease(&state, 50, 2, 10, now_ms).amount, 0);
    assert_int_equal(lease(&state, 104, 3, 10, now_ms).amount, 1);
}

static void another_kind_of_period_takes_along_what_was_used(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T23:59:30Z"), midnight = at("2026-11-27T00:00:00Z");
    uint8_t id[QUOTA_LEASE_ID_BYTES] = {1};
    (void)unused;
    quota_roll(&state, QUOTA_MONTH, now_ms);
    quota_lease(&state, 1000, (const uint8_t[QUOTA_LEASE_ID_BYTES]){9}, 5, 0, LEASE_MS,
                now_ms - HOUR_MS); /* it has ended long ago */
    struct quota_grant grant = quota_lease(&state, 1000, id, 100, 0, LEASE_MS, now_ms);
    assert_int_equal(grant.end_ms, now_ms + LEASE_MS); /* beyond the day's end */
    quota_roll(&state, QUOTA_DAY, now_ms + 1000);
    assert_int_equal(state.start_ms, at("2026-11-26T00:00:00Z"));
    assert_int_equal(state.used, 105);
    quota_roll(&state, QUOTA_DAY, midnight); /* the lease still runs: it counts in the new day */
    assert_int_equal(state.used, 100);
    assert_true(quota_return(&state, id, 60));
    assert_int_equal(state.used, 40);
    quota_roll(&state, QUOTA_DAY, midnight + 24 * HOUR_MS);
    assert_int_equal(state.used, 0);
    assert_int_equal(state.lease_count, 0);
}

static void when_all_places_are_taken_what_ended_goes_first(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    (void)unused;
    for (int i = 0; i < QUOTA_LEASES_MAX; i++)
        assert_int_equal(lease(&state, QUOTA_MAX, (uint8_t)i, 2, now_ms + i).amount, 2);
    assert_true(give_back(&state, 7, 1));
    assert_int_equal(lease(&state, QUOTA_MAX, 200, 2, now_ms + LEASE_MS + 20).amount, 2);
    assert_false(give_back(&state, 7, 1)); /* forgotten, since it had come back */
    assert_int_equal(lease(&state, QUOTA_MAX, 201, 2, now_ms + LEASE_MS + 20).amount, 2);
    assert_false(give_back(&state, 0, 2)); /* the first to end; it counts as spent */
    assert_true(give_back(&state, 1, 2));
    assert_int_equal(state.used, 2 * (QUOTA_LEASES_MAX + 2) - 1 - 2);
}

/* What is returned takes no room from others, however many there are before a lease ends. */
static void what_was_returned_goes_next(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    (void)unused;
    assert_int_equal(lease(&state, 1000, 200, 10, now_ms).amount, 10); /* out all the time */
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(lease(&state, 1000, (uint8_t)(i % 150), 10, now_ms + i).amount, 10);
        assert_true(give_back(&state, (uint8_t)(i % 150), 10));
    }
    assert_int_equal(state.lease_count, QUOTA_LEASES_MAX);
    assert_false(give_back(&state, 1000 % 150, 10)); /* forgotten, and not taken back twice */
    assert_int_equal(state.used, 10);
    assert_true(give_back(&state, 200, 4));
    assert_int_equal(state.used, 6);
}

/* A lease that is out and forgotten counts as spent, and asked for again it is another one. */
static void of_those_that_are_out_the_first_to_end_is_forgotten(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T10:00:00Z");
    uint64_t used = 3 * (QUOTA_LEASES_MAX + 50);
    (void)unused;
    for (int i = 0; i < QUOTA_LEASES_MAX + 50; i++)
        assert_int_equal(lease(&state, QUOTA_MAX, (uint8_t)i, 3, now_ms + i).amount, 3);
    assert_int_equal(state.used, used);
    assert_int_equal(quota_leased(&state, now_ms + 1000), used);
    for (int i = 0; i <= 50; i++)
        assert_false(give_back(&state, (uint8_t)i, 3));
    assert_true(give_back(&state, 51, 3));
    assert_int_equal(state.used, used -= 3);
    struct quota_grant again = lease(&state, QUOTA_MAX, 0, 5, now_ms + 1000);
    assert_int_equal(again.amount, 5);
    assert_false(again.repeated);
    assert_int_equal(state.used, used += 5);
    assert_true(give_back(&state, 0, 3));
    assert_false(give_back(&state, 0, 3));
    assert_int_equal(state.used, used - 3);
}

static void what_was_forgotten_is_taken_along_too(void **unused)
{
    struct quota_state state = {0};
    int64_t now_ms = at("2026-11-26T23:59:30Z"), midnight = at("2026-11-27T00:00:00Z");
    (void)unused;
    quota_roll(&state, QUOTA_MONTH, now_ms);
    for (int i = 0; i < QUOTA_LEASES_MAX + 50; i++)
        quota_lease(&state, QUOTA_MAX, (const uint8_t[QUOTA_LEASE_ID_BYTES]){(uint8_t)i, 1}, 3, 0,
                    LEASE_MS, now_ms);
    quota_roll(&state, QUOTA_DAY, now_ms + 1000);
    quota_roll(&state, QUOTA_DAY, midnight); /* all of them may still be spent */
    assert_int_equal(state.used, 3 * (QUOTA_LEASES_MAX + 50));
    /* Then they have ended, and make room. */
    for (int i = 0; i < QUOTA_LEASES_MAX; i++)
        quota_lease(&state, QUOTA_MAX, (const uint8_t[QUOTA_LEASE_ID_BYTES]){(uint8_t)i, 2}, 3, 0,
                    LEASE_MS, midnight + LEASE_MS);
    assert_int_equal(quota_leased(&state, midnight + LEASE_MS), 3 * QUOTA_LEASES_MAX);
}

static void the_largest_numbers_do_not_overflow(void **unused)
{
    struct quota_state state = {0}, read;
    struct arena arena = {0};
    int64_t now_ms = at("9999-12-31T23:59:59Z");
    uint64_t sum = 0;
    (void)unused;
    for (uint8_t id = 0; id < 120; id++)
        sum += lease(&state, QUOTA_MAX, id, UINT64_MAX, now_ms).amount;
    assert_int_equal(sum, state.used);
    assert_true(sum > QUOTA_MAX - 10 && sum <= QUOTA_MAX);
    assert_true(quota_decode(quota_encode(&state, &arena), &read));
    arena_clear(&arena);
}

static void state_is_read_back(void **unused)
{
    struct quota_state state = {0}, read;
    struct arena arena = {0};
    (void)unused;
    assert_true(quota_decode(STR(""), &read));
    assert_memory_equal(&read, &state, sizeof read);
    lease(&state, 1000, 1, 100, at("2026-11-26T10:00:00Z"));
    lease(&state, 1000, 2, 100, at("2026-11-26T10:00:01Z"));
    give_back(&state, 1, 30);
    struct str bytes = quota_encode(&state, &arena);
    assert_true(quota_decode(bytes, &read));
    assert_memory_equal(&read, &state, sizeof read);
    /* Damage is seen, or at least harmless: it never leads to more leases than there may be. */
    assert_false(quota_decode((struct str){bytes.ptr, bytes.len - 1}, &read));
    for (size_t i = 0; i < bytes.len; i++) {
        struct str copy = arena_str(&arena, bytes);
        ((char *)(uintptr_t)copy.ptr)[i] ^= (char)0x80;
        if (quota_decode(copy, &read))
            assert_true(read.lease_count <= QUOTA_LEASES_MAX && read.used <= QUOTA_MAX);
    }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods_are_those_of_utc),
        cmocka_unit_test(leases_shrink_towards_the_end_and_never_exceed),
        cmocka_unit_test(no_more_is_granted_than_wanted),
        cmocka_unit_test(what_is_needed_is_more_than_a_quarter),
        cmocka_unit_test(same_id_is_the_same_lease),
        cmocka_unit_test(a_lease_comes_back_once_and_by_its_amount_at_most),
        cmocka_unit_test(a_lease_that_has_ended_comes_back_only_by_its_gateways_word),
        cmocka_unit_test(nothing_left_says_when_to_ask_again),
        cmocka_unit_test(a_lease_ends_with_its_period),
        cmocka_unit_test(clock_that_goes_back_begins_no_period_again),
        cmocka_unit_test(clock_that_was_far_ahead_once_does_not_block_for_ever),
        cmocka_unit_test(another_quota_is_compared_with_the_same_use),
        cmocka_unit_test(another_kind_of_period_takes_along_what_was_used),
        cmocka_unit_test(when_all_places_are_taken_what_ended_goes_first),
        cmocka_unit_test(what_was_returned_goes_next),
        cmocka_unit_test(of_those_that_are_out_the_first_to_end_is_forgotten),
        cmocka_unit_test(what_was_forgotten_is_taken_along_too),
        cmocka_unit_test(the_largest_numbers_do_not_overflow),
        cmocka_unit_test(state_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
