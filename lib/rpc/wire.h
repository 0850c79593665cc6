/* Bytes between this project's types and the core's: slices, byte buffers, metadata. */
#pragma once
#include "base/str.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* The bytes of a slice. Short ones lie inside the struct: the pointer is good as long as it. */
struct str rpc_slice_str(const grpc_slice *slice);

/* A slice with a copy of the bytes; unref it. */
grpc_slice rpc_slice_copy(struct str bytes);

/* A received message in one piece: in place when it came in one, else put together. */
struct rpc_view {
    struct str bytes;
    grpc_slice joined; /* has to be given back when `owned` */
    bool owned;
};

/* False when the buffer cannot be read (it is compressed and broken). `buffer` must outlive it. */
bool rpc_view_open(struct rpc_view *view, grpc_byte_buffer *buffer);
void rpc_view_close(struct rpc_view *view);

/* New byte buffers; give back with grpc_byte_buffer_destroy. */
grpc_byte_buffer *rpc_buffer_of(struct str bytes);
grpc_byte_buffer *rpc_buffer_pack(const ProtobufCMessage *message);

/* The value of a metadata key, or an empty str; it belongs to the call. */
struct str rpc_metadata_find(const grpc_metadata_array *metadata, struct str key);

/* False for what the core would refuse, and the whole call or reply with it. */
bool rpc_metadata_is_legal(struct str key, struct str value);
