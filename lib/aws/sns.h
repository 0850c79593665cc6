/* SNS: publishing to one topic, and making it. */
#pragma once
#include "aws/client.h"

extern const struct aws_service SNS_SERVICE;

/* The topic's ARN: the location's name, or what SNS makes of it (CreateTopic finds one that is
 * there). In `arena`. */
enum code sns_topic(struct aws_client *client, int64_t deadline_ms, struct arena *arena,
                    struct str *arn, struct error *err) MUST_CHECK;

/* subject: at most 100 printable ASCII characters, longer ones are cut; may be empty. message: at
 * most 256 KiB of UTF-8. */
enum code sns_publish(struct aws_client *client, struct str topic_arn, struct str subject,
                      struct str message, int64_t deadline_ms, struct error *err) MUST_CHECK;
