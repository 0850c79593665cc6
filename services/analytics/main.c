/*
 * omni-analytics: settings, the choice of backends, start, drain. Exit 0 after SIGTERM or SIGINT, 2
 * when it cannot start, with the reason on standard error.
 */
#include "analytics/archive_dir.h"
#include "analytics/archive_s3.h"
#include "analytics/consumer_run.h"
#include "analytics/ledger_dynamodb.h"
#include "analytics/ledger_sqlite.h"
#include "analytics/service.h"
#include "aws/setting.h"
#include "base/config.h"
#include "base/log.h"
#include "base/program.h"
#include "pb/proto.h"
#include "queue/queue_sqlite.h"
#include "queue/queue_sqs.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MESSAGE_BYTES = 4 << 20, HELD_MAX = 20000, SEGMENTS_MAX = 12 };

struct settings {
    const char *listen, *data_dir, *queue, *ledger, *archive, *access, *log_level;
    struct rpc_identity_options identity;
    int64_t segment_age_ms, segment_bytes, lease_ms, queue_bytes, ledger_retention_ms;
    int64_t trends_retention_ms, search_callers, compression, workers, calls_waiting, streams;
    int64_t retry_ms, grace_ms;
};

#define SETTING(name, kind, field, usual, low, high, choices, help) \
    { \
        name, kind, offsetof(struct settings, field), usual, low, high, choices, help \
    }

static const struct config_item ITEMS[] = {
    SETTING("listen", CONFIG_TEXT, listen, "127.0.0.1:50052", NULL, NULL, NULL,
            "address for gRPC; port 0: any; unix:/path for a socket"),
    SETTING("data-dir", CONFIG_TEXT, data_dir, "./data/analytics", NULL, NULL, NULL,
            "where the databases, the archive and the spool are"),
    SETTING("queue", CONFIG_TEXT, queue, "sqlite:", NULL, NULL, NULL,
            "sqlite:PATH, sqlite: for queue.db in data-dir, or sqs://QUEUE"),
    SETTING("queue-bytes", CONFIG_SIZE, queue_bytes, "10GiB", "1MiB", NULL, NULL,
            "batches that may wait; beyond, RecordEvents is refused"),
    SETTING("ledger", CONFIG_TEXT, ledger, "sqlite:", NULL, NULL, NULL,
            "sqlite:PATH, sqlite: for ledger.db in data-dir, or dynamodb://TABLE"),
    SETTING("ledger-retention", CONFIG_DURATION, ledger_retention_ms, "35d", "1d", "3650d", NULL,
            "how long batches are remembered; batches that are older when they come are errors"),
    SETTING("archive", CONFIG_TEXT, archive, "dir:", NULL, NULL, NULL,
            "dir:PATH, dir: for archive/ in data-dir, or s3://BUCKET/PREFIX"),
    SETTING("segment-age", CONFIG_DURATION, segment_age_ms, "60s", "10ms", "1h", NULL,
            "how old an object may grow before it is archived"),
    SETTING("segment-bytes", CONFIG_SIZE, segment_bytes, "64MiB", "1KiB", "4GiB", NULL,
            "how large, compressed, an object may grow before it is archived"),
    SETTING("compression", CONFIG_INT, compression, "1", "1", "19", NULL,
            "zstd level of archived objects; up to 4 cost time and save nothing, ids being random"),
    SETTING("lease", CONFIG_DURATION, lease_ms, "30s", "300ms", "12h", NULL,
            "how long a batch is kept from others without a heartbeat"),
    SETTING("retry", CONFIG_DURATION, retry_ms, "1s", "10ms", "5m", NULL,
            "pause after a failure of the archive or the ledger"),
    SETTING("trends-retention", CONFIG_DURATION, trends_retention_ms, "35d", "1d", "3650d", NULL,
            "how long counts per minute and search texts are kept"),
    SETTING("search-callers", CONFIG_INT, search_callers, "1", "1", "8", NULL,
            "a search text is published when so many callers sent it; unknown ones count as one"),
    SETTING("workers", CONFIG_INT, workers, "8", "1", "256", NULL, "threads for calls"),
    SETTING("calls-waiting", CONFIG_INT, calls_waiting, "1024", "1", "1000000", NULL,
            "calls that may wait for a thread; beyond, RESOURCE_EXHAUSTED"),
    SETTING("listeners", CONFIG_INT, streams, "64", "1", "4096", NULL,
            "callers that may follow TailEvents at once"),
    RPC_IDENTITY_SETTINGS(offsetof(struct settings, identity)),
    SETTING(
        "access", CONFIG_CHOICE, access, "policy", NULL, NULL, "policy|open",
        "policy: clients need keys and sign-in as the API's options say; open: for a gateway that"
        " asks nobody"),
    SETTING("log-level", CONFIG_CHOICE, log_level, "info", NULL, NULL, "debug|info|warn|error",
            "the least level that is logged"),
    SETTING("grace", CONFIG_DURATION, grace_ms, "10s", "0ms", "10m", NULL,
            "how long calls, and then open objects, may take at shutdown"),
};

static const struct config_program PROGRAM = {
    "omni-analytics", "takes events in, archives them and answers questions, by gRPC", ITEMS,
    sizeof ITEMS / sizeof *ITEMS};

/* All that runs, in the order it starts. */
struct program {
    struct settings settings;
    struct rpc_identity *identity;
    struct aws *aws;                  /* NULL unless a setting names something of AWS */
    struct aws_client *dynamodb, *s3; /* of ledger and archive, or NULL */
    struct queue *queue;
    struct ledger *ledger;
    struct archive *archive;
    struct tail *tail;
    struct consumer_run *consumer;
    struct service service;
    struct rpc_service table;
    struct rpc_server *server;
};

static enum code open_identity(struct program *program, struct error *err)
{
    struct rpc_identity_options options = program->settings.identity;
    options.name = "analytics";
    if (rpc_identity_open(&options, &program->identity, err) != CODE_OK)
        return err->code;
    return rpc_identity_check_listen(program->identity, program->settings.listen, "--listen", err);
}

static enum code open_sqs(struct program *program, struct error *err)
{
    struct queue_sqs_options options = {0};
    struct aws_location location;
    const struct aws_setting setting = {"queue", program->settings.queue, "sqs", NULL, 0};
    struct arena arena = {0};
    enum code code =
        aws_setting_open(&setting, PROGRAM.name, &arena, &program->aws, &location, err);
    options.aws = program->aws;
    options.location = &location;
    if (code == CODE_OK && queue_sqs_open(&options, &program->queue, err) != CODE_OK)
        code = error_prefix(err, "--queue");
    arena_clear(&arena);
    return code;
}

static enum code open_queue(struct program *program, struct error *err)
{
    const struct settings *s = &program->settings;
    char path[PROGRAM_PATH_BYTES];
    if (aws_setting_is(s->queue, "sqs"))
        return open_sqs(program, err);
    if (program_backend_path("queue", s->queue, "sqlite:", s->data_dir, "queue.db", path, err) !=
        CODE_OK)
        return err->code;
    if (queue_sqlite_open(path, (uint64_t)s->queue_bytes, clock_real(), &program->queue, err) !=
        CODE_OK)
        return error_prefix(err, "--queue");
    return CODE_OK;
}

/* A client for a backend, which lives as long as the program. */
static enum code open_client(struct program *program, const char *name, const char *text,
                             const struct aws_service *service, struct aws_client **client,
                             struct error *err)
{
    struct aws_location location;
    const struct aws_setting setting = {name, text, service->name, NULL, 0};
    struct arena arena = {0};
    enum code code =
        aws_setting_open(&setting, PROGRAM.name, &arena, &program->aws, &location, err);
    if (code == CODE_OK)
        *client = aws_client_new(&(struct aws_client_options){
            .aws = program->aws, .service = service, .location = &location});
    arena_clear(&arena);
    return code;
}

static enum code open_dynamodb(struct program *program, struct error *err)
{
    const struct settings *s = &program->settings;
    if (open_client(program, "ledger", s->ledger, &DYNAMODB_SERVICE, &program->dynamodb, err) !=
        CODE_OK)
        return err->code;
    const struct ledger_dynamodb_options options = {
        .port = dynamodb_port_of(program->dynamodb),
        .table = aws_client_location(program->dynamodb)->name,
        .clock = clock_real(),
        .retention_ms = s->ledger_retention_ms,
        .trends_retention_ms = s->trends_retention_ms,
    };
    if (ledger_dynamodb_open(&options, &program->ledger, err) != CODE_OK)
        return error_prefix(err, "--ledger");
    return CODE_OK;
}

static enum code open_ledger(struct program *program, struct error *err)
{
    const struct settings *s = &program->settings;
    char path[PROGRAM_PATH_BYTES];
    if (aws_setting_is(s->ledger, "dynamodb"))
        return open_dynamodb(program, err);
    if (program_backend_path("ledger", s->ledger, "sqlite:", s->data_dir, "ledger.db", path, err) !=
        CODE_OK)
        return err->code;
    if (ledger_sqlite_open(path, &program->ledger, err) != CODE_OK)
        return error_prefix(err, "--ledger");
    return CODE_OK;
}

static enum code open_s3(struct program *program, struct error *err)
{
    if (open_client(program, "archive", program->settings.archive, &S3_SERVICE, &program->s3,
                    err) != CODE_OK)
        return err->code;
    const struct archive_s3_options options = {.client = program->s3, .clock = clock_real()};
    if (archive_s3_open(&options, &program->archive, err) != CODE_OK)
        return error_prefix(err, "--archive");
    return CODE_OK;
}

static enum code open_archive(struct program *program, struct error *err)
{
    const struct settings *s = &program->settings;
    char path[PROGRAM_PATH_BYTES];
    if (aws_setting_is(s->archive, "s3"))
        return open_s3(program, err);
    if (program_backend_path("archive", s->archive, "dir:", s->data_dir, "archive", path, err) !=
        CODE_OK)
        return err->code;
    if (archive_dir_open(path, &program->archive, err) != CODE_OK)
        return error_prefix(err, "--archive");
    return CODE_OK;
}

static enum code open_backends(struct program *program, struct error *err)
{
    if (open_queue(program, err) != CODE_OK || open_ledger(program, err) != CODE_OK ||
        open_archive(program, err) != CODE_OK)
        return err->code;
    return CODE_OK;
}

static void publish(void *argument, const struct batch *batch, struct str body)
{
    tail_publish(argument, batch, body);
}

static enum code start_consumer(struct program *program, struct error *err)
{
    const struct settings *s = &program->settings;
    char spool[PROGRAM_PATH_BYTES + 16];
    snprintf(spool, sizeof spool, "%s/spool", s->data_dir);
    program->tail = tail_new(s->search_callers <= 1);
    const struct consumer_options options = {
        .queue = program->queue,
        .archive = program->archive,
        .ledger = program->ledger,
        .clock = clock_real(),
        .spool_dir = spool,
        .lease_ms = s->lease_ms,
        .stale_ms = s->lease_ms,
        .segment_age_ms = s->segment_age_ms,
        .segment_bytes = s->segment_bytes,
        .retention_ms = s->ledger_retention_ms,
        .trends_retention_ms = s->trends_retention_ms,
        .retry_ms = s->retry_ms,
        .compression_level = (int)s->compression,
        .group_max = 16,
        .held_max = HELD_MAX,
        .segments_max = SEGMENTS_MAX,
        .fresh = publish,
        .fresh_argument = program->tail,
    };
    /* The SQLite ledger belongs to this process alone. */
    if (consumer_run_start(&options, true, &program->consumer, err) != CODE_OK)
        return error_prefix(err, "--data-dir");
    return CODE_OK;
}

static enum code start_server(struct program *program, struct error *err)
{
    const struct settings *s = &program->settings;
    program->service = (struct service){.queue = program->queue,
                                        .ledger = program->ledger,
                                        .tail = program->tail,
                                        .clock = clock_real(),
                                        .trends_retention_ms = s->trends_retention_ms,
                                        .callers_min = (uint32_t)s->search_callers};
    program->table = service_table(&program->service);
    const struct rpc_server_options options = {
        .address = s->listen,
        .services = &program->table,
        .service_count = 1,
        .descriptor_set = proto_builtin_set(),
        .identity = program->identity,
        .guard = {.gateway = "gateway",
                  .grants = SERVICE_GRANTS,
                  .grant_count = SERVICE_GRANT_COUNT,
                  .open = str_eq(str_of(s->access), STR("open"))},
        .workers = (int)s->workers,
        .queue_max = (int)s->calls_waiting,
        .streams_max = (int)s->streams,
        .message_bytes_max = MESSAGE_BYTES,
    };
    if (rpc_server_start(&options, &program->server, err) != CODE_OK)
        return error_prefix(err, "--listen");
    rpc_server_set_serving(program->server, program->table.name, true);
    rpc_server_set_serving(program->server, "", true);
    return CODE_OK;
}

/* No new calls; then what is open goes to the archive and its batches out of the queue. */
static void stop(struct program *program)
{
    if (program->tail)
        tail_close(program->tail);
    bool clean = !program->server || rpc_server_drain(program->server, program->settings.grace_ms);
    clean &= consumer_run_stop(program->consumer, program->settings.grace_ms);
    tail_free(program->tail);
    archive_free(program->archive);
    ledger_free(program->ledger);
    queue_free(program->queue);
    aws_client_free(program->dynamodb);
    aws_client_free(program->s3);
    aws_free(program->aws);
    rpc_identity_free(program->identity);
    if (program->server)
        log_info("stopped", LOG_B("clean", clean));
}

int main(int argc, char **argv)
{
    struct program program = {0};
    struct error err = {0};
    enum log_level level = LOG_INFO;
    config_read_or_exit(&PROGRAM, argc, argv, &program.settings);
    log_level_parse(str_of(program.settings.log_level), &level);
    log_init(PROGRAM.name, level);
    program_block_signals();
    umask(077);
    if (program_make_directory("data-dir", program.settings.data_dir, &err) != CODE_OK ||
        open_identity(&program, &err) != CODE_OK || open_backends(&program, &err) != CODE_OK ||
        start_consumer(&program, &err) != CODE_OK || start_server(&program, &err) != CODE_OK) {
        fprintf(stderr, "%s: %s\n", PROGRAM.name, err.text);
        stop(&program);
        return 2;
    }
    program_log_listening(program.settings.listen, rpc_server_port(program.server));
    program_wait_signal();
    stop(&program);
    return 0;
}
