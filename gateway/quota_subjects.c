/*
 * What strangers may take of the room for leases. Everybody knows a public key, and whoever comes
 * with it from another network is another subject, with an account and a lease of its own. So
 * subjects have a part of the room, each shard's for itself, and never take the rest, which is that
 * of secret keys. When little of their part is left, whoever asks for a lease sends that of the
 * subject which has not used its own for the longest time back; there is room again as soon as the
 * store has it.
 */
#include "gateway/quota_account.h"

void subject_leave(struct account *account)
{
    struct quota_shard *shard = account->shard;
    if (!account->in_line)
        return;
    *(account->older ? &account->older->newer : &shard->oldest) = account->newer;
    *(account->newer ? &account->newer->older : &shard->newest) = account->older;
    account->in_line = false;
}

void subject_used(struct account *account)
{
    struct quota_shard *shard = account->shard;
    subject_leave(account);
    if (!account->subject.len || !account->lease_count)
        return;
    account->older = shard->newest;
    account->newer = NULL;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = account;
    shard->newest = account;
    account->in_line = true;
}

bool subject_has_room(const struct account *account)
{
    struct quota_shard *shard = account->shard;
    struct account *oldest = shard->oldest;
    if (!account->subject.len)
        return true;
    if (shard->subject_slots >= QUOTA_SUBJECT_SLOTS_HIGH && oldest && oldest != account) {
        account_give_back(oldest, true);
        oldest->used_ms = 0; /* its account goes soon, too */
    }
    return shard->subject_slots < QUOTA_SUBJECT_SLOTS;
}
