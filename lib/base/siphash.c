/* The algorithm as its paper has it: two rounds a word, four at the end. */
#include "base/siphash.h"

#include "base/id.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

struct state {
    uint64_t a, b, c, d;
};

static uint64_t turn(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(struct state *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        s->a += s->b;
        s->b = turn(s->b, 13) ^ s->a;
        s->a = turn(s->a, 32);
        s->c += s->d;
        s->d = turn(s->d, 16) ^ s->c;
        s->a += s->d;
        s->d = turn(s->d, 21) ^ s->a;
        s->c += s->b;
        s->b = turn(s->b, 17) ^ s->c;
        s->c = turn(s->c, 32);
    }
}

/* Up to eight bytes, the first one lowest. */
static uint64_t word_at(const char *from, size_t count)
{
    uint64_t word = 0;
    if (count)
        memcpy(&word, from, count);
    return le64toh(word);
}

static void absorb(struct state *s, uint64_t word)
{
    s->d ^= word;
    mix(s, 2);
    s->a ^= word;
}

uint64_t siphash(struct siphash_key key, struct str text)
{
    struct state s = {key.k0 ^ 0x736f6d6570736575U, key.k1 ^ 0x646f72616e646f6dU,
                      key.k0 ^ 0x6c7967656e657261U, key.k1 ^ 0x7465646279746573U};
    size_t at = 0;
    for (; at + 8 <= text.len; at += 8)
        absorb(&s, word_at(text.ptr + at, 8));
    absorb(&s, (uint64_t)text.len << 56 | word_at(text.ptr + at, text.len - at));
    s.c ^= 0xff;
    mix(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}

static struct siphash_key own_key;

static void draw_own_key(void)
{
    id_random_bytes(&own_key, sizeof own_key);
}

uint64_t siphash_own(struct str text)
{
    static pthread_once_t drawn = PTHREAD_ONCE_INIT;
    pthread_once(&drawn, draw_own_key);
    return siphash(own_key, text);
}
