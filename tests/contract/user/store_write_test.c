/* The store's writes: what they keep, what they refuse, and that they happen once. */
#include "tests/contract/user/store_suite.h"

static void created_user_is_read_back_whole(void **state)
{
    struct suite *suite = *state;
    struct user_label labels[] = {{STR("a"), STR("1")}, {STR("b.c"), STR("")}};
    struct user user = suite_user(suite, "Jos\xC3\xA9@Example.com", "Jos\xC3\xA9 M\xC3\xBCller"),
                got;
    user.given_name = STR("Jos\xC3\xA9");
    user.family_name = STR("M\xC3\xBCller");
    user.status = USER_INVITED;
    user.labels = labels;
    user.label_count = 2;
    user.owner_issuer = STR("https://issuer");
    user.owner_subject = STR("sub");
    struct user created;
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_OK);
    assert_false(suite->replayed);
    suite_reopen(suite);
    assert_int_equal(suite_get(suite, user.id, &got), CODE_OK);
    assert_str_equal(got.email, user.email);
    assert_str_equal(got.display_name, user.display_name);
    assert_str_equal(got.given_name, user.given_name);
    assert_str_equal(got.family_name, user.family_name);
    assert_str_equal(got.owner_issuer, user.owner_issuer);
    assert_str_equal(got.owner_subject, user.owner_subject);
    assert_int_equal(got.status, USER_INVITED);
    assert_int_equal(got.create_us, user.create_us);
    assert_int_equal(got.update_us, user.create_us);
    assert_int_equal(got.version, 1);
    assert_int_equal(got.label_count, 2);
    assert_str_equal(got.labels[1].key, STR("b.c"));
    assert_str_equal(got.labels[0].value, STR("1"));
}

static void check_field(const struct suite *suite, const char *reason, const char *path)
{
    assert_string_equal(suite->err.reason, reason);
    assert_int_equal(suite->err.field_count, 1);
    assert_string_equal(suite->err.fields[0].path, path);
}

/* Rule 39. */
static void email_is_unique_whatever_its_case(void **state)
{
    static const struct {
        const char *first, *second;
        bool taken;
    } cases[] = {
        {"a@example.com", "A@EXAMPLE.COM", true},
        {"stra\xC3\x9F"
         "e@example.com",
         "STRASSE@example.com", true},
        {"\xC3\x89ric@example.com", "\xC3\xA9ric@example.com", true},
        {"e\xCC\x81ric2@example.com", "\xC3\xA9ric2@example.com", true},
        {"eric3@example.com", "\xC3\xA9ric3@example.com", false}, /* an accent makes another one */
    };
    struct suite *suite = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        suite_create(suite, cases[i].first, "First");
        struct user user = suite_user(suite, cases[i].second, "Second"), created;
        enum code code = suite_create_once(suite, &user, NULL, &created);
        assert_int_equal(code, cases[i].taken ? CODE_ALREADY_EXISTS : CODE_OK);
        if (cases[i].taken)
            check_field(suite, REASON_EMAIL_TAKEN, "user.email");
    }
}

static void email_is_free_again_after_change_and_delete(void **state)
{
    struct suite *suite = *state;
    struct user first = suite_create(suite, "a@x", "A"), updated;
    struct user_change change = {.id = first.id,
                                 .fields = USER_FIELD_EMAIL,
                                 .values = {.email = STR("b@x")},
                                 .now_us = suite->clock.wall_us};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    struct user second = suite_create(suite, "a@x", "B");
    change.id = second.id;
    assert_int_equal(suite_update(suite, &change, &updated), CODE_ALREADY_EXISTS);
    check_field(suite, REASON_EMAIL_TAKEN, "user.email");
    assert_int_equal(suite_remove(suite, first.id, STR("")), CODE_OK);
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_str_equal(updated.email, STR("b@x"));
}

static void own_email_in_other_case_is_no_conflict(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "A"), updated;
    struct user_change change = {
        .id = user.id, .fields = USER_FIELD_EMAIL, .values = {.email = STR("A@X")}};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_str_equal(updated.email, STR("A@X"));
}

/* Rule 20. */
static void etag_guards_changes(void **state)
{
    struct suite *suite = *state;
    char old[USER_ETAG_BYTES], now[USER_ETAG_BYTES];
    struct user user = suite_create(suite, "a@x", "A"), updated;
    user_etag(&user, old);
    struct user_change change = {.id = user.id,
                                 .etag = str_of(old),
                                 .fields = USER_FIELD_DISPLAY_NAME,
                                 .values = {.display_name = STR("B")},
                                 .now_us = suite->clock.wall_us + 5};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_int_equal(updated.version, 2);
    assert_int_equal(updated.update_us, suite->clock.wall_us + 5);
    assert_int_equal(suite_update(suite, &change, &updated), CODE_ABORTED);
    check_field(suite, REASON_ETAG_MISMATCH, "user.etag");
    assert_int_equal(suite_remove(suite, user.id, str_of(old)), CODE_ABORTED);
    check_field(suite, REASON_ETAG_MISMATCH, "etag");
    assert_int_equal(suite_get(suite, user.id, &user), CODE_OK);
    user_etag(&user, now);
    assert_string_not_equal(old, now);
    assert_int_equal(suite_remove(suite, user.id, str_of(now)), CODE_OK);
    assert_int_equal(suite_get(suite, user.id, &user), CODE_NOT_FOUND);
}

static void time_never_goes_back(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "A"), updated;
    struct user_change change = {.id = user.id,
                                 .fields = USER_FIELD_DISPLAY_NAME,
                                 .values = {.display_name = STR("B")},
                                 .now_us = user.update_us - 1000000};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_true(updated.update_us > user.update_us);
}

static void change_that_changes_nothing_is_none(void **state)
{
    struct user_label labels[] = {{STR("k"), STR("1")}};
    struct user_label_edit same = {STR("k"), STR("1"), false}, gone = {STR("l"), STR(""), true};
    struct user_change changes[] = {
        {.fields = 0},
        {.fields = USER_FIELD_DISPLAY_NAME, .values = {.display_name = STR("A")}},
        {.fields = USER_FIELD_LABELS, .values = {.labels = labels, .label_count = 1}},
        {.fields = USER_FIELD_STATUS, .values = {.status = USER_ACTIVE}},
        {.edits = &same, .edit_count = 1},
        {.edits = &gone, .edit_count = 1},
    };
    struct suite *suite = *state;
    struct user user = suite_user(suite, "a@x", "A"), made, updated;
    user.status = USER_ACTIVE;
    user.labels = labels;
    user.label_count = 1;
    assert_int_equal(suite_create_once(suite, &user, NULL, &made), CODE_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        changes[i].id = made.id;
        changes[i].now_us = suite->clock.wall_us + 5;
        assert_int_equal(suite_update(suite, &changes[i], &updated), CODE_OK);
        assert_int_equal(updated.version, 1);
        assert_int_equal(updated.update_us, made.update_us);
        assert_str_equal(updated.labels[0].value, STR("1"));
        assert_int_equal(suite_stats(suite).events, 1); /* the creation's */
    }
    changes[0].etag = STR("stale");
    assert_int_equal(suite_update(suite, &changes[0], &updated), CODE_ABORTED);
    struct user_label_edit other = {STR("k"), STR("2"), false};
    struct user_change change = {.id = made.id, .edits = &other, .edit_count = 1};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_int_equal(updated.version, 2);
    assert_int_equal(suite_stats(suite).events, 2);
}

static void unknown_user_is_not_found(void **state)
{
    struct suite *suite = *state;
    struct user user;
    struct user_change change = {.id = id_new(&suite->clock.base)};
    assert_int_equal(suite_update(suite, &change, &user), CODE_NOT_FOUND);
    assert_string_equal(suite->err.reason, REASON_USER_NOT_FOUND);
    assert_int_equal(suite_remove(suite, change.id, STR("")), CODE_NOT_FOUND);
    assert_int_equal(suite_get(suite, change.id, &user), CODE_NOT_FOUND);
    assert_int_equal(suite_stats(suite).events, 0);
}

static void labels_are_edited_and_bounded(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "A"), updated;
    struct user_label_edit edits[USER_LABELS_MAX + 1];
    char keys[USER_LABELS_MAX + 1][8];
    for (int i = 0; i <= USER_LABELS_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "k%02d", USER_LABELS_MAX - i);
        edits[i] = (struct user_label_edit){str_of(keys[i]), STR("v"), false};
    }
    struct user_change change = {.id = user.id, .edits = edits, .edit_count = USER_LABELS_MAX + 1};
    assert_int_equal(suite_update(suite, &change, &updated), CODE_INVALID_ARGUMENT);
    assert_string_equal(suite->err.fields[0].path, "user.labels");
    change.edit_count = USER_LABELS_MAX;
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_int_equal(updated.label_count, USER_LABELS_MAX);
    assert_str_equal(updated.labels[0].key, STR("k01"));
    edits[0].remove = true; /* k32 */
    edits[1].value = STR("w");
    change.edit_count = 2;
    assert_int_equal(suite_update(suite, &change, &updated), CODE_OK);
    assert_int_equal(updated.label_count, USER_LABELS_MAX - 1);
    assert_str_equal(updated.labels[USER_LABELS_MAX - 2].value, STR("w"));
}

static struct store_once once_of(const char *id, char hash)
{
    struct store_once once = {.request_id = str_of(id)};
    memset(once.hash, hash, sizeof once.hash);
    return once;
}

/* Rule 21. */
static void same_request_gets_the_first_answer(void **state)
{
    struct suite *suite = *state;
    struct store_once once = once_of("r1", 'a'), other = once_of("r1", 'b');
    struct user user = suite_user(suite, "a@x", "A"), first, again;
    assert_int_equal(suite_create_once(suite, &user, &once, &first), CODE_OK);
    assert_false(suite->replayed);
    struct user_change change = {.id = first.id,
                                 .fields = USER_FIELD_DISPLAY_NAME,
                                 .values = {.display_name = STR("Later")}};
    assert_int_equal(suite_update(suite, &change, &again), CODE_OK);
    suite_reopen(suite);
    struct user retry = suite_user(suite, "a@x", "A");
    assert_int_equal(suite_create_once(suite, &retry, &once, &again), CODE_OK);
    assert_true(suite->replayed);
    assert_memory_equal(&again.id, &first.id, sizeof first.id);
    assert_str_equal(again.display_name, STR("A"));
    assert_int_equal(again.version, 1);
    assert_int_equal(suite_stats(suite).events, 2); /* the replay is no event */
    assert_int_equal(suite_create_once(suite, &retry, &other, &again), CODE_INVALID_ARGUMENT);
    assert_string_equal(suite->err.reason, REASON_IDEMPOTENCY_KEY_REUSED);
}

static void refused_request_is_not_remembered(void **state)
{
    struct suite *suite = *state;
    struct store_once once = once_of("r1", 'a');
    struct user holder = suite_create(suite, "a@x", "A"), created;
    struct user user = suite_user(suite, "a@x", "B");
    assert_int_equal(suite_create_once(suite, &user, &once, &created), CODE_ALREADY_EXISTS);
    assert_int_equal(suite_remove(suite, holder.id, STR("")), CODE_OK);
    assert_int_equal(suite_create_once(suite, &user, &once, &created), CODE_OK);
    assert_false(suite->replayed);
}

static void request_id_is_forgotten_after_a_day(void **state)
{
    struct suite *suite = *state;
    struct store_once once = once_of("r1", 'a'), other = once_of("r1", 'b');
    struct user user = suite_user(suite, "a@x", "A"), created;
    assert_int_equal(suite_create_once(suite, &user, &once, &created), CODE_OK);
    suite->clock.wall_us += (STORE_IDEMPOTENCY_MS - 1) * 1000LL;
    user = suite_user(suite, "b@x", "B");
    assert_int_equal(suite_create_once(suite, &user, &other, &created), CODE_INVALID_ARGUMENT);
    suite->clock.wall_us += 2000;
    assert_int_equal(suite_create_once(suite, &user, &other, &created), CODE_OK);
}

static void deleting_twice_with_one_request_id_is_one_deletion(void **state)
{
    struct suite *suite = *state;
    struct store_once once = once_of("d1", 'd');
    struct store_write write = suite_write(&once);
    struct user user = suite_create(suite, "a@x", "A");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(suite->store->vtable->remove(suite->store, &write, user.id, STR(""),
                                                      &suite->replayed, &suite->err),
                         CODE_OK);
        assert_int_equal(suite->replayed, i);
    }
}

static void late_caller_is_told_so(void **state)
{
    struct suite *suite = *state;
    struct store_write write = suite_write(NULL);
    struct user user = suite_user(suite, "a@x", "A"), created;
    write.call.remaining_ms = 0;
    enum code code = suite->store->vtable->create(suite->store, &write, &user, &suite->arena,
                                                  &created, &suite->replayed, &suite->err);
    assert_true(code == CODE_DEADLINE_EXCEEDED || code == CODE_OK);
    if (code != CODE_OK)
        assert_string_equal(suite->err.reason, REASON_DEADLINE);
}

static void event_commits_with_its_write_only(void **state)
{
    struct suite *suite = *state;
    struct user user = suite_create(suite, "a@x", "A"), other = suite_user(suite, "a@x", "B");
    struct user created;
    assert_int_equal(suite_stats(suite).events, 1);
    assert_int_equal(suite_create_once(suite, &other, NULL, &created), CODE_ALREADY_EXISTS);
    assert_int_equal(suite_stats(suite).events, 1);
    assert_int_equal(suite_remove(suite, user.id, STR("")), CODE_OK);
    assert_int_equal(suite_stats(suite).events, 2);
    suite_reopen(suite);
    assert_int_equal(suite_stats(suite).events, 2);
    assert_int_equal(suite_stats(suite).unsealed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(created_user_is_read_back_whole),
        SUITE_TEST(email_is_unique_whatever_its_case),
        SUITE_TEST(email_is_free_again_after_change_and_delete),
        SUITE_TEST(own_email_in_other_case_is_no_conflict),
        SUITE_TEST(etag_guards_changes),
        SUITE_TEST(time_never_goes_back),
        SUITE_TEST(change_that_changes_nothing_is_none),
        SUITE_TEST(unknown_user_is_not_found),
        SUITE_TEST(labels_are_edited_and_bounded),
        SUITE_TEST(same_request_gets_the_first_answer),
        SUITE_TEST(refused_request_is_not_remembered),
        SUITE_TEST(request_id_is_forgotten_after_a_day),
        SUITE_TEST(deleting_twice_with_one_request_id_is_one_deletion),
        SUITE_TEST(late_caller_is_told_so),
        SUITE_TEST(event_commits_with_its_write_only),
    };
    return suite_run(tests);
}
