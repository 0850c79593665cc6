/* The arena as protobuf-c's allocator: freeing is a no-op, the request's end frees all. */
#include "pb/proto.h"

#include <stdio.h>
#include <string.h>

static void *allocate(void *arena, size_t size_bytes)
{
    return arena_alloc(arena, size_bytes);
}

static void release(void *arena, void *ptr)
{
    (void)arena;
    (void)ptr;
}

void *proto_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str bytes)
{
    ProtobufCAllocator allocator = {allocate, release, arena};
    return protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.ptr);
}

void proto_encode(struct buf *out, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    char *to = buf_reserve(out, size);
    if (to) {
        protobuf_c_message_pack(message, (uint8_t *)to);
        out->len += size;
    }
}

struct str proto_encode_arena(struct arena *arena, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *to = arena_alloc(arena, size + 1);
    protobuf_c_message_pack(message, to);
    return (struct str){(const char *)to, size};
}

static enum code check_value(const ProtobufCFieldDescriptor *field, const void *value,
                             struct error *err)
{
    enum code code = CODE_OK;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)value;
        if (text && !str_is_utf8(str_of(text)))
            code = error_field(err, field->name, "is not valid UTF-8");
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)value;
        if (inner && (code = proto_check_utf8(inner, err)) != CODE_OK && err->field_count) {
            char path[ERROR_FIELD_BYTES];
            snprintf(path, sizeof path, "%.60s.%.60s", field->name, err->fields[0].path);
            code = error_field((error_clear(err), err), path, "is not valid UTF-8");
        }
    }
    return code;
}

enum code proto_check_utf8(const ProtobufCMessage *message, struct error *err)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const char *at = (const char *)message + field->offset;
        const char *count_at = (const char *)message + field->quantifier_offset;
        if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)count_at != field->id)
            continue;
        size_t count = 1;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            memcpy(&count, count_at, sizeof count);
            at = *(char *const *)at;
        }
        for (size_t k = 0; k < count; k++)
            if (check_value(field, at + k * sizeof(void *), err) != CODE_OK)
                return err->code;
    }
    return CODE_OK;
}

extern const char pb_builtin_set[], pb_builtin_set_end[];

struct str proto_builtin_set(void)
{
    return (struct str){pb_builtin_set, (size_t)(pb_builtin_set_end - pb_builtin_set)};
}
