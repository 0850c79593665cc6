/* Looking things up in the tables. How they are made: schema_load.c. */
#include "gateway/schema_tables.h"

#include <string.h>

uint32_t schema_hash(struct str name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
    return hash ^ hash >> 15;
}

int schema_name_order(struct str a, struct str b)
{
    return a.len != b.len ? (a.len < b.len ? -1 : 1) : a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

const struct schema_field *schema_field_named(const struct schema_message *message, struct str name)
{
    if (!message->name_slots)
        return NULL;
    uint32_t mask = message->name_slots - 1;
    for (uint32_t slot = schema_hash(name) & mask; message->names[slot].field;
         slot = (slot + 1) & mask)
        if (str_eq(message->names[slot].name, name))
            return message->names[slot].field;
    return NULL;
}

const struct schema_field *schema_field_of(const struct schema_message *message, struct str name)
{
    const struct schema_field *first = schema_field_named(message, name);
    if (!first || str_eq(first->name, name))
        return first;
    uint32_t mask = message->name_slots - 1;
    for (uint32_t slot = schema_hash(name) & mask; message->names[slot].field;
         slot = (slot + 1) & mask)
        if (str_eq(message->names[slot].field->name, name))
            return message->names[slot].field;
    return first;
}

const struct schema_field *schema_field_numbered(const struct schema_message *message,
                                                 uint32_t number)
{
    if (number <= message->dense)
        return number ? &message->fields[number - 1] : NULL;
    size_t low = message->dense, high = message->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (message->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < message->field_count && message->fields[low].number == number
               ? &message->fields[low]
               : NULL;
}

const struct schema_enum_value *schema_enum_named(const struct schema_enum *enumeration,
                                                  struct str name)
{
    size_t low = 0, high = enumeration->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = schema_name_order(enumeration->named[middle].name, name);
        if (order == 0)
            return &enumeration->named[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct schema_enum_value *schema_enum_numbered(const struct schema_enum *enumeration,
                                                     int32_t number)
{
    size_t low = 0, high = enumeration->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (enumeration->values[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < enumeration->count && enumeration->values[low].number == number
               ? &enumeration->values[low]
               : NULL;
}

const struct schema_message *schema_find_message(const struct schema *schema, struct str full_name)
{
    if (!schema->slot_count)
        return NULL;
    uint32_t mask = schema->slot_count - 1;
    for (uint32_t slot = schema_hash(full_name) & mask; schema->slots[slot].name.ptr;
         slot = (slot + 1) & mask)
        if (str_eq(schema->slots[slot].name, full_name))
            return schema->slots[slot].message;
    return NULL;
}

const struct schema_message *schema_any_type(const struct schema *schema, struct str url)
{
    size_t slash = url.len;
    while (slash && url.ptr[slash - 1] != '/')
        slash--;
    const struct schema_message *type =
        slash > 1 ? schema_find_message(schema, str_from(url, slash)) : NULL;
    return type && !type->refused.ptr ? type : NULL;
}

const struct schema_method *schema_methods(const struct schema *schema, size_t *count)
{
    *count = schema->method_count;
    return schema->methods;
}

typedef const struct schema_field *lookup_fn(const struct schema_message *message, struct str name);

static bool resolve(const struct schema_message *message, struct str dotted, lookup_fn *look_up,
                    struct schema_path *path)
{
    struct str rest = dotted, name;
    path->count = 0;
    while (str_next(&rest, '.', &name)) {
        const struct schema_field *field = message ? look_up(message, name) : NULL;
        if (!field || path->count == SCHEMA_PATH_MAX)
            return false;
        path->fields[path->count++] = field;
        message = field->repeated ? NULL : field->message;
    }
    return true;
}

bool schema_path_named(const struct schema_message *message, struct str dotted,
                       struct schema_path *path)
{
    return resolve(message, dotted, schema_field_named, path);
}

bool schema_path_of(const struct schema_message *message, struct str dotted,
                    struct schema_path *path)
{
    return resolve(message, dotted, schema_field_of, path);
}
