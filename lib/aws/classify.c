/*
 * Names decide first (throttling comes as a 400 in some services), then the status. What AWS
 * refuses for good is INTERNAL: our caller did nothing wrong, and a 403 of AWS's is no 403 of ours.
 */
#include "aws/classify.h"

#include "aws/xml.h"
#include "json/json_in.h"

#include <string.h>

static const struct aws_error_rule COMMON[] = {
    {"Throttling", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"ThrottlingException", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"ThrottledException", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"RequestThrottled", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"RequestThrottledException", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"TooManyRequestsException", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"RequestLimitExceeded", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"BandwidthLimitExceeded", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"ProvisionedThroughputExceededException", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"SlowDown", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"PriorRequestNotComplete", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"RequestTimeout", CODE_UNAVAILABLE, AWS_RETRY},
    {"RequestTimeoutException", CODE_UNAVAILABLE, AWS_RETRY},
    {"InternalError", CODE_UNAVAILABLE, AWS_RETRY},
    {"InternalFailure", CODE_UNAVAILABLE, AWS_RETRY},
    {"InternalServerError", CODE_UNAVAILABLE, AWS_RETRY},
    {"ServiceUnavailable", CODE_UNAVAILABLE, AWS_RETRY},
    {"ExpiredToken", CODE_INTERNAL, AWS_EXPIRED},
    {"ExpiredTokenException", CODE_INTERNAL, AWS_EXPIRED},
    {"RequestTimeTooSkewed", CODE_INTERNAL, AWS_SKEWED},
    {"RequestExpired", CODE_INTERNAL, AWS_SKEWED},
    {"RequestInTheFuture", CODE_INTERNAL, AWS_SKEWED},
};

static bool contains(struct str text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* "com.amazonaws.sqs#QueueDoesNotExist", "ValidationException:http://…" */
static struct str bare_name(struct str name)
{
    ptrdiff_t at = str_find(name, '#');
    if (at >= 0)
        name = str_from(name, (size_t)at + 1);
    at = str_find(name, ':');
    return at < 0 ? name : (struct str){name.ptr, (size_t)at};
}

static void read_json_error(struct str body, struct arena *arena, struct aws_failure *failure)
{
    const struct json_value *root;
    struct error err = {0};
    if (json_read(arena, body, json_limits_default(), &root, &err) != CODE_OK)
        return;
    struct str name = json_get_text(root, STR("__type"));
    if (!name.len)
        name = json_get_text(root, STR("code"));
    if (name.len)
        failure->name = bare_name(name);
    failure->message = json_get_text(root, STR("message"));
    if (!failure->message.len)
        failure->message = json_get_text(root, STR("Message"));
}

static const struct xml_node *error_element(struct str body, struct arena *arena)
{
    const struct xml_node *root;
    struct error err = {0};
    if (!body.len || xml_read(arena, body, &root, &err) != CODE_OK)
        return NULL;
    if (str_eq(root->name, STR("Error")))
        return root;
    return str_eq(root->name, STR("ErrorResponse")) ? xml_get(root, STR("Error")) : NULL;
}

bool aws_is_error_body(struct str body, struct arena *arena)
{
    return error_element(body, arena) != NULL;
}

static void read_xml_error(struct str body, struct arena *arena, struct aws_failure *failure)
{
    const struct xml_node *error = error_element(body, arena);
    struct str name = xml_text(error, "Code");
    if (name.len)
        failure->name = bare_name(name);
    failure->message = xml_text(error, "Message");
}

static const struct aws_error_rule *find_rule(const struct aws_error_rule *rules, size_t count,
                                              struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_of(rules[i].name)))
            return &rules[i];
    return NULL;
}

static void judge_by_status(int status, struct aws_failure *failure)
{
    failure->code = CODE_INTERNAL;
    failure->action = AWS_FAIL;
    if (status == 429 || status == 503) {
        failure->code = CODE_UNAVAILABLE;
        failure->action = AWS_THROTTLE;
    } else if (status >= 500 || status == 408) {
        failure->code = CODE_UNAVAILABLE;
        failure->action = AWS_RETRY;
    }
}

/* A clock that is wrong has no name of its own in the JSON and query services. */
static bool tells_of_skew(const struct aws_failure *failure)
{
    return (str_eq(failure->name, STR("InvalidSignatureException")) ||
            str_eq(failure->name, STR("SignatureDoesNotMatch"))) &&
           (contains(failure->message, "Signature expired") ||
            contains(failure->message, "Signature not yet current"));
}

struct aws_failure aws_classify(const struct aws_service *service, int status, struct str header,
                                struct str body, struct arena *arena)
{
    struct aws_failure failure = {.name = bare_name(header)};
    if (service->protocol == AWS_PROTOCOL_JSON)
        read_json_error(body, arena, &failure);
    else
        read_xml_error(body, arena, &failure);
    judge_by_status(status, &failure);
    const struct aws_error_rule *rule =
        find_rule(service->rules, service->rule_count, failure.name);
    if (!rule)
        rule = find_rule(COMMON, sizeof COMMON / sizeof *COMMON, failure.name);
    if (rule) {
        failure.code = rule->code;
        failure.action = rule->action;
    } else if (tells_of_skew(&failure)) {
        failure.action = AWS_SKEWED;
    }
    if (failure.action == AWS_FAIL && service->transient &&
        service->transient(failure.name, body)) {
        failure.code = CODE_UNAVAILABLE;
        failure.action = AWS_THROTTLE;
    }
    return failure;
}
