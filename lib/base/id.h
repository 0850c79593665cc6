/* Identifiers: UUID version 7 (RFC 9562): time-ordered, 74 random bits. */
#pragma once
#include "base/clock.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { ID_TEXT_BYTES = 36 };

struct id {
    uint8_t bytes[16];
};

/*
 * A new one. Within a process they grow strictly (RFC 9562 section 6.2, method 1: a counter in
 * rand_a), even when the clock stands still or goes back. Thread-safe.
 */
struct id id_new(const struct clock *clock);

/* 36 characters, lower case, and a NUL. */
void id_format(struct id id, char text[ID_TEXT_BYTES + 1]);

/* Any UUID in the 8-4-4-4-12 form, either case. */
bool id_parse(struct str text, struct id *id);

/* Milliseconds since 1970 that a version 7 id holds. */
int64_t id_time_ms(struct id id);

/* `size_bytes` from the kernel's generator; aborts if there are none to be had. */
void id_random_bytes(void *to, size_t size_bytes);

/*
 * The same for values that need to be unique but are no secret (ids, spans): drawn from a thread's
 * pool, one system call for a hundred of them. At most 1,024 bytes.
 */
void id_random_nonce(void *to, size_t size_bytes);
