/* Field numbers stand in the proto; tags below are (number << 3 | wire type). */
#include "rpc/callstream.h"

#include <string.h>

enum {
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_32 = 5,
    VARINT_BYTES_MAX = 10,
};

enum {
    TAG_BATCH_CALL = 1 << 3 | WIRE_BYTES,
    TAG_BATCH_CANCELLED = 2 << 3 | WIRE_VARINT,
    TAG_BATCH_CANCELLED_PACKED = 2 << 3 | WIRE_BYTES,
    TAG_BATCH_LIMIT = 3 << 3 | WIRE_VARINT,

    TAG_CALL_ID = 1 << 3 | WIRE_VARINT,
    TAG_CALL_METHOD = 2 << 3 | WIRE_BYTES,
    TAG_CALL_PAYLOAD = 3 << 3 | WIRE_BYTES,
    TAG_CALL_TIMEOUT = 4 << 3 | WIRE_VARINT,
    TAG_CALL_METADATA = 5 << 3 | WIRE_BYTES,

    TAG_PAIR_KEY = 1 << 3 | WIRE_BYTES,
    TAG_PAIR_VALUE = 2 << 3 | WIRE_BYTES,

    TAG_ANSWERS_ANSWER = 1 << 3 | WIRE_BYTES,
    TAG_ANSWERS_CLOSING = 2 << 3 | WIRE_VARINT,

    TAG_ANSWER_ID = 1 << 3 | WIRE_VARINT,
    TAG_ANSWER_STATUS = 2 << 3 | WIRE_VARINT,
    TAG_ANSWER_MESSAGE = 3 << 3 | WIRE_BYTES,
    TAG_ANSWER_DETAILS = 4 << 3 | WIRE_BYTES,
    TAG_ANSWER_PAYLOAD = 5 << 3 | WIRE_BYTES,
    TAG_ANSWER_TRAILER = 6 << 3 | WIRE_BYTES,
};

/* --- reading --- */

static bool take_varint(struct str *rest, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < VARINT_BYTES_MAX && i < rest->len; i++) {
        uint8_t byte = (uint8_t)rest->ptr[i];
        sum |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *value = sum;
            *rest = (struct str){rest->ptr + i + 1, rest->len - i - 1};
            return true;
        }
    }
    return false;
}

/* One field off the front: a varint's value, or the bytes of anything else. */
static bool take_field(struct str *rest, uint64_t *tag, uint64_t *number, struct str *bytes)
{
    uint64_t size;
    if (!take_varint(rest, tag) || *tag >> 3 == 0 || *tag > UINT32_MAX)
        return false;
    switch (*tag & 7) {
    case WIRE_VARINT:
        return take_varint(rest, number);
    case WIRE_64:
        size = 8;
        break;
    case WIRE_32:
        size = 4;
        break;
    case WIRE_BYTES:
        if (!take_varint(rest, &size))
            return false;
        break;
    default: /* groups, which no proto3 message has */
        return false;
    }
    if (size > rest->len)
        return false;
    *bytes = (struct str){rest->ptr, size};
    *rest = (struct str){rest->ptr + size, rest->len - size};
    return true;
}

struct callstream_reader callstream_read(struct str message)
{
    return (struct callstream_reader){.rest = message};
}

static enum callstream_item next_cancel(struct callstream_reader *reader)
{
    return ++reader->cancels > CALLSTREAM_CALLS_MAX ? CALLSTREAM_MALFORMED : CALLSTREAM_CANCEL;
}

enum callstream_item callstream_next_call(struct callstream_reader *reader, struct str *bytes,
                                          uint64_t *number)
{
    for (;;) {
        uint64_t tag;
        if (reader->packed.len)
            return take_varint(&reader->packed, number) ? next_cancel(reader)
                                                        : CALLSTREAM_MALFORMED;
        if (!reader->rest.len)
            return CALLSTREAM_END;
        if (!take_field(&reader->rest, &tag, number, bytes))
            return CALLSTREAM_MALFORMED;
        switch (tag) {
        case TAG_BATCH_CALL:
            return ++reader->calls > CALLSTREAM_CALLS_MAX ? CALLSTREAM_MALFORMED : CALLSTREAM_CALL;
        case TAG_BATCH_CANCELLED:
            return next_cancel(reader);
        case TAG_BATCH_CANCELLED_PACKED:
            reader->packed = *bytes;
            break;
        case TAG_BATCH_LIMIT:
            return CALLSTREAM_LIMIT;
        default:
            break;
        }
    }
}

enum callstream_item callstream_next_answer(struct callstream_reader *reader, struct str *bytes,
                                            uint64_t *number)
{
    uint64_t tag;
    while (reader->rest.len) {
        if (!take_field(&reader->rest, &tag, number, bytes))
            return CALLSTREAM_MALFORMED;
        if (tag == TAG_ANSWERS_ANSWER)
            return CALLSTREAM_ANSWER;
        if (tag == TAG_ANSWERS_CLOSING)
            return CALLSTREAM_CLOSING;
    }
    return CALLSTREAM_END;
}

static bool read_pair(struct str bytes, struct rpc_metadata *pair)
{
    uint64_t tag, number;
    struct str value;
    *pair = (struct rpc_metadata){STR(""), STR("")};
    while (bytes.len) {
        if (!take_field(&bytes, &tag, &number, &value))
            return false;
        if (tag == TAG_PAIR_KEY)
            pair->key = value;
        else if (tag == TAG_PAIR_VALUE)
            pair->value = value;
    }
    return true;
}

bool callstream_read_call(struct str bytes, struct callstream_call *call)
{
    uint64_t tag, number;
    struct str value;
    call->id = call->timeout_ms = 0;
    call->method = call->payload = STR("");
    call->metadata_count = 0;
    while (bytes.len) {
        if (!take_field(&bytes, &tag, &number, &value))
            return false;
        switch (tag) {
        case TAG_CALL_ID:
            call->id = number;
            break;
        case TAG_CALL_METHOD:
            call->method = value;
            break;
        case TAG_CALL_PAYLOAD:
            call->payload = value;
            break;
        case TAG_CALL_TIMEOUT:
            call->timeout_ms = number;
            break;
        case TAG_CALL_METADATA:
            if (call->metadata_count == CALLSTREAM_METADATA_MAX ||
                !read_pair(value, &call->metadata[call->metadata_count++]))
                return false;
            break;
        default:
            break;
        }
    }
    return true;
}

bool callstream_read_answer(struct str bytes, struct callstream_answer *answer)
{
    uint64_t tag, number;
    struct str value;
    *answer = (struct callstream_answer){0};
    while (bytes.len) {
        if (!take_field(&bytes, &tag, &number, &value))
            return false;
        switch (tag) {
        case TAG_ANSWER_ID:
            answer->id = number;
            break;
        case TAG_ANSWER_STATUS:
            answer->status = (uint32_t)number;
            break;
        case TAG_ANSWER_MESSAGE:
            answer->message = value;
            break;
        case TAG_ANSWER_DETAILS:
            answer->details = value;
            break;
        case TAG_ANSWER_PAYLOAD:
            answer->payload = value;
            break;
        default:
            break;
        }
    }
    return true;
}

/* --- writing: first how long it will be, then into reserved room --- */

static size_t varint_bytes(uint64_t value)
{
    size_t bytes = 1;
    while (value >>= 7)
        bytes++;
    return bytes;
}

/* Fields with their default value are left out, as proto3 has it. */
static size_t number_bytes(uint64_t value)
{
    return value ? 1 + varint_bytes(value) : 0;
}

static size_t text_bytes(size_t size)
{
    return 1 + varint_bytes(size) + size;
}

static size_t maybe_text_bytes(size_t size)
{
    return size ? text_bytes(size) : 0;
}

static char *put_varint(char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(value | 0x80);
    *to++ = (char)value;
    return to;
}

static char *put_number(char *to, uint8_t tag, uint64_t value)
{
    if (!value)
        return to;
    *to++ = (char)tag;
    return put_varint(to, value);
}

static char *put_head(char *to, uint8_t tag, size_t size)
{
    *to++ = (char)tag;
    return put_varint(to, size);
}

static char *put_text(char *to, uint8_t tag, struct str text)
{
    if (!text.len)
        return to;
    to = put_head(to, tag, text.len);
    memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static size_t pair_bytes(const struct rpc_metadata *pair)
{
    return maybe_text_bytes(pair->key.len) + maybe_text_bytes(pair->value.len);
}

static char *put_pair(char *to, uint8_t tag, const struct rpc_metadata *pair)
{
    to = put_head(to, tag, pair_bytes(pair));
    to = put_text(to, TAG_PAIR_KEY, pair->key);
    return put_text(to, TAG_PAIR_VALUE, pair->value);
}

void callstream_add_call(struct buf *out, const struct callstream_call *call)
{
    size_t size = number_bytes(call->id) + maybe_text_bytes(call->method.len) +
                  maybe_text_bytes(call->payload.len) + number_bytes(call->timeout_ms);
    for (size_t i = 0; i < call->metadata_count; i++)
        size += text_bytes(pair_bytes(&call->metadata[i]));
    char *to = buf_reserve(out, text_bytes(size));
    if (!to)
        return;
    to = put_head(to, TAG_BATCH_CALL, size);
    to = put_number(to, TAG_CALL_ID, call->id);
    to = put_text(to, TAG_CALL_METHOD, call->method);
    to = put_text(to, TAG_CALL_PAYLOAD, call->payload);
    to = put_number(to, TAG_CALL_TIMEOUT, call->timeout_ms);
    for (size_t i = 0; i < call->metadata_count; i++)
        to = put_pair(to, TAG_CALL_METADATA, &call->metadata[i]);
    out->len += text_bytes(size);
}

/* A field of the message itself, also when its value is 0. */
static void add_number(struct buf *out, uint8_t tag, uint64_t value)
{
    char *to = buf_reserve(out, 1 + varint_bytes(value));
    if (!to)
        return;
    *to = (char)tag;
    put_varint(to + 1, value);
    out->len += 1 + varint_bytes(value);
}

void callstream_add_cancel(struct buf *out, uint64_t id)
{
    add_number(out, TAG_BATCH_CANCELLED, id);
}

void callstream_add_limit(struct buf *out, uint32_t answer_bytes_max)
{
    add_number(out, TAG_BATCH_LIMIT, answer_bytes_max);
}

void callstream_add_closing(struct buf *out)
{
    add_number(out, TAG_ANSWERS_CLOSING, 1);
}

char *callstream_add_answer(struct buf *out, const struct callstream_answer *answer,
                            const struct rpc_metadata *trailers, size_t trailer_count)
{
    size_t size = number_bytes(answer->id) + number_bytes(answer->status) +
                  maybe_text_bytes(answer->message.len) + maybe_text_bytes(answer->details.len) +
                  text_bytes(answer->payload.len);
    for (size_t i = 0; i < trailer_count; i++)
        size += text_bytes(pair_bytes(&trailers[i]));
    char *to = buf_reserve(out, text_bytes(size));
    if (!to)
        return NULL;
    to = put_head(to, TAG_ANSWERS_ANSWER, size);
    to = put_number(to, TAG_ANSWER_ID, answer->id);
    to = put_number(to, TAG_ANSWER_STATUS, answer->status);
    to = put_text(to, TAG_ANSWER_MESSAGE, answer->message);
    to = put_text(to, TAG_ANSWER_DETAILS, answer->details);
    for (size_t i = 0; i < trailer_count; i++)
        to = put_pair(to, TAG_ANSWER_TRAILER, &trailers[i]);
    to = put_head(to, TAG_ANSWER_PAYLOAD, answer->payload.len);
    out->len += text_bytes(size);
    return to;
}
