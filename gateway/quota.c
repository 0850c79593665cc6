/* Shards, the ticker, returns. */
#include "gateway/quota.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/id.h"
#include "base/log.h"
#include "base/wait.h"
#include "gateway/quota_account.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum {
    WAITERS_MAX = 1000, /* an account's */
    IDLE_MS = 5000,     /* leases that nobody uses go back, for other gateways */
    TICK_MS = 100,
    RETURN_BACKOFF_MS = 250,
    RETURN_BACKOFF_MAX_MS = 30000,
    DRAIN_PAUSE_MS = 5,
};

/* --- returns --- */

struct give_back *give_back_add(struct quota_shard *shard, struct journal_slot *slot)
{
    struct give_back *back = xcalloc(1, sizeof *back);
    back->shard = shard;
    back->slot = slot;
    back->next = shard->returns;
    back->link = &shard->returns;
    if (back->next)
        back->next->link = &back->next;
    shard->returns = back;
    return back;
}

static void give_back_end(struct give_back *back)
{
    quota_free_slot(back->shard, back->slot);
    *back->link = back->next;
    if (back->next)
        back->next->link = back->link;
    xfree(back);
}

static void on_returned(void *argument, const struct quota_grant *grant)
{
    struct give_back *back = argument;
    struct quota_shard *shard = back->shard;
    pthread_mutex_lock(&shard->lock);
    back->under_way = false;
    if (!quota_is_final(grant->code)) {
        int64_t pause_ms = (int64_t)RETURN_BACKOFF_MS << (back->fails < 7 ? back->fails++ : 7);
        back->again_ms = quota_now_ms(shard->quota) +
                         (pause_ms < RETURN_BACKOFF_MAX_MS ? pause_ms : RETURN_BACKOFF_MAX_MS);
    } else if (atomic_load(&back->slot->state) == JOURNAL_ASKED && grant->code == CODE_OK &&
               grant->granted) {
        back->fails = 0;
        atomic_store(&back->slot->granted, grant->granted);
        atomic_store(&back->slot->state, JOURNAL_GRANTED);
        give_back_send(back);
    } else {
        give_back_end(back);
    }
    pthread_mutex_unlock(&shard->lock);
}

void give_back_send(struct give_back *back)
{
    const struct journal_slot *slot = back->slot;
    struct quota *quota = back->shard->quota;
    struct str lease_id = str_of(slot->lease_id);
    struct quota_ask ask = {.key_id = {slot->key_id, slot->key_bytes},
                            .subject = {slot->subject, slot->subject_bytes},
                            .gateway_id = journal_gateway_id(quota->journal)};
    if (atomic_load(&slot->state) == JOURNAL_ASKED) {
        ask.lease_id = lease_id;
        ask.want = slot->want;
    } else {
        ask.returned_lease_id = lease_id;
        ask.unspent = atomic_load(&slot->granted) - atomic_load(&slot->spent);
    }
    back->under_way = true;
    quota->options.lessor->ask(quota->options.lessor, &ask, on_returned, back);
}

/* --- accounts --- */

static struct quota_shard *shard_of(struct quota *quota, uint64_t hash)
{
    return &quota->shards[hash % QUOTA_SHARDS];
}

static struct account **chain_of(struct quota_shard *shard, uint64_t hash)
{
    return &shard->chains[hash / QUOTA_SHARDS % QUOTA_CHAINS];
}

static uint64_t hash_of(const struct quota *quota, struct str key_id, struct str subject)
{
    uint64_t first = siphash(quota->key, key_id);
    struct siphash_key second = {quota->key.k0 ^ first, quota->key.k1};
    return subject.len ? siphash(second, subject) : first;
}

static struct str own(struct str text)
{
    char *made = xmalloc(text.len + 1);
    memcpy(made, text.len ? text.ptr : "", text.len);
    made[text.len] = '\0';
    return (struct str){made, text.len};
}

static bool has_place(const struct quota_shard *shard, struct str subject)
{
    return shard->account_count < QUOTA_ACCOUNTS &&
           (!subject.len || shard->subject_accounts < QUOTA_SUBJECT_ACCOUNTS);
}

/* NULL when there are too many. */
static struct account *account_of(struct quota_shard *shard, uint64_t hash, struct str key_id,
                                  struct str subject)
{
    struct account **chain = chain_of(shard, hash), *account = *chain;
    while (account && (account->hash != hash || !str_eq(account->key_id, key_id) ||
                       !str_eq(account->subject, subject)))
        account = account->next;
    if (account || !has_place(shard, subject))
        return account;
    account = xcalloc(1, sizeof *account);
    account->shard = shard;
    account->hash = hash;
    account->key_id = own(key_id);
    account->subject = own(subject);
    account->waiters_end = &account->waiters;
    account->used_ms = quota_now_ms(shard->quota);
    account->next = *chain;
    *chain = account;
    shard->account_count++;
    shard->subject_accounts += subject.len > 0;
    return account;
}

static void account_free(struct account *account)
{
    xfree((char *)(uintptr_t)account->key_id.ptr);
    xfree((char *)(uintptr_t)account->subject.ptr);
    xfree(account);
}

struct quota_outcome quota_spend(struct quota *quota, struct str key_id, struct str subject,
                                 uint32_t cost, struct quota_waiter *waiter)
{
    uint64_t hash = hash_of(quota, key_id, subject);
    struct quota_shard *shard = shard_of(quota, hash);
    struct quota_outcome outcome = {.verdict = QUOTA_AWAY};
    pthread_mutex_lock(&shard->lock);
    struct account *account = NULL;
    if (!shard->draining)
        account = account_of(shard, hash, key_id, subject);
    if (account)
        outcome = account_spend(account, cost);
    if (outcome.verdict == QUOTA_WAIT && waiter) {
        if (account->waiter_count < WAITERS_MAX) {
            waiter->cost = cost;
            waiter->until_ms = quota_now_ms(quota) + quota->options.wait_ms;
            waiter->next = NULL;
            *account->waiters_end = waiter;
            account->waiters_end = &waiter->next;
            account->waiter_count++;
        } else {
            outcome.verdict = QUOTA_AWAY;
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return outcome;
}

/* --- what is due --- */

static void tick_account(struct account *account, int64_t now_ms)
{
    account_give_back(account, account->shard->draining || now_ms - account->used_ms >= IDLE_MS);
    if (account->asked && !account->under_way && account->again_ms <= now_ms)
        account_send(account);
    if (account->waiters)
        account_serve(account, account->shard->draining);
}

static bool is_over(const struct account *account, int64_t now_ms)
{
    return !account->lease_count && !account->asked && !account->waiters &&
           account->refused_until_ms <= now_ms && now_ms - account->used_ms >= IDLE_MS;
}

static void tick_shard(struct quota_shard *shard, int64_t now_ms)
{
    for (size_t i = 0; i < QUOTA_CHAINS; i++) {
        struct account **at = &shard->chains[i];
        while (*at) {
            struct account *account = *at;
            tick_account(account, now_ms);
            if (!is_over(account, now_ms)) {
                at = &account->next;
                continue;
            }
            *at = account->next;
            shard->account_count--;
            shard->subject_accounts -= account->subject.len > 0;
            account_free(account);
        }
    }
    for (struct give_back *back = shard->returns, *next; back; back = next) {
        next = back->next;
        if (!back->under_way && back->again_ms <= now_ms)
            give_back_send(back);
    }
}

void quota_tick(struct quota *quota)
{
    int64_t now_ms = quota_now_ms(quota);
    for (size_t i = 0; i < QUOTA_SHARDS; i++) {
        pthread_mutex_lock(&quota->shards[i].lock);
        tick_shard(&quota->shards[i], now_ms);
        pthread_mutex_unlock(&quota->shards[i].lock);
    }
}

static void *run(void *argument)
{
    struct quota *quota = argument;
    pthread_mutex_lock(&quota->tick_lock);
    while (!quota->stop) {
        struct timespec until = wait_deadline(TICK_MS);
        while (!quota->stop &&
               pthread_cond_timedwait(&quota->wake, &quota->tick_lock, &until) != ETIMEDOUT)
            ;
        if (quota->stop)
            break;
        pthread_mutex_unlock(&quota->tick_lock);
        quota_tick(quota);
        pthread_mutex_lock(&quota->tick_lock);
    }
    pthread_mutex_unlock(&quota->tick_lock);
    return NULL;
}

void quota_start(struct quota *quota)
{
    quota->ticking = pthread_create(&quota->ticker, NULL, run, quota) == 0;
    if (quota->ticking)
        pthread_setname_np(quota->ticker, "quota");
}

static void stop_ticking(struct quota *quota)
{
    pthread_mutex_lock(&quota->tick_lock);
    quota->stop = true;
    pthread_cond_signal(&quota->wake);
    pthread_mutex_unlock(&quota->tick_lock);
    if (quota->ticking)
        pthread_join(quota->ticker, NULL);
    quota->ticking = false;
}

/* --- start and end --- */

enum code quota_new(const struct quota_options *options, struct quota **quota, struct error *err)
{
    struct journal *journal;
    *quota = NULL;
    if (journal_open(options->state_dir, &journal, err) != CODE_OK)
        return err->code;
    struct quota *made = xcalloc(1, sizeof *made);
    made->options = *options;
    made->journal = journal;
    id_random_bytes(&made->key, sizeof made->key);
    pthread_mutex_init(&made->journal_lock, NULL);
    pthread_mutex_init(&made->tick_lock, NULL);
    wait_cond_init(&made->wake);
    for (size_t i = 0; i < QUOTA_SHARDS; i++) {
        pthread_mutex_init(&made->shards[i].lock, NULL);
        made->shards[i].quota = made;
    }
    size_t left = 0;
    for (struct journal_slot *slot = NULL; (slot = journal_next_left(journal, slot));) {
        struct quota_shard *shard = &made->shards[left++ % QUOTA_SHARDS];
        shard->subject_slots += slot->subject_bytes > 0;
        give_back_add(shard, slot);
    }
    if (left)
        log_info("leases_found", LOG_I("leases", left),
                 LOG_C("meaning", "of a process that was killed: what is left of them goes back"));
    *quota = made;
    return CODE_OK;
}

static bool is_settled(struct quota *quota)
{
    bool settled = true;
    for (size_t i = 0; i < QUOTA_SHARDS; i++) {
        struct quota_shard *shard = &quota->shards[i];
        pthread_mutex_lock(&shard->lock);
        settled = settled && !shard->returns;
        for (size_t j = 0; j < QUOTA_CHAINS; j++)
            for (struct account *account = shard->chains[j]; account; account = account->next)
                settled = settled && !account->lease_count && !account->asked;
        pthread_mutex_unlock(&shard->lock);
    }
    return settled;
}

void quota_drain(struct quota *quota, int64_t wait_ms)
{
    int64_t until_ms = quota_now_ms(quota) + wait_ms;
    const struct timespec pause = {.tv_nsec = DRAIN_PAUSE_MS * 1000000L};
    for (size_t i = 0; i < QUOTA_SHARDS; i++) {
        pthread_mutex_lock(&quota->shards[i].lock);
        quota->shards[i].draining = true;
        pthread_mutex_unlock(&quota->shards[i].lock);
    }
    for (;;) {
        quota_tick(quota);
        if (is_settled(quota) || quota_now_ms(quota) >= until_ms)
            break;
        nanosleep(&pause, NULL);
    }
    stop_ticking(quota);
}

void quota_free(struct quota *quota)
{
    if (!quota)
        return;
    stop_ticking(quota);
    for (size_t i = 0; i < QUOTA_SHARDS; i++) {
        struct quota_shard *shard = &quota->shards[i];
        for (size_t j = 0; j < QUOTA_CHAINS; j++) {
            for (struct account *account = shard->chains[j], *next; account; account = next) {
                next = account->next;
                account_free(account);
            }
        }
        for (struct give_back *back = shard->returns, *next; back; back = next) {
            next = back->next;
            xfree(back);
        }
        pthread_mutex_destroy(&shard->lock);
    }
    journal_close(quota->journal);
    pthread_cond_destroy(&quota->wake);
    pthread_mutex_destroy(&quota->tick_lock);
    pthread_mutex_destroy(&quota->journal_lock);
    xfree(quota);
}
