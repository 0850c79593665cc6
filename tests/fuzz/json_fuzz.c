/* The JSON reader: any text is refused with words, or its tree written out reads back the same. */
#include "base/json_out.h"
#include "json/json_in.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_out(const struct json_value *value, struct json_out *json)
{
    switch (value->kind) {
    case JSON_NULL:
        json_null(json);
        return;
    case JSON_FALSE:
    case JSON_TRUE:
        json_bool(json, value->kind == JSON_TRUE);
        return;
    case JSON_NUMBER:
        json_raw(json, value->text);
        return;
    case JSON_STRING:
        json_string(json, value->text);
        return;
    case JSON_ARRAY:
        json_array_begin(json);
        break;
    case JSON_OBJECT:
        json_object_begin(json);
        break;
    }
    for (const struct json_value *v = value->first; v; v = v->next) {
        if (value->kind == JSON_OBJECT)
            json_key(json, v->key);
        write_out(v, json);
    }
    if (value->kind == JSON_OBJECT)
        json_object_end(json);
    else
        json_array_end(json);
}

static void same(const struct json_value *a, const struct json_value *b)
{
    if (a->kind != b->kind || a->count != b->count || !str_eq(a->text, b->text) ||
        !str_eq(a->key, b->key))
        abort();
    const struct json_value *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        same(x, y);
    if (x || y)
        abort();
}

/* Where a number is an integer of both kinds, both kinds agree, and so does the double. */
static void check_number(struct str text)
{
    int64_t i;
    uint64_t u;
    double d;
    if (!json_is_number(text))
        abort();
    bool is_i = json_number_i64(text, &i), is_u = json_number_u64(text, &u);
    if (is_i && is_u && (uint64_t)i != u)
        abort();
    if (is_i && json_number_double(text, &d) && d != (double)i)
        abort();
}

static void check_numbers(const struct json_value *value)
{
    if (value->kind == JSON_NUMBER)
        check_number(value->text);
    for (const struct json_value *v = value->first; v; v = v->next)
        check_numbers(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct error err = {0};
    const struct json_value *value, *again;
    const struct json_limits limits = {16 << 20, 200};
    struct buf text;
    buf_init_arena(&text, &arena, 16 << 20);
    if (json_read(&arena, (struct str){(const char *)data, size}, limits, &value, &err)) {
        if (!err.text[0] || err.code != CODE_INVALID_ARGUMENT)
            abort();
    } else {
        struct json_out json = json_out_to(&text);
        check_numbers(value);
        write_out(value, &json);
        if (json_read(&arena, buf_str(&text), limits, &again, &err) != CODE_OK)
            abort();
        same(value, again);
    }
    arena_clear(&arena);
    return 0;
}
