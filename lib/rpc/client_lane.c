/*
 * One lane: a call stream from its opening to its end.
 *
 *   OPENING ──first message──▶ OPEN ──renewed, or asked to──▶ LEAVING ──all answered──▶ OVER
 *      └──────────────────────────┴──────────the stream has ended─────────────────────────▶┘
 *
 * A write takes whatever waits; what comes meanwhile waits for its end. A call's id is its place in
 * the lane's table and a count, so that the answer to a call that was given up finds nobody when
 * its place has been taken again.
 */
#include "base/alloc.h"
#include "rpc/callstream.h"
#include "rpc/client_lane_core.h"

#include <grpc/support/time.h>

enum {
    RETRY_MS = 100,           /* after a stream could not be opened */
    RETRY_UNKNOWN_MS = 60000, /* after a server said it has none, unless it goes away before */
};

/* --- the table; the lock is held --- */

bool lane_has_room(const struct lane *lane)
{
    return lane->state == LANE_OPEN && lane->call_count < LANE_CALLS_MAX;
}

void lane_put(struct lane *lane, struct lane_call *call)
{
    uint16_t place = lane->free_places[LANE_CALLS_MAX - 1 - lane->call_count++];
    call->id = ++lane->count * LANE_CALLS_MAX + place;
    call->lane = lane;
    lane->calls[place] = call;
}

void lane_take_out(struct lane_call *call)
{
    struct lane *lane = call->lane;
    uint16_t place = (uint16_t)(call->id % LANE_CALLS_MAX);
    lane->calls[place] = NULL;
    lane->free_places[LANE_CALLS_MAX - lane->call_count--] = place;
    call->lane = NULL;
}

static struct lane_call *take_id(struct lane *lane, uint64_t id)
{
    struct lane_call *call = lane->calls[id % LANE_CALLS_MAX];
    if (!call || call->id != id)
        return NULL;
    lane_take_out(call);
    return call;
}

struct lane_call *lane_take_late(struct lane *lane, int64_t now, struct lane_call *list)
{
    for (size_t i = 0; lane->call_count && i < LANE_CALLS_MAX; i++) {
        struct lane_call *call = lane->calls[i];
        if (!call || call->deadline_ms > now)
            continue;
        lane_take_out(call);
        call->next = list;
        list = call;
    }
    return list;
}

/* --- writing --- */

void lane_write(struct lane *lane, grpc_byte_buffer *message)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    rpc_batch(lane->base.call, &op, 1, &lane->write_tag);
    grpc_byte_buffer_destroy(message);
}

/* Takes what is to be written next; the lock is held, write_message comes after it. */
grpc_byte_buffer *lane_next_message(struct lane *lane)
{
    if (lane->writing || (lane->state != LANE_OPEN && lane->state != LANE_LEAVING))
        return NULL;
    grpc_byte_buffer *message = callstream_out_take(&lane->out);
    if (!message)
        return NULL;
    lane->writing = true;
    lane->under_way++;
    lane->lanes->turn++; /* what comes now may go by the next one at once */
    return message;
}

static void close_side(struct lane *lane)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    rpc_batch(lane->base.call, &op, 1, &lane->close_tag);
}

/* Writes what waits; when the lane is leaving and nothing does, says that nothing will come. */
static void move_on(struct lane *lane)
{
    pthread_mutex_lock(&lane->lanes->lock);
    grpc_byte_buffer *message = lane_next_message(lane);
    bool close = !message && !lane->writing && !lane->closed && lane->state == LANE_LEAVING;
    lane->closed |= close;
    lane->under_way += close;
    pthread_mutex_unlock(&lane->lanes->lock);
    if (message)
        lane_write(lane, message);
    else if (close)
        close_side(lane);
}

/* --- the end of a lane --- */

/* The connection on which the server said that it has no call streams has changed: what is there
 * now may have some. */
static void on_changed(struct rpc_tag *tag, bool ok)
{
    struct lanes *lanes = RPC_TAG_OWNER(tag, struct lanes, change_tag);
    (void)ok;
    pthread_mutex_lock(&lanes->lock);
    lanes->watching = false;
    for (unsigned i = 0; i < lanes->slot_count; i++) {
        if (lanes->slots[i].unknown)
            lanes->slots[i].retry_ms = 0;
        lanes->slots[i].unknown = false;
    }
    pthread_mutex_unlock(&lanes->lock);
}

static void watch_for_change(struct lanes *lanes)
{
    struct rpc_client *client = lanes->client;
    lanes->change_tag.run = on_changed;
    grpc_channel_watch_connectivity_state(client->channel, GRPC_CHANNEL_READY,
                                          gpr_inf_future(GPR_CLOCK_MONOTONIC), client->queue.cq,
                                          rpc_tag_arm(&lanes->change_tag));
}

static void leave_slot(struct lane *lane)
{
    struct lane_slot *slot = lane->slot;
    lane->slot = NULL;
    if (!slot)
        return;
    if (slot->lane == lane)
        slot->lane = NULL;
    else
        slot->successor = NULL;
    slot->unknown = lane->base.status == GRPC_STATUS_UNIMPLEMENTED;
    if (slot->unknown)
        slot->retry_ms = lanes_now_ms() + RETRY_UNKNOWN_MS;
    else if (!lane->opened_ms)
        slot->retry_ms = lanes_now_ms() + RETRY_MS;
}

static struct lane_call *take_all(struct lane *lane)
{
    struct lane_call *calls = NULL;
    for (size_t i = 0; lane->call_count && i < LANE_CALLS_MAX; i++) {
        struct lane_call *call = lane->calls[i];
        if (!call)
            continue;
        lane_take_out(call);
        call->next = calls;
        calls = call;
    }
    return calls;
}

static void end_lane(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    pthread_mutex_lock(&lanes->lock);
    bool closing = lanes->closing;
    struct lane_call *calls = take_all(lane);
    leave_slot(lane);
    bool watch = lane->base.status == GRPC_STATUS_UNIMPLEMENTED && !lanes->watching && !closing;
    lanes->watching |= watch;
    struct lane **link = &lanes->first;
    while (*link != lane)
        link = &(*link)->next;
    *link = lane->next;
    pthread_mutex_unlock(&lanes->lock);
    lanes_end_calls(lanes, calls, closing ? CODE_CANCELLED : CODE_UNAVAILABLE,
                    closing ? "the client is being closed"
                            : "the connection to the server was lost");
    callstream_out_clear(&lane->out);
    if (watch) /* the client is there as long as this call is on its list */
        watch_for_change(lanes);
    client_call_close(&lane->base);
    xfree(lane);
}

static void one_less(struct lane *lane)
{
    pthread_mutex_lock(&lane->lanes->lock);
    bool over = --lane->under_way == 0;
    pthread_mutex_unlock(&lane->lanes->lock);
    if (over)
        end_lane(lane);
}

/* --- events --- */

/* The server knows the method: the lane takes over from the one before. */
static void become_open(struct lane *lane)
{
    struct lane *before = NULL;
    pthread_mutex_lock(&lane->lanes->lock);
    struct lane_slot *slot = lane->slot;
    if (lane->state == LANE_OPENING && slot) {
        enum { LIMIT_BYTES = 6 };
        lane->state = LANE_OPEN;
        lane->opened_ms = lanes_now_ms();
        callstream_add_limit(callstream_out_room(&lane->out, LIMIT_BYTES),
                             (uint32_t)lane->lanes->message_bytes_max);
        before = slot->lane;
        slot->lane = lane;
        slot->successor = NULL;
    }
    if (before) {
        before->state = LANE_LEAVING;
        before->slot = NULL;
        before->under_way++; /* it stays while it is seen to */
    }
    pthread_mutex_unlock(&lane->lanes->lock);
    if (before) {
        move_on(before);
        one_less(before);
    }
}

/* The server is shutting down: no more calls go this way. */
static void leave(struct lane *lane)
{
    pthread_mutex_lock(&lane->lanes->lock);
    if (lane->state == LANE_OPEN) {
        lane->state = LANE_LEAVING;
        leave_slot(lane);
    }
    pthread_mutex_unlock(&lane->lanes->lock);
    move_on(lane);
}

/* Gives `through` back, whose callback has run, and finds the call of an answer; both may be none.
 */
static struct lane_call *exchange(struct lane *lane, struct lane_call *through, const uint64_t *id)
{
    pthread_mutex_lock(&lane->lanes->lock);
    if (through)
        lanes_give_back(lane->lanes, through);
    struct lane_call *call = id ? take_id(lane, *id) : NULL;
    pthread_mutex_unlock(&lane->lanes->lock);
    return call;
}

static struct rpc_result result_of(const struct callstream_answer *answer)
{
    return (struct rpc_result){
        .code = answer->status <= CODE_UNAUTHENTICATED ? (enum code)answer->status : CODE_UNKNOWN,
        .message = answer->message,
        .details = answer->details,
        .response = answer->status == CODE_OK ? answer->payload : (struct str){0},
    };
}

static bool take_answers(struct lane *lane, struct str message)
{
    struct callstream_reader reader = callstream_read(message);
    struct lane_call *through = NULL;
    for (;;) {
        struct callstream_answer answer;
        struct str bytes;
        uint64_t number;
        enum callstream_item item = callstream_next_answer(&reader, &bytes, &number);
        if (item == CALLSTREAM_CLOSING && number)
            leave(lane);
        if (item == CALLSTREAM_CLOSING)
            continue;
        if (item != CALLSTREAM_ANSWER || !callstream_read_answer(bytes, &answer)) {
            exchange(lane, through, NULL);
            return item == CALLSTREAM_END;
        }
        struct lane_call *call = exchange(lane, through, &answer.id);
        through = call;
        if (call) {
            struct rpc_result result = result_of(&answer);
            call->pending.done(call->pending.argument, &result);
        }
    }
}

static void read_one(struct lane *lane)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &lane->incoming;
    rpc_batch(lane->base.call, &op, 1, &lane->read_tag);
}

static void on_read(struct rpc_tag *tag, bool ok)
{
    struct lane *lane = RPC_TAG_OWNER(tag, struct lane, read_tag);
    grpc_byte_buffer *incoming = lane->incoming;
    struct rpc_view view;
    lane->incoming = NULL;
    if (!ok || !incoming) {
        if (incoming)
            grpc_byte_buffer_destroy(incoming);
        one_less(lane);
        return;
    }
    become_open(lane);
    bool good = rpc_view_open(&view, incoming);
    if (good) {
        good = take_answers(lane, view.bytes);
        rpc_view_close(&view);
    }
    grpc_byte_buffer_destroy(incoming);
    if (!good)
        grpc_call_cancel_with_status(lane->base.call, GRPC_STATUS_INTERNAL,
                                     "the server sent what is no message of a call stream", NULL);
    read_one(lane);
}

static void on_written(struct rpc_tag *tag, bool ok)
{
    struct lane *lane = RPC_TAG_OWNER(tag, struct lane, write_tag);
    pthread_mutex_lock(&lane->lanes->lock);
    lane->writing = false;
    if (!ok)
        lane->state = LANE_OVER; /* why, comes with the status */
    pthread_mutex_unlock(&lane->lanes->lock);
    move_on(lane);
    one_less(lane);
}

static void on_status(struct rpc_tag *tag, bool ok)
{
    struct lane *lane = RPC_TAG_OWNER(tag, struct lane, status_tag);
    (void)ok;
    pthread_mutex_lock(&lane->lanes->lock);
    lane->state = LANE_OVER;
    pthread_mutex_unlock(&lane->lanes->lock);
    one_less(lane);
}

static void on_start(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* the status says it */
    one_less(RPC_TAG_OWNER(tag, struct lane, start_tag));
}

static void on_closed_side(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    one_less(RPC_TAG_OWNER(tag, struct lane, close_tag));
}

/* --- opening --- */

/* The slot is due for a stream; the lock is held. lane_begin() comes after it. */
struct lane *lane_new(struct lanes *lanes, struct lane_slot *slot)
{
    struct lane *lane = xcalloc(1, sizeof *lane);
    lane->lanes = lanes;
    lane->slot = slot;
    lane->start_tag.run = on_start;
    lane->read_tag.run = on_read;
    lane->write_tag.run = on_written;
    lane->close_tag.run = on_closed_side;
    lane->status_tag.run = on_status;
    for (int i = 0; i < LANE_CALLS_MAX; i++)
        lane->free_places[i] = (uint16_t)i;
    lane->next = lanes->first;
    lanes->first = lane;
    slot->successor = lane;
    return lane;
}

void lane_begin(struct lane *lane)
{
    const struct rpc_call_options options = {.method = CALLSTREAM_METHOD, .deadline_ms = INT64_MAX};
    if (!client_call_open(&lane->base, lane->lanes->client, &options)) {
        lane->under_way = 1;
        rpc_batch(lane->base.call, NULL, 0, &lane->status_tag);
        return;
    }
    grpc_op headers[] = {client_op_headers(&lane->base, false),
                         client_op_receive_headers(&lane->base)};
    grpc_op status = client_op_status(&lane->base);
    lane->under_way = 3; /* all counted before the first can be through */
    rpc_batch(lane->base.call, headers, 2, &lane->start_tag);
    rpc_batch(lane->base.call, &status, 1, &lane->status_tag);
    read_one(lane);
}
