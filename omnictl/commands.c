/* The table of commands, their help, and the way from the command line into one of them. */
#include "omnictl/command.h"

#include "base/alloc.h"
#include "omnictl/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OMNICTL_VERSION "0.1.0"

enum { HELP_BYTES_MAX = 64 * 1024, NAME_BYTES_MAX = 32 };

static const struct command *const COMMANDS[] = {
    &COMMAND_IMPORT, &COMMAND_EXPORT, &COMMAND_GEN, &COMMAND_TOP, &COMMAND_RECONCILE,
    &COMMAND_KEYS,   &COMMAND_PLANS,  &COMMAND_AWS, &COMMAND_DLQ,
};
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

static const struct config_item GLOBAL_ITEMS[] = {
    {.name = "users",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct command_globals, users),
     .default_text = "127.0.0.1:50051",
     .help = "address of the user service"},
    {.name = "analytics",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct command_globals, analytics),
     .default_text = "127.0.0.1:50052",
     .help = "address of the analytics service"},
    RPC_IDENTITY_SETTINGS(offsetof(struct command_globals, identity_options)),
};
static const struct config_program GLOBALS = {"omnictl", "", GLOBAL_ITEMS,
                                              sizeof GLOBAL_ITEMS / sizeof *GLOBAL_ITEMS};
static const struct config_program NO_OPTIONS = {"omnictl", "", NULL, 0};

int command_refuse(const struct command *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "omnictl %s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return COMMAND_USAGE;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(COMMANDS[i]->name, name) == 0)
            return COMMANDS[i];
    return NULL;
}

/* How many letters must be put in, taken out or changed to make one word of the other. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_BYTES_MAX + 1], length = strlen(b);
    if (length > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = least < change ? least : change;
        }
    }
    return row[length];
}

static int refuse_command(const char *name)
{
    const struct command *nearest = NULL;
    size_t least = 3;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t far = distance(name, COMMANDS[i]->name);
        if (far < least) {
            least = far;
            nearest = COMMANDS[i];
        }
    }
    fprintf(stderr, "omnictl: there is no command \"%s\"", name);
    if (nearest)
        fprintf(stderr, "; did you mean \"%s\"?\n", nearest->name);
    else
        fputs("; `omnictl help` lists them\n", stderr);
    return COMMAND_USAGE;
}

static void write_overview(struct buf *out)
{
    buf_add_cstr(out, "omnictl: the operator's command of OmniData\n\n"
                      "usage: omnictl COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        buf_addf(out, "  %-12s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    buf_add_cstr(out, "  help         explains a command: omnictl help COMMAND\n"
                      "\nOptions of all commands, also from the environment:\n");
    options_help(&GLOBALS, true, out);
}

static void write_command_help(const struct command *command, struct buf *out)
{
    const struct config_program own = {command->name, "", command->items, command->item_count};
    buf_addf(out, "omnictl %s: %s\n\nusage: omnictl %s%s%s%s\n", command->name, command->summary,
             command->name, command->item_count ? " [OPTIONS]" : "",
             command->arguments[0] ? " " : "", command->arguments);
    if (command->detail)
        buf_addf(out, "\n%s", command->detail);
    if (command->item_count)
        buf_add_cstr(out, "\nOptions:\n");
    options_help(&own, false, out);
    buf_add_cstr(out, "\nOptions of all commands, also from the environment:\n");
    options_help(&GLOBALS, true, out);
}

static int print_help(const char *name)
{
    const struct command *command = name ? find_command(name) : NULL;
    if (name && !command)
        return refuse_command(name);
    struct buf out;
    buf_init(&out, HELP_BYTES_MAX);
    if (command)
        write_command_help(command, &out);
    else
        write_overview(&out);
    fputs(buf_cstr(&out), stdout);
    buf_clear(&out);
    return COMMAND_OK;
}

static char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

/* Reads both tables' values. */
static bool read_values(const struct command *command, const struct options *options,
                        void *settings, struct command_globals *globals, struct buf *problems)
{
    const struct config_program own = {command->name, "", command->items, command->item_count};
    struct buf more;
    buf_init(&more, HELP_BYTES_MAX);
    config_read(&own, options->own_count, (char *const *)options->own, no_environment, settings,
                problems);
    config_read(&GLOBALS, options->globals_count, (char *const *)options->globals, getenv, globals,
                &more);
    buf_add(problems, buf_str(&more));
    buf_clear(&more);
    return problems->len == 0;
}

static void check_arguments(const struct command *command, const struct options *options,
                            struct buf *problems)
{
    if (options->argument_count < command->arguments_min)
        buf_addf(problems, "an argument is missing: %s\n", command->arguments);
    for (size_t i = command->arguments_max; i < options->argument_count; i++)
        buf_addf(problems, "%s: one argument too many\n", options->arguments[i]);
}

/* Who we are, and that it goes to these addresses. */
static bool open_identity(const struct command *command, struct command_globals *globals)
{
    struct error err = {0};
    globals->identity_options.name = "operator";
    globals->identity_options.calls = true;
    if (!command->calls)
        return true;
    if (rpc_identity_open(&globals->identity_options, &globals->identity, &err) == CODE_OK &&
        rpc_identity_check_target(globals->identity, globals->users, "--users", &err) == CODE_OK &&
        rpc_identity_check_target(globals->identity, globals->analytics, "--analytics", &err) ==
            CODE_OK)
        return true;
    command_refuse(command, "%s", err.text);
    return false;
}

static int run_command(const struct command *command, int argc, char *const *argv)
{
    const struct config_program own = {command->name, "", command->items, command->item_count};
    struct options options;
    struct command_globals globals = {0};
    void *settings = xcalloc(1, command->settings_size + 1);
    struct buf problems;
    int result = COMMAND_USAGE;
    buf_init(&problems, HELP_BYTES_MAX);
    bool sorted = options_sort(argc, argv, &own, &GLOBALS, &options, &problems);
    if (options.help) {
        result = print_help(command->name);
        goto out;
    }
    if (sorted)
        check_arguments(command, &options, &problems);
    struct buf wrong_values;
    buf_init(&wrong_values, HELP_BYTES_MAX);
    if (!read_values(command, &options, settings, &globals, &wrong_values))
        buf_add(&problems, buf_str(&wrong_values));
    buf_clear(&wrong_values);
    if (problems.len) {
        fprintf(stderr, "omnictl %s: wrong usage\n%sSee: omnictl help %s\n", command->name,
                buf_cstr(&problems), command->name);
        goto out;
    }
    const struct command_call call = {&globals, settings, options.arguments,
                                      options.argument_count};
    if (open_identity(command, &globals))
        result = command->run(&call);
out:
    rpc_identity_free(globals.identity);
    buf_clear(&problems);
    options_clear(&options);
    xfree(settings);
    return result;
}

/* Where the command's name stands: behind global options, if there are any. 0: nowhere. */
static int find_name(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        struct str word = str_of(argv[i]);
        if (!str_starts(word, STR("-")))
            return i;
        for (size_t k = 0; k < GLOBALS.count; k++)
            if (str_eq(str_from(word, 2), str_of(GLOBAL_ITEMS[k].name)))
                i++; /* its value is the next word */
    }
    return 0;
}

/* Without a command: --help, --version, or a reminder. */
static int run_bare(int argc, char *const *argv)
{
    struct options options;
    struct buf problems;
    int result = COMMAND_OK;
    buf_init(&problems, HELP_BYTES_MAX);
    bool sorted = options_sort(argc, argv, &NO_OPTIONS, &GLOBALS, &options, &problems);
    if (options.help) {
        print_help(NULL);
    } else if (options.version) {
        puts("omnictl " OMNICTL_VERSION);
    } else {
        fprintf(stderr, "%somnictl: no command; `omnictl help` lists them\n",
                sorted ? "" : buf_cstr(&problems));
        result = COMMAND_USAGE;
    }
    buf_clear(&problems);
    options_clear(&options);
    return result;
}

int commands_main(int argc, char *const *argv)
{
    int at = find_name(argc, argv);
    if (!at)
        return run_bare(argc, argv);
    if (strcmp(argv[at], "help") == 0)
        return print_help(at + 1 < argc ? argv[at + 1] : NULL);
    const struct command *command = find_command(argv[at]);
    if (!command)
        return refuse_command(argv[at]);
    /* Without its name, the rest is options and arguments in any order. */
    char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
    int count = 0;
    for (int i = 0; i < argc; i++)
        if (i != at)
            rest[count++] = argv[i];
    int result = run_command(command, count, rest);
    xfree(rest);
    return result;
}
