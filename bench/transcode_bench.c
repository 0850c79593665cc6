/*
 * What a user of eight fields costs in each direction, beside jansson doing the least of the same:
 * nanoseconds a message, the best of several rounds. Run by `make bench-transcode`.
 */
#include "bench/jansson_peer.h"
#include "gateway/transcode.h"
#include "pb/proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 7, TIMES = 100000 };

static const char USER[] =
    "{\"id\":\"01935c5e-7b5a-7c3e-9f4e-2b7d3a1c5e8f\",\"email\":\"jose.perez@example.org\","
    "\"displayName\":\"José Pérez García\",\"givenName\":\"José\",\"familyName\":\"Pérez García\","
    "\"status\":\"USER_STATUS_ACTIVE\",\"createTime\":\"2026-11-22T18:45:12.123456Z\","
    "\"updateTime\":\"2026-11-22T18:45:12.123456Z\"}";

struct bench {
    struct schema *schema;
    const struct schema_message *user;
    struct arena arena;
    struct buf wire, json;
};

static const struct json_value *read_json(struct bench *b)
{
    const struct json_value *value;
    struct error err;
    arena_reset(&b->arena);
    if (json_read(&b->arena, str_of(USER), json_limits_default(), &value, &err) != CODE_OK)
        exit(1);
    return value;
}

static void json_to_wire(struct bench *b)
{
    struct error err;
    const struct json_value *value = read_json(b);
    struct transcode_in in = {
        .schema = b->schema, .arena = &b->arena, .out = &b->wire, .err = &err};
    buf_reset(&b->wire);
    if (transcode_message_in(&in, b->user, value, NULL, STR("")) != CODE_OK)
        exit(1);
}

static void wire_to_json(struct bench *b)
{
    struct error err;
    struct transcode_out to = {b->schema, &b->json, NULL, false}; /* nothing is allocated */
    buf_reset(&b->json);
    if (transcode_message_out(&to, b->user, buf_str(&b->wire), &err) != CODE_OK)
        exit(1);
}

static void jansson_encode(struct bench *b)
{
    (void)b;
    if (!jansson_peer_encode())
        exit(1);
}

static void jansson_decode(struct bench *b)
{
    (void)b;
    if (!jansson_peer_decode((struct str){USER, sizeof USER - 1}))
        exit(1);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double best(struct bench *b, void (*run)(struct bench *b))
{
    double least = 1e12;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < TIMES; i++)
            run(b);
        double one = (now_ns() - begin) / TIMES;
        least = one < least ? one : least;
    }
    return least;
}

int main(void)
{
    struct bench b = {0};
    struct error err = {0};
    if (schema_load(proto_builtin_set(), &b.schema, &err) != CODE_OK)
        return 2;
    b.user = schema_find_message(b.schema, STR("omnidata.user.v1.User"));
    buf_init(&b.wire, 1 << 20);
    buf_init(&b.json, 1 << 20);
    double in = best(&b, json_to_wire), out = best(&b, wire_to_json);
    double encode = best(&b, jansson_encode), decode = best(&b, jansson_decode);
    printf("a user of 8 fields: %zu bytes of JSON, %zu on the wire\n", b.json.len, b.wire.len);
    printf("%-28s %8.0f ns   jansson's tree to text %8.0f ns = %.1f x\n", "wire -> JSON", out,
           encode, encode / out);
    printf("%-28s %8.0f ns   jansson's text to tree %8.0f ns = %.1f x\n", "JSON -> wire", in,
           decode, decode / in);
    buf_clear(&b.wire);
    buf_clear(&b.json);
    arena_clear(&b.arena);
    schema_free(b.schema);
    return 0;
}
