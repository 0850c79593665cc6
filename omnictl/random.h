/* Reproducible random numbers: SplitMix64 (Steele, Lea, Flood 2014), the same on every machine. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
}

/* The numbers of item `index`; those of other items and other seeds are unrelated. */
static inline struct random random_of(uint64_t seed, uint64_t index)
{
    struct random mix = {seed};
    return (struct random){random_next(&mix) ^ index * 0xD1342543DE82EF95U};
}

/* 0 to bound - 1; `bound` below 2^32. */
static inline uint32_t random_below(struct random *random, uint32_t bound)
{
    return (uint32_t)((random_next(random) >> 32) * bound >> 32);
}

/* True `per_100k` times in 100,000. */
static inline bool random_chance(struct random *random, uint32_t per_100k)
{
    return random_below(random, 100000) < per_100k;
}
