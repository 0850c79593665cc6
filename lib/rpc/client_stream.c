/*
 * Server streams with callbacks. Three operations are under way at most: the start (headers, the
 * request), one read, and the status, which the core answers last. When the third of them is
 * through and none can follow, the stream is over:
 *
 *   open ──▶ reading ◀──message: true── event ──message: false──▶ paused ──next──▶ reading
 *               └────────── no more, and start and status are through ─────────────▶ done, freed
 *
 * A paused stream has no read under way, so the other side is held back by HTTP/2's flow control.
 */
#include "base/alloc.h"
#include "rpc/client_core.h"

struct rpc_stream {
    struct client_call base;
    struct rpc_tag start_tag, read_tag, status_tag;
    grpc_byte_buffer *request, *incoming;
    const struct rpc_stream_events *events;
    void *argument;
    pthread_mutex_t lock;
    int under_way; /* operations whose events have not come */
    bool over;     /* `done` has been decided on */
};

static void finish(struct rpc_stream *stream)
{
    struct rpc_result result = client_call_result(&stream->base);
    stream->events->done(stream->argument, &result);
    if (stream->request)
        grpc_byte_buffer_destroy(stream->request);
    client_call_close(&stream->base);
    pthread_mutex_destroy(&stream->lock);
    xfree(stream);
}

static void one_less(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool over = --stream->under_way == 0;
    stream->over = over;
    pthread_mutex_unlock(&stream->lock);
    if (over)
        finish(stream);
}

static void read_one(struct rpc_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &stream->incoming;
    rpc_batch(stream->base.call, &op, 1, &stream->read_tag);
}

void rpc_stream_next(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    if (!stream->over) {
        stream->under_way++;
        read_one(stream);
    }
    pthread_mutex_unlock(&stream->lock);
}

static void on_read(struct rpc_tag *tag, bool ok)
{
    struct rpc_stream *stream = RPC_TAG_OWNER(tag, struct rpc_stream, read_tag);
    grpc_byte_buffer *incoming = stream->incoming;
    struct rpc_view view;
    stream->incoming = NULL;
    if (incoming && ok) {
        if (rpc_view_open(&view, incoming)) {
            bool more = stream->events->message(stream->argument, view.bytes);
            rpc_view_close(&view);
            if (more)
                rpc_stream_next(stream);
        } else {
            grpc_call_cancel_with_status(stream->base.call, GRPC_STATUS_INTERNAL,
                                         "the server sent a message that cannot be read", NULL);
        }
    }
    if (incoming)
        grpc_byte_buffer_destroy(incoming);
    one_less(stream);
}

static void on_start(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* the status says it */
    one_less(RPC_TAG_OWNER(tag, struct rpc_stream, start_tag));
}

static void on_status(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    one_less(RPC_TAG_OWNER(tag, struct rpc_stream, status_tag));
}

static void start(struct rpc_stream *stream, const struct rpc_call_options *options,
                  struct str request)
{
    grpc_op first[] = {
        client_op_headers(&stream->base, options->wait_for_ready),
        {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        client_op_receive_headers(&stream->base),
    };
    grpc_op status = client_op_status(&stream->base);
    stream->request = rpc_buffer_of(request);
    first[1].data.send_message.send_message = stream->request;
    stream->under_way = 3; /* all counted before the first can be through */
    rpc_batch(stream->base.call, first, sizeof first / sizeof *first, &stream->start_tag);
    rpc_batch(stream->base.call, &status, 1, &stream->status_tag);
    read_one(stream);
}

struct rpc_stream *rpc_client_open(struct rpc_client *client,
                                   const struct rpc_call_options *options, struct str request,
                                   const struct rpc_stream_events *events, void *argument)
{
    struct rpc_stream *stream = xcalloc(1, sizeof *stream);
    stream->events = events;
    stream->argument = argument;
    stream->start_tag.run = on_start;
    stream->read_tag.run = on_read;
    stream->status_tag.run = on_status;
    pthread_mutex_init(&stream->lock, NULL);
    if (client_call_open(&stream->base, client, options)) {
        start(stream, options, request);
    } else {
        stream->under_way = 1;
        rpc_batch(stream->base.call, NULL, 0, &stream->status_tag);
    }
    return stream;
}

void rpc_stream_cancel(struct rpc_stream *stream)
{
    client_call_cancel(&stream->base, &stream->status_tag);
}
