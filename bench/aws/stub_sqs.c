/*
 * A queue of events as omni-user would send them. Some batches are made before the start; messages
 * have a number each, and the id that goes with it at the batch's beginning. What is released comes
 * again; leases do not run out.
 */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "bench/aws/stub.h"
#include "crypto/crypto.h"
#include "user/event.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCHES = 64,
    HEAD_BYTES = 39, /* what holds the id, and divides by three */
    HEAD_TEXT_BYTES = HEAD_BYTES / 3 * 4,
    ID_AT = 2,
    HANDLE_BYTES = 200, /* as long as real ones are */
};

struct prepared {
    char head[HEAD_BYTES];
    char *text; /* base64 */
    size_t text_bytes;
    uint32_t events;
};

static struct prepared prepared[BATCHES];
static struct id first_id;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static int64_t left;
static struct released {
    struct released *next;
    int64_t number;
} * released;

/* --- batches --- */

static void random_text(char *to, size_t size_bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size_bytes; i++)
        to[i] = digits[random() % 16];
}

/* Of ten requests seven read a user, two search, one writes. */
static void make_event(omnidata_event_v1_Event *event)
{
    static const char *const searches[] = {"ada", "love", "grace ho", "lin", "turing"};
    long dice = random() % 10;
    char user_id[ID_TEXT_BYTES + 1], trace_id[32], key_id[16];
    id_format(id_new(clock_real()), user_id);
    random_text(trace_id, sizeof trace_id);
    random_text(key_id, sizeof key_id);
    struct event_facts facts = {.kind = EVENT_USER_READ,
                                .key_id = {key_id, sizeof key_id},
                                .trace_id = {trace_id, sizeof trace_id},
                                .user_id = {user_id, ID_TEXT_BYTES},
                                .result_count = 1};
    if (dice >= 7)
        facts.kind = EVENT_USER_UPDATED;
    if (dice >= 8) {
        facts.kind = EVENT_USERS_SEARCHED;
        facts.user_id = STR("");
        facts.query = str_of(searches[random() % 5]);
        facts.result_count = 20;
    }
    event_make(event, clock_real(), &facts);
}

static void prepare(struct prepared *to, int64_t events)
{
    struct event_batch batch;
    struct buf encoded, sealed, text;
    event_batch_init(&batch, clock_real(), event_hour_of(clock_wall_ms(clock_real()) / 1000));
    buf_init(&encoded, EVENT_BYTES_MAX);
    bool fits = true;
    for (int64_t i = 0; i < events && fits; i++) {
        omnidata_event_v1_Event event;
        make_event(&event);
        buf_reset(&encoded);
        event_encode(&encoded, &event);
        fits = event_batch_add(&batch, buf_str(&encoded));
    }
    to->events = batch.count;
    buf_init(&sealed, EVENT_BATCH_BYTES_MAX);
    event_batch_seal(&batch, &sealed);
    buf_init(&text, EVENT_BATCH_BYTES_MAX * 2);
    encode_base64(&text, buf_str(&sealed));
    memcpy(to->head, sealed.ptr, sizeof to->head);
    to->text = text.ptr; /* kept */
    to->text_bytes = text.len;
    buf_clear(&encoded);
    buf_clear(&sealed);
    event_batch_clear(&batch);
}

void stub_sqs_begin(int64_t events, int64_t messages)
{
    for (int i = 0; i < BATCHES; i++)
        prepare(&prepared[i], events);
    first_id = id_new(clock_real());
    left = messages;
}

void stub_sqs_end(void)
{
    for (int i = 0; i < BATCHES; i++)
        xfree(prepared[i].text);
    while (released) {
        struct released *next = released->next;
        xfree(released);
        released = next;
    }
}

/* --- which messages there are --- */

/* 0: none. */
static int64_t take_number(void)
{
    pthread_mutex_lock(&lock);
    struct released *again = released;
    int64_t number = again ? again->number : left ? left-- : 0;
    if (again)
        released = again->next;
    pthread_mutex_unlock(&lock);
    xfree(again);
    return number;
}

static void put_back(void *argument)
{
    struct released *again = argument;
    pthread_mutex_lock(&lock);
    again->next = released;
    released = again;
    pthread_mutex_unlock(&lock);
}

static struct id id_of(int64_t number)
{
    struct id id = first_id;
    for (int i = 0; i < 6; i++)
        id.bytes[15 - i] = (uint8_t)(number >> 8 * i);
    return id;
}

/* --- receiving --- */

static void add_text(struct buf *body, const char *key, const char *text)
{
    buf_addf(body, "\"%s\":\"%s\",", key, text);
}

static void md5_hex(struct str bytes, char hex[2 * CRYPTO_MD5_BYTES + 1])
{
    uint8_t digest[CRYPTO_MD5_BYTES];
    crypto_md5(bytes, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* The handle tells how many events the message has. */
static void add_message(struct buf *body, const struct prepared *batch, int64_t number)
{
    char id[ID_TEXT_BYTES + 1], md5[2 * CRYPTO_MD5_BYTES + 1], head[HEAD_BYTES];
    char handle[HANDLE_BYTES + 1];
    struct buf start;
    id_format(id_of(number), id);
    memcpy(head, batch->head, sizeof head);
    memcpy(head + ID_AT, id, ID_TEXT_BYTES);
    snprintf(handle, sizeof handle, "%u-%0*lld", batch->events, HANDLE_BYTES - 12,
             (long long)number);
    buf_add_cstr(body, "{\"Body\":\"");
    size_t at = body->len;
    buf_init(&start, HEAD_TEXT_BYTES + 1);
    encode_base64(&start, (struct str){head, sizeof head});
    buf_add(body, buf_str(&start));
    buf_add(body, (struct str){batch->text + HEAD_TEXT_BYTES, batch->text_bytes - HEAD_TEXT_BYTES});
    buf_clear(&start);
    md5_hex((struct str){body->ptr + at, body->len - at}, md5);
    buf_add_cstr(body, "\",");
    add_text(body, "MD5OfBody", md5);
    add_text(body, "MessageId", id);
    add_text(body, "ReceiptHandle", handle);
    buf_addf(body,
             "\"Attributes\":{\"ApproximateReceiveCount\":\"1\",\"SentTimestamp\":\"%lld\"},"
             "\"MessageAttributes\":{\"id\":{\"DataType\":\"String\",\"StringValue\":\"%s\"}}}",
             (long long)clock_wall_ms(clock_real()), id);
}

/* A poll of an empty queue waits as long as it says. */
static void receive(struct http_exchange *exchange, const struct json_value *request)
{
    const struct json_value *wait = json_get(request, STR("WaitTimeSeconds"));
    const struct json_value *max = json_get(request, STR("MaxNumberOfMessages"));
    int64_t wait_s = 0, most = 1, number, count = 0;
    struct buf body;
    buf_init(&body, STUB_BODY_MAX);
    buf_add_cstr(&body, "{\"Messages\":[");
    if (max && !str_to_i64(max->text, &most))
        most = 1;
    while (count < most && (number = take_number())) {
        buf_add_cstr(&body, count++ ? "," : "");
        add_message(&body, &prepared[number % BATCHES], number);
    }
    buf_add_cstr(&body, "]}");
    atomic_fetch_add(&stub_counts.messages_received, (uint64_t)count);
    if (count || !wait || !str_to_i64(wait->text, &wait_s))
        wait_s = 0;
    stub_answer(exchange, &body, wait_s * 1000);
}

/* --- what concerns entries --- */

typedef void (*entry_fn)(const struct json_value *entry, struct buf *body);

static void answer_entries(struct http_exchange *exchange, const struct json_value *request,
                           entry_fn each)
{
    const struct json_value *entries = json_get(request, STR("Entries"));
    struct buf body;
    buf_init(&body, STUB_BODY_MAX);
    buf_add_cstr(&body, "{\"Successful\":[");
    for (const struct json_value *entry = entries ? entries->first : NULL; entry;
         entry = entry->next) {
        each(entry, &body);
        buf_addf(&body, "\"Id\":\"%.*s\"}%s", STR_ARG(stub_text(entry, "Id")),
                 entry->next ? "," : "");
    }
    buf_add_cstr(&body, "],\"Failed\":[]}");
    stub_answer(exchange, &body, 0);
}

static void deleted(const struct json_value *entry, struct buf *body)
{
    struct str handle = stub_text(entry, "ReceiptHandle");
    ptrdiff_t dash = str_find(handle, '-');
    uint64_t events;
    buf_add_char(body, '{');
    if (dash < 1 || !str_to_u64((struct str){handle.ptr, (size_t)dash}, &events))
        return;
    atomic_fetch_add(&stub_counts.events_deleted, events);
    atomic_fetch_add(&stub_counts.messages_deleted, 1);
}

/* Heartbeats keep for half a minute; less means that somebody does not want it now. */
static void extended(const struct json_value *entry, struct buf *body)
{
    const struct json_value *timeout = json_get(entry, STR("VisibilityTimeout"));
    struct str handle = stub_text(entry, "ReceiptHandle");
    ptrdiff_t dash = str_find(handle, '-');
    int64_t seconds;
    buf_add_char(body, '{');
    if (!timeout || !str_to_i64(timeout->text, &seconds) || seconds >= 30 || dash < 1)
        return;
    struct released *again = xmalloc(sizeof *again);
    again->number = strtoll(handle.ptr + dash + 1, NULL, 10);
    atomic_fetch_add(&stub_counts.messages_released, 1);
    stub_later(seconds * 1000, put_back, again);
}

static void sent(const struct json_value *entry, struct buf *body)
{
    char md5[2 * CRYPTO_MD5_BYTES + 1];
    md5_hex(stub_text(entry, "MessageBody"), md5);
    buf_add_char(body, '{');
    add_text(body, "MD5OfMessageBody", md5);
    add_text(body, "MessageId", "0190b5a0-0000-7000-8000-000000000000");
    atomic_fetch_add(&stub_counts.messages_sent, 1);
}

static void answer_text(struct http_exchange *exchange, const char *text)
{
    struct buf body;
    buf_init(&body, STUB_BODY_MAX);
    buf_add_cstr(&body, text);
    stub_answer(exchange, &body, 0);
}

void stub_sqs(struct http_exchange *exchange, struct str operation)
{
    const struct json_value *request = stub_read(exchange);
    if (!request)
        return;
    if (str_eq(operation, STR("ReceiveMessage")))
        receive(exchange, request);
    else if (str_eq(operation, STR("DeleteMessageBatch")))
        answer_entries(exchange, request, deleted);
    else if (str_eq(operation, STR("ChangeMessageVisibilityBatch")))
        answer_entries(exchange, request, extended);
    else if (str_eq(operation, STR("SendMessageBatch")))
        answer_entries(exchange, request, sent);
    else if (str_eq(operation, STR("GetQueueUrl")))
        answer_text(exchange, "{\"QueueUrl\":\"http://stub/000000000000/events\"}");
    else if (str_eq(operation, STR("GetQueueAttributes")))
        answer_text(exchange, "{\"Attributes\":{\"MaximumMessageSize\":\"1048576\","
                              "\"MessageRetentionPeriod\":\"345600\",\"VisibilityTimeout\":\"30\","
                              "\"ApproximateNumberOfMessages\":\"0\"}}");
    else
        http_answer_error(exchange, 400, "The stub does not know this operation");
}
