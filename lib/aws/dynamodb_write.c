/* What cancelled a transaction decides whether it is run again, and under which token. */
#include "aws/dynamodb_write.h"

#include "aws/dynamodb_expression.h"

void dynamodb_write_begin(struct dynamodb_write *write, const struct dynamodb_ops *ops,
                          struct arena *arena)
{
    *write = (struct dynamodb_write){.ops = ops};
    buf_init_arena(&write->body, arena, DYNAMODB_BODY_MAX);
    write->json = json_out_to(&write->body);
    json_object_begin(&write->json);
    json_key(&write->json, STR("TransactItems"));
    json_array_begin(&write->json);
}

size_t dynamodb_write_bytes(const struct dynamodb_write *write)
{
    return write->body.len;
}

/* --- actions --- */

static void begin(struct dynamodb_write *write, const char *kind)
{
    json_object_begin(&write->json);
    json_key(&write->json, str_of(kind));
    json_object_begin(&write->json);
    dynamodb_add_text(&write->json, "TableName", write->ops->table);
}

static int end(struct dynamodb_write *write, bool has_condition)
{
    if (has_condition)
        dynamodb_add_text(&write->json, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    json_object_end(&write->json);
    json_object_end(&write->json);
    return write->count++;
}

int dynamodb_write_put_begin(struct dynamodb_write *write, struct dynamodb_key key)
{
    begin(write, "Put");
    json_key(&write->json, STR("Item"));
    json_object_begin(&write->json);
    dynamodb_put_key(&write->json, key);
    return write->count;
}

void dynamodb_write_put_end(struct dynamodb_write *write, struct dynamodb_condition condition)
{
    json_object_end(&write->json);
    dynamodb_add_condition(&write->json, &condition, NULL, 0);
    end(write, condition.expression != NULL);
}

int dynamodb_write_put(struct dynamodb_write *write, struct dynamodb_key key,
                       const struct dynamodb_value *attributes, size_t count,
                       struct dynamodb_condition condition)
{
    int action = dynamodb_write_put_begin(write, key);
    for (size_t i = 0; i < count; i++)
        dynamodb_put_value(&write->json, &attributes[i]);
    dynamodb_write_put_end(write, condition);
    return action;
}

static int of_key(struct dynamodb_write *write, const char *kind, struct dynamodb_key key,
                  const struct dynamodb_condition *condition)
{
    begin(write, kind);
    dynamodb_add_key(&write->json, "Key", key);
    dynamodb_add_condition(&write->json, condition, NULL, 0);
    return end(write, condition->expression != NULL);
}

int dynamodb_write_delete(struct dynamodb_write *write, struct dynamodb_key key,
                          struct dynamodb_condition condition)
{
    return of_key(write, "Delete", key, &condition);
}

int dynamodb_write_check(struct dynamodb_write *write, struct dynamodb_key key,
                         struct dynamodb_condition condition)
{
    return of_key(write, "ConditionCheck", key, &condition);
}

int dynamodb_write_update(struct dynamodb_write *write, struct dynamodb_key key,
                          const struct dynamodb_update *update)
{
    begin(write, "Update");
    dynamodb_add_key(&write->json, "Key", key);
    dynamodb_add_update(&write->json, update);
    return end(write, update->condition.expression != NULL);
}

int dynamodb_write_add(struct dynamodb_write *write, struct dynamodb_key key, char attribute,
                       int64_t add)
{
    const char expression[] = {'A', 'D', 'D', ' ', attribute, ' ', ':', 'n', '\0'};
    const struct dynamodb_value value = dynamodb_n(":n", add);
    return dynamodb_write_update(
        write, key,
        &(struct dynamodb_update){.expression = expression, .values = &value, .count = 1});
}

/* --- running --- */

bool dynamodb_write_failed(const struct dynamodb_refusal *refusal, int action)
{
    return action >= 0 && (size_t)action < refusal->reason_count &&
           str_eq(refusal->reasons[action], STR("ConditionalCheckFailed"));
}

static bool any_failed(const struct dynamodb_refusal *refusal)
{
    for (size_t i = 0; i < refusal->reason_count; i++)
        if (dynamodb_write_failed(refusal, (int)i))
            return true;
    return false;
}

/* What neither is a condition nor passes: the table or our rights are not as they should be. */
static const struct str *refused_for(const struct dynamodb_refusal *refusal)
{
    for (size_t i = 0; i < refusal->reason_count; i++)
        if (!dynamodb_passes_by_itself(refusal->reasons[i]))
            return &refusal->reasons[i];
    return NULL;
}

static void new_token(struct dynamodb_write *write)
{
    id_format(id_new(write->ops->clock), write->token);
}

/* The body with the token, which may have to be another one next time. */
static struct str whole_body(struct dynamodb_write *write, size_t length)
{
    write->body.len = length;
    buf_add_cstr(&write->body, "],\"ClientRequestToken\":\"");
    buf_add_cstr(&write->body, write->token);
    buf_add_cstr(&write->body, "\"}");
    return buf_str(&write->body);
}

/* Until something else than a conflict comes of it. */
static enum code attempts(struct dynamodb_write *write, int64_t until_ms, struct arena *arena,
                          struct dynamodb_refusal *refusal, bool *unsure, struct error *err)
{
    const struct json_value *answer;
    size_t length = write->body.len;
    new_token(write);
    for (int attempt = 0;; attempt++) {
        struct str body = whole_body(write, length);
        if (write->body.overflow)
            return error_set(err, CODE_INTERNAL, NULL, "dynamodb: a transaction is too large");
        enum code code = dynamodb_do(write->ops, "TransactWriteItems", body, until_ms, arena,
                                     &answer, refusal, err);
        if (code == CODE_OK || any_failed(refusal))
            return code;
        *unsure = *unsure || refusal->unsure || !refusal->error.len;
        if (code != CODE_ABORTED)
            return code;
        const struct str *reason = refused_for(refusal);
        if (reason) {
            error_set(err, CODE_INTERNAL, NULL, "dynamodb: a transaction was refused: %.*s",
                      STR_ARG(*reason));
            return dynamodb_tell(write->ops, "TransactWriteItems", refusal, err);
        }
        /* The same token stands for the same attempt only as long as that one may be under way. */
        if (refusal->reason_count && !refusal->unsure)
            new_token(write);
        error_clear(err);
        if (dynamodb_pause(write->ops, attempt, until_ms, err) != CODE_OK)
            return err->code;
    }
}

enum code dynamodb_write_run(struct dynamodb_write *write, int64_t until_ms, struct arena *arena,
                             struct dynamodb_refusal *refusal, struct error *err)
{
    bool unsure = false;
    enum code code = attempts(write, until_ms, arena, refusal, &unsure, err);
    refusal->unsure = unsure;
    return code;
}
