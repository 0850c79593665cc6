/*
 * All call streams of a server, in a list under its lock: each is looked at while there is
 * something to wait for, and asked to close when the server drains.
 */
#include "rpc/callstream.h"
#include "rpc/callstream_core.h"
#include "rpc/server_quick.h"

#include "base/clock.h"

/* Asks the client to go elsewhere; the lock is held. */
static void say_closing(struct call_stream *stream)
{
    enum { CLOSING_BYTES = 2 };
    if (stream->closing)
        return;
    stream->closing = true;
    stream->closing_ms = clock_mono_ms(clock_real());
    callstream_add_closing(callstream_out_room(&stream->out, CLOSING_BYTES));
}

void callstream_enter_list(struct call_stream *stream)
{
    struct rpc_server *server = stream->call->server;
    pthread_mutex_lock(&server->lock);
    stream->next = server->first_stream;
    stream->link = &server->first_stream;
    if (stream->next)
        stream->next->link = &stream->next;
    server->first_stream = stream;
    if (server->draining)
        say_closing(stream);
    pthread_mutex_unlock(&server->lock);
}

void callstream_leave_list(struct call_stream *stream)
{
    struct rpc_server *server = stream->call->server;
    pthread_mutex_lock(&server->lock);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    stream->link = NULL;
    pthread_mutex_unlock(&server->lock);
}

/* References to those that are open now. */
static size_t hold_all(struct rpc_server *server,
                       struct call_stream *streams[CALLSTREAM_STREAMS_MAX])
{
    size_t count = 0;
    pthread_mutex_lock(&server->lock);
    for (struct call_stream *one = server->first_stream; one && count < CALLSTREAM_STREAMS_MAX;
         one = one->next) {
        server_call_reference(one->call);
        streams[count++] = one;
    }
    pthread_mutex_unlock(&server->lock);
    return count;
}

void callstream_server_tick(void *argument)
{
    struct rpc_server *server = argument;
    struct call_stream *streams[CALLSTREAM_STREAMS_MAX];
    int64_t now_ms = clock_mono_ms(clock_real());
    bool busy = false;
    size_t count = hold_all(server, streams);
    for (size_t i = 0; i < count; i++) {
        struct call_stream *stream = streams[i];
        element_end_late(stream, now_ms);
        callstream_flush(stream);
        callstream_settle(stream);
        pthread_mutex_lock(&stream->lock);
        busy |= !stream->finished && (stream->unanswered || stream->out.first || stream->closing);
        pthread_mutex_unlock(&stream->lock);
        server_call_release(stream->call);
    }
    if (server->quick)
        quick_line_tick(server->quick);
    /* Elements come in this thread only, and set it again. */
    pthread_mutex_lock(&server->lock);
    atomic_store_explicit(&server->queue.ticking, busy || server->draining, memory_order_release);
    pthread_mutex_unlock(&server->lock);
}

void callstream_server_drain(struct rpc_server *server)
{
    struct call_stream *streams[CALLSTREAM_STREAMS_MAX];
    pthread_mutex_lock(&server->lock);
    server->draining = true;
    atomic_store_explicit(&server->queue.ticking, true, memory_order_release);
    pthread_mutex_unlock(&server->lock);
    size_t count = hold_all(server, streams);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&streams[i]->lock);
        say_closing(streams[i]);
        pthread_mutex_unlock(&streams[i]->lock);
        callstream_flush(streams[i]);
        server_call_release(streams[i]->call);
    }
}
