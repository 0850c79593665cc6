/*
 * SQLite and DynamoDB side by side: the same random operations get the same answers, and leave the
 * same users, finds, pages and counts behind. DynamoDB is a fake, or what OMNI_TEST_AWS names.
 */
#include "tests/contract/user/store_suite.h"

enum { OPERATIONS = 1500, FAR_OPERATIONS = 500, PEOPLE = 12, KEYS = 40, LOOK_EVERY = 100 };

struct twins {
    struct suite *sides[2]; /* one clock, turned together */
    struct id ids[PEOPLE];  /* of users that were made, or may have been */
    uint32_t dice;
};

static uint32_t roll(struct twins *twins, uint32_t sides)
{
    twins->dice = twins->dice * 1664525u + 1013904223u;
    return (twins->dice >> 10) % sides;
}

static int twins_setup(void **state)
{
    struct twins *twins = xcalloc(1, sizeof *twins);
    const int backends[] = {0, far_table_wanted() ? SUITE_AWS : SUITE_DYNAMODB};
    for (int i = 0; i < 2; i++) {
        void *side;
        suite_backend = &SUITE_BACKENDS[backends[i]];
        if (suite_setup(&side) != 0)
            return -1;
        twins->sides[i] = side;
    }
    twins->dice = 20261126;
    *state = twins;
    return 0;
}

static int twins_teardown(void **state)
{
    struct twins *twins = *state;
    for (int i = 0; i < 2; i++) {
        void *side = twins->sides[i];
        suite_teardown(&side);
    }
    xfree(twins);
    return 0;
}

static void same_user(const struct user *a, const struct user *b)
{
    assert_memory_equal(&a->id, &b->id, sizeof a->id);
    assert_str_equal(a->email, b->email);
    assert_str_equal(a->display_name, b->display_name);
    assert_str_equal(a->given_name, b->given_name);
    assert_str_equal(a->family_name, b->family_name);
    assert_str_equal(a->owner_subject, b->owner_subject);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->create_us, b->create_us);
    assert_int_equal(a->update_us, b->update_us);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->label_count, b->label_count);
    for (size_t i = 0; i < a->label_count; i++) {
        assert_str_equal(a->labels[i].key, b->labels[i].key);
        assert_str_equal(a->labels[i].value, b->labels[i].value);
    }
}

static void same_error(const struct twins *twins, enum code a, enum code b)
{
    const struct error *left = &twins->sides[0]->err, *right = &twins->sides[1]->err;
    assert_int_equal(a, b);
    if (a == CODE_OK)
        return;
    assert_string_equal(left->reason, right->reason);
    assert_string_equal(left->text, right->text);
    assert_int_equal(left->field_count, right->field_count);
    for (uint32_t i = 0; i < left->field_count; i++)
        assert_string_equal(left->fields[i].path, right->fields[i].path);
}

/* --- operations: what is drawn is drawn once, and done on both --- */

static const char *const NAMES[] = {"Anna M\xC3\xBCller",
                                    "anna  muller",
                                    ("Jos\xC3\xA9 Garc\xC3\xAD"
                                     "a"),
                                    "\xE6\x9D\x8E\xE6\x98\x8E",
                                    "O'Brien Sean",
                                    "Zo\xC3\xAB Ng"};
static const char *const EMAILS[] = {"a@x.com",
                                     "A@X.COM",
                                     "b@x.com",
                                     "anna@sample.org",
                                     ("stra\xC3\x9F"
                                      "e@x"),
                                     "STRASSE@x"};
static const struct store_owner OWNERS[] = {{STR("i"), STR("ada")}, {STR("i"), STR("bob")}};
enum { NAME_COUNT = 6, EMAIL_COUNT = 6 };

struct drawn {
    struct store_once once;
    struct store_write write;
    char key[8];
};

static void draw_write(struct twins *twins, struct drawn *drawn)
{
    drawn->write = suite_write(NULL);
    drawn->write.event.hour = SUITE_HOUR + 3600 * (int64_t)roll(twins, 2);
    if (roll(twins, 3) == 0) {
        snprintf(drawn->key, sizeof drawn->key, "k%u", (unsigned)roll(twins, KEYS));
        drawn->once.request_id = str_of(drawn->key);
        memset(drawn->once.hash, (int)roll(twins, 2), sizeof drawn->once.hash);
        drawn->write.once = &drawn->once;
    }
    if (roll(twins, 4) == 0)
        drawn->write.owner = &OWNERS[roll(twins, 2)];
}

static void both_create(struct twins *twins)
{
    struct drawn drawn = {0};
    struct user user = suite_user(twins->sides[0], EMAILS[roll(twins, EMAIL_COUNT)],
                                  NAMES[roll(twins, NAME_COUNT)]);
    struct user made[2];
    enum code codes[2];
    user.owner_issuer = STR("i");
    user.owner_subject = OWNERS[roll(twins, 2)].subject;
    draw_write(twins, &drawn);
    for (int i = 0; i < 2; i++) {
        struct suite *side = twins->sides[i];
        error_clear(&side->err);
        codes[i] = side->store->vtable->create(side->store, &drawn.write, &user, &side->arena,
                                               &made[i], &side->replayed, &side->err);
    }
    same_error(twins, codes[0], codes[1]);
    if (codes[0] != CODE_OK)
        return;
    assert_int_equal(twins->sides[0]->replayed, twins->sides[1]->replayed);
    same_user(&made[0], &made[1]);
    twins->ids[roll(twins, PEOPLE)] = made[0].id;
}

static struct user_change draw_change(struct twins *twins, struct user_label_edit *edit)
{
    static const char *const keys[] = {"a", "b", "c"};
    struct user_change change = {.id = twins->ids[roll(twins, PEOPLE)],
                                 .now_us = twins->sides[0]->clock.wall_us,
                                 .fields = roll(twins, 64)};
    change.values.email = str_of(EMAILS[roll(twins, EMAIL_COUNT)]);
    change.values.display_name = str_of(NAMES[roll(twins, NAME_COUNT)]);
    change.values.given_name = str_of(NAMES[roll(twins, NAME_COUNT)]);
    change.values.status = USER_ACTIVE + (int32_t)roll(twins, 3);
    *edit = (struct user_label_edit){str_of(keys[roll(twins, 3)]), STR("v"), roll(twins, 2) == 0};
    if (roll(twins, 2)) {
        change.edits = edit;
        change.edit_count = 1;
    }
    if (roll(twins, 8) == 0)
        change.etag = STR("stale");
    return change;
}

static void both_update(struct twins *twins)
{
    struct drawn drawn = {0};
    struct user_label_edit edit;
    struct user_change change = draw_change(twins, &edit);
    struct user updated[2];
    enum code codes[2];
    draw_write(twins, &drawn);
    for (int i = 0; i < 2; i++) {
        struct suite *side = twins->sides[i];
        error_clear(&side->err);
        codes[i] = side->store->vtable->update(side->store, &drawn.write, &change, &side->arena,
                                               &updated[i], &side->replayed, &side->err);
    }
    same_error(twins, codes[0], codes[1]);
    if (codes[0] == CODE_OK && !twins->sides[0]->replayed)
        same_user(&updated[0], &updated[1]);
}

static void both_remove(struct twins *twins)
{
    struct drawn drawn = {0};
    struct id id = twins->ids[roll(twins, PEOPLE)];
    enum code codes[2];
    draw_write(twins, &drawn);
    for (int i = 0; i < 2; i++) {
        struct suite *side = twins->sides[i];
        error_clear(&side->err);
        codes[i] = side->store->vtable->remove(side->store, &drawn.write, id, STR(""),
                                               &side->replayed, &side->err);
    }
    same_error(twins, codes[0], codes[1]);
}

static void both_seal(struct twins *twins)
{
    size_t sealed[2];
    for (int i = 0; i < 2; i++) {
        struct suite *side = twins->sides[i];
        assert_int_equal(side->store->vtable->outbox_seal(side->store, &sealed[i], &side->err),
                         CODE_OK);
    }
    assert_int_equal(sealed[0], sealed[1]);
}

static void both_forget(struct twins *twins)
{
    struct store_batch batches[2][3];
    size_t counts[2];
    for (int i = 0; i < 2; i++) {
        struct suite *side = twins->sides[i];
        struct id ids[3];
        assert_int_equal(side->store->vtable->outbox_oldest(side->store, 3, 1 << 20, &side->arena,
                                                            batches[i], &counts[i], &side->err),
                         CODE_OK);
        for (size_t k = 0; k < counts[i]; k++)
            ids[k] = batches[i][k].id;
        assert_int_equal(
            side->store->vtable->outbox_forget(side->store, ids, counts[i], &side->err), CODE_OK);
    }
    assert_int_equal(counts[0], counts[1]);
    for (size_t k = 0; k < counts[0]; k++) {
        assert_int_equal(batches[0][k].hour, batches[1][k].hour);
        assert_int_equal(batches[0][k].count, batches[1][k].count);
    }
}

/* --- looking --- */

static void same_lists(struct twins *twins)
{
    struct store_page pages[2];
    struct store_call call = suite_call();
    for (int i = 0; i < 2; i++) {
        struct suite *side = twins->sides[i];
        assert_int_equal(side->store->vtable->list(side->store, &call, STR(""), 1000, &side->arena,
                                                   &pages[i], &side->err),
                         CODE_OK);
    }
    assert_int_equal(pages[0].count, pages[1].count);
    for (size_t i = 0; i < pages[0].count; i++)
        same_user(&pages[0].users[i], &pages[1].users[i]);
}

static void same_finds(struct twins *twins)
{
    static const char *const queries[] = {
        "a", "anna", "mul an", "x", "strasse", "\xE6\x9D\x8E", "obrien", "zo ng", "com"};
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
        struct store_page a = suite_search(twins->sides[0], queries[q], STR(""), 100);
        struct store_page b = suite_search(twins->sides[1], queries[q], STR(""), 100);
        assert_int_equal(a.count, b.count);
        for (size_t i = 0; i < a.count; i++)
            same_user(&a.users[i], &b.users[i]);
    }
}

static void same_counts(struct twins *twins)
{
    struct store_hour *hours[2];
    size_t counts[2];
    struct store_outbox_stats a = suite_stats(twins->sides[0]), b = suite_stats(twins->sides[1]);
    assert_int_equal(a.events, b.events);
    assert_int_equal(a.unsealed, b.unsealed);
    for (int i = 0; i < 2; i++) {
        struct suite *side = twins->sides[i];
        assert_int_equal(side->store->vtable->outbox_hours(side->store, SUITE_HOUR,
                                                           SUITE_HOUR + 7200, &side->arena,
                                                           &hours[i], &counts[i], &side->err),
                         CODE_OK);
    }
    assert_int_equal(counts[0], counts[1]);
    for (size_t i = 0; i < counts[0]; i++) {
        assert_int_equal(hours[0][i].emitted, hours[1][i].emitted);
        assert_int_equal(hours[0][i].pending, hours[1][i].pending);
    }
}

static void the_same_is_done_and_seen(void **state)
{
    struct twins *twins = *state;
    for (int n = 1; n <= (far_table_wanted() ? FAR_OPERATIONS : OPERATIONS); n++) {
        int64_t step_us = roll(twins, 200) ? 1000 : STORE_IDEMPOTENCY_MS * 1000LL;
        for (int i = 0; i < 2; i++)
            twins->sides[i]->clock.wall_us += step_us;
        switch (roll(twins, 12)) {
        case 0:
            both_seal(twins);
            break;
        case 1:
            both_forget(twins);
            break;
        case 2:
        case 3:
            both_remove(twins);
            break;
        case 4:
        case 5:
        case 6:
        case 7:
            both_create(twins);
            break;
        default:
            both_update(twins);
        }
        if (n % LOOK_EVERY)
            continue;
        same_lists(twins);
        same_finds(twins);
        same_counts(twins);
        for (int i = 0; i < 2; i++)
            arena_reset(&twins->sides[i]->arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_is_done_and_seen, twins_setup, twins_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
