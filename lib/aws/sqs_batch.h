/*
 * Sends any number of messages: as few batches as the limits allow (ten entries, the queue's
 * MaximumMessageSize in all), bodies in base64, what failed by no fault of ours again.
 */
#pragma once
#include "aws/sqs.h"

struct sqs_item {
    struct str id; /* sent as attribute; at most 100 bytes */
    struct str bytes;
};

/*
 * OK: every message is stored. Else outcomes[] tells of each, and the error is
 *   INVALID_ARGUMENT   a message will never be taken: its outcome is senders_fault
 *   UNAVAILABLE …      as of sqs_send; unsure ones count as not stored
 */
enum code sqs_send_all(struct sqs_queue *queue, const struct sqs_item *items, size_t count,
                       int64_t deadline_ms, struct sqs_outcome *outcomes,
                       struct error *err) MUST_CHECK;
