/* One grammar for all backends, so that what is wrong is said in the same words everywhere. */
#include "aws/location.h"

#include "base/encode.h"

#include <string.h>

enum { NAME_MAX_BYTES = 1024 };

static bool is_word(struct str text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || (byte && strchr(others, byte));
        if (!plain)
            return false;
    }
    return text.len > 0;
}

static enum code wrong(struct error *err, struct str text, const char *what)
{
    return error_set(err, CODE_INVALID_ARGUMENT, NULL, "\"%.*s\": %s", STR_ARG(text), what);
}

static struct str without_slashes(struct str text)
{
    while (text.len && text.ptr[0] == '/')
        text = str_from(text, 1);
    while (text.len && text.ptr[text.len - 1] == '/')
        text.len--;
    return text;
}

/* What is valid differs a little between the services; what is refused here is wrong for all. */
static bool name_fits(struct str service, struct str name)
{
    if (name.len > NAME_MAX_BYTES)
        return false;
    if (str_eq(service, STR("s3")))
        return is_word(name, ".-") && name.len >= 3 && name.len <= 63;
    if (str_eq(service, STR("sns")))
        return is_word(name, "-_.:");
    return is_word(name, "-_.");
}

static enum code read_endpoint(struct str value, struct str whole, struct aws_location *location,
                               struct error *err)
{
    struct str host;
    if (str_starts(value, STR("https://")))
        host = str_from(value, 8);
    else if (str_starts(value, STR("http://")))
        host = str_from(value, 7);
    else
        return wrong(err, whole, "endpoint is not http://HOST[:PORT] or https://HOST[:PORT]");
    if (host.len && host.ptr[host.len - 1] == '/') {
        host.len--;
        value.len--;
    }
    if (!is_word(host, ".-:[]"))
        return wrong(err, whole, "endpoint is not http://HOST[:PORT] or https://HOST[:PORT]");
    location->endpoint = value;
    location->host = host;
    location->own_endpoint = true;
    return CODE_OK;
}

struct reading {
    struct str text;
    struct aws_parameter *parameters;
    size_t parameter_count;
    struct arena *arena;
    struct aws_location *location;
};

static enum code take_parameter(struct reading *reading, struct str name, struct str value,
                                struct error *err)
{
    struct aws_location *location = reading->location;
    if (str_eq(name, STR("region"))) {
        if (location->region.ptr)
            return wrong(err, reading->text, "region is given twice");
        if (!is_word(value, "-"))
            return wrong(err, reading->text, "region is not one, such as eu-central-1");
        location->region = value;
        return CODE_OK;
    }
    if (str_eq(name, STR("endpoint"))) {
        if (location->endpoint.ptr)
            return wrong(err, reading->text, "endpoint is given twice");
        return read_endpoint(value, reading->text, location, err);
    }
    for (size_t i = 0; i < reading->parameter_count; i++) {
        struct aws_parameter *parameter = &reading->parameters[i];
        if (!str_eq(name, str_of(parameter->name)))
            continue;
        if (parameter->value.ptr)
            return error_set(err, CODE_INVALID_ARGUMENT, NULL, "\"%.*s\": %s is given twice",
                             STR_ARG(reading->text), parameter->name);
        parameter->value = value;
        return CODE_OK;
    }
    return error_set(err, CODE_INVALID_ARGUMENT, NULL, "\"%.*s\": unknown parameter \"%.*s\"",
                     STR_ARG(reading->text), STR_ARG(name));
}

static enum code read_parameters(struct reading *reading, struct str query, struct error *err)
{
    struct str rest = query, piece;
    while (str_next(&rest, '&', &piece)) {
        ptrdiff_t equals = str_find(piece, '=');
        struct buf value;
        if (equals <= 0)
            return wrong(err, reading->text, "a parameter is not NAME=VALUE");
        buf_init_arena(&value, reading->arena, NAME_MAX_BYTES);
        if (!decode_percent(&value, str_from(piece, (size_t)equals + 1), false) || !value.len ||
            memchr(value.ptr, 0, value.len))
            return wrong(err, reading->text, "a parameter has no or a malformed value");
        if (take_parameter(reading, (struct str){piece.ptr, (size_t)equals},
                           arena_str(reading->arena, buf_str(&value)), err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

static struct str public_host(struct str service, struct str region, struct arena *arena)
{
    bool china = str_starts(region, STR("cn-"));
    return str_of(arena_printf(arena, "%.*s.%.*s.amazonaws.com%s", STR_ARG(service),
                               STR_ARG(region), china ? ".cn" : ""));
}

static void use_public_endpoint(struct aws_location *location, struct arena *arena)
{
    location->host = public_host(location->service, location->region, arena);
    location->endpoint = str_of(arena_printf(arena, "https://%.*s", STR_ARG(location->host)));
}

/* arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME holds a region of its own. */
static struct str region_of_arn(struct str name)
{
    struct str rest = name, piece = {0};
    if (!str_starts(name, STR("arn:")))
        return (struct str){0};
    for (int i = 0; i < 4; i++)
        if (!str_next(&rest, ':', &piece))
            return (struct str){0};
    return piece;
}

static struct str find_region(const struct aws_location *location,
                              char *(*environment)(const char *), struct arena *arena)
{
    static const char *const variables[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    struct str region = region_of_arn(location->name);
    if (location->region.len || region.len)
        return location->region.len ? location->region : region;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        struct str found = str_of(environment(variables[i]));
        if (found.len)
            return arena_str(arena, found);
    }
    return (struct str){0};
}

enum code aws_location_read(struct str text, const char *service,
                            char *(*environment)(const char *), struct aws_parameter *parameters,
                            size_t parameter_count, struct arena *arena,
                            struct aws_location *location, struct error *err)
{
    struct reading reading = {text, parameters, parameter_count, arena, location};
    struct str scheme = str_of(arena_printf(arena, "%s://", service));
    *location = (struct aws_location){.service = arena_str(arena, str_of(service))};
    for (size_t i = 0; i < parameter_count; i++)
        parameters[i].value = (struct str){0};
    if (!str_starts(text, scheme) || !str_is_utf8(text) || memchr(text.ptr, 0, text.len))
        return error_set(err, CODE_INVALID_ARGUMENT, NULL, "\"%.*s\" is not %sNAME", STR_ARG(text),
                         scheme.ptr);
    struct str rest = arena_str(arena, str_from(text, scheme.len)), query = {0};
    ptrdiff_t mark = str_find(rest, '?');
    if (mark >= 0) {
        query = str_from(rest, (size_t)mark + 1);
        rest.len = (size_t)mark;
    }
    ptrdiff_t slash = str_eq(location->service, STR("s3")) ? str_find(rest, '/') : -1;
    location->name = slash < 0 ? rest : (struct str){rest.ptr, (size_t)slash};
    location->prefix = slash < 0 ? STR("") : without_slashes(str_from(rest, (size_t)slash));
    if (!name_fits(location->service, location->name) || location->prefix.len > NAME_MAX_BYTES / 2)
        return error_set(err, CODE_INVALID_ARGUMENT, NULL, "\"%.*s\": no name can be \"%.*s\"",
                         STR_ARG(text), STR_ARG(location->name));
    if (mark >= 0 && read_parameters(&reading, query, err) != CODE_OK)
        return err->code;
    location->region = find_region(location, environment, arena);
    if (!is_word(location->region, "-"))
        return wrong(err, text, "no region: add ?region=… or set AWS_REGION");
    if (!location->own_endpoint)
        use_public_endpoint(location, arena);
    return CODE_OK;
}

struct aws_location aws_location_beside(const struct aws_location *location, const char *service,
                                        struct arena *arena)
{
    struct aws_location other = *location;
    other.service = arena_str(arena, str_of(service));
    other.name = other.prefix = STR("");
    if (!location->own_endpoint)
        use_public_endpoint(&other, arena);
    return other;
}
