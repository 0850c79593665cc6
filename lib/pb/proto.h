/* protobuf-c with this project's memory: messages live in an arena, encodings in a buf. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/*
 * Decodes into the arena; unknown fields are kept in the message. NULL when the bytes are no such
 * message, or when one of its texts holds a NUL byte: the C string would silently be a shorter one.
 * Texts are not checked to be UTF-8 here: see proto_check_utf8.
 */
void *proto_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str bytes);

/*
 * Why proto_decode refused: true when a text in `bytes` holds a NUL byte, and the path of the first
 * that does, without indexes: `user.labels.value`. False as well when the path has no room in
 * `path`.
 */
bool proto_nul_path(const ProtobufCMessageDescriptor *type, struct str bytes, char *path,
                    size_t path_bytes);

/* Appends the encoding. */
void proto_encode(struct buf *out, const ProtobufCMessage *message);

/* Encodes into the arena. */
struct str proto_encode_arena(struct arena *arena, const ProtobufCMessage *message);

/*
 * proto3 wants every string to be UTF-8, and protobuf-c does not look. INVALID_ARGUMENT with the
 * path of the first that is not.
 */
enum code proto_check_utf8(const ProtobufCMessage *message, struct error *err) MUST_CHECK;

/* The encoded FileDescriptorSet of all protos of this project, imports included. */
struct str proto_builtin_set(void);
