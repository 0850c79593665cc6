/* Settings as addresses: what is taken, and in which words the rest is refused. */
#include "tests/support/unit.h"

#include "aws/location.h"

#include <stdio.h>
#include <string.h>

static const char *region_variable;

static char *environment(const char *name)
{
    static char value[32];
    if (strcmp(name, "AWS_REGION") != 0 || !region_variable)
        return NULL;
    snprintf(value, sizeof value, "%s", region_variable);
    return value;
}

static void reads_what_is_there(void **state)
{
    static const struct {
        const char *text, *service, *name, *prefix, *region, *endpoint, *host;
    } cases[] = {
        {"dynamodb://users?region=eu-central-1&endpoint=http://127.0.0.1:8000", "dynamodb", "users",
         "", "eu-central-1", "http://127.0.0.1:8000", "127.0.0.1:8000"},
        {"dynamodb://users", "dynamodb", "users", "", "us-west-2",
         "https://dynamodb.us-west-2.amazonaws.com", "dynamodb.us-west-2.amazonaws.com"},
        {"sqs://omni-events.fifo?region=cn-north-1", "sqs", "omni-events.fifo", "", "cn-north-1",
         "https://sqs.cn-north-1.amazonaws.com.cn", "sqs.cn-north-1.amazonaws.com.cn"},
        {"s3://my-bucket/a/b/?endpoint=https%3A%2F%2Flocalhost/", "s3", "my-bucket", "a/b",
         "us-west-2", "https://localhost", "localhost"},
        {"s3://my-bucket/", "s3", "my-bucket", "", "us-west-2",
         "https://s3.us-west-2.amazonaws.com", "s3.us-west-2.amazonaws.com"},
        {"sns://arn:aws:sns:eu-west-1:123456789012:alarms", "sns",
         "arn:aws:sns:eu-west-1:123456789012:alarms", "", "eu-west-1",
         "https://sns.eu-west-1.amazonaws.com", "sns.eu-west-1.amazonaws.com"},
    };
    (void)state;
    region_variable = "us-west-2";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct aws_location l;
        struct error err = {0};
        if (aws_location_read(str_of(cases[i].text), cases[i].service, environment, NULL, 0, &arena,
                              &l, &err) != CODE_OK)
            fail_msg("%s", err.text);
        assert_true(str_eq(l.name, str_of(cases[i].name)));
        assert_true(str_eq(l.prefix, str_of(cases[i].prefix)));
        assert_true(str_eq(l.region, str_of(cases[i].region)));
        assert_true(str_eq(l.endpoint, str_of(cases[i].endpoint)));
        assert_true(str_eq(l.host, str_of(cases[i].host)));
        arena_clear(&arena);
    }
}

static void refuses_by_name(void **state)
{
    static const struct {
        const char *text, *service, *says;
    } cases[] = {
        {"sqs://q?region=x", "dynamodb", "\"sqs://q?region=x\" is not dynamodb://NAME"},
        {"dynamodb://", "dynamodb", "\"dynamodb://\": no name can be \"\""},
        {"dynamodb://a b", "dynamodb", "\"dynamodb://a b\": no name can be \"a b\""},
        {"s3://Ab_c", "s3", "\"s3://Ab_c\": no name can be \"Ab_c\""},
        {"sqs://q?colour=red", "sqs", "\"sqs://q?colour=red\": unknown parameter \"colour\""},
        {"sqs://q?region=", "sqs", "a parameter has no or a malformed value"},
        {"sqs://q?region=a%zz", "sqs", "a parameter has no or a malformed value"},
        {"sqs://q?region", "sqs", "a parameter is not NAME=VALUE"},
        {"sqs://q?region=a&region=b", "sqs", "region is given twice"},
        {"sqs://q?region=a_b", "sqs", "region is not one, such as eu-central-1"},
        {"sqs://q?region=a&shards=1&shards=2", "sqs", "shards is given twice"},
        {"sqs://q?endpoint=ftp://x", "sqs", "endpoint is not http://HOST[:PORT]"},
        {"sqs://q?endpoint=http://u@x", "sqs", "endpoint is not http://HOST[:PORT]"},
        {"sqs://q?endpoint=http://x/path", "sqs", "endpoint is not http://HOST[:PORT]"},
        {"sqs://q?endpoint=http://a&endpoint=http://b", "sqs", "endpoint is given twice"},
        {"sqs://q", "sqs", "\"sqs://q\": no region: add ?region=… or set AWS_REGION"},
    };
    (void)state;
    region_variable = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct aws_parameter own[] = {{"shards", {0}}};
        struct aws_location l;
        struct error err = {0};
        assert_int_equal(aws_location_read(str_of(cases[i].text), cases[i].service, environment,
                                           own, 1, &arena, &l, &err),
                         CODE_INVALID_ARGUMENT);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
        arena_clear(&arena);
    }
}

static void takes_parameters_of_the_caller(void **state)
{
    struct arena arena = {0};
    struct aws_parameter own[] = {{"shards", {0}}, {"other", {0}}};
    struct aws_location l, beside;
    struct error err = {0};
    (void)state;
    assert_int_equal(aws_location_read(STR("dynamodb://t?shards=16&region=eu-west-1"), "dynamodb",
                                       environment, own, 2, &arena, &l, &err),
                     CODE_OK);
    assert_true(str_eq(own[0].value, STR("16")));
    assert_null(own[1].value.ptr);
    beside = aws_location_beside(&l, "sts", &arena);
    assert_true(str_eq(beside.endpoint, STR("https://sts.eu-west-1.amazonaws.com")));
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_there),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(takes_parameters_of_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
