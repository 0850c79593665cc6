/*
 * What the rooms of the DynamoDB store share:
 *   store_dynamodb.c         opening, closing, the vtable
 *   store_dynamodb_table.c   the layout's version, keys
 *   store_dynamodb_item.c    users as items, and back
 *   store_dynamodb_call.c    what callers are told of DynamoDB's errors
 *   store_dynamodb_write.c   create, update, delete
 *   store_dynamodb_actors.c  pseudonyms
 *   store_dynamodb_index.c   the rows of the index that a change adds and takes away
 *   store_dynamodb_read.c    get_many, list
 *   store_dynamodb_gather.c  get: reads that arrive together share a request
 *   store_dynamodb_search.c  search
 *   store_dynamodb_seal.c    sealing a shard
 *   store_dynamodb_outbox.c  adding, forgetting, putting aside
 *   store_dynamodb_line.c    the line and the counts
 *   store_dynamodb_lease.c   leases: renewing, taking over, giving back
 */
#pragma once
#include "user/search_terms.h"
#include "user/store_dynamodb.h"
#include "user/store_dynamodb_call.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    DYNAMODB_USER_SHARDS = 8,
    DYNAMODB_OUTBOX_SHARDS = 64,
    DYNAMODB_OUTBOX_CALL_MS = 30 * 1000, /* operations of the outbox have no deadline of a caller */
};

struct gather; /* store_dynamodb_gather.c */

/* A shard of the outbox in the eyes of this process. Guarded by outbox_lock. */
struct outbox_shard {
    bool held;
    int64_t fence; /* the lease's number: another holder has another one */
    bool unswept;  /* a batch may have taken events over that are still there */
};

/* A batch that was handed out: what is needed to forget it. */
enum { DYNAMODB_HANDED_OUT = 64 };
struct handed_out {
    struct id id;
    int shard;
    int64_t hour;
    uint32_t count;
    size_t bytes;
};

struct store_dynamodb {
    struct store base;
    struct store_table table;
    const struct clock *clock;
    struct gather *gather;
    char owner[ID_TEXT_BYTES + 1]; /* this process, in leases */

    pthread_mutex_t outbox_lock; /* one operation of the outbox at a time; guards what follows */
    struct outbox_shard shards[DYNAMODB_OUTBOX_SHARDS];
    struct handed_out handed_out[DYNAMODB_HANDED_OUT];
    size_t handed_out_next;
    int look_next; /* the shard to look at next, when tending */

    atomic_int home;
    /* Of all shards held; raised by writes without the lock, so that they may be off by those that
     * are under way: what finds a shard empty sets them right. */
    atomic_int_fast64_t bytes, events, unsealed, aside, oldest_ms;
    atomic_bool unsure; /* a write's outcome is not known: count the home again */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stopping, thread_runs;
    pthread_t thread;
    int64_t tend_every_ms;
    void (*found)(void *argument);
    void *found_argument;
};

/* --- store_dynamodb_item.c --- */
/* A user's attributes but for the key; `terms` as the index has them. */
void item_put_user(struct json_out *json, const struct user *user,
                   const struct search_terms *terms);
/* Texts point into the item's tree; DATA_LOSS when it is damaged. */
enum code item_user(const struct json_value *item, struct arena *arena, struct user *user,
                    struct error *err);

/* --- store_dynamodb_table.c: keys, in `arena` --- */
enum code dynamodb_check_schema(struct store_dynamodb *store, struct error *err);
struct dynamodb_key dynamodb_user_key(struct arena *arena, uint32_t tenant, struct id id);
/* The partition `kind` of a shard: "1/b/07". */
struct str dynamodb_shard_pk(struct arena *arena, uint32_t tenant, char kind, int shard);
/* A partition named by a text: "1/h/mar". */
struct str dynamodb_text_pk(struct arena *arena, uint32_t tenant, char kind, struct str text);
/* Likewise by the hash of a text that may be anything. */
struct dynamodb_key dynamodb_hash_key(struct arena *arena, uint32_t tenant, char kind,
                                      struct str text);
/* NAME⇥UUID, and what stands in one; false: it is none. */
struct str dynamodb_name_sk(struct arena *arena, struct str name_key, struct id id);
bool dynamodb_read_name_sk(struct str sk, struct str *name_key, struct id *id);

/* --- store_dynamodb_index.c --- */
/* Rows of `after` that `before` has not, and the other way round. NULL: none. */
void index_write(struct dynamodb_write *tx, struct arena *arena, uint32_t tenant, struct id id,
                 const struct search_terms *before, const struct search_terms *after);

/* --- store_dynamodb_read.c --- */
enum code dynamodb_load_many(struct store_dynamodb *store, uint32_t tenant, const struct id *ids,
                             size_t count, int64_t until_ms, struct arena *arena,
                             struct user **users, struct error *err);

/* --- store_dynamodb_gather.c --- */
struct gather *gather_new(struct store_dynamodb *store, int requests_max);
void gather_free(struct gather *gather);
size_t gather_waiting(struct gather *gather); /* reads that no request has taken yet */
enum code gather_get(struct gather *gather, const struct store_call *call, struct id id,
                     struct arena *arena, struct user *user, bool *found, struct error *err);

/* --- the vtable's functions, by room --- */
enum code store_dynamodb_create(struct store *, const struct store_write *, const struct user *,
                                struct arena *, struct user *, bool *, struct error *);
enum code store_dynamodb_update(struct store *, const struct store_write *,
                                const struct user_change *, struct arena *, struct user *, bool *,
                                struct error *);
enum code store_dynamodb_remove(struct store *, const struct store_write *, struct id, struct str,
                                bool *, struct error *);
enum code store_dynamodb_actors(struct store *, const struct store_call *,
                                const struct store_actor *, struct id *, size_t, struct error *);
enum code store_dynamodb_actor_forget(struct store *, const struct store_call *,
                                      const struct store_actor *, struct error *);
enum code store_dynamodb_get(struct store *, const struct store_call *, struct id, struct arena *,
                             struct user *, struct error *);
enum code store_dynamodb_get_many(struct store *, const struct store_call *, const struct id *,
                                  size_t, struct arena *, struct user **, struct error *);
enum code store_dynamodb_list(struct store *, const struct store_call *, struct str, size_t,
                              struct arena *, struct store_page *, struct error *);
enum code store_dynamodb_search(struct store *, const struct store_call *, const struct str *,
                                size_t, struct str, size_t, struct arena *, struct store_page *,
                                struct error *);
