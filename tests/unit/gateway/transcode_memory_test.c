/* Answers become JSON without memory: what a response costs must not depend on an allocator. */
#include "gateway/transcode.h"
#include "pb/proto.h"
#include "tests/support/unit.h"

#include <stdatomic.h>

/* The sanitizers' runtime has it; elsewhere only the arena is watched. */
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
                                              void (*freed)(const volatile void *))
    __attribute__((weak));

static atomic_int allocations;

static void count_allocation(const volatile void *memory, size_t size)
{
    (void)memory, (void)size;
    atomic_fetch_add(&allocations, 1);
}

static void ignore_free(const volatile void *memory)
{
    (void)memory;
}

#define USER(name) \
    "{\"id\":\"01935c5e-7b5a-7c3e-9f4e-2b7d3a1c5e8f\",\"email\":\"" name "@example.org\"," \
    "\"displayName\":\"" name " P\\u00E9rez \\\"G\\\"\",\"givenName\":\"" name "\"," \
    "\"familyName\":\"P\\u00E9rez\",\"status\":\"USER_STATUS_ACTIVE\"," \
    "\"labels\":{\"country\":\"es\",\"level\":\"l3\",\"note\":\"a\\nb\"}," \
    "\"createTime\":\"2026-11-22T18:45:12.123456Z\",\"updateTime\":\"2026-11-22T18:45:12Z\"," \
    "\"etag\":\"1-6612efa6b9a8e\",\"owner\":{\"issuer\":\"https://issuer\",\"subject\":\"s\"}}"

static const char PAGE[] =
    "{\"users\":[" USER("ana") "," USER("jose") "],\"nextPageToken\":\"AQIDBA\"}";

static void a_page_of_users(void **state)
{
    struct schema *schema;
    struct error err = {0};
    struct arena arena = {0};
    struct buf wire, json;
    const struct json_value *value;
    (void)state;
    assert_int_equal(schema_load(proto_builtin_set(), &schema, &err), CODE_OK);
    const struct schema_message *page =
        schema_find_message(schema, STR("omnidata.user.v1.SearchUsersResponse"));
    assert_int_equal(json_read(&arena, str_of(PAGE), json_limits_default(), &value, &err), CODE_OK);
    buf_init(&wire, 1 << 16);
    struct transcode_in in = {.schema = schema, .arena = &arena, .out = &wire, .err = &err};
    assert_int_equal(transcode_message_in(&in, page, value, NULL, STR("")), CODE_OK);

    buf_init(&json, 1 << 16);
    assert_non_null(buf_reserve(&json, 1 << 12)); /* as after the answers before */
    struct transcode_out out = {schema, &json, NULL, false};
    int before = atomic_load(&allocations);
    enum code code = transcode_message_out(&out, page, buf_str(&wire), &err);
    int after = atomic_load(&allocations);
    assert_int_equal(code, CODE_OK);
    assert_int_equal(after, before);
    assert_true(json.len > 2 * 300);

    buf_clear(&json);
    buf_clear(&wire);
    arena_clear(&arena);
    schema_free(schema);
}

int main(void)
{
    if (__sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free);
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_page_of_users)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
