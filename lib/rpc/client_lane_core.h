/*
 * What the two rooms of lanes share: client_lanes.c (which lane a call takes, all lanes of a
 * client) and client_lane.c (one lane: its stream, its table of calls).
 *
 * All events come in the completion thread and all callbacks run there; calls are started,
 * cancelled and flushed by any thread. What they share is under one lock, which nobody holds while
 * the core works or a callback runs.
 */
#pragma once
#include "base/clock.h"
#include "rpc/callstream_out.h"
#include "rpc/client_lanes.h"

enum {
    LANE_CALLS_MAX = 2048, /* that wait for their answers, per lane; a power of two */
};

enum lane_state { LANE_OPENING, LANE_OPEN, LANE_LEAVING, LANE_OVER };

struct lane_call {
    struct rpc_pending pending;
    struct lane *lane; /* NULL: it has been taken out and is about to end */
    struct lane_call *next;
    uint64_t id;
    int64_t deadline_ms;
};

struct lane {
    struct client_call base;
    struct lanes *lanes;
    struct lane_slot *slot; /* whose lane or successor it is, or NULL */
    struct lane *next;      /* in the list of all */
    struct rpc_tag start_tag, read_tag, write_tag, close_tag, status_tag;
    grpc_byte_buffer *incoming;
    enum lane_state state;
    int under_way; /* operations whose events have not come */
    bool writing, closed;
    int64_t opened_ms;
    struct callstream_out out;
    uint64_t count;    /* calls so far */
    size_t call_count; /* in the table */
    uint16_t free_places[LANE_CALLS_MAX];
    struct lane_call *calls[LANE_CALLS_MAX];
};

struct lane_slot {
    struct lane *lane, *successor;
    int64_t retry_ms; /* no stream is opened before */
    bool unknown;     /* the server has no call streams */
};

struct lanes {
    struct rpc_client *client;
    int64_t message_bytes_max;
    struct rpc_tag poke_tag, wake_tag, change_tag;
    struct arena arena; /* full_details */
    struct str full_details;
    pthread_mutex_t lock; /* for all below, and for what lanes hold */
    pthread_cond_t quiet;
    struct lane *first;
    struct lane_slot slots[RPC_CALL_STREAMS_MAX];
    unsigned slot_count, turn;
    size_t under_way;           /* calls whose callbacks have not run */
    struct lane_call *given_up; /* cancelled, for the completion thread to end */
    struct lane_call *spare;
    int spare_count;
    bool closing;
    bool watching; /* change_tag is under way */
};

static inline int64_t lanes_now_ms(void)
{
    return clock_mono_ms(clock_real());
}

/* --- client_lane.c; the lock is held but for the two that say so --- */

/* A lane for the slot, which lane_begin begins: without the lock. */
struct lane *lane_new(struct lanes *lanes, struct lane_slot *slot);
void lane_begin(struct lane *lane);

bool lane_has_room(const struct lane *lane);

/* Gives the call a place and an id; takes it out again. */
void lane_put(struct lane *lane, struct lane_call *call);
void lane_take_out(struct lane_call *call);

/* Takes out those whose deadline is not after `now_ms`, in front of `list`. */
struct lane_call *lane_take_late(struct lane *lane, int64_t now_ms, struct lane_call *list);

/* What is to be written next, or NULL: nothing waits, or a write is under way. lane_write must
 * follow, without the lock. */
grpc_byte_buffer *lane_next_message(struct lane *lane);
void lane_write(struct lane *lane, grpc_byte_buffer *message);

/* --- client_lanes.c --- */

/* After its callback; the lock is held. */
void lanes_give_back(struct lanes *lanes, struct lane_call *call);

/* Runs the callbacks of calls that have been taken out, and gives them back. Without the lock, in
 * the completion thread. */
void lanes_end_calls(struct lanes *lanes, struct lane_call *calls, enum code code,
                     const char *text);
