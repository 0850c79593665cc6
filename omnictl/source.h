/*
 * Users from a file or a pipe, one after the other, whichever way they are written. A line that is
 * no user is handed out as such; the lines behind it follow.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "omnictl/user_row.h"

#include "omnidata/user/v1/user.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum source_result {
    SOURCE_USER,  /* item.user */
    SOURCE_WRONG, /* item.err says what is wrong with the line */
    SOURCE_WAIT,  /* nothing has come yet: poll source_fd */
    SOURCE_END,
    SOURCE_BROKEN, /* the file cannot be read on, or its first line is no header: item.err */
};

struct source_item {
    uint64_t record;                /* from 1; headers and empty lines are none */
    uint64_t line;                  /* where it begins, from 1 */
    Omnidata__User__V1__User *user; /* good until the next call */
    struct error err;
};

struct source;

enum source_choice { SOURCE_NDJSON, SOURCE_CSV, SOURCE_GUESS };

/*
 * Opens `path`, or standard input for "-". SOURCE_GUESS goes by the name's ending, else by the
 * first byte. FAILED_PRECONDITION naming the path.
 */
enum code source_open(const char *path, enum source_choice choice, struct source **source,
                      struct error *err) MUST_CHECK;
void source_close(struct source *source);

enum source_result source_next(struct source *source, struct source_item *item);

int source_fd(const struct source *source);

/* How much has been read, and of how much; a size of 0 is not known. */
uint64_t source_read_bytes(const struct source *source);
uint64_t source_size_bytes(const struct source *source);
