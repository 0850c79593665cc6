/* Opening, closing, and the thread that tends the leases. */
#include "user/store_dynamodb_outbox.h"

#include "base/alloc.h"
#include "base/wait.h"
#include "user/reasons.h"

#include <stdio.h>
#include <string.h>

static struct store_vtable vtable; /* put together once, from what the rooms offer */

static void free_memory(struct store_dynamodb *store)
{
    gather_free(store->gather);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->outbox_lock);
    xfree(store);
}

static void free_store(struct store *base)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    if (store->thread_runs) {
        pthread_mutex_lock(&store->lock);
        store->stopping = true;
        pthread_cond_signal(&store->wake);
        pthread_mutex_unlock(&store->lock);
        pthread_join(store->thread, NULL);
    }
    lease_give_all(store);
    free_memory(store);
}

static void make_vtable(void)
{
    vtable = store_dynamodb_outbox_vtable;
    vtable.create = store_dynamodb_create;
    vtable.update = store_dynamodb_update;
    vtable.remove = store_dynamodb_remove;
    vtable.actors = store_dynamodb_actors;
    vtable.actor_forget = store_dynamodb_actor_forget;
    vtable.get = store_dynamodb_get;
    vtable.get_many = store_dynamodb_get_many;
    vtable.list = store_dynamodb_list;
    vtable.search = store_dynamodb_search;
    vtable.free = free_store;
}

static void *tend(void *argument)
{
    struct store_dynamodb *store = argument;
    for (;;) {
        struct timespec until = wait_deadline(store->tend_every_ms);
        pthread_mutex_lock(&store->lock);
        if (!store->stopping)
            pthread_cond_timedwait(&store->wake, &store->lock, &until);
        bool stopping = store->stopping;
        pthread_mutex_unlock(&store->lock);
        if (stopping)
            return NULL;
        store_dynamodb_tend(&store->base);
    }
}

static struct store_dynamodb *new_store(const struct store_dynamodb_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct store_dynamodb *store = xcalloc(1, sizeof *store);
    pthread_once(&once, make_vtable);
    store->base.vtable = &vtable;
    store_table_init(&store->table, &options->port, options->table, options->clock);
    store->clock = options->clock;
    store->tend_every_ms = options->tend_every_ms;
    id_format(id_new(options->clock), store->owner);
    pthread_mutex_init(&store->outbox_lock, NULL);
    pthread_mutex_init(&store->lock, NULL);
    wait_cond_init(&store->wake);
    store->gather = gather_new(store, options->reads_at_once);
    return store;
}

enum code store_dynamodb_open(const struct store_dynamodb_options *options, struct store **out,
                              struct error *err)
{
    struct store_dynamodb *store = new_store(options);
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS);
    if (dynamodb_check_schema(store, err) != CODE_OK ||
        lease_take_home(store, until_ms, err) != CODE_OK ||
        outbox_count(store, until_ms, err) != CODE_OK) {
        lease_give_all(store);
        free_memory(store);
        return err->code;
    }
    if (options->tend_every_ms) {
        store->thread_runs = pthread_create(&store->thread, NULL, tend, store) == 0;
        if (!store->thread_runs) {
            free_store(&store->base);
            return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the store's thread");
        }
        pthread_setname_np(store->thread, "store-tender");
    }
    *out = &store->base;
    return CODE_OK;
}

void store_dynamodb_on_found(struct store *base, void (*found)(void *argument), void *argument)
{
    struct store_dynamodb *store = (struct store_dynamodb *)base;
    pthread_mutex_lock(&store->lock);
    store->found = found;
    store->found_argument = argument;
    pthread_mutex_unlock(&store->lock);
}
