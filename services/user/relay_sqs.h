/* The relay's sender over SQS: a message per batch, base64, with the batch's id as attribute. */
#pragma once
#include "aws/client.h"
#include "user/relay.h"

/* location: sqs://QUEUE, which must exist. `aws` is the caller's and outlives the sender. */
enum code relay_sender_sqs(struct aws *aws, const struct aws_location *location,
                           struct relay_sender **sender, struct error *err) MUST_CHECK;
