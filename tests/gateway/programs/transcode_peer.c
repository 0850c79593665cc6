/*
 * The transcoder as a filter, for a test in another language: lines `in TYPE HEX` (JSON to wire)
 * and `out TYPE HEX` (wire to JSON) are answered with `ok HEX` or `error TEXT`. Knows the types of
 * tests/gateway/nasty.proto.
 */
#include "base/encode.h"
#include "gateway/transcode.h"

#include <stdio.h>
#include <stdlib.h>

extern const char nasty_set[], nasty_set_end[];

static enum code answer(const struct schema *schema, struct str verb, struct str type,
                        struct str hex, struct arena *arena, struct buf *out, struct error *err)
{
    const struct schema_message *message = schema_find_message(schema, type);
    uint8_t *bytes = arena_alloc(arena, hex.len / 2 + 1);
    struct str text = {(char *)bytes, hex.len / 2};
    const struct json_value *json;
    if (!message || !decode_hex(hex, bytes))
        return error_set(err, CODE_INTERNAL, NULL, "no such type, or no hex");
    if (str_eq(verb, STR("out"))) {
        struct transcode_out to = {schema, out, arena, false};
        return transcode_message_out(&to, message, text, err);
    }
    struct transcode_in in = {.schema = schema, .arena = arena, .out = out, .err = err};
    enum code code = json_read(arena, text, json_limits_default(), &json, err);
    return code ? code : transcode_message_in(&in, message, json, NULL, STR(""));
}

int main(void)
{
    struct schema *schema;
    struct error err = {0};
    struct str set = {nasty_set, (size_t)(nasty_set_end - nasty_set)};
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    if (schema_load(set, &schema, &err) != CODE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    while ((length = getline(&line, &room, stdin)) > 0) {
        struct arena arena = {0};
        struct buf out, hex;
        struct str rest = {line, (size_t)length - 1}, verb, type, text;
        buf_init_arena(&out, &arena, 64 << 20);
        buf_init_arena(&hex, &arena, 128 << 20);
        if (!str_next(&rest, ' ', &verb) || !str_next(&rest, ' ', &type) ||
            !str_next(&rest, ' ', &text))
            return 2;
        if (answer(schema, verb, type, text, &arena, &out, &err) == CODE_OK) {
            encode_hex(&hex, buf_str(&out));
            printf("ok %s\n", buf_cstr(&hex));
        } else {
            printf("error %s\n", err.text);
        }
        fflush(stdout);
        arena_clear(&arena);
    }
    free(line); /* NOLINT: getline's memory is the C library's */
    schema_free(schema);
    return 0;
}
