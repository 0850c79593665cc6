/* One emptied message is kept, so that a busy stream does not grow a buffer for each. */
#include "rpc/callstream_out.h"

#include "base/alloc.h"
#include "rpc/callstream.h"

struct callstream_message {
    struct callstream_message *next;
    struct buf bytes;
};

static struct callstream_message *new_message(struct callstream_out *out)
{
    struct callstream_message *message = out->spare;
    out->spare = NULL;
    if (!message) {
        message = xcalloc(1, sizeof *message);
        buf_init(&message->bytes, CALLSTREAM_MESSAGE_BYTES_MAX);
    }
    return message;
}

static void free_message(struct callstream_message *message)
{
    if (!message)
        return;
    buf_clear(&message->bytes);
    xfree(message);
}

struct buf *callstream_out_room(struct callstream_out *out, size_t size_bytes)
{
    struct callstream_message *last = out->last;
    size_t max = out->message_bytes_max ? out->message_bytes_max : CALLSTREAM_GATHER_BYTES;
    if (last && last->bytes.len + size_bytes <= max)
        return &last->bytes;
    struct callstream_message *message = new_message(out);
    if (last)
        last->next = message;
    else
        out->first = message;
    out->last = message;
    return &message->bytes;
}

size_t callstream_out_bytes(const struct callstream_out *out)
{
    size_t bytes = 0;
    for (const struct callstream_message *one = out->first; one; one = one->next)
        bytes += one->bytes.len;
    return bytes;
}

grpc_byte_buffer *callstream_out_take(struct callstream_out *out)
{
    struct callstream_message *message = out->first;
    if (!message)
        return NULL;
    grpc_byte_buffer *buffer = rpc_buffer_of(buf_str(&message->bytes));
    out->first = message->next;
    if (!out->first)
        out->last = NULL;
    message->next = NULL;
    buf_reset(&message->bytes);
    if (out->spare || message->bytes.cap > 2 * CALLSTREAM_GATHER_BYTES)
        free_message(message);
    else
        out->spare = message;
    return buffer;
}

void callstream_out_clear(struct callstream_out *out)
{
    while (out->first) {
        struct callstream_message *next = out->first->next;
        free_message(out->first);
        out->first = next;
    }
    free_message(out->spare);
    *out = (struct callstream_out){0};
}
