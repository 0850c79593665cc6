/*
 * A client of lib/rpc with call streams, for servers in other languages. Reads commands from
 * standard input, a line each, and prints a JSON object for each:
 *
 *   open        calls GetUser("warm") until a stream is open, or two seconds have passed
 *   ID...       calls GetUser for all of them at once and waits for all
 *
 * usage: rpc_lanes TARGET DEADLINE_MS [CALL_STREAMS=1]
 */
#include "base/json_out.h"
#include "rpc/client.h"
#include "tests/unit/rpc/echo_service.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 4 << 20, OUTPUT_MAX = 16 << 20, IDS_MAX = 512, TEXT_BYTES = 80, TRIES = 2000 };

struct lanes_caller {
    struct rpc_client *client;
    int64_t deadline_ms;
    pthread_mutex_t lock;
    pthread_cond_t change;
    int under_way;
};

struct outcome {
    struct lanes_caller *caller;
    int done; /* how often */
    char text[TEXT_BYTES];
};

static void on_done(void *argument, const struct rpc_result *result)
{
    struct outcome *outcome = argument;
    struct lanes_caller *caller = outcome->caller;
    struct arena arena;
    arena_init(&arena);
    USER *user = result->code == CODE_OK ? proto_decode(&arena, USER_TYPE, result->response) : NULL;
    struct str text = user ? str_of(user->id) : result->message;
    pthread_mutex_lock(&caller->lock);
    outcome->done++;
    snprintf(outcome->text, sizeof outcome->text, "%s %.*s", code_name(result->code),
             STR_ARG(str_utf8_cut(text, TEXT_BYTES / 2)));
    caller->under_way--;
    pthread_cond_signal(&caller->change);
    pthread_mutex_unlock(&caller->lock);
    arena_clear(&arena);
}

static void call_all(struct lanes_caller *caller, const struct str *ids, int count,
                     struct outcome *outcomes)
{
    const struct rpc_metadata metadata[] = {
        {STR("x-text"), STR("hello")},
        {STR("x-raw-bin"), {"\x00\xff", 2}},
    };
    const struct rpc_call_options options = {.method = GET_USER,
                                             .deadline_ms = caller->deadline_ms,
                                             .metadata = metadata,
                                             .metadata_count = 2,
                                             .gather = true};
    struct arena arena;
    arena_init(&arena);
    caller->under_way = count;
    for (int i = 0; i < count; i++) {
        GET_REQUEST request = GET_REQUEST_INIT;
        request.id = arena_cstr(&arena, ids[i]);
        outcomes[i] = (struct outcome){.caller = caller};
        rpc_client_start(caller->client, &options, proto_encode_arena(&arena, &request.base),
                         on_done, &outcomes[i], NULL);
    }
    rpc_client_flush(caller->client);
    pthread_mutex_lock(&caller->lock);
    while (caller->under_way)
        pthread_cond_wait(&caller->change, &caller->lock);
    pthread_mutex_unlock(&caller->lock);
    arena_clear(&arena);
}

static void print(struct lanes_caller *caller, const struct outcome *outcomes, int count)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    struct json_out json = json_out_to(&out);
    json_object_begin(&json);
    json_key(&json, STR("streams"));
    json_i64(&json, rpc_client_streams_open(caller->client));
    json_key(&json, STR("outcomes"));
    json_array_begin(&json);
    for (int i = 0; i < count; i++)
        json_string(&json, str_of(outcomes[i].done == 1 ? outcomes[i].text : "NOT ONCE"));
    json_array_end(&json);
    json_object_end(&json);
    printf("%s\n", buf_cstr(&out));
    fflush(stdout);
    buf_clear(&out);
}

int main(int argc, char **argv)
{
    struct lanes_caller caller = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .change = PTHREAD_COND_INITIALIZER};
    struct outcome *outcomes = calloc(IDS_MAX, sizeof *outcomes);
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    if (argc < 3 || !outcomes) {
        fputs("usage: rpc_lanes TARGET DEADLINE_MS [CALL_STREAMS]\n", stderr);
        return 2;
    }
    str_to_i64(str_of(argv[2]), &caller.deadline_ms);
    caller.client = rpc_client_new(&(struct rpc_client_options){
        .target = argv[1],
        .message_bytes_max = MESSAGE_MAX,
        .call_streams = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 1});
    while ((length = getline(&line, &room, stdin)) > 0) {
        struct str rest = {line, (size_t)length - 1}, ids[IDS_MAX], warm = STR("warm");
        int count = 0;
        if (str_eq(rest, STR("open"))) {
            for (int i = 0; i < TRIES && !rpc_client_streams_open(caller.client); i++) {
                call_all(&caller, &warm, 1, outcomes);
                echo_nap();
            }
        } else {
            while (count < IDS_MAX && str_next(&rest, ' ', &ids[count]))
                count++;
            call_all(&caller, ids, count, outcomes);
        }
        print(&caller, outcomes, count);
    }
    rpc_client_free(caller.client);
    free(line);
    free(outcomes);
    return 0;
}
