/*
 * omnictl aws init: makes what the services use in AWS, each thing unless it is there. For
 * development and tests; a deployment has Terraform. omnictl aws notify: does the topic reach
 * whoever is to be woken?
 */
#include "aws/dynamodb_table.h"
#include "aws/s3.h"
#include "aws/setting.h"
#include "aws/sns.h"
#include "aws/sqs.h"
#include "omnictl/command.h"

#include <stdio.h>
#include <string.h>

enum { DEADLINE_MS = 120000, CALL_MS = 20000, DEAD_RETENTION_S = 14 * 24 * 3600 };

struct settings {
    const char *user_store, *ledger, *events, *archive, *alarms;
    int64_t visibility_ms, retention_ms, receives;
};

struct making {
    const struct settings *settings;
    const char *message; /* of notify */
    struct arena arena;
    struct aws *aws;
    struct error err;
};

static void say(const char *what, struct str name, bool created)
{
    printf("  %-8s %-48.*s %s\n", what, STR_ARG(name), created ? "created" : "there already");
    fflush(stdout);
}

static enum code open_client(struct making *making, const char *setting, const char *text,
                             const struct aws_service *service, struct aws_client **client)
{
    const struct aws_setting read = {setting, text, service->name, NULL, 0};
    struct aws_location location;
    if (aws_setting_open(&read, "omnictl", &making->arena, &making->aws, &location, &making->err) !=
        CODE_OK)
        return making->err.code;
    *client = aws_client_new(&(struct aws_client_options){
        .aws = making->aws, .service = service, .location = &location});
    return CODE_OK;
}

static enum code make_table(struct making *making, const char *setting, const char *text)
{
    struct aws_client *client;
    bool created;
    if (open_client(making, setting, text, &DYNAMODB_SERVICE, &client) != CODE_OK)
        return making->err.code;
    struct str table = arena_str(&making->arena, aws_client_location(client)->name);
    enum code code = dynamodb_table_create(client, table, DEADLINE_MS, &created, &making->err);
    aws_client_free(client);
    if (code == CODE_OK)
        say("table", table, created);
    return code;
}

static enum code make_queue(struct making *making, struct aws_client *client)
{
    const struct settings *s = making->settings;
    struct arena *arena = &making->arena;
    struct str name = arena_str(arena, aws_client_location(client)->name), dead_arn, arn;
    struct str dead = str_of(arena_printf(arena, "%.*s-dead", STR_ARG(name)));
    const char *attributes =
        arena_printf(arena, "\"MessageRetentionPeriod\":\"%d\"", DEAD_RETENTION_S);
    bool created;
    if (sqs_create(client, dead, str_of(attributes), CALL_MS, arena, &dead_arn, &created,
                   &making->err) != CODE_OK)
        return making->err.code;
    say("queue", dead, created);
    attributes = arena_printf(arena,
                              "\"VisibilityTimeout\":\"%lld\",\"MessageRetentionPeriod\":\"%lld\","
                              "\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"%.*s\\\","
                              "\\\"maxReceiveCount\\\":%lld}\"",
                              (long long)s->visibility_ms / 1000, (long long)s->retention_ms / 1000,
                              STR_ARG(dead_arn), (long long)s->receives);
    if (sqs_create(client, name, str_of(attributes), CALL_MS, arena, &arn, &created,
                   &making->err) != CODE_OK)
        return making->err.code;
    say("queue", name, created);
    return CODE_OK;
}

static enum code make_bucket(struct making *making, struct aws_client *client)
{
    bool created;
    enum code code = s3_bucket_create(client, CALL_MS, &created, &making->err);
    if (code == CODE_OK)
        say("bucket", aws_client_location(client)->name, created);
    return code;
}

static enum code make_topic(struct making *making, struct aws_client *client)
{
    struct str arn;
    enum code code = sns_topic(client, CALL_MS, &making->arena, &arn, &making->err);
    if (code == CODE_OK)
        printf("  %-8s %.*s\n", "topic", STR_ARG(arn));
    return code;
}

static enum code make(struct making *making, const char *setting, const char *text,
                      const struct aws_service *service,
                      enum code (*with)(struct making *making, struct aws_client *client))
{
    struct aws_client *client;
    if (!*text)
        return CODE_OK;
    if (open_client(making, setting, text, service, &client) != CODE_OK)
        return making->err.code;
    enum code code = with(making, client);
    aws_client_free(client);
    return code == CODE_OK ? code : error_prefix(&making->err, setting);
}

static enum code make_all(struct making *making)
{
    const struct settings *s = making->settings;
    if ((*s->user_store && make_table(making, "user-store", s->user_store) != CODE_OK) ||
        (*s->ledger && make_table(making, "ledger", s->ledger) != CODE_OK) ||
        make(making, "events", s->events, &SQS_SERVICE, make_queue) != CODE_OK ||
        make(making, "archive", s->archive, &S3_SERVICE, make_bucket) != CODE_OK ||
        make(making, "alarms", s->alarms, &SNS_SERVICE, make_topic) != CODE_OK)
        return making->err.code;
    return CODE_OK;
}

/* With the text in making->message. */
static enum code publish(struct making *making, struct aws_client *client)
{
    struct str arn;
    if (sns_topic(client, CALL_MS, &making->arena, &arn, &making->err) != CODE_OK ||
        sns_publish(client, arn, STR("OmniData: a message from the operator"),
                    str_of(making->message), CALL_MS, &making->err) != CODE_OK)
        return making->err.code;
    printf("  sent to  %.*s\n", STR_ARG(arn));
    return CODE_OK;
}

static bool check_usage(const struct command_call *call)
{
    const struct settings *s = call->settings;
    bool init = strcmp(call->arguments[0], "init") == 0;
    if (!init && strcmp(call->arguments[0], "notify") != 0)
        command_refuse(&COMMAND_AWS, "there is no \"%s\"; there are: init, notify",
                       call->arguments[0]);
    else if (init && call->argument_count > 1)
        command_refuse(&COMMAND_AWS, "%s: one argument too many", call->arguments[1]);
    else if (init && !*s->user_store && !*s->ledger && !*s->events && !*s->archive && !*s->alarms)
        command_refuse(&COMMAND_AWS, "nothing to make: give --user-store, --ledger, --events, "
                                     "--archive or --alarms");
    else if (!init && (call->argument_count < 2 || !*s->alarms))
        command_refuse(&COMMAND_AWS, "notify takes a text, and --alarms says where it goes");
    else
        return true;
    return false;
}

static int run(const struct command_call *call)
{
    const struct settings *s = call->settings;
    struct making making = {.settings = s, .message = call->arguments[call->argument_count - 1]};
    if (!check_usage(call))
        return COMMAND_USAGE;
    enum code code = call->argument_count > 1
                         ? make(&making, "alarms", s->alarms, &SNS_SERVICE, publish)
                         : make_all(&making);
    aws_free(making.aws);
    arena_clear(&making.arena);
    if (code == CODE_OK)
        return COMMAND_OK;
    fprintf(stderr, "omnictl aws: %s\n", making.err.text);
    return code == CODE_INVALID_ARGUMENT                                ? COMMAND_USAGE
           : code == CODE_UNAVAILABLE || code == CODE_DEADLINE_EXCEEDED ? COMMAND_UNREACHABLE
                                                                        : COMMAND_FAILED;
}

#define TEXT(name, field, help) \
    { \
        name, CONFIG_TEXT, offsetof(struct settings, field), "", NULL, NULL, NULL, help \
    }

static const struct config_item ITEMS[] = {
    TEXT("user-store", user_store, "the users' table: dynamodb://TABLE"),
    TEXT("ledger", ledger, "the ledger's table: dynamodb://TABLE"),
    TEXT("events", events, "the queue, and QUEUE-dead for what nobody can read: sqs://QUEUE"),
    TEXT("archive", archive, "the bucket: s3://BUCKET/PREFIX"),
    TEXT("alarms", alarms, "the topic: sns://TOPIC"),
    {.name = "visibility",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, visibility_ms),
     .default_text = "30s",
     .low = "1s",
     .high = "12h",
     .help = "how long a message is kept from others, unless a receiver says something else"},
    {.name = "retention",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, retention_ms),
     .default_text = "4d",
     .low = "1m",
     .high = "13d",
     .help = "how long the queue keeps messages; the dead letter queue keeps them 14 days"},
    {.name = "receives",
     .kind = CONFIG_INT,
     .offset = offsetof(struct settings, receives),
     .default_text = "10",
     .low = "5",
     .high = "1000",
     .help = "a message that was received so often in vain goes to the dead letter queue"},
};

const struct command COMMAND_AWS = {
    .name = "aws",
    .arguments = "init | notify TEXT",
    .summary = "makes tables, queues, the bucket and the topic; tries the topic",
    .detail = "Each is made unless it is there; the queues' attributes are set in any case. Names\n"
              "are given as to the services: sqs://QUEUE?region=…&endpoint=…\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 1,
    .arguments_max = 2,
    .run = run,
};
