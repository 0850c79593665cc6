/* omnictl gen: made-up users on standard output. */
#include "omnictl/command.h"
#include "omnictl/gen.h"
#include "omnictl/output.h"

#include <signal.h>
#include <stdio.h>

struct settings {
    int64_t seed;
    const char *format;
};

static int run(const struct command_call *call)
{
    const struct settings *settings = call->settings;
    struct error err;
    struct output *output;
    enum user_format format;
    uint64_t wanted;
    size_t key_count;
    const struct str *keys = gen_label_keys(&key_count);
    if (!str_to_u64(str_of(call->arguments[0]), &wanted))
        return command_refuse(&COMMAND_GEN, "N: \"%s\" is not a whole number", call->arguments[0]);
    user_format_parse(str_of(settings->format), &format);
    signal(SIGPIPE, SIG_IGN); /* `omnictl gen 1000000 | head` is nothing to die of */
    enum code code = output_open(NULL, &output, &err);
    if (code != CODE_OK)
        return command_refuse(&COMMAND_GEN, "%s", err.text);
    struct gen *gen = gen_new((uint64_t)settings->seed);
    struct user_row row = {0};
    if (format == USER_FORMAT_CSV)
        user_row_write_csv_header(output_buf(output), keys, key_count, false);
    for (uint64_t i = 0; i < wanted && code == CODE_OK && !output_gone(output); i++) {
        gen_next(gen, &row);
        if (format == USER_FORMAT_CSV)
            user_row_write_csv(output_buf(output), &row, keys, key_count, false);
        else
            user_row_write_ndjson(output_buf(output), &row);
        code = output_flush(output, &err);
    }
    gen_free(gen);
    if (code == CODE_OK)
        code = output_finish(output, &err);
    else
        output_abandon(output);
    if (code == CODE_OK)
        return COMMAND_OK;
    fprintf(stderr, "omnictl gen: %s\n", err.text);
    return COMMAND_FAILED;
}

static const struct config_item ITEMS[] = {
    {.name = "seed",
     .kind = CONFIG_INT,
     .offset = offsetof(struct settings, seed),
     .default_text = "1",
     .help = "another seed, other users"},
    {.name = "format",
     .kind = CONFIG_CHOICE,
     .offset = offsetof(struct settings, format),
     .default_text = "ndjson",
     .choices = "ndjson|csv",
     .help = "how the users are written"},
};

const struct command COMMAND_GEN = {
    .name = "gen",
    .arguments = "N",
    .summary = "writes N made-up users: many scripts, common and odd names",
    .detail = "The same seed gives the same users on every machine, and the first N of a larger\n"
              "number are the same. Addresses are unique and end in reserved domains.\n"
              "  omnictl gen 10000 | omnictl import -\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
