/* Connections for readers: in no transaction, or in the view that this thread shares. */
#pragma once
#include "user/store_sqlite_internal.h"

/* One that is free, at the latest when the time is over: DEADLINE_EXCEEDED. */
enum code store_sqlite_reader_take(struct store_sqlite *store, int64_t remaining_ms,
                                   struct reader **reader, struct error *err);
void store_sqlite_reader_give(struct store_sqlite *store, struct reader *reader);
/* The same with one consistent view of everything, until view_end. */
enum code store_sqlite_view_begin(struct store_sqlite *store, int64_t remaining_ms,
                                  struct reader **reader, struct error *err);
void store_sqlite_view_end(struct store_sqlite *store, struct reader *reader);
void store_sqlite_together_begin(struct store *), store_sqlite_together_end(struct store *);
