/*
 * The third pass: services, with the two options of methods, which are extensions that protobuf-c
 * does not know and keeps as unknown fields.
 */
#include "base/buf.h"
#include "gateway/schema_loader.h"
#include "gateway/wire.h"
#include "pb/proto.h"

#include "google/api/http.pb-c.h"
#include "omnidata/api/v1/options.pb-c.h"

enum { OPTION_HTTP = 72295728, OPTION_POLICY = 50700 };

/* All occurrences of an extension, joined: that is how the wire format merges messages. */
static struct str extension(struct loader *l, const ProtobufCMessage *options, uint32_t tag)
{
    struct buf all;
    buf_init_arena(&all, &l->scratch, 1 << 20);
    for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];
        const char *at = (const char *)field->data, *end = at + field->len;
        uint64_t length;
        if (field->tag == tag && (int)field->wire_type == WIRE_BYTES &&
            wire_varint(&at, end, &length))
            buf_add_mem(&all, at, (size_t)(end - at));
    }
    return buf_str(&all);
}

static struct schema_binding binding_of(struct loader *l, const Google__Api__HttpRule *rule)
{
    const char *method = "", *path = "";
    switch (rule->pattern_case) {
    case GOOGLE__API__HTTP_RULE__PATTERN_GET:
        method = "GET", path = rule->get;
        break;
    case GOOGLE__API__HTTP_RULE__PATTERN_PUT:
        method = "PUT", path = rule->put;
        break;
    case GOOGLE__API__HTTP_RULE__PATTERN_POST:
        method = "POST", path = rule->post;
        break;
    case GOOGLE__API__HTTP_RULE__PATTERN_DELETE:
        method = "DELETE", path = rule->delete_;
        break;
    case GOOGLE__API__HTTP_RULE__PATTERN_PATCH:
        method = "PATCH", path = rule->patch;
        break;
    case GOOGLE__API__HTTP_RULE__PATTERN_CUSTOM:
        method = rule->custom->kind, path = rule->custom->path;
        break;
    default:
        break;
    }
    return (struct schema_binding){schema_keep(l, method), schema_keep(l, path),
                                   schema_keep(l, rule->body), schema_keep(l, rule->response_body)};
}

/* Additional bindings go one level deep, and stand beside a binding. */
static bool is_rule(const Google__Api__HttpRule *rule)
{
    bool sound = rule->pattern_case != GOOGLE__API__HTTP_RULE__PATTERN__NOT_SET ||
                 !rule->n_additional_bindings;
    for (size_t i = 0; i < rule->n_additional_bindings; i++)
        sound &= !rule->additional_bindings[i]->n_additional_bindings;
    return sound;
}

static void read_bindings(struct loader *l, struct schema_method *to,
                          const Google__Api__HttpRule *rule)
{
    if (rule->pattern_case == GOOGLE__API__HTTP_RULE__PATTERN__NOT_SET)
        return;
    size_t count = 1 + rule->n_additional_bindings;
    struct schema_binding *bindings = arena_alloc0(&l->schema->arena, count * sizeof *bindings);
    bindings[0] = binding_of(l, rule);
    for (size_t i = 1; i < count; i++)
        bindings[i] = binding_of(l, rule->additional_bindings[i - 1]);
    to->bindings = bindings;
    to->binding_count = count;
}

static void read_policy(struct loader *l, struct schema_policy *to,
                        const Omnidata__Api__V1__MethodPolicy *from)
{
    struct str *scopes = arena_alloc0(&l->schema->arena, (from->n_scopes + 1) * sizeof *scopes);
    for (size_t i = 0; i < from->n_scopes; i++)
        scopes[i] = schema_keep(l, from->scopes[i]);
    *to = (struct schema_policy){
        .access = (enum schema_access)from->access,
        .scopes = scopes,
        .scope_count = from->n_scopes,
        .quota_cost = from->quota_cost ? from->quota_cost : 1,
        .success_status = from->success_status ? from->success_status : 200,
        .location = schema_keep(l, from->location),
        .idempotency_field = schema_keep(l, from->idempotency_field),
        .etag_field = schema_keep(l, from->etag_field),
        .if_match_field = schema_keep(l, from->if_match_field),
        .etag_quoted = from->etag_quoted,
    };
}

static const struct schema_message *message_type(struct loader *l, const char *name)
{
    struct str text = str_of(name);
    return schema_find_message(l->schema,
                               text.len && text.ptr[0] == '.' ? str_from(text, 1) : text);
}

static bool read_method(struct loader *l, struct str service,
                        const DESCRIPTOR(MethodDescriptorProto) * from, struct schema_method *to)
{
    const ProtobufCMessage *options = from->options ? &from->options->base : NULL;
    to->service = service;
    to->full_path = str_of(arena_printf(&l->schema->arena, "/%.*s/%s", STR_ARG(service),
                                        from->name ? from->name : ""));
    to->input = message_type(l, from->input_type);
    to->output = message_type(l, from->output_type);
    to->client_streams = from->client_streaming;
    to->server_streams = from->server_streaming;
    const Google__Api__HttpRule *rule = proto_decode(
        &l->scratch, &google__api__http_rule__descriptor, extension(l, options, OPTION_HTTP));
    const Omnidata__Api__V1__MethodPolicy *policy =
        proto_decode(&l->scratch, &omnidata__api__v1__method_policy__descriptor,
                     extension(l, options, OPTION_POLICY));
    if (!to->input || !to->output || !rule || !policy) {
        error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR",
                  "%s: its types are missing or its options are malformed", to->full_path.ptr);
        return false;
    }
    if (!is_rule(rule)) {
        error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR",
                  "%s: additional_bindings need a binding beside them, and have none of their own",
                  to->full_path.ptr);
        return false;
    }
    read_bindings(l, to, rule);
    read_policy(l, &to->policy, policy);
    return true;
}

bool schema_load_services(struct loader *l)
{
    size_t total = 0;
    for (size_t f = 0; f < l->set->n_file; f++)
        for (size_t s = 0; s < l->set->file[f]->n_service; s++)
            total += l->set->file[f]->service[s]->n_method;
    struct schema_method *methods = arena_alloc0(&l->schema->arena, (total + 1) * sizeof *methods);
    l->schema->methods = methods;
    for (size_t f = 0; f < l->set->n_file; f++) {
        const DESCRIPTOR(FileDescriptorProto) *file = l->set->file[f];
        for (size_t s = 0; s < file->n_service; s++) {
            struct str service = schema_joined(l, str_of(file->package), file->service[s]->name);
            for (size_t m = 0; m < file->service[s]->n_method; m++)
                if (!read_method(l, service, file->service[s]->method[m],
                                 &methods[l->schema->method_count++]))
                    return false;
        }
    }
    return true;
}
