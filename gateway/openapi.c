/* The document: its frame, the paths in order, what is referred to. */
#include "gateway/openapi.h"

#include "base/alloc.h"
#include "gateway/openapi_operation.h"

#include <stdlib.h>
#include <string.h>

static void security_schemes(struct openapi *api)
{
    json_key(&api->json, STR("securitySchemes"));
    json_raw(&api->json,
             STR("{\"key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\"},"
                 "\"signIn\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"}}"));
}

static const char *verb_of(struct str http_method)
{
    static const char *const verbs[][2] = {
        {"GET", "get"},     {"PUT", "put"},   {"POST", "post"},       {"DELETE", "delete"},
        {"PATCH", "patch"}, {"HEAD", "head"}, {"OPTIONS", "options"}, {"TRACE", "trace"}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_eq(http_method, str_of(verbs[i][0])))
            return verbs[i][1];
    return NULL; /* OpenAPI has no words for others */
}

static int by_shape(const void *a, const void *b)
{
    const struct operation *x = a, *y = b;
    int order = str_cmp(x->shape, y->shape);
    return order ? order : strcmp(x->verb, y->verb);
}

static enum code collect(struct openapi *api, struct operation **list, size_t *count,
                         struct error *err)
{
    const struct openapi_options *options = api->options;
    size_t room = 0;
    for (size_t i = 0; i < options->method_count; i++)
        room += options->methods[i]->binding_count;
    *list = arena_alloc0(&api->arena, (room + 1) * sizeof **list);
    *count = 0;
    for (size_t i = 0; i < options->method_count; i++) {
        const struct schema_method *method = options->methods[i];
        for (size_t b = 0; b < method->binding_count; b++) {
            struct operation *operation = &(*list)[*count];
            operation->verb = verb_of(method->bindings[b].http_method);
            if (!operation->verb)
                continue;
            operation->method = method;
            operation->binding = &method->bindings[b];
            operation->number = b;
            operation->template = arena_alloc0(&api->arena, sizeof *operation->template);
            if (template_parse(&api->arena, operation->binding->template, operation->template,
                               err) != CODE_OK)
                return err->code;
            operation->path = openapi_path(&api->arena, operation->template, true);
            operation->shape = openapi_path(&api->arena, operation->template, false);
            (*count)++;
        }
    }
    qsort(*list, *count, sizeof **list, by_shape);
    return CODE_OK;
}

/* Templates that differ in their variables' names only are one path: that of the first of them. */
static void paths(struct openapi *api, struct operation *list, size_t count)
{
    json_key(&api->json, STR("paths"));
    json_object_begin(&api->json);
    for (size_t i = 0; i < count;) {
        const struct operation *first = &list[i];
        json_key(&api->json, first->path);
        json_object_begin(&api->json);
        for (; i < count && str_eq(list[i].shape, first->shape); i++) {
            list[i].path = first->path;
            if (&list[i] == first || strcmp(list[i].verb, list[i - 1].verb) != 0)
                openapi_operation(api, &list[i]);
        }
        json_object_end(&api->json);
    }
    json_object_end(&api->json);
}

/* The errors as status.c writes them. No message's name has a hyphen. */
static void components(struct openapi *api)
{
    static const char errors[] =
        "{\"Error\":{\"description\":\"Any failure, whichever part found it.\",\"content\":{"
        "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/http-error\"}},"
        "\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/"
        "http-problem\"}}}}}";
    static const char error[] =
        "{\"type\":\"object\",\"description\":\"An error (AIP-193).\",\"required\":[\"error\"],"
        "\"properties\":{\"error\":{\"type\":\"object\",\"required\":[\"code\",\"message\","
        "\"status\"],\"properties\":{\"code\":{\"type\":\"integer\"},\"message\":{\"type\":"
        "\"string\"},\"status\":{\"type\":\"string\"},\"details\":{\"type\":\"array\",\"items\":{"
        "\"type\":\"object\"}}}}}}";
    static const char error_of_aws[] =
        "{\"type\":\"object\",\"description\":\"An error, as API Gateway of AWS says it.\","
        "\"required\":[\"message\"],\"properties\":{\"message\":{\"type\":\"string\"}}}";
    static const char problem[] =
        "{\"type\":\"object\",\"description\":\"An error for who accepts application/problem+json "
        "(RFC 9457).\",\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":"
        "\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"}}}";
    json_key(&api->json, STR("components"));
    json_object_begin(&api->json);
    json_key(&api->json, STR("schemas"));
    json_object_begin(&api->json);
    openapi_components(api);
    json_key(&api->json, STR("http-error"));
    json_raw(&api->json, str_of(api->options->shape == STATUS_AWS ? error_of_aws : error));
    json_key(&api->json, STR("http-problem"));
    json_raw(&api->json, str_of(problem));
    json_object_end(&api->json);
    json_key(&api->json, STR("responses"));
    json_raw(&api->json, str_of(errors));
    if (api->options->secured)
        security_schemes(api);
    json_object_end(&api->json);
}

static void info(struct openapi *api)
{
    openapi_text(api, STR("openapi"), STR("3.1.1"));
    json_key(&api->json, STR("info"));
    json_object_begin(&api->json);
    openapi_text(api, STR("title"), api->options->title);
    openapi_text(api, STR("version"), STR("1"));
    json_object_end(&api->json);
    json_key(&api->json, STR("servers"));
    json_raw(&api->json, STR("[{\"url\":\"/\"}]"));
}

static bool described_before(const struct openapi *api, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (str_eq(api->options->methods[i]->service, api->options->methods[index]->service))
            return true;
    return false;
}

static void tags(struct openapi *api)
{
    json_key(&api->json, STR("tags"));
    json_array_begin(&api->json);
    for (size_t i = 0; i < api->options->method_count; i++) {
        struct str service = api->options->methods[i]->service;
        if (described_before(api, i))
            continue;
        json_object_begin(&api->json);
        openapi_text(api, STR("name"), openapi_service_label(api, service));
        openapi_description(api, service);
        json_object_end(&api->json);
    }
    json_array_end(&api->json);
}

enum code openapi_write(const struct openapi_options *options, struct buf *out, struct error *err)
{
    struct openapi api = {.options = options, .json = json_out_to(out)};
    struct operation *list;
    size_t count;
    enum code code = collect(&api, &list, &count, err);
    if (code == CODE_OK) {
        json_object_begin(&api.json);
        info(&api);
        tags(&api);
        paths(&api, list, count);
        components(&api);
        json_object_end(&api.json);
    }
    xfree(api.messages);
    xfree(api.enums);
    arena_clear(&api.arena);
    return code;
}
