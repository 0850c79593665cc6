/*
 * The user store in a SQLite file: WAL, one writer thread that commits in groups whatever waits, a
 * few connections for readers. One process at a time; see lib/db.
 */
#pragma once
#include "base/clock.h"
#include "user/store.h"

struct store_sqlite_options {
    const char *path;
    int readers;            /* connections for reading: how many reads run at once */
    int64_t bytes_max;      /* the most the file may grow to; 0: as far as the disk goes */
    int writes_waiting_max; /* beyond, RESOURCE_EXHAUSTED (OVERLOADED) */
    const struct clock *clock;
};

/* Opens or creates; errors as db_open. */
enum code store_sqlite_open(const struct store_sqlite_options *options, struct store **store,
                            struct error *err) MUST_CHECK;
