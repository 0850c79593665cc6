/*
 * The first line is a template, the rest paths, a line each: a template that is taken must not make
 * any path crash the search, and values must stand in as many segments as there are.
 */
#include "gateway/route.h"

#include <stdlib.h>

extern const char nasty_set[], nasty_set_end[];
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct schema *schema_once(void)
{
    static struct schema *schema;
    struct error err = {0};
    struct str set = {nasty_set, (size_t)(nasty_set_end - nasty_set)};
    if (!schema && schema_load(set, &schema, &err) != CODE_OK)
        abort();
    return schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schema_message *all =
        schema_find_message(schema_once(), STR("omnidata.test.nasty.All"));
    const struct schema_method method = {.full_path = STR("/S/M"), .input = all, .output = all};
    struct route_table *table = route_table_new();
    struct arena arena = {0};
    struct error err = {0};
    struct str rest = {(const char *)data, size}, line;
    struct route_match match;
    struct buf allow;
    const struct schema_binding fixed[] = {
        {STR("GET"), STR("/v1/users/{scalars.a_string}"), STR(""), STR("")},
        {STR("GET"), STR("/v1/users:search"), STR(""), STR("")},
        {STR("POST"), STR("/v1/{scalars.a_string=**}:verb"), STR("*"), STR("")},
    };
    struct schema_binding binding = {STR("GET"), STR(""), STR(""), STR("")};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (route_table_add(table, &method, &fixed[i], NULL, &err) != CODE_OK)
            abort();
    buf_init_arena(&allow, &arena, 1000);
    if (size && str_next(&rest, '\n', &binding.template) &&
        route_table_add(table, &method, &binding, NULL, &err) != CODE_OK && !err.text[0])
        abort();
    while (size && str_next(&rest, '\n', &line)) {
        enum route_found found = route_find(table, STR("GET"), line, &arena, &match);
        buf_reset(&allow);
        if (route_allow(table, line, &arena, &allow) !=
            (found == ROUTE_FOUND || found == ROUTE_OTHER_METHODS))
            abort();
        for (size_t i = 0; found == ROUTE_FOUND && i < match.route->variable_count; i++)
            if (match.values[i].len > line.len)
                abort();
    }
    arena_clear(&arena);
    route_table_free(table);
    return 0;
}
