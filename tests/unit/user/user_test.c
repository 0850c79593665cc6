/* What a user takes in a message, and how many of them a page takes. */
#include "tests/support/unit.h"

#include "pb/proto.h"
#include "user/service_internal.h"
#include "user/store_page.h"
#include "user/user.h"

#include <string.h>

static struct arena arena;

static int clear(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct str text_of(size_t bytes)
{
    char *text = arena_alloc(&arena, bytes + 1);
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    return (struct str){text, bytes};
}

static struct user user_of(size_t text_bytes, size_t labels)
{
    struct str text = text_of(text_bytes);
    struct user user = {.email = text, .display_name = text, .given_name = text};
    user.family_name = user.owner_issuer = user.owner_subject = text;
    user.status = USER_SUSPENDED;
    user.version = UINT64_MAX;
    user.create_us = user.update_us = 253402300799999999;
    user.labels = arena_alloc(&arena, (labels + 1) * sizeof *user.labels);
    for (; user.label_count < labels; user.label_count++)
        user.labels[user.label_count] =
            (struct user_label){text_of(USER_LABEL_KEY_BYTES), text_of(USER_LABEL_VALUE_BYTES)};
    return user;
}

/* A page is cut by this, so it must not say less than is sent; and not much more, or pages would be
 * small. */
static void bytes_are_those_of_the_message_and_few_more(void **state)
{
    static const struct {
        size_t text_bytes, labels;
    } rows[] = {{0, 0}, {1, 0}, {127, 1}, {128, USER_LABELS_MAX}, {16384, 1}, {100000, 32}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct user user = user_of(rows[i].text_bytes, rows[i].labels);
        Omnidata__User__V1__ListUsersResponse list = OMNIDATA__USER__V1__LIST_USERS_RESPONSE__INIT;
        list.users = service_user_list(&user, 1, &arena);
        list.n_users = 1;
        size_t sent = proto_encode_arena(&arena, &list.base).len;
        assert_true(user_bytes(&user) >= sent);
        assert_true(user_bytes(&user) <= sent + 192 + 12 * rows[i].labels);
    }
}

static void a_page_holds_what_was_asked_for_and_what_a_message_takes(void **state)
{
    struct user small = user_of(10, 0), large = user_of(STORE_PAGE_BYTES_MAX / 6 / 2, 0);
    struct user larger_than_a_page = user_of(STORE_PAGE_BYTES_MAX, 0), users[4];
    struct store_page page = {.users = users};
    (void)state;
    assert_true(store_page_add(&page, 2, &small));
    assert_true(store_page_add(&page, 2, &small));
    assert_false(store_page_add(&page, 2, &small));
    assert_int_equal(page.count, 2);

    page = (struct store_page){.users = users};
    assert_true(store_page_add(&page, 4, &large));
    assert_false(store_page_add(&page, 4, &large)); /* halves, and what is around them */
    assert_int_equal(page.count, 1);
    assert_true(store_page_add(&page, 4, &small)); /* there is room for it */

    page = (struct store_page){.users = users};
    assert_true(store_page_add(&page, 4, &larger_than_a_page));
    assert_false(store_page_add(&page, 4, &small));
    assert_int_equal(page.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(bytes_are_those_of_the_message_and_few_more, clear),
        cmocka_unit_test_teardown(a_page_holds_what_was_asked_for_and_what_a_message_takes, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
