/*
 * How far a long job is, on standard error: a line that is redrawn on a terminal, a line now and
 * then anywhere else. Other lines go through progress_say, so that they do not tear it.
 */
#pragma once
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal, shown;
    const char *what; /* "importing users.csv" */
    int64_t begun_ms, last_ms;
    uint64_t count_before; /* counted before this run: not part of the rate */
};

struct progress_state {
    uint64_t done, size; /* bytes of input, size 0: not known */
    uint64_t count;      /* records */
    uint64_t failed;
};

void progress_begin(struct progress *progress, const char *what, uint64_t count_before);

/* Shows it if it is time to. */
void progress_tick(struct progress *progress, const struct progress_state *state);

/* A line of its own on standard error. */
void progress_say(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes the redrawn line away. */
void progress_end(struct progress *progress);

/* The text for a width in columns; a pure function. */
void progress_render(struct buf *out, const char *what, const struct progress_state *state,
                     uint64_t count_before, int64_t elapsed_ms, size_t columns);

/* "1,234,567" */
void progress_add_number(struct buf *out, uint64_t number);
