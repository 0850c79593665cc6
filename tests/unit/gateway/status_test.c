/* Codes to statuses, bodies by shape, and what of an upstream's words is kept back. */
#include "gateway/status.h"
#include "pb/proto.h"
#include "tests/support/unit.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <string.h>

/* Rule 16. */
static void maps_codes(void **state)
{
    static const int wanted[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                                 400, 409, 400, 501, 500, 503, 500, 401};
    (void)state;
    for (int code = 0; code <= 16; code++)
        assert_int_equal(status_of_code((enum code)code), wanted[code]);
    assert_int_equal(status_of_code((enum code)17), 500);
    assert_int_equal(status_of_code((enum code) - 1), 500);
    assert_int_equal(status_code_of_http(413), CODE_INVALID_ARGUMENT);
    assert_int_equal(status_code_of_http(502), CODE_INTERNAL);
    assert_int_equal(status_code_of_http(503), CODE_UNAVAILABLE);
}

static const char *body(const struct failure *failure, enum status_shape shape,
                        const struct schema *schema, struct arena *arena)
{
    struct buf *out = arena_alloc(arena, sizeof *out);
    buf_init_arena(out, arena, 1 << 20);
    status_body(failure, shape, &(struct status_types){schema, NULL}, arena, out);
    return buf_cstr(out);
}

/* Rule 17. */
static void writes_shapes(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    (void)state;
    error_field(&err, "user.email", "is \"wrong\"");
    struct failure failure = status_own(0, &err);
    assert_string_equal(
        body(&failure, STATUS_GOOGLE, NULL, &arena),
        "{\"error\":{\"code\":400,\"message\":\"user.email: is \\\"wrong\\\"\","
        "\"status\":\"INVALID_ARGUMENT\",\"details\":["
        "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"INVALID_FIELD\","
        "\"domain\":\"omnidata\"},"
        "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":["
        "{\"field\":\"user.email\",\"description\":\"is \\\"wrong\\\"\"}]}]}}");
    assert_string_equal(body(&failure, STATUS_AWS, NULL, &arena),
                        "{\"message\":\"user.email: is \\\"wrong\\\"\"}");
    error_set(&err, CODE_NOT_FOUND, NULL, "gone");
    failure = status_own(0, &err);
    assert_string_equal(body(&failure, STATUS_PROBLEM, NULL, &arena),
                        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                        "\"detail\":\"gone\",\"code\":\"NOT_FOUND\",\"details\":[]}");
    arena_clear(&arena);
}

static struct str details_with(const char *reason, struct arena *arena)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, other = GOOGLE__PROTOBUF__ANY__INIT,
                          debug = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *list[] = {&any, &debug, &other};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    info.reason = (char *)(uintptr_t)reason;
    struct str bytes = proto_encode_arena(arena, &info.base);
    any.type_url = (char *)(uintptr_t) "type.googleapis.com/google.rpc.ErrorInfo";
    any.value.data = (uint8_t *)(uintptr_t)bytes.ptr;
    any.value.len = bytes.len;
    debug.type_url = (char *)(uintptr_t) "type.googleapis.com/google.rpc.DebugInfo";
    other.type_url = (char *)(uintptr_t) "type.googleapis.com/some.Unknown";
    other.value.data = (uint8_t *)(uintptr_t) "\1\2";
    other.value.len = 2;
    status.n_details = 3;
    status.details = list;
    return proto_encode_arena(arena, &status.base);
}

/* Rules 17 and 18. */
static void keeps_details_and_hides_the_inside(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    struct schema *schema;
    (void)state;
    assert_int_equal(schema_load(proto_builtin_set(), &schema, &err), CODE_OK);
    struct rpc_result result = {CODE_NOT_FOUND, STR("no such user"), details_with("GONE", &arena),
                                STR("")};
    struct failure failure = status_upstream(&result, false, &err);
    const char *seen = body(&failure, STATUS_GOOGLE, schema, &arena);
    assert_non_null(strstr(seen, "\"message\":\"no such user\""));
    assert_non_null(strstr(seen, "\"reason\":\"GONE\""));
    assert_non_null(
        strstr(seen, "{\"@type\":\"type.googleapis.com/some.Unknown\",\"value\":\"AQI=\"}"));
    assert_null(strstr(seen, "DebugInfo"));
    static const enum code hidden[] = {CODE_INTERNAL, CODE_UNKNOWN, CODE_DATA_LOSS};
    for (size_t i = 0; i < 3; i++) {
        result.code = hidden[i];
        failure = status_upstream(&result, false, &err);
        seen = body(&failure, STATUS_GOOGLE, schema, &arena);
        assert_null(strstr(seen, "GONE"));
        assert_null(strstr(seen, "no such user"));
        assert_int_equal(failure.http_status, 500);
    }
    struct rpc_result down = {CODE_UNAVAILABLE, STR("connect to 10.0.0.1 failed"), STR(""),
                              STR("")};
    failure = status_upstream(&down, false, &err);
    assert_null(strstr(body(&failure, STATUS_GOOGLE, schema, &arena), "10.0.0.1"));
    assert_int_equal(failure.retry_after_s, 1);
    schema_free(schema);
    arena_clear(&arena);
}

/* Rules 16, 18, 20 and 21. */
static void knows_the_special_statuses(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    (void)state;
    struct rpc_result result = {CODE_ABORTED, STR("x"), details_with("ETAG_MISMATCH", &arena),
                                STR("")};
    assert_int_equal(status_upstream(&result, true, &err).http_status, 412);
    assert_int_equal(status_upstream(&result, false, &err).http_status, 409);
    result.details = details_with("OTHER", &arena);
    assert_int_equal(status_upstream(&result, true, &err).http_status, 409);
    result.code = CODE_INVALID_ARGUMENT;
    result.details = details_with("IDEMPOTENCY_KEY_REUSED", &arena);
    assert_int_equal(status_upstream(&result, false, &err).http_status, 422);
    static const struct {
        const char *reason;
        int status;
    } exhausted[] = {{"DISK_FULL", 503}, {"OUTBOX_FULL", 503}, {"TOO_MANY", 429}};
    result.code = CODE_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < sizeof exhausted / sizeof *exhausted; i++) {
        result.details = details_with(exhausted[i].reason, &arena);
        struct failure failure = status_upstream(&result, false, &err);
        assert_int_equal(failure.http_status, exhausted[i].status);
        assert_int_equal(failure.retry_after_s, 1);
        assert_true(str_eq(failure.message, STR("x")));
    }
    /* What is too large is not too often: by our own reason, and by the words of the C core. */
    const struct rpc_result large[] = {{CODE_RESOURCE_EXHAUSTED, STR("the answer of 9 bytes …"),
                                        details_with("MESSAGE_TOO_LARGE", &arena), STR("")},
                                       {CODE_RESOURCE_EXHAUSTED,
                                        STR("CLIENT: Received message larger than max (9 vs. 8)"),
                                        STR(""), STR("")}};
    for (size_t i = 0; i < 2; i++) {
        struct failure failure = status_upstream(&large[i], false, &err);
        assert_int_equal(failure.http_status, 500);
        assert_int_equal(failure.retry_after_s, 0);
        assert_string_equal(err.reason, "MESSAGE_TOO_LARGE");
        assert_null(strchr(err.text, '9'));
    }
    result = (struct rpc_result){CODE_RESOURCE_EXHAUSTED, STR("a message larger than max"),
                                 details_with("OTHER", &arena), STR("")};
    assert_int_equal(status_upstream(&result, false, &err).http_status, 429);
    error_clear(&err);
    err.code = CODE_RESOURCE_EXHAUSTED;
    err.retry_after_ms = 1001;
    assert_int_equal(status_own(0, &err).retry_after_s, 2);
    arena_clear(&arena);
}

/* Rule 18: who is refused as a gateway has not been refused as a client. */
static void what_is_between_us_and_the_service_stays_there(void **state)
{
    static const struct {
        enum code code;
        const char *reason;
        int status;
    } cases[] = {
        {CODE_UNAUTHENTICATED, "PEER_TOKEN_WRONG", 500},
        {CODE_PERMISSION_DENIED, "METHOD_NOT_GRANTED", 500},
        {CODE_UNAUTHENTICATED, "SIGN_IN_REQUIRED", 401},
        {CODE_PERMISSION_DENIED, "SCOPE_REQUIRED", 403},
        {CODE_NOT_FOUND, "PEER_UNKNOWN", 404},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct error err = {0};
        const struct rpc_result result = {cases[i].code, STR("words"),
                                          details_with(cases[i].reason, &arena), STR("")};
        const struct failure failure = status_upstream(&result, false, &err);
        assert_int_equal(failure.http_status, cases[i].status);
        assert_int_equal(str_eq(failure.message, STR("words")), cases[i].status != 500);
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_codes),
        cmocka_unit_test(writes_shapes),
        cmocka_unit_test(keeps_details_and_hides_the_inside),
        cmocka_unit_test(knows_the_special_statuses),
        cmocka_unit_test(what_is_between_us_and_the_service_stays_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
