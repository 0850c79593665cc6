/* Spending, and asking for more before it is needed. */
#include "gateway/quota_account.h"

#include "base/alloc.h"
#include "base/id.h"
#include "base/log.h"

enum {
    CHUNK_FIRST = 16,
    CHUNK_MIN = 4,
    CHUNK_MAX = 16384,
    OFTEN_MS = 1000, /* asked again within this: ask for more */
    SELDOM_MS = 10000,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 2000,
    FAILS_WAITED_FOR = 3, /* after so many failures in a row nobody waits any more */
    REFUSED_MIN_MS = 100,
    REFUSED_MAX_MS = 5000, /* a plan may change, leases come back */
};

int64_t quota_now_ms(const struct quota *quota)
{
    return clock_mono_ms(quota->options.clock);
}

void quota_free_slot(struct quota_shard *shard, struct journal_slot *slot)
{
    struct quota *quota = shard->quota;
    shard->subject_slots -= slot->subject_bytes > 0;
    pthread_mutex_lock(&quota->journal_lock);
    journal_free_slot(quota->journal, slot);
    pthread_mutex_unlock(&quota->journal_lock);
}

static uint64_t left_of(const struct journal_slot *slot)
{
    return atomic_load(&slot->granted) - atomic_load(&slot->spent);
}

static uint64_t left_in(const struct account *account, int64_t now_ms)
{
    uint64_t left = 0;
    for (size_t i = 0; i < account->lease_count; i++)
        if (account->leases[i].until_ms > now_ms)
            left += left_of(account->leases[i].slot);
    return left;
}

static void drop_lease(struct account *account, size_t at)
{
    account->lease_count--;
    for (size_t i = at; i < account->lease_count; i++)
        account->leases[i] = account->leases[i + 1];
    if (!account->lease_count)
        subject_leave(account);
}

void account_give_back(struct account *account, bool all)
{
    int64_t now_ms = quota_now_ms(account->shard->quota);
    for (size_t i = account->lease_count; i-- > 0;) {
        if (!all && account->leases[i].until_ms > now_ms)
            continue;
        give_back_send(give_back_add(account->shard, account->leases[i].slot));
        drop_lease(account, i);
    }
}

/* --- asking --- */

bool quota_is_final(enum code code)
{
    return code == CODE_OK || code == CODE_NOT_FOUND || code == CODE_FAILED_PRECONDITION ||
           code == CODE_INVALID_ARGUMENT || code == CODE_UNIMPLEMENTED ||
           code == CODE_OUT_OF_RANGE || code == CODE_ALREADY_EXISTS;
}

static int64_t backoff_ms(int fails)
{
    int64_t backoff = BACKOFF_FIRST_MS << (fails < 5 ? fails : 5);
    return backoff < BACKOFF_MAX_MS ? backoff : BACKOFF_MAX_MS;
}

static int64_t between(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void failed(struct account *account, enum code code)
{
    int64_t now_ms = quota_now_ms(account->shard->quota);
    if (!account->fails++)
        log_warn("lease_failed", LOG_C("code", code_name(code)), LOG_S("key_id", account->key_id));
    account->again_ms = now_ms + backoff_ms(account->fails);
    if (!quota_is_final(code))
        return;
    quota_free_slot(account->shard, account->asked);
    account->asked = NULL;
}

/* The end of a lease is counted from before the first question, and a thousandth earlier. */
static void add_lease(struct account *account, const struct quota_grant *grant)
{
    struct lease *lease = &account->leases[account->lease_count++];
    lease->slot = account->asked;
    lease->until_ms = account->asked_ms + grant->valid_ms - grant->valid_ms / 1000 - 1;
    atomic_store(&lease->slot->granted, grant->granted);
    atomic_store(&lease->slot->state, JOURNAL_GRANTED);
    account->used_ms = quota_now_ms(account->shard->quota);
    subject_used(account);
}

static void answered(struct account *account, const struct quota_grant *grant)
{
    int64_t now_ms = quota_now_ms(account->shard->quota);
    account->fails = 0;
    account->remaining = grant->remaining;
    account->reset_us = grant->reset_us;
    if (grant->granted) {
        add_lease(account, grant);
        account->refused_until_ms = account->retry_at_ms = 0;
    } else {
        account->refused_need = account->need ? account->need : 1;
        account->retry_at_ms = now_ms + grant->retry_ms;
        account->refused_until_ms =
            now_ms + between(grant->retry_ms, REFUSED_MIN_MS, REFUSED_MAX_MS);
        quota_free_slot(account->shard, account->asked);
    }
    account->asked = NULL;
}

static void on_granted(void *argument, const struct quota_grant *grant)
{
    struct account *account = argument;
    struct quota_shard *shard = account->shard;
    pthread_mutex_lock(&shard->lock);
    account->under_way = false;
    if (grant->code == CODE_OK)
        answered(account, grant);
    else
        failed(account, grant->code);
    if (shard->draining)
        account_give_back(account, true);
    account_serve(account, false);
    pthread_mutex_unlock(&shard->lock);
}

void account_send(struct account *account)
{
    struct quota *quota = account->shard->quota;
    struct quota_ask ask = {.key_id = account->key_id,
                            .subject = account->subject,
                            .gateway_id = journal_gateway_id(quota->journal),
                            .lease_id = str_of(account->asked->lease_id),
                            .want = account->asked->want,
                            .need = account->need};
    account->under_way = true;
    quota->options.lessor->ask(quota->options.lessor, &ask, on_granted, account);
}

static void adapt_chunk(struct account *account, int64_t since_ms)
{
    if (!account->chunk)
        account->chunk = CHUNK_FIRST;
    else if (since_ms < OFTEN_MS && account->chunk < CHUNK_MAX)
        account->chunk *= 2;
    else if (since_ms > SELDOM_MS && account->chunk > CHUNK_MIN)
        account->chunk /= 2;
}

void account_ask(struct account *account, uint64_t need, uint64_t cost)
{
    struct quota *quota = account->shard->quota;
    char lease_id[ID_TEXT_BYTES + 1];
    int64_t now_ms = quota_now_ms(quota);
    bool just_failed = account->fails && account->again_ms > now_ms;
    if (account->asked || just_failed || account->lease_count == QUOTA_LEASES_MAX ||
        !subject_has_room(account))
        return;
    adapt_chunk(account, now_ms - account->asked_ms);
    id_format(id_new(quota->options.clock), lease_id);
    pthread_mutex_lock(&quota->journal_lock);
    account->asked = journal_claim(quota->journal, account->key_id, account->subject, lease_id,
                                   cost > account->chunk ? cost : account->chunk);
    pthread_mutex_unlock(&quota->journal_lock);
    if (!account->asked)
        return;
    account->shard->subject_slots += account->subject.len > 0;
    account->asked_ms = now_ms;
    account->need = need;
    account_send(account);
}

/* --- spending --- */

static void take(struct account *account, uint64_t cost, int64_t now_ms)
{
    for (size_t i = 0; i < account->lease_count && cost;) {
        struct journal_slot *slot = account->leases[i].slot;
        uint64_t left = account->leases[i].until_ms > now_ms ? left_of(slot) : 0;
        uint64_t part = left < cost ? left : cost;
        atomic_fetch_add(&slot->spent, part);
        cost -= part;
        if (left_of(slot)) {
            i++;
            continue;
        }
        quota_free_slot(account->shard, slot); /* all spent, as the store has it */
        drop_lease(account, i);
    }
}

static bool is_running_low(const struct account *account)
{
    const struct journal_slot *only = account->leases[0].slot;
    return account->lease_count == 0 ||
           (account->lease_count == 1 && left_of(only) * 2 <= atomic_load(&only->granted));
}

struct quota_outcome account_spend(struct account *account, uint32_t cost)
{
    int64_t now_ms = quota_now_ms(account->shard->quota);
    uint64_t left = left_in(account, now_ms), need = cost > left ? cost - left : 0;
    bool refused = account->refused_until_ms > now_ms;
    struct quota_outcome outcome = {.verdict = QUOTA_ADMITTED};
    if (!need) {
        take(account, cost, now_ms);
        left -= cost;
        account->used_ms = now_ms;
        subject_used(account);
        if (!refused && is_running_low(account))
            account_ask(account, 0, cost);
    } else if (refused && need >= account->refused_need) {
        outcome.verdict = QUOTA_USED_UP;
        int64_t until_ms =
            account->retry_at_ms > now_ms ? account->retry_at_ms : account->refused_until_ms;
        outcome.retry_ms = until_ms - now_ms;
    } else {
        account_ask(account, need, cost);
        outcome.verdict =
            account->asked && account->fails < FAILS_WAITED_FOR ? QUOTA_WAIT : QUOTA_AWAY;
    }
    outcome.left = left + account->remaining;
    outcome.reset_us = account->reset_us;
    return outcome;
}

/* --- waiters --- */

void account_serve(struct account *account, bool end)
{
    int64_t now_ms = quota_now_ms(account->shard->quota);
    struct quota_waiter **at = &account->waiters;
    while (*at) {
        struct quota_waiter *waiter = *at;
        struct quota_outcome outcome = {.verdict = QUOTA_AWAY};
        if (!end)
            outcome = account_spend(account, waiter->cost);
        if (outcome.verdict == QUOTA_WAIT && waiter->until_ms <= now_ms)
            outcome.verdict = QUOTA_AWAY;
        if (outcome.verdict == QUOTA_WAIT) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        account->waiter_count--;
        waiter->done(waiter->argument, &outcome);
    }
    account->waiters_end = at;
}
