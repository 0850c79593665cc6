/*
 * JSON to wire to JSON to wire: what is taken can be shown, and what is shown is taken again as the
 * same message. The first byte chooses the type.
 */
#include "gateway/transcode.h"

#include <stdlib.h>
#include <string.h>

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

static enum code in(struct arena *arena, const struct schema_message *type, struct str text,
                    struct buf *wire, struct error *err)
{
    const struct json_value *json;
    struct transcode_in to = {.schema = schema_once(), .arena = arena, .out = wire, .err = err};
    buf_init_arena(wire, arena, 16 << 20);
    enum code code = json_read(arena, text, (struct json_limits){1 << 20, 1000}, &json, err);
    return code ? code : transcode_message_in(&to, type, json, NULL, STR(""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct error err = {0};
    struct buf wire, shown, again, shown_again;
    if (!size)
        return 0;
    const struct schema_message *type =
        schema_find_message(schema_once(), str_of(TYPES[data[0] % 8]));
    buf_init_arena(&shown, &arena, 64 << 20);
    buf_init_arena(&shown_again, &arena, 64 << 20);
    struct transcode_out to = {schema_once(), &shown, &arena, false};
    if (in(&arena, type, (struct str){(const char *)data + 1, size - 1}, &wire, &err) != CODE_OK) {
        if (err.code != CODE_INVALID_ARGUMENT || !err.text[0])
            abort();
    } else if (transcode_message_out(&to, type, buf_str(&wire), &err) != CODE_OK) {
        if (!str_ends(str_of(err.text), STR("has no lowerCamel form")))
            abort();
    } else {
        if (in(&arena, type, buf_str(&shown), &again, &err) != CODE_OK)
            abort();
        to.out = &shown_again;
        if (transcode_message_out(&to, type, buf_str(&again), &err) != CODE_OK ||
            !str_eq(buf_str(&shown), buf_str(&shown_again)))
            abort();
    }
    arena_clear(&arena);
    return 0;
}
