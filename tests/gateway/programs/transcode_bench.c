/*
 * What a user of eight fields costs in each direction: nanoseconds a message, the best of five
 * rounds. Run with the release build.
 */
#include "gateway/transcode.h"
#include "pb/proto.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 5, TIMES = 200000 };

static const char USER[] =
    "{\"id\":\"01935c5e-7b5a-7c3e-9f4e-2b7d3a1c5e8f\",\"email\":\"jose.perez@example.org\","
    "\"displayName\":\"José Pérez García\",\"givenName\":\"José\",\"familyName\":\"Pérez García\","
    "\"status\":\"USER_STATUS_ACTIVE\",\"createTime\":\"2026-11-22T18:45:12.123456Z\","
    "\"updateTime\":\"2026-11-22T18:45:12.123456Z\"}";

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
    struct schema *schema;
    struct error err = {0};
    struct arena arena = {0};
    struct buf wire, json;
    double best_in = 1e9, best_read = 1e9, best_out = 1e9;
    if (schema_load(proto_builtin_set(), &schema, &err) != CODE_OK)
        return 2;
    const struct schema_message *user = schema_find_message(schema, STR("omnidata.user.v1.User"));
    buf_init(&wire, 1 << 20);
    buf_init(&json, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        const struct json_value *value;
        double begin = now_ns();
        for (int i = 0; i < TIMES; i++) {
            arena_reset(&arena);
            if (json_read(&arena, str_of(USER), json_limits_default(), &value, &err) != CODE_OK)
                return 1;
        }
        double read = (now_ns() - begin) / TIMES;
        begin = now_ns();
        for (int i = 0; i < TIMES; i++) {
            struct transcode_in in = {.schema = schema, .arena = &arena, .out = &wire, .err = &err};
            arena_reset(&arena);
            buf_reset(&wire);
            if (json_read(&arena, str_of(USER), json_limits_default(), &value, &err) != CODE_OK ||
                transcode_message_in(&in, user, value, NULL, STR("")) != CODE_OK)
                return 1;
        }
        double all = (now_ns() - begin) / TIMES;
        begin = now_ns();
        for (int i = 0; i < TIMES; i++) {
            struct transcode_out to = {schema, &json, &arena, false};
            buf_reset(&json);
            if (transcode_message_out(&to, user, buf_str(&wire), &err) != CODE_OK)
                return 1;
        }
        double out = (now_ns() - begin) / TIMES;
        best_read = read < best_read ? read : best_read;
        best_in = all < best_in ? all : best_in;
        best_out = out < best_out ? out : best_out;
    }
    printf("JSON -> wire %.0f ns (of it reading JSON %.0f ns), wire -> JSON %.0f ns, "
           "JSON %zu bytes, wire %zu bytes\n",
           best_in, best_read, best_out, json.len, wire.len);
    buf_clear(&wire);
    buf_clear(&json);
    arena_clear(&arena);
    schema_free(schema);
    return 0;
}
