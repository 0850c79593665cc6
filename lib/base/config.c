/* Settings: where values come from, what they may be, and the help that says so. */
#include "base/config.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIABLE_BYTES = 64 };

struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit DURATIONS[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const struct unit SIZES[] = {
    {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {"", 1}, {NULL, 0},
};

static bool parse_with_unit(struct str text, const struct unit *units, int64_t *value)
{
    size_t digits = 0;
    int64_t number;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (!str_to_i64((struct str){text.ptr, digits}, &number))
        return false;
    struct str suffix = str_from(text, digits);
    if (number == 0 && !suffix.len) {
        *value = 0;
        return true;
    }
    for (; units->suffix; units++)
        if (str_eq(suffix, str_of(units->suffix)))
            return !__builtin_mul_overflow(number, units->factor, value);
    return false;
}

bool config_parse_duration(struct str text, int64_t *milliseconds)
{
    return parse_with_unit(text, DURATIONS, milliseconds);
}

bool config_parse_size(struct str text, int64_t *bytes)
{
    return parse_with_unit(text, SIZES, bytes);
}

static bool parse_number(enum config_kind kind, struct str text, int64_t *value)
{
    if (kind == CONFIG_DURATION)
        return config_parse_duration(text, value);
    if (kind == CONFIG_SIZE)
        return config_parse_size(text, value);
    return str_to_i64(text, value);
}

static bool in_choices(const char *choices, struct str text)
{
    struct str rest = str_of(choices), choice;
    while (str_next(&rest, '|', &choice))
        if (str_eq(choice, text))
            return true;
    return false;
}

static const char *kind_words(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_INT:
        return "a whole number";
    case CONFIG_SIZE:
        return "a size such as 64KiB, 10MiB or 1GiB";
    case CONFIG_DURATION:
        return "a duration such as 250ms, 5s, 2m, 24h or 7d";
    case CONFIG_BOOL:
        return "true or false";
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
        break;
    }
    return "text";
}

static void store_number(const struct config_item *item, struct str text, char *into,
                         struct buf *problems)
{
    int64_t value, bound;
    if (!parse_number(item->kind, text, &value)) {
        buf_addf(problems, "--%s: \"%.*s\" is not %s\n", item->name, STR_ARG(text),
                 kind_words(item->kind));
        return;
    }
    if (item->low && parse_number(item->kind, str_of(item->low), &bound) && value < bound)
        buf_addf(problems, "--%s: %.*s is below the least, %s\n", item->name, STR_ARG(text),
                 item->low);
    if (item->high && parse_number(item->kind, str_of(item->high), &bound) && value > bound)
        buf_addf(problems, "--%s: %.*s is above the most, %s\n", item->name, STR_ARG(text),
                 item->high);
    memcpy(into, &value, sizeof value);
}

static void store_value(const struct config_item *item, const char *value, char *into,
                        struct buf *problems)
{
    struct str text = str_of(value);
    if (item->kind == CONFIG_CHOICE && !in_choices(item->choices, text))
        buf_addf(problems, "--%s: \"%s\" is none of %s\n", item->name, value, item->choices);
    if (item->kind == CONFIG_CHOICE || item->kind == CONFIG_TEXT) {
        memcpy(into, &value, sizeof value);
    } else if (item->kind == CONFIG_BOOL) {
        bool yes = str_eq(text, STR("true"));
        if (!yes && !str_eq(text, STR("false")))
            buf_addf(problems, "--%s: \"%s\" is not true or false\n", item->name, value);
        memcpy(into, &yes, sizeof yes);
    } else {
        store_number(item, text, into, problems);
    }
}

static void variable_name(const char *name, char variable[VARIABLE_BYTES])
{
    snprintf(variable, VARIABLE_BYTES, "OMNI_%s", name);
    for (char *c = variable; *c; c++)
        *c = (char)(*c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
}

static const struct config_item *find_item(const struct config_program *program, struct str name)
{
    for (size_t i = 0; i < program->count; i++)
        if (str_eq(name, str_of(program->items[i].name)))
            return &program->items[i];
    return NULL;
}

static void write_help(const struct config_program *program, struct buf *out)
{
    char variable[VARIABLE_BYTES];
    buf_addf(out, "%s: %s\n\nSettings, as --name=value or in the environment:\n", program->name,
             program->summary);
    for (size_t i = 0; i < program->count; i++) {
        const struct config_item *item = &program->items[i];
        variable_name(item->name, variable);
        buf_addf(out, "  --%-24s %s\n", item->name, item->help);
        buf_addf(out, "    %-24s default %s", variable,
                 item->default_text[0] ? item->default_text : "(none)");
        if (item->choices)
            buf_addf(out, ", one of %s", item->choices);
        if (item->low && item->high)
            buf_addf(out, ", %s to %s", item->low, item->high);
        buf_add_char(out, '\n');
    }
}

/* The values given on the command line, by item; false when help was asked for. */
static bool read_arguments(const struct config_program *program, int argc, char *const *argv,
                           const char **given, struct buf *problems)
{
    for (int i = 1; i < argc; i++) {
        struct str argument = str_of(argv[i]);
        if (str_eq(argument, STR("--help")) || str_eq(argument, STR("-h")))
            return false;
        ptrdiff_t equals = str_find(argument, '=');
        struct str name = equals < 0 ? argument : (struct str){argument.ptr, (size_t)equals};
        const struct config_item *item =
            str_starts(name, STR("--")) ? find_item(program, str_from(name, 2)) : NULL;
        if (!item) {
            buf_addf(problems, "%s: no such setting (see --help)\n", argv[i]);
            continue;
        }
        if (equals < 0 && i + 1 >= argc) {
            buf_addf(problems, "--%s: its value is missing\n", item->name);
            continue;
        }
        given[item - program->items] = equals < 0 ? argv[++i] : argv[i] + equals + 1;
    }
    return true;
}

enum config_result config_read(const struct config_program *program, int argc, char *const *argv,
                               char *(*environment)(const char *), void *into, struct buf *message)
{
    const char **given = xcalloc(program->count + 1, sizeof *given);
    enum config_result result = CONFIG_HELP;
    if (!read_arguments(program, argc, argv, given, message)) {
        buf_reset(message);
        write_help(program, message);
        goto out;
    }
    for (size_t i = 0; i < program->count; i++) {
        const struct config_item *item = &program->items[i];
        char variable[VARIABLE_BYTES];
        variable_name(item->name, variable);
        const char *value = given[i] ? given[i] : environment(variable);
        store_value(item, value ? value : item->default_text, (char *)into + item->offset, message);
    }
    result = message->len ? CONFIG_WRONG : CONFIG_READY;
out:
    xfree(given);
    return result;
}

void config_read_or_exit(const struct config_program *program, int argc, char *const *argv,
                         void *into)
{
    struct buf message;
    buf_init(&message, 64 * 1024);
    enum config_result result = config_read(program, argc, argv, getenv, into, &message);
    if (result == CONFIG_HELP)
        fputs(buf_cstr(&message), stdout);
    else if (result == CONFIG_WRONG)
        fprintf(stderr, "%s: wrong settings\n%s", program->name, buf_cstr(&message));
    buf_clear(&message);
    if (result != CONFIG_READY)
        exit(result == CONFIG_HELP ? 0 : 2);
}
