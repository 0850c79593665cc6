/*
 * A call is a small machine that three threads push on, one at a time:
 *
 *             ┌────────── pause (timer) ◀──────────┐ may be tried again
 *             ▼                                    │
 *   start ─▶ send ─▶ (HTTP client) ─▶ judge ───────┼─▶ done, exactly once
 *             ▲                                    │
 *             └── renew (credentials' thread) ◀────┘ credentials have ended
 */
#include "aws/client.h"

#include "aws/aws_internal.h"
#include "aws/classify.h"
#include "base/alloc.h"
#include "base/id.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
    HEADERS_OF_OURS = 6,
    URL_BYTES_MAX = 64 * 1024,
    RETRY_TOKENS = 5,
    PAUSE_MAX_MS = 20000,
    THROTTLE_FACTOR = 4, /* throttled calls pause longer */
};

struct call {
    struct aws_client *client;
    struct aws_request request;
    struct arena arena;   /* of the request */
    struct arena attempt; /* of the attempt under way and its answer */
    struct str path;      /* encoded */
    struct str hash;
    aws_done_fn done;
    void *argument;
    int64_t give_up_ms; /* monotonic */
    int tries, sent, tokens;
    bool renewed, corrected; /* once a call */
    bool unsure, delivered;  /* delivered: pieces went to the caller */
    uint64_t generation;     /* of the credentials it was signed with */
    struct buf collected;    /* the body of what is not a 2xx, with `piece` */
    struct error last;
};

static void send_attempt(struct call *call);
static void on_answer(void *argument, const struct http_client_response *response,
                      const struct error *err);

/* --- beginning and end --- */

static void free_call(struct call *call)
{
    arena_clear(&call->arena);
    arena_clear(&call->attempt);
    xfree(call);
}

static void finish(struct call *call, struct aws_response *response, const struct error *err)
{
    struct aws_response none = {0};
    if (!response)
        response = &none;
    response->sent = call->sent;
    response->unsure = call->unsure;
    if (!err)
        aws_tokens_give(call->client, call->tokens + 1);
    call->done(call->argument, response, err);
    free_call(call);
}

static int64_t mono_ms(const struct call *call)
{
    return clock_mono_ms(call->client->options.aws->clock);
}

static void copy_request(struct call *call, const struct aws_request *request)
{
    struct arena *arena = &call->arena;
    struct http_header *headers = arena_alloc(arena, (request->header_count + 1) * sizeof *headers);
    struct buf path;
    call->request = *request;
    call->request.method = arena_str(arena, request->method);
    call->request.query = arena_str(arena, request->query);
    call->request.host = arena_str(arena, request->host);
    call->request.body = arena_str(arena, request->body);
    for (size_t i = 0; i < request->header_count; i++)
        headers[i] = (struct http_header){arena_str(arena, request->headers[i].name),
                                          arena_str(arena, request->headers[i].value)};
    call->request.headers = headers;
    buf_init_arena(&path, arena, URL_BYTES_MAX);
    aws_encode_path(&path, request->path.len ? request->path : STR("/"));
    call->path = buf_str(&path);
    char hash[SIGV4_HEX_BYTES + 1];
    if (!request->body_sha256.len)
        sigv4_hash(call->request.body, hash);
    call->hash = arena_str(arena, request->body_sha256.len ? request->body_sha256
                                                           : (struct str){hash, SIGV4_HEX_BYTES});
}

/* --- an attempt --- */

/* What `piece` is given while the answer is a 2xx; the rest is needed to judge it. */
static bool on_piece(void *context, int status, struct str bytes)
{
    struct call *call = context;
    if (status >= 200 && status < 300) {
        call->delivered = true;
        return call->request.piece(call->request.context, status, bytes);
    }
    buf_add(&call->collected, bytes);
    return true;
}

static ssize_t on_read(void *context, int64_t offset, char *into, size_t room)
{
    struct call *call = context;
    return call->request.body_read(call->request.context, offset, into, room);
}

static struct str host_of(const struct call *call)
{
    return call->request.host.len ? call->request.host : call->client->location.host;
}

/* The headers to sign, in call->attempt, with room for one more. */
static struct http_header *make_headers(struct call *call, int64_t now_s, struct str token,
                                        size_t *count)
{
    struct arena *arena = &call->attempt;
    struct http_header *headers =
        arena_alloc(arena, (call->request.header_count + HEADERS_OF_OURS) * sizeof *headers);
    char time[SIGV4_TIME_BYTES + 1];
    size_t n = call->request.header_count;
    if (n)
        memcpy(headers, call->request.headers, n * sizeof *headers);
    sigv4_time(now_s, time);
    headers[n++] = (struct http_header){STR("Host"), host_of(call)};
    headers[n++] = (struct http_header){STR("X-Amz-Date"),
                                        arena_str(arena, (struct str){time, SIGV4_TIME_BYTES})};
    if (token.len)
        headers[n++] = (struct http_header){STR("X-Amz-Security-Token"), arena_str(arena, token)};
    if (call->client->options.service->content_hash)
        headers[n++] = (struct http_header){STR("X-Amz-Content-Sha256"), call->hash};
    *count = n;
    return headers;
}

static struct str url_of(struct call *call)
{
    return str_of(arena_printf(&call->attempt, "%s://%.*s%.*s%s%.*s",
                               call->client->tls ? "https" : "http", STR_ARG(host_of(call)),
                               STR_ARG(call->path), call->request.query.len ? "?" : "",
                               STR_ARG(call->request.query)));
}

static struct http_header *sign(struct call *call, size_t *count)
{
    struct aws_client *client = call->client;
    struct aws *aws = client->options.aws;
    const struct aws_credentials *credentials = aws_provider_get(aws->provider);
    const struct sigv4_scope scope = {
        client->location.region, str_of(client->options.service->name),
        clock_wall_us(aws->clock) / 1000000 + atomic_load(&aws->skew_s),
        client->options.service->path_once};
    struct http_header *headers = make_headers(call, scope.now_s, credentials->token, count);
    const struct sigv4_request request = {
        call->request.method, call->path, call->request.query, headers, *count, call->hash};
    const struct sigv4_key key = {credentials->id, credentials->secret};
    call->generation = credentials->generation;
    headers[*count] = (struct http_header){
        STR("Authorization"),
        sigv4_authorization(&request, &scope, &key, &client->keys, &call->attempt)};
    *count += 1;
    aws_credentials_release(credentials);
    return headers;
}

static enum code try_to_send(struct call *call, struct error *err)
{
    const struct aws_client_options *options = &call->client->options;
    int64_t left_ms = call->give_up_ms - mono_ms(call);
    int64_t attempt_ms = call->request.attempt_ms ? call->request.attempt_ms : options->attempt_ms;
    arena_reset(&call->attempt);
    buf_init_arena(&call->collected, &call->attempt, (size_t)options->answer_bytes_max);
    if (atomic_load(&options->aws->stopping))
        return error_set(err, CODE_CANCELLED, NULL, "stopping");
    if (left_ms <= 0)
        return error_set(err, CODE_DEADLINE_EXCEEDED, NULL, "%s did not answer in time",
                         options->service->name);
    size_t header_count;
    const struct http_header *headers = sign(call, &header_count);
    const struct http_client_request request = {
        .method = call->request.method,
        .url = url_of(call),
        .headers = headers,
        .header_count = header_count,
        .body = call->request.body,
        .deadline_ms = attempt_ms < left_ms ? attempt_ms : left_ms,
        .response_bytes_max = call->request.piece ? INT64_MAX : options->answer_bytes_max,
        .body_read = call->request.body_read ? on_read : NULL,
        .body_bytes = call->request.body_bytes,
        .piece = call->request.piece ? on_piece : NULL,
        .context = call,
    };
    call->tries++;
    return aws_http_start(call->client, &request, on_answer, call, err);
}

static void send_attempt(struct call *call)
{
    struct error err = {0};
    if (try_to_send(call, &err) != CODE_OK)
        finish(call, NULL, call->last.code && err.code != CODE_CANCELLED ? &call->last : &err);
}

static void send_again(void *argument)
{
    send_attempt(argument);
}

/* --- judging what came --- */

/* Full jitter over a span that doubles. */
static int64_t pause_of(const struct call *call, bool throttled)
{
    int64_t span = call->client->options.backoff_ms << (call->tries > 10 ? 10 : call->tries - 1);
    uint32_t dice;
    if (throttled)
        span *= THROTTLE_FACTOR;
    if (span > PAUSE_MAX_MS)
        span = PAUSE_MAX_MS;
    id_random_nonce(&dice, sizeof dice);
    return (int64_t)(dice % (uint64_t)(span + 1));
}

/* True when another attempt was arranged: then the call is no longer ours. */
static bool try_again(struct call *call, bool throttled)
{
    struct aws_client *client = call->client;
    int most = call->request.attempts ? call->request.attempts : client->options.attempts;
    int64_t pause_ms = pause_of(call, throttled);
    if (call->tries >= most || call->delivered || atomic_load(&client->options.aws->stopping) ||
        mono_ms(call) + pause_ms >= call->give_up_ms)
        return false;
    if (!aws_tokens_take(client, RETRY_TOKENS))
        return false;
    call->tokens += RETRY_TOKENS;
    return aws_timer_after(client->options.aws->timer, pause_ms, send_again, call);
}

static void on_renewed(void *argument, const struct error *err)
{
    struct call *call = argument;
    if (!err) {
        send_attempt(call);
        return;
    }
    error_set(&call->last, err->code == CODE_CANCELLED ? CODE_CANCELLED : CODE_UNAVAILABLE,
              "ExpiredToken", "%s: the credentials have expired: %s",
              call->client->options.service->name, err->text);
    finish(call, NULL, &call->last);
}

static bool renew(struct call *call)
{
    if (call->renewed)
        return false;
    call->renewed = true;
    call->tries--;
    return aws_provider_renew(call->client->options.aws->provider, call->generation, on_renewed,
                              call);
}

static bool correct_clock(struct call *call, const struct aws_response *response)
{
    struct aws *aws = call->client->options.aws;
    int64_t theirs_s;
    if (call->corrected || !aws_read_date(aws_response_header(response, STR("Date")), &theirs_s))
        return false;
    call->corrected = true;
    call->tries--;
    atomic_store(&aws->skew_s, theirs_s - clock_wall_us(aws->clock) / 1000000);
    return aws_timer_after(aws->timer, 0, send_again, call);
}

static bool act(struct call *call, enum aws_action action, const struct aws_response *response)
{
    switch (action) {
    case AWS_RETRY:
    case AWS_THROTTLE:
        return try_again(call, action == AWS_THROTTLE);
    case AWS_EXPIRED:
        return renew(call);
    case AWS_SKEWED:
        return correct_clock(call, response);
    case AWS_FAIL:
        break;
    }
    return false;
}

static void tell(struct call *call, const struct aws_failure *failure, int status)
{
    char reason[ERROR_REASON_BYTES];
    struct str name = failure->name;
    if (name.len >= sizeof reason)
        name.len = sizeof reason - 1;
    memcpy(reason, name.ptr ? name.ptr : "", name.len);
    reason[name.len] = '\0';
    error_set(&call->last, failure->code, reason, "%s answered %d %.*s%s%.*s",
              call->client->options.service->name, status, STR_ARG(name),
              failure->message.len ? ": " : "", STR_ARG(failure->message));
}

static void on_refusal(struct call *call, struct aws_response *response)
{
    struct str type = aws_response_header(response, STR("x-amzn-errortype"));
    struct aws_failure failure = aws_classify(call->client->options.service, response->status, type,
                                              response->body, &call->attempt);
    int status = response->status;
    tell(call, &failure, status);
    /* A server's own failure leaves open what became of the request. */
    call->unsure |= status >= 500;
    if (act(call, failure.action, response))
        return;
    response->error = failure.name;
    response->message = failure.message;
    finish(call, response, &call->last);
}

static void on_no_answer(struct call *call, const struct error *err)
{
    const char *service = call->client->options.service->name;
    bool lost = strcmp(err->reason, "CONNECTION_LOST") == 0 || err->code == CODE_DEADLINE_EXCEEDED;
    bool again = lost || strcmp(err->reason, "NO_CONNECTION") == 0;
    call->last = *err;
    error_prefix(&call->last, service);
    call->unsure |= lost;
    if (!again || !try_again(call, false))
        finish(call, NULL, &call->last);
}

static void on_answer(void *argument, const struct http_client_response *response,
                      const struct error *err)
{
    struct call *call = argument;
    call->sent += !err || strcmp(err->reason, "NO_CONNECTION") != 0;
    if (err) {
        on_no_answer(call, err);
        return;
    }
    struct aws_response answer = {.status = response->status,
                                  .body = response->body,
                                  .headers = response->headers,
                                  .header_count = response->header_count};
    if (call->request.piece)
        answer.body = buf_str(&call->collected);
    bool fine = answer.status >= 200 && answer.status < 300;
    if (!fine || (call->request.error_in_200 && aws_is_error_body(answer.body, &call->attempt)))
        on_refusal(call, &answer);
    else
        finish(call, &answer, NULL);
}

/* --- the two forms --- */

enum code aws_start(struct aws_client *client, const struct aws_request *request, aws_done_fn done,
                    void *argument, struct error *err)
{
    struct call *call = xcalloc(1, sizeof *call);
    call->client = client;
    call->done = done;
    call->argument = argument;
    copy_request(call, request);
    call->give_up_ms = mono_ms(call) + request->deadline_ms;
    if (try_to_send(call, err) == CODE_OK)
        return CODE_OK;
    free_call(call);
    return err->code;
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
    struct arena *arena;
    struct aws_response *response;
    struct error *err;
};

static void keep(struct waiting *waiting, const struct aws_response *response)
{
    struct arena *arena = waiting->arena;
    struct http_header *headers =
        arena_alloc(arena, (response->header_count + 1) * sizeof *headers);
    *waiting->response = *response;
    for (size_t i = 0; i < response->header_count; i++)
        headers[i] = (struct http_header){arena_str(arena, response->headers[i].name),
                                          arena_str(arena, response->headers[i].value)};
    waiting->response->headers = headers;
    waiting->response->body = arena_str(arena, response->body);
    waiting->response->error = arena_str(arena, response->error);
    waiting->response->message = arena_str(arena, response->message);
}

static void on_waited(void *argument, const struct aws_response *response, const struct error *err)
{
    struct waiting *waiting = argument;
    pthread_mutex_lock(&waiting->lock);
    keep(waiting, response);
    if (err)
        *waiting->err = *err;
    else
        error_clear(waiting->err);
    waiting->over = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

enum code aws_call(struct aws_client *client, const struct aws_request *request,
                   struct arena *arena, struct aws_response *response, struct error *err)
{
    struct waiting waiting = {.arena = arena, .response = response, .err = err};
    *response = (struct aws_response){0};
    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.changed, NULL);
    enum code code = aws_start(client, request, on_waited, &waiting, err);
    if (code == CODE_OK) {
        /* A call ends by its deadline at the latest: there is no need to give up on it here. */
        pthread_mutex_lock(&waiting.lock);
        while (!waiting.over)
            pthread_cond_wait(&waiting.changed, &waiting.lock);
        pthread_mutex_unlock(&waiting.lock);
        code = err->code;
    }
    pthread_cond_destroy(&waiting.changed);
    pthread_mutex_destroy(&waiting.lock);
    return code;
}

struct str aws_response_header(const struct aws_response *response, struct str name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (str_eq_case(response->headers[i].name, name))
            return response->headers[i].value;
    return (struct str){0};
}

bool aws_read_date(struct str text, int64_t *seconds)
{
    char copy[40];
    struct tm tm = {0};
    if (text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr ? text.ptr : "", text.len);
    copy[text.len] = '\0';
    const char *end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (!end || *end)
        return false;
    *seconds = timegm(&tm);
    return true;
}
