/* Arenas and buffers: alignment, growth, the mandatory maximum. */
#include "tests/support/unit.h"

#include "base/arena.h"
#include "base/buf.h"

#include <string.h>

static void arena_gives_aligned_memory_of_any_size(void **state)
{
    struct arena arena = {0};
    (void)state;
    for (size_t size = 0; size < 5000; size += 7) {
        unsigned char *bytes = arena_alloc0(&arena, size);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xFF, size);
    }
    memset(arena_alloc(&arena, 3 << 20), 1, 3 << 20);
    assert_true(arena.used_bytes > 3 << 20);
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_null(arena.head); /* the 3 MiB are not kept */
    assert_string_equal(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    struct str copy = arena_str(&arena, (struct str){"abcdef", 3});
    assert_string_equal(copy.ptr, "abc");
    arena_clear(&arena);
}

static void buffer_stops_at_its_maximum_and_stays_stopped(void **state)
{
    struct buf buf;
    (void)state;
    buf_init(&buf, 10);
    buf_add(&buf, STR("12345678"));
    assert_false(buf.overflow);
    buf_add(&buf, STR("abc"));
    assert_true(buf.overflow);
    buf_add(&buf, STR("x"));
    assert_true(str_eq(buf_str(&buf), STR("12345678")));
    assert_string_equal(buf_cstr(&buf), "12345678");
    buf_reset(&buf);
    buf_add(&buf, STR("1234567890"));
    assert_false(buf.overflow);
    assert_string_equal(buf_cstr(&buf), "1234567890");
    buf_clear(&buf);
    buf_clear(&buf);
}

static void buffer_writes_numbers_and_formats(void **state)
{
    struct arena arena = {0};
    struct buf buf;
    (void)state;
    buf_init_arena(&buf, &arena, 1 << 20);
    buf_add_i64(&buf, INT64_MIN);
    buf_add_char(&buf, ' ');
    buf_add_u64(&buf, UINT64_MAX);
    buf_addf(&buf, " %s %05d", "x", 42);
    assert_string_equal(buf_cstr(&buf), "-9223372036854775808 18446744073709551615 x 00042");
    buf_drop_front(&buf, 21);
    assert_string_equal(buf_cstr(&buf), "18446744073709551615 x 00042");
    buf_drop_front(&buf, 1000);
    assert_int_equal(buf.len, 0);
    for (int i = 0; i < 10000; i++)
        buf_add_u64(&buf, 7);
    assert_int_equal(buf.len, 10000);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_aligned_memory_of_any_size),
        cmocka_unit_test(buffer_stops_at_its_maximum_and_stays_stopped),
        cmocka_unit_test(buffer_writes_numbers_and_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
