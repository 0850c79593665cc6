/*
 * Command lines with positional arguments and value-less flags, in front of base/config, which
 * knows neither: sorts the words into those of each table and the arguments, and lets config_read
 * read.
 */
#pragma once
#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>

struct options {
    const char **arguments; /* the words that are no options, in their order */
    size_t argument_count;
    bool help, version;
    char **words; /* all rewritten words, owned */
    size_t word_count;
    const char **own, **globals; /* argv for config_read, [0] is the program's name */
    int own_count, globals_count;
};

/*
 * Sorts argv[1…]. `--flag` of a CONFIG_BOOL item becomes `--flag=true`; `--name value` becomes
 * `--name=value`; behind `--` everything is an argument, and so is `-`. False with a line in
 * *problems for each word that begins with a dash and is in neither table.
 */
bool options_sort(int argc, char *const *argv, const struct config_program *own,
                  const struct config_program *globals, struct options *options,
                  struct buf *problems);

void options_clear(struct options *options);

/* Appends the help of a table's options. */
void options_help(const struct config_program *program, bool environment, struct buf *out);
