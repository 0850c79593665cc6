/* For people, or as JSON. */
#include "omnictl/key_view.h"

#include "base/clock.h"
#include "base/json_out.h"
#include "base/time_text.h"
#include "omnictl/access_api.h"

#include <stdio.h>

enum { TIME_BYTES_MAX = 64 };

typedef Omnidata__Access__V1__ApiKey key_message;

const char *key_state(const key_message *key)
{
    int64_t now_s = clock_wall_ms(clock_real()) / 1000;
    if (key->disabled)
        return "disabled";
    if (key->expire_time && key->expire_time->seconds <= now_s)
        return "expired";
    return key->public_ ? "public" : "good";
}

/* Ids of the same length, then columns of ASCII, and the name, which may be of any width, last. */
#define ROW "  %-36s  %-11s  %-8s  %-20s  %-16s  %s\n"

void key_print_head(void)
{
    printf(ROW, "id", "secret", "state", "expires", "plan", "name");
}

void key_print_row(const key_message *key, struct arena *arena)
{
    printf(ROW, key->id, key->prefix, key_state(key), access_time(key->expire_time, "-", arena),
           key->plan_id, key->display_name);
}

static void time_json(struct json_out *json, struct str key,
                      const Google__Protobuf__Timestamp *time)
{
    struct buf text;
    if (!time)
        return;
    buf_init(&text, TIME_BYTES_MAX);
    time_add_rfc3339(&text, time->seconds, time->nanos);
    json_key(json, key);
    json_string(json, buf_str(&text));
    buf_clear(&text);
}

/* As ProtoJSON writes them, without the braces around them. */
static void add_fields(struct json_out *json, const Omnidata__Access__V1__ApiKey *key)
{
    json_key(json, STR("id"));
    json_string(json, str_of(key->id));
    json_key(json, STR("displayName"));
    json_string(json, str_of(key->display_name));
    json_key(json, STR("planId"));
    json_string(json, str_of(key->plan_id));
    json_key(json, STR("prefix"));
    json_string(json, str_of(key->prefix));
    json_key(json, STR("public"));
    json_bool(json, key->public_);
    json_key(json, STR("disabled"));
    json_bool(json, key->disabled);
    time_json(json, STR("createTime"), key->create_time);
    time_json(json, STR("rotateTime"), key->rotate_time);
    time_json(json, STR("oldSecretExpireTime"), key->old_secret_expire_time);
    time_json(json, STR("expireTime"), key->expire_time);
    time_json(json, STR("disableTime"), key->disable_time);
}

void key_json(struct json_out *json, const key_message *key)
{
    json_object_begin(json);
    add_fields(json, key);
    json_object_end(json);
}

void key_print_secret(const Omnidata__Access__V1__CreateApiKeyResponse *response, bool as_json,
                      struct arena *arena)
{
    const key_message *key = response->api_key;
    struct buf out;
    struct json_out json = json_out_to(&out);
    if (!as_json) {
        fprintf(stderr, "key %s (%s), plan %s. Its secret is shown only this once:\n", key->id,
                key->display_name, key->plan_id);
        if (key->old_secret_expire_time)
            fprintf(stderr, "(the old one is good until %s)\n",
                    access_time(key->old_secret_expire_time, "", arena));
        puts(response->secret);
        return;
    }
    buf_init_arena(&out, arena, ACCESS_TEXT_BYTES_MAX);
    json_object_begin(&json);
    add_fields(&json, key);
    json_key(&json, STR("secret"));
    json_string(&json, str_of(response->secret));
    json_object_end(&json);
    puts(buf_cstr(&out));
}

static void print_text(const key_message *key, const Omnidata__Access__V1__Usage *usage,
                       struct arena *arena)
{
    printf("id        %s\nname      %s\nsecret    %s…\nplan      %s\nstate     %s\ncreated   %s\n"
           "rotated   %s\nexpires   %s\n",
           key->id, key->display_name, key->prefix, key->plan_id, key_state(key),
           access_time(key->create_time, "-", arena), access_time(key->rotate_time, "-", arena),
           access_time(key->expire_time, "never", arena));
    if (key->disable_time)
        printf("disabled  %s\n", access_time(key->disable_time, "", arena));
    if (key->old_secret_expire_time)
        printf("an older secret is good until %s\n",
               access_time(key->old_secret_expire_time, "", arena));
    if (usage && usage->reset_time)
        printf("used      %llu of %llu this %s (%llu in leases); anew at %s\n",
               (unsigned long long)usage->used, (unsigned long long)usage->plan->quota,
               access_period(usage->plan->quota_period), (unsigned long long)usage->leased,
               access_time(usage->reset_time, "", arena));
    else if (usage || key->public_)
        printf("used      %s\n",
               key->public_ ? "counted by user and network" : "not counted: the plan has no quota");
}

static void print_json(const key_message *key, const Omnidata__Access__V1__Usage *usage,
                       struct arena *arena)
{
    struct buf out;
    struct json_out json = json_out_to(&out);
    buf_init_arena(&out, arena, ACCESS_TEXT_BYTES_MAX);
    json_object_begin(&json);
    add_fields(&json, key);
    if (usage && usage->reset_time) {
        json_key(&json, STR("used"));
        json_u64(&json, usage->used);
        json_key(&json, STR("remaining"));
        json_u64(&json, usage->remaining);
        json_key(&json, STR("resetTime"));
        json_string(&json, str_of(access_time(usage->reset_time, "", arena)));
    }
    json_object_end(&json);
    puts(buf_cstr(&out));
}

void key_print(const key_message *key, const Omnidata__Access__V1__Usage *usage, bool as_json,
               struct arena *arena)
{
    if (as_json)
        print_json(key, usage, arena);
    else
        print_text(key, usage, arena);
}
