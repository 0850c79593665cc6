/*
 * What waits to be written on a call stream: items put together to messages of a bounded size. Not
 * thread-safe; either end keeps one under its own lock.
 */
#pragma once
#include "base/buf.h"
#include "rpc/wire.h"

enum { CALLSTREAM_GATHER_BYTES = 256 * 1024 }; /* a message that has grown so far takes no more */

struct callstream_message;

struct callstream_out {
    struct callstream_message *first, *last, *spare;
    size_t message_bytes_max; /* 0: CALLSTREAM_GATHER_BYTES; a single item may be larger */
};

/* Where the next item of `size_bytes` is to be appended. */
struct buf *callstream_out_room(struct callstream_out *out, size_t size_bytes);

/* What waits, in all. */
size_t callstream_out_bytes(const struct callstream_out *out);

/* The oldest message, or NULL when nothing waits. */
grpc_byte_buffer *callstream_out_take(struct callstream_out *out);

/* Forgets what waits, gives the memory back. */
void callstream_out_clear(struct callstream_out *out);
