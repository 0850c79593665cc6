/* Transactions on one table, and what cancelled them. */
#pragma once
#include "aws/dynamodb_ops.h"
#include "base/id.h"

enum { DYNAMODB_WRITE_MAX = 100 /* actions of a transaction */ };

struct dynamodb_write {
    const struct dynamodb_ops *ops;
    struct buf body;
    struct json_out json;
    int count;
    char token[ID_TEXT_BYTES + 1];
};

/* Everything lies in `arena`. */
void dynamodb_write_begin(struct dynamodb_write *write, const struct dynamodb_ops *ops,
                          struct arena *arena);

/* Each adds an action and says its number. The item as it is comes back when a condition does not
 * hold. */
int dynamodb_write_put(struct dynamodb_write *write, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count,
                       struct dynamodb_condition condition);
int dynamodb_write_delete(struct dynamodb_write *write, struct dynamodb_key key,
                          struct dynamodb_condition condition);
int dynamodb_write_check(struct dynamodb_write *write, struct dynamodb_key key,
                         struct dynamodb_condition condition);
int dynamodb_write_update(struct dynamodb_write *write, struct dynamodb_key key,
                          const struct dynamodb_update *update);
/* Adds to a number, which counts from 0; `attribute` is one letter. */
int dynamodb_write_add(struct dynamodb_write *write, struct dynamodb_key key, char attribute,
                       int64_t add);

/* A put whose attributes are written to write->json in between. */
int dynamodb_write_put_begin(struct dynamodb_write *write, struct dynamodb_key key);
void dynamodb_write_put_end(struct dynamodb_write *write, struct dynamodb_condition condition);

/* Bytes of the request so far. */
size_t dynamodb_write_bytes(const struct dynamodb_write *write);

/*
 * CODE_OK: committed. ABORTED: a condition has failed, refusal->reasons says which; conflicts and
 * throttling alone are tried again until the deadline. INTERNAL: refused for another reason.
 * After an error with refusal->unsure it is not known whether it has been committed.
 */
enum code dynamodb_write_run(struct dynamodb_write *write, int64_t until_ms, struct arena *arena,
                             struct dynamodb_refusal *refusal, struct error *err) MUST_CHECK;
bool dynamodb_write_failed(const struct dynamodb_refusal *refusal, int action);
