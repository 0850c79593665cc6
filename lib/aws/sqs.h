/*
 * SQS by its JSON protocol. A queue is known by its URL, which is asked for once, by name.
 */
#pragma once
#include "aws/client.h"

#include <stdbool.h>

extern const struct aws_service SQS_SERVICE;

enum { SQS_BATCH_MAX = 10, SQS_VISIBILITY_MAX_S = 12 * 3600 };

struct sqs_queue; /* a client, and the queue's URL and limits. Thread-safe. */

/* Asks for the URL and the attributes. FAILED_PRECONDITION when there is no such queue. The client
 * is the caller's. */
enum code sqs_open(struct aws_client *client, int64_t deadline_ms, struct sqs_queue **queue,
                   struct error *err) MUST_CHECK;
void sqs_close(struct sqs_queue *queue);

struct sqs_attributes {
    int64_t message_bytes_max; /* of a message, and of a batch together */
    int64_t retention_s, visibility_s;
    uint64_t waiting, in_flight, delayed; /* approximate */
    int64_t receives_max;                 /* of the redrive policy; 0: there is none */
    struct str arn, dead_letter_arn;      /* the latter empty without redrive policy */
};
/* Those of sqs_open; texts live as long as the queue. */
const struct sqs_attributes *sqs_limits(const struct sqs_queue *queue);
/* Asks again; texts are in `arena`. */
enum code sqs_attributes(struct sqs_queue *queue, int64_t deadline_ms, struct arena *arena,
                         struct sqs_attributes *attributes, struct error *err) MUST_CHECK;

/* What became of an entry of a batch. */
struct sqs_outcome {
    bool ok;
    bool senders_fault; /* it will never be taken */
    char error[64];     /* AWS's name of the error; "" when ok; "NoAnswer": in neither list */
};

struct sqs_entry {
    struct str body; /* characters that SQS allows: base64 */
    struct str id;   /* sent as attribute "id"; empty: none */
};

/* At most SQS_BATCH_MAX entries. OK says only that there was an answer: look at outcomes[]. */
enum code sqs_send(struct sqs_queue *queue, const struct sqs_entry *entries, size_t count,
                   int64_t deadline_ms, struct sqs_outcome *outcomes, struct error *err) MUST_CHECK;

struct sqs_message {
    struct str id; /* the attribute "id", or the MessageId */
    struct str handle, body;
    int64_t receive_count, sent_ms;
    bool damaged; /* MD5OfBody does not fit */
};

/* Up to `max` (10) messages, waiting up to `wait_s` (20) for the first, by an own attempt with a
 * time-out of wait_s + 10. In `arena`. */
enum code sqs_receive(struct sqs_queue *queue, size_t max, int64_t visibility_s, int64_t wait_s,
                      struct arena *arena, struct sqs_message *messages, size_t *count,
                      struct error *err) MUST_CHECK;

/* `err` NULL: it succeeded. Texts live until it returns; must not block. */
typedef void (*sqs_received_fn)(void *argument, const struct sqs_message *messages, size_t count,
                                const struct error *err);

/* The same without waiting, over another client of the same place (for its own connections); as
 * aws_start. */
enum code sqs_receive_start(const struct sqs_queue *queue, struct aws_client *client,
                            int64_t visibility_s, int64_t wait_s, sqs_received_fn received,
                            void *argument, struct error *err) MUST_CHECK;

/* At most SQS_BATCH_MAX handles; as sqs_send. 0 seconds releases. */
enum code sqs_change_visibility(struct sqs_queue *queue, const struct str *handles, size_t count,
                                int64_t visibility_s, int64_t deadline_ms,
                                struct sqs_outcome *outcomes, struct error *err) MUST_CHECK;
enum code sqs_delete(struct sqs_queue *queue, const struct str *handles, size_t count,
                     int64_t deadline_ms, struct sqs_outcome *outcomes,
                     struct error *err) MUST_CHECK;

/* Makes the queue `name` with attributes as JSON members ("\"VisibilityTimeout\":\"60\""), or sets
 * them on the one that is there. *arn in `arena`. */
enum code sqs_create(struct aws_client *client, struct str name, struct str attributes,
                     int64_t deadline_ms, struct arena *arena, struct str *arn, bool *created,
                     struct error *err) MUST_CHECK;
