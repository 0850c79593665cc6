/*
 * A server for the tests of lib/http: routes that answer at once, later from another thread,
 * bit by bit, on seeing the headers, or only when the client has gone.
 *
 *   /echo            method, target, headers that matter and body, as JSON
 *   /hello           a few bytes, at once
 *   /probe           the same, however many requests there are
 *   /delay?ms=N      after N ms, from another thread
 *   /resume?ms=N     resumed after N ms from another thread, then answered in the loop's
 *   /stream?n=N&size=S[&ms=M]   N pieces of S bytes, M ms apart, from another thread
 *   /big?size=N      N bytes at once
 *   /status?code=N   that status
 *   /headers-reject  401 on seeing the headers
 *   /hold            answered by the `gone` callback
 *   /stats           what the server and the callbacks counted
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/worker.h"
#include "http/resume.h"
#include "http/server.h"
#include "http/tls.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct settings {
    const char *listen, *tls_cert, *tls_key, *tls_client_ca;
    bool http2, tls_client_required;
    int64_t tls_ticket_time;
    int64_t threads, grace_ms;
    struct http_limits limits;
};

#define LIMIT(name, kind, text, field) \
    { \
        name, kind, offsetof(struct settings, limits.field), text, "1", NULL, NULL, \
            "limit: " #field \
    }

static const struct config_item ITEMS[] = {
    {"listen", CONFIG_TEXT, offsetof(struct settings, listen), "127.0.0.1:0", NULL, NULL, NULL,
     "address"},
    {"threads", CONFIG_INT, offsetof(struct settings, threads), "2", "1", "64", NULL, "loops"},
    {"grace", CONFIG_DURATION, offsetof(struct settings, grace_ms), "5s", NULL, NULL, NULL,
     "time to drain"},
    {"http2", CONFIG_BOOL, offsetof(struct settings, http2), "true", NULL, NULL, NULL,
     "take HTTP/2"},
    {"tls-cert", CONFIG_TEXT, offsetof(struct settings, tls_cert), "", NULL, NULL, NULL,
     "certificate; empty: plain"},
    {"tls-key", CONFIG_TEXT, offsetof(struct settings, tls_key), "", NULL, NULL, NULL, "its key"},
    {"tls-client-ca", CONFIG_TEXT, offsetof(struct settings, tls_client_ca), "", NULL, NULL, NULL,
     "who signs clients' certificates"},
    {"tls-ticket-time", CONFIG_DURATION, offsetof(struct settings, tls_ticket_time), "0s", "0s",
     "1d", NULL, "for how long tickets are made with the same keys"},
    {"tls-client-required", CONFIG_BOOL, offsetof(struct settings, tls_client_required), "false",
     NULL, NULL, NULL, "no client without"},
    LIMIT("header-bytes", CONFIG_SIZE, "32KiB", header_bytes),
    LIMIT("target-bytes", CONFIG_SIZE, "8KiB", target_bytes),
    LIMIT("body-bytes", CONFIG_SIZE, "1MiB", body_bytes),
    LIMIT("connections", CONFIG_INT, "10000", connections),
    LIMIT("in-flight", CONFIG_INT, "10000", in_flight),
    LIMIT("pipeline", CONFIG_INT, "32", pipeline),
    LIMIT("streams", CONFIG_INT, "128", streams),
    LIMIT("header-time", CONFIG_DURATION, "10s", header_ms),
    LIMIT("body-time", CONFIG_DURATION, "30s", body_ms),
    LIMIT("idle-time", CONFIG_DURATION, "75s", idle_ms),
    LIMIT("write-time", CONFIG_DURATION, "30s", write_ms),
    LIMIT("stream-buffer-bytes", CONFIG_SIZE, "1MiB", stream_buffer_bytes),
};

static struct http_server *server;
static struct worker_pool *streams;
static _Atomic uint64_t finished_count, aborted_count, gone_count, stream_stopped_count;

/* --- answers after a while: one thread and a list in order of time --- */

struct delayed {
    struct delayed *next;
    struct http_exchange *exchange;
    int64_t at_ms;
};

static pthread_mutex_t delay_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t delay_changed;
static struct delayed *delay_first;
static bool delay_stop;
static pthread_t delay_thread;

static const struct http_header PLAIN[] = {{STR("Content-Type"), STR("text/plain")}};
static const struct http_header JSON[] = {{STR("Content-Type"), STR("application/json")}};

static int64_t now_ms(void)
{
    return clock_mono_ms(clock_real());
}

static void delay_add(struct http_exchange *exchange, int64_t delay_ms)
{
    struct delayed *item = arena_alloc(http_exchange_arena(exchange), sizeof *item);
    item->exchange = exchange;
    item->at_ms = now_ms() + delay_ms;
    pthread_mutex_lock(&delay_lock);
    struct delayed **at = &delay_first;
    while (*at && (*at)->at_ms <= item->at_ms)
        at = &(*at)->next;
    item->next = *at;
    *at = item;
    pthread_cond_signal(&delay_changed);
    pthread_mutex_unlock(&delay_lock);
}

static void delay_wait(void)
{
    if (!delay_first) {
        pthread_cond_wait(&delay_changed, &delay_lock);
        return;
    }
    struct timespec until = {delay_first->at_ms / 1000, delay_first->at_ms % 1000 * 1000000};
    pthread_cond_timedwait(&delay_changed, &delay_lock, &until);
}

static void *delay_run(void *unused)
{
    pthread_mutex_lock(&delay_lock);
    while (!delay_stop || delay_first) {
        if (!delay_first || delay_first->at_ms > now_ms()) {
            delay_wait();
            continue;
        }
        struct http_exchange *exchange = delay_first->exchange;
        delay_first = delay_first->next;
        pthread_mutex_unlock(&delay_lock);
        if (str_eq(http_exchange_request(exchange)->path, STR("/resume")))
            http_resume(exchange);
        else
            http_answer(exchange, 200, PLAIN, 1, http_exchange_request(exchange)->query);
        pthread_mutex_lock(&delay_lock);
    }
    pthread_mutex_unlock(&delay_lock);
    return unused;
}

static void delay_begin(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&delay_changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&delay_thread, NULL, delay_run, NULL) != 0)
        abort();
}

static void delay_end(void)
{
    pthread_mutex_lock(&delay_lock);
    delay_stop = true;
    pthread_cond_signal(&delay_changed);
    pthread_mutex_unlock(&delay_lock);
    pthread_join(delay_thread, NULL);
    pthread_cond_destroy(&delay_changed);
}

/* --- routes --- */

static uint64_t parameter(const struct http_request *request, struct str name, uint64_t otherwise)
{
    struct str rest = request->query, piece;
    uint64_t value;
    while (str_next(&rest, '&', &piece)) {
        ptrdiff_t equals = str_find(piece, '=');
        if (equals >= 0 && str_eq((struct str){piece.ptr, (size_t)equals}, name) &&
            str_to_u64(str_from(piece, (size_t)equals + 1), &value))
            return value;
    }
    return otherwise;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec span = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&span, NULL);
}

static void stream_run(void *job)
{
    struct http_exchange *exchange = job;
    const struct http_request *request = http_exchange_request(exchange);
    uint64_t n = parameter(request, STR("n"), 3), pause = parameter(request, STR("ms"), 0);
    size_t size = (size_t)parameter(request, STR("size"), 10);
    char *piece = arena_alloc(http_exchange_arena(exchange), size + 1);
    http_stream_begin(exchange, 200, PLAIN, 1);
    for (uint64_t i = 0; i < n; i++) {
        memset(piece, (int)('a' + i % 26), size);
        if (!http_stream_write(exchange, (struct str){piece, size})) {
            atomic_fetch_add(&stream_stopped_count, 1);
            break;
        }
        if (pause)
            sleep_ms(pause);
    }
    if (parameter(request, STR("abort"), 0))
        http_stream_abort(exchange);
    else
        http_stream_end(exchange);
}

static void echo(struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct buf out, hex;
    buf_init_arena(&out, http_exchange_arena(exchange), SIZE_MAX / 2);
    buf_init_arena(&hex, http_exchange_arena(exchange), SIZE_MAX / 2);
    encode_hex(&hex, request->body);
    struct json_out json = json_out_to(&out);
    json_object_begin(&json);
    json_key(&json, STR("method"));
    json_string(&json, request->method);
    json_key(&json, STR("target"));
    json_string(&json, request->target);
    json_key(&json, STR("path"));
    json_string(&json, request->path);
    json_key(&json, STR("query"));
    json_string(&json, request->query);
    json_key(&json, STR("host"));
    json_string(&json, request->host);
    json_key(&json, STR("peer"));
    json_string(&json, request->peer);
    json_key(&json, STR("minor"));
    json_i64(&json, request->minor_version);
    json_key(&json, STR("secure"));
    json_bool(&json, request->secure);
    json_key(&json, STR("client"));
    json_string(&json, request->client_subject);
    json_key(&json, STR("has_body"));
    json_bool(&json, request->has_body);
    json_key(&json, STR("headers"));
    json_array_begin(&json);
    for (size_t i = 0; i < request->header_count; i++) {
        json_string(&json, request->headers[i].name);
        json_string(&json, request->headers[i].value);
    }
    json_array_end(&json);
    json_key(&json, STR("body_hex"));
    json_string(&json, buf_str(&hex));
    json_object_end(&json);
    http_answer(exchange, 200, JSON, 1, buf_str(&out));
}

static void put_count(struct json_out *json, struct str name, uint64_t value)
{
    json_key(json, name);
    json_u64(json, value);
}

static void stats(struct http_exchange *exchange)
{
    struct http_server_stats all = http_server_stats(server);
    struct buf out;
    buf_init_arena(&out, http_exchange_arena(exchange), 4096);
    struct json_out json = json_out_to(&out);
    json_object_begin(&json);
    put_count(&json, STR("connections"), all.connections);
    put_count(&json, STR("connections_open"), all.connections_open);
    put_count(&json, STR("requests"), all.requests);
    put_count(&json, STR("in_flight"), all.in_flight);
    put_count(&json, STR("refused"), all.refused);
    put_count(&json, STR("timeouts"), all.timeouts);
    put_count(&json, STR("streams_dropped"), all.streams_dropped);
    put_count(&json, STR("floods"), all.floods);
    put_count(&json, STR("finished"), atomic_load(&finished_count));
    put_count(&json, STR("aborted"), atomic_load(&aborted_count));
    put_count(&json, STR("gone"), atomic_load(&gone_count));
    put_count(&json, STR("streams_stopped"), atomic_load(&stream_stopped_count));
    json_object_end(&json);
    http_answer(exchange, 200, JSON, 1, buf_str(&out));
}

static void big(struct http_exchange *exchange)
{
    size_t size = (size_t)parameter(http_exchange_request(exchange), STR("size"), 1 << 20);
    char *bytes = xmalloc(size + 1);
    memset(bytes, 'x', size);
    http_answer(exchange, 200, PLAIN, 1, (struct str){bytes, size});
    xfree(bytes);
}

static void hold_gone(void *argument, struct http_exchange *exchange)
{
    atomic_fetch_add((_Atomic uint64_t *)argument, 1);
    http_answer(exchange, 200, PLAIN, 1, STR("nobody reads this"));
}

static void delay_gone(void *argument, struct http_exchange *exchange)
{
    (void)exchange;
    atomic_fetch_add((_Atomic uint64_t *)argument, 1);
}

/* Called twice: the second time by http_resume. */
static void resume(struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    if (http_exchange_user(exchange)) {
        http_answer(exchange, 200, PLAIN, 1, request->query);
        return;
    }
    http_exchange_set_user(exchange, exchange);
    delay_add(exchange, (int64_t)parameter(request, STR("ms"), 0));
}

static void on_request(void *context, struct http_exchange *exchange)
{
    (void)context;
    const struct http_request *request = http_exchange_request(exchange);
    struct str path = request->path;
    if (str_eq(path, STR("/hello")) || str_eq(path, STR("/probe"))) {
        http_answer(exchange, 200, PLAIN, 1, STR("hello, world\n"));
    } else if (str_eq(path, STR("/echo")) || str_eq(path, STR("*")) || str_eq(path, STR("/"))) {
        echo(exchange);
    } else if (str_eq(path, STR("/delay"))) {
        http_exchange_on_gone(exchange, delay_gone, &gone_count);
        delay_add(exchange, (int64_t)parameter(request, STR("ms"), 0));
    } else if (str_eq(path, STR("/resume"))) {
        resume(exchange);
    } else if (str_eq(path, STR("/stream"))) {
        http_exchange_on_gone(exchange, delay_gone, &gone_count);
        if (!worker_pool_submit(streams, stream_run, exchange))
            http_answer_error(exchange, 503, "There are too many streams");
    } else if (str_eq(path, STR("/big"))) {
        big(exchange);
    } else if (str_eq(path, STR("/status"))) {
        struct http_header injected = {STR("X-Reflected"), STR("a\r\nX-Injected: b")};
        http_answer(exchange, (int)parameter(request, STR("code"), 200), &injected, 1,
                    STR("a body"));
    } else if (str_eq(path, STR("/hold"))) {
        http_exchange_on_gone(exchange, hold_gone, &gone_count);
    } else if (str_eq(path, STR("/stats"))) {
        stats(exchange);
    } else {
        http_answer_error(exchange, 404, "There is nothing at this path");
    }
}

static void on_headers(void *context, struct http_exchange *exchange)
{
    (void)context;
    if (str_eq(http_exchange_request(exchange)->path, STR("/headers-reject")))
        http_answer_error(exchange, 401, "Not without a key");
}

static bool is_exempt(void *context, const struct http_request *request)
{
    (void)context;
    return str_eq(request->path, STR("/probe"));
}

static void on_error(void *context, struct http_exchange *exchange, int status, const char *text,
                     struct buf *body, struct str *content_type)
{
    (void)context, (void)exchange;
    *content_type = STR("application/json");
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("code"));
    json_i64(&json, status);
    json_key(&json, STR("message"));
    json_string(&json, str_of(text));
    json_object_end(&json);
}

static size_t on_error_headers(void *context, struct http_exchange *exchange,
                               struct http_header *headers, size_t room)
{
    (void)context, (void)room;
    headers[0] = (struct http_header){STR("X-Error-For"), http_exchange_request(exchange)->target};
    return 1;
}

static void on_finished(void *context, struct http_exchange *exchange, int status,
                        uint64_t body_bytes, bool aborted)
{
    (void)context, (void)exchange, (void)status, (void)body_bytes;
    atomic_fetch_add(aborted ? &aborted_count : &finished_count, 1);
}

int main(int argc, char **argv)
{
    struct settings settings;
    const struct config_program program = {"http-peer", "a server for tests", ITEMS,
                                           sizeof ITEMS / sizeof *ITEMS};
    config_read_or_exit(&program, argc, argv, &settings);
    log_init("http-peer", LOG_INFO);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    delay_begin();
    streams = worker_pool_new("stream", 8, 4096);
    struct http_server_options options = {
        .address = settings.listen,
        .threads = (int)settings.threads,
        .http2 = settings.http2,
        .limits = settings.limits,
        .handler = {.headers = on_headers,
                    .request = on_request,
                    .is_exempt = is_exempt,
                    .error_body = on_error,
                    .error_headers = on_error_headers,
                    .finished = on_finished},
    };
    const struct tls_options tls = {settings.tls_cert,      settings.tls_key,
                                    settings.tls_client_ca, settings.tls_client_required,
                                    settings.http2,         settings.tls_ticket_time};
    struct error err = {0};
    bool clean = false;
    int exit_code = 2;
    if (settings.tls_cert[0] && tls_new(&tls, &options.tls, &err) != CODE_OK)
        fprintf(stderr, "http-peer: %s\n", err.text);
    else if (http_server_start(&options, &server, &err) == CODE_OK) {
        log_info("listening", LOG_C("address", settings.listen),
                 LOG_I("port", http_server_port(server)));
        int caught;
        while (sigwait(&stop, &caught) != 0)
            ;
        clean = http_server_drain(server, settings.grace_ms);
        log_info("stopped", LOG_B("clean", clean), LOG_I("finished", atomic_load(&finished_count)),
                 LOG_I("aborted", atomic_load(&aborted_count)));
        exit_code = clean ? 0 : 1;
    } else {
        fprintf(stderr, "http-peer: --listen: %s\n", err.text);
    }
    worker_pool_free(streams);
    delay_end();
    tls_free(options.tls);
    return exit_code;
}
