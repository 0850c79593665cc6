/*
 * Extensions of MethodOptions are unknown fields to protobuf-c: their bytes are kept, each with its
 * length in front, and are decoded here by their own types.
 */
#include "rpc/policy.h"

#include "base/buf.h"
#include "pb/proto.h"

#include "google/api/http.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "omnidata/api/v1/options.pb-c.h"

enum { OPTION_HTTP = 72295728, OPTION_POLICY = 50700, EXTENSION_BYTES_MAX = 1 << 20 };

#define METHOD Google__Protobuf__MethodDescriptorProto
#define POLICY Omnidata__Api__V1__MethodPolicy

/* All occurrences, joined: that is how the wire format merges messages. */
static struct str extension(const Google__Protobuf__MethodOptions *options, uint32_t number,
                            struct arena *arena)
{
    struct buf all;
    buf_init_arena(&all, arena, EXTENSION_BYTES_MAX);
    for (unsigned i = 0; options && i < options->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->base.unknown_fields[i];
        size_t prefix = 0;
        if (field->tag != number || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        while (prefix < field->len && field->data[prefix] & 0x80)
            prefix++;
        if (prefix < field->len)
            buf_add_mem(&all, field->data + prefix + 1, field->len - prefix - 1);
    }
    return buf_str(&all);
}

static enum rpc_access access_of(const POLICY *policy, const Google__Api__HttpRule *http)
{
    switch (policy ? policy->access : OMNIDATA__API__V1__ACCESS__ACCESS_UNSPECIFIED) {
    case OMNIDATA__API__V1__ACCESS__ACCESS_PUBLIC:
        return RPC_ACCESS_PUBLIC;
    case OMNIDATA__API__V1__ACCESS__ACCESS_KEY:
        return RPC_ACCESS_KEY;
    case OMNIDATA__API__V1__ACCESS__ACCESS_SIGNED_IN:
        return RPC_ACCESS_SIGNED_IN;
    case OMNIDATA__API__V1__ACCESS__ACCESS_UNSPECIFIED:
        if (!http)
            return RPC_ACCESS_INTERNAL;
        return http->pattern_case == GOOGLE__API__HTTP_RULE__PATTERN_GET ? RPC_ACCESS_KEY
                                                                         : RPC_ACCESS_SIGNED_IN;
    default: /* internal, and what a newer proto may bring */
        return RPC_ACCESS_INTERNAL;
    }
}

static struct rpc_policy read_policy(const METHOD *method, struct arena *arena)
{
    struct str http_bytes = extension(method->options, OPTION_HTTP, arena);
    struct str policy_bytes = extension(method->options, OPTION_POLICY, arena);
    const Google__Api__HttpRule *http =
        http_bytes.len ? proto_decode(arena, &google__api__http_rule__descriptor, http_bytes)
                       : NULL;
    const POLICY *policy =
        policy_bytes.len
            ? proto_decode(arena, &omnidata__api__v1__method_policy__descriptor, policy_bytes)
            : NULL;
    struct rpc_policy read = {
        .access = access_of(policy, http),
        .writes = http && http->pattern_case != GOOGLE__API__HTTP_RULE__PATTERN_GET,
    };
    if (policy_bytes.len && !policy)
        read.access = RPC_ACCESS_INTERNAL;
    if (!policy)
        return read;
    struct str *scopes = arena_alloc(arena, (policy->n_scopes + 1) * sizeof *scopes);
    for (size_t i = 0; i < policy->n_scopes; i++)
        scopes[i] = str_of(policy->scopes[i]);
    read.scopes = scopes;
    read.scope_count = policy->n_scopes;
    return read;
}

static void each_of_file(const Google__Protobuf__FileDescriptorProto *file, struct arena *arena,
                         policy_fn each, void *argument)
{
    const char *dot = file->package && *file->package ? "." : "";
    for (size_t i = 0; i < file->n_service; i++) {
        const Google__Protobuf__ServiceDescriptorProto *service = file->service[i];
        for (size_t k = 0; k < service->n_method; k++) {
            const METHOD *method = service->method[k];
            char *path = arena_printf(arena, "/%s%s%s/%s", file->package ? file->package : "", dot,
                                      service->name, method->name);
            struct rpc_policy policy = read_policy(method, arena);
            each(argument, str_of(path), &policy);
        }
    }
}

void policy_each(struct str descriptor_set, policy_fn each, void *argument)
{
    struct arena arena;
    arena_init(&arena);
    const Google__Protobuf__FileDescriptorSet *set =
        proto_decode(&arena, &google__protobuf__file_descriptor_set__descriptor, descriptor_set);
    for (size_t i = 0; set && i < set->n_file; i++)
        each_of_file(set->file[i], &arena, each, argument);
    arena_clear(&arena);
}
