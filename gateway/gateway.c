/*
 * A gateway's life: descriptors and upstreams to routes, then listening; and the way back. What
 * becomes of a request is pipeline.c's.
 */
#include "gateway/request.h"

#include "base/alloc.h"
#include "base/log.h"
#include "gateway/access.h"
#include "gateway/document.h"
#include "gateway/origin.h"
#include "gateway/static.h"
#include "pb/proto.h"

#include <string.h>
#include <time.h>

static enum code policy_path(const struct schema_method *method,
                             const struct schema_message *message, struct str dotted,
                             struct schema_path *path, struct error *err)
{
    path->count = 0;
    if (!dotted.len || schema_path_of(message, dotted, path))
        return CODE_OK;
    return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_POLICY", "%.*s: no field '%.*s' in %.*s",
                     STR_ARG(method->full_path), STR_ARG(dotted), STR_ARG(message->full_name));
}

/* Which field says what a PATCH changes: update_mask (AIP-134), or the request's only FieldMask but
 * for a read_mask, which says what is answered (AIP-157). */
static void find_mask(const struct schema_message *input, struct schema_path *path)
{
    size_t found = 0;
    path->count = 0;
    for (uint32_t i = 0; i < input->field_count; i++) {
        const struct schema_field *field = &input->fields[i];
        if (!field->message || field->repeated || field->message->well_known != SCHEMA_FIELD_MASK ||
            str_eq(field->name, STR("read_mask")))
            continue;
        path->fields[0] = field;
        path->count = ++found == 1;
        if (str_eq(field->name, STR("update_mask"))) {
            path->count = 1;
            return;
        }
    }
}

/* The request's flag that makes an update create what is not there (AIP-134). */
static void find_allow_missing(const struct schema_message *input, struct schema_path *path)
{
    const struct schema_field *field = schema_field_of(input, STR("allow_missing"));
    path->fields[0] = field;
    path->count = field && field->type == SCHEMA_BOOL && !field->repeated;
}

static enum code add_method(struct gateway *gateway, const struct schema_method *method,
                            struct error *err)
{
    struct upstream *upstream = upstreams_find(gateway->upstreams, method->service);
    struct endpoint *endpoint = arena_alloc0(&gateway->arena, sizeof *endpoint);
    const struct schema_policy *policy = &method->policy;
    endpoint->upstream = upstream;
    find_mask(method->input, &endpoint->mask);
    find_allow_missing(method->input, &endpoint->allow_missing);
    if (policy_path(method, method->input, policy->idempotency_field, &endpoint->idempotency,
                    err) ||
        policy_path(method, method->input, policy->if_match_field, &endpoint->if_match, err) ||
        policy_path(method, method->output, policy->etag_field, &endpoint->etag, err))
        return err->code;
    for (size_t i = 0; i < method->binding_count; i++)
        if (route_table_add(gateway->routes, method, &method->bindings[i], endpoint, err) !=
            CODE_OK)
            return err->code;
    return CODE_OK;
}

static bool is_routed(const struct gateway *gateway, const struct schema_method *method)
{
    return method->policy.access != SCHEMA_ACCESS_INTERNAL &&
           upstreams_find(gateway->upstreams, method->service);
}

static enum code add_routes(struct gateway *gateway, struct error *err)
{
    size_t count, routed = 0;
    const struct schema_method *methods = schema_methods(gateway->schema, &count);
    const struct schema_method **list = arena_alloc(&gateway->arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        if (!is_routed(gateway, &methods[i]))
            continue;
        list[routed++] = &methods[i];
        if (add_method(gateway, &methods[i], err) != CODE_OK)
            return err->code;
    }
    struct comments *comments = comments_new(gateway->options.descriptor_set);
    const struct openapi_options about = {
        .schema = gateway->schema,
        .comments = comments,
        .methods = list,
        .method_count = routed,
        .title = gateway->options.api_title,
        .secured = gateway->options.access == GATEWAY_ACCESS_POLICY,
        .ignore_unknown = gateway->options.ignore_unknown,
        .require_if_match = gateway->options.require_if_match,
        .shape = gateway->options.shape,
    };
    enum code code = document_new(&about, &gateway->document, err);
    comments_free(comments);
    return code;
}

static enum code listen_on(struct gateway *gateway, struct error *err)
{
    const struct tls_options *tls = &gateway->options.tls;
    if ((tls->cert_file[0] || tls->key_file[0] || tls->client_ca_file[0]) &&
        tls_new(tls, &gateway->tls, err) != CODE_OK)
        return error_prefix(err, "--tls-cert, --tls-key, --tls-client-ca");
    struct http_server_options http = {
        .address = gateway->options.listen,
        .threads = gateway->options.threads,
        .tls = gateway->tls,
        .http2 = gateway->options.http2,
        .limits = gateway->options.limits,
        .handler = pipeline_handler(gateway),
    };
    if (http_server_start(&http, &gateway->server, err) != CODE_OK)
        return error_prefix(err, "--listen");
    return CODE_OK;
}

static enum code start_access(struct gateway *gateway, struct error *err)
{
    struct upstream *upstream =
        upstreams_find(gateway->upstreams, STR("omnidata.access.v1.AccessService"));
    return access_new(&gateway->options, upstream ? upstream->client : NULL, &gateway->access, err);
}

static void release(struct gateway *gateway)
{
    tls_free(gateway->tls);
    access_stop(gateway->access);
    upstreams_free(gateway->upstreams); /* calls end here, and answer */
    access_free(gateway->access);
    stream_table_free(gateway->streams);
    static_free(gateway->files);
    sign_in_free(gateway->sign_in);
    document_free(gateway->document);
    route_table_free(gateway->routes);
    schema_free(gateway->schema);
    schema_free(gateway->builtin);
    arena_clear(&gateway->arena);
    xfree(gateway);
}

static enum code load_schema(struct gateway *gateway, struct error *err)
{
    struct str set = gateway->options.descriptor_set, builtin = proto_builtin_set();
    enum code code = schema_load(set, &gateway->schema, err);
    if (code == CODE_OK && set.ptr != builtin.ptr)
        code = schema_load(builtin, &gateway->builtin, err);
    gateway->types = (struct status_types){gateway->schema, gateway->builtin};
    return code;
}

static enum code open_files(struct gateway *gateway, struct error *err)
{
    const struct gateway_options *options = &gateway->options;
    struct static_options files = {options->frontend_dir, options->page_config,
                                   options->page_origins};
    if (files.directory[0])
        return static_open(&files, &gateway->files, err);
    if (files.page_config[0] || files.page_origins.len)
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_SETTING",
                         "--page-config and --page-origins belong to a --frontend-dir");
    return CODE_OK;
}

enum code gateway_start(const struct gateway_options *options, struct gateway **started,
                        struct error *err)
{
    struct gateway *gateway = xcalloc(1, sizeof *gateway);
    gateway->options = *options;
    gateway->routes = route_table_new();
    *started = NULL;
    enum code code = origins_check("cors-origins", options->cors_origins, true, err);
    if (code == CODE_OK)
        code = load_schema(gateway, err);
    if (code == CODE_OK)
        code = upstreams_new(
            &(struct upstreams_options){.mapping = options->upstreams,
                                        .message_bytes_max = options->message_bytes_max,
                                        .call_streams = options->call_streams,
                                        .identity = options->identity},
            &gateway->upstreams, err);
    if (code == CODE_OK)
        code = add_routes(gateway, err);
    if (code == CODE_OK)
        code = sign_in_new(&options->sign_in, &gateway->sign_in, err);
    if (code == CODE_OK)
        code = open_files(gateway, err);
    if (code == CODE_OK)
        code = start_access(gateway, err);
    if (code == CODE_OK) {
        gateway->streams = stream_table_new(options->heartbeat_ms);
        code = listen_on(gateway, err);
    }
    if (code != CODE_OK) {
        release(gateway);
        return code;
    }
    if (options->access == GATEWAY_ACCESS_OPEN)
        log_warn("access_open", LOG_C("setting", "--access=open"),
                 LOG_C("meaning", "whoever reaches this address may call everything"));
    if (gateway->sign_in)
        sign_in_start(gateway->sign_in);
    else if (options->access == GATEWAY_ACCESS_POLICY)
        log_warn("no_issuers", LOG_C("setting", "--issuers"),
                 LOG_C("meaning", "nobody can sign in: what needs a user is refused"));
    upstreams_warn_unused(gateway->upstreams);
    upstreams_watch(gateway->upstreams, options->health_poll_ms);
    *started = gateway;
    return CODE_OK;
}

int gateway_port(const struct gateway *gateway)
{
    return http_server_port(gateway->server);
}

bool gateway_drain(struct gateway *gateway, int64_t linger_ms, int64_t grace_ms)
{
    struct timespec pause = {linger_ms / 1000, linger_ms % 1000 * 1000000};
    atomic_store(&gateway->draining, true);
    nanosleep(&pause, NULL);
    stream_table_drain(gateway->streams);
    bool clean = http_server_drain(gateway->server, grace_ms);
    access_drain(gateway->access);
    release(gateway);
    return clean;
}
