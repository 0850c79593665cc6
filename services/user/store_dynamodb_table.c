/* The version of the layout, and how keys are made. */
#include "user/store_dynamodb_internal.h"

enum { SCHEMA_VERSION = 1 };

/* --- the layout's version --- */

static enum code put_schema(struct store_dynamodb *store, struct dynamodb_key key, int64_t until_ms,
                            struct arena *arena, struct error *err)
{
    const struct dynamodb_value version = dynamodb_n("v", SCHEMA_VERSION);
    struct dynamodb_refusal refusal;
    enum code code =
        dynamodb_put(&store->table.ops, key, &version, 1, dynamodb_if("attribute_not_exists(pk)"),
                     until_ms, arena, &refusal, err);
    if (dynamodb_condition_failed(&refusal)) {
        error_clear(err); /* another process was faster; it has the same program */
        return CODE_OK;
    }
    return code;
}

enum code dynamodb_check_schema(struct store_dynamodb *store, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_key key = {STR("schema"), STR("-")};
    const struct json_value *item;
    int64_t until_ms = dynamodb_until(&store->table.ops, DYNAMODB_OUTBOX_CALL_MS);
    enum code code = dynamodb_fetch(&store->table.ops, &key, 1, until_ms, &arena, &item, err);
    if (code == CODE_OK && !item)
        code = put_schema(store, key, until_ms, &arena, err);
    else if (code == CODE_OK && dynamodb_number(item, "v") != SCHEMA_VERSION)
        code = error_set(err, CODE_FAILED_PRECONDITION, "SCHEMA",
                         "the table's layout is version %lld; this program knows %d",
                         (long long)dynamodb_number(item, "v"), SCHEMA_VERSION);
    arena_clear(&arena);
    return code;
}

/* --- keys --- */

struct str dynamodb_shard_pk(struct arena *arena, uint32_t tenant, char kind, int shard)
{
    return str_of(arena_printf(arena, "%u/%c/%02d", tenant, kind, shard));
}

struct str dynamodb_text_pk(struct arena *arena, uint32_t tenant, char kind, struct str text)
{
    return str_of(arena_printf(arena, "%u/%c/%.*s", tenant, kind, STR_ARG(text)));
}

struct dynamodb_key dynamodb_user_key(struct arena *arena, uint32_t tenant, struct id id)
{
    int shard = id.bytes[sizeof id.bytes - 1] % DYNAMODB_USER_SHARDS;
    return (struct dynamodb_key){dynamodb_shard_pk(arena, tenant, 'u', shard),
                                 dynamodb_id_text(arena, id)};
}

struct dynamodb_key dynamodb_hash_key(struct arena *arena, uint32_t tenant, char kind,
                                      struct str text)
{
    struct str hash = dynamodb_hash_text(arena, text);
    return (struct dynamodb_key){dynamodb_text_pk(arena, tenant, kind, hash), STR("-")};
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
