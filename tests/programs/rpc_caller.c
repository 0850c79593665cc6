/*
 * A client of lib/rpc for servers in other languages. Prints one JSON object with what came of the
 * call.
 *
 * usage: rpc_caller TARGET unary|stream|cancel|both|health METHOD DEADLINE_MS [-m KEY=VALUE]...
 * ID... unary   one request, one response, with a callback stream  one request, all responses, with
 * callbacks; pauses after each message cancel  like stream, cancelled after the first message both
 * blocking: sends all the ids, then receives all responses health  METHOD is the service's name
 */
#include "base/json_out.h"
#include "rpc/client.h"
#include "tests/unit/rpc/echo_service.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 4 << 20, OUTPUT_MAX = 16 << 20, METADATA_MAX = 16 };

struct caller {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool done;
    int messages;
    struct error err;
    struct buf ids; /* JSON strings, comma-separated */
    struct arena arena;
};

static void add_id(struct caller *caller, struct str bytes)
{
    struct json_out json = json_out_to(&caller->ids);
    struct arena arena;
    arena_init(&arena);
    USER *user = proto_decode(&arena, USER_TYPE, bytes);
    json.comma = caller->ids.len > 0;
    json_string(&json, str_of(user ? user->id : "(undecodable)"));
    arena_clear(&arena);
}

static void on_done(void *argument, const struct rpc_result *result)
{
    struct caller *caller = argument;
    pthread_mutex_lock(&caller->lock);
    (void)!rpc_result_error(result, &caller->err);
    if (result->code == CODE_OK && result->response.ptr)
        add_id(caller, result->response);
    caller->done = true;
    pthread_cond_signal(&caller->change);
    pthread_mutex_unlock(&caller->lock);
}

static bool on_message(void *argument, struct str message)
{
    struct caller *caller = argument;
    pthread_mutex_lock(&caller->lock);
    add_id(caller, message);
    caller->messages++;
    pthread_cond_signal(&caller->change);
    pthread_mutex_unlock(&caller->lock);
    return false;
}

static struct str request_of(struct caller *caller, const char *id)
{
    GET_REQUEST request = GET_REQUEST_INIT;
    request.id = (char *)(uintptr_t)id;
    return proto_encode_arena(&caller->arena, &request.base);
}

static void call_unary(struct caller *caller, struct rpc_client *client,
                       const struct rpc_call_options *options, const char *id)
{
    rpc_client_start(client, options, request_of(caller, id), on_done, caller, NULL);
    pthread_mutex_lock(&caller->lock);
    while (!caller->done)
        pthread_cond_wait(&caller->change, &caller->lock);
    pthread_mutex_unlock(&caller->lock);
}

/* Cancels at the first message, or takes one after the other. */
static void call_stream(struct caller *caller, struct rpc_client *client,
                        const struct rpc_call_options *options, const char *id, bool cancel)
{
    static const struct rpc_stream_events events = {on_message, on_done};
    int seen = 0;
    struct rpc_stream *stream =
        rpc_client_open(client, options, request_of(caller, id), &events, caller);
    pthread_mutex_lock(&caller->lock);
    while (!caller->done) {
        if (caller->messages > seen) {
            seen = caller->messages;
            if (cancel)
                rpc_stream_cancel(stream);
            else
                rpc_stream_next(stream);
        }
        pthread_cond_wait(&caller->change, &caller->lock);
    }
    pthread_mutex_unlock(&caller->lock);
}

static void call_both(struct caller *caller, struct rpc_client *client,
                      const struct rpc_call_options *options, int count, char **ids)
{
    struct rpc_blocking_stream *stream = rpc_stream_new(client, options);
    struct str message;
    for (int i = 0; i < count && rpc_stream_send(stream, request_of(caller, ids[i])); i++)
        continue;
    rpc_stream_send_end(stream);
    while (rpc_stream_receive(stream, &caller->arena, &message))
        add_id(caller, message);
    (void)!rpc_stream_finish(stream, &caller->err);
}

static void print(struct caller *caller, bool healthy)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    struct json_out json = json_out_to(&out);
    json_object_begin(&json);
    json_key(&json, STR("code"));
    json_string(&json, str_of(code_name(caller->err.code)));
    json_key(&json, STR("message"));
    json_string(&json, str_of(caller->err.text));
    json_key(&json, STR("reason"));
    json_string(&json, str_of(caller->err.reason));
    json_key(&json, STR("retry_after_ms"));
    json_u64(&json, caller->err.retry_after_ms);
    json_key(&json, STR("healthy"));
    json_bool(&json, healthy);
    json_key(&json, STR("fields"));
    json_object_begin(&json);
    for (uint32_t i = 0; i < caller->err.field_count; i++) {
        json_key(&json, str_of(caller->err.fields[i].path));
        json_string(&json, str_of(caller->err.fields[i].text));
    }
    json_object_end(&json);
    json_key(&json, STR("ids"));
    json_array_begin(&json);
    json_raw(&json, buf_str(&caller->ids));
    json_array_end(&json);
    json_object_end(&json);
    printf("%s\n", buf_cstr(&out));
    buf_clear(&out);
}

static int take_metadata(int argc, char **argv, int at, struct rpc_metadata *metadata,
                         struct rpc_call_options *options)
{
    options->metadata = metadata;
    while (at + 1 < argc && strcmp(argv[at], "-m") == 0 && options->metadata_count < METADATA_MAX) {
        struct str rest = str_of(argv[at + 1]);
        struct rpc_metadata *one = &metadata[options->metadata_count++];
        str_next(&rest, '=', &one->key);
        one->value = rest;
        at += 2;
    }
    return at;
}

int main(int argc, char **argv)
{
    struct caller caller = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
    struct rpc_metadata metadata[METADATA_MAX];
    struct rpc_call_options options = {.wait_for_ready = true};
    bool healthy = false;
    if (argc < 5) {
        fputs("usage: rpc_caller TARGET KIND METHOD DEADLINE_MS [-m KEY=VALUE]... ID...\n", stderr);
        return 2;
    }
    options.method = str_of(argv[3]);
    str_to_i64(str_of(argv[4]), &options.deadline_ms);
    int at = take_metadata(argc, argv, 5, metadata, &options);
    const char *id = at < argc ? argv[at] : "";
    buf_init(&caller.ids, OUTPUT_MAX);
    struct rpc_client *client = rpc_client_new(
        &(struct rpc_client_options){.target = argv[1], .message_bytes_max = MESSAGE_MAX});
    if (strcmp(argv[2], "unary") == 0)
        call_unary(&caller, client, &options, id);
    else if (strcmp(argv[2], "both") == 0)
        call_both(&caller, client, &options, argc - at, argv + at);
    else if (strcmp(argv[2], "health") == 0)
        healthy = rpc_client_healthy(client, argv[3], options.deadline_ms);
    else
        call_stream(&caller, client, &options, id, strcmp(argv[2], "cancel") == 0);
    rpc_client_free(client);
    print(&caller, healthy);
    buf_clear(&caller.ids);
    arena_clear(&caller.arena);
    return 0;
}
