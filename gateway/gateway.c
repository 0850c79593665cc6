/*
 * The pipeline, from start to end, as one list. Requests run through it in their loop's thread up
 * to the call; the answer is written in the upstream's completion thread.
 */
#include "gateway/request.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/access.h"
#include "gateway/document.h"
#include "gateway/origin.h"
#include "gateway/static.h"

#include <string.h>
#include <time.h>

struct stage {
    enum stage_result (*run)(struct request *request);
};

/*
 * When the headers are complete: nothing of a body has been read, and refusals are cheap. The order
 * is the order in which refusals win:
 *   identify, cors   refuse nobody. A preflight is answered here: it carries no key by design, and
 *                    costs no more than a refusal would
 *   probe            before all limits: a flood from the balancer's address must not make the
 *                    orchestrator kill a process that is well
 *   address          429 per client address, before anything that costs
 *   guard, document, route   415, /openapi.json, 404, 405: the same for everybody
 *   key              403 unless the method's policy is public: key, plan, expiry
 *   rate             429 by the key; for a public key without a token by key and address
 *   sign-in          401, 403: the only dear stage, so behind all that is cheap
 *   charge           429: a public key with a token by key and subject; then the quota, which only
 *                    those are charged whom nobody has refused
 *   media            400, 415 by the route
 * --access=open goes without key, rate and charge, and its sign-in asks for nothing: a token that
 * is sent must be good all the same.
 */
static const struct stage AT_HEADERS[] = {
    {stage_identify}, {stage_cors},     {stage_probe},  {stage_address},
    {stage_guard},    {stage_document}, {stage_route},  {stage_key},
    {stage_rate},     {stage_sign_in},  {stage_charge}, {stage_media},
};

/* When the body is complete. Who has to wait for the first lease of a quota comes here once more.
 */
static const struct stage AT_BODY[] = {{stage_settle}, {stage_decode}, {stage_call}};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void run_stages(struct request *request, const struct stage *stages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (stages[i].run(request) == STAGE_ANSWERED)
            return;
        request->common_header_count = i < 2 ? request->header_count : request->common_header_count;
    }
}

static struct request *new_request(void *context, struct http_exchange *exchange)
{
    struct arena *arena = http_exchange_arena(exchange);
    struct request *request = arena_alloc(arena, sizeof *request);
    memset(request, 0, offsetof(struct request, headers));
    memset((char *)request + offsetof(struct request, header_count), 0,
           sizeof *request - offsetof(struct request, header_count));
    request->gateway = context;
    request->exchange = exchange;
    request->http = http_exchange_request(exchange);
    request->arena = arena;
    request->started_us = now_us();
    request->caller.address = request->http->peer;
    request->is_head = str_eq(request->http->method, STR("HEAD"));
    pthread_mutex_init(&request->lock, NULL);
    http_exchange_set_user(exchange, request);
    return request;
}

static void on_headers(void *context, struct http_exchange *exchange)
{
    run_stages(new_request(context, exchange), AT_HEADERS, sizeof AT_HEADERS / sizeof *AT_HEADERS);
}

static void on_request(void *context, struct http_exchange *exchange)
{
    (void)context;
    run_stages(http_exchange_user(exchange), AT_BODY, sizeof AT_BODY / sizeof *AT_BODY);
}

/* What the engine refuses by itself looks like all other failures. */
static void on_error_body(void *context, int status, const char *text, struct buf *body,
                          struct str *content_type)
{
    const struct gateway *gateway = context;
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {400, "MALFORMED_REQUEST"}, {408, "REQUEST_TIMEOUT"},    {413, "BODY_TOO_LARGE"},
        {414, "TARGET_TOO_LONG"},   {417, "EXPECTATION_FAILED"}, {431, "HEADERS_TOO_LARGE"},
        {501, "NOT_IMPLEMENTED"},   {503, "OVERLOADED"},         {505, "HTTP_VERSION"},
    };
    const char *reason = NULL;
    struct error err;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            reason = reasons[i].reason;
    error_set(&err, status_code_of_http(status), reason, "%s", text);
    struct failure failure = status_own(status, &err);
    *content_type = status_body(&failure, gateway->options.shape, NULL, NULL, body);
}

/* They carry what all answers carry, also when the request never came to the first stage. */
static size_t on_error_headers(void *context, struct http_exchange *exchange,
                               struct http_header *headers, size_t room)
{
    struct request *request = http_exchange_user(exchange);
    if (!request) {
        request = new_request(context, exchange);
        stage_identify(request);
        cors_headers(request);
        request->common_header_count = request->header_count;
    }
    request->header_count = request->common_header_count;
    request_header(request, STR("Cache-Control"), STR("no-store"));
    size_t count = request->header_count < room ? request->header_count : room;
    memcpy(headers, request->headers, count * sizeof *headers);
    return count;
}

static void on_finished(void *context, struct http_exchange *exchange, int status,
                        uint64_t body_bytes, bool aborted)
{
    const struct gateway *gateway = context;
    struct request *request = http_exchange_user(exchange);
    const struct http_request *http = http_exchange_request(exchange);
    struct access_line line = {.method = http->method,
                               .code = str_of(code_name(status_code_of_http(status))),
                               .peer = http->peer,
                               .status = status,
                               .bytes = body_bytes,
                               .aborted = aborted};
    if (request) {
        line.route = request->label;
        line.request_id = str_of(request->id);
        line.trace_id = str_of(request->trace.id);
        line.error = str_of(request->hidden);
        line.key_id = request->caller.key_id;
        line.issuer = request->caller.issuer;
        line.subject = request->caller.subject;
        line.reason = str_of(request->reason);
        line.client = request->caller.address;
        line.duration_us = now_us() - request->started_us;
        line.dropped = request->dropped;
    }
    if (status < 400 || (request && request->code != CODE_OK))
        line.code = str_of(code_name(request ? request->code : CODE_OK));
    access_log_add(gateway->options.access_log, &line);
    if (request)
        pthread_mutex_destroy(&request->lock);
}

/* All calls that a round of the loop has started go out together. */
static void on_gathered(void *context)
{
    const struct gateway *gateway = context;
    upstreams_flush(gateway->upstreams);
}

/* --- start --- */

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

/* The request's one field that is a FieldMask: what a PATCH changes. */
static void find_mask(const struct schema_message *input, struct schema_path *path)
{
    path->count = 0;
    for (uint32_t i = 0; i < input->field_count; i++) {
        const struct schema_field *field = &input->fields[i];
        if (field->message && !field->repeated && field->message->well_known == SCHEMA_FIELD_MASK) {
            path->fields[0] = field;
            path->count = 1;
            return;
        }
    }
}

static enum code add_method(struct gateway *gateway, const struct schema_method *method,
                            struct error *err)
{
    struct upstream *upstream = upstreams_find(gateway->upstreams, method->service);
    struct endpoint *endpoint = arena_alloc0(&gateway->arena, sizeof *endpoint);
    const struct schema_policy *policy = &method->policy;
    endpoint->upstream = upstream;
    find_mask(method->input, &endpoint->mask);
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
        .handler = {.context = gateway,
                    .headers = on_headers,
                    .request = on_request,
                    .error_body = on_error_body,
                    .error_headers = on_error_headers,
                    .finished = on_finished,
                    .gathered = on_gathered},
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
    arena_clear(&gateway->arena);
    xfree(gateway);
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
        code = schema_load(options->descriptor_set, &gateway->schema, err);
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
