/* Values as DynamoDB's JSON writes them ({"S": "text"}), and users as items. */
#include "user/store_dynamodb_internal.h"

#include "base/encode.h"

#include <string.h>

static void put(struct json_out *json, const char *name, const char *type)
{
    json_key(json, str_of(name));
    json_object_begin(json);
    json_key(json, str_of(type));
}

void item_put_s(struct json_out *json, const char *name, struct str value)
{
    put(json, name, "S");
    json_string(json, value);
    json_object_end(json);
}

void item_put_n(struct json_out *json, const char *name, int64_t value)
{
    char digits[24];
    struct buf text = {.ptr = digits, .cap = sizeof digits, .max = sizeof digits - 1};
    buf_add_i64(&text, value);
    put(json, name, "N");
    json_string(json, buf_str(&text));
    json_object_end(json);
}

void item_put_b(struct json_out *json, const char *name, struct str bytes)
{
    put(json, name, "B");
    json_raw(json, STR("\""));
    encode_base64(json->out, bytes);
    buf_add_char(json->out, '"');
    json_object_end(json);
}

void item_put_key(struct json_out *json, struct item_key key)
{
    item_put_s(json, "pk", key.pk);
    item_put_s(json, "sk", key.sk);
}

static struct str value_of(const struct json_value *item, const char *name, const char *type)
{
    const struct json_value *value = json_get(json_get(item, str_of(name)), str_of(type));
    return value && value->kind == JSON_STRING ? value->text : (struct str){0};
}

struct str item_s(const struct json_value *item, const char *name)
{
    return value_of(item, name, "S");
}

int64_t item_n(const struct json_value *item, const char *name)
{
    int64_t number = 0;
    struct str text = value_of(item, name, "N");
    if (!json_is_number(text) || !json_number_i64(text, &number))
        return 0;
    return number;
}

struct str item_b(const struct json_value *item, const char *name, struct arena *arena)
{
    struct str text = value_of(item, name, "B");
    struct buf bytes;
    buf_init_arena(&bytes, arena, text.len + 1);
    if (!decode_base64(&bytes, text, true))
        return (struct str){0};
    return buf_str(&bytes);
}

/* --- users --- */

void item_put_user(struct json_out *json, const struct user *user, const struct search_terms *terms)
{
    item_put_s(json, "email", user->email);
    item_put_s(json, "display_name", user->display_name);
    item_put_s(json, "given_name", user->given_name);
    item_put_s(json, "family_name", user->family_name);
    item_put_n(json, "status", user->status);
    put(json, "labels", "M");
    json_object_begin(json);
    for (size_t i = 0; i < user->label_count; i++) {
        json_key(json, user->labels[i].key);
        json_object_begin(json);
        json_key(json, STR("S"));
        json_string(json, user->labels[i].value);
        json_object_end(json);
    }
    json_object_end(json);
    json_object_end(json);
    item_put_n(json, "create_us", user->create_us);
    item_put_n(json, "update_us", user->update_us);
    item_put_s(json, "owner_issuer", user->owner_issuer);
    item_put_s(json, "owner_subject", user->owner_subject);
    item_put_n(json, "v", (int64_t)user->version);
    item_put_s(json, "nk", terms->name_key);
    item_put_s(json, "tk", terms->tokens);
}

static bool read_labels(const struct json_value *map, struct arena *arena, struct user *user)
{
    if (!map || map->kind != JSON_OBJECT || map->count > USER_LABELS_MAX)
        return false;
    user->labels = NULL;
    user->label_count = 0;
    if (map->count)
        user->labels = arena_alloc(arena, map->count * sizeof *user->labels);
    for (const struct json_value *label = map->first; label; label = label->next) {
        const struct json_value *value = json_get(label, STR("S"));
        if (!value)
            return false;
        user->labels[user->label_count++] = (struct user_label){label->key, value->text};
    }
    user->label_count = user_labels_normalise(user->labels, user->label_count);
    return true;
}

enum code item_user(const struct json_value *item, struct arena *arena, struct user *user,
                    struct error *err)
{
    const struct json_value *labels = json_get(json_get(item, STR("labels")), STR("M"));
    memset(user, 0, sizeof *user);
    user->version = (uint64_t)item_n(item, "v");
    if (!id_parse(item_s(item, "sk"), &user->id) || !user->version ||
        !read_labels(labels, arena, user))
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored user is damaged");
    user->email = item_s(item, "email");
    user->display_name = item_s(item, "display_name");
    user->given_name = item_s(item, "given_name");
    user->family_name = item_s(item, "family_name");
    user->status = (int32_t)item_n(item, "status");
    user->create_us = item_n(item, "create_us");
    user->update_us = item_n(item, "update_us");
    user->owner_issuer = item_s(item, "owner_issuer");
    user->owner_subject = item_s(item, "owner_subject");
    return CODE_OK;
}
