/* The other side of lib/jose: what an issuer does. */
#include "tests/support/signer.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { SIGNATURE_BYTES_MAX = 1024 };

struct signer {
    enum crypto_key_kind kind;
    EVP_PKEY *pkey;
};

static void must(bool good)
{
    if (!good)
        abort();
}

struct signer *signer_new(enum crypto_key_kind kind, unsigned rsa_bits)
{
    struct signer *made = xcalloc(1, sizeof *made);
    made->kind = kind;
    made->pkey = kind == CRYPTO_KEY_RSA    ? EVP_RSA_gen(rsa_bits)
                 : kind == CRYPTO_KEY_P256 ? EVP_EC_gen("P-256")
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    must(made->pkey != NULL);
    return made;
}

void signer_free(struct signer *signer)
{
    EVP_PKEY_free(signer->pkey);
    xfree(signer);
}

const char *signer_algorithm(const struct signer *signer)
{
    static const char *const names[] = {"RS256", "ES256", "EdDSA"};
    return names[signer->kind];
}

static void add_member(struct buf *out, const char *name, const unsigned char *bytes, size_t count)
{
    buf_addf(out, ",\"%s\":\"", name);
    encode_base64url(out, (struct str){(const char *)bytes, count});
    buf_add_char(out, '"');
}

static void add_number(const struct signer *signer, struct buf *out, const char *name,
                       const char *parameter, int width)
{
    unsigned char bytes[SIGNATURE_BYTES_MAX];
    BIGNUM *number = NULL;
    must(EVP_PKEY_get_bn_param(signer->pkey, parameter, &number) == 1);
    int count = width ? BN_bn2binpad(number, bytes, width) : BN_bn2bin(number, bytes);
    add_member(out, name, bytes, (size_t)count);
    BN_free(number);
}

void signer_add_jwk(const struct signer *signer, const char *kid, const char *more, struct buf *out)
{
    static const char *const kinds[] = {"\"kty\":\"RSA\"", "\"kty\":\"EC\",\"crv\":\"P-256\"",
                                        "\"kty\":\"OKP\",\"crv\":\"Ed25519\""};
    buf_addf(out, "{%s", kinds[signer->kind]);
    if (kid)
        buf_addf(out, ",\"kid\":\"%s\"", kid);
    if (signer->kind == CRYPTO_KEY_RSA) {
        add_number(signer, out, "n", OSSL_PKEY_PARAM_RSA_N, 0);
        add_number(signer, out, "e", OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (signer->kind == CRYPTO_KEY_P256) {
        add_number(signer, out, "x", OSSL_PKEY_PARAM_EC_PUB_X, 32);
        add_number(signer, out, "y", OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    } else {
        unsigned char x[32];
        size_t count = sizeof x;
        must(EVP_PKEY_get_raw_public_key(signer->pkey, x, &count) == 1);
        add_member(out, "x", x, count);
    }
    buf_addf(out, "%s}", more);
}

/* DER to r and s of 32 bytes each. */
static size_t to_raw(unsigned char *signature, size_t count)
{
    const unsigned char *from = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &from, (long)count);
    must(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32);
    ECDSA_SIG_free(pair);
    return 64;
}

void signer_add_token(const struct signer *signer, const char *header, const char *claims,
                      struct buf *out)
{
    unsigned char signature[SIGNATURE_BYTES_MAX];
    size_t begin = out->len, count = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    encode_base64url(out, str_of(header));
    buf_add_char(out, '.');
    encode_base64url(out, str_of(claims));
    const EVP_MD *digest = signer->kind == CRYPTO_KEY_ED25519 ? NULL : EVP_sha256();
    must(EVP_DigestSignInit(context, NULL, digest, NULL, signer->pkey) == 1 &&
         EVP_DigestSign(context, signature, &count, (const unsigned char *)out->ptr + begin,
                        out->len - begin) == 1);
    EVP_MD_CTX_free(context);
    if (signer->kind == CRYPTO_KEY_P256)
        count = to_raw(signature, count);
    buf_add_char(out, '.');
    encode_base64url(out, (struct str){(const char *)signature, count});
}
