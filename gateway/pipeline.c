/*
 * The pipeline, from start to end, as one list. Requests run through it in their loop's thread up
 * to the call; the answer is written in the upstream's completion thread.
 */
#include "gateway/probe.h"
#include "gateway/request.h"

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

static bool is_exempt(void *context, const struct http_request *request)
{
    (void)context;
    return probe_is(request->path);
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
static void on_error_body(void *context, struct http_exchange *exchange, int status,
                          const char *text, struct buf *body, struct str *content_type)
{
    const struct gateway *gateway = context;
    enum status_shape shape =
        request_shape(gateway, http_exchange_request(exchange), http_exchange_arena(exchange));
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
    *content_type = status_body(&failure, shape, NULL, NULL, body);
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
        line.dropped = http_exchange_dropped(exchange);
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

struct http_handler pipeline_handler(struct gateway *gateway)
{
    return (struct http_handler){.context = gateway,
                                 .headers = on_headers,
                                 .request = on_request,
                                 .is_exempt = is_exempt,
                                 .error_body = on_error_body,
                                 .error_headers = on_error_headers,
                                 .finished = on_finished,
                                 .gathered = on_gathered};
}
