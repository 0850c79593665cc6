/*
 * omni-user: settings, the choice of backends, start, drain. Exit 0 after SIGTERM or SIGINT, 2 when
 * it cannot start, with the reason on standard error.
 */
#include "aws/setting.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/program.h"
#include "pb/proto.h"
#include "rpc/server.h"
#include "user/access_service.h"
#include "user/access_store_dynamodb.h"
#include "user/access_store_sqlite.h"
#include "user/direct.h"
#include "user/emitter.h"
#include "user/page_token.h"
#include "user/relay.h"
#include "user/relay_sqs.h"
#include "user/service.h"
#include "user/store_dynamodb.h"
#include "user/store_sqlite.h"

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WRITES_WAITING_MAX = 4096, STREAMS_MAX = 256, MESSAGE_BYTES = 4 << 20 };

struct settings {
    const char *listen, *data_dir, *user_store, *access_store, *events, *access, *log_level;
    struct rpc_identity_options identity;
    int64_t quota_lease_ms;
    int64_t grace_ms, workers, calls_waiting, readers, store_bytes, outbox_bytes, read_events,
        direct_bytes;
};

#define SETTING(name, kind, field, usual, low, high, choices, help) \
    { \
        name, kind, offsetof(struct settings, field), usual, low, high, choices, help \
    }

static const struct config_item ITEMS[] = {
    SETTING("listen", CONFIG_TEXT, listen, "127.0.0.1:50051", NULL, NULL, NULL,
            "address for gRPC; port 0: any; unix:/path for a socket"),
    SETTING("data-dir", CONFIG_TEXT, data_dir, "./data/user", NULL, NULL, NULL,
            "where the databases and the page token key are"),
    SETTING("user-store", CONFIG_TEXT, user_store, "sqlite:", NULL, NULL, NULL,
            "sqlite:PATH, or sqlite: for users.db in data-dir; dynamodb://TABLE?region=REGION"),
    SETTING("access-store", CONFIG_TEXT, access_store, "sqlite:", NULL, NULL, NULL,
            "API keys, plans and quotas: sqlite:PATH, or sqlite: for access.db in data-dir;"
            " dynamodb://TABLE?region=REGION, which may be the users'"),
    SETTING("quota-lease", CONFIG_DURATION, quota_lease_ms, "1m", "1s", "1h", NULL,
            "how long a gateway may spend a part of a quota that it was given"),
    SETTING("events", CONFIG_TEXT, events, "grpc://127.0.0.1:50052", NULL, NULL, NULL,
            "where events go: grpc://HOST:PORT, sqs://QUEUE, or none: to keep them in the outbox"),
    RPC_IDENTITY_SETTINGS(offsetof(struct settings, identity)),
    SETTING(
        "access", CONFIG_CHOICE, access, "policy", NULL, NULL, "policy|open",
        "policy: clients need keys and sign-in as the API's options say; open: for a gateway that"
        " asks nobody"),
    SETTING("log-level", CONFIG_CHOICE, log_level, "info", NULL, NULL, "debug|info|warn|error",
            "the least level that is logged"),
    SETTING("grace", CONFIG_DURATION, grace_ms, "10s", "0ms", "10m", NULL,
            "how long calls under way may go on at shutdown"),
    SETTING("workers", CONFIG_INT, workers, "0", "0", "1024", NULL,
            "threads for writes: as many share one commit; 0: 64, or 256 with DynamoDB, where they"
            " serve reads as well"),
    SETTING("calls-waiting", CONFIG_INT, calls_waiting, "4096", "1", "1000000", NULL,
            "calls that may wait for a thread; beyond, RESOURCE_EXHAUSTED"),
    SETTING("readers", CONFIG_INT, readers, "4", "1", "256", NULL,
            "threads for reads, each with a connection to SQLite"),
    SETTING("store-bytes", CONFIG_SIZE, store_bytes, "0", "0", NULL, NULL,
            "the most the database may grow to; 0: as far as the disk goes"),
    SETTING("outbox-bytes", CONFIG_SIZE, outbox_bytes, "256MiB", "64KiB", NULL, NULL,
            "events that may wait: from four fifths on reads are not told of, then writes refused"),
    SETTING("read-events", CONFIG_INT, read_events, "8192", "2", "1048576", NULL,
            "events of reads that may wait in memory"),
    SETTING("direct-bytes", CONFIG_SIZE, direct_bytes, "8MiB", "256KiB", "1GiB", NULL,
            "with sqs://: batches of read events that may wait in memory for the queue; beyond,"
            " they are dropped and counted"),
};

static const struct config_program PROGRAM = {"omni-user", "the user directory, by gRPC", ITEMS,
                                              sizeof ITEMS / sizeof *ITEMS};

/* All that runs, in the order it starts. */
struct program {
    struct settings settings;
    struct rpc_identity *identity;
    struct aws *aws; /* NULL unless a setting names something of AWS */
    struct aws_client *users_client, *access_client; /* likewise */
    struct store *store;
    struct access_store *access_store;
    struct page_tokens *tokens;
    struct access_service access;
    struct relay_sender *sender;
    struct direct *direct; /* with SQS only */
    struct relay *relay;
    struct emitter *emitter;
    struct service service;
    struct rpc_service tables[SERVICE_COUNT + 1]; /* the access service is the last */
    struct rpc_server *server;
};

static bool stores_in_dynamodb(const struct program *program)
{
    return aws_setting_is(program->settings.user_store, "dynamodb");
}

/* The client of a setting's table, whose name is in `arena`. */
static enum code open_table(struct program *program, const char *name, const char *text,
                            struct arena *arena, struct aws_client **client, struct str *table,
                            struct error *err)
{
    struct aws_location location;
    const struct aws_setting setting = {name, text, "dynamodb", NULL, 0};
    if (aws_setting_open(&setting, PROGRAM.name, arena, &program->aws, &location, err) != CODE_OK)
        return err->code;
    *client = aws_client_new(&(struct aws_client_options){
        .aws = program->aws, .service = &DYNAMODB_SERVICE, .location = &location});
    *table = location.name;
    return CODE_OK;
}

static enum code open_dynamodb(struct program *program, struct error *err)
{
    enum { READS_AT_ONCE = 8 };
    struct arena arena = {0};
    struct str table;
    enum code code = open_table(program, "user-store", program->settings.user_store, &arena,
                                &program->users_client, &table, err);
    if (code == CODE_OK) {
        const struct store_dynamodb_options options = {
            .port = dynamodb_port_of(program->users_client),
            .table = table,
            .clock = clock_real(),
            .reads_at_once = READS_AT_ONCE,
            .tend_every_ms = STORE_DYNAMODB_TEND_MS,
        };
        if (store_dynamodb_open(&options, &program->store, err) != CODE_OK)
            code = error_prefix(err, "--user-store");
    }
    arena_clear(&arena);
    return code;
}

static enum code open_store(struct program *program, struct error *err)
{
    const struct settings *settings = &program->settings;
    char path[PROGRAM_PATH_BYTES];
    if (stores_in_dynamodb(program))
        return open_dynamodb(program, err);
    if (program_backend_path("user-store", settings->user_store, "sqlite:", settings->data_dir,
                             "users.db", path, err) != CODE_OK)
        return err->code;
    const struct store_sqlite_options options = {
        .path = path,
        .readers = (int)settings->readers,
        .bytes_max = settings->store_bytes,
        .writes_waiting_max = WRITES_WAITING_MAX,
        .clock = clock_real(),
    };
    if (store_sqlite_open(&options, &program->store, err) != CODE_OK)
        return error_prefix(err, "--user-store");
    return CODE_OK;
}

static enum code open_tokens(struct program *program, struct error *err)
{
    char path[PROGRAM_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/page-token.key", program->settings.data_dir);
    if (page_tokens_open(path, &program->tokens, err) != CODE_OK)
        return error_prefix(err, "--data-dir");
    return CODE_OK;
}

static enum code open_identity(struct program *program, struct error *err)
{
    struct rpc_identity_options options = program->settings.identity;
    options.name = "user";
    options.calls = str_starts(str_of(program->settings.events), STR("grpc://"));
    if (rpc_identity_open(&options, &program->identity, err) != CODE_OK)
        return err->code;
    return rpc_identity_check_listen(program->identity, program->settings.listen, "--listen", err);
}

static enum code open_access_dynamodb(struct program *program, struct error *err)
{
    struct arena arena = {0};
    struct str table;
    enum code code = open_table(program, "access-store", program->settings.access_store, &arena,
                                &program->access_client, &table, err);
    if (code == CODE_OK) {
        const struct access_store_dynamodb_options options = {
            dynamodb_port_of(program->access_client), table, clock_real()};
        if (access_store_dynamodb_open(&options, &program->access_store, err) != CODE_OK)
            code = error_prefix(err, "--access-store");
    }
    arena_clear(&arena);
    return code;
}

static enum code open_access_store(struct program *program, struct error *err)
{
    const struct settings *settings = &program->settings;
    char path[PROGRAM_PATH_BYTES];
    if (aws_setting_is(settings->access_store, "dynamodb"))
        return open_access_dynamodb(program, err);
    if (program_backend_path("access-store", settings->access_store, "sqlite:", settings->data_dir,
                             "access.db", path, err) != CODE_OK)
        return err->code;
    const struct access_store_sqlite_options options = {path, clock_real()};
    if (access_store_sqlite_open(&options, &program->access_store, err) != CODE_OK)
        return error_prefix(err, "--access-store");
    return CODE_OK;
}

static enum code start_access(struct program *program, struct error *err)
{
    if (open_access_store(program, err) != CODE_OK)
        return err->code;
    if (access_watch_new(program->access_store, clock_real(), &program->access.watch, err) !=
        CODE_OK)
        return error_prefix(err, "--access-store");
    program->access.store = program->access_store;
    program->access.tokens = program->tokens;
    program->access.clock = clock_real();
    program->access.lease_ms = program->settings.quota_lease_ms;
    access_service_init(&program->access);
    return CODE_OK;
}

static bool sends_by_grpc(const struct program *program)
{
    struct str events = str_of(program->settings.events);
    return str_starts(events, STR("grpc://")) && events.len > 7;
}

static enum code open_sqs_sender(struct program *program, struct error *err)
{
    struct aws_location location;
    const struct aws_setting setting = {"events", program->settings.events, "sqs", NULL, 0};
    struct arena arena = {0};
    enum code code =
        aws_setting_open(&setting, PROGRAM.name, &arena, &program->aws, &location, err);
    if (code == CODE_OK &&
        relay_sender_sqs(program->aws, &location, &program->sender, err) != CODE_OK)
        code = error_prefix(err, "--events");
    arena_clear(&arena);
    program->direct = direct_new((size_t)program->settings.direct_bytes);
    return code;
}

static enum code open_grpc_sender(struct program *program, struct error *err)
{
    const char *target = program->settings.events + 7;
    if (rpc_identity_check_target(program->identity, target, "--events", err) != CODE_OK)
        return err->code;
    program->sender = relay_sender_grpc(target, program->identity);
    return CODE_OK;
}

static enum code start_relay(struct program *program, struct error *err)
{
    const char *events = program->settings.events;
    if (str_eq(str_of(events), STR("none:")))
        return CODE_OK;
    if (!sends_by_grpc(program) && !aws_setting_is(events, "sqs"))
        return error_set(err, CODE_INVALID_ARGUMENT, NULL,
                         "--events: \"%s\" is not grpc://HOST:PORT, sqs://QUEUE or none:", events);
    if ((sends_by_grpc(program) ? open_grpc_sender : open_sqs_sender)(program, err) != CODE_OK)
        return err->code;
    program->relay = relay_new(&(struct relay_options){
        .store = program->store,
        .sender = program->sender,
        .direct = program->direct,
        .backoff_min_ms = 100,
        .backoff_max_ms = 15000,
        .call_ms = 10000,
    });
    if (!program->relay)
        return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the relay's thread");
    if (stores_in_dynamodb(program))
        store_dynamodb_on_found(program->store, relay_wake, program->relay);
    return CODE_OK;
}

static enum code start_emitter(struct program *program, struct error *err)
{
    program->emitter = emitter_new(&(struct emitter_options){
        .store = program->store,
        .direct = program->direct,
        .clock = clock_real(),
        .ring_slots = (size_t)program->settings.read_events,
        .outbox_bytes_max = (uint64_t)program->settings.outbox_bytes,
        .sealed = program->relay ? relay_wake : NULL,
        .argument = program->relay,
    });
    if (!program->emitter)
        return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the emitter's thread");
    return CODE_OK;
}

/* Threads that wait for the network may be more than those that wait for a disk. */
static int workers_of(const struct program *program)
{
    if (program->settings.workers)
        return (int)program->settings.workers;
    return stores_in_dynamodb(program) ? 256 : 64;
}

static enum code start_server(struct program *program, struct error *err)
{
    /* The few threads of quick calls are for those that wait for nobody. */
    bool reads_wait = stores_in_dynamodb(program);
    program->service =
        (struct service){program->store, program->emitter, program->tokens, clock_real()};
    service_tables(&program->service, program->tables);
    program->tables[SERVICE_COUNT] = access_service_table(&program->access);
    const struct rpc_server_options options = {
        .address = program->settings.listen,
        .services = program->tables,
        .service_count = SERVICE_COUNT + 1,
        .descriptor_set = proto_builtin_set(),
        .identity = program->identity,
        .guard = {.gateway = "gateway",
                  .grants = SERVICE_GRANTS,
                  .grant_count = SERVICE_GRANT_COUNT,
                  .open = str_eq(str_of(program->settings.access), STR("open"))},
        .workers = workers_of(program),
        .quick_workers = reads_wait ? 0 : (int)program->settings.readers,
        .queue_max = (int)program->settings.calls_waiting,
        .streams_max = STREAMS_MAX,
        .message_bytes_max = MESSAGE_BYTES,
    };
    if (rpc_server_start(&options, &program->server, err) != CODE_OK)
        return error_prefix(err, "--listen");
    for (int i = 0; i <= SERVICE_COUNT; i++)
        rpc_server_set_serving(program->server, program->tables[i].name, true);
    rpc_server_set_serving(program->server, "", true);
    return CODE_OK;
}

/* No new calls; then what they left behind: events sealed, and as many sent as go in a moment. */
static void stop(struct program *program)
{
    enum { RELAY_GRACE_MS = 2000 };
    if (program->access.watch)
        access_watch_close(program->access.watch); /* gateways go; they have their snapshot */
    bool clean = !program->server || rpc_server_drain(program->server, program->settings.grace_ms);
    emitter_free(program->emitter);
    if (program->store && stores_in_dynamodb(program))
        store_dynamodb_on_found(program->store, NULL, NULL);
    relay_free(program->relay, RELAY_GRACE_MS);
    if (program->sender)
        program->sender->free(program->sender);
    direct_free(program->direct);
    access_watch_free(program->access.watch);
    access_store_free(program->access_store);
    page_tokens_free(program->tokens);
    store_free(program->store);
    aws_client_free(program->access_client);
    aws_client_free(program->users_client);
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
    mallopt(M_ARENA_MAX, 4); /* 64 threads that mostly wait need no heap each */
    if (program_make_directory("data-dir", program.settings.data_dir, &err) != CODE_OK ||
        open_identity(&program, &err) != CODE_OK || open_store(&program, &err) != CODE_OK ||
        open_tokens(&program, &err) != CODE_OK || start_access(&program, &err) != CODE_OK ||
        start_relay(&program, &err) != CODE_OK || start_emitter(&program, &err) != CODE_OK ||
        start_server(&program, &err) != CODE_OK) {
        fprintf(stderr, "%s: %s\n", PROGRAM.name, err.text);
        stop(&program);
        return 2;
    }
    program_log_listening(program.settings.listen, rpc_server_port(program.server));
    program_wait_signal();
    stop(&program);
    return 0;
}
