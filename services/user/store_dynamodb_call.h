/*
 * The stores' tables: what DynamoDB says is for the log, what callers need to know is for callers.
 * Everything else about tables is lib/aws's.
 */
#pragma once
#include "aws/dynamodb_ops.h"
#include "aws/dynamodb_write.h"

#include <stdatomic.h>

/* A table of a store; several stores may share one in DynamoDB. */
struct store_table {
    struct dynamodb_ops ops;
    atomic_bool failing; /* the last operation did not work; for the log */
};

/* *table must not move from here on. */
void store_table_init(struct store_table *table, const struct dynamodb_port *port, struct str name,
                      const struct clock *clock);
