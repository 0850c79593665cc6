/*
 * A file that a command writes: standard output, or a file that appears under its name only when it
 * is complete. A link's file is replaced, not the link; a pipe or a device is written into.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

struct output;

/* `path` NULL or "-": standard output. FAILED_PRECONDITION naming the path. */
enum code output_open(const char *path, struct output **output, struct error *err) MUST_CHECK;

/* Where to add; call output_flush often, it writes when there is much. */
struct buf *output_buf(struct output *output);
enum code output_flush(struct output *output, struct error *err) MUST_CHECK;

/* Whoever reads standard output has gone: nothing is wrong, but there is no more to do. */
bool output_gone(const struct output *output);

/* Writes the rest, makes it durable, gives it its name; frees either way. */
enum code output_finish(struct output *output, struct error *err) MUST_CHECK;

/* Leaves no file behind; frees. NULL is allowed. */
void output_abandon(struct output *output);
