/*
 * The messages of a call stream (proto/omnidata/rpc/v1/call_stream.proto), read and written by
 * hand: a tree of protobuf-c structs per call would cost more than the call. What is written is
 * plain protobuf; what is read may be any encoding of these messages, fields that are not known are
 * skipped.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"
#include "rpc/metadata.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CALLSTREAM_CALLS_MAX = 4096,       /* in a message; as many cancelled ids */
    CALLSTREAM_METADATA_MAX = 32,      /* of a call */
    CALLSTREAM_ANSWER_BYTES = 4 << 20, /* the largest message, unless the client says otherwise */
    CALLSTREAM_MESSAGE_BYTES_MAX = 64 << 20, /* that it may say */
};

#define CALLSTREAM_METHOD STR("/omnidata.rpc.v1.CallStreamService/Exchange")

struct callstream_call {
    uint64_t id, timeout_ms; /* timeout 0: none */
    struct str method, payload;
    size_t metadata_count;
    struct rpc_metadata metadata[CALLSTREAM_METADATA_MAX];
};

struct callstream_answer {
    uint64_t id;
    uint32_t status;
    struct str message, details, payload;
};

/* --- reading: items come one by one and point into the message --- */

struct callstream_reader {
    struct str rest;
    struct str packed; /* cancelled ids that are still to come */
    int calls, cancels;
};

enum callstream_item {
    CALLSTREAM_END,       /* of the message */
    CALLSTREAM_MALFORMED, /* no such message, or more in it than allowed: nothing more can be read
                           */
    CALLSTREAM_CALL,      /* *bytes: a call, for callstream_read_call */
    CALLSTREAM_CANCEL,    /* *number: an id */
    CALLSTREAM_LIMIT,     /* *number: answer_bytes_max */
    CALLSTREAM_ANSWER,    /* *bytes: an answer, for callstream_read_answer */
    CALLSTREAM_CLOSING,   /* *number: not 0 when the server is being shut down */
};

struct callstream_reader callstream_read(struct str message);
enum callstream_item callstream_next_call(struct callstream_reader *reader, struct str *bytes,
                                          uint64_t *number);
enum callstream_item callstream_next_answer(struct callstream_reader *reader, struct str *bytes,
                                            uint64_t *number);

/* False when the bytes are no call (or one with too much metadata), or no answer. */
bool callstream_read_call(struct str bytes, struct callstream_call *call);
bool callstream_read_answer(struct str bytes, struct callstream_answer *answer);

/* --- writing: each appends one item to a message, or sets `overflow` and leaves it as it was ---
 */

void callstream_add_call(struct buf *out, const struct callstream_call *call);
void callstream_add_cancel(struct buf *out, uint64_t id);
void callstream_add_limit(struct buf *out, uint32_t answer_bytes_max);
void callstream_add_closing(struct buf *out);

/*
 * All of an answer but the bytes of its payload, of which only the length counts here. Returns
 * where they go: they are part of the message already, and the caller writes all of them. NULL when
 * there was no room.
 */
char *callstream_add_answer(struct buf *out, const struct callstream_answer *answer,
                            const struct rpc_metadata *trailers, size_t trailer_count);
