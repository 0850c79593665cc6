/* The few primitives that are needed, from OpenSSL's libcrypto. */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { CRYPTO_SHA256_BYTES = 32, CRYPTO_MD5_BYTES = 16 };

void crypto_sha256(struct str bytes, uint8_t digest[CRYPTO_SHA256_BYTES]);
void crypto_hmac_sha256(struct str key, struct str bytes, uint8_t mac[CRYPTO_SHA256_BYTES]);

/* To check what was carried, where a protocol has nothing better; it protects nothing. */
void crypto_md5(struct str bytes, uint8_t digest[CRYPTO_MD5_BYTES]);

/* Equal, in a time that depends on `size_bytes` only. */
bool crypto_equal(const void *a, const void *b, size_t size_bytes);

/* SHA-256 of what comes piece by piece. */
struct crypto_hash;
struct crypto_hash *crypto_hash_new(void);
void crypto_hash_add(struct crypto_hash *hash, struct str bytes);
/* The digest; frees. */
void crypto_hash_finish(struct crypto_hash *hash, uint8_t digest[CRYPTO_SHA256_BYTES]);
