/* Locations come from the command line, the rest from AWS's usual environment. */
#include "aws/setting.h"

#include <stdlib.h>

bool aws_setting_is(const char *text, const char *service)
{
    struct str value = str_of(text), scheme = str_of(service);
    return str_starts(value, scheme) && str_starts(str_from(value, scheme.len), STR("://"));
}

enum code aws_setting_open(const struct aws_setting *setting, const char *program,
                           struct arena *arena, struct aws **aws, struct aws_location *location,
                           struct error *err)
{
    const char *name = arena_printf(arena, "--%s", setting->name);
    if (aws_location_read(str_of(setting->text), setting->service, getenv, setting->parameters,
                          setting->parameter_count, arena, location, err) != CODE_OK)
        return error_prefix(err, name);
    if (!*aws && aws_open(&(struct aws_options){.user_agent = program}, aws, err) != CODE_OK)
        return error_prefix(err, name);
    return CODE_OK;
}
