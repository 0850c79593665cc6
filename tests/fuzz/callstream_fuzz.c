/* Bytes from a peer as a message of a call stream, read from either end: whatever they are, what is
 * found lies inside them, is bounded, and what is read of a call can be written and read again. */
#include "rpc/callstream.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_inside(struct str part, struct str whole)
{
    require(!part.len || (part.ptr >= whole.ptr && part.len <= whole.len &&
                          (size_t)(part.ptr - whole.ptr) <= whole.len - part.len));
}

static void write_again(const struct callstream_call *call)
{
    struct callstream_call again;
    struct str bytes;
    uint64_t number;
    struct buf out;
    buf_init(&out, 64 << 20);
    callstream_add_call(&out, call);
    struct callstream_reader reader = callstream_read(buf_str(&out));
    require(callstream_next_call(&reader, &bytes, &number) == CALLSTREAM_CALL);
    require(callstream_read_call(bytes, &again));
    require(again.id == call->id && again.timeout_ms == call->timeout_ms);
    require(str_eq(again.method, call->method) && str_eq(again.payload, call->payload));
    require(again.metadata_count == call->metadata_count);
    require(callstream_next_call(&reader, &bytes, &number) == CALLSTREAM_END);
    buf_clear(&out);
}

static void read_calls(struct str message)
{
    struct callstream_reader reader = callstream_read(message);
    struct callstream_call call;
    struct str bytes;
    uint64_t number;
    int calls = 0, cancels = 0;
    for (;;) {
        enum callstream_item item = callstream_next_call(&reader, &bytes, &number);
        if (item == CALLSTREAM_END || item == CALLSTREAM_MALFORMED)
            break;
        calls += item == CALLSTREAM_CALL;
        cancels += item == CALLSTREAM_CANCEL;
        if (item != CALLSTREAM_CALL)
            continue;
        require_inside(bytes, message);
        if (!callstream_read_call(bytes, &call))
            continue;
        require_inside(call.method, bytes);
        require_inside(call.payload, bytes);
        require(call.metadata_count <= CALLSTREAM_METADATA_MAX);
        for (size_t i = 0; i < call.metadata_count; i++) {
            require_inside(call.metadata[i].key, bytes);
            require_inside(call.metadata[i].value, bytes);
        }
        write_again(&call);
    }
    require(calls <= CALLSTREAM_CALLS_MAX && cancels <= CALLSTREAM_CALLS_MAX);
}

static void read_answers(struct str message)
{
    struct callstream_reader reader = callstream_read(message);
    struct callstream_answer answer;
    struct str bytes;
    uint64_t number;
    for (;;) {
        enum callstream_item item = callstream_next_answer(&reader, &bytes, &number);
        if (item == CALLSTREAM_END || item == CALLSTREAM_MALFORMED)
            return;
        if (item != CALLSTREAM_ANSWER || !callstream_read_answer(bytes, &answer))
            continue;
        require_inside(answer.message, bytes);
        require_inside(answer.details, bytes);
        require_inside(answer.payload, bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str message = {(const char *)data, size};
    read_calls(message);
    read_answers(message);
    return 0;
}
