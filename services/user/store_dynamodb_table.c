/* The version of the layout, and how keys are made. */
#include "user/store_dynamodb_internal.h"

#include "base/encode.h"
#include "crypto/crypto.h"

enum { SCHEMA_VERSION = 1 };

/* --- the layout's version --- */

static enum code put_schema(struct store_dynamodb *store, struct item_key key, int64_t until_ms,
                            struct arena *arena, struct error *err)
{
    struct buf body;
    struct dynamodb_refusal refusal;
    const struct json_value *answer;
    struct json_out json = dynamodb_body(&store->table, &body, arena);
    json_key(&json, STR("Item"));
    json_object_begin(&json);
    item_put_key(&json, key);
    item_put_n(&json, "v", SCHEMA_VERSION);
    json_object_end(&json);
    json_key(&json, STR("ConditionExpression"));
    json_string(&json, STR("attribute_not_exists(pk)"));
    json_object_end(&json);
    enum code code = dynamodb_do(&store->table, "PutItem", buf_str(&body), until_ms, arena, &answer,
                                 &refusal, err);
    if (code == CODE_FAILED_PRECONDITION &&
        str_eq(refusal.error, STR("ConditionalCheckFailedException"))) {
        error_clear(err); /* another process was faster; it has the same program */
        return CODE_OK;
    }
    return code;
}

enum code dynamodb_check_schema(struct store_dynamodb *store, struct error *err)
{
    struct arena arena = {0};
    struct item_key key = {STR("schema"), STR("-")};
    const struct json_value *item;
    int64_t until_ms = dynamodb_until(&store->table, DYNAMODB_OUTBOX_CALL_MS);
    enum code code = dynamodb_fetch(&store->table, &key, 1, until_ms, &arena, &item, err);
    if (code == CODE_OK && !item)
        code = put_schema(store, key, until_ms, &arena, err);
    else if (code == CODE_OK && item_n(item, "v") != SCHEMA_VERSION)
        code = error_set(err, CODE_FAILED_PRECONDITION, "SCHEMA",
                         "the table's layout is version %lld; this program knows %d",
                         (long long)item_n(item, "v"), SCHEMA_VERSION);
    arena_clear(&arena);
    return code;
}

/* --- keys --- */

struct str dynamodb_id_text(struct arena *arena, struct id id)
{
    char *text = arena_alloc(arena, ID_TEXT_BYTES + 1);
    id_format(id, text);
    return (struct str){text, ID_TEXT_BYTES};
}

struct str dynamodb_shard_pk(struct arena *arena, uint32_t tenant, char kind, int shard)
{
    return str_of(arena_printf(arena, "%u/%c/%02d", tenant, kind, shard));
}

struct str dynamodb_text_pk(struct arena *arena, uint32_t tenant, char kind, struct str text)
{
    return str_of(arena_printf(arena, "%u/%c/%.*s", tenant, kind, STR_ARG(text)));
}

struct item_key dynamodb_user_key(struct arena *arena, uint32_t tenant, struct id id)
{
    int shard = id.bytes[sizeof id.bytes - 1] % DYNAMODB_USER_SHARDS;
    return (struct item_key){dynamodb_shard_pk(arena, tenant, 'u', shard),
                             dynamodb_id_text(arena, id)};
}

struct item_key dynamodb_hash_key(struct arena *arena, uint32_t tenant, char kind, struct str text)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct buf hash;
    crypto_sha256(text, digest);
    buf_init_arena(&hash, arena, 64);
    encode_base64url(&hash, (struct str){(const char *)digest, sizeof digest});
    return (struct item_key){dynamodb_text_pk(arena, tenant, kind, buf_str(&hash)), STR("-")};
}

struct str dynamodb_name_sk(struct arena *arena, struct str name_key, struct id id)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    return str_of(arena_printf(arena, "%.*s\t%s", STR_ARG(name_key), text));
}

bool dynamodb_read_name_sk(struct str sk, struct str *name_key, struct id *id)
{
    if (sk.len < ID_TEXT_BYTES + 1 || sk.ptr[sk.len - ID_TEXT_BYTES - 1] != '\t')
        return false;
    *name_key = (struct str){sk.ptr, sk.len - ID_TEXT_BYTES - 1};
    return id_parse(str_from(sk, sk.len - ID_TEXT_BYTES), id);
}
