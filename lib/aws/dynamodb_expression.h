/* What requests of dynamodb_ops.c and dynamodb_write.c have in common: members of a request. */
#pragma once
#include "aws/dynamodb_ops.h"

/* Adds "name": {"pk": …, "sk": …}. */
void dynamodb_add_key(struct json_out *json, const char *name, struct dynamodb_key key);
void dynamodb_add_text(struct json_out *json, const char *name, const char *text);
/* The item's attributes, the key among them. */
void dynamodb_add_item(struct json_out *json, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count);
/* UpdateExpression; then its values and the condition. */
void dynamodb_add_update(struct json_out *json, const struct dynamodb_update *update);
/* ConditionExpression, if there is one, and the values of both. */
void dynamodb_add_condition(struct json_out *json, const struct dynamodb_condition *condition,
                            const struct dynamodb_value *values, size_t count);

/* Says so to who listens; err->code. */
enum code dynamodb_tell(const struct dynamodb_ops *ops, const char *operation,
                        const struct dynamodb_refusal *refusal, struct error *err);
