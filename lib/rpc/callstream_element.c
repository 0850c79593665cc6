/*
 * Elements of a call stream: each is a call like any other, made of the bytes of one item, and its
 * outcome is written into the stream's answers by whoever comes first: the worker, or what ends it
 * early. callstream_core.h draws it.
 */
#include "rpc/callstream.h"
#include "rpc/callstream_core.h"
#include "rpc/reasons.h"
#include "rpc/server_answer.h"
#include "rpc/status_details.h"

#include "base/alloc.h"

#include <string.h>

enum {
    SPARE_MAX = 256,
    SPARE_ARENA_BYTES = 16 * 1024,
    ANSWER_OVERHEAD_BYTES = 64,
};

/* --- answers; the lock is held --- */

static const struct rpc_metadata *trailers_of(struct rpc_call *call)
{
    struct rpc_metadata *trailers =
        arena_alloc(&call->own, (call->trailer_count + 1) * sizeof *trailers);
    size_t i = call->trailer_count;
    for (const struct call_trailer *one = call->trailers; one; one = one->next)
        trailers[--i] = (struct rpc_metadata){one->key, one->value};
    return trailers;
}

static void add_answer(struct call_stream *stream, struct element *element, const struct error *err,
                       const ProtobufCMessage *response)
{
    struct rpc_call *call = &element->call;
    struct callstream_answer answer = {.id = element->id, .status = (uint32_t)err->code};
    if (err->code != CODE_OK) {
        answer.message = str_of(err->text);
        answer.details = status_details_encode(&call->own, err);
        response = NULL;
    }
    if (response)
        answer.payload.len = protobuf_c_message_get_packed_size(response);
    const struct rpc_metadata *trailers = call->trailer_count ? trailers_of(call) : NULL;
    size_t size =
        answer.payload.len + answer.message.len + answer.details.len + ANSWER_OVERHEAD_BYTES;
    for (size_t i = 0; i < call->trailer_count; i++)
        size += trailers[i].key.len + trailers[i].value.len + ANSWER_OVERHEAD_BYTES;
    bool refused = strcmp(err->reason, REASON_MESSAGE_TOO_LARGE) == 0; /* goes out at any size */
    if (size > stream->answer_bytes_max && !refused) {
        struct error large;
        error_set(&large, CODE_RESOURCE_EXHAUSTED, REASON_MESSAGE_TOO_LARGE,
                  "the answer of %zu bytes is larger than the caller takes", size);
        call->trailer_count = 0;
        add_answer(stream, element, &large, NULL);
        return;
    }
    struct buf *out = callstream_out_room(&stream->out, size);
    char *to = callstream_add_answer(out, &answer, trailers, call->trailer_count);
    if (to && response)
        protobuf_c_message_pack(response, (uint8_t *)to);
}

static void unlink_element(struct element *element)
{
    *element->link = element->next;
    if (element->next)
        element->next->link = element->link;
    element->answered = true;
    element->stream->unanswered--;
}

/* Ends an element that waits or runs; its worker will find it answered. */
static void answer_early(struct element *element, enum code code, const char *text)
{
    struct error err;
    error_set(&err, code, NULL, "%s", text);
    unlink_element(element);
    atomic_store_explicit(&element->call.cancelled, true, memory_order_release);
    /* The trailers and the arenas are the worker's: nothing of them is looked at. */
    struct callstream_answer answer = {
        .id = element->id, .status = (uint32_t)code, .message = str_of(err.text)};
    struct buf *out = callstream_out_room(&element->stream->out, ANSWER_OVERHEAD_BYTES);
    (void)callstream_add_answer(out, &answer, NULL, 0);
}

void element_drop_all(struct call_stream *stream)
{
    for (size_t i = 0; i < CALLSTREAM_BUCKETS; i++) {
        while (stream->buckets[i]) {
            struct element *element = stream->buckets[i];
            unlink_element(element);
            atomic_store_explicit(&element->call.cancelled, true, memory_order_release);
        }
    }
}

/* --- their life --- */

static struct element *find(struct call_stream *stream, uint64_t id)
{
    struct element *element = stream->buckets[id % CALLSTREAM_BUCKETS];
    while (element && element->id != id)
        element = element->next;
    return element;
}

static void free_element(struct element *element)
{
    arena_clear(&element->call.arena);
    arena_clear(&element->call.own);
    xfree(element);
}

static void recycle_arena(struct arena *arena)
{
    if (arena->used_bytes > SPARE_ARENA_BYTES)
        arena_clear(arena);
    else
        arena_reset(arena);
}

static void recycle(struct call_stream *stream, struct element *element)
{
    recycle_arena(&element->call.arena);
    recycle_arena(&element->call.own);
    pthread_mutex_lock(&stream->lock);
    bool kept = stream->spare_count < SPARE_MAX;
    if (kept) {
        stream->spare_count++;
        element->next = stream->spare;
        stream->spare = element;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!kept)
        free_element(element);
}

static struct element *make_element(struct call_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    struct element *element = stream->spare;
    if (element) {
        stream->spare = element->next;
        stream->spare_count--;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!element)
        return xcalloc(1, sizeof *element);
    struct arena arena = element->call.arena, own = element->call.own;
    memset(element, 0, sizeof *element);
    element->call.arena = arena;
    element->call.own = own;
    return element;
}

/* What came with the element, copied: the message it came in is gone before the handler. */
static bool take_facts(struct element *element, struct str bytes, int64_t now_us)
{
    struct rpc_call *call = &element->call;
    struct callstream_call facts;
    if (!callstream_read_call(arena_str(&call->own, bytes), &facts))
        return false;
    element->id = facts.id;
    call->path = facts.method;
    call->request = facts.payload;
    call->pair_count = facts.metadata_count;
    if (facts.metadata_count) {
        size_t size = facts.metadata_count * sizeof *facts.metadata;
        call->pairs = memcpy(arena_alloc(&call->own, size), facts.metadata, size);
    }
    call->started_us = now_us;
    call->deadline_ms = INT64_MAX;
    if (facts.timeout_ms && facts.timeout_ms < INT64_MAX / 2)
        call->deadline_ms = now_us / 1000 + 1 + (int64_t)facts.timeout_ms;
    struct str parent = rpc_call_metadata(call, STR("traceparent"));
    if (parent.len)
        trace_parse(parent, &call->trace);
    return true;
}

struct rpc_call *element_new(struct call_stream *stream, struct str bytes, int64_t now_us)
{
    struct element *element = make_element(stream);
    struct rpc_call *call = &element->call;
    call->server = stream->call->server;
    call->carrier = stream->call;
    element->stream = stream;
    bool good = take_facts(element, bytes, now_us);
    pthread_mutex_lock(&stream->lock);
    good = good && !find(stream, element->id);
    if (good) {
        struct element **bucket = &stream->buckets[element->id % CALLSTREAM_BUCKETS];
        element->next = *bucket;
        element->link = bucket;
        if (element->next)
            element->next->link = &element->next;
        *bucket = element;
        stream->unanswered++;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!good) {
        recycle(stream, element);
        return NULL;
    }
    call->method = server_find_method(call->server, call->path);
    server_call_reference(stream->call);
    return call;
}

void callstream_server_answer(struct rpc_call *call, const struct error *err,
                              const ProtobufCMessage *response)
{
    struct element *element = (struct element *)call;
    struct call_stream *stream = element->stream;
    struct rpc_call *carrier = call->carrier;
    pthread_mutex_lock(&stream->lock);
    if (!element->answered) {
        unlink_element(element);
        add_answer(stream, element, err, response);
    }
    pthread_mutex_unlock(&stream->lock);
    recycle(stream, element);
    callstream_see_to(stream);
    server_call_release(carrier);
}

void element_cancel(struct call_stream *stream, uint64_t id)
{
    pthread_mutex_lock(&stream->lock);
    struct element *element = find(stream, id);
    if (element)
        answer_early(element, CODE_CANCELLED, "the caller has gone");
    pthread_mutex_unlock(&stream->lock);
}

void element_end_late(struct call_stream *stream, int64_t now_ms)
{
    pthread_mutex_lock(&stream->lock);
    for (size_t i = 0; stream->unanswered && i < CALLSTREAM_BUCKETS; i++) {
        for (struct element *one = stream->buckets[i], *next; one; one = next) {
            next = one->next;
            if (one->call.deadline_ms <= now_ms)
                answer_early(one, CODE_DEADLINE_EXCEEDED, "the deadline has passed");
        }
    }
    pthread_mutex_unlock(&stream->lock);
}

void element_free_spare(struct call_stream *stream)
{
    while (stream->spare) {
        struct element *next = stream->spare->next;
        free_element(stream->spare);
        stream->spare = next;
    }
}
