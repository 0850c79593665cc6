/* What is remembered of tokens, for how long, and what goes when room is needed. */
#include "tests/support/unit.h"

#include "gateway/token_cache.h"

#include <pthread.h>
#include <string.h>

struct digest {
    uint8_t bytes[CRYPTO_SHA256_BYTES];
};

/* Digests of one set of a small cache: they differ in their last byte. */
static struct digest digest_of(int number)
{
    struct digest digest = {{0}};
    digest.bytes[31] = (uint8_t)number;
    return digest;
}

static void add(struct token_cache *cache, int number, int64_t now_s, int64_t until_s)
{
    struct digest digest = digest_of(number);
    const struct token_entry entry = {.issuer = 3,
                                      .generation = 9,
                                      .good_until_s = until_s,
                                      .subject = STR("ada"),
                                      .scopes = STR("a b")};
    token_cache_add(cache, digest.bytes, now_s, &entry);
}

static bool has(struct token_cache *cache, int number, int64_t now_s)
{
    struct arena arena = {0};
    struct digest digest = digest_of(number);
    struct token_entry entry;
    bool found = token_cache_find(cache, digest.bytes, now_s, &arena, &entry);
    if (found) {
        assert_true(entry.issuer == 3 && entry.generation == 9);
        assert_true(str_eq(entry.subject, STR("ada")) && str_eq(entry.scopes, STR("a b")));
    }
    arena_clear(&arena);
    return found;
}

/* Rule 24. */
static void entries_are_good_until_they_end(void **state)
{
    struct token_cache *cache = token_cache_new(64);
    (void)state;
    assert_false(has(cache, 1, 100));
    add(cache, 1, 100, 200);
    assert_true(has(cache, 1, 100) && has(cache, 1, 199));
    assert_false(has(cache, 1, 200));
    assert_false(has(cache, 2, 100));
    add(cache, 1, 100, 300);
    assert_true(has(cache, 1, 200));
    token_cache_free(cache);
    token_cache_free(NULL);
}

/* Rule 24. */
static void room_is_made_by_the_oldest(void **state)
{
    struct token_cache *cache = token_cache_new(8); /* one set */
    (void)state;
    for (int i = 0; i < 8; i++)
        add(cache, i, 0, 100);
    assert_true(has(cache, 0, 1));
    add(cache, 8, 1, 100); /* 1 was not used for longest */
    assert_true(has(cache, 0, 1) && has(cache, 8, 1) && has(cache, 2, 1));
    assert_false(has(cache, 1, 1));
    add(cache, 5, 1, 10); /* replaced, and soon at its end */
    add(cache, 9, 20, 100);
    assert_false(has(cache, 5, 1));
    for (int i = 2; i < 10; i++)
        assert_int_equal(has(cache, i, 20), i != 5);
    token_cache_free(cache);
}

static void too_long_texts_are_not_kept(void **state)
{
    struct token_cache *cache = token_cache_new(8);
    struct digest digest = digest_of(1);
    static char text[TOKEN_CACHE_TEXT_BYTES_MAX];
    struct token_entry entry = {.good_until_s = 10, .subject = {text, sizeof text}};
    struct arena arena = {0};
    (void)state;
    token_cache_add(cache, digest.bytes, 0, &entry);
    assert_true(token_cache_find(cache, digest.bytes, 0, &arena, &entry));
    entry.scopes = STR("x");
    digest = digest_of(2);
    token_cache_add(cache, digest.bytes, 0, &entry);
    assert_false(token_cache_find(cache, digest.bytes, 0, &arena, &entry));
    arena_clear(&arena);
    token_cache_free(cache);
}

static void *add_and_find(void *argument)
{
    for (int i = 0; i < 2000; i++) {
        add(argument, i % 40, 0, 100);
        has(argument, (i * 7) % 40, 0);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct token_cache *cache = token_cache_new(16);
    pthread_t threads[3];
    (void)state;
    for (size_t i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, add_and_find, cache);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    token_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_good_until_they_end),
        cmocka_unit_test(room_is_made_by_the_oldest),
        cmocka_unit_test(too_long_texts_are_not_kept),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
