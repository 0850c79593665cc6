/* Public keys: the published signatures verify, changed ones do not, weak keys are refused. */
#include "tests/support/unit.h"

#include "base/encode.h"
#include "crypto/public_key.h"

#include <stdio.h>
#include <string.h>

enum { BYTES_MAX = 1024 };

/* RFC 7515 A.2. */
static const char RSA_N[] =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4"
    "QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdb"
    "BYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-D"
    "WNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
static const char CLAIMS[] = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL"
                             "mNvbS9pc19yb290Ijp0cnVlfQ";
static const char RSA_SIGNATURE[] =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5ju"
    "jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07"
    "Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipU"
    "TI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/* RFC 7515 A.3. */
static const char EC_X[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
static const char EC_Y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
static const char EC_SIGNATURE[] =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApm"
    "WQxfKTUJqPP3-Kg6NU1Q";
/* RFC 8037 A.4. */
static const char ED_X[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
static const char ED_MESSAGE[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
static const char ED_SIGNATURE[] =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhV"
    "sPt9g7sVvpAr_MuM0KAg";

struct bytes {
    char of[BYTES_MAX];
    size_t len;
};

static struct bytes raw(const char *base64url)
{
    struct bytes bytes = {0};
    struct buf out;
    buf_init(&out, BYTES_MAX);
    assert_true(decode_base64url(&out, str_of(base64url)));
    memcpy(bytes.of, out.ptr, out.len);
    bytes.len = out.len;
    buf_clear(&out);
    return bytes;
}

static struct str view(const struct bytes *bytes)
{
    return (struct str){bytes->of, bytes->len};
}

static void assert_only_the_signature_verifies(struct crypto_public_key *key, const char *message,
                                               struct bytes signature)
{
    struct str text = str_of(message);
    assert_true(crypto_public_key_verify(key, text, view(&signature)));
    assert_false(crypto_public_key_verify(key, str_from(text, 1), view(&signature)));
    signature.of[signature.len - 1] ^= 1;
    assert_false(crypto_public_key_verify(key, text, view(&signature)));
    signature.of[signature.len - 1] ^= 1;
    signature.len--;
    assert_false(crypto_public_key_verify(key, text, view(&signature)));
    signature.len++;
    signature.of[signature.len++] = 0;
    assert_false(crypto_public_key_verify(key, text, view(&signature)));
    assert_false(crypto_public_key_verify(key, text, STR("")));
    crypto_public_key_free(key);
}

static void the_published_signatures_verify(void **state)
{
    struct crypto_public_key *key;
    struct error err;
    struct bytes a = raw(RSA_N), b = raw("AQAB");
    char message[512];
    (void)state;
    assert_int_equal(crypto_public_key_rsa(view(&a), view(&b), &key, &err), CODE_OK);
    snprintf(message, sizeof message, "eyJhbGciOiJSUzI1NiJ9.%s", CLAIMS);
    assert_only_the_signature_verifies(key, message, raw(RSA_SIGNATURE));

    a = raw(EC_X);
    b = raw(EC_Y);
    assert_int_equal(crypto_public_key_p256(view(&a), view(&b), &key, &err), CODE_OK);
    snprintf(message, sizeof message, "eyJhbGciOiJFUzI1NiJ9.%s", CLAIMS);
    assert_only_the_signature_verifies(key, message, raw(EC_SIGNATURE));

    a = raw(ED_X);
    assert_int_equal(crypto_public_key_ed25519(view(&a), &key, &err), CODE_OK);
    assert_only_the_signature_verifies(key, ED_MESSAGE, raw(ED_SIGNATURE));
}

static void es256_with_zero_or_huge_numbers(void **state)
{
    struct crypto_public_key *key;
    struct error err;
    struct bytes x = raw(EC_X), y = raw(EC_Y), good = raw(EC_SIGNATURE), changed;
    char message[512];
    (void)state;
    snprintf(message, sizeof message, "eyJhbGciOiJFUzI1NiJ9.%s", CLAIMS);
    assert_int_equal(crypto_public_key_p256(view(&x), view(&y), &key, &err), CODE_OK);
    static const struct {
        size_t from, count;
        int byte;
    } cases[] = {{0, 64, 0}, {0, 32, 0}, {32, 32, 0}, {0, 32, 0xff}, {32, 32, 0xff}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        changed = good;
        memset(changed.of + cases[i].from, cases[i].byte, cases[i].count);
        assert_false(crypto_public_key_verify(key, str_of(message), view(&changed)));
    }
    crypto_public_key_free(key);
}

static void weak_and_broken_keys_are_refused(void **state)
{
    struct crypto_public_key *key = NULL;
    struct error err = {0};
    struct bytes n = raw(RSA_N), e = raw("AQAB"), x = raw(EC_X), y = raw(EC_Y), small, large;
    (void)state;
    struct str exponent = view(&e), modulus = view(&n);
    small = n;
    small.len = 128;
    assert_int_equal(crypto_public_key_rsa(view(&small), exponent, &key, &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the modulus has less than 2048 bits");
    small = n;
    small.of[0] = 0x01; /* zeros in front do not make a number longer */
    assert_int_equal(crypto_public_key_rsa(view(&small), exponent, &key, &err),
                     CODE_INVALID_ARGUMENT);
    large = n;
    large.len = 513;
    memset(large.of, 0xff, large.len);
    assert_int_equal(crypto_public_key_rsa(view(&large), exponent, &key, &err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the modulus has more than 4096 bits");
    n.of[n.len - 1] ^= 1;
    assert_int_equal(crypto_public_key_rsa(modulus, exponent, &key, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the modulus is even");
    n.of[n.len - 1] ^= 1;
    static const struct str exponents[] = {
        {"\x03", 1}, {"\x01\x00\x02", 3},         {"", 0},
        {"\x01", 1}, {"\x01\x00\x00\x00\x01", 5}, {"\0\0\0\0\0\0\0\x01\x01", 9}};
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++)
        assert_int_equal(crypto_public_key_rsa(modulus, exponents[i], &key, &err),
                         CODE_INVALID_ARGUMENT);
    x.of[0] ^= 1;
    assert_int_equal(crypto_public_key_p256(view(&x), view(&y), &key, &err), CODE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the coordinates are no point of P-256");
    x.of[0] ^= 1;
    x.len = 31;
    assert_int_equal(crypto_public_key_p256(view(&x), view(&y), &key, &err), CODE_INVALID_ARGUMENT);
    memset(&x, 0, sizeof x);
    x.len = 32;
    assert_int_equal(crypto_public_key_p256(view(&x), view(&x), &key, &err), CODE_INVALID_ARGUMENT);
    x.len = 33;
    assert_int_equal(crypto_public_key_ed25519(view(&x), &key, &err), CODE_INVALID_ARGUMENT);
    assert_null(key);
    crypto_public_key_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_signatures_verify),
        cmocka_unit_test(es256_with_zero_or_huge_numbers),
        cmocka_unit_test(weak_and_broken_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
