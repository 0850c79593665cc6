/*
 * The user store in one DynamoDB table, for as many replicas as wanted. No secondary index: every
 * read is a consistent read of the table itself, so that a write is seen by whatever follows it.
 *
 * Keys are texts. `pk` begins with the tenant; SHARD is two digits; NAME is the folded display
 * name (search_terms.h); a tab, which no name holds, ends a text inside a sort key.
 *
 *   pk               sk                  what                                attributes
 *   schema           -                   the layout's version                v
 *   1/u/SHARD        UUID                a user                              email, … v, nk, tk
 *   1/e/HASH         -                   who has this folded address         id
 *   1/o/HASH         -                   an answered request_id              h, a, x, ttl
 *   1/n              NAME⇥UUID           all users by name                   t (their tokens)
 *   1/h/HEAD         NAME⇥UUID           those with a token that begins so   t
 *   1/w/CHAR         TOKEN⇥NAME⇥UUID     their tokens, by first character    t
 *   1/q/SHARD        UUID                an event in no batch yet            h, e
 *   1/s/SHARD        -                   events that a batch has taken over  m
 *   1/b/SHARD        UUID                a sealed batch, in line             h, n, z, b
 *   1/x/SHARD        UUID                a sealed batch, aside               h, n, z, b, w
 *   1/c              HOUR/SHARD          events of sealed batches            e, t
 *   1/l              SHARD               who seals and sends a shard         o, f, x
 *   1/a/HASH         -                   somebody's pseudonym                p
 *
 * Writes. User, address, index rows, event and idempotency record go in one TransactWriteItems: a
 * user has at most 23 tokens, so that the worst update (all tokens and the address differ) is 99 of
 * the 100 actions that are allowed. The user's item carries a version that every change is
 * conditional on; a change that meets another one reads again and starts anew. Nobody but the
 * user's own writes touch its rows, and no counter is touched: writes of different users never
 * conflict.
 *
 * Search. Three ways into the same order (NAME, UUID). A word that few tokens begin with is read
 * from 1/w and sorted; otherwise the users with the first three characters (1/h), or all (1/n) for
 * a shorter word, are read in order and filtered by the tokens that each row carries. The rows read
 * for one page are bounded; a page may therefore hold fewer than asked for and still have a next.
 * What a row promises is checked against the user, which is read last.
 *
 * Hot keys. Nothing keeps more than one partition of DynamoDB busy in an order that it cannot
 * split: users and outbox lie on shards; index rows of frequent words lie by name, where DynamoDB
 * splits an item collection by heat (it does so as long as a table has no local index).
 *
 * Outbox. Each process holds the lease of one shard, its home, and puts its writes' events there;
 * it alone seals and sends that shard. A shard is always read from its beginning, so that no event
 * can be committed behind a cursor. Sealing is one transaction that is conditional on the lease:
 * the batch, its hour's count and the list of the events in it; these are then deleted, and until
 * that is done nothing else is sealed from the shard: the list says what is left to delete after a
 * crash. It goes only while it is still the one whose events were deleted: who wakes up after his
 * lease leaves the next one's alone. Leases that end are taken over by other processes, content and
 * all. An event counts as emitted from its commit on: those in batches by 1/c, the others by
 * looking at 1/q.
 *
 * Rights: BatchGetItem, Query, PutItem, UpdateItem, DeleteItem, BatchWriteItem, ConditionCheckItem.
 *
 * What is weaker than in SQLite: get_many reads each user as it is at some moment of the call (all
 * at one moment in SQLite); list and search see each shard or row at such a moment. outbox_stats
 * knows the shards that this process holds, not those of other replicas; outbox_hours knows all.
 */
#pragma once
#include "aws/dynamodb_ops.h"
#include "base/clock.h"
#include "user/store.h"

struct store_dynamodb_options {
    struct dynamodb_port port;
    struct str table;
    const struct clock *clock;
    int reads_at_once;     /* requests for single users under way; more wait and share the next */
    int64_t tend_every_ms; /* leases are renewed so often, in a thread; 0: by store_dynamodb_tend */
};

enum {
    STORE_DYNAMODB_LEASE_MS = 40 * 1000,
    STORE_DYNAMODB_TEND_MS = 10 * 1000,
};

/*
 * Opens a table that exists, of the shape of aws/dynamodb_table.h: FAILED_PRECONDITION
 * (TABLE_MISSING, or SCHEMA when a newer program has written it), RESOURCE_EXHAUSTED when other
 * processes hold every shard of the outbox.
 */
enum code store_dynamodb_open(const struct store_dynamodb_options *options, struct store **store,
                              struct error *err) MUST_CHECK;

/*
 * `found` is called when batches of a process that is gone have been taken over: there is something
 * to send. From the store's own thread; NULL: nobody is told any more.
 */
void store_dynamodb_on_found(struct store *store, void (*found)(void *argument), void *argument);

/* Renews leases, looks for shards that nobody holds; what the thread does. */
void store_dynamodb_tend(struct store *store);
