/*
 * One counter for the process holds the last (milliseconds, 12-bit sequence); a burst of more than
 * 4,096 ids in a millisecond borrows from the next one, so the order is never broken.
 */
#include "base/id.h"

#include "base/encode.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RANDOM_POOL_BYTES = 1024 };

void id_random_bytes(void *to, size_t size_bytes)
{
    uint8_t *at = to;
    while (size_bytes) {
        ssize_t got = getrandom(at, size_bytes, 0);
        if (got < 0 && errno == EINTR)
            continue; /* a signal came before the first byte of a larger draw */
        if (got < 0) {
            perror("getrandom");
            abort();
        }
        at += got;
        size_bytes -= (size_t)got;
    }
}

void id_random_nonce(void *to, size_t size_bytes)
{
    static _Thread_local uint8_t pool[RANDOM_POOL_BYTES];
    static _Thread_local size_t left;
    assert(size_bytes <= sizeof pool);
    if (left < size_bytes) {
        id_random_bytes(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= size_bytes;
    memcpy(to, pool + left, size_bytes);
}

static uint64_t next_tick(uint64_t now_ms)
{
    static atomic_uint_fast64_t last;
    uint64_t wanted = now_ms << 12;
    uint64_t seen = atomic_load_explicit(&last, memory_order_relaxed);
    uint64_t next;
    do {
        next = wanted > seen ? wanted : seen + 1;
    } while (!atomic_compare_exchange_weak_explicit(&last, &seen, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next;
}

struct id id_new(const struct clock *clock)
{
    uint64_t tick = next_tick((uint64_t)clock_wall_ms(clock));
    uint64_t ms = tick >> 12;
    struct id id;
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | (tick >> 8 & 15));
    id.bytes[7] = (uint8_t)tick;
    id_random_nonce(id.bytes + 8, 8);
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
    return id;
}

void id_format(struct id id, char text[ID_TEXT_BYTES + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *to = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = hex[id.bytes[i] >> 4];
        *to++ = hex[id.bytes[i] & 15];
    }
    *to = '\0';
}

bool id_parse(struct str text, struct id *id)
{
    static const uint8_t starts[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
    if (text.len != ID_TEXT_BYTES)
        return false;
    for (int i = 8; i <= 23; i += 5)
        if (text.ptr[i] != '-')
            return false;
    for (int i = 0; i < 16; i++)
        if (!decode_hex((struct str){text.ptr + starts[i], 2}, &id->bytes[i]))
            return false;
    return true;
}

int64_t id_time_ms(struct id id)
{
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.bytes[i];
    return (int64_t)ms;
}
