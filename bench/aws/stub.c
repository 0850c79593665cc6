/* The program: settings, which service a request is for, S3, the simulated latency, counts. */
#include "bench/aws/stub.h"

#include "aws/timer.h"
#include "base/alloc.h"
#include "base/config.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/program.h"

#include <stddef.h>
#include <stdio.h>

struct stub_counts stub_counts;

struct settings {
    const char *listen;
    int64_t latency_ms, events, messages;
};

static struct settings settings;
static struct aws_timer *timer;

static const struct config_item ITEMS[] = {
    {"listen", CONFIG_TEXT, offsetof(struct settings, listen), "127.0.0.1:0", NULL, NULL, NULL,
     "address"},
    {"latency", CONFIG_DURATION, offsetof(struct settings, latency_ms), "0ms", NULL, "10s", NULL,
     "how long each answer takes at least"},
    {"events", CONFIG_INT, offsetof(struct settings, events), "1000", "1", "1000", NULL,
     "events in a message, if they fit"},
    {"messages", CONFIG_INT, offsetof(struct settings, messages), "0", "0", NULL, NULL,
     "messages that wait in the queue"},
};

static const struct config_program PROGRAM = {"aws-stub", "SQS, S3 and DynamoDB for benchmarks",
                                              ITEMS, sizeof ITEMS / sizeof *ITEMS};

static const struct http_header JSON_HEADER = {STR("Content-Type"), STR("application/json")};

struct str stub_text(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_get(object, str_of(name));
    return value && value->kind == JSON_STRING ? value->text : STR("");
}

const struct json_value *stub_read(struct http_exchange *exchange)
{
    const struct json_limits limits = {STUB_BODY_MAX, 50};
    const struct json_value *value;
    struct error err;
    if (json_read(http_exchange_arena(exchange), http_exchange_request(exchange)->body, limits,
                  &value, &err) == CODE_OK)
        return value;
    http_answer_error(exchange, 400, err.text);
    return NULL;
}

/* --- answers, when their time has come --- */

struct late {
    struct http_exchange *exchange;
    struct buf body;
};

static void answer_now(struct http_exchange *exchange, struct buf *body)
{
    http_answer(exchange, 200, &JSON_HEADER, 1, buf_str(body));
    buf_clear(body);
}

static void on_due(void *argument)
{
    struct late *late = argument;
    answer_now(late->exchange, &late->body);
    xfree(late);
}

void stub_later(int64_t delay_ms, void (*fn)(void *argument), void *argument)
{
    if (!aws_timer_after(timer, delay_ms + 1, fn, argument)) /* never earlier than that */
        fn(argument);
}

void stub_answer(struct http_exchange *exchange, struct buf *body, int64_t more_ms)
{
    int64_t delay_ms = settings.latency_ms + more_ms;
    if (!delay_ms) {
        answer_now(exchange, body);
        return;
    }
    struct late *late = xmalloc(sizeof *late);
    *late = (struct late){exchange, *body};
    stub_later(delay_ms, on_due, late);
}

/* --- S3: nothing is kept --- */

static void s3(struct http_exchange *exchange, const struct http_request *request)
{
    static const char upload[] = "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                                 "</InitiateMultipartUploadResult>";
    static const char finished[] = "<CompleteMultipartUploadResult><ETag>\"e\"</ETag>"
                                   "</CompleteMultipartUploadResult>";
    static const char nothing[] = "<Result></Result>";
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/xml")},
                                          {STR("ETag"), STR("\"e\"")}};
    if (str_eq(request->method, STR("PUT"))) {
        atomic_fetch_add(&stub_counts.puts, 1);
        atomic_fetch_add(&stub_counts.put_bytes, request->body.len);
        http_answer(exchange, 200, headers, 2, STR(""));
    } else if (str_eq(request->method, STR("POST"))) {
        bool begins = str_starts(request->query, STR("uploads"));
        http_answer(exchange, 200, headers, 1, str_of(begins ? upload : finished));
    } else if (str_eq(request->method, STR("GET"))) {
        http_answer(exchange, 200, headers, 1, str_of(nothing));
    } else {
        http_answer(exchange, 404, headers, 1, STR(""));
    }
}

/* --- what happened --- */

static void stats(struct http_exchange *exchange)
{
    const struct {
        const char *name;
        atomic_uint_fast64_t *value;
    } rows[] = {
        {"messages_received", &stub_counts.messages_received},
        {"messages_deleted", &stub_counts.messages_deleted},
        {"messages_released", &stub_counts.messages_released},
        {"events_deleted", &stub_counts.events_deleted},
        {"messages_sent", &stub_counts.messages_sent},
        {"puts", &stub_counts.puts},
        {"put_bytes", &stub_counts.put_bytes},
        {"reads", &stub_counts.reads},
        {"keys_read", &stub_counts.keys_read},
        {"other_calls", &stub_counts.other_calls},
        {"reads_under_way_max", &stub_counts.reads_under_way_max},
    };
    struct buf body;
    buf_init(&body, STUB_BODY_MAX);
    struct json_out json = json_out_to(&body);
    json_object_begin(&json);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_key(&json, str_of(rows[i].name));
        json_u64(&json, atomic_load(rows[i].value));
    }
    json_object_end(&json);
    answer_now(exchange, &body);
}

static void count_read(struct http_exchange *exchange)
{
    uint64_t now = atomic_fetch_add(&stub_counts.reads_under_way, 1) + 1;
    uint64_t most = atomic_load(&stub_counts.reads_under_way_max);
    while (now > most &&
           !atomic_compare_exchange_weak(&stub_counts.reads_under_way_max, &most, now))
        ;
    http_exchange_set_user(exchange, &stub_counts.reads_under_way);
}

static void on_request(void *context, struct http_exchange *exchange)
{
    static const struct str sqs = STR("AmazonSQS."), dynamodb = STR("DynamoDB_20120810.");
    const struct http_request *request = http_exchange_request(exchange);
    struct str target = http_header_find(request, STR("X-Amz-Target"));
    (void)context;
    if (str_starts(target, sqs)) {
        stub_sqs(exchange, str_from(target, sqs.len));
    } else if (str_starts(target, dynamodb)) {
        struct str operation = str_from(target, dynamodb.len);
        if (str_eq(operation, STR("BatchGetItem")))
            count_read(exchange);
        stub_dynamodb(exchange, operation);
    } else if (str_eq(request->path, STR("/stats"))) {
        stats(exchange);
    } else {
        s3(exchange, request);
    }
}

static void on_finished(void *context, struct http_exchange *exchange, int status,
                        uint64_t body_bytes, bool aborted)
{
    (void)context, (void)status, (void)body_bytes, (void)aborted;
    if (http_exchange_user(exchange))
        atomic_fetch_sub(&stub_counts.reads_under_way, 1);
}

static void on_error(void *context, struct http_exchange *exchange, int status, const char *text,
                     struct buf *body, struct str *content_type)
{
    (void)context, (void)exchange, (void)status;
    *content_type = STR("text/plain");
    buf_add_cstr(body, text);
}

int main(int argc, char **argv)
{
    struct http_server *server;
    struct error err;
    config_read_or_exit(&PROGRAM, argc, argv, &settings);
    log_init(PROGRAM.name, LOG_INFO);
    program_block_signals();
    stub_sqs_begin(settings.events, settings.messages);
    struct http_server_options options = {
        .address = settings.listen,
        .threads = 1,
        .handler = {.request = on_request, .finished = on_finished, .error_body = on_error},
    };
    http_limits_default(&options.limits);
    options.limits.body_bytes = 256 << 20;
    timer = aws_timer_new();
    if (!timer || http_server_start(&options, &server, &err) != CODE_OK) {
        fprintf(stderr, "aws-stub: %s\n", timer ? err.text : "no thread to be had");
        return 2;
    }
    program_log_listening(settings.listen, http_server_port(server));
    program_wait_signal();
    aws_timer_stop(timer); /* polls that wait are answered */
    bool clean = http_server_drain(server, 1000);
    aws_timer_free(timer);
    stub_sqs_end();
    stub_items_end();
    return clean ? 0 : 1;
}
