/* What a batch is to SQS is sqs_batch's business; here its answers become the relay's. */
#include "user/relay_sqs.h"

#include "aws/sqs_batch.h"
#include "base/alloc.h"
#include "base/arena.h"

enum { OPEN_MS = 10000 };

struct sqs_sender {
    struct relay_sender base;
    struct aws_client *client;
    struct sqs_queue *queue;
};

static enum code send_batches(struct relay_sender *base, const struct store_batch *batches,
                              size_t count, int64_t deadline_ms, bool *taken, struct error *err)
{
    struct sqs_sender *sender = (struct sqs_sender *)base;
    struct arena arena = {0};
    struct sqs_item *items = arena_alloc(&arena, (count + 1) * sizeof *items);
    struct sqs_outcome *outcomes = arena_alloc(&arena, (count + 1) * sizeof *outcomes);
    for (size_t i = 0; i < count; i++) {
        char id[ID_TEXT_BYTES + 1];
        id_format(batches[i].id, id);
        items[i] = (struct sqs_item){arena_str(&arena, str_of(id)), batches[i].body};
    }
    enum code code = sqs_send_all(sender->queue, items, count, deadline_ms, outcomes, err);
    for (size_t i = 0; i < count; i++)
        taken[i] = outcomes[i].ok;
    arena_clear(&arena);
    return code;
}

static void free_sender(struct relay_sender *base)
{
    struct sqs_sender *sender = (struct sqs_sender *)base;
    sqs_close(sender->queue);
    aws_client_free(sender->client);
    xfree(sender);
}

enum code relay_sender_sqs(struct aws *aws, const struct aws_location *location,
                           struct relay_sender **sender, struct error *err)
{
    struct sqs_sender *made = xcalloc(1, sizeof *made);
    made->base.send = send_batches;
    made->base.free = free_sender;
    made->client = aws_client_new(
        &(struct aws_client_options){.aws = aws, .service = &SQS_SERVICE, .location = location});
    if (sqs_open(made->client, OPEN_MS, &made->queue, err) != CODE_OK) {
        free_sender(&made->base);
        return err->code;
    }
    *sender = &made->base;
    return CODE_OK;
}
