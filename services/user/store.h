/*
 * The user store as a port of the domain: what must happen together happens in one call. Row, event
 * and idempotency record of a write commit in one transaction, or none of them does; when a write
 * returns OK it is durable. Implementations: store_sqlite, store_dynamodb.
 *
 * All functions are thread-safe and block at most until the call's deadline (DEADLINE_EXCEEDED).
 * After an error of create, update or remove whose err->unsure is set the write may have been
 * carried out all the same, or still be, with its event; after any other it never will: that is how
 * one write has one event. Results live in the arena that was handed in. RESOURCE_
 * EXHAUSTED (DISK_FULL) when there is no room; nothing has changed then.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/id.h"
#include "user/store_values.h"
#include "user/user.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store {
    const struct store_vtable *vtable;
};

struct store_vtable {
    /* `user` complete but for version. ALREADY_EXISTS (EMAIL_TAKEN). *replayed: an answer given
     * before, no event was stored. INVALID_ARGUMENT (IDEMPOTENCY_KEY_REUSED). */
    enum code (*create)(struct store *store, const struct store_write *write,
                        const struct user *user, struct arena *arena, struct user *created,
                        bool *replayed, struct error *err);
    /* NOT_FOUND, ABORTED (ETAG_MISMATCH), ALREADY_EXISTS (EMAIL_TAKEN), INVALID_ARGUMENT. What
     * changes nothing leaves version and time as they are, and no event is stored. With an `owner`
     * PERMISSION_DENIED (NOT_OWNER) before all else, for another's user and for none alike: it is
     * one condition of the write, not a question before it. */
    enum code (*update)(struct store *store, const struct store_write *write,
                        const struct user_change *change, struct arena *arena, struct user *updated,
                        bool *replayed, struct error *err);
    /* NOT_FOUND, ABORTED (ETAG_MISMATCH), PERMISSION_DENIED (NOT_OWNER) as with update. */
    enum code (*remove)(struct store *store, const struct store_write *write, struct id id,
                        struct str etag, bool *replayed, struct error *err);

    /* The pseudonyms of actors: each is given back as it is known, or kept as it was handed in. No
     * actor comes twice. All or none; as durable as a write. */
    enum code (*actors)(struct store *store, const struct store_call *call,
                        const struct store_actor *actors, struct id *pseudonyms, size_t count,
                        struct error *err);
    /* Nobody can tell any more whose the pseudonym was. OK as well when there was none. */
    enum code (*actor_forget)(struct store *store, const struct store_call *call,
                              const struct store_actor *actor, struct error *err);

    /* Around reads of this thread that share one view, taken no earlier than at `begin`: cheaper
     * than a view for each. They do not nest. NULL: the store has nothing to share. */
    void (*together_begin)(struct store *store);
    void (*together_end)(struct store *store);
    /* NOT_FOUND (USER_NOT_FOUND). */
    enum code (*get)(struct store *store, const struct store_call *call, struct id id,
                     struct arena *arena, struct user *user, struct error *err);
    /* users[i] is NULL where there is none. One consistent view; on DynamoDB each user as it is at
     * some moment of the call. */
    enum code (*get_many)(struct store *store, const struct store_call *call, const struct id *ids,
                          size_t count, struct arena *arena, struct user **users,
                          struct error *err);
    /* By id. `after`: a page's `next`, or empty. INVALID_ARGUMENT when it is none. A page may hold
     * fewer than `limit`, but at least one, and still have a `next`: it ends before its users would
     * be more than STORE_PAGE_BYTES_MAX (user_bytes). */
    enum code (*list)(struct store *store, const struct store_call *call, struct str after,
                      size_t limit, struct arena *arena, struct store_page *page,
                      struct error *err);
    /* Users that have, for every one of the words (search_terms_query), a token that begins with
     * it; by folded display name, then id. A page may hold fewer than `limit` and still have a
     * `next`: the work per page is bounded. */
    enum code (*search)(struct store *store, const struct store_call *call, const struct str *words,
                        size_t word_count, struct str after, size_t limit, struct arena *arena,
                        struct store_page *page, struct error *err);

    /* Sealed batches, counted as emitted, all or none. */
    enum code (*outbox_add)(struct store *store, const struct store_batch *batches, size_t count,
                            struct error *err);
    /* Seals events that came with writes: one batch, of the oldest one's hour. *sealed: how many
     * events it took; 0: none waited. */
    enum code (*outbox_seal)(struct store *store, size_t *sealed, struct error *err);
    /* The oldest batches that are not aside; the first always, more as far as `bytes_max` lasts. */
    enum code (*outbox_oldest)(struct store *store, size_t max, size_t bytes_max,
                               struct arena *arena, struct store_batch *batches, size_t *count,
                               struct error *err);
    /* The other side has them durably. */
    enum code (*outbox_forget)(struct store *store, const struct id *ids, size_t count,
                               struct error *err);
    /* Out of the line, but kept, with the reason; outbox_readmit puts all of them back. */
    enum code (*outbox_set_aside)(struct store *store, struct id id, const char *reason,
                                  struct error *err);
    enum code (*outbox_readmit)(struct store *store, struct error *err);
    /* Hours in [from, to) with events, in order. */
    enum code (*outbox_hours)(struct store *store, int64_t from, int64_t to, struct arena *arena,
                              struct store_hour **hours, size_t *count, struct error *err);
    /* Cheap: for every write. */
    void (*outbox_stats)(struct store *store, struct store_outbox_stats *stats);

    void (*free)(struct store *store);
};

static inline void store_free(struct store *store)
{
    if (store)
        store->vtable->free(store);
}
