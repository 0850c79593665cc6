/*
 * omni-user: settings, the choice of backends, start, drain. Exit 0 after SIGTERM or SIGINT, 2 when
 * it cannot start, with the reason on standard error.
 */
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "pb/proto.h"
#include "rpc/server.h"
#include "user/emitter.h"
#include "user/page_token.h"
#include "user/relay.h"
#include "user/service.h"
#include "user/store_sqlite.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, WRITES_WAITING_MAX = 4096, STREAMS_MAX = 64, MESSAGE_BYTES = 4 << 20 };

struct settings {
    const char *listen, *data_dir, *user_store, *events, *log_level;
    int64_t grace_ms, workers, calls_waiting, readers, store_bytes, outbox_bytes, read_events;
};

#define SETTING(name, kind, field, usual, low, high, choices, help) \
    { \
        name, kind, offsetof(struct settings, field), usual, low, high, choices, help \
    }

static const struct config_item ITEMS[] = {
    SETTING("listen", CONFIG_TEXT, listen, "127.0.0.1:50051", NULL, NULL, NULL,
            "address for gRPC; port 0: any; unix:/path for a socket"),
    SETTING("data-dir", CONFIG_TEXT, data_dir, "./data/user", NULL, NULL, NULL,
            "where the database and the page token key are"),
    SETTING("user-store", CONFIG_TEXT, user_store, "sqlite:", NULL, NULL, NULL,
            "sqlite:PATH, or sqlite: for users.db in data-dir"),
    SETTING("events", CONFIG_TEXT, events, "grpc://127.0.0.1:50052", NULL, NULL, NULL,
            "where events go: grpc://HOST:PORT, or none: to keep them in the outbox"),
    SETTING("log-level", CONFIG_CHOICE, log_level, "info", NULL, NULL, "debug|info|warn|error",
            "the least level that is logged"),
    SETTING("grace", CONFIG_DURATION, grace_ms, "10s", "0ms", "10m", NULL,
            "how long calls under way may go on at shutdown"),
    SETTING("workers", CONFIG_INT, workers, "64", "1", "1024", NULL,
            "threads for writes: as many share one commit"),
    SETTING("calls-waiting", CONFIG_INT, calls_waiting, "4096", "1", "1000000", NULL,
            "calls that may wait for a thread; beyond, RESOURCE_EXHAUSTED"),
    SETTING("readers", CONFIG_INT, readers, "4", "1", "256", NULL,
            "threads for reads, each with a database connection"),
    SETTING("store-bytes", CONFIG_SIZE, store_bytes, "0", "0", NULL, NULL,
            "the most the database may grow to; 0: as far as the disk goes"),
    SETTING("outbox-bytes", CONFIG_SIZE, outbox_bytes, "256MiB", "64KiB", NULL, NULL,
            "events that may wait: from four fifths on reads are not told of, then writes refused"),
    SETTING("read-events", CONFIG_INT, read_events, "8192", "2", "1048576", NULL,
            "events of reads that may wait in memory"),
};

static const struct config_program PROGRAM = {"omni-user", "the user directory, by gRPC", ITEMS,
                                              sizeof ITEMS / sizeof *ITEMS};

/* All that runs, in the order it starts. */
struct program {
    struct settings settings;
    struct store *store;
    struct page_tokens *tokens;
    struct relay_sender *sender;
    struct relay *relay;
    struct emitter *emitter;
    struct service service;
    struct rpc_service tables[SERVICE_COUNT];
    struct rpc_server *server;
};

static enum code make_directory(const char *path, struct error *err)
{
    char part[PATH_BYTES];
    struct stat found;
    if (strlen(path) >= sizeof part)
        return error_set(err, CODE_INVALID_ARGUMENT, NULL, "--data-dir: the path is too long");
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return error_errno(err, CODE_FAILED_PRECONDITION, errno, "--data-dir: cannot make %s",
                               part);
    }
    if (stat(path, &found) != 0 || !S_ISDIR(found.st_mode))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "--data-dir: %s is no directory",
                         path);
    if (access(path, W_OK | X_OK) != 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "--data-dir: cannot write to %s",
                           path);
    return CODE_OK;
}

static enum code open_store(struct program *program, struct error *err)
{
    const struct settings *settings = &program->settings;
    struct str name = str_of(settings->user_store);
    char path[PATH_BYTES + 16];
    if (!str_starts(name, STR("sqlite:")))
        return error_set(err, CODE_INVALID_ARGUMENT, NULL,
                         "--user-store: \"%s\" is not sqlite: or sqlite:PATH",
                         settings->user_store);
    if (name.len > 7)
        snprintf(path, sizeof path, "%s", settings->user_store + 7);
    else
        snprintf(path, sizeof path, "%s/users.db", settings->data_dir);
    const struct store_sqlite_options options = {
        .path = path,
        .readers = (int)settings->readers,
        .bytes_max = settings->store_bytes,
        .writes_waiting_max = WRITES_WAITING_MAX,
        .clock = clock_real(),
    };
    if (store_sqlite_open(&options, &program->store, err) != CODE_OK)
        return error_prefix(err, name.len > 7 ? "--user-store" : "--data-dir");
    return CODE_OK;
}

static enum code open_tokens(struct program *program, struct error *err)
{
    char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/page-token.key", program->settings.data_dir);
    if (page_tokens_open(path, &program->tokens, err) != CODE_OK)
        return error_prefix(err, "--data-dir");
    return CODE_OK;
}

static enum code start_relay(struct program *program, struct error *err)
{
    struct str events = str_of(program->settings.events);
    if (str_eq(events, STR("none:")))
        return CODE_OK;
    if (!str_starts(events, STR("grpc://")) || events.len == 7)
        return error_set(
            err, CODE_INVALID_ARGUMENT, NULL,
            "--events: \"%s\" is not grpc://HOST:PORT or none:", program->settings.events);
    program->sender = relay_sender_grpc(program->settings.events + 7);
    program->relay = relay_new(&(struct relay_options){
        .store = program->store,
        .sender = program->sender,
        .backoff_min_ms = 100,
        .backoff_max_ms = 15000,
        .call_ms = 10000,
    });
    if (!program->relay)
        return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the relay's thread");
    return CODE_OK;
}

static enum code start_emitter(struct program *program, struct error *err)
{
    program->emitter = emitter_new(&(struct emitter_options){
        .store = program->store,
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

static enum code start_server(struct program *program, struct error *err)
{
    program->service =
        (struct service){program->store, program->emitter, program->tokens, clock_real()};
    service_tables(&program->service, program->tables);
    const struct rpc_server_options options = {
        .address = program->settings.listen,
        .services = program->tables,
        .service_count = SERVICE_COUNT,
        .descriptor_set = proto_builtin_set(),
        .workers = (int)program->settings.workers,
        .quick_workers = (int)program->settings.readers,
        .queue_max = (int)program->settings.calls_waiting,
        .streams_max = STREAMS_MAX,
        .message_bytes_max = MESSAGE_BYTES,
    };
    if (rpc_server_start(&options, &program->server, err) != CODE_OK)
        return error_prefix(err, "--listen");
    for (int i = 0; i < SERVICE_COUNT; i++)
        rpc_server_set_serving(program->server, program->tables[i].name, true);
    rpc_server_set_serving(program->server, "", true);
    return CODE_OK;
}

/* The address with the port that was given. */
static void say_listening(const struct program *program)
{
    char address[PATH_BYTES];
    const char *listen = program->settings.listen, *colon = strrchr(listen, ':');
    int port = rpc_server_port(program->server);
    if (port && colon)
        snprintf(address, sizeof address, "%.*s:%d", (int)(colon - listen), listen, port);
    else
        snprintf(address, sizeof address, "%s", listen);
    log_info("listening", LOG_C("address", address), LOG_I("port", port));
}

/* No new calls; then what they left behind: events sealed, and as many sent as go in a moment. */
static void stop(struct program *program)
{
    enum { RELAY_GRACE_MS = 2000 };
    bool clean = !program->server || rpc_server_drain(program->server, program->settings.grace_ms);
    emitter_free(program->emitter);
    relay_free(program->relay, RELAY_GRACE_MS);
    if (program->sender)
        program->sender->free(program->sender);
    page_tokens_free(program->tokens);
    store_free(program->store);
    if (program->server)
        log_info("stopped", LOG_B("clean", clean));
}

int main(int argc, char **argv)
{
    struct program program = {0};
    struct error err = {0};
    enum log_level level = LOG_INFO;
    sigset_t signals;
    int which = 0;
    config_read_or_exit(&PROGRAM, argc, argv, &program.settings);
    log_level_parse(str_of(program.settings.log_level), &level);
    log_init(PROGRAM.name, level);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* threads inherit it: sigwait alone sees them */
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    mallopt(M_ARENA_MAX, 4); /* 64 threads that mostly wait need no heap each */
    if (make_directory(program.settings.data_dir, &err) != CODE_OK ||
        open_store(&program, &err) != CODE_OK || open_tokens(&program, &err) != CODE_OK ||
        start_relay(&program, &err) != CODE_OK || start_emitter(&program, &err) != CODE_OK ||
        start_server(&program, &err) != CODE_OK) {
        fprintf(stderr, "%s: %s\n", PROGRAM.name, err.text);
        stop(&program);
        return 2;
    }
    say_listening(&program);
    sigwait(&signals, &which);
    log_info("draining", LOG_I("signal", which));
    stop(&program);
    return 0;
}
