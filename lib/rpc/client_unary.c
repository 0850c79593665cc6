/*
 * Unary calls: one batch with everything, one event when all of it is through. The blocking form
 * waits for the same event and reads the answer in the caller's thread.
 */
#include "base/alloc.h"
#include "pb/proto.h"
#include "rpc/client_lanes.h"

#include <assert.h>

/* A call of its own. */
struct unary {
    struct rpc_pending pending;
    struct client_call base;
    struct rpc_tag tag;
    grpc_byte_buffer *request, *response;
};

/* Starts what was opened; when that failed, the event comes all the same, and at once. */
static void start(struct unary *unary, bool opened, const struct rpc_call_options *options,
                  struct str request)
{
    if (!opened) {
        rpc_batch(unary->base.call, NULL, 0, &unary->tag);
        return;
    }
    grpc_op ops[] = {
        client_op_headers(&unary->base, options->wait_for_ready),
        {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        client_op_receive_headers(&unary->base),
        {.op = GRPC_OP_RECV_MESSAGE},
        client_op_status(&unary->base),
    };
    unary->request = rpc_buffer_of(request);
    ops[1].data.send_message.send_message = unary->request;
    ops[4].data.recv_message.recv_message = &unary->response;
    rpc_batch(unary->base.call, ops, sizeof ops / sizeof *ops, &unary->tag);
}

/* The outcome; `view` holds the response's bytes until it is closed. */
static struct rpc_result outcome(struct unary *unary, struct rpc_view *view)
{
    struct rpc_result result = client_call_result(&unary->base);
    *view = (struct rpc_view){0};
    if (result.code != CODE_OK)
        return result;
    if (!unary->response || !rpc_view_open(view, unary->response)) {
        result.code = CODE_INTERNAL;
        result.message = STR("the server answered OK without a message that can be read");
    }
    result.response = view->bytes;
    return result;
}

static void finish(struct unary *unary)
{
    if (unary->request)
        grpc_byte_buffer_destroy(unary->request);
    if (unary->response)
        grpc_byte_buffer_destroy(unary->response);
    client_call_close(&unary->base);
}

/* --- with a callback --- */

static void on_done(struct rpc_tag *tag, bool ok)
{
    struct unary *unary = RPC_TAG_OWNER(tag, struct unary, tag);
    struct rpc_view view;
    (void)ok; /* the status says it */
    struct rpc_result result = outcome(unary, &view);
    unary->pending.done(unary->pending.argument, &result);
    rpc_view_close(&view);
    finish(unary);
    xfree(unary);
}

void rpc_client_start(struct rpc_client *client, const struct rpc_call_options *options,
                      struct str request, rpc_done_fn done, void *argument,
                      struct rpc_pending **into)
{
    enum lanes_start taken = LANES_NONE;
    if (client->lanes)
        taken = lanes_start(client->lanes, options, request, done, argument, into);
    if (taken == LANES_TAKEN)
        return;
    struct unary *unary = xcalloc(1, sizeof *unary);
    unary->tag.run = on_done;
    unary->pending = (struct rpc_pending){done, argument, NULL};
    bool opened = client_call_open(&unary->base, client, options);
    if (taken == LANES_FULL && opened) {
        opened = client_call_refuse(&unary->base, GRPC_STATUS_RESOURCE_EXHAUSTED, LANES_FULL_TEXT);
        unary->base.refusal = lanes_full_details(client->lanes);
    }
    if (into)
        *into = &unary->pending; /* before `done` can run */
    start(unary, opened, options, request);
}

void rpc_client_flush(struct rpc_client *client)
{
    if (client->lanes)
        lanes_flush(client->lanes);
}

int rpc_client_streams_open(struct rpc_client *client)
{
    return client->lanes ? lanes_open(client->lanes) : 0;
}

void rpc_pending_cancel(struct rpc_pending *pending)
{
    struct unary *unary = (struct unary *)pending;
    if (pending->lanes)
        lanes_cancel(pending);
    else
        client_call_cancel(&unary->base, &unary->tag);
}

/* --- blocking --- */

struct waiting {
    struct unary unary;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static void on_waited(struct rpc_tag *tag, bool ok)
{
    struct waiting *waiting = RPC_TAG_OWNER(tag, struct waiting, unary.tag);
    (void)ok;
    pthread_mutex_lock(&waiting->lock);
    waiting->done = true;
    pthread_cond_signal(&waiting->wake);
    pthread_mutex_unlock(&waiting->lock);
}

static void wait_for(struct waiting *waiting, struct rpc_client *client,
                     const struct rpc_call_options *options, struct str request)
{
    assert(!pthread_equal(pthread_self(), client->queue.thread)); /* it would wait for itself */
    pthread_mutex_init(&waiting->lock, NULL);
    pthread_cond_init(&waiting->wake, NULL);
    waiting->unary.tag.run = on_waited;
    start(&waiting->unary, client_call_open(&waiting->unary.base, client, options), options,
          request);
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->done)
        pthread_cond_wait(&waiting->wake, &waiting->lock);
    pthread_mutex_unlock(&waiting->lock);
    pthread_cond_destroy(&waiting->wake);
    pthread_mutex_destroy(&waiting->lock);
}

enum code rpc_client_call(struct rpc_client *client, const struct rpc_call_options *options,
                          struct str request, struct arena *arena, struct str *response,
                          struct error *err)
{
    struct waiting waiting = {0};
    struct rpc_view view;
    wait_for(&waiting, client, options, request);
    struct rpc_result result = outcome(&waiting.unary, &view);
    enum code code = rpc_result_error(&result, err);
    *response = code == CODE_OK ? arena_str(arena, result.response) : (struct str){0};
    rpc_view_close(&view);
    finish(&waiting.unary);
    return code;
}

enum code rpc_client_call_typed(struct rpc_client *client, const struct rpc_call_options *options,
                                const ProtobufCMessage *request,
                                const ProtobufCMessageDescriptor *type, struct arena *arena,
                                void **response, struct error *err)
{
    struct str bytes;
    *response = NULL;
    enum code code =
        rpc_client_call(client, options, proto_encode_arena(arena, request), arena, &bytes, err);
    if (code != CODE_OK)
        return code;
    struct error bad_text;
    void *message = proto_decode(arena, type, bytes);
    if (!message || proto_check_utf8(message, &bad_text) != CODE_OK)
        return error_set(err, CODE_INTERNAL, "MALFORMED_RESPONSE",
                         "the response of %.*s cannot be decoded as %s", STR_ARG(options->method),
                         type->name);
    *response = message;
    return CODE_OK;
}
