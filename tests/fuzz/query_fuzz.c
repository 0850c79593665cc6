/* Any query string on a message with everything in it, and on one with a mask about such a message:
 * refused with words, or written as a message that reads back. */
#include "gateway/transcode.h"

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

/* `mask`: the field of the message that is a mask about `resource`, or NULL. */
static void try(struct schema *schema, const struct schema_message *message,
                const struct schema_field *mask, const struct schema_message *resource,
                struct str query)
{
    struct arena arena = {0};
    struct error err = {0};
    struct buf wire, shown;
    struct overlay *overlay = overlay_new(&arena, message);
    overlay_mask_of(overlay, mask, resource);
    buf_init_arena(&wire, &arena, 1 << 20);
    buf_init_arena(&shown, &arena, 8 << 20);
    struct transcode_in in = {.schema = schema, .arena = &arena, .out = &wire, .err = &err};
    struct transcode_out to = {schema, &shown, &arena, false};
    if (overlay_add_query(overlay, query, NULL, &err) != CODE_OK) {
        if (err.code != CODE_INVALID_ARGUMENT || !err.text[0])
            abort();
    } else if (transcode_message_in(&in, message, NULL, overlay, STR("")) != CODE_OK) {
        abort();
    } else if (transcode_message_out(&to, message, buf_str(&wire), &err) != CODE_OK &&
               !str_ends(str_of(err.text), STR("has no lowerCamel form"))) {
        abort();
    }
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema *schema = schema_once();
    const struct schema_message *all = schema_find_message(schema, STR("omnidata.test.nasty.All"));
    const struct schema_message *known =
        schema_find_message(schema, STR("omnidata.test.nasty.Known"));
    struct str query = {(const char *)data, size};
    try(schema, all, NULL, NULL, query);
    try(schema, known, schema_field_named(known, STR("mask")), all, query);
    return 0;
}
