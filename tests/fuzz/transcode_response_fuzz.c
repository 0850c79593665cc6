/*
 * Any bytes as a message: refused, or shown as JSON that our own reader takes back and that shows
 * the same again. The first byte chooses the type.
 */
#include "gateway/transcode.h"

#include <stdlib.h>

extern const char nasty_set[], nasty_set_end[];
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const TYPES[] = {
    "omnidata.test.nasty.All",   "omnidata.test.nasty.Scalars", "omnidata.test.nasty.Optionals",
    "omnidata.test.nasty.Lists", "omnidata.test.nasty.Maps",    "omnidata.test.nasty.Oneofs",
    "omnidata.test.nasty.Known", "omnidata.test.nasty.Tree",
};

static struct schema *schema_once(void)
{
    static struct schema *schema;
    struct error err = {0};
    struct str set = {nasty_set, (size_t)(nasty_set_end - nasty_set)};
    if (!schema && schema_load(set, &schema, &err) != CODE_OK)
        abort();
    return schema;
}

static void show_again(struct arena *arena, const struct schema_message *type, struct str text)
{
    struct error err = {0};
    struct buf wire, shown;
    const struct json_value *json;
    buf_init_arena(&wire, arena, 64 << 20);
    buf_init_arena(&shown, arena, 64 << 20);
    struct transcode_in in = {.schema = schema_once(), .arena = arena, .out = &wire, .err = &err};
    struct transcode_out to = {schema_once(), &shown, arena, false};
    if (json_read(arena, text, (struct json_limits){64 << 20, 1000}, &json, &err) != CODE_OK ||
        transcode_message_in(&in, type, json, NULL, STR("")) != CODE_OK ||
        transcode_message_out(&to, type, buf_str(&wire), &err) != CODE_OK ||
        !str_eq(buf_str(&shown), text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct error err = {0};
    struct buf shown;
    if (!size)
        return 0;
    const struct schema_message *type =
        schema_find_message(schema_once(), str_of(TYPES[data[0] % 8]));
    buf_init_arena(&shown, &arena, 64 << 20);
    struct transcode_out to = {schema_once(), &shown, &arena, false};
    if (transcode_message_out(&to, type, (struct str){(const char *)data + 1, size - 1}, &err) ==
        CODE_OK)
        show_again(&arena, type, buf_str(&shown));
    else if (err.code != CODE_INTERNAL || !err.text[0])
        abort();
    arena_clear(&arena);
    return 0;
}
