/* Requests: every rule of the fields, masks, pages, words and request ids. */
#include "tests/support/unit.h"

#include "base/buf.h"
#include "user/request.h"

#include <stdio.h>
#include <string.h>

typedef Omnidata__User__V1__User user_message;

static struct arena arena;
static struct error err;

static int clear(void **state)
{
    (void)state;
    arena_clear(&arena);
    error_clear(&err);
    return 0;
}

static user_message valid_user(void)
{
    user_message user = OMNIDATA__USER__V1__USER__INIT;
    user.email = (char *)(uintptr_t) "a@example.com";
    user.display_name = (char *)(uintptr_t) "Anna";
    return user;
}

static enum code read_create(user_message *message, struct user *user)
{
    Omnidata__User__V1__CreateUserRequest request = OMNIDATA__USER__V1__CREATE_USER_REQUEST__INIT;
    request.user = message;
    error_clear(&err);
    return request_create(&request, &arena, user, &err);
}

static char *repeat(const char *piece, size_t times)
{
    struct buf out;
    buf_init_arena(&out, &arena, 1 << 20);
    for (size_t i = 0; i < times; i++)
        buf_add_cstr(&out, piece);
    return arena_cstr(&arena, buf_str(&out));
}

static void emails(void **state)
{
    static const char *const good[] = {
        "a@b",
        "a.b+c_d-e@sub.example.com",
        "jörg@müller.example",
        "x@xn--mller-kva.example",
        "o'brien@example.com",
        "用户@例え.jp",
        "1@2.3",
    };
    static const char *const bad[] = {
        "",      "a",    "@b",    "a@",     "a@@b",    "a@b@c",         "a b@c",
        "a@b c", ".a@b", "a.@b",  "a..b@c", "a@.b",    "a@b.",          "a@b..c",
        "a@-b",  "a@b-", "a@b_c", "a\t@b",  "\"a\"@b", "a@[127.0.0.1]", "<a@b>",
    };
    struct user user;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        user_message message = valid_user();
        message.email = (char *)(uintptr_t)good[i];
        if (read_create(&message, &user) != CODE_OK)
            fail_msg("%s: %s", good[i], err.text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        user_message message = valid_user();
        message.email = (char *)(uintptr_t)bad[i];
        if (read_create(&message, &user) != CODE_INVALID_ARGUMENT)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.field_count, 1);
        assert_string_equal(err.fields[0].path, "user.email");
    }
    user_message message = valid_user();
    message.email = arena_printf(&arena, "%s@%s.%s.%s", repeat("l", 64), repeat("d", 63),
                                 repeat("d", 63), repeat("d", 61));
    assert_int_equal(strlen(message.email), USER_EMAIL_BYTES);
    assert_int_equal(read_create(&message, &user), CODE_OK);
    message.email = arena_printf(&arena, "%sx", message.email);
    assert_int_equal(read_create(&message, &user), CODE_INVALID_ARGUMENT);
}

static void names(void **state)
{
    struct user user;
    (void)state;
    const struct {
        char *display, *given;
        const char *wrong; /* path */
    } cases[] = {
        {repeat("é", 200), repeat("名", 100), NULL},
        {repeat("é", 201), repeat("x", 0), "user.display_name"},
        {repeat("é", 1), repeat("名", 101), "user.given_name"},
        {repeat("", 0), repeat("", 0), "user.display_name"},
        {repeat(" ", 3), repeat("", 0), "user.display_name"},
        {repeat("\u2003", 3), repeat("", 0), "user.display_name"},
        {repeat("a\nb", 1), repeat("", 0), "user.display_name"},
        {repeat("ab", 1), repeat("\x7F", 1), "user.given_name"},
        {repeat("ab", 1), repeat("\u2028", 1), "user.given_name"},
        {repeat("👩‍👧", 1), repeat("", 0), NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        user_message message = valid_user();
        message.display_name = cases[i].display;
        message.given_name = cases[i].given;
        assert_int_equal(read_create(&message, &user),
                         cases[i].wrong ? CODE_INVALID_ARGUMENT : CODE_OK);
        if (cases[i].wrong)
            assert_string_equal(err.fields[0].path, cases[i].wrong);
    }
}

static void all_violations_at_once(void **state)
{
    user_message message = valid_user();
    Omnidata__User__V1__User__LabelsEntry entries[2], *labels[] = {&entries[0], &entries[1]};
    struct user user;
    (void)state;
    for (int i = 0; i < 2; i++)
        omnidata__user__v1__user__labels_entry__init(&entries[i]);
    entries[0].key = (char *)(uintptr_t) "Big";
    entries[1].key = (char *)(uintptr_t) "long";
    entries[1].value = repeat("v", 257);
    message.email = (char *)(uintptr_t) "nobody";
    message.display_name = (char *)(uintptr_t) "";
    message.given_name = repeat("x", 101);
    message.family_name = repeat("x", 101);
    message.status = (Omnidata__User__V1__UserStatus)7;
    message.labels = labels;
    message.n_labels = 2;
    assert_int_equal(read_create(&message, &user), CODE_INVALID_ARGUMENT);
    static const char *const paths[] = {"user.email",       "user.display_name", "user.given_name",
                                        "user.family_name", "user.status",       "user.labels[Big]",
                                        "user.labels[long]"};
    assert_int_equal(err.field_count, 7);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(err.fields[i].path, paths[i]);
}

static void labels_are_sorted_and_the_last_wins(void **state)
{
    static const char *const keys[] = {"b", "a", "b"}, *const values[] = {"1", "2", "3"};
    user_message message = valid_user();
    Omnidata__User__V1__User__LabelsEntry entries[3], *labels[3];
    struct user user;
    (void)state;
    for (int i = 0; i < 3; i++) {
        omnidata__user__v1__user__labels_entry__init(&entries[i]);
        entries[i].key = (char *)(uintptr_t)keys[i];
        entries[i].value = (char *)(uintptr_t)values[i];
        labels[i] = &entries[i];
    }
    message.labels = labels;
    message.n_labels = 3;
    assert_int_equal(read_create(&message, &user), CODE_OK);
    assert_int_equal(user.label_count, 2);
    assert_true(str_eq(user.labels[0].key, STR("a")));
    assert_true(str_eq(user.labels[1].value, STR("3")));
    assert_int_equal(user.status, USER_ACTIVE);
}

static enum code read_change(user_message *message, const char *const *paths, size_t count,
                             struct user_change *change)
{
    Omnidata__User__V1__UpdateUserRequest request = OMNIDATA__USER__V1__UPDATE_USER_REQUEST__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    mask.paths = (char **)(uintptr_t)paths;
    mask.n_paths = count;
    request.user = message;
    request.update_mask = paths ? &mask : NULL;
    error_clear(&err);
    return request_change(&request, &arena, change, &err);
}

/* Rule 9. */
static void masks(void **state)
{
    static const struct {
        const char *paths[3];
        size_t count;
        enum code code;
        unsigned fields;
        size_t edits;
    } cases[] = {
        {{0}, 0, CODE_OK, USER_FIELD_EMAIL | USER_FIELD_DISPLAY_NAME, 0},
        {{"*"}, 1, CODE_OK, USER_FIELDS_ALL, 0},
        {{"email"}, 1, CODE_OK, USER_FIELD_EMAIL, 0},
        {{"given_name", "status"}, 2, CODE_OK, USER_FIELD_GIVEN_NAME | USER_FIELD_STATUS, 0},
        {{"id", "create_time", "owner.issuer"}, 3, CODE_OK, 0, 0},
        {{"labels.a", "labels.`b.c`"}, 2, CODE_OK, 0, 2},
        {{"labels", "labels.a"}, 2, CODE_OK, USER_FIELD_LABELS, 0},
        {{"*", "email"}, 2, CODE_INVALID_ARGUMENT, 0, 0},
        {{"nickname"}, 1, CODE_INVALID_ARGUMENT, 0, 0},
        {{"displayName"}, 1, CODE_INVALID_ARGUMENT, 0, 0},
        {{"email.x"}, 1, CODE_INVALID_ARGUMENT, 0, 0},
        {{""}, 1, CODE_INVALID_ARGUMENT, 0, 0},
        {{"labels.A"}, 1, CODE_INVALID_ARGUMENT, 0, 0},
        {{"labels."}, 1, CODE_INVALID_ARGUMENT, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        user_message message = valid_user();
        struct user_change change;
        message.id = (char *)(uintptr_t) "0190a000-0000-7000-8000-000000000000";
        assert_int_equal(read_change(&message, cases[i].paths, cases[i].count, &change),
                         cases[i].code);
        if (cases[i].code != CODE_OK)
            continue;
        assert_int_equal(change.fields, cases[i].fields);
        assert_int_equal(change.edit_count, cases[i].edits);
    }
}

/* Labels of a message: "k0", "k1", … in falling order, as many as `count`. */
static void add_labels(user_message *message, size_t count)
{
    Omnidata__User__V1__User__LabelsEntry *entries = arena_alloc(&arena, count * sizeof *entries);
    message->labels = arena_alloc(&arena, count * sizeof *message->labels);
    message->n_labels = count;
    for (size_t i = 0; i < count; i++) {
        omnidata__user__v1__user__labels_entry__init(&entries[i]);
        entries[i].key = arena_printf(&arena, "k%zu", count - 1 - i);
        entries[i].value = arena_printf(&arena, "v%zu", count - 1 - i);
        message->labels[i] = &entries[i];
    }
}

/* Nobody works through what is refused anyway: a message has room for so many that sorting them
 * would keep a thread for half a minute. */
static void labels_are_not_sorted_beyond_the_most(void **state)
{
    enum { MANY = 1000 };
    struct user_label labels[MANY];
    user_message message = valid_user();
    struct user user;
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        labels[i] = (struct user_label){str_of(arena_printf(&arena, "%04zu", MANY - i)), STR("")};
    assert_int_equal(user_labels_normalise(labels, MANY), USER_LABELS_MAX + 1);
    assert_true(str_eq(labels[0].key, STR("0968")));
    assert_true(str_eq(labels[MANY - 1].key, STR("0001")));

    add_labels(&message, MANY);
    assert_int_equal(read_create(&message, &user), CODE_INVALID_ARGUMENT);
    assert_int_equal(err.field_count, 1);
    assert_string_equal(err.fields[0].path, "user.labels");
    assert_string_equal(err.fields[0].text, "there are more than 32 labels");

    for (size_t i = 0; i < MANY; i++) /* the same ones over and over are not too many */
        message.labels[i]->key = arena_printf(&arena, "%02zu", i % USER_LABELS_MAX);
    assert_int_equal(read_create(&message, &user), CODE_OK);
    assert_int_equal(user.label_count, USER_LABELS_MAX);
    assert_true(str_eq(user.labels[7].key, STR("07")));
    assert_true(str_eq(user.labels[7].value, STR("v0"))); /* the last of them */
}

static void label_edits_are_by_key_each_once(void **state)
{
    static const char *const paths[] = {"labels.k2", "labels.none", "labels.`k1`", "labels.k2",
                                        "labels.k1"};
    user_message message = valid_user();
    struct user_change change;
    (void)state;
    message.id = (char *)(uintptr_t) "0190a000-0000-7000-8000-000000000000";
    add_labels(&message, 4);
    message.labels[3]->key = (char *)(uintptr_t) "k2"; /* once more: the last one wins */
    assert_int_equal(read_change(&message, paths, 5, &change), CODE_OK);
    assert_int_equal(change.edit_count, 3);
    assert_true(str_eq(change.edits[0].key, STR("k1")));
    assert_true(str_eq(change.edits[0].value, STR("v1")));
    assert_false(change.edits[0].remove);
    assert_true(str_eq(change.edits[1].key, STR("k2")));
    assert_true(str_eq(change.edits[1].value, STR("v0")));
    assert_true(str_eq(change.edits[2].key, STR("none")));
    assert_true(change.edits[2].remove);
}

static void masks_have_a_most(void **state)
{
    const char *paths[REQUEST_PATHS_MAX + 1];
    user_message message = valid_user();
    struct user_change change;
    (void)state;
    message.id = (char *)(uintptr_t) "0190a000-0000-7000-8000-000000000000";
    for (size_t i = 0; i <= REQUEST_PATHS_MAX; i++)
        paths[i] = arena_printf(&arena, "labels.%zu", i);
    assert_int_equal(read_change(&message, paths, REQUEST_PATHS_MAX, &change), CODE_OK);
    assert_int_equal(change.edit_count, REQUEST_PATHS_MAX);
    assert_int_equal(read_change(&message, paths, REQUEST_PATHS_MAX + 1, &change),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "update_mask");
    assert_string_equal(err.fields[0].text, "has more than 100 paths");
}

static void change_reports_id_and_fields_together(void **state)
{
    static const char *const paths[] = {"email"};
    user_message message = valid_user();
    struct user_change change;
    (void)state;
    message.id = (char *)(uintptr_t) "7";
    message.email = (char *)(uintptr_t) "";
    assert_int_equal(read_change(&message, paths, 1, &change), CODE_INVALID_ARGUMENT);
    assert_int_equal(err.field_count, 2);
    assert_string_equal(err.fields[0].path, "user.id");
    assert_string_equal(err.fields[1].path, "user.email");
    assert_int_equal(read_change(NULL, NULL, 0, &change), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "user");
}

/* Rule 22. */
static void page_sizes(void **state)
{
    static const struct {
        int32_t wanted;
        size_t limit; /* 0: refused */
    } cases[] = {{0, 50},           {1, 1},  {999, 999},    {1000, 1000}, {1001, 1000},
                 {INT32_MAX, 1000}, {-1, 0}, {INT32_MIN, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t limit = 0;
        error_clear(&err);
        assert_int_equal(request_page_size(cases[i].wanted, 50, 1000, &limit, &err),
                         cases[i].limit ? CODE_OK : CODE_INVALID_ARGUMENT);
        assert_int_equal(limit, cases[i].limit);
    }
}

static void searches(void **state)
{
    struct str words[STORE_SEARCH_WORDS_MAX];
    size_t count;
    (void)state;
    assert_int_equal(request_words("", &arena, words, &count, &err), CODE_INVALID_ARGUMENT);
    error_clear(&err);
    assert_int_equal(request_words(repeat("x", 257), &arena, words, &count, &err),
                     CODE_INVALID_ARGUMENT);
    error_clear(&err);
    assert_int_equal(request_words("a b c d e f g h i j k l m n o p", &arena, words, &count, &err),
                     CODE_OK);
    assert_int_equal(count, 16);
    assert_int_equal(
        request_words("a b c d e f g h i j k l m n o p q", &arena, words, &count, &err),
        CODE_INVALID_ARGUMENT);
    error_clear(&err);
    assert_int_equal(request_words("?!", &arena, words, &count, &err), CODE_OK);
    assert_int_equal(count, 0);
}

#define SIGNED_IN(issuer_, subject_, key) \
    { \
        .peer = STR("gateway"), .is_client = true, .issuer = STR(issuer_), \
        .subject = STR(subject_), .key_id = STR(key) \
    }
static const struct rpc_caller ADA = SIGNED_IN("https://i", "ada", "k1");

/* Whose ids are the same and whose are not: a caller neither replays nor learns what another did.
 */
static void request_ids_are_each_callers_own(void **state)
{
    static const struct {
        struct rpc_caller caller;
        bool adas;
    } rows[] = {
        {SIGNED_IN("https://i", "ada", "k2"), true}, /* her own, through another page */
        {SIGNED_IN("https://i", "adam", "k1"), false},
        {SIGNED_IN("https://j", "ada", "k1"), false},
        {SIGNED_IN("https://ia", "da", "k1"), false},
        {SIGNED_IN("", "", "k1"), false},
        {{.peer = STR("operator")}, false},
        {{.peer = STR("https://i"), .key_id = STR("ada")}, false},
    };
    const struct store_once *ada, *other;
    struct user_change one = {.fields = 1, .values = {.email = STR("a@b")}};
    (void)state;
    assert_int_equal(request_once(&ADA, "r", STR("M"), &one, &arena, &ada, &err), CODE_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(request_once(&rows[i].caller, "r", STR("M"), &one, &arena, &other, &err),
                         CODE_OK);
        assert_int_equal(str_eq(ada->request_id, other->request_id), rows[i].adas);
    }
}

static void request_ids(void **state)
{
    const struct store_once *a, *b;
    struct user_change one = {.fields = 1, .values = {.email = STR("a@b")}}, two = one;
    (void)state;
    assert_int_equal(request_once(&ADA, "", STR("M"), &one, &arena, &a, &err), CODE_OK);
    assert_null(a);
    assert_int_equal(request_once(&ADA, repeat("r", 129), STR("M"), &one, &arena, &a, &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.fields[0].path, "request_id");
    error_clear(&err);
    assert_int_equal(request_once(&ADA, "r", STR("M"), &one, &arena, &a, &err), CODE_OK);
    assert_int_equal(request_once(&ADA, "r", STR("M"), &two, &arena, &b, &err), CODE_OK);
    assert_memory_equal(a->hash, b->hash, sizeof a->hash);
    two.values.email = STR("a@c");
    assert_int_equal(request_once(&ADA, "r", STR("M"), &two, &arena, &b, &err), CODE_OK);
    assert_memory_not_equal(a->hash, b->hash, sizeof a->hash);
    assert_int_equal(request_once(&ADA, "r", STR("N"), &one, &arena, &b, &err), CODE_OK);
    assert_memory_not_equal(a->hash, b->hash, sizeof a->hash);
}

static const struct store_once *once_of(const char *const *paths, size_t count)
{
    user_message message = valid_user();
    struct user_change change;
    const struct store_once *once;
    message.id = (char *)(uintptr_t) "0190a000-0000-7000-8000-000000000000";
    add_labels(&message, 3);
    assert_int_equal(read_change(&message, paths, count, &change), CODE_OK);
    assert_int_equal(request_once(&ADA, "r", STR("M"), &change, &arena, &once, &err), CODE_OK);
    return once;
}

/* A retry whose mask is written another way is the same request. */
static void the_order_of_a_mask_means_nothing(void **state)
{
    static const struct {
        const char *paths[4];
        size_t count;
        bool same;
    } rows[] = {
        {{"labels.k2", "email", "labels.k0"}, 3, true},
        {{"labels.k0", "email", "labels.k2", "labels.k0"}, 4, true},
        {{"email", "labels.`k0`", "labels.k2", "email"}, 4, true},
        {{"email", "labels.k0"}, 2, false},
        {{"email", "labels.k0", "labels.k1"}, 3, false},
    };
    static const char *const first[] = {"email", "labels.k0", "labels.k2"};
    const struct store_once *one = once_of(first, 3);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct store_once *other = once_of(rows[i].paths, rows[i].count);
        assert_int_equal(memcmp(one->hash, other->hash, sizeof one->hash) == 0, rows[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(emails, clear),
        cmocka_unit_test_teardown(names, clear),
        cmocka_unit_test_teardown(all_violations_at_once, clear),
        cmocka_unit_test_teardown(labels_are_sorted_and_the_last_wins, clear),
        cmocka_unit_test_teardown(masks, clear),
        cmocka_unit_test_teardown(labels_are_not_sorted_beyond_the_most, clear),
        cmocka_unit_test_teardown(label_edits_are_by_key_each_once, clear),
        cmocka_unit_test_teardown(masks_have_a_most, clear),
        cmocka_unit_test_teardown(change_reports_id_and_fields_together, clear),
        cmocka_unit_test_teardown(page_sizes, clear),
        cmocka_unit_test_teardown(searches, clear),
        cmocka_unit_test_teardown(request_ids, clear),
        cmocka_unit_test_teardown(request_ids_are_each_callers_own, clear),
        cmocka_unit_test_teardown(the_order_of_a_mask_means_nothing, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
