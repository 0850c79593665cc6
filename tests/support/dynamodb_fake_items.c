/* Items as trees in arenas of their own; a small reader for the expressions that the store uses. */
#include "tests/support/dynamodb_fake_items.h"

#include "base/alloc.h"
#include "base/json_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 8 << 20 };

/* --- trees as text --- */

static void write_value(struct json_out *json, const struct json_value *value)
{
    switch (value->kind) {
    case JSON_NULL:
        json_null(json);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        json_bool(json, value->kind == JSON_TRUE);
        break;
    case JSON_NUMBER:
        json_raw(json, value->text);
        break;
    case JSON_STRING:
        json_string(json, value->text);
        break;
    case JSON_ARRAY:
        json_array_begin(json);
        for (const struct json_value *one = value->first; one; one = one->next)
            write_value(json, one);
        json_array_end(json);
        break;
    case JSON_OBJECT:
        json_object_begin(json);
        for (const struct json_value *one = value->first; one; one = one->next) {
            json_key(json, one->key);
            write_value(json, one);
        }
        json_object_end(json);
        break;
    }
}

void fake_write(struct buf *out, const struct json_value *value)
{
    struct json_out json = json_out_to(out);
    write_value(&json, value);
}

struct str fake_text(const struct json_value *item, const char *name)
{
    const struct json_value *text = json_get(json_get(item, str_of(name)), STR("S"));
    return text ? text->text : (struct str){0};
}

/* --- the table --- */

static void free_item(struct fake_item *item)
{
    struct arena arena = item->arena; /* the item lies in it */
    arena_clear(&arena);
}

void fake_table_clear(struct fake_table *table)
{
    for (size_t b = 0; b < FAKE_BUCKETS; b++) {
        for (struct fake_partition *at = table->buckets[b], *next; at; at = next) {
            next = at->next;
            for (size_t i = 0; i < at->count; i++)
                free_item(at->items[i]);
            xfree(at->items);
            xfree((char *)(uintptr_t)at->pk.ptr);
            xfree(at);
        }
        table->buckets[b] = NULL;
    }
}

struct fake_partition *fake_partition(struct fake_table *table, struct str pk, bool make)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < pk.len; i++)
        hash = (hash ^ (unsigned char)pk.ptr[i]) * 16777619U;
    struct fake_partition **at = &table->buckets[hash % FAKE_BUCKETS];
    while (*at && !str_eq((*at)->pk, pk))
        at = &(*at)->next;
    if (!*at && make) {
        char *copy = xmalloc(pk.len + 1);
        memcpy(copy, pk.ptr, pk.len);
        *at = xcalloc(1, sizeof **at);
        (*at)->pk = (struct str){copy, pk.len};
    }
    return *at;
}

size_t fake_lower(const struct fake_partition *partition, struct str sk)
{
    size_t low = 0, high = partition->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (str_cmp(partition->items[middle]->sk, sk) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct fake_item *fake_find(struct fake_table *table, struct str pk, struct str sk)
{
    struct fake_partition *partition = fake_partition(table, pk, false);
    if (!partition)
        return NULL;
    size_t at = fake_lower(partition, sk);
    return at < partition->count && str_eq(partition->items[at]->sk, sk) ? partition->items[at]
                                                                         : NULL;
}

void fake_put(struct fake_table *table, struct str pk, struct str sk, struct str json)
{
    struct fake_partition *partition = fake_partition(table, pk, true);
    struct arena arena = {0};
    struct error err = {0};
    struct fake_item *item = arena_alloc0(&arena, sizeof *item);
    struct json_limits limits = {.bytes = TEXT_MAX, .depth = 40};
    item->pk = arena_str(&arena, pk);
    item->sk = arena_str(&arena, sk);
    item->bytes = json.len;
    if (json_read(&arena, arena_str(&arena, json), limits, &item->root, &err) != CODE_OK)
        abort();
    item->arena = arena;
    size_t at = fake_lower(partition, sk);
    if (at < partition->count && str_eq(partition->items[at]->sk, sk)) {
        free_item(partition->items[at]);
        partition->items[at] = item;
        return;
    }
    if (partition->count == partition->room) {
        partition->room = 2 * partition->room + 8;
        partition->items = xrealloc(partition->items, partition->room * sizeof *partition->items);
    }
    memmove(partition->items + at + 1, partition->items + at,
            (partition->count - at) * sizeof *partition->items);
    partition->items[at] = item;
    partition->count++;
}

void fake_remove(struct fake_table *table, struct str pk, struct str sk)
{
    struct fake_partition *partition = fake_partition(table, pk, false);
    if (!fake_find(table, pk, sk))
        return;
    size_t at = fake_lower(partition, sk);
    free_item(partition->items[at]);
    partition->count--;
    memmove(partition->items + at, partition->items + at + 1,
            (partition->count - at) * sizeof *partition->items);
}

/* --- expressions --- */

struct reader {
    struct str rest;
    const struct json_value *item, *values;
};

static void skip_spaces(struct reader *reader)
{
    while (reader->rest.len && reader->rest.ptr[0] == ' ')
        reader->rest = str_from(reader->rest, 1);
}

static bool accept(struct reader *reader, const char *token)
{
    skip_spaces(reader);
    if (!str_starts(reader->rest, str_of(token)))
        return false;
    reader->rest = str_from(reader->rest, strlen(token));
    return true;
}

static void demand(struct reader *reader, const char *token)
{
    if (accept(reader, token))
        return;
    fprintf(stderr, "dynamodb_fake: no %s before \"%.*s\"\n", token, STR_ARG(reader->rest));
    abort();
}

/* A name, or a value with its colon. */
static struct str word(struct reader *reader)
{
    size_t length = 0;
    skip_spaces(reader);
    while (length < reader->rest.len &&
           (reader->rest.ptr[length] == ':' || reader->rest.ptr[length] == '_' ||
            (reader->rest.ptr[length] >= 'a' && reader->rest.ptr[length] <= 'z')))
        length++;
    struct str found = {reader->rest.ptr, length};
    reader->rest = str_from(reader->rest, length);
    if (!length)
        demand(reader, "word");
    return found;
}

static int64_t number(const struct json_value *value)
{
    int64_t result = 0;
    const struct json_value *text = json_get(value, STR("N"));
    if (!text || !str_to_i64(text->text, &result))
        abort();
    return result;
}

/* False for attributes that are not there or of another type. */
static bool compare(const struct json_value *a, const struct json_value *b, const char *operator)
{
    int order;
    if (!a || !b || !str_eq(a->first->key, b->first->key))
        return false;
    if (str_eq(a->first->key, STR("N")))
        order = (number(a) > number(b)) - (number(a) < number(b));
    else
        order = str_cmp(a->first->text, b->first->text);
    return strcmp(operator, "<=") == 0 ? order <= 0 : order == 0;
}

static bool factor(struct reader *reader)
{
    if (accept(reader, "attribute_not_exists(")) {
        bool exists = json_get(reader->item, word(reader)) != NULL;
        demand(reader, ")");
        return !exists;
    }
    if (accept(reader, "attribute_exists(")) {
        bool exists = json_get(reader->item, word(reader)) != NULL;
        demand(reader, ")");
        return exists;
    }
    struct str name = word(reader);
    const char *operator= accept(reader, "<=") ? "<=" : "=";
    if (operator[0] == '=')
        demand(reader, "=");
    return compare(json_get(reader->item, name), json_get(reader->values, word(reader)), operator);
}

static bool conjunction(struct reader *reader)
{
    bool all = factor(reader);
    while (accept(reader, "AND "))
        all &= factor(reader);
    return all;
}

bool fake_condition(struct str expression, const struct json_value *item,
                    const struct json_value *values)
{
    struct reader reader = {expression, item, values};
    bool any = conjunction(&reader);
    while (accept(&reader, "OR "))
        any |= conjunction(&reader);
    if (reader.rest.len)
        demand(&reader, "end");
    return any;
}

struct str fake_update(struct str expression, struct str pk, struct str sk,
                       const struct json_value *item, const struct json_value *values,
                       struct arena *arena)
{
    enum { CHANGES_MAX = 8 };
    struct str names[CHANGES_MAX];
    char *texts[CHANGES_MAX];
    size_t count = 0;
    struct reader reader = {expression, item, values};
    bool set = accept(&reader, "SET ");
    while (set) {
        struct buf text;
        names[count] = word(&reader);
        demand(&reader, "=");
        buf_init_arena(&text, arena, TEXT_MAX);
        fake_write(&text, json_get(values, word(&reader)));
        texts[count++] = arena_cstr(arena, buf_str(&text));
        set = accept(&reader, ",");
    }
    if (accept(&reader, "ADD ")) {
        struct str name = word(&reader);
        const struct json_value *old = json_get(item, name);
        int64_t sum = (old ? number(old) : 0) + number(json_get(values, word(&reader)));
        names[count] = name;
        texts[count++] = arena_printf(arena, "{\"N\":\"%lld\"}", (long long)sum);
    }
    if (reader.rest.len)
        demand(&reader, "end");
    struct buf out;
    buf_init_arena(&out, arena, TEXT_MAX);
    struct json_out json = json_out_to(&out);
    json_object_begin(&json);
    for (size_t i = 0; i < count; i++) {
        json_key(&json, names[i]);
        json_raw(&json, str_of(texts[i]));
    }
    for (const struct json_value *one = item ? item->first : NULL; one; one = one->next) {
        bool changed = false;
        for (size_t i = 0; i < count; i++)
            changed = changed || str_eq(names[i], one->key);
        if (changed)
            continue;
        json_key(&json, one->key);
        write_value(&json, one);
    }
    if (!item) {
        json_key(&json, STR("pk"));
        json_object_begin(&json);
        json_key(&json, STR("S"));
        json_string(&json, pk);
        json_object_end(&json);
        json_key(&json, STR("sk"));
        json_object_begin(&json);
        json_key(&json, STR("S"));
        json_string(&json, sk);
        json_object_end(&json);
    }
    json_object_end(&json);
    return buf_str(&out);
}
