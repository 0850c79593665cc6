/*
 * DynamoDB, API version 2012-08-10: an operation's name and its JSON in, JSON out. What the items
 * mean is the caller's.
 */
#pragma once
#include "aws/client.h"
#include "json/json_in.h"

/* The client's service: for aws_client_options. */
extern const struct aws_service DYNAMODB_SERVICE;

enum { DYNAMODB_REASONS_MAX = 100 };

/* Why an operation was refused. Texts are in the answer's arena. */
struct dynamodb_refusal {
    struct str error; /* "ConditionalCheckFailedException"; empty: AWS did not answer */
    /* TransactionCanceledException: one per item of the request, in its order: "None",
     * "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError" … */
    size_t reason_count;
    struct str reasons[DYNAMODB_REASONS_MAX];
    /* With ReturnValuesOnConditionCheckFailure: the item as it is; else NULL. */
    const struct json_value *items[DYNAMODB_REASONS_MAX];
    const struct json_value *item; /* of a single operation */
    bool unsure;                   /* see struct aws_response */
};

/* What cancels a transaction and is over by itself; "None" among it. */
bool dynamodb_passes_by_itself(struct str reason);

/*
 * operation: "PutItem", "TransactWriteItems", … Waits at most `deadline_ms`. *answer and *refusal
 * (may be NULL) are in `arena`. Beside the errors of aws_done_fn:
 *   FAILED_PRECONDITION   ConditionalCheckFailedException
 *   ABORTED               TransactionCanceledException (look at the reasons), TransactionConflict…,
 *                         TransactionInProgressException
 *   INVALID_ARGUMENT      IdempotentParameterMismatchException
 * A transaction that was cancelled by nothing but conflicts and throttling is tried again here,
 * like any throttled call.
 */
enum code dynamodb_call(struct aws_client *client, struct str operation, struct str body,
                        int64_t deadline_ms, struct arena *arena, const struct json_value **answer,
                        struct dynamodb_refusal *refusal, struct error *err) MUST_CHECK;

/* `err` NULL: it succeeded. Everything lives until it returns. Must not block. */
typedef void (*dynamodb_done_fn)(void *argument, const struct json_value *answer,
                                 const struct dynamodb_refusal *refusal, const struct error *err);

/* Starts; as aws_start. */
enum code dynamodb_start(struct aws_client *client, struct str operation, struct str body,
                         int64_t deadline_ms, dynamodb_done_fn done, void *argument,
                         struct error *err) MUST_CHECK;
