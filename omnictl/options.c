/* Sorting of a command line's words; reading the values is config_read's. */
#include "omnictl/options.h"

#include "base/alloc.h"

#include <string.h>

static const struct config_item *find_item(const struct config_program *program, struct str name)
{
    for (size_t i = 0; i < program->count; i++)
        if (str_eq(name, str_of(program->items[i].name)))
            return &program->items[i];
    return NULL;
}

static const char *keep(struct options *options, struct str name, const char *value)
{
    struct buf word;
    buf_init(&word, SIZE_MAX / 2);
    buf_addf(&word, "--%.*s=", STR_ARG(name));
    buf_add_cstr(&word, value);
    char *text = xstrdup(buf_cstr(&word));
    buf_clear(&word);
    options->words[options->word_count++] = text;
    return text;
}

/* One option, with the word behind it if it takes that as its value. */
static bool sort_option(int argc, char *const *argv, int *at, const struct config_program *own,
                        const struct config_program *globals, struct options *options,
                        struct buf *problems)
{
    struct str word = str_of(argv[*at]);
    ptrdiff_t equals = str_find(word, '=');
    struct str name = str_from(word, 2);
    if (equals >= 0)
        name.len = (size_t)equals - 2;
    const struct config_item *item = find_item(own, name);
    bool global = !item;
    if (!item)
        item = find_item(globals, name);
    if (!item || !str_starts(word, STR("--"))) {
        buf_addf(problems, "%s: no such option\n", argv[*at]);
        return false;
    }
    const char *value = equals >= 0 ? argv[*at] + equals + 1 : "true";
    if (equals < 0 && item->kind != CONFIG_BOOL) {
        if (*at + 1 >= argc) {
            buf_addf(problems, "--%s: its value is missing\n", item->name);
            return false;
        }
        value = argv[++*at];
    }
    const char *kept = keep(options, name, value);
    if (global)
        options->globals[options->globals_count++] = kept;
    else
        options->own[options->own_count++] = kept;
    return true;
}

bool options_sort(int argc, char *const *argv, const struct config_program *own,
                  const struct config_program *globals, struct options *options,
                  struct buf *problems)
{
    size_t room = (size_t)argc + 1;
    bool fine = true, only_arguments = false;
    *options = (struct options){
        .arguments = xcalloc(room, sizeof *options->arguments),
        .words = xcalloc(room, sizeof *options->words),
        .own = xcalloc(room, sizeof *options->own),
        .globals = xcalloc(room, sizeof *options->globals),
        .own_count = 1,
        .globals_count = 1,
    };
    options->own[0] = options->globals[0] = argc ? argv[0] : "";
    for (int i = 1; i < argc; i++) {
        struct str word = str_of(argv[i]);
        if (only_arguments || !str_starts(word, STR("-")) || word.len == 1)
            options->arguments[options->argument_count++] = argv[i];
        else if (str_eq(word, STR("--")))
            only_arguments = true;
        else if (str_eq(word, STR("--help")) || str_eq(word, STR("-h")))
            options->help = true;
        else if (str_eq(word, STR("--version")))
            options->version = true;
        else
            fine = sort_option(argc, argv, &i, own, globals, options, problems) && fine;
    }
    return fine;
}

void options_clear(struct options *options)
{
    for (size_t i = 0; i < options->word_count; i++)
        xfree(options->words[i]);
    xfree(options->words);
    xfree(options->arguments);
    xfree(options->own);
    xfree(options->globals);
    *options = (struct options){0};
}

static const char *placeholder(const struct config_item *item)
{
    switch (item->kind) {
    case CONFIG_BOOL:
        return "";
    case CONFIG_INT:
        return "=N";
    case CONFIG_SIZE:
        return "=SIZE";
    case CONFIG_DURATION:
        return "=DURATION";
    case CONFIG_CHOICE:
    case CONFIG_TEXT:
        break;
    }
    return "=TEXT";
}

void options_help(const struct config_program *program, bool environment, struct buf *out)
{
    for (size_t i = 0; i < program->count; i++) {
        const struct config_item *item = &program->items[i];
        size_t start = out->len;
        buf_addf(out, "  --%s%s", item->name,
                 item->kind == CONFIG_CHOICE ? "=" : placeholder(item));
        if (item->kind == CONFIG_CHOICE)
            buf_add_cstr(out, item->choices);
        do
            buf_add_char(out, ' ');
        while (out->len - start < 28);
        buf_add_cstr(out, item->help);
        if (item->kind != CONFIG_BOOL && item->default_text[0])
            buf_addf(out, " (default %s)", item->default_text);
        if (environment) {
            buf_add_cstr(out, " [OMNI_");
            for (const char *c = item->name; *c; c++)
                buf_add_char(out, (char)(*c == '-' ? '_' : *c - 32));
            buf_add_char(out, ']');
        }
        buf_add_char(out, '\n');
    }
}
