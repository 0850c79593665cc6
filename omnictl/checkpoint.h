/*
 * What an import has finished, kept in FILE.omni-progress, so that it can be taken up again after
 * Ctrl-C, a crash or a power cut: all records up to some point, and which of those behind it.
 *
 * It belongs to one content of the file: size, time of change and beginning are remembered.
 */
#pragma once
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct checkpoint;

struct checkpoint_counts {
    uint64_t imported, failed, skipped;
};

/*
 * For the file at `path`, which stays open and locked at `fd`. Reads what there is, unless
 * `restart`. FAILED_PRECONDITION: another process imports this file; it has changed since; the
 * progress cannot be read.
 */
enum code checkpoint_open(const char *path, int fd, bool restart, struct checkpoint **checkpoint,
                          struct error *err) MUST_CHECK;
void checkpoint_free(struct checkpoint *checkpoint);

/* Where it is kept. */
const char *checkpoint_path(const struct checkpoint *checkpoint);

/*
 * What this import is called, from its first run to the one that finishes it: a random text.
 * Request ids are made with it, so that those of another import of the same lines are others.
 */
const char *checkpoint_run(const struct checkpoint *checkpoint);

/* The record (from 1) is finished. */
bool checkpoint_has(const struct checkpoint *checkpoint, uint64_t record);
void checkpoint_add(struct checkpoint *checkpoint, uint64_t record);

/* What came of the finished records; to be kept up by the caller. */
struct checkpoint_counts *checkpoint_counts(struct checkpoint *checkpoint);

/* Durably. */
enum code checkpoint_save(struct checkpoint *checkpoint, struct error *err) MUST_CHECK;

/* There is nothing left to take up. */
void checkpoint_remove(struct checkpoint *checkpoint);
