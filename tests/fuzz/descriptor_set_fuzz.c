/*
 * Any bytes as --descriptor-set: refused with words, or tables out of which routes and a document
 * are made. What it says of messages is then tried on a few bytes in both directions.
 */
#include "gateway/document.h"
#include "gateway/route.h"
#include "gateway/transcode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_words(enum code code, const struct error *err)
{
    if (code != CODE_OK && !err->text[0])
        abort();
}

static void describe(const struct schema *schema, struct str set)
{
    struct route_table *routes = route_table_new();
    struct comments *comments = comments_new(set);
    struct document *document;
    struct error err = {0};
    size_t count, routed = 0;
    const struct schema_method *methods = schema_methods(schema, &count);
    const struct schema_method **list = calloc(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        enum code code = CODE_OK;
        for (size_t b = 0; code == CODE_OK && b < methods[i].binding_count; b++)
            code = route_table_add(routes, &methods[i], &methods[i].bindings[b], NULL, &err);
        expect_words(code, &err);
        if (code == CODE_OK)
            list[routed++] = &methods[i];
    }
    const struct openapi_options options = {.schema = schema,
                                            .comments = comments,
                                            .methods = list,
                                            .method_count = routed,
                                            .title = STR("fuzz"),
                                            .secured = true};
    expect_words(document_new(&options, &document, &err), &err);
    document_free(document);
    comments_free(comments);
    route_table_free(routes);
    free(list);
}

static void transcode(const struct schema *schema, struct str bytes)
{
    size_t count;
    const struct schema_method *methods = schema_methods(schema, &count);
    for (size_t i = 0; i < count && i < 4; i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct buf json;
        buf_init_arena(&json, &arena, 1 << 20);
        struct transcode_out to = {schema, &json, &arena, true};
        expect_words(transcode_message_out(&to, methods[i].output, bytes, &err), &err);
        arena_clear(&arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str set = {(const char *)data, size};
    struct schema *schema;
    struct error err = {0};
    enum code code = schema_load(set, &schema, &err);
    expect_words(code, &err);
    if (code != CODE_OK)
        return 0;
    describe(schema, set);
    transcode(schema, set);
    schema_free(schema);
    return 0;
}
