/* Users as items. */
#include "user/store_dynamodb_internal.h"

#include <string.h>

static void put_labels(struct json_out *json, const struct user *user)
{
    json_key(json, STR("labels"));
    json_object_begin(json);
    json_key(json, STR("M"));
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
}

void item_put_user(struct json_out *json, const struct user *user, const struct search_terms *terms)
{
    dynamodb_put_s(json, "email", user->email);
    dynamodb_put_s(json, "display_name", user->display_name);
    dynamodb_put_s(json, "given_name", user->given_name);
    dynamodb_put_s(json, "family_name", user->family_name);
    dynamodb_put_n(json, "status", user->status);
    put_labels(json, user);
    dynamodb_put_n(json, "create_us", user->create_us);
    dynamodb_put_n(json, "update_us", user->update_us);
    dynamodb_put_s(json, "owner_issuer", user->owner_issuer);
    dynamodb_put_s(json, "owner_subject", user->owner_subject);
    dynamodb_put_n(json, "v", (int64_t)user->version);
    dynamodb_put_s(json, "nk", terms->name_key);
    dynamodb_put_s(json, "tk", terms->tokens);
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
    user->version = (uint64_t)dynamodb_number(item, "v");
    if (!id_parse(dynamodb_text(item, "sk"), &user->id) || !user->version ||
        !read_labels(labels, arena, user))
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored user is damaged");
    user->email = dynamodb_text(item, "email");
    user->display_name = dynamodb_text(item, "display_name");
    user->given_name = dynamodb_text(item, "given_name");
    user->family_name = dynamodb_text(item, "family_name");
    user->status = (int32_t)dynamodb_number(item, "status");
    user->create_us = dynamodb_number(item, "create_us");
    user->update_us = dynamodb_number(item, "update_us");
    user->owner_issuer = dynamodb_text(item, "owner_issuer");
    user->owner_subject = dynamodb_text(item, "owner_subject");
    return CODE_OK;
}
