/*
 * The public keys of an issuer: a JSON Web Key Set (RFC 7517) as an immutable snapshot. Only keys
 * that can verify signatures with an algorithm of crypto/public_key.h are taken; all others are
 * left out. A set in which none remains is one all the same: its issuer has withdrawn its keys.
 */
#pragma once
#include "base/error.h"
#include "crypto/public_key.h"

#include <stddef.h>

enum { JWK_SET_KEYS_MAX = 64, JWK_SET_BYTES_MAX = 256 << 10, JWK_KID_BYTES_MAX = 256 };

struct jwk_set;

/*
 * Reads a set; the caller holds the one reference. INVALID_ARGUMENT when it is no JSON object with
 * an array `keys`, or is too large.
 *
 * Left out: other kinds, curves and algorithms than ours; `use` other than "sig"; `key_ops` without
 * "verify"; over-long key ids; keys whose private part lies open; keys libcrypto refuses; a second
 * key with the same id and kind.
 */
enum code jwk_set_read(struct str json, struct jwk_set **set, struct error *err) MUST_CHECK;

/* One more reference, and one less; the last one frees. Any thread; NULL is allowed. */
struct jwk_set *jwk_set_hold(struct jwk_set *set);
void jwk_set_release(struct jwk_set *set);

size_t jwk_set_count(const struct jwk_set *set);

/* How many keys were left out, and why the first one was ("" when none was). */
size_t jwk_set_left_out(const struct jwk_set *set, struct str *reason);

/* True when every key of `part`, under the same id, is in `set` as well. */
bool jwk_set_includes(const struct jwk_set *set, const struct jwk_set *part);

/*
 * The key with this id and kind; NULL when there is none. `kid` with ptr NULL (the token names
 * none): the set's only key of the kind, NULL when there are several.
 */
const struct crypto_public_key *jwk_set_find(const struct jwk_set *set, struct str kid,
                                             enum crypto_key_kind kind);
