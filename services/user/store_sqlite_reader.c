/*
 * A connection is one thread's at a time. A thread that has several reads to do one after the other
 * may share one view among them: it keeps a connection, and every read of its own finds that one.
 */
#include "user/store_sqlite_reader.h"

#include "base/wait.h"
#include "user/reasons.h"

#include <errno.h>

/* The reader whose view this thread shares among its reads. */
static _Thread_local struct {
    struct store_sqlite *store;
    struct reader *reader;
} together;

static void take_free(struct store_sqlite *store, struct reader **reader)
{
    *reader = store->free_readers;
    if (*reader)
        store->free_readers = (*reader)->next;
}

enum code store_sqlite_reader_take(struct store_sqlite *store, int64_t remaining_ms,
                                   struct reader **reader, struct error *err)
{
    int late = 0;
    if (together.store == store) {
        *reader = together.reader;
        return CODE_OK;
    }
    pthread_mutex_lock(&store->readers_lock);
    if (!store->free_readers) {
        struct timespec until = wait_deadline(remaining_ms);
        while (!store->free_readers && late != ETIMEDOUT)
            late = pthread_cond_timedwait(&store->readers_free, &store->readers_lock, &until);
    }
    take_free(store, reader);
    pthread_mutex_unlock(&store->readers_lock);
    if (!*reader)
        return error_set(err, CODE_DEADLINE_EXCEEDED, REASON_DEADLINE,
                         "no connection to the store came free in time");
    return CODE_OK;
}

void store_sqlite_reader_give(struct store_sqlite *store, struct reader *reader)
{
    if (reader->shared)
        return;
    pthread_mutex_lock(&store->readers_lock);
    reader->next = store->free_readers;
    store->free_readers = reader;
    pthread_cond_signal(&store->readers_free);
    pthread_mutex_unlock(&store->readers_lock);
}

enum code store_sqlite_view_begin(struct store_sqlite *store, int64_t remaining_ms,
                                  struct reader **reader, struct error *err)
{
    if (store_sqlite_reader_take(store, remaining_ms, reader, err) != CODE_OK)
        return err->code;
    if ((*reader)->shared || db_begin((*reader)->db, err) == CODE_OK)
        return CODE_OK;
    store_sqlite_reader_give(store, *reader);
    return err->code;
}

void store_sqlite_view_end(struct store_sqlite *store, struct reader *reader)
{
    if (!reader->shared)
        db_rollback(reader->db);
    store_sqlite_reader_give(store, reader);
}

/* When no connection is free, or its transaction cannot begin, each read sees to itself. */
void store_sqlite_together_begin(struct store *base)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct reader *reader;
    struct error err;
    pthread_mutex_lock(&store->readers_lock);
    take_free(store, &reader);
    pthread_mutex_unlock(&store->readers_lock);
    if (!reader)
        return;
    if (db_begin(reader->db, &err) != CODE_OK) {
        store_sqlite_reader_give(store, reader);
        return;
    }
    reader->shared = true;
    together.store = store;
    together.reader = reader;
}

void store_sqlite_together_end(struct store *base)
{
    struct store_sqlite *store = (struct store_sqlite *)base;
    struct reader *reader = together.reader;
    if (together.store != store)
        return;
    together.store = NULL;
    reader->shared = false;
    store_sqlite_view_end(store, reader);
}
