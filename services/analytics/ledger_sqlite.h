/* The ledger in a SQLite file of its own: one process, any number of threads. */
#pragma once
#include "analytics/ledger.h"

/* Opens or creates; errors as db_open. */
enum code ledger_sqlite_open(const char *path, struct ledger **ledger,
                             struct error *err) MUST_CHECK;
