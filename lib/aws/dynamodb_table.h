/*
 * The one shape that all our tables have: keys `pk` and `sk`, texts; on demand; items with a past
 * `ttl` (seconds since 1970) go by themselves; no index. What is in the items is the backends'.
 */
#pragma once
#include "aws/dynamodb.h"

/*
 * Makes the table unless it is there, and waits until it can be used. *created says which.
 * FAILED_PRECONDITION when a table of that name has other keys.
 */
enum code dynamodb_table_create(struct aws_client *client, struct str table, int64_t deadline_ms,
                                bool *created, struct error *err) MUST_CHECK;
