/* Stored records: there and back, and no end of damaged ones. */
#include "tests/support/unit.h"

#include "user/record.h"

#include <string.h>

static struct user sample(struct user_label *labels)
{
    struct user user = {.email = STR("a@b"),
                        .display_name = STR("Jos\xC3\xA9"),
                        .given_name = STR(""),
                        .family_name = STR("X"),
                        .status = USER_SUSPENDED,
                        .labels = labels,
                        .label_count = 2,
                        .create_us = 1795374000123456,
                        .update_us = INT64_MAX,
                        .version = UINT64_MAX,
                        .owner_issuer = STR("i"),
                        .owner_subject = STR("s")};
    memset(user.id.bytes, 0xA5, sizeof user.id.bytes);
    return user;
}

static void there_and_back(void **state)
{
    struct user_label labels[] = {{STR("k"), STR("")}, {STR("l"), STR("v")}};
    struct user user = sample(labels), back;
    struct arena arena = {0};
    struct buf bytes, again;
    (void)state;
    buf_init(&bytes, 4096);
    buf_init(&again, 4096);
    record_add_user(&bytes, &user);
    assert_true(record_read_user(buf_str(&bytes), &arena, &back));
    record_add_user(&again, &back);
    assert_int_equal(bytes.len, again.len);
    assert_memory_equal(bytes.ptr, again.ptr, bytes.len);
    assert_int_equal(back.version, UINT64_MAX);
    assert_int_equal(back.update_us, INT64_MAX);
    buf_clear(&bytes);
    buf_clear(&again);
    arena_clear(&arena);
}

static void cut_records_are_refused_or_harmless(void **state)
{
    struct user_label labels[] = {{STR("k"), STR("")}, {STR("l"), STR("v")}};
    struct user user = sample(labels), back;
    struct arena arena = {0};
    struct buf bytes;
    (void)state;
    buf_init(&bytes, 4096);
    record_add_user(&bytes, &user);
    size_t refused = 0;
    for (size_t i = 0; i < bytes.len; i++)
        refused += !record_read_user((struct str){bytes.ptr, i}, &arena, &back);
    assert_true(refused >= bytes.len - 2); /* between two labels is an end as well */
    bytes.ptr[0] = 9;
    assert_false(record_read_user(buf_str(&bytes), &arena, &back));
    buf_clear(&bytes);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(cut_records_are_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
