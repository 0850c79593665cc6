/* The published vectors: FIPS 180-2 ("abc") and RFC 4231 (case 2). */
#include "tests/support/unit.h"

#include "base/encode.h"
#include "crypto/crypto.h"

static void assert_digest(const uint8_t digest[CRYPTO_SHA256_BYTES], const char *hex)
{
    struct buf out;
    buf_init(&out, 100);
    encode_hex(&out, (struct str){(const char *)digest, CRYPTO_SHA256_BYTES});
    assert_string_equal(buf_cstr(&out), hex);
    buf_clear(&out);
}

static void has_the_published_vectors(void **state)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    uint8_t digest[CRYPTO_SHA256_BYTES];
    (void)state;
    crypto_sha256(STR("abc"), digest);
    assert_digest(digest, abc);
    struct crypto_hash *hash = crypto_hash_new();
    crypto_hash_add(hash, STR("a"));
    crypto_hash_add(hash, STR(""));
    crypto_hash_add(hash, STR("bc"));
    crypto_hash_finish(hash, digest);
    assert_digest(digest, abc);
    crypto_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), digest);
    assert_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* Rule 25: in constant time. */
static void compares(void **state)
{
    (void)state;
    assert_true(crypto_equal("abc", "abc", 3));
    assert_false(crypto_equal("abc", "abd", 3));
    assert_true(crypto_equal("x", "y", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_published_vectors),
        cmocka_unit_test(compares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
