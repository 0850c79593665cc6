/* See dynamodb_item.h. */
#include "aws/dynamodb_item.h"

#include "base/encode.h"
#include "crypto/crypto.h"

struct str dynamodb_id_text(struct arena *arena, struct id id)
{
    char *text = arena_alloc(arena, ID_TEXT_BYTES + 1);
    id_format(id, text);
    return (struct str){text, ID_TEXT_BYTES};
}

struct str dynamodb_hash_text(struct arena *arena, struct str bytes)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct buf text;
    crypto_sha256(bytes, digest);
    buf_init_arena(&text, arena, 64);
    encode_base64url(&text, (struct str){(const char *)digest, sizeof digest});
    return buf_str(&text);
}

bool dynamodb_same_key(const struct dynamodb_key *a, const struct dynamodb_key *b)
{
    return str_eq(a->sk, b->sk) && str_eq(a->pk, b->pk);
}

static void begin(struct json_out *json, const char *name, const char *type)
{
    json_key(json, str_of(name));
    json_object_begin(json);
    json_key(json, str_of(type));
}

void dynamodb_put_s(struct json_out *json, const char *name, struct str text)
{
    begin(json, name, "S");
    json_string(json, text);
    json_object_end(json);
}

void dynamodb_put_n(struct json_out *json, const char *name, int64_t number)
{
    char digits[24];
    struct buf text = {.ptr = digits, .cap = sizeof digits, .max = sizeof digits - 1};
    buf_add_i64(&text, number);
    begin(json, name, "N");
    json_string(json, buf_str(&text));
    json_object_end(json);
}

void dynamodb_put_b(struct json_out *json, const char *name, struct str bytes)
{
    begin(json, name, "B");
    json_raw(json, STR("\""));
    encode_base64(json->out, bytes);
    buf_add_char(json->out, '"');
    json_object_end(json);
}

void dynamodb_put_key(struct json_out *json, struct dynamodb_key key)
{
    dynamodb_put_s(json, "pk", key.pk);
    dynamodb_put_s(json, "sk", key.sk);
}

void dynamodb_put_value(struct json_out *json, const struct dynamodb_value *value)
{
    if (value->kind == DYNAMODB_NUMBER)
        dynamodb_put_n(json, value->name, value->number);
    else if (value->kind == DYNAMODB_TEXT)
        dynamodb_put_s(json, value->name, value->text);
    else
        dynamodb_put_b(json, value->name, value->text);
}

static struct str value_of(const struct json_value *item, const char *name, const char *type)
{
    const struct json_value *value = json_get(json_get(item, str_of(name)), str_of(type));
    return value && value->kind == JSON_STRING ? value->text : (struct str){"", 0};
}

struct str dynamodb_text(const struct json_value *item, const char *name)
{
    return value_of(item, name, "S");
}

int64_t dynamodb_number(const struct json_value *item, const char *name)
{
    int64_t number = 0;
    struct str text = value_of(item, name, "N");
    return json_is_number(text) && json_number_i64(text, &number) ? number : 0;
}

struct str dynamodb_bytes(const struct json_value *item, const char *name, struct arena *arena)
{
    struct str text = value_of(item, name, "B");
    struct buf bytes;
    buf_init_arena(&bytes, arena, text.len + 1);
    return decode_base64(&bytes, text, true) ? buf_str(&bytes) : (struct str){"", 0};
}
