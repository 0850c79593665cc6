/* AmazonSQS by its JSON protocol: batches, whose entries each have a fate of their own. */
#include "aws/sqs.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "crypto/crypto.h"
#include "json/json_in.h"

#include <stdio.h>
#include <string.h>

enum {
    REQUEST_BYTES_MAX = 4 << 20,
    ANSWER_BYTES_MAX = 17 << 20,
    ATTEMPT_MS = 10000,
    POLL_MARGIN_MS = 5000, /* so that a poll ends before the usual lease of what it gets */
    WAIT_MAX_S = 20,
    USUAL_MESSAGE_BYTES = 262144,
    MD5_HEX_BYTES = 2 * CRYPTO_MD5_BYTES,
};

static const struct aws_error_rule RULES[] = {
    {"QueueDoesNotExist", CODE_FAILED_PRECONDITION, AWS_FAIL},
    {"AWS.SimpleQueueService.NonExistentQueue", CODE_FAILED_PRECONDITION, AWS_FAIL},
    {"QueueDeletedRecently", CODE_UNAVAILABLE, AWS_FAIL},
    {"OverLimit", CODE_RESOURCE_EXHAUSTED, AWS_FAIL},
    {"KmsThrottled", CODE_UNAVAILABLE, AWS_THROTTLE},
    {"BatchRequestTooLong", CODE_OUT_OF_RANGE, AWS_FAIL},
};

const struct aws_service SQS_SERVICE = {.name = "sqs",
                                        .protocol = AWS_PROTOCOL_JSON,
                                        .rules = RULES,
                                        .rule_count = sizeof RULES / sizeof *RULES};

struct sqs_queue {
    struct aws_client *client;
    struct arena arena;
    struct str url;
    struct sqs_attributes limits;
};

/* --- calls --- */

static struct aws_request make_request(const char *operation, struct str body, int64_t deadline_ms,
                                       struct arena *arena)
{
    struct http_header *headers = arena_alloc(arena, 2 * sizeof *headers);
    headers[0] = (struct http_header){STR("Content-Type"), STR("application/x-amz-json-1.0")};
    headers[1] = (struct http_header){STR("X-Amz-Target"),
                                      str_of(arena_printf(arena, "AmazonSQS.%s", operation))};
    return (struct aws_request){.method = STR("POST"),
                                .headers = headers,
                                .header_count = 2,
                                .body = body,
                                .attempt_ms = deadline_ms > ATTEMPT_MS ? deadline_ms : 0,
                                .deadline_ms = deadline_ms};
}

static enum code read_answer(struct str body, struct arena *arena, const struct json_value **answer,
                             struct error *err)
{
    struct json_limits limits = {.bytes = ANSWER_BYTES_MAX, .depth = 20};
    if (!body.len) /* some calls answer with nothing */
        body = STR("{}");
    if (json_read(arena, body, limits, answer, err) != CODE_OK)
        return error_set(err, CODE_INTERNAL, NULL, "sqs: the answer is no JSON");
    return CODE_OK;
}

static enum code call(struct aws_client *client, const char *operation, struct str body,
                      int64_t deadline_ms, struct arena *arena, const struct json_value **answer,
                      struct error *err)
{
    const struct aws_request request = make_request(operation, body, deadline_ms, arena);
    struct aws_response response;
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return err->code;
    return read_answer(response.body, arena, answer, err);
}

/* {"QueueUrl":…, with room for more. */
static struct json_out begin(struct buf *body, const struct sqs_queue *queue, struct arena *arena)
{
    buf_init_arena(body, arena, REQUEST_BYTES_MAX);
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("QueueUrl"));
    json_string(&json, queue->url);
    return json;
}

/* --- the queue --- */

static int64_t number_of(const struct json_value *attributes, struct str key, int64_t usual)
{
    int64_t value;
    return str_to_i64(json_get_text(attributes, key), &value) ? value : usual;
}

static void read_redrive(const struct json_value *attributes, struct arena *arena,
                         struct sqs_attributes *to)
{
    struct str policy = json_get_text(attributes, STR("RedrivePolicy"));
    const struct json_value *root;
    struct error err = {0};
    to->receives_max = 0;
    to->dead_letter_arn = STR("");
    if (!policy.len || json_read(arena, policy, json_limits_default(), &root, &err) != CODE_OK)
        return;
    const struct json_value *most = json_get(root, STR("maxReceiveCount"));
    if (most && (!str_to_i64(most->text, &to->receives_max)))
        to->receives_max = 0;
    to->dead_letter_arn = json_get_text(root, STR("deadLetterTargetArn"));
}

enum code sqs_attributes(struct sqs_queue *queue, int64_t deadline_ms, struct arena *arena,
                         struct sqs_attributes *to, struct error *err)
{
    const struct json_value *answer;
    struct buf body;
    struct json_out json = begin(&body, queue, arena);
    json_key(&json, STR("AttributeNames"));
    json_raw(&json, STR("[\"All\"]"));
    json_object_end(&json);
    if (call(queue->client, "GetQueueAttributes", buf_str(&body), deadline_ms, arena, &answer,
             err) != CODE_OK)
        return err->code;
    const struct json_value *found = json_get(answer, STR("Attributes"));
    to->message_bytes_max = number_of(found, STR("MaximumMessageSize"), USUAL_MESSAGE_BYTES);
    to->retention_s = number_of(found, STR("MessageRetentionPeriod"), 0);
    to->visibility_s = number_of(found, STR("VisibilityTimeout"), 30);
    to->waiting = (uint64_t)number_of(found, STR("ApproximateNumberOfMessages"), 0);
    to->in_flight = (uint64_t)number_of(found, STR("ApproximateNumberOfMessagesNotVisible"), 0);
    to->delayed = (uint64_t)number_of(found, STR("ApproximateNumberOfMessagesDelayed"), 0);
    to->arn = json_get_text(found, STR("QueueArn"));
    read_redrive(found, arena, to);
    return CODE_OK;
}

static enum code find_url(struct sqs_queue *queue, int64_t deadline_ms, struct error *err)
{
    struct str name = aws_client_location(queue->client)->name;
    const struct json_value *answer;
    struct buf body;
    buf_init_arena(&body, &queue->arena, REQUEST_BYTES_MAX);
    struct json_out json = json_out_to(&body);
    json_object_begin(&json);
    json_key(&json, STR("QueueName"));
    json_string(&json, name);
    json_object_end(&json);
    if (call(queue->client, "GetQueueUrl", buf_str(&body), deadline_ms, &queue->arena, &answer,
             err) != CODE_OK)
        return err->code;
    queue->url = json_get_text(answer, STR("QueueUrl"));
    if (!queue->url.len)
        return error_set(err, CODE_INTERNAL, NULL, "sqs: queue %.*s has no URL", STR_ARG(name));
    return CODE_OK;
}

enum code sqs_open(struct aws_client *client, int64_t deadline_ms, struct sqs_queue **queue,
                   struct error *err)
{
    struct sqs_queue *q = xcalloc(1, sizeof *q);
    q->client = client;
    if (find_url(q, deadline_ms, err) != CODE_OK ||
        sqs_attributes(q, deadline_ms, &q->arena, &q->limits, err) != CODE_OK) {
        sqs_close(q);
        return err->code;
    }
    *queue = q;
    return CODE_OK;
}

void sqs_close(struct sqs_queue *queue)
{
    if (!queue)
        return;
    arena_clear(&queue->arena);
    xfree(queue);
}

const struct sqs_attributes *sqs_limits(const struct sqs_queue *queue)
{
    return &queue->limits;
}

enum code sqs_create(struct aws_client *client, struct str name, struct str attributes,
                     int64_t deadline_ms, struct arena *arena, struct str *arn, bool *created,
                     struct error *err)
{
    struct sqs_queue queue = {.client = client};
    struct sqs_attributes found;
    const struct json_value *answer;
    struct buf body;
    buf_init_arena(&body, arena, REQUEST_BYTES_MAX);
    buf_addf(&body, "{\"QueueName\":\"%.*s\"}", STR_ARG(name));
    enum code code = call(client, "GetQueueUrl", buf_str(&body), deadline_ms, arena, &answer, err);
    *created = code == CODE_FAILED_PRECONDITION;
    if (code != CODE_OK && !*created)
        return code;
    buf_reset(&body);
    if (*created) {
        buf_addf(&body, "{\"QueueName\":\"%.*s\",\"Attributes\":{%.*s}}", STR_ARG(name),
                 STR_ARG(attributes));
        code = call(client, "CreateQueue", buf_str(&body), deadline_ms, arena, &answer, err);
    } else {
        queue.url = json_get_text(answer, STR("QueueUrl"));
        struct json_out json = begin(&body, &queue, arena);
        buf_addf(&body, ",\"Attributes\":{%.*s}", STR_ARG(attributes));
        json_object_end(&json);
        const struct json_value *nothing;
        code =
            call(client, "SetQueueAttributes", buf_str(&body), deadline_ms, arena, &nothing, err);
    }
    if (code != CODE_OK)
        return code;
    queue.url = json_get_text(answer, STR("QueueUrl"));
    if (sqs_attributes(&queue, deadline_ms, arena, &found, err) != CODE_OK)
        return err->code;
    *arn = found.arn;
    return CODE_OK;
}

/* --- batches: what became of each entry --- */

static void set_outcome(struct sqs_outcome *outcome, bool ok, bool fault, struct str error)
{
    size_t length = error.len < sizeof outcome->error ? error.len : sizeof outcome->error - 1;
    outcome->ok = ok;
    outcome->senders_fault = fault;
    if (length)
        memcpy(outcome->error, error.ptr, length);
    outcome->error[length] = '\0';
}

/* The entry that an Id names; NULL when it names none of ours. */
static struct sqs_outcome *entry_of(const struct json_value *item, struct sqs_outcome *outcomes,
                                    size_t count)
{
    uint64_t index;
    if (!str_to_u64(json_get_text(item, STR("Id")), &index) || index >= count)
        return NULL;
    return &outcomes[index];
}

static const struct json_value *first_of(const struct json_value *answer, struct str list)
{
    const struct json_value *found = json_get(answer, list);
    return found && found->kind == JSON_ARRAY ? found->first : NULL;
}

/* An id in neither list has failed, whatever the status says. */
static void read_outcomes(const struct json_value *answer, struct sqs_outcome *outcomes,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        set_outcome(&outcomes[i], false, false, STR("NoAnswer"));
    for (const struct json_value *item = first_of(answer, STR("Successful")); item;
         item = item->next) {
        struct sqs_outcome *outcome = entry_of(item, outcomes, count);
        if (outcome)
            set_outcome(outcome, true, false, STR(""));
    }
    for (const struct json_value *item = first_of(answer, STR("Failed")); item; item = item->next) {
        struct sqs_outcome *outcome = entry_of(item, outcomes, count);
        const struct json_value *fault = json_get(item, STR("SenderFault"));
        if (outcome)
            set_outcome(outcome, false, fault && fault->kind == JSON_TRUE,
                        json_get_text(item, STR("Code")));
    }
}

static void md5_hex(struct str bytes, char hex[MD5_HEX_BYTES + 1])
{
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5(bytes, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static bool md5_fits(struct str given, struct str bytes)
{
    char hex[MD5_HEX_BYTES + 1];
    md5_hex(bytes, hex);
    return str_eq(given, (struct str){hex, MD5_HEX_BYTES});
}

static void check_digests(const struct json_value *answer, const struct sqs_entry *entries,
                          size_t count, struct sqs_outcome *outcomes)
{
    for (const struct json_value *item = first_of(answer, STR("Successful")); item;
         item = item->next) {
        struct sqs_outcome *outcome = entry_of(item, outcomes, count);
        if (outcome && !md5_fits(json_get_text(item, STR("MD5OfMessageBody")),
                                 entries[outcome - outcomes].body))
            set_outcome(outcome, false, false, STR("WrongDigest"));
    }
}

static void key_index(struct json_out *json, size_t index)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", index);
    json_key(json, STR("Id"));
    json_string(json, str_of(text));
}

static void add_id(struct json_out *json, struct str id)
{
    json_key(json, STR("MessageAttributes"));
    json_object_begin(json);
    json_key(json, STR("id"));
    json_object_begin(json);
    json_key(json, STR("DataType"));
    json_string(json, STR("String"));
    json_key(json, STR("StringValue"));
    json_string(json, id);
    json_object_end(json);
    json_object_end(json);
}

enum code sqs_send(struct sqs_queue *queue, const struct sqs_entry *entries, size_t count,
                   int64_t deadline_ms, struct sqs_outcome *outcomes, struct error *err)
{
    struct arena arena = {0};
    const struct json_value *answer;
    struct buf body;
    struct json_out json = begin(&body, queue, &arena);
    json_key(&json, STR("Entries"));
    json_array_begin(&json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&json);
        key_index(&json, i);
        json_key(&json, STR("MessageBody"));
        json_string(&json, entries[i].body);
        if (entries[i].id.len)
            add_id(&json, entries[i].id);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    enum code code =
        call(queue->client, "SendMessageBatch", buf_str(&body), deadline_ms, &arena, &answer, err);
    if (code == CODE_OK) {
        read_outcomes(answer, outcomes, count);
        check_digests(answer, entries, count, outcomes);
    }
    arena_clear(&arena);
    return code;
}

/* ChangeMessageVisibilityBatch and DeleteMessageBatch differ by a member. */
static enum code handle_batch(struct sqs_queue *queue, const char *operation,
                              const struct str *handles, size_t count, int64_t visibility_s,
                              int64_t deadline_ms, struct sqs_outcome *outcomes, struct error *err)
{
    struct arena arena = {0};
    const struct json_value *answer;
    struct buf body;
    struct json_out json = begin(&body, queue, &arena);
    json_key(&json, STR("Entries"));
    json_array_begin(&json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&json);
        key_index(&json, i);
        json_key(&json, STR("ReceiptHandle"));
        json_string(&json, handles[i]);
        if (visibility_s >= 0) {
            json_key(&json, STR("VisibilityTimeout"));
            json_i64(&json, visibility_s);
        }
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    enum code code =
        call(queue->client, operation, buf_str(&body), deadline_ms, &arena, &answer, err);
    if (code == CODE_OK)
        read_outcomes(answer, outcomes, count);
    arena_clear(&arena);
    return code;
}

enum code sqs_change_visibility(struct sqs_queue *queue, const struct str *handles, size_t count,
                                int64_t visibility_s, int64_t deadline_ms,
                                struct sqs_outcome *outcomes, struct error *err)
{
    return handle_batch(queue, "ChangeMessageVisibilityBatch", handles, count, visibility_s,
                        deadline_ms, outcomes, err);
}

enum code sqs_delete(struct sqs_queue *queue, const struct str *handles, size_t count,
                     int64_t deadline_ms, struct sqs_outcome *outcomes, struct error *err)
{
    return handle_batch(queue, "DeleteMessageBatch", handles, count, -1, deadline_ms, outcomes,
                        err);
}

/* --- receiving --- */

static struct sqs_message read_message(const struct json_value *item)
{
    const struct json_value *attributes = json_get(item, STR("Attributes"));
    const struct json_value *own = json_get(json_get(item, STR("MessageAttributes")), STR("id"));
    struct sqs_message message = {
        .id = json_get_text(own, STR("StringValue")),
        .handle = json_get_text(item, STR("ReceiptHandle")),
        .body = json_get_text(item, STR("Body")),
        .receive_count = number_of(attributes, STR("ApproximateReceiveCount"), 1),
        .sent_ms = number_of(attributes, STR("SentTimestamp"), 0),
    };
    if (!message.id.len)
        message.id = json_get_text(item, STR("MessageId"));
    message.damaged = !md5_fits(json_get_text(item, STR("MD5OfBody")), message.body);
    return message;
}

static struct aws_request poll_request(const struct sqs_queue *queue, size_t max,
                                       int64_t visibility_s, int64_t wait_s, struct arena *arena)
{
    struct buf body;
    int64_t wait = wait_s > WAIT_MAX_S ? WAIT_MAX_S : wait_s;
    struct json_out json = begin(&body, queue, arena);
    json_key(&json, STR("MaxNumberOfMessages"));
    json_u64(&json, max < SQS_BATCH_MAX ? max : SQS_BATCH_MAX);
    json_key(&json, STR("VisibilityTimeout"));
    json_i64(&json, visibility_s);
    json_key(&json, STR("WaitTimeSeconds"));
    json_i64(&json, wait);
    json_key(&json, STR("AttributeNames"));
    json_raw(&json, STR("[\"ApproximateReceiveCount\",\"SentTimestamp\"]"));
    json_key(&json, STR("MessageAttributeNames"));
    json_raw(&json, STR("[\"id\"]"));
    json_object_end(&json);
    return make_request("ReceiveMessage", buf_str(&body), wait * 1000 + POLL_MARGIN_MS, arena);
}

static size_t read_messages(const struct json_value *answer, size_t max,
                            struct sqs_message *messages)
{
    size_t count = 0;
    for (const struct json_value *item = first_of(answer, STR("Messages")); item && count < max;
         item = item->next)
        messages[count++] = read_message(item);
    return count;
}

enum code sqs_receive(struct sqs_queue *queue, size_t max, int64_t visibility_s, int64_t wait_s,
                      struct arena *arena, struct sqs_message *messages, size_t *count,
                      struct error *err)
{
    const struct aws_request request = poll_request(queue, max, visibility_s, wait_s, arena);
    const struct json_value *answer;
    struct aws_response response;
    *count = 0;
    if (aws_call(queue->client, &request, arena, &response, err) != CODE_OK ||
        read_answer(response.body, arena, &answer, err) != CODE_OK)
        return err->code;
    *count = read_messages(answer, max, messages);
    return CODE_OK;
}

struct poll {
    struct arena arena;
    sqs_received_fn received;
    void *argument;
};

static void free_poll(struct poll *poll)
{
    arena_clear(&poll->arena);
    xfree(poll);
}

static void on_polled(void *argument, const struct aws_response *response, const struct error *err)
{
    struct poll *poll = argument;
    struct sqs_message messages[SQS_BATCH_MAX];
    const struct json_value *answer;
    struct error wrong = {0};
    size_t count = 0;
    if (!err && read_answer(response->body, &poll->arena, &answer, &wrong) != CODE_OK)
        err = &wrong;
    if (!err)
        count = read_messages(answer, SQS_BATCH_MAX, messages);
    poll->received(poll->argument, messages, count, err);
    free_poll(poll);
}

enum code sqs_receive_start(const struct sqs_queue *queue, struct aws_client *client,
                            int64_t visibility_s, int64_t wait_s, sqs_received_fn received,
                            void *argument, struct error *err)
{
    struct poll *poll = xcalloc(1, sizeof *poll);
    poll->received = received;
    poll->argument = argument;
    const struct aws_request request =
        poll_request(queue, SQS_BATCH_MAX, visibility_s, wait_s, &poll->arena);
    if (aws_start(client, &request, on_polled, poll, err) == CODE_OK)
        return CODE_OK;
    free_poll(poll);
    return err->code;
}
