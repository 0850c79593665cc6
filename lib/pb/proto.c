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

static bool take_varint(struct str *rest, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && rest->len; shift += 7) {
        uint8_t byte = (uint8_t)rest->ptr[0];
        *rest = str_from(*rest, 1);
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The bytes of a field's value (protobuf's wire types), taken off the front. */
static bool take_value(struct str *rest, unsigned wire_type, struct str *value)
{
    uint64_t size = wire_type == 1 ? 8 : 4;
    struct str start = *rest;
    if (wire_type == 0) {
        bool taken = take_varint(rest, &size);
        *value = (struct str){start.ptr, start.len - rest->len};
        return taken;
    }
    if (wire_type == 2 && !take_varint(rest, &size))
        return false;
    if ((wire_type != 1 && wire_type != 2 && wire_type != 5) || size > rest->len)
        return false;
    *value = (struct str){rest->ptr, size};
    *rest = str_from(*rest, size);
    return true;
}

/* Of bytes that protobuf-c has accepted, so nesting is bounded as it is there. */
static bool text_has_nul(const ProtobufCMessageDescriptor *type, struct str bytes)
{
    uint64_t tag;
    struct str value;
    while (bytes.len && take_varint(&bytes, &tag) && take_value(&bytes, tag & 7, &value)) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (!field || (tag & 7) != 2 || str_find(value, '\0') < 0)
            continue;
        if (field->type == PROTOBUF_C_TYPE_STRING)
            return true;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && text_has_nul(field->descriptor, value))
            return true;
    }
    return false;
}

void *proto_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str bytes)
{
    ProtobufCAllocator allocator = {allocate, release, arena};
    void *message =
        protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.ptr);
    return message && text_has_nul(type, bytes) ? NULL : message;
}

/* Of bytes that may be broken anywhere: `path` also bounds how deep this goes. */
bool proto_nul_path(const ProtobufCMessageDescriptor *type, struct str bytes, char *path,
                    size_t path_bytes)
{
    uint64_t tag;
    struct str value;
    while (bytes.len && take_varint(&bytes, &tag) && take_value(&bytes, tag & 7, &value)) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (!field || (tag & 7) != 2 || str_find(value, '\0') < 0)
            continue;
        bool text = field->type == PROTOBUF_C_TYPE_STRING;
        if (!text && field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        int used = snprintf(path, path_bytes, text ? "%s" : "%s.", field->name);
        if (used < 0 || (size_t)used >= path_bytes)
            return false;
        if (text ||
            proto_nul_path(field->descriptor, value, path + used, path_bytes - (size_t)used))
            return true;
    }
    return false;
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
