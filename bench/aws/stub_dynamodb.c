/* Every id is a user; every write succeeds; what has to be found again is in stub_items.c. */
#include "base/id.h"
#include "base/json_out.h"
#include "bench/aws/stub.h"

static void put(struct json_out *json, const char *name, const char *type, struct str text)
{
    json_key(json, str_of(name));
    json_object_begin(json);
    json_key(json, str_of(type));
    json_string(json, text);
    json_object_end(json);
}

static void add_user(struct json_out *json, struct str pk, struct str sk)
{
    json_object_begin(json);
    put(json, "pk", "S", pk);
    put(json, "sk", "S", sk);
    put(json, "email", "S", STR("ada.lovelace@example.com"));
    put(json, "display_name", "S", STR("Ada Lovelace"));
    put(json, "given_name", "S", STR("Ada"));
    put(json, "family_name", "S", STR("Lovelace"));
    put(json, "status", "N", STR("1"));
    json_key(json, STR("labels"));
    json_raw(json, STR("{\"M\":{\"team\":{\"S\":\"engines\"}}}"));
    put(json, "create_us", "N", STR("1764150000000000"));
    put(json, "update_us", "N", STR("1764150000000000"));
    put(json, "owner_issuer", "S", STR(""));
    put(json, "owner_subject", "S", STR(""));
    put(json, "v", "N", STR("1"));
    put(json, "nk", "S", STR("ada lovelace"));
    put(json, "tk", "S", STR("ada lovelace"));
    json_object_end(json);
}

static void batch_get(const struct json_value *request, struct buf *body)
{
    const struct json_value *tables = json_get(request, STR("RequestItems"));
    const struct json_value *table = tables ? tables->first : NULL;
    const struct json_value *keys = json_get(table, STR("Keys"));
    struct json_out json = json_out_to(body);
    json_object_begin(&json);
    json_key(&json, STR("Responses"));
    json_object_begin(&json);
    json_key(&json, table ? table->key : STR(""));
    json_array_begin(&json);
    for (const struct json_value *key = keys ? keys->first : NULL; key; key = key->next) {
        struct str sk = stub_text(json_get(key, STR("sk")), "S");
        if (sk.len != ID_TEXT_BYTES)
            continue;
        add_user(&json, stub_text(json_get(key, STR("pk")), "S"), sk);
        atomic_fetch_add(&stub_counts.keys_read, 1);
    }
    json_array_end(&json);
    json_object_end(&json);
    json_key(&json, STR("UnprocessedKeys"));
    json_raw(&json, STR("{}"));
    json_object_end(&json);
}

static void transact(const struct json_value *request)
{
    const struct json_value *actions = json_get(request, STR("TransactItems"));
    for (const struct json_value *action = actions ? actions->first : NULL; action;
         action = action->next) {
        const struct json_value *what = action->first;
        if (what && str_eq(what->key, STR("Put")))
            stub_items_put(json_get(what, STR("Item")));
        else if (what && str_eq(what->key, STR("Delete")))
            stub_items_delete(json_get(what, STR("Key")));
        else if (what && str_eq(what->key, STR("Update")))
            stub_items_update(what);
    }
}

static void query(const struct json_value *request, struct buf *body)
{
    const struct json_value *values = json_get(request, STR("ExpressionAttributeValues"));
    const struct json_value *limit = json_get(request, STR("Limit"));
    uint64_t most = 0;
    if (!limit || !str_to_u64(limit->text, &most))
        most = 1000;
    stub_items_query(stub_text(json_get(values, STR(":p")), "S"), (size_t)most, body);
}

void stub_dynamodb(struct http_exchange *exchange, struct str operation)
{
    const struct json_value *request = stub_read(exchange);
    struct buf body;
    if (!request)
        return;
    buf_init(&body, STUB_BODY_MAX);
    bool reads = str_eq(operation, STR("BatchGetItem"));
    atomic_fetch_add(reads ? &stub_counts.reads : &stub_counts.other_calls, 1);
    if (reads) {
        batch_get(request, &body);
    } else if (str_eq(operation, STR("GetItem"))) {
        stub_items_get(json_get(request, STR("Key")), &body);
    } else if (str_eq(operation, STR("Query"))) {
        query(request, &body);
    } else if (str_eq(operation, STR("TransactWriteItems"))) {
        transact(request);
        buf_add_cstr(&body, "{}");
    } else if (str_eq(operation, STR("UpdateItem"))) { /* f: the fence of a lease */
        stub_items_update(request);
        buf_add_cstr(&body, "{\"Attributes\":{\"f\":{\"N\":\"1\"}}}");
    } else { /* PutItem, BatchWriteItem, DeleteItem */
        buf_add_cstr(&body, "{\"UnprocessedItems\":{}}");
    }
    stub_answer(exchange, &body, 0);
}
