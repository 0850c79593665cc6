/* Public keys over libcrypto's EVP interface. What it would accept and should not is refused here.
 */
#include "crypto/public_key.h"

#include "base/alloc.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

enum { P256_BYTES = 32, ED25519_BYTES = 32, ED25519_SIGNATURE_BYTES = 64, DER_BYTES_MAX = 80 };

static const unsigned EXPONENT_MIN = 65537;

struct crypto_public_key {
    enum crypto_key_kind kind;
    EVP_PKEY *pkey;
    EVP_MD_CTX *ready; /* initialised for verifying; copied for each message */
    size_t signature_bytes;
};

static enum code refuse(struct error *err, const char *text)
{
    return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_KEY", "%s", text);
}

static const unsigned char *bytes_of(struct str text)
{
    return (const unsigned char *)text.ptr;
}

/* Takes the EVP_PKEY. */
static enum code make(enum crypto_key_kind kind, EVP_PKEY *pkey, size_t signature_bytes,
                      struct crypto_public_key **key, struct error *err)
{
    struct crypto_public_key *made = xcalloc(1, sizeof *made);
    made->kind = kind;
    made->pkey = pkey;
    made->signature_bytes = signature_bytes;
    made->ready = EVP_MD_CTX_new();
    if (!made->ready ||
        EVP_DigestVerifyInit(made->ready, NULL, kind == CRYPTO_KEY_ED25519 ? NULL : EVP_sha256(),
                             NULL, pkey) != 1) {
        crypto_public_key_free(made);
        return refuse(err, "the key cannot verify");
    }
    *key = made;
    return CODE_OK;
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (parameters && context && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return pkey;
}

/* --- RSA --- */

static const char *rsa_fault(const BIGNUM *n, const BIGNUM *e)
{
    if (BN_num_bits(n) < CRYPTO_RSA_BITS_MIN)
        return "the modulus has less than 2048 bits";
    if (BN_num_bits(n) > CRYPTO_RSA_BITS_MAX)
        return "the modulus has more than 4096 bits";
    if (!BN_is_odd(n))
        return "the modulus is even";
    if (!BN_is_odd(e) || BN_num_bits(e) > 32 || BN_get_word(e) < EXPONENT_MIN)
        return "the exponent is not an odd number from 65537 to 2^32";
    return NULL;
}

static EVP_PKEY *rsa_of(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        pkey = from_parameters("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

enum code crypto_public_key_rsa(struct str modulus, struct str exponent,
                                struct crypto_public_key **key, struct error *err)
{
    if (modulus.len > CRYPTO_RSA_BITS_MAX / 8 + 1 || exponent.len > 8)
        return refuse(err, "the modulus or the exponent is too long");
    BIGNUM *n = BN_bin2bn(bytes_of(modulus), (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(bytes_of(exponent), (int)exponent.len, NULL);
    const char *fault = n && e ? rsa_fault(n, e) : "no numbers";
    EVP_PKEY *pkey = fault ? NULL : rsa_of(n, e);
    size_t signature_bytes = n ? (size_t)BN_num_bytes(n) : 0;
    BN_free(n);
    BN_free(e);
    if (!pkey)
        return refuse(err, fault ? fault : "no RSA key");
    return make(CRYPTO_KEY_RSA, pkey, signature_bytes, key, err);
}

/* --- P-256 --- */

enum code crypto_public_key_p256(struct str x, struct str y, struct crypto_public_key **key,
                                 struct error *err)
{
    unsigned char point[1 + 2 * P256_BYTES] = {4}; /* uncompressed */
    EVP_PKEY *pkey = NULL;
    if (x.len != P256_BYTES || y.len != P256_BYTES)
        return refuse(err, "a coordinate has not 32 bytes");
    memcpy(point + 1, x.ptr, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, y.ptr, P256_BYTES);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) ==
            1)
        pkey = from_parameters("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    if (!pkey)
        return refuse(err, "the coordinates are no point of P-256");
    return make(CRYPTO_KEY_P256, pkey, 2 * P256_BYTES, key, err);
}

/* libcrypto wants r and s as DER; 0 when they cannot be a signature. */
static size_t to_der(struct str signature, unsigned char der[DER_BYTES_MAX])
{
    int length = 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes_of(signature), P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(bytes_of(signature) + P256_BYTES, P256_BYTES, NULL);
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        length = i2d_ECDSA_SIG(pair, NULL);
        if (length > 0 && length <= DER_BYTES_MAX)
            length = i2d_ECDSA_SIG(pair, &(unsigned char *){der});
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return length > 0 && length <= DER_BYTES_MAX ? (size_t)length : 0;
}

/* --- Ed25519 --- */

enum code crypto_public_key_ed25519(struct str x, struct crypto_public_key **key, struct error *err)
{
    if (x.len != ED25519_BYTES)
        return refuse(err, "an Ed25519 key has 32 bytes");
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes_of(x), x.len);
    if (!pkey)
        return refuse(err, "no Ed25519 key");
    return make(CRYPTO_KEY_ED25519, pkey, ED25519_SIGNATURE_BYTES, key, err);
}

/* --- all --- */

void crypto_public_key_free(struct crypto_public_key *key)
{
    if (!key)
        return;
    EVP_MD_CTX_free(key->ready);
    EVP_PKEY_free(key->pkey);
    xfree(key);
}

enum crypto_key_kind crypto_public_key_kind(const struct crypto_public_key *key)
{
    return key->kind;
}

bool crypto_public_key_verify(const struct crypto_public_key *key, struct str message,
                              struct str signature)
{
    unsigned char der[DER_BYTES_MAX];
    if (signature.len != key->signature_bytes)
        return false;
    if (key->kind == CRYPTO_KEY_P256) {
        signature = (struct str){(const char *)der, to_der(signature, der)};
        if (!signature.len)
            return false;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_MD_CTX_copy_ex(context, key->ready) == 1 &&
                EVP_DigestVerify(context, bytes_of(signature), signature.len, bytes_of(message),
                                 message.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}
