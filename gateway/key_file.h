/*
 * The snapshot of keys on disk, so that a gateway starts and serves without the user service. It
 * holds hashes of secrets, no secrets, and is readable by its owner only. Written whole and in
 * place of the old one; with a version and a digest over all of it, so that a damaged file is told
 * apart.
 */
#pragma once
#include "base/error.h"

#include "base/buf.h"

/* The snapshot's bytes within a file's; INVALID_ARGUMENT saying what is wrong with it. */
enum code key_file_parse(struct str file, struct str *snapshot, struct error *err) MUST_CHECK;

/* NOT_FOUND when there is none. *snapshot lies in `file`, which the caller clears. */
enum code key_file_read(const char *path, struct buf *file, struct str *snapshot,
                        struct error *err) MUST_CHECK;

/* Durable when it returns. */
enum code key_file_write(const char *path, struct str snapshot, struct error *err) MUST_CHECK;
