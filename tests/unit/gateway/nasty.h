/* The schema of tests/gateway/nasty.proto, for the tests of the gateway's tables. */
#pragma once
#include "gateway/schema.h"
#include "tests/support/unit.h"

#include <stdio.h>

extern const char nasty_set[], nasty_set_end[];

static inline struct schema *nasty_schema(void)
{
    struct schema *schema;
    struct error err = {0};
    struct str set = {nasty_set, (size_t)(nasty_set_end - nasty_set)};
    if (schema_load(set, &schema, &err) != CODE_OK)
        fail_msg("%s", err.text);
    return schema;
}

static inline const struct schema_message *nasty_type(const struct schema *schema, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "omnidata.test.nasty.%s", name);
    const struct schema_message *message = schema_find_message(schema, str_of(full));
    if (!message)
        fail_msg("no type %s", full);
    return message;
}
