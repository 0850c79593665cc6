/* gzip: what comes out is what went in, whoever of the two made it; what does not pay is refused.
 */
#include "tests/support/unit.h"

#include "gateway/compress.h"

#include <string.h>
#include <zlib.h>

static void unpack(struct str packed, char *plain, size_t size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.ptr,
                  .avail_in = (uInt)packed.len,
                  .next_out = (Bytef *)plain,
                  .avail_out = (uInt)size};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, size);
    inflateEnd(&z);
}

static void packs_what_repeats(void **state)
{
    static char plain[100000], again[100000];
    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = "a user directory "[i % 17];
    for (int round = 0; round < 4; round++) { /* the thread's state is used again */
        struct buf out;
        size_t size = sizeof plain >> round;
        buf_init(&out, sizeof plain);
        buf_add(&out, STR("before"));
        assert_true((round % 2 ? compress_best : compress_fast)(&out, (struct str){plain, size}));
        assert_true(out.len < size / 20);
        assert_memory_equal(out.ptr, "before", 6);
        unpack(str_from(buf_str(&out), 6), again, size);
        assert_memory_equal(again, plain, size);
        buf_clear(&out);
    }
}

static void leaves_what_does_not_pay(void **state)
{
    static char noise[20000];
    uint64_t seed = 1;
    struct buf out, small;
    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 56);
    buf_init(&out, sizeof noise);
    buf_init(&small, 10);
    assert_false(compress_fast(&out, (struct str){noise, sizeof noise}));
    assert_false(compress_best(&out, (struct str){noise, sizeof noise}));
    assert_int_equal(out.len, 0);
    assert_false(
        compress_fast(&small, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
    assert_int_equal(small.len, 0);
    buf_clear(&out);
    buf_clear(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(packs_what_repeats),
                                       cmocka_unit_test(leaves_what_does_not_pay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
