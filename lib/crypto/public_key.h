/*
 * Public keys that verify signatures, as JOSE has them (RFC 7518, RFC 8037): one algorithm a kind
 * of key, so that nothing in a message can choose how it is checked.
 *   RSA      RS256: RSASSA-PKCS1-v1_5 with SHA-256
 *   P-256    ES256: ECDSA with SHA-256, the signature as r and s of 32 bytes each
 *   Ed25519  EdDSA
 * Keys are immutable: any number of threads may verify with one.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

enum { CRYPTO_RSA_BITS_MIN = 2048, CRYPTO_RSA_BITS_MAX = 4096 };

enum crypto_key_kind { CRYPTO_KEY_RSA, CRYPTO_KEY_P256, CRYPTO_KEY_ED25519 };

struct crypto_public_key;

/*
 * Modulus and exponent, big-endian without sign. INVALID_ARGUMENT unless the modulus has 2048 to
 * 4096 bits and is odd, and the exponent is odd, at least 65537 (FIPS 186-5) and below 2^32 (a
 * large one makes checking dear).
 */
enum code crypto_public_key_rsa(struct str modulus, struct str exponent,
                                struct crypto_public_key **key, struct error *err) MUST_CHECK;

/* Coordinates of 32 bytes each. INVALID_ARGUMENT when that is no point of the curve. */
enum code crypto_public_key_p256(struct str x, struct str y, struct crypto_public_key **key,
                                 struct error *err) MUST_CHECK;

/* 32 bytes. INVALID_ARGUMENT when they are not. */
enum code crypto_public_key_ed25519(struct str x, struct crypto_public_key **key,
                                    struct error *err) MUST_CHECK;

/* NULL is allowed. */
void crypto_public_key_free(struct crypto_public_key *key);

enum crypto_key_kind crypto_public_key_kind(const struct crypto_public_key *key);

/* True when `signature` is the key's over exactly `message`. Tens of microseconds. */
bool crypto_public_key_verify(const struct crypto_public_key *key, struct str message,
                              struct str signature);
