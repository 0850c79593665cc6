/* Which receipts are ours until when: the clock is a number. */
#include "queue/leases.h"

#include "tests/support/unit.h"

#include <stdio.h>

enum { LEASE_MS = 30000, CAP_MS = 100000 };

static int64_t may(struct leases *leases, const char *handle, int64_t now_ms)
{
    return leases_may_extend(leases, str_of(handle), now_ms, LEASE_MS, CAP_MS);
}

/* Rule 29: whose lease has ended was lost, whatever the queue says. */
static void a_lease_is_ours_until_it_ends(void **state)
{
    struct leases leases = {0};
    (void)state;
    assert_int_equal(may(&leases, "a", 0), 0);
    leases_add(&leases, STR("a"), 1000, LEASE_MS);
    assert_int_equal(may(&leases, "b", 1000), 0);
    assert_int_equal(may(&leases, "a", 1000 + LEASE_MS - 1), LEASE_MS);
    leases_extend(&leases, STR("a"), 20000, LEASE_MS);
    assert_int_equal(may(&leases, "a", 20000 + LEASE_MS - 1), LEASE_MS);
    assert_int_equal(may(&leases, "a", 20000 + LEASE_MS), 0);
    assert_int_equal(may(&leases, "a", 20000), 0); /* it does not come back */
    leases_clear(&leases);
}

/* Rule 29: a receipt ends after its time, however often it was extended. */
static void a_receipt_has_an_end(void **state)
{
    struct leases leases = {0};
    int64_t now_ms = 5000;
    (void)state;
    leases_add(&leases, STR("a"), now_ms, LEASE_MS);
    for (; now_ms + LEASE_MS < 5000 + CAP_MS; now_ms += 10000) {
        assert_int_equal(may(&leases, "a", now_ms), LEASE_MS);
        leases_extend(&leases, STR("a"), now_ms, LEASE_MS);
    }
    now_ms = 5000 + CAP_MS - 10;
    leases_extend(&leases, STR("a"), now_ms - 10000, LEASE_MS);
    assert_int_equal(may(&leases, "a", now_ms), 10);
    assert_int_equal(may(&leases, "a", 5000 + CAP_MS), 0);
    leases_clear(&leases);
}

static void a_handle_that_is_given_again_begins_anew(void **state)
{
    struct leases leases = {0};
    (void)state;
    leases_add(&leases, STR("a"), 0, LEASE_MS);
    leases_add(&leases, STR("a"), 90000, LEASE_MS);
    assert_int_equal(leases.count, 1);
    assert_int_equal(may(&leases, "a", 110000), LEASE_MS);
    leases_forget(&leases, STR("a"));
    leases_forget(&leases, STR("a"));
    assert_int_equal(may(&leases, "a", 110000), 0);
    assert_int_equal(leases.count, 0);
    leases_clear(&leases);
}

/* Those that nobody asks for again do not stay for ever. */
static void what_has_ended_is_swept_out(void **state)
{
    struct leases leases = {0};
    char handle[32];
    (void)state;
    for (int i = 0; i < 10000; i++) {
        snprintf(handle, sizeof handle, "handle-%d", i);
        leases_add(&leases, str_of(handle), i * 100, i % 2 ? LEASE_MS : 2 * CAP_MS * 10);
    }
    assert_true(leases.count < 6500);
    for (int i = 0; i < 10000; i += 2) {
        snprintf(handle, sizeof handle, "handle-%d", i);
        assert_true(leases_may_extend(&leases, str_of(handle), 1000000, 1, 10000000) == 1);
    }
    leases_clear(&leases);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_ours_until_it_ends),
        cmocka_unit_test(a_receipt_has_an_end),
        cmocka_unit_test(a_handle_that_is_given_again_begins_anew),
        cmocka_unit_test(what_has_ended_is_swept_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
