/*
 * The port: receivers take from the buffer (queue_sqs_buffer.c), whose leases one thread keeps;
 * what concerns handles goes out in batches (queue_sqs_handles.c).
 */
#include "queue/queue_sqs.h"

#include "aws/sqs_batch.h"
#include "base/alloc.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/wait.h"
#include "queue/queue_sqs_internal.h"

enum {
    CALL_MS = 10000,
    WANTED_MS = 10000, /* polls go on for so long after somebody asked */
    KEEP_MS = 1000,
    BATCHES_AT_ONCE = 16,
    BODY_MAX = 2 << 20,
};

static struct queue_sqs *of(struct queue *queue)
{
    return (struct queue_sqs *)queue;
}

static void *keep(void *argument)
{
    struct queue_sqs *q = argument;
    pthread_mutex_lock(&q->lock);
    while (!q->stopping) {
        int64_t pause_ms = q->lease_ms ? q->lease_ms / 6 + 1 : WANTED_MS;
        struct timespec until = wait_deadline(pause_ms < KEEP_MS ? pause_ms : KEEP_MS);
        pthread_cond_timedwait(&q->changed, &q->lock, &until);
        if (!q->stopping)
            sqs_buffer_keep(q);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* --- the port --- */

static enum code queue_send(struct queue *queue, const struct queue_item *items, size_t count,
                            struct error *err)
{
    struct queue_sqs *q = of(queue);
    struct sqs_item *messages = xcalloc(count + 1, sizeof *messages);
    struct sqs_outcome *outcomes = xcalloc(count + 1, sizeof *outcomes);
    for (size_t i = 0; i < count; i++)
        messages[i] = (struct sqs_item){items[i].id, items[i].body};
    enum code code = sqs_send_all(q->queue, messages, count, q->call_ms, outcomes, err);
    xfree(messages);
    xfree(outcomes);
    return code;
}

static struct queue_message hand_out(struct str id, struct str handle, struct str body,
                                     struct arena *arena)
{
    struct queue_message message = {.id = arena_str(arena, id), .handle = arena_str(arena, handle)};
    struct buf bytes;
    buf_init_arena(&bytes, arena, BODY_MAX);
    if (decode_base64(&bytes, body, true))
        message.body = bytes.len ? buf_str(&bytes) : STR("");
    else
        message.body = arena_str(arena, body);
    return message;
}

/* Nobody polls and nobody wants to wait: asks SQS from here. */
static enum code receive_directly(struct queue_sqs *q, size_t max, int64_t lease_ms,
                                  struct arena *arena, struct queue_message *messages,
                                  size_t *count, struct error *err)
{
    struct sqs_message found[SQS_BATCH_MAX];
    size_t got = 1;
    while (*count < max && got) {
        size_t want = max - *count < SQS_BATCH_MAX ? max - *count : SQS_BATCH_MAX;
        int64_t asked_ms = sqs_now_ms();
        if (sqs_receive(q->queue, want, sqs_seconds_of(lease_ms), 0, arena, found, &got, err) !=
            CODE_OK)
            return *count ? CODE_OK : err->code;
        for (size_t i = 0; i < got; i++) {
            if (found[i].damaged) {
                log_error("sqs_message_damaged", LOG_S("id", found[i].id));
                continue;
            }
            struct queue_message *message = &messages[(*count)++];
            *message = hand_out(found[i].id, found[i].handle, found[i].body, arena);
            message->receive_count = found[i].receive_count;
            message->sent_ms = found[i].sent_ms;
            pthread_mutex_lock(&q->lock);
            leases_add(&q->leases, found[i].handle, asked_ms, lease_ms);
            pthread_mutex_unlock(&q->lock);
        }
    }
    return CODE_OK;
}

/* With the lock held. */
static void wait_for_some(struct queue_sqs *q, int64_t wait_ms)
{
    struct timespec until = wait_deadline(wait_ms);
    while (!q->first && !q->ended) {
        sqs_buffer_poll(q);
        if (pthread_cond_timedwait(&q->changed, &q->lock, &until) != 0)
            break;
    }
}

static enum code queue_receive(struct queue *queue, size_t max, int64_t lease_ms, int64_t wait_ms,
                               struct arena *arena, struct queue_message *messages, size_t *count,
                               struct error *err)
{
    struct queue_sqs *q = of(queue);
    struct waiting *taken;
    *count = 0;
    pthread_mutex_lock(&q->lock);
    q->lease_ms = lease_ms;
    if (wait_ms > 0) {
        q->wanted_until_ms = sqs_now_ms() + wait_ms + WANTED_MS;
        wait_for_some(q, wait_ms);
    }
    bool direct = !q->first && !q->polls && wait_ms <= 0;
    while (*count < max && (taken = sqs_buffer_take(q))) {
        struct queue_message *message = &messages[(*count)++];
        *message = hand_out(str_of(taken->id), str_of(taken->handle), taken->body, arena);
        message->receive_count = taken->receive_count;
        message->sent_ms = taken->sent_ms;
        sqs_buffer_free_message(taken);
    }
    sqs_buffer_poll(q);
    pthread_mutex_unlock(&q->lock);
    return direct ? receive_directly(q, max, lease_ms, arena, messages, count, err) : CODE_OK;
}

/* Heartbeats that take longer than their interval cannot keep more messages. */
static enum code queue_extend_many(struct queue *queue, const struct str *handles, size_t count,
                                   int64_t lease_ms, bool *lost, struct error *err)
{
    struct queue_sqs *q = of(queue);
    int64_t began_ms = sqs_now_ms();
    enum code code = sqs_extend_all(q, handles, count, lease_ms, lost, err);
    if (lease_ms <= 0)
        return code;
    bool slow = sqs_now_ms() - began_ms > lease_ms / 3;
    pthread_mutex_lock(&q->lock);
    if (slow && !q->slow)
        log_warn("sqs_heartbeats_slow", LOG_I("messages", count));
    q->slow = slow;
    pthread_mutex_unlock(&q->lock);
    return code;
}

static enum code queue_extend(struct queue *queue, struct str handle, int64_t lease_ms,
                              struct error *err)
{
    bool lost = false;
    if (sqs_extend_all(of(queue), &handle, 1, lease_ms, &lost, err) != CODE_OK)
        return err->code;
    return lost ? error_set(err, CODE_NOT_FOUND, NULL, "the lease was lost") : CODE_OK;
}

static enum code queue_remove(struct queue *queue, const struct str *handles, size_t count,
                              struct error *err)
{
    struct queue_sqs *q = of(queue);
    enum code code = sqs_for_all(q, handles, count, -1, NULL, err);
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; code == CODE_OK && i < count; i++)
        leases_forget(&q->leases, handles[i]);
    pthread_mutex_unlock(&q->lock);
    return code;
}

static void queue_wake(struct queue *queue)
{
    struct queue_sqs *q = of(queue);
    pthread_mutex_lock(&q->lock);
    q->ended = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    aws_client_close(q->poll_client);
}

static enum code queue_stats(struct queue *queue, struct queue_stats *stats, struct error *err)
{
    struct queue_sqs *q = of(queue);
    struct arena arena = {0};
    struct sqs_attributes now;
    *stats = (struct queue_stats){0};
    enum code code = sqs_attributes(q->queue, q->call_ms, &arena, &now, err);
    if (code == CODE_OK) {
        stats->messages = now.waiting + now.in_flight + now.delayed;
        stats->since_ms = clock_wall_ms(clock_real()) - now.retention_s * 1000;
    }
    arena_clear(&arena);
    return code;
}

/* What was received and handed to nobody goes back at once. */
static void release_buffer(struct queue_sqs *q)
{
    struct arena arena = {0};
    struct error err = {0};
    struct waiting *message;
    struct str *handles = arena_alloc(&arena, (q->count + 1) * sizeof *handles);
    size_t count = 0;
    while ((message = sqs_buffer_take(q))) {
        handles[count++] = arena_str(&arena, str_of(message->handle));
        sqs_buffer_free_message(message);
    }
    if (count && sqs_for_all(q, handles, count, 0, NULL, &err) != CODE_OK)
        log_warn("sqs_release_failed", LOG_ERR(&err));
    arena_clear(&arena);
}

static void queue_free_sqs(struct queue *queue)
{
    struct queue_sqs *q = of(queue);
    pthread_mutex_lock(&q->lock);
    q->ended = q->stopping = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    if (q->poll_client)
        aws_client_close(q->poll_client);
    if (q->keeper_runs)
        pthread_join(q->keeper, NULL);
    pthread_mutex_lock(&q->lock);
    while (q->polls)
        pthread_cond_wait(&q->changed, &q->lock);
    pthread_mutex_unlock(&q->lock);
    if (q->pool)
        release_buffer(q);
    worker_pool_free(q->pool);
    leases_clear(&q->leases);
    sqs_close(q->queue);
    aws_client_free(q->poll_client);
    aws_client_free(q->client);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    xfree(q);
}

static const struct queue_vtable VTABLE = {
    .send = queue_send,
    .receive = queue_receive,
    .extend = queue_extend,
    .extend_many = queue_extend_many,
    .remove = queue_remove,
    .wake = queue_wake,
    .stats = queue_stats,
    .free = queue_free_sqs,
};

static struct queue_sqs *make(const struct queue_sqs_options *options)
{
    struct queue_sqs *q = xcalloc(1, sizeof *q);
    struct aws_client_options client = {.aws = options->aws,
                                        .service = &SQS_SERVICE,
                                        .location = options->location,
                                        .backoff_ms = options->backoff_ms};
    q->base.vtable = &VTABLE;
    q->call_ms = options->call_ms ? options->call_ms : CALL_MS;
    q->end = &q->first;
    q->polls_wanted = 1;
    pthread_mutex_init(&q->lock, NULL);
    wait_cond_init(&q->changed);
    q->client = aws_client_new(&client);
    client.own_connections = true;
    client.attempts = 1; /* a poll that failed is followed by the next */
    q->poll_client = aws_client_new(&client);
    return q;
}

enum code queue_sqs_open(const struct queue_sqs_options *options, struct queue **queue,
                         struct error *err)
{
    struct queue_sqs *q = make(options);
    if (sqs_open(q->client, q->call_ms, &q->queue, err) != CODE_OK) {
        queue_free_sqs(&q->base);
        return err->code;
    }
    q->pool = worker_pool_new("sqs", BATCHES_AT_ONCE, BATCHES_AT_ONCE * 64);
    q->keeper_runs = q->pool && pthread_create(&q->keeper, NULL, keep, q) == 0;
    if (!q->keeper_runs) {
        queue_free_sqs(&q->base);
        return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the threads for SQS");
    }
    pthread_setname_np(q->keeper, "sqs-keeper");
    *queue = &q->base;
    return CODE_OK;
}
