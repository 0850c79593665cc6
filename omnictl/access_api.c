/* Verbs, calls, and texts. */
#include "omnictl/access_api.h"

#include "base/time_text.h"
#include "omnictl/api.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 5000, TIME_BYTES_MAX = 64, PATH_BYTES_MAX = 128 };

static bool has_word(const char *words, struct str word, struct arena *arena)
{
    return strstr(words, arena_printf(arena, " %.*s ", STR_ARG(word))) != NULL;
}

static bool options_fit(const struct command *command, const struct access_verb *verb,
                        const char *given)
{
    struct arena arena = {0};
    struct str rest = str_of(given), option;
    bool fit = true;
    while (str_next(&rest, ' ', &option)) {
        if (!option.len || has_word(verb->options, option, &arena))
            continue;
        command_refuse(command, "--%.*s is not for `%s`", STR_ARG(option), verb->name);
        fit = false;
    }
    arena_clear(&arena);
    return fit;
}

const struct access_verb *access_verb_find(const struct command *command,
                                           const struct access_verb *verbs, size_t count,
                                           const struct command_call *call, const char *given)
{
    const char *name = call->arguments[0];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, verbs[i].name) != 0)
            continue;
        if (call->argument_count != verbs[i].arguments + 1) {
            command_refuse(command, "usage: omnictl %s %s", command->name, verbs[i].usage);
            return NULL;
        }
        return options_fit(command, &verbs[i], given) ? &verbs[i] : NULL;
    }
    command_refuse(command, "there is no `%s`; see: omnictl help %s", name, command->name);
    return NULL;
}

/* Every field at fault with its path; the message alone when there is none. */
static int complain(const struct command *command, const struct command_call *call,
                    const struct error *err)
{
    if (err->code != CODE_INVALID_ARGUMENT || !err->field_count)
        return api_complain(command->name, "user", call->globals->users, err);
    for (uint32_t i = 0; i < err->field_count; i++)
        fprintf(stderr, "omnictl %s: %s: %s\n", command->name, err->fields[i].path,
                err->fields[i].text);
    return COMMAND_FAILED;
}

int access_call(const struct command *command, const struct command_call *call, const char *method,
                const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                struct arena *arena, void **response)
{
    struct rpc_client *client = api_connect_users(call->globals);
    char path[PATH_BYTES_MAX];
    struct error err = {0};
    snprintf(path, sizeof path, "/omnidata.access.v1.AccessService/%s", method);
    enum code code =
        api_call(client, str_of(path), request, type, arena, response, PATIENCE_MS, &err);
    rpc_client_free(client);
    return code == CODE_OK ? COMMAND_OK : complain(command, call, &err);
}

const char *access_time(const Google__Protobuf__Timestamp *time, const char *none,
                        struct arena *arena)
{
    struct buf text;
    if (!time)
        return none;
    buf_init_arena(&text, arena, TIME_BYTES_MAX);
    time_add_rfc3339(&text, time->seconds, 0);
    return buf_cstr(&text);
}

const char *access_period(Omnidata__Access__V1__QuotaPeriod period)
{
    switch (period) {
    case OMNIDATA__ACCESS__V1__QUOTA_PERIOD__QUOTA_PERIOD_DAY:
        return "day";
    case OMNIDATA__ACCESS__V1__QUOTA_PERIOD__QUOTA_PERIOD_WEEK:
        return "week";
    case OMNIDATA__ACCESS__V1__QUOTA_PERIOD__QUOTA_PERIOD_MONTH:
        return "month";
    default:
        return "none";
    }
}

void access_plan_json(struct json_out *json, const Omnidata__Access__V1__Plan *plan)
{
    const ProtobufCEnumValue *period = protobuf_c_enum_descriptor_get_value(
        &omnidata__access__v1__quota_period__descriptor, (int)plan->quota_period);
    json_object_begin(json);
    json_key(json, STR("id"));
    json_string(json, str_of(plan->id));
    json_key(json, STR("rate"));
    json_double(json, plan->rate);
    json_key(json, STR("burst"));
    json_u64(json, plan->burst);
    if (plan->quota) {
        json_key(json, STR("quota"));
        json_u64(json, plan->quota);
        json_key(json, STR("quotaPeriod"));
        json_string(json, str_of(period ? period->name : ""));
    }
    json_object_end(json);
}
