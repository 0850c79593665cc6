/*
 * An object while it grows: rows go compressed (zstd) to a file on the local disk, so that memory
 * stays small however many hours are open. The file needs to survive nothing: it is only ever read
 * by the process that wrote it, and what it holds is in the queue still.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include "crypto/crypto.h"

#include <stdint.h>

struct spool;

/* The zstd frame of nothing: what a tombstone holds. Readable by everything, and never what a spool
 * that got a row comes to. */
struct str spool_empty_frame(void);

/* Makes `path`, which must not exist. RESOURCE_EXHAUSTED when the disk is full. */
enum code spool_open(const char *path, int level, struct spool **spool,
                     struct error *err) MUST_CHECK;

/* After an error the spool is of no use any more. */
enum code spool_add(struct spool *spool, struct str rows, struct error *err) MUST_CHECK;

/* Ends the frame; then size, digest and fd are final and the compressor's memory is given back. */
enum code spool_finish(struct spool *spool, struct error *err) MUST_CHECK;

/* Compressed, as far as written. */
uint64_t spool_size_bytes(const struct spool *spool);
const uint8_t *spool_digest(const struct spool *spool);
int spool_fd(const struct spool *spool);

/* Closes and removes the file. NULL is allowed. */
void spool_free(struct spool *spool);
