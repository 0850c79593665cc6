/* The sketch against exact counts: its bounds hold however the stream is cut and merged. */
#include "analytics/sketch.h"
#include "analytics/wire.h"
#include "base/alloc.h"
#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 100, TEXTS = 5000, STREAM = 60000, PIECES = 37 };

static uint64_t seed;

static double random_unit(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* Zipf with exponent 1 over TEXTS texts, by inversion of the harmonic sum's approximation. */
static int zipf(void)
{
    return (int)pow((double)TEXTS, random_unit()) - 1;
}

static int uniform(void)
{
    return (int)(random_unit() * TEXTS);
}

static struct str text_of(int number, char buffer[32])
{
    snprintf(buffer, 32, "text %d", number);
    return str_of(buffer);
}

static void check_bounds(const struct sketch *sketch, const uint64_t *exact)
{
    struct sketch_item items[2 * CAPACITY];
    uint64_t listed[TEXTS] = {0};
    size_t count = sketch_top(sketch, 1, items, 2 * CAPACITY);
    assert_int_equal(sketch_total(sketch), STREAM);
    assert_true(sketch_absent(sketch) <= STREAM / (CAPACITY + 1));
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        assert_true(str_to_u64(str_from(items[i].text, 5), &number) && number < TEXTS);
        listed[number] = 1;
        assert_true(items[i].count >= exact[number]);
        assert_true(items[i].count - items[i].error <= exact[number]);
        assert_true(i == 0 || items[i - 1].count >= items[i].count);
    }
    for (int i = 0; i < TEXTS; i++)
        assert_true(listed[i] || exact[i] <= sketch_absent(sketch));
}

/* In pieces that are sketched alone, encoded and merged into one, as batches and hours are. */
static void run_stream(int (*next)(void), bool merged)
{
    static uint64_t exact[TEXTS];
    struct sketch *sum = sketch_new(CAPACITY);
    struct sketch *piece = sketch_new(merged ? 2 * CAPACITY : CAPACITY);
    struct buf bytes;
    char text[32];
    seed = 7;
    memset(exact, 0, sizeof exact);
    buf_init(&bytes, 1 << 20);
    for (int i = 0; i < STREAM; i++) {
        int number = next();
        exact[number]++;
        sketch_add(merged ? piece : sum, text_of(number, text), 1);
        if (merged && (i % (STREAM / PIECES) == 0 || i == STREAM - 1)) {
            buf_reset(&bytes);
            sketch_encode(piece, &bytes);
            struct str rest = buf_str(&bytes);
            assert_true(sketch_decode(&rest, sum));
            assert_int_equal(rest.len, 0);
            sketch_free(piece);
            piece = sketch_new(2 * CAPACITY);
        }
    }
    sketch_prune(sum);
    check_bounds(sum, exact);
    sketch_free(sum);
    sketch_free(piece);
    buf_clear(&bytes);
}

static void test_bounds_hold(void **state)
{
    (void)state;
    run_stream(zipf, false);
    run_stream(uniform, false);
}

static void test_bounds_hold_when_merged(void **state)
{
    (void)state;
    run_stream(zipf, true);
    run_stream(uniform, true);
}

static void add_times(struct sketch *sketch, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        sketch_add(sketch, str_of(text), 1);
}

/* What one side has forgotten is in the bounds of the sum. */
static void test_bounds_of_a_sum(void **state)
{
    struct sketch *a = sketch_new(2), *b = sketch_new(2);
    struct sketch_item items[4];
    (void)state;
    add_times(a, "c", 10);
    add_times(b, "a", 5);
    add_times(b, "b", 4);
    add_times(b, "c", 3);
    add_times(b, "d", 2);
    add_times(b, "e", 1); /* the fifth: c and d are forgotten, both bounded by 3 */
    assert_int_equal(sketch_absent(b), 3);
    sketch_merge(a, b);
    assert_int_equal(sketch_absent(a), 3);
    assert_int_equal(sketch_total(a), 25);
    assert_int_equal(sketch_top(a, 1, items, 4), 4);
    assert_true(str_eq(items[0].text, STR("c")));
    assert_int_equal(items[0].count, 13);
    assert_int_equal(items[0].error, 3);
    assert_true(str_eq(items[1].text, STR("a")));
    assert_int_equal(items[1].count, 5);
    assert_int_equal(items[1].error, 0);
    assert_true(str_eq(items[3].text, STR("e")));
    assert_int_equal(items[3].count, 4);
    assert_int_equal(items[3].error, 3);
    sketch_free(a);
    sketch_free(b);
}

static void test_the_frequent_ones_are_found(void **state)
{
    struct sketch *sketch = sketch_new(CAPACITY);
    struct sketch_item items[5];
    char text[32];
    (void)state;
    seed = 3;
    for (int i = 0; i < STREAM; i++)
        sketch_add(sketch, text_of(zipf(), text), 1);
    assert_int_equal(sketch_top(sketch, 1, items, 5), 5);
    for (int i = 0; i < 3; i++)
        assert_true(str_eq(items[i].text, text_of(i, text)));
    sketch_free(sketch);
}

static void test_few_texts_are_exact(void **state)
{
    struct sketch *sketch = sketch_new(CAPACITY);
    struct sketch_item items[CAPACITY];
    char text[32];
    (void)state;
    for (int i = 0; i < 100; i++)
        for (int k = 0; k <= i % CAPACITY; k++)
            sketch_add(sketch, text_of(i, text), 1);
    assert_int_equal(sketch_top(sketch, 1, items, CAPACITY), CAPACITY);
    for (int i = 0; i < CAPACITY; i++) {
        assert_int_equal(items[i].count, CAPACITY - i);
        assert_int_equal(items[i].error, 0);
    }
    assert_int_equal(sketch_absent(sketch), 0);
    sketch_free(sketch);
}

static void test_callers_are_counted_apart(void **state)
{
    struct sketch *sketch = sketch_new(CAPACITY), *other = sketch_new(CAPACITY);
    struct sketch_item items[2];
    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        sketch_add(sketch, STR("many"), i % 6);
        sketch_add(other, STR("many"), 3 + i % 6);
        sketch_add(sketch, STR("one"), 1);
    }
    assert_int_equal(sketch_top(sketch, 2, items, 2), 1);
    assert_int_equal(items[0].caller_count, 6);
    sketch_merge(sketch, other);
    assert_int_equal(sketch_top(sketch, SKETCH_CALLERS_MAX, items, 2), 1);
    assert_true(str_eq(items[0].text, STR("many")));
    assert_int_equal(items[0].count, 40);
    sketch_free(sketch);
    sketch_free(other);
}

static void test_same_stream_same_bytes(void **state)
{
    struct buf bytes[2];
    char text[32];
    (void)state;
    for (int run = 0; run < 2; run++) {
        struct sketch *sketch = sketch_new(CAPACITY);
        seed = 11;
        for (int i = 0; i < 5000; i++)
            sketch_add(sketch, text_of(uniform(), text), (uint32_t)i);
        buf_init(&bytes[run], 1 << 20);
        sketch_encode(sketch, &bytes[run]);
        sketch_free(sketch);
    }
    assert_true(str_eq(buf_str(&bytes[0]), buf_str(&bytes[1])));
    buf_clear(&bytes[0]);
    buf_clear(&bytes[1]);
}

static void test_bytes_that_are_no_sketch(void **state)
{
    struct sketch *sketch = sketch_new(CAPACITY), *into = sketch_new(CAPACITY);
    struct buf bytes;
    (void)state;
    buf_init(&bytes, 1 << 16);
    sketch_add(sketch, STR("one"), 1);
    sketch_add(sketch, STR("two"), 2);
    sketch_encode(sketch, &bytes);
    for (size_t length = 0; length < bytes.len; length++) {
        char *exact = xmalloc(length + 1);
        memcpy(exact, bytes.ptr, length);
        struct str rest = {exact, length};
        assert_false(sketch_decode(&rest, into));
        xfree(exact);
    }
    assert_int_equal(sketch_total(into), 0);
    sketch_free(sketch);
    sketch_free(into);
    buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_hold),
        cmocka_unit_test(test_bounds_hold_when_merged),
        cmocka_unit_test(test_bounds_of_a_sum),
        cmocka_unit_test(test_the_frequent_ones_are_found),
        cmocka_unit_test(test_few_texts_are_exact),
        cmocka_unit_test(test_callers_are_counted_apart),
        cmocka_unit_test(test_same_stream_same_bytes),
        cmocka_unit_test(test_bytes_that_are_no_sketch),
    };
    return cmocka_run_group_tests_name("sketch", tests, NULL, NULL);
}
