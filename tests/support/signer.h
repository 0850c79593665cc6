/* Signs tokens for tests, over libcrypto: private keys of each kind, as JWK and as signatures. */
#pragma once
#include "base/buf.h"
#include "crypto/public_key.h"

struct signer;

/* A fresh key; `rsa_bits` for CRYPTO_KEY_RSA. */
struct signer *signer_new(enum crypto_key_kind kind, unsigned rsa_bits);
void signer_free(struct signer *signer);

/* "RS256", "ES256", "EdDSA". */
const char *signer_algorithm(const struct signer *signer);

/* {"kid":…,"kty":…,…} of the public key, with `more` (`,"use":"sig"`) before the brace. */
void signer_add_jwk(const struct signer *signer, const char *kid, const char *more,
                    struct buf *out);

/* header.claims.signature of two texts as they are. */
void signer_add_token(const struct signer *signer, const char *header, const char *claims,
                      struct buf *out);
