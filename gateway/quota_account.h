/*
 * The inside of quota.h: accounts in shards. An account is what this gateway holds of one quota.
 * All functions want the shard's lock.
 */
#pragma once
#include "base/siphash.h"
#include "gateway/quota.h"
#include "gateway/quota_journal.h"

#include <pthread.h>

enum {
    QUOTA_SHARDS = 16,
    QUOTA_CHAINS = 256,
    QUOTA_LEASES_MAX = 16,
    QUOTA_ACCOUNTS = 4096, /* a shard's */
    /* What accounts with a subject get of a shard's room (quota_subjects.c). */
    QUOTA_SUBJECT_ACCOUNTS = QUOTA_ACCOUNTS / 4 * 3,
    QUOTA_SUBJECT_SLOTS = JOURNAL_SLOTS / QUOTA_SHARDS / 4 * 3,
    QUOTA_SUBJECT_SLOTS_HIGH = QUOTA_SUBJECT_SLOTS / 4 * 3,
};

struct lease {
    struct journal_slot *slot;
    int64_t until_ms;
};

/* A lease on its way back. Of a lease that was asked for by a process that was killed before it had
 * the answer, the answer is asked for first. */
struct give_back {
    struct quota_shard *shard;
    struct journal_slot *slot;
    struct give_back *next, **link;
    bool under_way;
    int fails;
    int64_t again_ms;
};

struct account {
    struct quota_shard *shard;
    struct account *next;
    uint64_t hash;
    struct str key_id, subject; /* own memory */

    struct lease leases[QUOTA_LEASES_MAX]; /* the oldest first */
    size_t lease_count;
    struct journal_slot *asked; /* NULL: no question is open */
    bool under_way;             /* its answer is to come; else it is repeated at again_ms */
    int fails;
    int64_t asked_ms, again_ms; /* asked_ms: the first time */
    uint64_t need;              /* what is asked for at least */
    uint64_t chunk;

    int64_t refused_until_ms; /* the store is not asked for so much again before */
    uint64_t refused_need;
    int64_t retry_at_ms;       /* what the store said */
    uint64_t remaining;        /* as the store last said */
    int64_t reset_us, used_ms; /* used_ms: when something was last leased or spent */
    struct quota_waiter *waiters, **waiters_end;
    size_t waiter_count;

    bool in_line; /* of its shard's accounts that have a subject and leases */
    struct account *older, *newer;
};

struct quota_shard {
    pthread_mutex_t lock;
    struct quota *quota;
    struct account *chains[QUOTA_CHAINS];
    size_t account_count, subject_accounts;
    size_t subject_slots;            /* of the journal's, held for accounts with a subject */
    struct account *oldest, *newest; /* the line of these, by their last use */
    struct give_back *returns;
    bool draining;
};

struct quota {
    struct quota_options options;
    struct siphash_key key;
    pthread_mutex_t journal_lock;
    struct journal *journal;
    struct quota_shard shards[QUOTA_SHARDS];
    pthread_t ticker;
    pthread_mutex_t tick_lock; /* for `stop` */
    pthread_cond_t wake;
    bool ticking, stop;
};

/* An answer that will not change when the question is repeated. */
bool quota_is_final(enum code code);

int64_t quota_now_ms(const struct quota *quota);

/* Sends (or repeats) the account's question. */
void account_send(struct account *account);

/* Opens a question for a request's cost, of which `need` is missing, unless there is one. */
void account_ask(struct account *account, uint64_t need, uint64_t cost);

/* Takes `cost`, or says why not. */
struct quota_outcome account_spend(struct account *account, uint32_t cost);

/* Leases to return: all, or those that have ended. */
void account_give_back(struct account *account, bool all);

/* Tells those waiters for whom there is something to tell; `end`: all. */
void account_serve(struct account *account, bool end);

/* A slot on its way back, sent or (by the next tick) to be sent. */
struct give_back *give_back_add(struct quota_shard *shard, struct journal_slot *slot);
void give_back_send(struct give_back *back);

void quota_free_slot(struct quota_shard *shard, struct journal_slot *slot);

/* An account has used its leases: if it has a subject, and any left, it goes to the line's end. */
void subject_used(struct account *account);

/* An account has no leases any more. */
void subject_leave(struct account *account);

/* Whether the account may have one more slot; of several subjects one may lose what it holds. */
bool subject_has_room(const struct account *account);
