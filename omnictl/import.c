/*
 * omnictl import: users from a file into the user service.
 *
 * One thread does it all, in turns: takes answers, repeats what is due, reads and submits while
 * there is room, shows and saves the progress, waits. A record's request id is made of its content,
 * its line and the import it belongs to, so that whatever is sent twice, by a retry or by a run
 * that takes up another, is carried out once; and importing the same file again another day, or
 * after its users were deleted, is another import.
 */
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "crypto/crypto.h"
#include "omnictl/api.h"
#include "omnictl/checkpoint.h"
#include "omnictl/command.h"
#include "omnictl/progress.h"
#include "omnictl/sender.h"
#include "omnictl/source.h"
#include "pb/proto.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    REQUEST_BYTES_MAX = 4 * 1024 * 1024,
    SAVE_EVERY_MS = 1000,
    TURN_MS = 100,        /* a signal that another thread took is seen this late at most */
    FINISH_MS = 5 * 1000, /* what is under way may finish after Ctrl-C */
    CALL_DEADLINE_MS = 10 * 1000,
    HASH_BYTES_USED = 16,
};

struct settings {
    const char *format;
    int64_t parallel, max_errors, patience_ms;
    bool strict, skip_existing, restart;
};

struct import {
    const struct settings *settings;
    const char *name; /* as error lines begin */
    struct source *source;
    struct sender *sender;
    struct checkpoint *checkpoint; /* NULL for standard input */
    char run[ID_TEXT_BYTES + 1];
    struct checkpoint_counts counts;
    struct progress progress;
    struct buf request;
    uint64_t errors_printed;
    int64_t saved_ms;
    bool ended;   /* everything has been read */
    bool waiting; /* for standard input */
    bool stop;    /* --strict and a failed line */
    bool broken;  /* the input or the progress file */
};

static void count_failure(struct import *import, uint64_t line, const struct error *err)
{
    import->counts.failed++;
    import->stop = import->stop || import->settings->strict;
    if (import->errors_printed == (uint64_t)import->settings->max_errors)
        progress_say(&import->progress, "%s: further errors are counted, not shown (--max-errors)",
                     import->name);
    if (import->errors_printed++ >= (uint64_t)import->settings->max_errors)
        return;
    for (uint32_t i = 0; i < err->field_count; i++)
        progress_say(&import->progress, "%s:%llu: field %s: %s", import->name,
                     (unsigned long long)line, err->fields[i].path, err->fields[i].text);
    if (err->field_count == 0)
        progress_say(&import->progress, "%s:%llu: %s: %s", import->name, (unsigned long long)line,
                     err->reason[0] ? err->reason : code_name(err->code), err->text);
}

static void finish_record(void *argument, uint64_t record, uint64_t line, const struct error *err)
{
    struct import *import = argument;
    if (!err)
        import->counts.imported++;
    else if (import->settings->skip_existing && err->code == CODE_ALREADY_EXISTS &&
             strcmp(err->reason, "EMAIL_TAKEN") == 0)
        import->counts.skipped++;
    else
        count_failure(import, line, err);
    if (import->checkpoint)
        checkpoint_add(import->checkpoint, record);
}

static void submit(struct import *import, struct source_item *item)
{
    Omnidata__User__V1__CreateUserRequest request = OMNIDATA__USER__V1__CREATE_USER_REQUEST__INIT;
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct buf id;
    buf_reset(&import->request);
    proto_encode(&import->request, &item->user->base);
    buf_add_cstr(&import->request, import->run);
    crypto_sha256(buf_str(&import->request), digest);
    buf_init(&id, 128);
    buf_add_cstr(&id, "import-");
    encode_hex(&id, (struct str){(char *)digest, HASH_BYTES_USED});
    buf_addf(&id, "-%llu", (unsigned long long)item->line);
    request.user = item->user;
    request.request_id = (char *)(uintptr_t)buf_cstr(&id);
    buf_reset(&import->request);
    proto_encode(&import->request, &request.base);
    sender_submit(import->sender, item->record, item->line, buf_str(&import->request));
    buf_clear(&id);
}

/* Reads and submits while there is room and input. */
static void feed(struct import *import)
{
    struct source_item item;
    import->waiting = false;
    while (sender_has_room(import->sender) && !import->ended && !import->stop) {
        enum source_result result = source_next(import->source, &item);
        bool known = (result == SOURCE_USER || result == SOURCE_WRONG) && import->checkpoint &&
                     checkpoint_has(import->checkpoint, item.record);
        if (known)
            continue;
        switch (result) {
        case SOURCE_USER:
            submit(import, &item);
            break;
        case SOURCE_WRONG:
            finish_record(import, item.record, item.line, &item.err);
            break;
        case SOURCE_WAIT:
            import->waiting = true;
            return;
        case SOURCE_BROKEN:
            progress_say(&import->progress, "omnictl import: %s: %s", import->name, item.err.text);
            import->broken = true;
            import->ended = true;
            return;
        case SOURCE_END:
            import->ended = true;
            return;
        }
    }
}

static bool save(struct import *import)
{
    struct error err;
    import->saved_ms = clock_mono_ms(clock_real());
    if (!import->checkpoint)
        return true;
    *checkpoint_counts(import->checkpoint) = import->counts;
    if (checkpoint_save(import->checkpoint, &err) == CODE_OK)
        return true;
    progress_say(&import->progress, "omnictl import: %s", err.text);
    return false;
}

static void show(struct import *import)
{
    uint64_t count = import->counts.imported + import->counts.failed + import->counts.skipped;
    const struct progress_state state = {source_read_bytes(import->source),
                                         source_size_bytes(import->source), count,
                                         import->counts.failed};
    progress_tick(&import->progress, &state);
}

static void wait_for_more(struct import *import)
{
    int64_t wait_ms = sender_wait_ms(import->sender);
    struct pollfd ready[] = {
        {.fd = sender_fd(import->sender), .events = POLLIN},
        {.fd = import->waiting ? source_fd(import->source) : -1, .events = POLLIN},
    };
    poll(ready, 2, wait_ms < TURN_MS ? (int)wait_ms : TURN_MS);
}

/* After a signal or --strict: nothing new; what is under way gets a moment. */
static void wind_down(struct import *import, const volatile sig_atomic_t *signals)
{
    int64_t end_ms = clock_mono_ms(clock_real()) + FINISH_MS;
    sig_atomic_t before = *signals;
    sender_stop(import->sender);
    while (sender_unfinished(import->sender) && clock_mono_ms(clock_real()) < end_ms &&
           *signals == before) {
        import->waiting = false;
        wait_for_more(import);
        sender_turn(import->sender);
    }
}

static void summarize(struct import *import)
{
    struct buf line;
    int64_t elapsed_ms = clock_mono_ms(clock_real()) - import->progress.begun_ms;
    progress_end(&import->progress);
    buf_init(&line, 512);
    buf_addf(&line, "%s: ", import->name);
    progress_add_number(&line, import->counts.imported);
    buf_add_cstr(&line, " imported, ");
    progress_add_number(&line, import->counts.failed);
    buf_add_cstr(&line, " failed");
    if (import->settings->skip_existing) {
        buf_add_cstr(&line, ", ");
        progress_add_number(&line, import->counts.skipped);
        buf_add_cstr(&line, " there already");
    }
    buf_addf(&line, " in %.1f s", (double)elapsed_ms / 1000);
    fprintf(stderr, "%s\n", buf_cstr(&line));
    buf_clear(&line);
}

/* The run was cut short: how to go on. */
static void say_how_to_resume(const struct import *import)
{
    if (import->checkpoint)
        fprintf(stderr,
                "The progress is kept in %s: the same command takes it up, "
                "--restart begins anew.\n",
                checkpoint_path(import->checkpoint));
    else
        fputs("To go on, give the same input again with --skip-existing.\n", stderr);
}

/* All turns, from the first to the reason to end. */
static int work(struct import *import, const char *address, const volatile sig_atomic_t *signals)
{
    struct error err;
    int result = COMMAND_OK;
    while (!*signals && !import->stop) {
        sender_turn(import->sender);
        feed(import);
        if (import->ended && !sender_unfinished(import->sender))
            break;
        if (sender_gave_up(import->sender, &err)) {
            progress_end(&import->progress);
            result = api_complain("import", "user", address, &err);
            break;
        }
        show(import);
        if (clock_mono_ms(clock_real()) - import->saved_ms > SAVE_EVERY_MS && !save(import)) {
            import->broken = true;
            break;
        }
        wait_for_more(import);
    }
    bool complete = import->ended && !sender_unfinished(import->sender) && !import->broken;
    if (!complete)
        wind_down(import, signals);
    bool begun = import->counts.imported || import->counts.failed || import->counts.skipped;
    if (import->checkpoint && (complete || (import->broken && !begun)))
        checkpoint_remove(import->checkpoint);
    else if (!complete && !save(import))
        import->broken = true;
    summarize(import);
    if (!complete && !import->broken)
        say_how_to_resume(import);
    if (import->broken)
        return COMMAND_USAGE;
    if (result != COMMAND_OK)
        return COMMAND_UNREACHABLE;
    if (!complete && !import->stop)
        return COMMAND_INTERRUPTED;
    return import->counts.failed ? COMMAND_FAILED : COMMAND_OK;
}

/* Opens what there is to open; false after a message. */
static bool prepare(struct import *import, const char *path)
{
    const struct settings *settings = import->settings;
    struct error err;
    enum source_choice choice = strcmp(settings->format, "csv") == 0      ? SOURCE_CSV
                                : strcmp(settings->format, "ndjson") == 0 ? SOURCE_NDJSON
                                                                          : SOURCE_GUESS;
    if (source_open(path, choice, &import->source, &err) != CODE_OK) {
        command_refuse(&COMMAND_IMPORT, "%s", err.text);
        return false;
    }
    if (strcmp(path, "-") == 0 || source_size_bytes(import->source) == 0)
        return true; /* a pipe cannot be taken up in the middle */
    if (checkpoint_open(path, source_fd(import->source), settings->restart, &import->checkpoint,
                        &err) != CODE_OK) {
        command_refuse(&COMMAND_IMPORT, "%s", err.text);
        return false;
    }
    import->counts = *checkpoint_counts(import->checkpoint);
    snprintf(import->run, sizeof import->run, "%s", checkpoint_run(import->checkpoint));
    return true;
}

static int run(const struct command_call *call)
{
    struct import import = {.settings = call->settings, .name = call->arguments[0]};
    const struct sender_options options = {.globals = call->globals,
                                           .parallel = (size_t)import.settings->parallel,
                                           .patience_ms = import.settings->patience_ms,
                                           .deadline_ms = CALL_DEADLINE_MS};
    const volatile sig_atomic_t *signals = api_catch_signals();
    struct buf what;
    int result = COMMAND_USAGE;
    id_format(id_new(clock_real()), import.run);
    if (strcmp(import.name, "-") == 0)
        import.name = "stdin";
    buf_init(&what, 4096);
    buf_addf(&what, "importing %s", import.name);
    if (!prepare(&import, call->arguments[0]))
        goto out;
    buf_init(&import.request, REQUEST_BYTES_MAX);
    uint64_t before = import.counts.imported + import.counts.failed + import.counts.skipped;
    progress_begin(&import.progress, buf_cstr(&what), before);
    if (before)
        progress_say(&import.progress, "%s: going on after %llu users", import.name,
                     (unsigned long long)before);
    if (save(&import)) { /* before the first call: what cannot be kept is not begun */
        import.sender = sender_new(&options, finish_record, &import);
        result = work(&import, call->globals->users, signals);
    }
out:
    sender_free(import.sender);
    source_close(import.source);
    checkpoint_free(import.checkpoint);
    buf_clear(&import.request);
    buf_clear(&what);
    return result;
}

static const struct config_item ITEMS[] = {
    {.name = "format",
     .kind = CONFIG_CHOICE,
     .offset = offsetof(struct settings, format),
     .default_text = "auto",
     .choices = "auto|ndjson|csv",
     .help = "auto: by the file's ending, else its content"},
    {.name = "parallel",
     .kind = CONFIG_INT,
     .offset = offsetof(struct settings, parallel),
     .default_text = "256",
     .low = "1",
     .high = "10000",
     .help = "calls under way at once"},
    {.name = "max-errors",
     .kind = CONFIG_INT,
     .offset = offsetof(struct settings, max_errors),
     .default_text = "20",
     .low = "0",
     .help = "failed lines that are shown; all are counted"},
    {.name = "strict",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, strict),
     .default_text = "false",
     .help = "stop at the first failed line"},
    {.name = "skip-existing",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, skip_existing),
     .default_text = "false",
     .help = "an address that is taken is not a failure"},
    {.name = "restart",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, restart),
     .default_text = "false",
     .help = "begin anew, whatever FILE.omni-progress says"},
    {.name = "retry-for",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, patience_ms),
     .default_text = "60s",
     .low = "0s",
     .help = "how long the service may not answer"},
};

const struct command COMMAND_IMPORT = {
    .name = "import",
    .arguments = "FILE|-",
    .summary = "creates the users of a file, NDJSON or CSV",
    .detail =
        "NDJSON: a user object per line, as the API has it. CSV: a first line that names the\n"
        "columns (email, display_name, given_name, family_name, status, label.KEY). An export can\n"
        "be imported. A line that fails is shown as FILE:LINE: and does not stop the others.\n"
        "Lines are sent in parallel: when two have the same address, which of them becomes the\n"
        "user is not defined.\n"
        "\n"
        "What is done is kept in FILE.omni-progress until all is; after an interruption the same\n"
        "command goes on, and no line is carried out twice.\n"
        "\n"
        "Exit code: 0 all imported, 1 some lines failed, 2 wrong usage or file, 3 the service\n"
        "cannot be reached, 130 interrupted.\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 1,
    .arguments_max = 1,
    .calls = true,
    .run = run,
};
