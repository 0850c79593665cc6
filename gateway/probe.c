/* /healthz: the process answers. /readyz: it and all its upstreams can do their work. */
#include "gateway/probe.h"

#include "base/json_out.h"
#include "gateway/access.h"
#include "gateway/request.h"

static void answer_ready(struct request *request)
{
    struct gateway *gateway = request->gateway;
    struct buf body;
    bool draining = atomic_load(&gateway->draining);
    struct keys *keys = gateway->access->keys;
    bool ready = !draining && upstreams_healthy(gateway->upstreams) && (!keys || keys_ready(keys));
    buf_init_arena(&body, request->arena, 64 << 10);
    struct json_out json = json_out_to(&body);
    json_object_begin(&json);
    json_key(&json, STR("status"));
    json_string(&json, ready ? STR("ready") : STR("not_ready"));
    json_key(&json, STR("draining"));
    json_bool(&json, draining);
    json_key(&json, STR("upstreams"));
    upstreams_describe(gateway->upstreams, &json);
    if (keys) {
        json_key(&json, STR("keys"));
        keys_describe(keys, &json);
    }
    if (gateway->sign_in) {
        json_key(&json, STR("issuers"));
        sign_in_describe(gateway->sign_in, &json);
    }
    json_object_end(&json);
    if (!ready)
        request_header(request, STR("Retry-After"), STR("1"));
    request_answer(request, ready ? 200 : 503, STR("application/json"), buf_str(&body));
}

static const struct str HEALTH = {"/healthz", 8}, READY = {"/readyz", 7};

bool probe_is(struct str path)
{
    return str_eq(path, HEALTH) || str_eq(path, READY);
}

enum stage_result stage_probe(struct request *request)
{
    bool health = str_eq(request->http->path, HEALTH);
    if (!probe_is(request->http->path))
        return STAGE_GO;
    request->label = health ? HEALTH : READY;
    if (!str_eq(request->http->method, STR("GET")) && !request->is_head) {
        struct error err = {0};
        error_set(&err, CODE_UNIMPLEMENTED, "METHOD_NOT_ALLOWED",
                  "Only GET and HEAD are answered.");
        request_header(request, STR("Allow"), STR("GET, HEAD"));
        return request_fail_own(request, 405, &err);
    }
    if (health)
        request_answer(request, 200, STR("application/json"), STR("{\"status\":\"ok\"}"));
    else
        answer_ready(request);
    return STAGE_ANSWERED;
}
