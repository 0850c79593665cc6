/* libcrypto's EVP interface; a failure here is a broken installation, so it aborts. */
#include "crypto/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void must(bool ok)
{
    if (!ok) {
        fputs("libcrypto refused a digest\n", stderr);
        abort();
    }
}

/* Looked up once: EVP_sha256() is looked up anew by every digest, which costs more than hashing. */
static EVP_MD *sha256;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sha256 != NULL);
}

void crypto_sha256(struct str bytes, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_sha256);
    must(EVP_Digest(bytes.ptr, bytes.len, digest, NULL, sha256, NULL) == 1);
}

void crypto_hmac_sha256(struct str key, struct str bytes, uint8_t mac[CRYPTO_SHA256_BYTES])
{
    unsigned length = CRYPTO_SHA256_BYTES;
    must(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)bytes.ptr, bytes.len, mac,
              &length) != NULL);
}

void crypto_md5(struct str bytes, uint8_t digest[CRYPTO_MD5_BYTES])
{
    must(EVP_Digest(bytes.ptr, bytes.len, digest, NULL, EVP_md5(), NULL) == 1);
}

bool crypto_equal(const void *a, const void *b, size_t size_bytes)
{
    return CRYPTO_memcmp(a, b, size_bytes) == 0;
}

struct crypto_hash *crypto_hash_new(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    return (struct crypto_hash *)context;
}

void crypto_hash_add(struct crypto_hash *hash, struct str bytes)
{
    must(EVP_DigestUpdate((EVP_MD_CTX *)hash, bytes.ptr, bytes.len) == 1);
}

void crypto_hash_finish(struct crypto_hash *hash, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    must(EVP_DigestFinal_ex((EVP_MD_CTX *)hash, digest, NULL) == 1);
    EVP_MD_CTX_free((EVP_MD_CTX *)hash);
}
