/*
 * Copies are made only where ownership demands one: a message that came in one slice is read in
 * place, one that is sent is packed straight into the slice that goes out.
 */
#include "rpc/wire.h"

#include <grpc/byte_buffer_reader.h>

struct str rpc_slice_str(const grpc_slice *slice)
{
    return (struct str){(const char *)GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice)};
}

grpc_slice rpc_slice_copy(struct str bytes)
{
    return grpc_slice_from_copied_buffer(bytes.ptr ? bytes.ptr : "", bytes.len);
}

bool rpc_view_open(struct rpc_view *view, grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    *view = (struct rpc_view){0};
    if (buffer->type == GRPC_BB_RAW && buffer->data.raw.compression == GRPC_COMPRESS_NONE &&
        buffer->data.raw.slice_buffer.count <= 1) {
        if (buffer->data.raw.slice_buffer.count)
            view->bytes = rpc_slice_str(&buffer->data.raw.slice_buffer.slices[0]);
        return true;
    }
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return false;
    view->joined = grpc_byte_buffer_reader_readall(&reader);
    view->owned = true;
    view->bytes = rpc_slice_str(&view->joined);
    grpc_byte_buffer_reader_destroy(&reader);
    return true;
}

void rpc_view_close(struct rpc_view *view)
{
    if (view->owned)
        grpc_slice_unref(view->joined);
    *view = (struct rpc_view){0};
}

static grpc_byte_buffer *buffer_from(grpc_slice slice)
{
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

grpc_byte_buffer *rpc_buffer_of(struct str bytes)
{
    return buffer_from(rpc_slice_copy(bytes));
}

grpc_byte_buffer *rpc_buffer_pack(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    return buffer_from(slice);
}

struct str rpc_metadata_find(const grpc_metadata_array *metadata, struct str key)
{
    for (size_t i = 0; i < metadata->count; i++)
        if (str_eq(rpc_slice_str(&metadata->metadata[i].key), key))
            return rpc_slice_str(&metadata->metadata[i].value);
    return (struct str){0};
}

bool rpc_metadata_is_legal(struct str key, struct str value)
{
    grpc_slice key_slice = grpc_slice_from_static_buffer(key.ptr, key.len);
    return grpc_header_key_is_legal(key_slice) &&
           (grpc_is_binary_header(key_slice) ||
            grpc_header_nonbin_value_is_legal(grpc_slice_from_static_buffer(value.ptr, value.len)));
}
