/* See store_dynamodb_call.h. */
#include "user/store_dynamodb_call.h"

#include "base/log.h"
#include "user/reasons.h"

static void worked(struct store_table *table, const char *operation)
{
    if (atomic_load(&table->failing) && atomic_exchange(&table->failing, false))
        log_info("store_works_again", LOG_C("operation", operation));
}

/* Conditions and a missing table are left as they are: the caller knows what they mean. */
static void told(void *context, const char *operation, const struct dynamodb_refusal *refusal,
                 struct error *err)
{
    struct store_table *table = context;
    enum code code = err->code;
    bool passing = code == CODE_UNAVAILABLE || code == CODE_DEADLINE_EXCEEDED ||
                   code == CODE_RESOURCE_EXHAUSTED || code == CODE_CANCELLED;
    if (code == CODE_OK)
        worked(table, operation);
    if (code == CODE_OK || code == CODE_ABORTED || code == CODE_FAILED_PRECONDITION)
        return;
    /* Once, not for each of thousands. */
    if (refusal && (!passing || !atomic_exchange(&table->failing, true)))
        log_error("store_failed", LOG_C("operation", operation), LOG_ERR(err),
                  LOG_C("reason", err->reason));
    if (code == CODE_DEADLINE_EXCEEDED)
        error_set(err, code, REASON_DEADLINE, "the store did not answer in time");
    else if (passing)
        error_set(err, CODE_UNAVAILABLE, REASON_STORE_UNAVAILABLE,
                  "the store cannot be reached or has too much to do");
    else
        error_set(err, CODE_INTERNAL, REASON_STORE_REFUSED, "the store refused a request");
}

void store_table_init(struct store_table *table, const struct dynamodb_port *port, struct str name,
                      const struct clock *clock)
{
    dynamodb_ops_init(&table->ops, port, name, clock);
    table->ops.told = told;
    table->ops.told_context = table;
    atomic_init(&table->failing, false);
}
