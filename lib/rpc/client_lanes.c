/* Which lane a call takes, and what happens to calls that are given up. */
#include "base/alloc.h"
#include "rpc/callstream.h"
#include "rpc/client_lane_core.h"
#include "rpc/status_details.h"

enum {
    CALL_BYTES_MAX = 64 * 1024, /* a larger one travels by itself: it would only hold others up */
    CALL_OVERHEAD_BYTES = 64,
    SPARE_MAX = 1024,
    RENEW_MS = 60 * 1000,
    FULL_RETRY_MS = 1000,
};

/* --- calls --- */

static struct lane_call *new_call(struct lanes *lanes)
{
    struct lane_call *call = lanes->spare;
    if (!call)
        return xcalloc(1, sizeof *call);
    lanes->spare = call->next;
    lanes->spare_count--;
    return call;
}

/* After its callback. */
void lanes_give_back(struct lanes *lanes, struct lane_call *call)
{
    if (--lanes->under_way == 0)
        pthread_cond_broadcast(&lanes->quiet);
    if (lanes->spare_count == SPARE_MAX) {
        xfree(call);
        return;
    }
    call->next = lanes->spare;
    lanes->spare = call;
    lanes->spare_count++;
}

void lanes_end_calls(struct lanes *lanes, struct lane_call *calls, enum code code, const char *text)
{
    const struct rpc_result result = {.code = code, .message = str_of(text)};
    while (calls) {
        struct lane_call *next = calls->next;
        calls->pending.done(calls->pending.argument, &result);
        pthread_mutex_lock(&lanes->lock);
        lanes_give_back(lanes, calls);
        pthread_mutex_unlock(&lanes->lock);
        calls = next;
    }
}

/* --- starting a call --- */

static bool is_due(const struct lane_slot *slot, int64_t now)
{
    if (slot->successor || now < slot->retry_ms)
        return false;
    return !slot->lane || now - slot->lane->opened_ms >= RENEW_MS;
}

static bool fits(const struct rpc_call_options *options, struct str request)
{
    size_t size = options->method.len + request.len;
    if (options->metadata_count > CALLSTREAM_METADATA_MAX)
        return false;
    for (size_t i = 0; i < options->metadata_count; i++) {
        const struct rpc_metadata *one = &options->metadata[i];
        size += one->key.len + one->value.len;
        if (!rpc_metadata_is_legal(one->key, one->value))
            return false;
    }
    return size <= CALL_BYTES_MAX && options->deadline_ms > 0;
}

static void add_to(struct lane *lane, struct lane_call *call,
                   const struct rpc_call_options *options, struct str request)
{
    struct callstream_call item;
    size_t size = options->method.len + request.len + CALL_OVERHEAD_BYTES;
    lane_put(lane, call);
    item.id = call->id;
    item.timeout_ms = (uint64_t)options->deadline_ms;
    item.method = options->method;
    item.payload = request;
    item.metadata_count = options->metadata_count;
    for (size_t i = 0; i < options->metadata_count; i++) {
        item.metadata[i] = options->metadata[i];
        size += options->metadata[i].key.len + options->metadata[i].value.len + CALL_OVERHEAD_BYTES;
    }
    struct buf *out = callstream_out_room(&lane->out, size);
    callstream_add_call(out, &item);
}

/* Deadlines are watched from now on. A thread that sleeps hears of it by the event of the write, or
 * is woken. */
static void start_ticking(struct lane *lane, bool no_write)
{
    struct lanes *lanes = lane->lanes;
    bool ticked =
        atomic_exchange_explicit(&lanes->client->queue.ticking, true, memory_order_acq_rel);
    if (!ticked && no_write)
        rpc_batch(lane->base.call, NULL, 0, &lanes->wake_tag);
}

/* The lane for a call; *due is one that has to be begun. The lock is held. */
static struct lane *choose(struct lanes *lanes, struct lane **due, bool *open)
{
    int64_t now = lanes_now_ms();
    struct lane *chosen = NULL;
    for (unsigned i = 0; i < lanes->slot_count; i++) {
        struct lane_slot *slot = &lanes->slots[(lanes->turn + i) % lanes->slot_count];
        if (!*due && is_due(slot, now))
            *due = lane_new(lanes, slot);
        *open |= slot->lane && slot->lane->state == LANE_OPEN;
        if (!chosen && slot->lane && lane_has_room(slot->lane))
            chosen = slot->lane;
    }
    return chosen;
}

enum lanes_start lanes_start(struct lanes *lanes, const struct rpc_call_options *options,
                             struct str request, rpc_done_fn done, void *argument,
                             struct rpc_pending **pending)
{
    struct lane *due = NULL, *lane;
    grpc_byte_buffer *message = NULL;
    bool open = false;
    if (!fits(options, request))
        return LANES_NONE;
    pthread_mutex_lock(&lanes->lock);
    if (lanes->closing) {
        pthread_mutex_unlock(&lanes->lock);
        return LANES_NONE;
    }
    lane = choose(lanes, &due, &open);
    if (lane) {
        struct lane_call *call = new_call(lanes);
        call->pending = (struct rpc_pending){done, argument, lanes};
        call->deadline_ms = options->deadline_ms < INT64_MAX / 2
                                ? lanes_now_ms() + options->deadline_ms
                                : INT64_MAX;
        lanes->under_way++;
        add_to(lane, call, options, request);
        if (pending)
            *pending = &call->pending;
        start_ticking(lane, options->gather);
        if (!options->gather)
            message = lane_next_message(lane);
    }
    pthread_mutex_unlock(&lanes->lock);
    if (message)
        lane_write(lane, message);
    if (due)
        lane_begin(due);
    return lane ? LANES_TAKEN : open ? LANES_FULL : LANES_NONE;
}

void lanes_flush(struct lanes *lanes)
{
    for (unsigned i = 0; i < lanes->slot_count; i++) {
        pthread_mutex_lock(&lanes->lock);
        struct lane *lane = lanes->slots[i].lane;
        grpc_byte_buffer *message = lane ? lane_next_message(lane) : NULL;
        pthread_mutex_unlock(&lanes->lock);
        if (message)
            lane_write(lane, message);
    }
}

int lanes_open(struct lanes *lanes)
{
    int open = 0;
    pthread_mutex_lock(&lanes->lock);
    for (unsigned i = 0; i < lanes->slot_count; i++)
        open += lanes->slots[i].lane && lanes->slots[i].lane->state == LANE_OPEN;
    pthread_mutex_unlock(&lanes->lock);
    return open;
}

/* --- giving up --- */

/* It is awake: that was all. */
static void on_wake(struct rpc_tag *tag, bool ok)
{
    (void)tag;
    (void)ok;
}

static void on_poke(struct rpc_tag *tag, bool ok)
{
    struct lanes *lanes = RPC_TAG_OWNER(tag, struct lanes, poke_tag);
    (void)ok;
    pthread_mutex_lock(&lanes->lock);
    struct lane_call *calls = lanes->given_up;
    lanes->given_up = NULL;
    pthread_mutex_unlock(&lanes->lock);
    lanes_flush(lanes);
    lanes_end_calls(lanes, calls, CODE_CANCELLED, "the call was cancelled");
}

void lanes_cancel(struct rpc_pending *pending)
{
    enum { CANCEL_BYTES = 11 };
    struct lane_call *call = (struct lane_call *)pending;
    struct lanes *lanes = pending->lanes;
    pthread_mutex_lock(&lanes->lock);
    struct lane *lane = call->lane;
    if (lane) {
        callstream_add_cancel(callstream_out_room(&lane->out, CANCEL_BYTES), call->id);
        lane_take_out(call);
        call->next = lanes->given_up;
        lanes->given_up = call;
        rpc_batch(lane->base.call, NULL, 0, &lanes->poke_tag);
    }
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_tick(void *argument)
{
    struct lanes *lanes = argument;
    struct lane_call *late = NULL;
    int64_t now = lanes_now_ms();
    pthread_mutex_lock(&lanes->lock);
    for (struct lane *lane = lanes->first; lane; lane = lane->next)
        late = lane_take_late(lane, now, late);
    /* Who starts a call sets it again, under this lock. */
    atomic_store_explicit(&lanes->client->queue.ticking, lanes->under_way > 0,
                          memory_order_release);
    pthread_mutex_unlock(&lanes->lock);
    lanes_flush(lanes);
    lanes_end_calls(lanes, late, CODE_DEADLINE_EXCEEDED, "the deadline has passed");
}

/* --- the rest --- */

/* Why, in a form that programs read, as a server says it. */
static void make_full_details(struct lanes *lanes)
{
    struct error err;
    error_set(&err, CODE_RESOURCE_EXHAUSTED, "OVERLOADED", "%s", LANES_FULL_TEXT);
    err.retry_after_ms = FULL_RETRY_MS;
    lanes->full_details = status_details_encode(&lanes->arena, &err);
}

struct str lanes_full_details(const struct lanes *lanes)
{
    return lanes->full_details;
}

struct lanes *lanes_new(struct rpc_client *client, int count, int64_t message_bytes_max)
{
    struct lanes *lanes = xcalloc(1, sizeof *lanes);
    lanes->client = client;
    lanes->slot_count = (unsigned)(count < RPC_CALL_STREAMS_MAX ? count : RPC_CALL_STREAMS_MAX);
    lanes->message_bytes_max = message_bytes_max < CALLSTREAM_MESSAGE_BYTES_MAX
                                   ? message_bytes_max
                                   : CALLSTREAM_MESSAGE_BYTES_MAX;
    lanes->poke_tag.run = on_poke;
    lanes->wake_tag.run = on_wake;
    make_full_details(lanes);
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->quiet, NULL);
    return lanes;
}

void lanes_close(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    lanes->closing = true;
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_wait(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    while (lanes->under_way)
        pthread_cond_wait(&lanes->quiet, &lanes->lock);
    pthread_mutex_unlock(&lanes->lock);
}

void lanes_free(struct lanes *lanes)
{
    if (!lanes)
        return;
    while (lanes->spare) {
        struct lane_call *next = lanes->spare->next;
        xfree(lanes->spare);
        lanes->spare = next;
    }
    arena_clear(&lanes->arena);
    pthread_cond_destroy(&lanes->quiet);
    pthread_mutex_destroy(&lanes->lock);
    xfree(lanes);
}
