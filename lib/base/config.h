/*
 * One table per program holds its settings: name, kind, default, bounds and help. From it come
 * reading (`--name=value` or `--name value`, else the environment's OMNI_NAME, else the default),
 * validation that reports every problem at once, and `--help`.
 */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum config_kind {
    CONFIG_TEXT,     /* const char *; "" when empty */
    CONFIG_INT,      /* int64_t */
    CONFIG_SIZE,     /* int64_t bytes: 64KiB, 10MiB, 1GiB or plain bytes */
    CONFIG_DURATION, /* int64_t milliseconds: 250ms, 5s, 2m, 24h, 7d */
    CONFIG_BOOL,     /* bool: true, false */
    CONFIG_CHOICE,   /* const char *, one of `choices` ("a|b|c") */
};

struct config_item {
    const char *name; /* "data-dir": --data-dir and OMNI_DATA_DIR */
    enum config_kind kind;
    size_t offset;            /* of the field in the program's struct */
    const char *default_text; /* as one would write it */
    const char *low, *high;   /* bounds, as one would write them; NULL: none */
    const char *choices;
    const char *help; /* one line */
};

struct config_program {
    const char *name;    /* "omni-gateway" */
    const char *summary; /* one line */
    const struct config_item *items;
    size_t count;
};

enum config_result {
    CONFIG_READY,
    CONFIG_HELP,  /* --help was asked for: *message is the text for standard output; exit 0 */
    CONFIG_WRONG, /* *message lists every problem, a line each; exit 2 */
};

/*
 * Fills the struct at `into`. Texts point into argv, the environment or the table: they live as
 * long as the process. `environment` looks a variable up (getenv in programs).
 */
enum config_result config_read(const struct config_program *program, int argc, char *const *argv,
                               char *(*environment)(const char *), void *into, struct buf *message);

/* The usual beginning of main: reads, prints what is to be printed and exits unless ready. */
void config_read_or_exit(const struct config_program *program, int argc, char *const *argv,
                         void *into);

/* A duration or a size in text to its number; false when it is none. */
bool config_parse_duration(struct str text, int64_t *milliseconds);
bool config_parse_size(struct str text, int64_t *bytes);
