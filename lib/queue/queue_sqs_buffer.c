/*
 * Polls are asynchronous: their answers come in the HTTP client's thread, go to the buffer and
 * start the next poll from there.
 */
#include "queue/queue_sqs_internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <string.h>

enum {
    POLL_S = 20,
    POLLS_MAX = 8,
    BUFFER_MAX = 200,
    PAUSE_MS = 1000, /* after a poll that failed */
};

/* --- the buffer --- */

static char *copy(struct str text)
{
    char *made = xmalloc(text.len + 1);
    memcpy(made, text.ptr, text.len);
    made[text.len] = '\0';
    return made;
}

void sqs_buffer_free_message(struct waiting *message)
{
    xfree(message->id);
    xfree(message->handle);
    xfree((char *)message->body.ptr);
    xfree(message);
}

static void put(struct queue_sqs *q, const struct sqs_message *from)
{
    struct waiting *message = xcalloc(1, sizeof *message);
    *message = (struct waiting){.id = copy(from->id),
                                .handle = copy(from->handle),
                                .body = {copy(from->body), from->body.len},
                                .receive_count = from->receive_count,
                                .sent_ms = from->sent_ms,
                                .kept_ms = sqs_now_ms()};
    leases_add(&q->leases, from->handle, message->kept_ms, q->lease_ms);
    *q->end = message;
    q->end = &message->next;
    q->count++;
}

struct waiting *sqs_buffer_take(struct queue_sqs *q)
{
    struct waiting *message = q->first;
    if (!message)
        return NULL;
    q->first = message->next;
    if (!q->first)
        q->end = &q->first;
    q->count--;
    return message;
}

/* --- polls --- */

static void on_received(void *argument, const struct sqs_message *messages, size_t count,
                        const struct error *err);

static bool may_poll(const struct queue_sqs *q)
{
    int64_t now = sqs_now_ms();
    return !q->ended && !q->slow && q->polls < q->polls_wanted && now < q->wanted_until_ms &&
           now >= q->paused_until_ms && q->count + (q->polls + 1) * SQS_BATCH_MAX <= BUFFER_MAX;
}

/* With the lock held: a poll never answers from within its start. */
void sqs_buffer_poll(struct queue_sqs *q)
{
    struct error err = {0};
    while (may_poll(q)) {
        if (sqs_receive_start(q->queue, q->poll_client, sqs_seconds_of(q->lease_ms), POLL_S,
                              on_received, q, &err) != CODE_OK) {
            log_warn("sqs_poll_failed", LOG_ERR(&err));
            q->paused_until_ms = sqs_now_ms() + PAUSE_MS;
            return;
        }
        q->polls++;
    }
}

/* More side by side while they come back full, down to one when one comes back empty. */
static void adapt(struct queue_sqs *q, size_t count)
{
    if (count == SQS_BATCH_MAX && q->polls_wanted < POLLS_MAX)
        q->polls_wanted++;
    else if (count == 0)
        q->polls_wanted = 1;
}

static void on_received(void *argument, const struct sqs_message *messages, size_t count,
                        const struct error *err)
{
    struct queue_sqs *q = argument;
    pthread_mutex_lock(&q->lock);
    q->polls--;
    if (err) {
        if (!q->ended)
            log_warn("sqs_poll_failed", LOG_ERR(err));
        q->paused_until_ms = sqs_now_ms() + PAUSE_MS;
    }
    for (size_t i = 0; i < count; i++) {
        if (messages[i].damaged)
            log_error("sqs_message_damaged", LOG_S("id", messages[i].id));
        else
            put(q, &messages[i]);
    }
    if (!err)
        adapt(q, count);
    sqs_buffer_poll(q);
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

/* --- keeping what is buffered --- */

/* Handles of messages whose heartbeat is due, copied: a receiver may take them meanwhile. */
static size_t due_handles(struct queue_sqs *q, struct arena *arena, struct str **handles)
{
    int64_t now = sqs_now_ms();
    size_t count = 0;
    *handles = arena_alloc(arena, (q->count + 1) * sizeof **handles);
    for (struct waiting *m = q->first; m; m = m->next) {
        if (now - m->kept_ms < q->lease_ms / 3)
            continue;
        m->kept_ms = now;
        (*handles)[count++] = arena_str(arena, str_of(m->handle));
    }
    return count;
}

static bool is_lost(const struct waiting *message, const struct str *handles, const bool *lost,
                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lost[i] && str_eq(handles[i], str_of(message->handle)))
            return true;
    return false;
}

static void drop_lost(struct queue_sqs *q, const struct str *handles, const bool *lost,
                      size_t count)
{
    struct waiting **place = &q->first;
    while (*place) {
        struct waiting *message = *place;
        if (is_lost(message, handles, lost, count)) {
            *place = message->next;
            q->count--;
            sqs_buffer_free_message(message);
        } else {
            place = &message->next;
        }
    }
    q->end = place;
}

/* With the lock held; gives it up meanwhile. */
void sqs_buffer_keep(struct queue_sqs *q)
{
    struct arena arena = {0};
    struct error err = {0};
    struct str *handles;
    size_t count = due_handles(q, &arena, &handles);
    bool *lost = arena_alloc0(&arena, count + 1);
    int64_t lease_ms = q->lease_ms;
    if (count) {
        pthread_mutex_unlock(&q->lock);
        if (sqs_extend_all(q, handles, count, lease_ms, lost, &err) != CODE_OK)
            log_warn("sqs_heartbeat_failed", LOG_ERR(&err));
        pthread_mutex_lock(&q->lock);
        drop_lost(q, handles, lost, count);
    }
    arena_clear(&arena);
}
