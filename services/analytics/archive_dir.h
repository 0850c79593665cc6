/* The archive as files under a directory. */
#pragma once
#include "analytics/archive.h"

/*
 * Makes the directory if need be. FAILED_PRECONDITION, naming the path, when it cannot be written.
 * Any number of processes may use a directory at once.
 */
enum code archive_dir_open(const char *path, struct archive **archive,
                           struct error *err) MUST_CHECK;
