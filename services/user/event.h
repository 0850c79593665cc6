/*
 * Events: what is put into them, their encoding, and the sealed batches in which they travel.
 * Everything is of fixed size (nanopb); texts that are too long are cut between code points, and
 * `truncated` says so.
 */
#pragma once
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"

#include "omnidata/event/v1/event.pb.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    EVENT_BYTES_MAX = omnidata_event_v1_Event_size,
    EVENT_BATCH_EVENTS_MAX = 1000,
    EVENT_BATCH_BYTES_MAX = 180 * 1024,
    EVENT_HOUR_S = 3600,
};

enum event_kind {
    EVENT_USER_CREATED = omnidata_event_v1_EventKind_EVENT_KIND_USER_CREATED,
    EVENT_USER_UPDATED = omnidata_event_v1_EventKind_EVENT_KIND_USER_UPDATED,
    EVENT_USER_DELETED = omnidata_event_v1_EventKind_EVENT_KIND_USER_DELETED,
    EVENT_USER_READ = omnidata_event_v1_EventKind_EVENT_KIND_USER_READ,
    EVENT_USERS_LISTED = omnidata_event_v1_EventKind_EVENT_KIND_USERS_LISTED,
    EVENT_USERS_SEARCHED = omnidata_event_v1_EventKind_EVENT_KIND_USERS_SEARCHED,
};

struct store_actor;

/* What somebody did, in the words of the caller; texts may be empty. */
struct event_facts {
    enum event_kind kind;
    int32_t status;   /* enum code */
    struct str actor; /* the pseudonym, if it is known already */
    struct str key_id, user_id, query, trace_id;
    uint32_t result_count;
    const struct store_actor *by; /* whose pseudonym is to be found; NULL: nobody's */
};

/* A new event, now, with an id of its own. */
void event_make(omnidata_event_v1_Event *event, const struct clock *clock,
                const struct event_facts *facts);

/* Appends the encoding. */
void event_encode(struct buf *out, const omnidata_event_v1_Event *event);

/* The beginning of the hour (seconds since 1970) that the event lies in. */
int64_t event_hour(const omnidata_event_v1_Event *event);
int64_t event_hour_of(int64_t seconds);

/* An EventBatch under construction. */
struct event_batch {
    struct id id;
    int64_t hour;
    uint32_t count;
    struct buf events; /* field 4, as often as there are events */
};

/* On the heap; event_batch_clear gives back. */
void event_batch_init(struct event_batch *batch, const struct clock *clock, int64_t hour);
void event_batch_clear(struct event_batch *batch);

/* False, and nothing added, when the batch is full. */
bool event_batch_add(struct event_batch *batch, struct str encoded_event);

/* Appends the encoded EventBatch. */
void event_batch_seal(const struct event_batch *batch, struct buf *out);

/* Appends the EventBatch that says that the events of a batch are lost. */
void event_batch_say_lost(struct id id, int64_t hour, uint32_t count, struct buf *out);
