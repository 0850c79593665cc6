/* CreateTable answers before the table is there: it is asked for until it is. */
#include "aws/dynamodb_table.h"

#include "base/json_out.h"

#include <unistd.h>

enum { BODY_MAX = 4096, CALL_MS = 10000, PAUSE_MS = 250 };

static const char KEYS[] =
    "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"}],"
    "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],\"BillingMode\":\"PAY_PER_REQUEST\"";

static enum code call(struct aws_client *client, struct str operation, struct str table,
                      const char *more, struct arena *arena, const struct json_value **answer,
                      struct dynamodb_refusal *refusal, struct error *err)
{
    struct buf body;
    buf_init_arena(&body, arena, BODY_MAX);
    struct json_out json = json_out_to(&body);
    json_object_begin(&json);
    json_key(&json, STR("TableName"));
    json_string(&json, table);
    buf_addf(&body, "%s%s", *more ? "," : "", more);
    json_object_end(&json);
    return dynamodb_call(client, operation, buf_str(&body), CALL_MS, arena, answer, refusal, err);
}

static bool has_our_keys(const struct json_value *table)
{
    const struct json_value *keys = json_get(table, STR("KeySchema"));
    const struct json_value *first = keys ? keys->first : NULL;
    return first && first->next && !first->next->next &&
           str_eq(json_get_text(first, STR("AttributeName")), STR("pk")) &&
           str_eq(json_get_text(first->next, STR("AttributeName")), STR("sk"));
}

/* Waits for the table to be ACTIVE. */
static enum code wait_active(struct aws_client *client, struct str table, int64_t deadline_ms,
                             struct error *err)
{
    for (int64_t waited_ms = 0;; waited_ms += PAUSE_MS) {
        struct arena arena = {0};
        const struct json_value *answer;
        enum code code = call(client, STR("DescribeTable"), table, "", &arena, &answer, NULL, err);
        const struct json_value *found = code == CODE_OK ? json_get(answer, STR("Table")) : NULL;
        bool active = str_eq(json_get_text(found, STR("TableStatus")), STR("ACTIVE"));
        bool ours = has_our_keys(found);
        arena_clear(&arena);
        if (code != CODE_OK)
            return code;
        if (!ours)
            return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                             "table %.*s is there, with other keys than pk and sk", STR_ARG(table));
        if (active)
            return CODE_OK;
        if (waited_ms >= deadline_ms)
            return error_set(err, CODE_DEADLINE_EXCEEDED, NULL, "table %.*s is not active yet",
                             STR_ARG(table));
        usleep(PAUSE_MS * 1000);
    }
}

/* Saying it a second time is an error, to which AWS gives no name of its own. */
static enum code expire_items(struct aws_client *client, struct str table, struct error *err)
{
    static const char ttl[] = "\"TimeToLiveSpecification\":{\"AttributeName\":\"ttl\","
                              "\"Enabled\":true}";
    struct arena arena = {0};
    const struct json_value *answer;
    enum code code = call(client, STR("DescribeTimeToLive"), table, "", &arena, &answer, NULL, err);
    const struct json_value *found =
        code == CODE_OK ? json_get(answer, STR("TimeToLiveDescription")) : NULL;
    struct str status = json_get_text(found, STR("TimeToLiveStatus"));
    if (code == CODE_OK && !str_eq(status, STR("ENABLED")) && !str_eq(status, STR("ENABLING")))
        code = call(client, STR("UpdateTimeToLive"), table, ttl, &arena, &answer, NULL, err);
    arena_clear(&arena);
    return code;
}

enum code dynamodb_table_create(struct aws_client *client, struct str table, int64_t deadline_ms,
                                bool *created, struct error *err)
{
    struct arena arena = {0};
    const struct json_value *answer;
    struct dynamodb_refusal *refusal = arena_alloc0(&arena, sizeof *refusal);
    enum code code = call(client, STR("CreateTable"), table, KEYS, &arena, &answer, refusal, err);
    *created = code == CODE_OK;
    if (str_eq(refusal->error, STR("ResourceInUseException")))
        code = CODE_OK;
    arena_clear(&arena);
    if (code != CODE_OK || wait_active(client, table, deadline_ms, err) != CODE_OK)
        return err->code;
    return expire_items(client, table, err);
}
