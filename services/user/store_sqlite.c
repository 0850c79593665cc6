/* Opening, closing, and how a row becomes a user. */
#include "user/store_sqlite_reader.h"

#include "base/alloc.h"
#include "base/wait.h"
#include "user/reasons.h"
#include "user/record.h"

#include <stdio.h>
#include <string.h>

/* The writer touches many pages of the term index: it keeps more of them than a reader, and lets
 * the log grow before it copies them back, since most are changed again by then. */
static const char WRITER_PRAGMAS[] =
    "PRAGMA cache_size=-6144; PRAGMA wal_autocheckpoint=8192;"
    "PRAGMA mmap_size=2147418112; PRAGMA journal_size_limit=67108864";

/* Readers see the file through the page cache of the system; their own holds pages of the log. */
static const char READER_PRAGMAS[] = "PRAGMA cache_size=-512; PRAGMA mmap_size=2147418112";

static struct store_vtable vtable; /* put together once, from what the rooms offer */

static void *close_all(struct store_sqlite *store)
{
    if (store->thread_runs) {
        pthread_mutex_lock(&store->lock);
        store->stopping = true;
        pthread_cond_signal(&store->work);
        pthread_mutex_unlock(&store->lock);
        pthread_join(store->thread, NULL);
    }
    for (int i = 0; i < store->reader_count; i++)
        db_close(store->readers[i].db);
    db_close(store->db);
    reads_outbox_close(&store->reads);
    xfree(store->readers);
    xfree(store->edits);
    pthread_mutex_destroy(&store->reads.lock);
    pthread_cond_destroy(&store->readers_free);
    pthread_mutex_destroy(&store->readers_lock);
    pthread_cond_destroy(&store->work);
    pthread_mutex_destroy(&store->lock);
    xfree(store);
    return NULL;
}

static void free_store(struct store *base)
{
    close_all((struct store_sqlite *)base);
}

static void make_vtable(void)
{
    vtable = store_sqlite_outbox_vtable;
    vtable.create = store_sqlite_create;
    vtable.update = store_sqlite_update;
    vtable.remove = store_sqlite_remove;
    vtable.actors = store_sqlite_actors;
    vtable.actor_forget = store_sqlite_actor_forget;
    vtable.together_begin = store_sqlite_together_begin;
    vtable.together_end = store_sqlite_together_end;
    vtable.get = store_sqlite_get;
    vtable.get_many = store_sqlite_get_many;
    vtable.list = store_sqlite_list;
    vtable.search = store_sqlite_search;
    vtable.free = free_store;
}

static void init_sync(struct store_sqlite *store)
{
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->readers_lock, NULL);
    pthread_mutex_init(&store->reads.lock, NULL);
    wait_cond_init(&store->work);
    wait_cond_init(&store->readers_free);
}

static enum code set_up_writer(struct store_sqlite *store, int64_t bytes_max, struct error *err)
{
    enum { PAGE_BYTES = 4096 };
    char limit[64];
    if (db_exec(store->db, WRITER_PRAGMAS, err) != CODE_OK)
        return err->code;
    if (!bytes_max)
        return CODE_OK;
    snprintf(limit, sizeof limit, "PRAGMA max_page_count=%lld",
             (long long)(bytes_max / PAGE_BYTES + 1));
    return db_exec(store->db, limit, err);
}

static enum code open_readers(struct store_sqlite *store, const char *path, int count,
                              struct error *err)
{
    store->readers = xcalloc((size_t)count, sizeof *store->readers);
    for (int i = 0; i < count; i++) {
        struct reader *reader = &store->readers[i];
        if (db_open_reader(path, &reader->db, err) != CODE_OK)
            return err->code;
        store->reader_count++;
        if (db_exec(reader->db, READER_PRAGMAS, err) != CODE_OK)
            return err->code;
        reader->next = store->free_readers;
        store->free_readers = reader;
    }
    return CODE_OK;
}

enum code store_sqlite_open(const struct store_sqlite_options *options, struct store **out,
                            struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct store_sqlite *store = xcalloc(1, sizeof *store);
    pthread_once(&once, make_vtable);
    init_sync(store);
    store->base.vtable = &vtable;
    store->clock = options->clock;
    store->waiting_max = options->writes_waiting_max;
    if (db_open(options->path, &store_sqlite_schema, &store->db, err) != CODE_OK ||
        set_up_writer(store, options->bytes_max, err) != CODE_OK ||
        open_readers(store, options->path, options->readers, err) != CODE_OK ||
        store_sqlite_outbox_load(store, err) != CODE_OK ||
        reads_outbox_open(&store->reads, options->path, err) != CODE_OK) {
        close_all(store);
        return err->code;
    }
    if (pthread_create(&store->thread, NULL, store_sqlite_writer_main, store) != 0) {
        close_all(store);
        return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the writer's thread");
    }
    store->thread_runs = true;
    pthread_setname_np(store->thread, "store-writer");
    *out = &store->base;
    return CODE_OK;
}

enum code store_sqlite_user(struct db_stmt *row, struct arena *arena, struct user *user,
                            struct error *err)
{
    struct str id = db_blob(row, 0);
    if (id.len != sizeof user->id.bytes ||
        !record_read_labels(arena_str(arena, db_blob(row, 6)), arena, user))
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored user is damaged");
    memcpy(user->id.bytes, id.ptr, sizeof user->id.bytes);
    user->email = arena_str(arena, db_text(row, 1));
    user->display_name = arena_str(arena, db_text(row, 2));
    user->given_name = arena_str(arena, db_text(row, 3));
    user->family_name = arena_str(arena, db_text(row, 4));
    user->status = (int32_t)db_i64(row, 5);
    user->create_us = db_i64(row, 7);
    user->update_us = db_i64(row, 8);
    user->version = (uint64_t)db_i64(row, 9);
    user->owner_issuer = arena_str(arena, db_text(row, 10));
    user->owner_subject = arena_str(arena, db_text(row, 11));
    return CODE_OK;
}
