/*
 * omnictl dlq: the messages that were received in vain too often. SQS has no way to look at a
 * message but to receive it: what is looked at is given back at once.
 */
#include "aws/setting.h"
#include "aws/sqs.h"
#include "base/encode.h"
#include "base/time_text.h"
#include "omnictl/command.h"
#include "pb/proto.h"

#include "omnidata/event/v1/event.pb-c.h"

#include <stdio.h>
#include <string.h>

enum { CALL_MS = 20000, LOOK_S = 120, LOOKS_MAX = 1000, EMPTY_MAX = 3, BODY_MAX = 4 << 20 };

struct settings {
    const char *queue;
    bool all, raw;
};

struct dlq {
    const struct command_call *call;
    struct arena arena;
    struct aws *aws;
    struct aws_client *client, *dead_client;
    struct sqs_queue *queue, *dead;
    struct error err;
    struct sqs_message *messages; /* all that could be received */
    size_t count;
};

/* --- the two queues --- */

static enum code open_dead(struct dlq *dlq, const struct aws_location *location)
{
    struct str arn = sqs_limits(dlq->queue)->dead_letter_arn, piece = {0};
    struct aws_location there = *location;
    if (!arn.len)
        return error_set(&dlq->err, CODE_FAILED_PRECONDITION, NULL,
                         "queue %.*s has no dead letter queue", STR_ARG(location->name));
    while (str_next(&arn, ':', &piece))
        there.name = piece;
    dlq->dead_client = aws_client_new(
        &(struct aws_client_options){.aws = dlq->aws, .service = &SQS_SERVICE, .location = &there});
    return sqs_open(dlq->dead_client, CALL_MS, &dlq->dead, &dlq->err);
}

static enum code open_queues(struct dlq *dlq)
{
    const struct settings *settings = dlq->call->settings;
    const struct aws_setting setting = {"queue", settings->queue, "sqs", NULL, 0};
    struct aws_location location;
    if (aws_setting_open(&setting, "omnictl", &dlq->arena, &dlq->aws, &location, &dlq->err) !=
        CODE_OK)
        return dlq->err.code;
    dlq->client = aws_client_new(&(struct aws_client_options){
        .aws = dlq->aws, .service = &SQS_SERVICE, .location = &location});
    if (sqs_open(dlq->client, CALL_MS, &dlq->queue, &dlq->err) != CODE_OK)
        return dlq->err.code;
    return open_dead(dlq, &location);
}

/* Everything that is there, as far as SQS shows it; hidden from others until it is given back. */
static enum code receive_all(struct dlq *dlq)
{
    size_t empty = 0, got;
    dlq->messages = arena_alloc(&dlq->arena, LOOKS_MAX * sizeof *dlq->messages);
    while (dlq->count + SQS_BATCH_MAX <= LOOKS_MAX && empty < EMPTY_MAX) {
        if (sqs_receive(dlq->dead, SQS_BATCH_MAX, LOOK_S, 0, &dlq->arena,
                        dlq->messages + dlq->count, &got, &dlq->err) != CODE_OK)
            return dlq->err.code;
        empty = got ? 0 : empty + 1;
        dlq->count += got;
    }
    return CODE_OK;
}

/* Those whose handle was not taken by somebody (ptr NULL). */
static void give_back(struct dlq *dlq)
{
    struct str handles[SQS_BATCH_MAX];
    struct sqs_outcome outcomes[SQS_BATCH_MAX];
    struct error err = {0};
    size_t n = 0;
    for (size_t i = 0; i < dlq->count; i++) {
        if (dlq->messages[i].handle.ptr)
            handles[n++] = dlq->messages[i].handle;
        if ((n == SQS_BATCH_MAX || i + 1 == dlq->count) && n) {
            if (sqs_change_visibility(dlq->dead, handles, n, 0, CALL_MS, outcomes, &err) != CODE_OK)
                fprintf(stderr, "omnictl dlq: some messages stay hidden for %d s: %s\n", LOOK_S,
                        err.text);
            n = 0;
        }
    }
}

/* --- showing --- */

static struct str bytes_of(struct dlq *dlq, const struct sqs_message *message)
{
    struct buf bytes;
    buf_init_arena(&bytes, &dlq->arena, BODY_MAX);
    return decode_base64(&bytes, message->body, true) ? buf_str(&bytes) : message->body;
}

static Omnidata__Event__V1__EventBatch *batch_of(struct dlq *dlq, struct str bytes)
{
    return proto_decode(&dlq->arena, &omnidata__event__v1__event_batch__descriptor, bytes);
}

static int list(struct dlq *dlq)
{
    if (receive_all(dlq) != CODE_OK)
        return COMMAND_FAILED;
    printf("  %-38s %-22s %9s %10s %8s\n", "id", "sent (UTC)", "received", "bytes", "events");
    for (size_t i = 0; i < dlq->count; i++) {
        const struct sqs_message *message = &dlq->messages[i];
        struct str bytes = bytes_of(dlq, message);
        const Omnidata__Event__V1__EventBatch *batch = batch_of(dlq, bytes);
        struct buf time;
        char events[24] = "?";
        buf_init_arena(&time, &dlq->arena, 64);
        time_add_rfc3339(&time, message->sent_ms / 1000, 0);
        if (batch)
            snprintf(events, sizeof events, "%zu", batch->n_events);
        printf("  %-38.*s %-22s %9lld %10zu %8s\n", STR_ARG(message->id), buf_cstr(&time),
               (long long)message->receive_count, bytes.len, events);
    }
    give_back(dlq);
    return COMMAND_OK;
}

static struct sqs_message *find(struct dlq *dlq, const char *id)
{
    for (size_t i = 0; i < dlq->count; i++)
        if (str_eq(dlq->messages[i].id, str_of(id)))
            return &dlq->messages[i];
    fprintf(stderr, "omnictl dlq: there is no message %s\n", id);
    return NULL;
}

static void print_batch(struct dlq *dlq, const Omnidata__Event__V1__EventBatch *batch)
{
    printf("batch %s: %zu events\n", batch->id, batch->n_events);
    for (size_t i = 0; i < batch->n_events; i++) {
        struct str bytes = {(const char *)batch->events[i].data, batch->events[i].len};
        const Omnidata__Event__V1__Event *event =
            proto_decode(&dlq->arena, &omnidata__event__v1__event__descriptor, bytes);
        if (event)
            printf("  %s  kind %d\n", event->id, (int)event->kind);
        else
            printf("  %zu bytes that are no event\n", bytes.len);
    }
}

static int show(struct dlq *dlq)
{
    const struct settings *settings = dlq->call->settings;
    int result = COMMAND_FAILED;
    if (receive_all(dlq) != CODE_OK)
        return result;
    const struct sqs_message *message = find(dlq, dlq->call->arguments[1]);
    if (message) {
        struct str bytes = bytes_of(dlq, message);
        const Omnidata__Event__V1__EventBatch *batch = batch_of(dlq, bytes);
        if (settings->raw)
            fwrite(bytes.ptr, 1, bytes.len, stdout);
        else if (batch)
            print_batch(dlq, batch);
        else
            printf("%zu bytes that are no batch of events; --raw prints them\n", bytes.len);
        result = COMMAND_OK;
    }
    give_back(dlq);
    return result;
}

/* --- sending back --- */

/* Sent first, then deleted: a crash in between leaves it twice, which the ledger knows by its id.
 */
static enum code send_back(struct dlq *dlq, struct sqs_message *message)
{
    const struct sqs_entry entry = {message->body, message->id};
    struct sqs_outcome outcome;
    if (sqs_send(dlq->queue, &entry, 1, CALL_MS, &outcome, &dlq->err) != CODE_OK)
        return dlq->err.code;
    if (!outcome.ok)
        return error_set(&dlq->err, CODE_UNAVAILABLE, NULL, "%.*s was not taken: %s",
                         STR_ARG(message->id), outcome.error);
    if (sqs_delete(dlq->dead, &message->handle, 1, CALL_MS, &outcome, &dlq->err) != CODE_OK)
        return dlq->err.code;
    message->handle = (struct str){0};
    printf("  %.*s\n", STR_ARG(message->id));
    return CODE_OK;
}

static int redrive(struct dlq *dlq)
{
    const struct settings *settings = dlq->call->settings;
    enum code code = CODE_OK;
    int result = COMMAND_OK;
    if (receive_all(dlq) != CODE_OK)
        return COMMAND_FAILED;
    for (size_t i = 0; settings->all && code == CODE_OK && i < dlq->count; i++)
        code = send_back(dlq, &dlq->messages[i]);
    for (size_t i = 1; code == CODE_OK && i < dlq->call->argument_count; i++) {
        struct sqs_message *message = find(dlq, dlq->call->arguments[i]);
        if (!message)
            result = COMMAND_FAILED;
        else if (message->handle.ptr)
            code = send_back(dlq, message);
    }
    give_back(dlq);
    return code == CODE_OK ? result : COMMAND_FAILED;
}

/* --- the command --- */

static const struct verb {
    const char *name;
    int (*run)(struct dlq *dlq);
    size_t least, most; /* ids behind it */
} VERBS[] = {{"list", list, 0, 0}, {"show", show, 1, 1}, {"redrive", redrive, 0, 100}};

static const struct verb *find_verb(const struct command_call *call)
{
    const struct settings *settings = call->settings;
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
        size_t ids = call->argument_count - 1;
        if (strcmp(VERBS[i].name, call->arguments[0]) != 0)
            continue;
        if (ids < VERBS[i].least || ids > VERBS[i].most) {
            command_refuse(&COMMAND_DLQ, "%s takes %s", VERBS[i].name,
                           VERBS[i].most ? "one id" : "no id");
            return NULL;
        }
        if (VERBS[i].run == redrive && settings->all == (ids > 0)) {
            command_refuse(&COMMAND_DLQ, "redrive takes ids, or --all");
            return NULL;
        }
        return &VERBS[i];
    }
    command_refuse(&COMMAND_DLQ, "there is no \"%s\"; there are: list, show, redrive",
                   call->arguments[0]);
    return NULL;
}

static int run(const struct command_call *call)
{
    const struct verb *verb = find_verb(call);
    struct dlq dlq = {.call = call};
    int result = COMMAND_FAILED;
    if (!verb)
        return COMMAND_USAGE;
    if (open_queues(&dlq) == CODE_OK)
        result = verb->run(&dlq);
    if (dlq.err.code)
        fprintf(stderr, "omnictl dlq: %s\n", dlq.err.text);
    if (dlq.err.code == CODE_INVALID_ARGUMENT)
        result = COMMAND_USAGE;
    else if (dlq.err.code == CODE_UNAVAILABLE || dlq.err.code == CODE_DEADLINE_EXCEEDED)
        result = COMMAND_UNREACHABLE;
    sqs_close(dlq.dead);
    sqs_close(dlq.queue);
    aws_client_free(dlq.dead_client);
    aws_client_free(dlq.client);
    aws_free(dlq.aws);
    arena_clear(&dlq.arena);
    return result;
}

static const struct config_item ITEMS[] = {
    {.name = "queue",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, queue),
     .default_text = "sqs://omni-events",
     .help = "the queue whose dead letters are meant: sqs://QUEUE?region=…&endpoint=…"},
    {.name = "all",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, all),
     .default_text = "false",
     .help = "redrive: all of them"},
    {.name = "raw",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, raw),
     .default_text = "false",
     .help = "show: the bytes as they are"},
};

const struct command COMMAND_DLQ = {
    .name = "dlq",
    .arguments = "list | show ID | redrive ID…|--all",
    .summary = "messages that nobody could read: list them, look at one, send them back",
    .detail =
        "Looks at a thousand at most. Sending back is safe to repeat: a batch is archived once,\n"
        "however often it comes.\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 1,
    .arguments_max = 101,
    .run = run,
};
