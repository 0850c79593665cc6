/*
 * The upstream call. What the caller sent as gRPC metadata or as an identity is not passed on: only
 * what the gateway itself knows is.
 */
#include "gateway/hand_over.h"
#include "gateway/request.h"

static void done(void *argument, const struct rpc_result *result)
{
    struct request *request = argument;
    const struct endpoint *endpoint = request->match.route->user;
    pthread_mutex_lock(&request->lock);
    request->over = true;
    pthread_mutex_unlock(&request->lock);
    if (result->code == CODE_OK)
        encode_answer(request, result->response, &endpoint->upstream->scratch);
    else
        request_fail_upstream(request, result);
}

enum stage_result stage_call(struct request *request)
{
    const struct route *route = request->match.route;
    const struct endpoint *endpoint = route->user;
    struct rpc_metadata metadata[REQUEST_METADATA_MAX];
    struct rpc_call_options options = {
        .method = route->method->full_path,
        .deadline_ms = request->gateway->options.deadline_ms,
        .metadata = metadata,
        .metadata_count = hand_over(request, metadata),
        .gather = true,
    };
    if (route->method->server_streams)
        return stream_call(request, &options);
    http_exchange_on_gone(request->exchange, request_gone, request);
    /* `gone` runs in this thread too, so it finds `pending`; the end may come before we return. */
    rpc_client_start(endpoint->upstream->client, &options, buf_str(&request->wire), done, request,
                     &request->pending);
    return STAGE_ANSWERED;
}

/* In the loop's thread. The end of the call answers all the same, to nobody. */
void request_gone(void *argument, struct http_exchange *exchange)
{
    struct request *request = argument;
    (void)exchange;
    pthread_mutex_lock(&request->lock);
    atomic_store(&request->gone, true);
    if (!request->over && request->pending)
        rpc_pending_cancel(request->pending);
    if (!request->over && request->stream)
        stream_cancel(request->stream);
    pthread_mutex_unlock(&request->lock);
}
