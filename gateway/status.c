/* The one place where gRPC's codes become HTTP. */
#include "gateway/status.h"

#include "base/json_out.h"
#include "gateway/transcode.h"
#include "gateway/wire.h"
#include "http/http.h"
#include "rpc/reasons.h"

#include <string.h>

int status_of_code(enum code code)
{
    static const int table[] = {
        [CODE_OK] = 200,
        [CODE_CANCELLED] = 499,
        [CODE_UNKNOWN] = 500,
        [CODE_INVALID_ARGUMENT] = 400,
        [CODE_DEADLINE_EXCEEDED] = 504,
        [CODE_NOT_FOUND] = 404,
        [CODE_ALREADY_EXISTS] = 409,
        [CODE_PERMISSION_DENIED] = 403,
        [CODE_RESOURCE_EXHAUSTED] = 429,
        [CODE_FAILED_PRECONDITION] = 400,
        [CODE_ABORTED] = 409,
        [CODE_OUT_OF_RANGE] = 400,
        [CODE_UNIMPLEMENTED] = 501,
        [CODE_INTERNAL] = 500,
        [CODE_UNAVAILABLE] = 503,
        [CODE_DATA_LOSS] = 500,
        [CODE_UNAUTHENTICATED] = 401,
    };
    return (size_t)code < sizeof table / sizeof *table ? table[code] : 500;
}

enum code status_code_of_http(int http_status)
{
    switch (http_status) {
    case 401:
        return CODE_UNAUTHENTICATED;
    case 403:
        return CODE_PERMISSION_DENIED;
    case 404:
        return CODE_NOT_FOUND;
    case 408:
        return CODE_DEADLINE_EXCEEDED;
    case 409:
        return CODE_ABORTED;
    case 412:
        return CODE_FAILED_PRECONDITION;
    case 429:
        return CODE_RESOURCE_EXHAUSTED;
    case 405:
    case 501:
    case 505:
        return CODE_UNIMPLEMENTED;
    case 503:
        return CODE_UNAVAILABLE;
    case 504:
        return CODE_DEADLINE_EXCEEDED;
    default:
        return http_status >= 500 ? CODE_INTERNAL : CODE_INVALID_ARGUMENT;
    }
}

static uint32_t retry_after(int http_status, uint32_t milliseconds)
{
    if (milliseconds)
        return (milliseconds + 999) / 1000;
    return http_status == 429 || http_status == 503 ? 1 : 0;
}

struct failure status_own(int http_status, const struct error *err)
{
    if (!http_status)
        http_status = status_of_code(err->code);
    return (struct failure){
        .http_status = http_status,
        .code = err->code,
        .message = str_of(err->text),
        .err = err,
        .retry_after_s = retry_after(http_status, err->retry_after_ms),
    };
}

struct words {
    const char *text, *reason;
};

/* What is said instead of an upstream's own words; text NULL: they may be seen. */
static struct words instead(enum code code, bool has_details)
{
    switch (code) {
    case CODE_UNKNOWN:
    case CODE_INTERNAL:
    case CODE_DATA_LOSS:
        return (struct words){"The service failed; the request id helps to find out why.",
                              "UPSTREAM_FAILED"};
    case CODE_UNAVAILABLE:
        if (!has_details)
            return (struct words){"The service cannot be reached right now; try again.",
                                  "UPSTREAM_UNAVAILABLE"};
        break;
    case CODE_DEADLINE_EXCEEDED:
        if (!has_details)
            return (struct words){"The service did not answer in time.", "UPSTREAM_TIMEOUT"};
        break;
    case CODE_CANCELLED:
        if (!has_details)
            return (struct words){"The request was cancelled.", "CANCELLED"};
        break;
    default:
        break;
    }
    return (struct words){NULL, NULL};
}

/* The service did not refuse the client but us: a wrong set-up, which no client can mend. */
static bool refused_us(const struct error *err)
{
    static const char *const reasons[] = {REASON_PEER_UNKNOWN, REASON_PEER_TOKEN_WRONG,
                                          REASON_CALLER_MALFORMED, REASON_CALLER_NOT_BELIEVED,
                                          REASON_METHOD_NOT_GRANTED};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(err->reason, reasons[i]) == 0)
            return err->code == CODE_UNAUTHENTICATED || err->code == CODE_PERMISSION_DENIED;
    return false;
}

/* A message between us and the service was larger than it may be, which is not what 429 says. The C
 * core knows no other way to tell than its words. */
static bool is_too_large(const struct rpc_result *result, const struct error *err)
{
    static const char words[] = "message larger than max";
    return result->code == CODE_RESOURCE_EXHAUSTED &&
           (strcmp(err->reason, REASON_MESSAGE_TOO_LARGE) == 0 ||
            (!result->details.len &&
             memmem(result->message.ptr, result->message.len, words, sizeof words - 1)));
}

/* The service has no room left: nothing that this caller did too often (429), nor can mend. */
static bool is_full(const struct error *err)
{
    return err->code == CODE_RESOURCE_EXHAUSTED &&
           (strcmp(err->reason, "DISK_FULL") == 0 || strcmp(err->reason, "OUTBOX_FULL") == 0 ||
            strcmp(err->reason, "OVERLOADED") == 0);
}

/* The resource has changed: ABORTED as ours say it, FAILED_PRECONDITION as AIP-154 has it. */
static bool is_stale(const struct error *err)
{
    return (err->code == CODE_ABORTED || err->code == CODE_FAILED_PRECONDITION) &&
           strcmp(err->reason, "ETAG_MISMATCH") == 0;
}

struct failure status_upstream(const struct rpc_result *result, bool if_match, struct error *err)
{
    error_clear(err);
    rpc_result_error(result, err);
    bool too_large = is_too_large(result, err);
    enum code code = refused_us(err) || too_large ? CODE_INTERNAL : result->code;
    struct words words = instead(code, result->details.len > 0);
    if (too_large)
        words = (struct words){"A message to or from the service is larger than it may be.",
                               REASON_MESSAGE_TOO_LARGE};
    struct failure failure = {.http_status = status_of_code(code),
                              .code = code,
                              .message = result->message,
                              .details = result->details,
                              .err = err};
    if (words.text) {
        uint32_t retry_after_ms = err->retry_after_ms;
        error_set(err, code, words.reason, "%s", words.text);
        err->retry_after_ms = retry_after_ms;
        failure.message = str_of(err->text);
        failure.details = (struct str){"", 0};
    }
    if (if_match && is_stale(err))
        failure.http_status = 412;
    if (strcmp(err->reason, "IDEMPOTENCY_KEY_REUSED") == 0)
        failure.http_status = 422;
    if (is_full(err))
        failure.http_status = 503;
    failure.retry_after_s = retry_after(failure.http_status, err->retry_after_ms);
    return failure;
}

/* --- details --- */

static void own_details(const struct error *err, struct json_out *json)
{
    if (!err)
        return;
    if (err->reason[0]) {
        json_object_begin(json);
        json_key(json, STR("@type"));
        json_string(json, STR("type.googleapis.com/google.rpc.ErrorInfo"));
        json_key(json, STR("reason"));
        json_string(json, str_of(err->reason));
        json_key(json, STR("domain"));
        json_string(json, STR("omnidata"));
        json_object_end(json);
    }
    if (!err->field_count)
        return;
    json_object_begin(json);
    json_key(json, STR("@type"));
    json_string(json, STR("type.googleapis.com/google.rpc.BadRequest"));
    json_key(json, STR("fieldViolations"));
    json_array_begin(json);
    for (uint32_t i = 0; i < err->field_count; i++) {
        json_object_begin(json);
        json_key(json, STR("field"));
        json_string(json, str_of(err->fields[i].path));
        json_key(json, STR("description"));
        json_string(json, str_of(err->fields[i].text));
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

/* The full name of the type that an Any holds, as its URL says. */
static struct str any_name(struct str any)
{
    struct str url = {"", 0};
    struct wire_record record;
    while (wire_next(&any, &record) == WIRE_RECORD)
        if (record.number == 1 && record.type == WIRE_BYTES)
            url = record.bytes;
    size_t at = url.len;
    while (at && url.ptr[at - 1] != '/')
        at--;
    return str_from(url, at);
}

/* google.rpc.Status.details is field 3; what cannot be shown, or must not, is left out. */
static void upstream_details(struct str status, const struct status_types *types,
                             struct arena *arena, struct json_out *json)
{
    const struct schema *ours = types->builtin ? types->builtin : types->schema;
    const struct schema_message *any = schema_find_message(ours, STR("google.protobuf.Any"));
    struct wire_record record;
    struct error err = {0};
    while (any && wire_next(&status, &record) == WIRE_RECORD) {
        if (record.number != 3 || record.type != WIRE_BYTES)
            continue;
        struct str name = any_name(record.bytes);
        struct buf text;
        buf_init_arena(&text, arena, 64 << 10);
        struct transcode_out to = {schema_find_message(types->schema, name) ? types->schema : ours,
                                   &text, arena, true};
        if (str_eq(name, STR("google.rpc.DebugInfo")) ||
            transcode_message_out(&to, any, record.bytes, &err) != CODE_OK)
            continue;
        json_raw(json, buf_str(&text));
    }
}

static void details(const struct failure *failure, const struct status_types *types,
                    struct arena *arena, struct json_out *json)
{
    json_array_begin(json);
    if (failure->details.len && types)
        upstream_details(failure->details, types, arena, json);
    else
        own_details(failure->err, json);
    json_array_end(json);
}

/* --- bodies --- */

static void member(struct json_out *json, struct str key, struct str text)
{
    json_key(json, key);
    json_string(json, text);
}

struct str status_body(const struct failure *failure, enum status_shape shape,
                       const struct status_types *types, struct arena *arena, struct buf *out)
{
    struct json_out json = json_out_to(out);
    json_object_begin(&json);
    if (shape == STATUS_AWS) {
        member(&json, STR("message"), failure->message);
    } else if (shape == STATUS_PROBLEM) {
        member(&json, STR("type"), STR("about:blank"));
        member(&json, STR("title"), str_of(http_reason(failure->http_status)));
        json_key(&json, STR("status"));
        json_i64(&json, failure->http_status);
        member(&json, STR("detail"), failure->message);
        member(&json, STR("code"), str_of(code_name(failure->code)));
        json_key(&json, STR("details"));
        details(failure, types, arena, &json);
    } else {
        json_key(&json, STR("error"));
        json_object_begin(&json);
        json_key(&json, STR("code"));
        json_i64(&json, failure->http_status);
        member(&json, STR("message"), failure->message);
        member(&json, STR("status"), str_of(code_name(failure->code)));
        json_key(&json, STR("details"));
        details(failure, types, arena, &json);
        json_object_end(&json);
    }
    json_object_end(&json);
    return shape == STATUS_PROBLEM ? STR("application/problem+json") : STR("application/json");
}
