/* What goes into the user store and comes out of it: see store.h. */
#pragma once
#include "base/id.h"
#include "base/str.h"
#include "user/user.h"

#include <stddef.h>
#include <stdint.h>

enum {
    STORE_TENANT = 1, /* the one tenant there is today; every stored key carries it */
    STORE_HASH_BYTES = 32,
    STORE_IDEMPOTENCY_MS = 24 * 3600 * 1000,
    STORE_SEARCH_WORDS_MAX = 16,
    STORE_PAGE_BYTES_MAX = 2 << 20, /* of a page of the list, by user_bytes */
};

struct store_call {
    uint32_t tenant;
    int64_t remaining_ms; /* INT64_MAX: no deadline */
};

/* An encoded event, and the beginning of the hour it lies in (seconds since 1970). */
struct store_event {
    struct str bytes;
    int64_t hour;
};

/* Makes a write happen once: the same id and hash again gives the first answer. */
struct store_once {
    struct str request_id; /* not empty */
    uint8_t hash[STORE_HASH_BYTES];
};

/* Whose a user has to be. */
struct store_owner {
    struct str issuer, subject;
};

/* What comes with every write. `once` may be NULL. */
struct store_write {
    struct store_call call;
    struct store_event event;
    const struct store_once *once;
    const struct store_owner *owner; /* update, remove: of this owner's users only; NULL: of any */
};

/* Somebody who acts, without his name: a hash of issuer and subject. */
struct store_actor {
    uint8_t hash[STORE_HASH_BYTES];
};

struct store_page {
    struct user *users;
    size_t count;
    size_t bytes;    /* of all of them, by user_bytes; a search does not count them */
    struct str next; /* the store's own bytes, to go on after; empty: this was the end */
};

/* A batch that will never change again. */
struct store_batch {
    struct id id;
    int64_t hour;    /* seconds since 1970 */
    uint32_t count;  /* events */
    struct str body; /* an encoded omnidata.event.v1.EventBatch */
};

struct store_hour {
    int64_t hour; /* seconds since 1970 */
    uint64_t emitted, pending;
};

struct store_outbox_stats {
    uint64_t bytes;    /* that wait */
    uint64_t events;   /* that wait, sealed or not */
    uint64_t unsealed; /* of these, those in no batch yet */
    uint64_t aside;    /* batches that were refused */
    int64_t oldest_ms; /* UTC time when the oldest batch was sealed; 0: none waits */
};
