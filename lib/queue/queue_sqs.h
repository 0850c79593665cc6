/*
 * The queue on SQS. Receivers take from a small buffer that long polls fill (20 seconds each, more
 * of them side by side while they come back full, one while there is nothing). What lies in the
 * buffer is kept by heartbeats like what was handed out; nothing is polled for when nobody has
 * asked for a while, when the buffer is full, or while heartbeats take too long.
 *
 * Other than the SQLite queue: an id may be delivered twice; leases are whole seconds, at most
 * twelve hours in all; a restart does not end them; a handle that is stale may still delete; the
 * counts are SQS's approximate ones, and units and the oldest message's time are not known.
 * A body that is no base64 is handed out as it is.
 */
#pragma once
#include "aws/client.h"
#include "queue/queue.h"

struct queue_sqs_options {
    struct aws *aws;                     /* the caller's; outlives the queue */
    const struct aws_location *location; /* sqs://QUEUE */
    int64_t call_ms;                     /* deadline of a call; 0: 10 seconds */
    int64_t backoff_ms;                  /* see aws_client_options */
};

/* FAILED_PRECONDITION when there is no such queue. */
enum code queue_sqs_open(const struct queue_sqs_options *options, struct queue **queue,
                         struct error *err) MUST_CHECK;
