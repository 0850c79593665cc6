/* Entries are named by their place in the batch, so that an answer can be walked (rule 28). */
#include "aws/sqs_batch.h"

#include "base/alloc.h"
#include "base/encode.h"

#include <stdio.h>

enum {
    ROUNDS_MAX = 3,
    ATTRIBUTE_BYTES = 8, /* "id" and "String" count as well */
};

struct sending {
    struct sqs_queue *queue;
    const struct sqs_item *items;
    struct sqs_outcome *outcomes;
    size_t count;
    int64_t deadline_ms;
};

static size_t size_of(const struct sqs_item *item)
{
    return (item->bytes.len + 2) / 3 * 4 + ATTRIBUTE_BYTES + item->id.len;
}

static void set_failed(struct sqs_outcome *outcome, bool fault, const char *error)
{
    outcome->ok = false;
    outcome->senders_fault = fault;
    snprintf(outcome->error, sizeof outcome->error, "%s", error);
}

/* The next messages that are to be sent, from *at on, as far as a batch goes. */
static size_t next_batch(const struct sending *sending, size_t *at, size_t places[SQS_BATCH_MAX])
{
    size_t limit = (size_t)sqs_limits(sending->queue)->message_bytes_max, bytes = 0, count = 0;
    for (; *at < sending->count && count < SQS_BATCH_MAX; (*at)++) {
        const struct sqs_outcome *outcome = &sending->outcomes[*at];
        if (outcome->ok || outcome->senders_fault)
            continue;
        if (count && bytes + size_of(&sending->items[*at]) > limit)
            break;
        bytes += size_of(&sending->items[*at]);
        places[count++] = *at;
    }
    return count;
}

static enum code send_batch(const struct sending *sending, const size_t *places, size_t count,
                            struct error *err)
{
    struct arena arena = {0};
    struct sqs_entry entries[SQS_BATCH_MAX] = {0};
    struct sqs_outcome outcomes[SQS_BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct sqs_item *item = &sending->items[places[i]];
        struct buf body;
        buf_init_arena(&body, &arena, size_of(item));
        encode_base64(&body, item->bytes);
        entries[i] = (struct sqs_entry){buf_str(&body), item->id};
    }
    enum code code = sqs_send(sending->queue, entries, count, sending->deadline_ms, outcomes, err);
    for (size_t i = 0; i < count; i++) {
        if (code == CODE_OK)
            sending->outcomes[places[i]] = outcomes[i];
        else
            set_failed(&sending->outcomes[places[i]], false, "NotSent");
    }
    arena_clear(&arena);
    return code;
}

/* Everything that is not stored, once. */
static enum code send_round(const struct sending *sending, struct error *err)
{
    size_t at = 0, places[SQS_BATCH_MAX], count;
    while ((count = next_batch(sending, &at, places)) > 0)
        if (send_batch(sending, places, count, err) != CODE_OK)
            return err->code;
    return CODE_OK;
}

/* NULL when all are stored. */
static const struct sqs_outcome *first_failed(const struct sending *sending, bool fault)
{
    for (size_t i = 0; i < sending->count; i++)
        if (!sending->outcomes[i].ok && sending->outcomes[i].senders_fault == fault)
            return &sending->outcomes[i];
    return NULL;
}

enum code sqs_send_all(struct sqs_queue *queue, const struct sqs_item *items, size_t count,
                       int64_t deadline_ms, struct sqs_outcome *outcomes, struct error *err)
{
    const struct sending sending = {queue, items, outcomes, count, deadline_ms};
    const struct sqs_outcome *failed = NULL;
    for (size_t i = 0; i < count; i++) {
        bool fits = size_of(&items[i]) <= (size_t)sqs_limits(queue)->message_bytes_max &&
                    items[i].bytes.len;
        set_failed(&outcomes[i], !fits, fits ? "NotSent" : "MessageTooLong");
    }
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (send_round(&sending, err) != CODE_OK)
            return err->code;
        failed = first_failed(&sending, false);
        if (!failed)
            break;
    }
    if (failed)
        return error_set(err, CODE_UNAVAILABLE, failed->error, "sqs: not all messages were taken");
    failed = first_failed(&sending, true);
    if (failed)
        return error_set(err, CODE_INVALID_ARGUMENT, failed->error,
                         "sqs: a message cannot be taken: %s", failed->error);
    return CODE_OK;
}
