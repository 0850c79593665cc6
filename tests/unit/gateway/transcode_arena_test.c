/* What a body takes of memory follows its length, also where the schema's messages are large. */
#include "gateway/transcode.h"
#include "gateway/wire.h"
#include "tests/support/unit.h"

enum { ONEOFS = 300, ELEMENTS = 20000 };

/* Numbers of google/protobuf/descriptor.proto. */
enum { SET_FILE = 1, FILE_MESSAGE = 4, FILE_SYNTAX = 12, NAME = 1, MEMBER = 2 };
enum { MESSAGE_ONEOF = 8, FIELD_NUMBER = 3, FIELD_LABEL, FIELD_TYPE, FIELD_TYPE_NAME };
enum { FIELD_ONEOF = 9, OPTIONAL = 1, REPEATED = 3 };

static void put_number(struct buf *out, uint32_t number, uint64_t value)
{
    wire_put_tag(out, number, WIRE_VARINT);
    wire_put_varint(out, value);
}

static void put_name(struct buf *out, const char *prefix, uint64_t index)
{
    wire_put_tag(out, NAME, WIRE_BYTES);
    size_t begin = wire_begin(out);
    buf_add_cstr(out, prefix);
    buf_add_u64(out, index);
    wire_end(out, begin);
}

/* Behind it comes what a field of its type has more. */
static size_t field_begin(struct buf *out, uint32_t number, int label, enum schema_type type)
{
    wire_put_tag(out, MEMBER, WIRE_BYTES);
    size_t begin = wire_begin(out);
    put_name(out, "f", number);
    put_number(out, FIELD_NUMBER, number);
    put_number(out, FIELD_LABEL, (uint64_t)label);
    put_number(out, FIELD_TYPE, type);
    return begin;
}

static void put_oneofs(struct buf *out)
{
    wire_put_tag(out, FILE_MESSAGE, WIRE_BYTES);
    size_t begin = wire_begin(out);
    wire_put_bytes(out, NAME, STR("Many"));
    for (uint32_t i = 0; i < ONEOFS; i++) {
        size_t field = field_begin(out, i + 1, OPTIONAL, SCHEMA_BOOL);
        put_number(out, FIELD_ONEOF, i);
        wire_end(out, field);
        wire_put_tag(out, MESSAGE_ONEOF, WIRE_BYTES);
        size_t oneof = wire_begin(out);
        put_name(out, "o", i);
        wire_end(out, oneof);
    }
    wire_end(out, begin);
}

static void put_lists(struct buf *out)
{
    wire_put_tag(out, FILE_MESSAGE, WIRE_BYTES);
    size_t begin = wire_begin(out);
    wire_put_bytes(out, NAME, STR("Lists"));
    size_t field = field_begin(out, 1, REPEATED, SCHEMA_MESSAGE);
    wire_put_bytes(out, FIELD_TYPE_NAME, STR(".Many"));
    wire_end(out, field);
    wire_end(out, begin);
}

static int set_up(void **state)
{
    struct buf set;
    struct error err = {0};
    struct schema *schema;
    buf_init(&set, 1 << 20);
    wire_put_tag(&set, SET_FILE, WIRE_BYTES);
    size_t begin = wire_begin(&set);
    put_oneofs(&set);
    put_lists(&set);
    wire_put_bytes(&set, FILE_SYNTAX, STR("proto3"));
    wire_end(&set, begin);
    if (schema_load(buf_str(&set), &schema, &err) != CODE_OK)
        fail_msg("%s", err.text);
    buf_clear(&set);
    *state = schema;
    return 0;
}

static int tear_down(void **state)
{
    schema_free(*state);
    return 0;
}

/* What writing {"f1": [element, …]} takes of the arena. */
static size_t arena_bytes_of(const struct schema *schema, const char *element)
{
    struct arena arena = {0};
    struct error err = {0};
    struct buf text, wire;
    const struct json_value *json;
    buf_init(&text, 1 << 20);
    buf_init(&wire, 1 << 20);
    buf_addf(&text, "{\"f1\":[%s", element);
    for (int i = 1; i < ELEMENTS; i++)
        buf_addf(&text, ",%s", element);
    buf_add_cstr(&text, "]}");
    assert_int_equal(json_read(&arena, buf_str(&text), json_limits_default(), &json, &err),
                     CODE_OK);
    struct transcode_in in = {.schema = schema, .arena = &arena, .out = &wire, .err = &err};
    size_t before = arena.used_bytes;
    assert_int_equal(
        transcode_message_in(&in, schema_find_message(schema, STR("Lists")), json, NULL, STR("")),
        CODE_OK);
    size_t taken = arena.used_bytes - before;
    assert_true(wire.len >= ELEMENTS);
    buf_clear(&text);
    buf_clear(&wire);
    arena_clear(&arena);
    return taken;
}

/* Rule 2: messages of one depth share the memory that says what they have met. */
static void memory_of_many_messages(void **state)
{
    assert_in_range(arena_bytes_of(*state, "{}"), 1, 16 << 10);
    assert_in_range(arena_bytes_of(*state, "{\"f1\":true,\"f300\":true}"), 1, 16 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_many_messages),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
