/* The thin layers: what goes out for each operation, and what each answer comes to. */
#include "tests/unit/aws/world.h"

#include "aws/dynamodb.h"
#include "aws/s3.h"
#include "aws/sns.h"
#include "aws/sqs.h"
#include "aws/sqs_batch.h"
#include "crypto/crypto.h"

static void use(struct world *world, const struct aws_service *service, const char *name)
{
    world->client = world_client(world, service, name);
}

/* --- DynamoDB --- */

/* Rule 39. */
static void dynamodb_answers_and_refuses(void **state)
{
    struct world *world = *state;
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    use(world, &DYNAMODB_SERVICE, "t");
    STUB_SCRIPT(world->stub, {200, "{\"Item\":{\"a\":{\"N\":\"1\"}}}", 0, 0});
    assert_int_equal(dynamodb_call(world->client, STR("GetItem"), STR("{}"), LONG_MS, &world->arena,
                                   &answer, &refusal, &world->err),
                     CODE_OK);
    assert_non_null(json_get(json_get(answer, STR("Item")), STR("a")));
    STUB_SCRIPT(world->stub,
                {400,
                 "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","
                 "\"Item\":{\"v\":{\"N\":\"7\"}}}",
                 0, 0});
    assert_int_equal(dynamodb_call(world->client, STR("PutItem"), STR("{}"), LONG_MS, &world->arena,
                                   &answer, &refusal, &world->err),
                     CODE_FAILED_PRECONDITION);
    assert_true(str_eq(refusal.error, STR("ConditionalCheckFailedException")));
    assert_non_null(json_get(refusal.item, STR("v")));
    STUB_SCRIPT(world->stub, {200, "no json", 0, 0});
    assert_int_equal(dynamodb_call(world->client, STR("GetItem"), STR("{}"), LONG_MS, &world->arena,
                                   &answer, &refusal, &world->err),
                     CODE_INTERNAL);
}

#define CANCELLED(reasons) \
    "{\"__type\":\"x#TransactionCanceledException\",\"message\":\"m\",\"CancellationReasons\":" \
    "[" reasons "]}"

/* Rule 39. Conflicts and throttling pass by themselves; a condition does not. */
static void a_transaction_is_tried_again_unless_a_condition_failed(void **state)
{
    static const struct {
        const char *reasons;
        int sent;
        enum code code;
    } cases[] = {
        {CANCELLED("{\"Code\":\"None\"},{\"Code\":\"TransactionConflict\"}"), 3, CODE_UNAVAILABLE},
        {CANCELLED("{\"Code\":\"ThrottlingError\"}"), 3, CODE_UNAVAILABLE},
        {CANCELLED("{\"Code\":\"ConditionalCheckFailed\",\"Item\":{}},{\"Code\":\"None\"},"
                   "{\"Code\":\"TransactionConflict\"}"),
         1, CODE_ABORTED},
        {CANCELLED("{\"Code\":\"ItemCollectionSizeLimitExceeded\"}"), 1, CODE_ABORTED},
        {CANCELLED("{\"Code\":\"None\"}"), 1, CODE_ABORTED},
        {CANCELLED(""), 1, CODE_ABORTED},
        {CANCELLED("7,null"), 1, CODE_ABORTED},
    };
    struct world *world = *state;
    use(world, &DYNAMODB_SERVICE, "t");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dynamodb_refusal refusal;
        const struct json_value *answer;
        const struct stub_step step = {400, cases[i].reasons, 0, 0};
        stub_script(world->stub, &step, 1);
        enum code code = dynamodb_call(world->client, STR("TransactWriteItems"), STR("{}"), LONG_MS,
                                       &world->arena, &answer, &refusal, &world->err);
        if (code != cases[i].code || (int)stub_count(world->stub) != cases[i].sent)
            fail_msg("case %zu: %s after %zu", i, code_name(code), stub_count(world->stub));
    }
    const struct stub_step step = {400, cases[2].reasons, 0, 0};
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    stub_script(world->stub, &step, 1);
    (void)!dynamodb_call(world->client, STR("TransactWriteItems"), STR("{}"), LONG_MS,
                         &world->arena, &answer, &refusal, &world->err);
    assert_int_equal(refusal.reason_count, 3);
    assert_true(str_eq(refusal.reasons[0], STR("ConditionalCheckFailed")));
    assert_non_null(refusal.items[0]);
    assert_null(refusal.items[1]);
}

struct waited {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
    enum code code;
    bool answered;
};

static void on_done(void *argument, const struct json_value *answer,
                    const struct dynamodb_refusal *refusal, const struct error *err)
{
    struct waited *waited = argument;
    (void)refusal;
    pthread_mutex_lock(&waited->lock);
    waited->count++;
    waited->code = err ? err->code : CODE_OK;
    waited->answered = answer != NULL;
    pthread_cond_signal(&waited->changed);
    pthread_mutex_unlock(&waited->lock);
}

static void dynamodb_can_be_asked_without_waiting(void **state)
{
    struct world *world = *state;
    struct waited waited = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    use(world, &DYNAMODB_SERVICE, "t");
    STUB_SCRIPT(world->stub, {500, "", 0, 0}, {200, "{}", 0, 0});
    assert_int_equal(dynamodb_start(world->client, STR("GetItem"), STR("{}"), LONG_MS, on_done,
                                    &waited, &world->err),
                     CODE_OK);
    pthread_mutex_lock(&waited.lock);
    while (!waited.count)
        pthread_cond_wait(&waited.changed, &waited.lock);
    pthread_mutex_unlock(&waited.lock);
    assert_int_equal(waited.code, CODE_OK);
    assert_true(waited.answered);
}

/* --- S3 --- */

static struct s3_content content_of(const char *text)
{
    struct s3_content content = {.bytes = str_of(text)};
    crypto_sha256(content.bytes, content.sha256);
    return content;
}

static const char *const EXISTS = "<Error><Code>PreconditionFailed</Code><Message/></Error>";

/* Rule 34. */
static void an_object_is_created_if_its_key_is_free(void **state)
{
    struct world *world = *state;
    struct s3_content content = content_of("x");
    bool created, unsure;
    stub_note_header(world->stub, "x-amz-checksum-sha256");
    use(world, &S3_SERVICE, "bucket/some/prefix");
    STUB_SCRIPT(world->stub, {200, "", 0, 0});
    assert_int_equal(s3_create(world->client, STR("dt=1/a b"), STR("text/plain"), &content, LONG_MS,
                               &created, &unsure, &world->err),
                     CODE_OK);
    assert_true(created && !unsure);
    assert_string_equal(stub_seen(world->stub)[0].method, "PUT");
    assert_string_equal(stub_seen(world->stub)[0].target, "/bucket/some/prefix/dt%3D1/a%20b");
    assert_string_equal(stub_seen(world->stub)[0].extra,
                        "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=");
    assert_non_null(strstr(stub_seen(world->stub)[0].authorization,
                           "SignedHeaders=content-type;host;if-none-match;x-amz-checksum-sha256;"
                           "x-amz-content-sha256;x-amz-date;x-amz-meta-sha256,"));
    STUB_SCRIPT(world->stub, {412, EXISTS, 0, 0});
    assert_int_equal(s3_create(world->client, STR("k"), STR("t/t"), &content, LONG_MS, &created,
                               &unsure, &world->err),
                     CODE_OK);
    assert_true(!created && !unsure);
    /* An answer was lost before: the object may be ours. */
    STUB_SCRIPT(world->stub, {500, "", 0, 0}, {412, EXISTS, 0, 0});
    assert_int_equal(s3_create(world->client, STR("k"), STR("t/t"), &content, LONG_MS, &created,
                               &unsure, &world->err),
                     CODE_OK);
    assert_true(!created && unsure);
    /* Somebody else is just creating it. */
    STUB_SCRIPT(world->stub, {409, "<Error><Code>ConditionalRequestConflict</Code></Error>", 0, 0},
                {200, "", 0, 0});
    assert_int_equal(s3_create(world->client, STR("k"), STR("t/t"), &content, LONG_MS, &created,
                               &unsure, &world->err),
                     CODE_OK);
    assert_true(created);
    STUB_SCRIPT(world->stub, {403, "<Error><Code>AccessDenied</Code></Error>", 0, 0});
    assert_int_equal(s3_create(world->client, STR("k"), STR("t/t"), &content, LONG_MS, &created,
                               &unsure, &world->err),
                     CODE_INTERNAL);
}

static ssize_t read_letters(void *context, int64_t offset, char *into, size_t room)
{
    (void)context;
    for (size_t i = 0; i < room; i++)
        into[i] = (char)('a' + (offset + (int64_t)i) % 26);
    return (ssize_t)room;
}

/* A body that is read piece by piece is read again from its beginning for the next attempt. */
static void an_object_may_come_from_a_reader(void **state)
{
    struct world *world = *state;
    struct s3_content content = {.read = read_letters, .size_bytes = 3000};
    char all[3000];
    bool created, unsure;
    read_letters(NULL, 0, all, sizeof all);
    crypto_sha256((struct str){all, sizeof all}, content.sha256);
    use(world, &S3_SERVICE, "bucket");
    STUB_SCRIPT(world->stub, {503, "", 0, 0}, {200, "", 0, 0});
    assert_int_equal(s3_create(world->client, STR("k"), STR("t/t"), &content, LONG_MS, &created,
                               &unsure, &world->err),
                     CODE_OK);
    assert_int_equal(stub_count(world->stub), 2);
    assert_memory_equal(stub_seen(world->stub)[1].body, all, sizeof all);
}

static void objects_are_looked_at_read_and_deleted(void **state)
{
    struct world *world = *state;
    struct s3_object object;
    struct str bytes;
    use(world, &S3_SERVICE, "bucket/p");
    STUB_SCRIPT(world->stub, {200, "12345", "x-amz-checksum-sha256", "abc="});
    assert_int_equal(s3_head(world->client, STR("k"), LONG_MS, &world->arena, &object, &world->err),
                     CODE_OK);
    assert_int_equal(object.size_bytes, 5);
    assert_true(str_eq(object.sha256, STR("abc=")));
    assert_int_equal(s3_get(world->client, STR("k"), LONG_MS, &world->arena, &bytes, &world->err),
                     CODE_OK);
    assert_true(str_eq(bytes, STR("12345")));
    STUB_SCRIPT(world->stub, {404, "<Error><Code>NoSuchKey</Code></Error>", 0, 0});
    assert_int_equal(s3_head(world->client, STR("k"), LONG_MS, &world->arena, &object, &world->err),
                     CODE_NOT_FOUND);
    assert_int_equal(s3_get(world->client, STR("k"), LONG_MS, &world->arena, &bytes, &world->err),
                     CODE_NOT_FOUND);
    assert_int_equal(s3_delete(world->client, STR("k"), LONG_MS, &world->err), CODE_OK);
    STUB_SCRIPT(world->stub, {404, "<Error><Code>NoSuchBucket</Code></Error>", 0, 0});
    assert_int_equal(s3_get(world->client, STR("k"), LONG_MS, &world->arena, &bytes, &world->err),
                     CODE_FAILED_PRECONDITION);
}

static void keys_are_listed_page_by_page(void **state)
{
    static const char first[] =
        "<ListBucketResult><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>a/b+c=</NextContinuationToken>"
        "<Contents><Key>p/dt=1/x&amp;y</Key><Size>7</Size><ETag>&quot;e&quot;</ETag>"
        "<LastModified>2026-11-26T00:00:01.500Z</LastModified></Contents></ListBucketResult>";
    struct world *world = *state;
    struct s3_object *objects;
    struct str token = STR("");
    size_t count;
    use(world, &S3_SERVICE, "bucket/p");
    STUB_SCRIPT(world->stub, {200, first, 0, 0}, {200, "<ListBucketResult/>", 0, 0});
    assert_int_equal(s3_list(world->client, STR("dt=1"), &token, LONG_MS, &world->arena, &objects,
                             &count, &world->err),
                     CODE_OK);
    assert_int_equal(count, 1);
    assert_true(str_eq(objects[0].key, STR("dt=1/x&y")));
    assert_int_equal(objects[0].size_bytes, 7);
    assert_int_equal(objects[0].modified_ms % 86400000, 1500);
    assert_int_equal(s3_list(world->client, STR("dt=1"), &token, LONG_MS, &world->arena, &objects,
                             &count, &world->err),
                     CODE_OK);
    assert_string_equal(stub_seen(world->stub)[1].target,
                        "/bucket?list-type=2&prefix=p%2Fdt%3D1&continuation-token=a%2Fb%2Bc%3D");
    assert_true(count == 0 && token.len == 0);
}

/* Rule 34. */
static void parts_become_an_object_that_was_not_there(void **state)
{
    static const char answer_begin[] =
        "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>";
    struct world *world = *state;
    struct s3_content content = content_of("part");
    struct s3_part part = {.number = 1};
    struct str upload;
    bool created, unsure;
    use(world, &S3_SERVICE, "bucket");
    STUB_SCRIPT(world->stub, {200, answer_begin, 0, 0}, {200, "", "ETag", "\"e<1\""},
                {200, "<Error><Code>InternalError</Code></Error>", 0, 0},
                {200, "<CompleteMultipartUploadResult/>", 0, 0});
    assert_int_equal(s3_upload_begin(world->client, STR("k"), STR("t/t"), content.sha256, LONG_MS,
                                     &world->arena, &upload, &world->err),
                     CODE_OK);
    assert_int_equal(s3_upload_part(world->client, STR("k"), upload, &content, LONG_MS,
                                    &world->arena, &part, &world->err),
                     CODE_OK);
    assert_string_equal(stub_seen(world->stub)[1].target, "/bucket/k?partNumber=1&uploadId=u%2F1");
    stub_note_header(world->stub, "If-None-Match");
    assert_int_equal(s3_upload_finish(world->client, STR("k"), upload, &part, 1, LONG_MS, &created,
                                      &unsure, &world->err),
                     CODE_OK);
    assert_true(created);
    assert_int_equal(stub_count(world->stub), 4); /* the 200 that was an error came again */
    assert_string_equal(stub_seen(world->stub)[3].extra, "*");
    assert_non_null(strstr(stub_seen(world->stub)[3].body, "<ETag>&quot;e&#60;1&quot;</ETag>"));
    STUB_SCRIPT(world->stub, {412, EXISTS, 0, 0});
    assert_int_equal(s3_upload_finish(world->client, STR("k"), upload, &part, 1, LONG_MS, &created,
                                      &unsure, &world->err),
                     CODE_OK);
    assert_false(created);
    STUB_SCRIPT(world->stub, {404, "<Error><Code>NoSuchUpload</Code></Error>", 0, 0});
    assert_int_equal(s3_upload_abort(world->client, STR("k"), upload, LONG_MS, &world->err),
                     CODE_OK);
}

/* --- SNS --- */

static void a_message_is_published(void **state)
{
    struct world *world = *state;
    struct str arn;
    use(world, &SNS_SERVICE, "alarms");
    STUB_SCRIPT(
        world->stub,
        {200,
         "<CreateTopicResponse><CreateTopicResult><TopicArn>arn:aws:sns:r:1:alarms</TopicArn>"
         "</CreateTopicResult></CreateTopicResponse>",
         0, 0},
        {200,
         "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult>"
         "</PublishResponse>",
         0, 0},
        {200, "<PublishResponse/>", 0, 0});
    assert_int_equal(sns_topic(world->client, LONG_MS, &world->arena, &arn, &world->err), CODE_OK);
    assert_int_equal(sns_publish(world->client, arn, STR(" \xC3\xA4rger\nim Haus"), STR("a&b ü"),
                                 LONG_MS, &world->err),
                     CODE_OK);
    assert_string_equal(
        stub_seen(world->stub)[1].body,
        "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Ar%3A1%3Aalarms"
        "&Subject=rger%3Fim%20Haus&Message=a%26b%20%C3%BC");
    assert_int_equal(sns_publish(world->client, arn, STR(""), STR("x"), LONG_MS, &world->err),
                     CODE_INTERNAL);
}

/* --- SQS --- */

#define URL \
    { \
        200, "{\"QueueUrl\":\"http://q\"}", 0, 0 \
    }
#define LIMITS \
    { \
        200, \
            "{\"Attributes\":{\"MaximumMessageSize\":\"1000\",\"RedrivePolicy\":" \
            "\"{\\\"maxReceiveCount\\\":5,\\\"deadLetterTargetArn\\\":\\\"arn:d\\\"}\"}}", \
            0, 0 \
    }

static struct sqs_queue *open_queue(struct world *world)
{
    struct sqs_queue *queue;
    use(world, &SQS_SERVICE, "q");
    STUB_SCRIPT(world->stub, URL, LIMITS);
    assert_int_equal(sqs_open(world->client, LONG_MS, &queue, &world->err), CODE_OK);
    assert_int_equal(sqs_limits(queue)->message_bytes_max, 1000);
    assert_int_equal(sqs_limits(queue)->receives_max, 5);
    assert_true(str_eq(sqs_limits(queue)->dead_letter_arn, STR("arn:d")));
    return queue;
}

/* Rule 27. */
static void batches_keep_to_the_limits(void **state)
{
    struct world *world = *state;
    struct sqs_queue *queue = open_queue(world);
    char bytes[600] = {0};
    struct sqs_item items[13];
    struct sqs_outcome outcomes[13];
    for (size_t i = 0; i < 13; i++) /* twelve small ones and one of 600 bytes: 808 in base64 */
        items[i] = (struct sqs_item){STR("id"), {bytes, i == 4 ? 600 : 60}};
    STUB_SCRIPT(world->stub, {200, "{}", 0, 0}); /* in neither list: none was taken */
    assert_int_equal(sqs_send_all(queue, items, 13, LONG_MS, outcomes, &world->err),
                     CODE_UNAVAILABLE);
    assert_string_equal(world->err.reason, "NoAnswer");
    /* 4 before the large one, it with two more, the 6 behind: three batches, three times. */
    assert_int_equal(stub_count(world->stub), 9);
    assert_non_null(strstr(stub_seen(world->stub)[0].body, "\"Id\":\"3\""));
    assert_null(strstr(stub_seen(world->stub)[0].body, "\"Id\":\"4\""));
    assert_null(strstr(stub_seen(world->stub)[1].body, "\"Id\":\"3\""));
    char large[1000] = {0};
    items[1].bytes = (struct str){large, 1000};
    assert_int_equal(sqs_send_all(queue, items + 1, 1, LONG_MS, outcomes, &world->err),
                     CODE_INVALID_ARGUMENT);
    assert_string_equal(outcomes[0].error, "MessageTooLong");
    sqs_close(queue);
}

/* Rule 28. What was taken is told, what failed is sent again, what is our fault is not. */
static void each_entry_has_a_fate_of_its_own(void **state)
{
    struct world *world = *state;
    struct sqs_queue *queue = open_queue(world);
    const struct sqs_item items[] = {
        {STR("1"), STR("a")}, {STR("2"), STR("a")}, {STR("3"), STR("a")}};
    struct sqs_outcome outcomes[3];
    char digest[33], first[400], second[200];
    uint8_t md5[CRYPTO_MD5_BYTES];
    crypto_md5(STR("YQ=="), md5);
    for (size_t i = 0; i < sizeof md5; i++)
        snprintf(digest + 2 * i, 3, "%02x", md5[i]);
    snprintf(first, sizeof first,
             "{\"Successful\":[{\"Id\":\"0\",\"MD5OfMessageBody\":\"%s\"}],\"Failed\":["
             "{\"Id\":\"1\",\"SenderFault\":true,\"Code\":\"InvalidMessageContents\"},"
             "{\"Id\":\"2\",\"SenderFault\":false,\"Code\":\"InternalError\"},{\"Id\":\"9\"},7]}",
             digest);
    snprintf(second, sizeof second, "{\"Successful\":[{\"Id\":\"0\",\"MD5OfMessageBody\":\"%s\"}]}",
             digest);
    STUB_SCRIPT(world->stub, {200, first, 0, 0}, {200, second, 0, 0});
    assert_int_equal(sqs_send_all(queue, items, 3, LONG_MS, outcomes, &world->err),
                     CODE_INVALID_ARGUMENT);
    assert_true(outcomes[0].ok && outcomes[2].ok);
    assert_true(!outcomes[1].ok && outcomes[1].senders_fault);
    assert_int_equal(stub_count(world->stub), 2);
    assert_null(
        strstr(stub_seen(world->stub)[1].body, "\"Id\":\"1\"")); /* only the third went again */
    /* A digest of something else is not what we sent. */
    STUB_SCRIPT(world->stub,
                {200, "{\"Successful\":[{\"Id\":\"0\",\"MD5OfMessageBody\":\"00\"}]}", 0, 0});
    assert_int_equal(sqs_send_all(queue, items, 1, LONG_MS, outcomes, &world->err),
                     CODE_UNAVAILABLE);
    assert_string_equal(outcomes[0].error, "WrongDigest");
    sqs_close(queue);
}

/* Rule 27. */
static void messages_are_received_with_what_is_known_of_them(void **state)
{
    static const char answer[] =
        "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"h\",\"Body\":\"YQ==\","
        "\"MD5OfBody\":\"00\",\"Attributes\":{\"ApproximateReceiveCount\":\"3\","
        "\"SentTimestamp\":\"1700000000000\"},\"MessageAttributes\":{\"id\":{\"StringValue\":"
        "\"own\"}}},{\"MessageId\":\"n\",\"Body\":\"\"}]}";
    struct world *world = *state;
    struct sqs_queue *queue = open_queue(world);
    struct sqs_message messages[10];
    size_t count;
    STUB_SCRIPT(world->stub, {200, answer, 0, 0});
    assert_int_equal(sqs_receive(queue, 10, 30, 0, &world->arena, messages, &count, &world->err),
                     CODE_OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(messages[0].id, STR("own")) && str_eq(messages[1].id, STR("n")));
    assert_int_equal(messages[0].receive_count, 3);
    assert_true(messages[0].sent_ms == 1700000000000);
    assert_true(messages[0].damaged);
    assert_non_null(strstr(stub_seen(world->stub)[0].body, "\"VisibilityTimeout\":30"));
    sqs_close(queue);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dynamodb_answers_and_refuses),
        TEST(a_transaction_is_tried_again_unless_a_condition_failed),
        TEST(dynamodb_can_be_asked_without_waiting),
        TEST(an_object_is_created_if_its_key_is_free),
        TEST(an_object_may_come_from_a_reader),
        TEST(objects_are_looked_at_read_and_deleted),
        TEST(keys_are_listed_page_by_page),
        TEST(parts_become_an_object_that_was_not_there),
        TEST(a_message_is_published),
        TEST(batches_keep_to_the_limits),
        TEST(each_entry_has_a_fate_of_its_own),
        TEST(messages_are_received_with_what_is_known_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
