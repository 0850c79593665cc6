/*
 * SipHash-2-4 (Aumasson, Bernstein): a keyed hash for tables whose keys others choose. Without the
 * key nobody can find two texts that fall together.
 */
#pragma once
#include "base/str.h"

#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(struct siphash_key key, struct str text);

/* Under a key that this process draws for itself: for tables that do not leave it. Any thread. */
uint64_t siphash_own(struct str text);
