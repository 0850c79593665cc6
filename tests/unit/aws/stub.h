/*
 * An AWS of the tests' own: answers come from a script, requests are written down. Over the
 * project's HTTP server, so that what is sent has passed a strict parser.
 */
#pragma once
#include "tests/support/unit.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "http/server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { STUB_STEPS_MAX = 64, STUB_SEEN_MAX = 64, STUB_HOLD = -1 };

/* status STUB_HOLD: no answer ever. The last step is repeated. */
struct stub_step {
    int status;
    const char *body;
    const char *header, *value; /* one more, or NULL */
};

struct stub_seen {
    char method[16], target[2048], authorization[1024], token[256], date[32], extra[256];
    char body[4096];
};

struct stub {
    struct http_server *server;
    char endpoint[64];
    pthread_mutex_t lock;
    struct stub_step steps[STUB_STEPS_MAX];
    size_t step_count, at, seen_count, held_count;
    struct stub_seen seen[STUB_SEEN_MAX];
    struct http_exchange *held[STUB_SEEN_MAX];
    const char *extra_name; /* a header to write down in `extra` */
};

static inline void stub_copy(char *to, size_t size, struct str text)
{
    snprintf(to, size, "%.*s", STR_ARG(text));
}

static inline void stub_note(struct stub *stub, const struct http_request *request)
{
    if (stub->seen_count == STUB_SEEN_MAX)
        return;
    struct stub_seen *seen = &stub->seen[stub->seen_count++];
    stub_copy(seen->method, sizeof seen->method, request->method);
    stub_copy(seen->target, sizeof seen->target, request->target);
    stub_copy(seen->authorization, sizeof seen->authorization,
              http_header_find(request, STR("Authorization")));
    stub_copy(seen->token, sizeof seen->token,
              http_header_find(request, STR("X-Amz-Security-Token")));
    stub_copy(seen->date, sizeof seen->date, http_header_find(request, STR("X-Amz-Date")));
    stub_copy(seen->extra, sizeof seen->extra,
              stub->extra_name ? http_header_find(request, str_of(stub->extra_name)) : STR(""));
    stub_copy(seen->body, sizeof seen->body, request->body);
}

static inline void stub_request(void *context, struct http_exchange *exchange)
{
    struct stub *stub = context;
    pthread_mutex_lock(&stub->lock);
    stub_note(stub, http_exchange_request(exchange));
    const struct stub_step step = stub->steps[stub->at];
    stub->at += stub->at + 1 < stub->step_count;
    bool hold = step.status == STUB_HOLD && stub->held_count < STUB_SEEN_MAX;
    if (hold)
        stub->held[stub->held_count++] = exchange;
    const struct http_header header = {str_of(step.header), str_of(step.value)};
    if (!hold)
        http_answer(exchange, step.status, &header, step.header != NULL, str_of(step.body));
    pthread_mutex_unlock(&stub->lock);
}

static inline void stub_error(void *context, struct http_exchange *exchange, int status,
                              const char *text, struct buf *body, struct str *type)
{
    (void)context, (void)exchange, (void)status;
    buf_add_cstr(body, text);
    *type = STR("text/plain");
}

static inline void stub_finished(void *context, struct http_exchange *exchange, int status,
                                 uint64_t bytes, bool aborted)
{
    (void)context, (void)exchange, (void)status, (void)bytes, (void)aborted;
}

static inline void stub_script(struct stub *stub, const struct stub_step *steps, size_t count)
{
    assert_in_range(count, 1, STUB_STEPS_MAX);
    pthread_mutex_lock(&stub->lock);
    memcpy(stub->steps, steps, count * sizeof *steps);
    stub->step_count = count;
    stub->at = stub->seen_count = 0;
    pthread_mutex_unlock(&stub->lock);
}

/* A header to write down in `extra` from now on. */
static inline void stub_note_header(struct stub *stub, const char *name)
{
    pthread_mutex_lock(&stub->lock);
    stub->extra_name = name;
    pthread_mutex_unlock(&stub->lock);
}

/* What was asked since the script was given; to look at once the answers are there. */
static inline size_t stub_count(struct stub *stub)
{
    pthread_mutex_lock(&stub->lock);
    size_t count = stub->seen_count;
    pthread_mutex_unlock(&stub->lock);
    return count;
}

static inline const struct stub_seen *stub_seen(struct stub *stub)
{
    return stub_count(stub) ? stub->seen : NULL;
}

#define STUB_SCRIPT(stub, ...) \
    stub_script(stub, (const struct stub_step[]){__VA_ARGS__}, \
                sizeof((const struct stub_step[]){__VA_ARGS__}) / sizeof(struct stub_step))

static inline struct stub *stub_new(void)
{
    struct stub *stub = xcalloc(1, sizeof *stub);
    struct error err = {0};
    struct http_server_options options = {.address = "127.0.0.1:0",
                                          .threads = 1,
                                          .handler = {.context = stub,
                                                      .request = stub_request,
                                                      .error_body = stub_error,
                                                      .finished = stub_finished}};
    static const struct stub_step fine = {200, "{}", NULL, NULL};
    pthread_mutex_init(&stub->lock, NULL);
    stub_script(stub, &fine, 1);
    http_limits_default(&options.limits);
    options.limits.body_bytes = 32 << 20;
    assert_int_equal(http_server_start(&options, &stub->server, &err), CODE_OK);
    snprintf(stub->endpoint, sizeof stub->endpoint, "http://127.0.0.1:%d",
             http_server_port(stub->server));
    return stub;
}

static inline void stub_free(struct stub *stub)
{
    pthread_mutex_lock(&stub->lock);
    for (size_t i = 0; i < stub->held_count; i++)
        http_answer(stub->held[i], 500, NULL, 0, STR(""));
    pthread_mutex_unlock(&stub->lock);
    http_server_drain(stub->server, 2000);
    pthread_mutex_destroy(&stub->lock);
    xfree(stub);
}

/* --- an environment of the test's own: NAME=VALUE texts --- */

static const char *const *stub_environment;

static inline char *stub_getenv(const char *name)
{
    size_t length = strlen(name);
    for (const char *const *entry = stub_environment; entry && *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return (char *)*entry + length + 1;
    return NULL;
}

/* --- a clock that a test turns --- */

static int64_t stub_clock_ahead_ms;

static inline int64_t stub_wall_us(const struct clock *clock)
{
    (void)clock;
    return clock_wall_us(clock_real()) + stub_clock_ahead_ms * 1000;
}

static inline int64_t stub_mono_ms(const struct clock *clock)
{
    (void)clock;
    return clock_mono_ms(clock_real());
}

static const struct clock STUB_CLOCK = {stub_wall_us, stub_mono_ms};
