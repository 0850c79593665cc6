/*
 * The access store in a SQLite file of its own. Writers that wait at the same time share one
 * commit. One process at a time; see lib/db.
 */
#pragma once
#include "base/clock.h"
#include "user/access_store.h"

struct access_store_sqlite_options {
    const char *path;
    const struct clock *clock;
};

/* Opens or creates; errors as db_open. */
enum code access_store_sqlite_open(const struct access_store_sqlite_options *options,
                                   struct access_store **store, struct error *err) MUST_CHECK;
