/*
 * omnictl keys: API keys. A secret is printed once, alone on standard output, so that a script can
 * take it; all that is for people goes to standard error.
 */
#include "base/clock.h"
#include "base/id.h"
#include "base/time_text.h"
#include "omnictl/access_api.h"
#include "omnictl/key_view.h"

#include "google/protobuf/empty.pb-c.h"

#include <stdio.h>
#include <string.h>

typedef Omnidata__Access__V1__ApiKey key_message;

struct settings {
    const char *plan, *expires, *name;
    int64_t overlap_ms;
    bool is_public, all, json;
};

static const struct access_verb VERBS[] = {
    {"create", 1, "create NAME --plan=PLAN [--public] [--expires=90d|TIME|never]",
     " plan public expires json "},
    {"list", 0, "list [--all]", " all json "},
    {"show", 1, "show ID", " json "},
    {"update", 1, "update ID [--name=NAME] [--plan=PLAN] [--expires=90d|TIME|never]",
     " name plan expires json "},
    {"rotate", 1, "rotate ID [--overlap=24h]", " overlap json "},
    {"disable", 1, "disable ID", " json "},
};

static char *argument(const struct command_call *call, size_t index)
{
    return (char *)(uintptr_t)call->arguments[index]; /* protobuf-c does not write to it */
}

static int call_access(const struct command_call *call, const char *method,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                       struct arena *arena, void **response)
{
    return access_call(&COMMAND_KEYS, call, method, request, type, arena, response);
}

/* A time (RFC 3339), or a duration from now on. */
static bool read_expiry(const char *text, Google__Protobuf__Timestamp *time)
{
    int64_t ms, seconds;
    int32_t nanos;
    if (config_parse_duration(str_of(text), &ms)) {
        time->seconds = clock_wall_ms(clock_real()) / 1000 + ms / 1000;
        return true;
    }
    if (!time_parse_rfc3339(str_of(text), &seconds, &nanos))
        return false;
    time->seconds = seconds;
    time->nanos = nanos;
    return true;
}

static int refuse_expiry(const char *text)
{
    return command_refuse(&COMMAND_KEYS,
                          "--expires: \"%s\" is neither a duration like 90d nor a time like "
                          "2027-01-31T00:00:00Z",
                          text);
}

static int create(const struct command_call *call, struct arena *arena)
{
    const struct settings *settings = call->settings;
    Omnidata__Access__V1__CreateApiKeyRequest request =
        OMNIDATA__ACCESS__V1__CREATE_API_KEY_REQUEST__INIT;
    key_message key = OMNIDATA__ACCESS__V1__API_KEY__INIT;
    Google__Protobuf__Timestamp expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char request_id[ID_TEXT_BYTES + 1];
    void *response;
    if (!*settings->plan)
        return command_refuse(&COMMAND_KEYS, "a key needs a --plan; `omnictl plans list`");
    bool expiring = *settings->expires && strcmp(settings->expires, "never") != 0;
    if (expiring && !read_expiry(settings->expires, &expires))
        return refuse_expiry(settings->expires);
    id_format(id_new(clock_real()), request_id); /* repeated calls make one key */
    key.display_name = argument(call, 1);
    key.plan_id = (char *)(uintptr_t)settings->plan;
    key.public_ = settings->is_public;
    if (expiring)
        key.expire_time = &expires;
    request.api_key = &key;
    request.request_id = request_id;
    int result =
        call_access(call, "CreateApiKey", &request.base,
                    &omnidata__access__v1__create_api_key_response__descriptor, arena, &response);
    if (result == COMMAND_OK)
        key_print_secret(response, settings->json, arena);
    return result;
}

/* What is said is changed; the rest stays. */
static int update(const struct command_call *call, struct arena *arena)
{
    const struct settings *settings = call->settings;
    Omnidata__Access__V1__UpdateApiKeyRequest request =
        OMNIDATA__ACCESS__V1__UPDATE_API_KEY_REQUEST__INIT;
    key_message key = OMNIDATA__ACCESS__V1__API_KEY__INIT;
    Google__Protobuf__Timestamp expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    char *paths[3];
    void *response;
    mask.paths = paths;
    if (*settings->name)
        paths[mask.n_paths++] = "display_name";
    if (*settings->plan)
        paths[mask.n_paths++] = "plan_id";
    if (*settings->expires)
        paths[mask.n_paths++] = "expire_time";
    if (!mask.n_paths)
        return command_refuse(&COMMAND_KEYS, "nothing to change: --name, --plan or --expires");
    if (*settings->expires && strcmp(settings->expires, "never") != 0) {
        if (!read_expiry(settings->expires, &expires))
            return refuse_expiry(settings->expires);
        key.expire_time = &expires;
    }
    key.id = argument(call, 1);
    key.display_name = (char *)(uintptr_t)settings->name;
    key.plan_id = (char *)(uintptr_t)settings->plan;
    request.api_key = &key;
    request.update_mask = &mask;
    int result = call_access(call, "UpdateApiKey", &request.base,
                             &omnidata__access__v1__api_key__descriptor, arena, &response);
    if (result == COMMAND_OK)
        key_print(response, NULL, settings->json, arena);
    return result;
}

static int rotate(const struct command_call *call, struct arena *arena)
{
    const struct settings *settings = call->settings;
    Omnidata__Access__V1__RotateApiKeyRequest request =
        OMNIDATA__ACCESS__V1__ROTATE_API_KEY_REQUEST__INIT;
    void *response;
    request.id = argument(call, 1);
    /* Whole seconds, none too few: 0 would end the old secret at once. */
    request.overlap_seconds = (uint32_t)((settings->overlap_ms + 999) / 1000);
    int result =
        call_access(call, "RotateApiKey", &request.base,
                    &omnidata__access__v1__create_api_key_response__descriptor, arena, &response);
    if (result == COMMAND_OK)
        key_print_secret(response, settings->json, arena);
    return result;
}

static int disable(const struct command_call *call, struct arena *arena)
{
    const struct settings *settings = call->settings;
    Omnidata__Access__V1__DisableApiKeyRequest request =
        OMNIDATA__ACCESS__V1__DISABLE_API_KEY_REQUEST__INIT;
    void *response;
    request.id = argument(call, 1);
    int result = call_access(call, "DisableApiKey", &request.base,
                             &google__protobuf__empty__descriptor, arena, &response);
    if (result == COMMAND_OK)
        puts(settings->json ? "{}" : "disabled");
    return result;
}

/* All keys, or those that are not over; they end up in one array. */
static int list(const struct command_call *call, struct arena *arena)
{
    const struct settings *settings = call->settings;
    Omnidata__Access__V1__ListApiKeysRequest request =
        OMNIDATA__ACCESS__V1__LIST_API_KEYS_REQUEST__INIT;
    const Omnidata__Access__V1__ListApiKeysResponse *page;
    size_t hidden = 0;
    struct buf out;
    struct json_out json = json_out_to(&out);
    void *response;
    request.page_size = 1000;
    buf_init_arena(&out, arena, ACCESS_TEXT_BYTES_MAX);
    json_array_begin(&json);
    if (!settings->json)
        key_print_head();
    do {
        int result = call_access(call, "ListApiKeys", &request.base,
                                 &omnidata__access__v1__list_api_keys_response__descriptor, arena,
                                 &response);
        if (result != COMMAND_OK)
            return result;
        page = response;
        for (size_t i = 0; i < page->n_api_keys; i++) {
            const key_message *key = page->api_keys[i];
            bool over =
                strcmp(key_state(key), "disabled") == 0 || strcmp(key_state(key), "expired") == 0;
            hidden += over && !settings->all;
            if (over && !settings->all)
                continue;
            if (!settings->json)
                key_print_row(key, arena);
            key_json(&json, key);
        }
        request.page_token = page->next_page_token;
    } while (*page->next_page_token);
    json_array_end(&json);
    if (settings->json)
        puts(buf_cstr(&out));
    else if (hidden)
        fprintf(stderr, "%zu disabled or expired; --all shows them\n", hidden);
    return COMMAND_OK;
}

/* The key, and what it has used unless that is counted for each of its users. */
static int show(const struct command_call *call, struct arena *arena)
{
    const struct settings *settings = call->settings;
    Omnidata__Access__V1__GetApiKeyRequest request =
        OMNIDATA__ACCESS__V1__GET_API_KEY_REQUEST__INIT;
    Omnidata__Access__V1__GetApiKeyUsageRequest usage_request =
        OMNIDATA__ACCESS__V1__GET_API_KEY_USAGE_REQUEST__INIT;
    void *response, *usage = NULL;
    request.id = usage_request.id = argument(call, 1);
    int result = call_access(call, "GetApiKey", &request.base,
                             &omnidata__access__v1__api_key__descriptor, arena, &response);
    const key_message *key = response;
    if (result == COMMAND_OK && !key->public_)
        result = call_access(call, "GetApiKeyUsage", &usage_request.base,
                             &omnidata__access__v1__usage__descriptor, arena, &usage);
    if (result != COMMAND_OK)
        return result;
    key_print(key, usage, settings->json, arena);
    return COMMAND_OK;
}

static int run(const struct command_call *call)
{
    static int (*const runs[])(const struct command_call *,
                               struct arena *) = {create, list, show, update, rotate, disable};
    const struct settings *settings = call->settings;
    struct arena arena = {0};
    char given[64];
    snprintf(given, sizeof given, "%s%s%s%s%s%s", *settings->plan ? " plan " : "",
             *settings->name ? " name " : "", settings->is_public ? " public " : "",
             *settings->expires ? " expires " : "", settings->overlap_ms ? " overlap " : "",
             settings->all ? " all " : "");
    const struct access_verb *verb =
        access_verb_find(&COMMAND_KEYS, VERBS, sizeof VERBS / sizeof *VERBS, call, given);
    int result = verb ? runs[verb - VERBS](call, &arena) : COMMAND_USAGE;
    arena_clear(&arena);
    return result;
}

static const struct config_item ITEMS[] = {
    {.name = "plan",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, plan),
     .default_text = "",
     .help = "create, update: the key's plan"},
    {.name = "name",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, name),
     .default_text = "",
     .help = "update: what people call the key"},
    {.name = "public",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, is_public),
     .default_text = "false",
     .help =
         "create: everybody can see the key, like a web page's: limits count by user or network"},
    {.name = "expires",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct settings, expires),
     .default_text = "",
     .help = "create, update: good so long, or until this time (RFC 3339); `never`"},
    {.name = "overlap",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct settings, overlap_ms),
     .default_text = "0s",
     .low = "0s",
     .high = "30d",
     .help = "rotate: the old secret stays good so long"},
    {.name = "all",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, all),
     .default_text = "false",
     .help = "list: disabled and expired keys too"},
    {.name = "json",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct settings, json),
     .default_text = "false",
     .help = "for programs"},
};

const struct command COMMAND_KEYS = {
    .name = "keys",
    .arguments = "create NAME | list | show ID | update ID | rotate ID | disable ID",
    .summary = "API keys: makes, lists, changes, ends them",
    .detail = "A secret is printed once, alone on standard output; nobody can show it again, only\n"
              "its first characters and what it is a hash of are kept. Gateways know of a change\n"
              "within a second. A key that is disabled stays so.\n"
              "  KEY=$(omnictl keys create 'the shop' --plan=basic)\n"
              "  omnictl keys rotate ID --overlap=24h   # both secrets are good for a day\n"
              "Exit code: 0 done, 1 refused, 2 wrong usage, 3 the service cannot be reached.\n",
    .items = ITEMS,
    .item_count = sizeof ITEMS / sizeof *ITEMS,
    .settings_size = sizeof(struct settings),
    .arguments_min = 1,
    .arguments_max = 2,
    .calls = true,
    .run = run,
};
