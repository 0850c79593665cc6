/*
 * omnictl export: all users, page by page, into a file or to standard output, so that `omnictl
 * import` can read them again.
 *
 * CSV needs to know all label keys before its first line: pages wait in a temporary file meanwhile.
 */
#include "base/alloc.h"
#include "base/time_text.h"
#include "omnictl/api.h"
#include "omnictl/command.h"
#include "omnictl/output.h"
#include "omnictl/progress.h"
#include "omnictl/user_row.h"
#include "pb/proto.h"

#include "omnidata/user/v1/user.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define page_message Omnidata__User__V1__ListUsersResponse

enum {
    PAGE_USERS = 1000,
    PAGE_BYTES_MAX = 64 * 1024 * 1024,
    LABEL_KEYS_MAX = 1000,
    TIME_BYTES_MAX = 64,
};

struct settings {
    const char *format;
    int64_t patience_ms;
};

struct export
{
    struct rpc_client *client;
    struct output *output;
    enum user_format format;
    FILE *pages; /* CSV: encoded ListUsersResponses, each behind its length */
    struct arena keys_arena;
    struct str keys[LABEL_KEYS_MAX];
    size_t key_count;
    uint64_t users;
    struct progress progress;
};

static struct str time_text(struct arena *arena, const Google__Protobuf__Timestamp *time)
{
    struct buf text;
    if (!time)
        return (struct str){0};
    buf_init_arena(&text, arena, TIME_BYTES_MAX);
    time_add_rfc3339(&text, time->seconds, time->nanos);
    return buf_str(&text);
}

static void fill_row(struct arena *arena, const Omnidata__User__V1__User *user,
                     struct user_row *row)
{
    const ProtobufCEnumValue *status =
        user->status ? protobuf_c_enum_descriptor_get_value(
                           &omnidata__user__v1__user_status__descriptor, (int)user->status)
                     : NULL;
    *row = (struct user_row){
        .email = str_of(user->email),
        .display_name = str_of(user->display_name),
        .given_name = str_of(user->given_name),
        .family_name = str_of(user->family_name),
        .status = str_of(status ? status->name : NULL),
        .id = str_of(user->id),
        .etag = str_of(user->etag),
        .create_time = time_text(arena, user->create_time),
        .update_time = time_text(arena, user->update_time),
    };
    for (size_t i = 0; i < user->n_labels && i < USER_ROW_LABELS_MAX; i++)
        row->labels[row->label_count++] =
            (struct user_label){str_of(user->labels[i]->key), str_of(user->labels[i]->value)};
}

static enum code add_key(struct export *export, struct str key, struct error *err)
{
    for (size_t i = 0; i < export->key_count; i++)
        if (str_eq(export->keys[i], key))
            return CODE_OK;
    if (export->key_count == LABEL_KEYS_MAX)
        return error_set(err, CODE_OUT_OF_RANGE, "TOO_MANY_LABELS",
                         "there are more than %d label keys, too many for columns: export ndjson",
                         LABEL_KEYS_MAX);
    export->keys[export->key_count++] = arena_str(&export->keys_arena, key);
    return CODE_OK;
}

/* CSV, first half: the page waits, its label keys are noted. */
static enum code keep_page(struct export *export, struct arena *arena, const page_message *page,
                           struct error *err)
{
    for (size_t i = 0; i < page->n_users; i++)
        for (size_t j = 0; j < page->users[i]->n_labels; j++)
            if (add_key(export, str_of(page->users[i]->labels[j]->key), err) != CODE_OK)
                return err->code;
    struct str bytes = proto_encode_arena(arena, &page->base);
    if (fwrite(&bytes.len, sizeof bytes.len, 1, export->pages) != 1 ||
        fwrite(bytes.ptr, 1, bytes.len, export->pages) != bytes.len)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "write a temporary file");
    return CODE_OK;
}

static enum code write_page(struct export *export, struct arena *arena, const page_message *page,
                            struct error *err)
{
    struct user_row row;
    enum code code = CODE_OK;
    for (size_t i = 0; i < page->n_users && code == CODE_OK; i++) {
        fill_row(arena, page->users[i], &row);
        if (export->format == USER_FORMAT_CSV)
            user_row_write_csv(output_buf(export->output), &row, export->keys, export->key_count,
                               true);
        else
            user_row_write_ndjson(output_buf(export->output), &row);
        code = output_flush(export->output, err);
    }
    return code;
}

static int compare_keys(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* CSV, second half: the header, then the pages that wait. */
static enum code write_kept_pages(struct export *export, struct error *err)
{
    struct arena arena = {0};
    size_t size;
    enum code code = CODE_OK;
    qsort(export->keys, export->key_count, sizeof *export->keys, compare_keys);
    user_row_write_csv_header(output_buf(export->output), export->keys, export->key_count, true);
    rewind(export->pages);
    while (code == CODE_OK && fread(&size, sizeof size, 1, export->pages) == 1) {
        arena_reset(&arena);
        char *bytes = arena_alloc(&arena, size + 1);
        page_message *page =
            fread(bytes, 1, size, export->pages) == size
                ? proto_decode(&arena, &omnidata__user__v1__list_users_response__descriptor,
                               (struct str){bytes, size})
                : NULL;
        code = page ? write_page(export, &arena, page, err)
                    : error_set(err, CODE_DATA_LOSS, NULL, "the temporary file is damaged");
    }
    arena_clear(&arena);
    return code;
}

/* Asks for page after page until the last one. */
static enum code read_pages(struct export *export, int64_t patience_ms,
                            const volatile sig_atomic_t *signals, struct error *err)
{
    struct arena arenas[2] = {{0}, {0}}; /* the token lives in the page before */
    Omnidata__User__V1__ListUsersRequest request = OMNIDATA__USER__V1__LIST_USERS_REQUEST__INIT;
    enum code code = CODE_OK;
    request.page_size = PAGE_USERS;
    for (size_t turn = 0; code == CODE_OK && !*signals; turn++) {
        struct arena *arena = &arenas[turn % 2];
        page_message *page;
        void *response;
        arena_reset(arena);
        code = api_call(export->client, API_LIST_USERS, &request.base,
                        &omnidata__user__v1__list_users_response__descriptor, arena, &response,
                        patience_ms, err);
        if (code != CODE_OK)
            break;
        page = response;
        code = export->format == USER_FORMAT_CSV ? keep_page(export, arena, page, err)
                                                 : write_page(export, arena, page, err);
        export->users += page->n_users;
        progress_tick(&export->progress, &(struct progress_state){.count = export->users});
        request.page_token = page->next_page_token;
        if (!page->next_page_token[0] || output_gone(export->output))
            break;
    }
    arena_clear(&arenas[0]);
    arena_clear(&arenas[1]);
    return code;
}

static enum user_format choose_format(const struct settings *settings, const char *path)
{
    enum user_format format;
    struct str name = str_of(path);
    bool csv_name = str_ends(name, STR(".csv")) || str_ends(name, STR(".CSV"));
    if (!user_format_parse(str_of(settings->format), &format))
        format = USER_FORMAT_NDJSON;
    return strcmp(settings->format, "auto") == 0 && csv_name ? USER_FORMAT_CSV : format;
}

static int finish(struct export *export, const struct command_call *call, enum code code,
                  bool interrupted, bool from_service, struct error *err)
{
    progress_end(&export->progress);
    if (code == CODE_OK && !interrupted) {
        from_service = false;
        code = output_finish(export->output, err);
    } else {
        output_abandon(export->output);
    }
    export->output = NULL;
    if (interrupted) {
        fputs("omnictl export: interrupted; nothing was kept\n", stderr);
        return COMMAND_INTERRUPTED;
    }
    if (code != CODE_OK && from_service)
        return api_complain("export", "user", call->globals->users, err);
    if (code != CODE_OK) {
        fprintf(stderr, "omnictl export: %s\n", err->text);
        return COMMAND_FAILED;
    }
    if (call->argument_count && strcmp(call->arguments[0], "-") != 0)
        fprintf(stderr, "%s: %llu users\n", call->arguments[0], (unsigned long long)export->users);
    return COMMAND_OK;
}

static int run(const struct command_call *call)
{
    const struct settings *settings = call->settings;
    const char *path = call->argument_count ? call->arguments[0] : NULL;
    const volatile sig_atomic_t *signals = api_catch_signals();
    struct export *export = xcalloc(1, sizeof *export);
    struct error err;
    int result = COMMAND_USAGE;
    signal(SIGPIPE, SIG_IGN);
    export->format = choose_format(settings, path);
    if (output_open(path, &export->output, &err) != CODE_OK) {
        command_refuse(&COMMAND_EXPORT, "%s", err.text);
        goto out;
    }
    export->pages = export->format == USER_FORMAT_CSV ? tmpfile() : NULL;
    if (export->format == USER_FORMAT_CSV && !export->pages) {
        command_refuse(&COMMAND_EXPORT, "temporary file: %s", strerror(errno));
        goto out;
    }
    export->client = api_connect_users(call->globals);
    progress_begin(&export->progress, "exporting", 0);
    enum code code = read_pages(export, settings->patience_ms, signals, &err);
    bool from_service = code != CODE_OK;
    if (code == CODE_OK && export->pages && !*signals)
        code = write_kept_pages(export, &err);
    result = finish(export, call, code, *signals != 0, from_service, &err);
out:
    rpc_client_free(export->client);
    output_abandon(export->output);
    if (export->pages)
        fclose(export->pages);
    arena_clear(&export->keys_arena);
    xfree(export);
    return result;
}

static const struct config_item ITEMS[] = {
    {.name = "format",
     .kind = CONFIG_CHOICE,
     .offset = offsetof(struct settings, format),
     .default_text = "auto",
     .choices = "auto|ndjson|csv",
     .help = "auto: csv when FILE ends in .csv, else ndjson"},
    {.name = "retry-for",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, patience_ms),
     .default_text = "60s",
     .low = "0s",
     .help = "how long the service may not answer"},
};

const struct command COMMAND_EXPORT = {
    .name = "export",
    .arguments = "[FILE]",
    .summary = "writes all users to a file or standard output",
    .detail = "FILE appears when it is complete. It can be imported again; id, times and etag are\n"
              "written for people and left out by the import.\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 0,
    .arguments_max = 1,
    .calls = true,
    .run = run,
};
