/* JSON 1.0 over POST /, with the operation in X-Amz-Target. */
#include "aws/dynamodb.h"

#include "base/alloc.h"

enum { ANSWER_DEPTH = 40 };

bool dynamodb_passes_by_itself(struct str reason)
{
    return str_eq(reason, STR("None")) || str_eq(reason, STR("TransactionConflict")) ||
           str_eq(reason, STR("ThrottlingError")) ||
           str_eq(reason, STR("ProvisionedThroughputExceeded"));
}

static struct json_limits limits(void)
{
    return (struct json_limits){.bytes = 17 << 20, .depth = ANSWER_DEPTH};
}

static bool is_transient(struct str error, struct str body)
{
    struct arena arena = {0};
    struct error err = {0};
    const struct json_value *root;
    bool transient = false, any = false;
    if (str_eq(error, STR("TransactionCanceledException")) &&
        json_read(&arena, body, limits(), &root, &err) == CODE_OK) {
        const struct json_value *reasons = json_get(root, STR("CancellationReasons"));
        transient = reasons && reasons->kind == JSON_ARRAY;
        for (const struct json_value *r = transient ? reasons->first : NULL; r; r = r->next) {
            transient &= dynamodb_passes_by_itself(json_get_text(r, STR("Code")));
            any |= !str_eq(json_get_text(r, STR("Code")), STR("None"));
        }
    }
    arena_clear(&arena);
    return transient && any;
}

static const struct aws_error_rule RULES[] = {
    {"ConditionalCheckFailedException", CODE_FAILED_PRECONDITION, AWS_FAIL},
    {"TransactionCanceledException", CODE_ABORTED, AWS_FAIL},
    {"TransactionConflictException", CODE_ABORTED, AWS_RETRY},
    {"TransactionInProgressException", CODE_ABORTED, AWS_RETRY},
    {"IdempotentParameterMismatchException", CODE_INVALID_ARGUMENT, AWS_FAIL},
    {"ReplicatedWriteConflictException", CODE_ABORTED, AWS_RETRY},
    {"ItemCollectionSizeLimitExceededException", CODE_RESOURCE_EXHAUSTED, AWS_FAIL},
};

const struct aws_service DYNAMODB_SERVICE = {
    .name = "dynamodb",
    .protocol = AWS_PROTOCOL_JSON,
    .rules = RULES,
    .rule_count = sizeof RULES / sizeof *RULES,
    .transient = is_transient,
};

static struct aws_request make_request(struct str operation, struct str body, int64_t deadline_ms,
                                       struct arena *arena)
{
    struct http_header *headers = arena_alloc(arena, 2 * sizeof *headers);
    headers[0] = (struct http_header){STR("Content-Type"), STR("application/x-amz-json-1.0")};
    headers[1] = (struct http_header){
        STR("X-Amz-Target"),
        str_of(arena_printf(arena, "DynamoDB_20120810.%.*s", STR_ARG(operation)))};
    return (struct aws_request){.method = STR("POST"),
                                .headers = headers,
                                .header_count = 2,
                                .body = body,
                                .deadline_ms = deadline_ms};
}

/* --- answers --- */

static void read_refusal(const struct aws_response *response, struct arena *arena,
                         struct dynamodb_refusal *refusal)
{
    const struct json_value *root = NULL;
    struct error err = {0};
    refusal->error = arena_str(arena, response->error);
    refusal->unsure = response->unsure;
    refusal->reason_count = 0;
    refusal->item = NULL;
    if (!response->body.len || json_read(arena, response->body, limits(), &root, &err) != CODE_OK)
        return;
    refusal->item = json_get(root, STR("Item"));
    const struct json_value *reasons = json_get(root, STR("CancellationReasons"));
    if (!reasons || reasons->kind != JSON_ARRAY)
        return;
    for (const struct json_value *r = reasons->first;
         r && refusal->reason_count < DYNAMODB_REASONS_MAX; r = r->next) {
        refusal->reasons[refusal->reason_count] = json_get_text(r, STR("Code"));
        refusal->items[refusal->reason_count++] = json_get(r, STR("Item"));
    }
}

struct dynamodb_call {
    struct arena arena;
    dynamodb_done_fn done;
    void *argument;
};

static void on_done(void *argument, const struct aws_response *response, const struct error *err)
{
    struct dynamodb_call *call = argument;
    struct error wrong = {0};
    const struct json_value *answer = NULL;
    struct dynamodb_refusal *refusal = arena_alloc(&call->arena, sizeof *refusal);
    if (!err && json_read(&call->arena, response->body, limits(), &answer, &wrong) != CODE_OK) {
        error_set(&wrong, CODE_INTERNAL, NULL, "dynamodb: the answer is no JSON");
        err = &wrong;
    }
    read_refusal(response, &call->arena, refusal);
    call->done(call->argument, err ? NULL : answer, refusal, err);
    arena_clear(&call->arena);
    xfree(call);
}

enum code dynamodb_start(struct aws_client *client, struct str operation, struct str body,
                         int64_t deadline_ms, dynamodb_done_fn done, void *argument,
                         struct error *err)
{
    struct dynamodb_call *call = xcalloc(1, sizeof *call);
    const struct aws_request request = make_request(operation, body, deadline_ms, &call->arena);
    call->done = done;
    call->argument = argument;
    if (aws_start(client, &request, on_done, call, err) == CODE_OK)
        return CODE_OK;
    arena_clear(&call->arena);
    xfree(call);
    return err->code;
}

/* --- waiting for one: parsed where it is waited for, so that nothing is copied twice --- */

enum code dynamodb_call(struct aws_client *client, struct str operation, struct str body,
                        int64_t deadline_ms, struct arena *arena, const struct json_value **answer,
                        struct dynamodb_refusal *refusal, struct error *err)
{
    const struct aws_request request = make_request(operation, body, deadline_ms, arena);
    struct aws_response response;
    enum code code = aws_call(client, &request, arena, &response, err);
    if (refusal)
        read_refusal(&response, arena, refusal);
    if (code != CODE_OK)
        return code;
    if (json_read(arena, response.body, limits(), answer, err) != CODE_OK)
        return error_set(err, CODE_INTERNAL, NULL, "dynamodb: the answer is no JSON");
    return CODE_OK;
}
