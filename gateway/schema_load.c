/*
 * Makes the tables out of descriptors, in three passes: every type gets its place under its name,
 * then fields are filled in (they refer to types in any order), then services
 * (schema_load_services.c). protobuf-c decodes the descriptors.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/json_out.h"
#include "gateway/schema_features.h"
#include "gateway/schema_loader.h"
#include "gateway/wire.h"
#include "pb/proto.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 4096, NESTED_MAX = 64 };

#define FIELD_TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

struct str schema_keep(struct loader *l, const char *text)
{
    return arena_str(&l->schema->arena, str_of(text));
}

struct str schema_joined(struct loader *l, struct str scope, const char *name)
{
    return str_of(arena_printf(&l->schema->arena, "%.*s%s%s", STR_ARG(scope), scope.len ? "." : "",
                               name ? name : ""));
}

static struct schema_slot *slot_of(struct schema *schema, struct str name)
{
    uint32_t mask = schema->slot_count - 1, slot = schema_hash(name) & mask;
    while (schema->slots[slot].name.ptr && !str_eq(schema->slots[slot].name, name))
        slot = (slot + 1) & mask;
    return &schema->slots[slot];
}

/* --- the first pass: names --- */

static size_t count_types(DESCRIPTOR(DescriptorProto) *const *messages, size_t count, int depth)
{
    size_t types = 0;
    for (size_t i = 0; i < count && depth < NESTED_MAX; i++)
        types += 1 + messages[i]->n_enum_type +
                 count_types(messages[i]->nested_type, messages[i]->n_nested_type, depth + 1);
    return types;
}

static bool add_type(struct loader *l, struct str name, struct schema_message *message,
                     struct schema_enum *enumeration)
{
    struct schema_slot *slot = slot_of(l->schema, name);
    if (slot->name.ptr) {
        error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR", "type %.*s is there twice",
                  STR_ARG(name));
        return false;
    }
    *slot = (struct schema_slot){name, message, enumeration};
    return true;
}

static int by_number(const void *a, const void *b)
{
    const struct schema_enum_value *x = a, *y = b;
    return x->number != y->number ? (x->number < y->number ? -1 : 1)
                                  : (x->name.ptr > y->name.ptr) - (x->name.ptr < y->name.ptr);
}

static int by_name(const void *a, const void *b)
{
    const struct schema_enum_value *x = a, *y = b;
    return schema_name_order(x->name, y->name);
}

static bool name_enum(struct loader *l, struct str scope,
                      const DESCRIPTOR(EnumDescriptorProto) * from)
{
    struct arena *arena = &l->schema->arena;
    struct schema_enum *made = arena_alloc0(arena, sizeof *made);
    /* All names in one piece of memory, so that equal numbers sort in the order of declaration. */
    size_t bytes = 1;
    for (size_t i = 0; i < from->n_value; i++)
        bytes += strlen(from->value[i]->name ? from->value[i]->name : "") + 1;
    char *text = arena_alloc(arena, bytes);
    struct schema_enum_value *values = arena_alloc0(arena, (from->n_value + 1) * sizeof *values);
    for (size_t i = 0; i < from->n_value; i++) {
        struct str name = str_of(from->value[i]->name);
        memcpy(text, name.ptr, name.len);
        values[i] = (struct schema_enum_value){{text, name.len}, from->value[i]->number};
        text += name.len + 1;
    }
    struct schema_enum_value *named = arena_alloc(arena, (from->n_value + 1) * sizeof *named);
    memcpy(named, values, from->n_value * sizeof *named);
    qsort(values, from->n_value, sizeof *values, by_number);
    qsort(named, from->n_value, sizeof *named, by_name);
    made->full_name = schema_joined(l, scope, from->name);
    made->values = values;
    made->named = named;
    made->count = from->n_value;
    made->is_null_value = str_eq(made->full_name, STR("google.protobuf.NullValue"));
    return add_type(l, made->full_name, NULL, made);
}

static enum schema_well_known well_known_of(struct str name)
{
    static const struct {
        const char *name;
        enum schema_well_known kind;
    } table[] = {
        {"Any", SCHEMA_ANY},
        {"Timestamp", SCHEMA_TIMESTAMP},
        {"Duration", SCHEMA_DURATION},
        {"FieldMask", SCHEMA_FIELD_MASK},
        {"Struct", SCHEMA_STRUCT},
        {"Value", SCHEMA_VALUE},
        {"ListValue", SCHEMA_LIST_VALUE},
        {"DoubleValue", SCHEMA_WRAPPER},
        {"FloatValue", SCHEMA_WRAPPER},
        {"Int64Value", SCHEMA_WRAPPER},
        {"UInt64Value", SCHEMA_WRAPPER},
        {"Int32Value", SCHEMA_WRAPPER},
        {"UInt32Value", SCHEMA_WRAPPER},
        {"BoolValue", SCHEMA_WRAPPER},
        {"StringValue", SCHEMA_WRAPPER},
        {"BytesValue", SCHEMA_WRAPPER},
    };
    struct str prefix = STR("google.protobuf.");
    if (!str_starts(name, prefix))
        return SCHEMA_PLAIN;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (str_eq(str_from(name, prefix.len), str_of(table[i].name)))
            return table[i].kind;
    return SCHEMA_PLAIN;
}

static bool name_messages(struct loader *l, struct str scope,
                          DESCRIPTOR(DescriptorProto) *const *messages, size_t count, int depth)
{
    if (depth >= NESTED_MAX && count) {
        error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR", "%.*s: nested too deep",
                  STR_ARG(scope));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const DESCRIPTOR(DescriptorProto) *from = messages[i];
        struct schema_message *made = arena_alloc0(&l->schema->arena, sizeof *made);
        made->full_name = schema_joined(l, scope, from->name);
        made->well_known = well_known_of(made->full_name);
        made->is_map_entry = from->options && from->options->map_entry;
        if (!add_type(l, made->full_name, made, NULL) ||
            !name_messages(l, made->full_name, from->nested_type, from->n_nested_type, depth + 1))
            return false;
        for (size_t k = 0; k < from->n_enum_type; k++)
            if (!name_enum(l, made->full_name, from->enum_type[k]))
                return false;
    }
    return true;
}

/* --- the second pass: fields --- */

/* lower_snake to lowerCamel, as protoc makes json_name. */
static struct str camel(struct loader *l, struct str name)
{
    char *to = arena_alloc(&l->schema->arena, name.len + 1);
    size_t n = 0;
    bool raise = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '_') {
            raise = true;
            continue;
        }
        to[n++] = raise && c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
        raise = false;
    }
    to[n] = '\0';
    return (struct str){to, n};
}

static struct str quoted_key(struct loader *l, struct str name)
{
    struct buf key;
    buf_init_arena(&key, &l->schema->arena, NAME_BYTES_MAX * 6 + 3);
    buf_add_char(&key, '"');
    json_escape(&key, name);
    buf_add(&key, STR("\":"));
    return buf_str(&key);
}

static uint8_t wire_of(enum schema_type type)
{
    switch (type) {
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED64:
    case SCHEMA_SFIXED64:
        return WIRE_I64;
    case SCHEMA_FLOAT:
    case SCHEMA_FIXED32:
    case SCHEMA_SFIXED32:
        return WIRE_I32;
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
    case SCHEMA_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static bool find_type(struct loader *l, const DESCRIPTOR(FieldDescriptorProto) * from,
                      struct schema_field *to)
{
    if (to->type != SCHEMA_MESSAGE && to->type != SCHEMA_ENUM)
        return true;
    struct str name = str_of(from->type_name);
    const struct schema_slot *slot =
        slot_of(l->schema, name.len && name.ptr[0] == '.' ? str_from(name, 1) : name);
    to->message = to->type == SCHEMA_MESSAGE ? slot->message : NULL;
    to->enumeration = to->type == SCHEMA_ENUM ? slot->enumeration : NULL;
    if (to->message || to->enumeration)
        return true;
    error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR", "field %s: no type %s",
              from->name, from->type_name ? from->type_name : "is named");
    return false;
}

static bool fill_field(struct loader *l, const DESCRIPTOR(FieldDescriptorProto) * from,
                       const struct schema_features *features, struct schema_field *to)
{
    if (!from->name || from->number < 1 || (int)from->type < SCHEMA_DOUBLE ||
        (int)from->type > SCHEMA_SINT64 || strlen(from->name) > NAME_BYTES_MAX) {
        error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR",
                  "field %.100s has no name, number or type", from->name ? from->name : "?");
        return false;
    }
    to->name = schema_keep(l, from->name);
    to->json_name = from->json_name && strlen(from->json_name) <= NAME_BYTES_MAX
                        ? schema_keep(l, from->json_name)
                        : camel(l, to->name);
    to->json_key = quoted_key(l, to->json_name);
    to->number = (uint32_t)from->number;
    to->type = (enum schema_type)from->type;
    to->wire = wire_of(to->type);
    to->repeated = from->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
    bool packable = to->repeated && to->wire != WIRE_BYTES;
    to->packed = packable && (from->options && from->options->has_packed ? from->options->packed
                                                                         : features->packed);
    to->oneof = from->has_oneof_index && !from->proto3_optional ? from->oneof_index : -1;
    to->presence = !to->repeated && (!features->implicit || to->type == SCHEMA_MESSAGE ||
                                     to->oneof >= 0 || from->proto3_optional);
    return find_type(l, from, to);
}

static int by_field_number(const void *a, const void *b)
{
    const struct schema_field *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static void add_name(struct schema_name *names, uint32_t mask, struct str name,
                     const struct schema_field *field)
{
    uint32_t slot = schema_hash(name) & mask;
    for (; names[slot].field; slot = (slot + 1) & mask)
        if (names[slot].field == field && str_eq(names[slot].name, name))
            return;
    names[slot] = (struct schema_name){name, field};
}

static void make_indexes(struct loader *l, struct schema_message *to)
{
    uint32_t slots = 4;
    while (slots < to->field_count * 4)
        slots *= 2;
    struct schema_name *names = arena_alloc0(&l->schema->arena, slots * sizeof *names);
    for (uint32_t i = 0; i < to->field_count; i++) {
        add_name(names, slots - 1, to->fields[i].json_name, &to->fields[i]);
        if (to->dense == i && to->fields[i].number == i + 1)
            to->dense++;
    }
    for (uint32_t i = 0; i < to->field_count; i++)
        add_name(names, slots - 1, to->fields[i].name, &to->fields[i]);
    to->names = names;
    to->name_slots = slots;
}

/* The first reason stays. */
static void refuse(struct loader *l, struct schema_message *message, const char *field,
                   const char *why)
{
    if (!message->refused.ptr)
        message->refused =
            str_of(arena_printf(&l->schema->arena, "%.*s%s%.100s %s", STR_ARG(message->full_name),
                                field[0] ? "." : "", field, why));
}

/* A field of the message, unless it is a group: that leaves the message without it, and refused. */
static bool add_field(struct loader *l, struct schema_message *to, struct schema_field *field,
                      const DESCRIPTOR(FieldDescriptorProto) * from,
                      struct schema_features features)
{
    const char *name = from->name ? from->name : "?";
    schema_features_refine(&features, &l->scratch, from->options ? &from->options->base : NULL,
                           FEATURES_OF_FIELD);
    if (features.unknown)
        refuse(l, to, name, "has features that are not known here");
    if (from->type == FIELD_TYPE(GROUP)) {
        refuse(l, to, name, "is a group, and groups are not supported");
        return true;
    }
    if (!fill_field(l, from, &features, field))
        return false;
    if (field->oneof >= (int)to->oneof_count)
        to->oneof_count = (uint32_t)field->oneof + 1;
    to->field_count++;
    if (features.delimited && field->message && !field->message->is_map_entry && !to->is_map_entry)
        refuse(l, to, name, "is DELIMITED, a group, and groups are not supported");
    return true;
}

static bool fill_message(struct loader *l, struct schema_message *to,
                         const DESCRIPTOR(DescriptorProto) * from,
                         const struct schema_features *features)
{
    struct arena *arena = &l->schema->arena;
    struct schema_field *fields = arena_alloc0(arena, (from->n_field + 1) * sizeof *fields);
    struct str *oneofs = arena_alloc0(arena, (from->n_oneof_decl + 1) * sizeof *oneofs);
    for (size_t i = 0; i < from->n_oneof_decl; i++)
        oneofs[i] = schema_keep(l, from->oneof_decl[i]->name);
    for (size_t i = 0; i < from->n_field; i++) {
        const DESCRIPTOR(FieldDescriptorProto) *field = from->field[i];
        bool sound = !field->has_oneof_index || field->oneof_index < (int)from->n_oneof_decl;
        if (!sound)
            error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR",
                      "field %.100s: no such oneof", field->name ? field->name : "?");
        if (!sound || !add_field(l, to, &fields[to->field_count], field, *features)) {
            error_prefix(l->err, to->full_name.ptr);
            return false;
        }
    }
    qsort(fields, to->field_count, sizeof *fields, by_field_number);
    for (uint32_t i = 0; i < to->field_count; i++)
        fields[i].index = i;
    to->fields = fields;
    to->oneofs = oneofs;
    make_indexes(l, to);
    return true;
}

static bool fill_messages(struct loader *l, struct str scope,
                          DESCRIPTOR(DescriptorProto) *const *messages, size_t count,
                          const struct schema_features *outer)
{
    for (size_t i = 0; i < count; i++) {
        const DESCRIPTOR(DescriptorProto) *from = messages[i];
        struct str name = schema_joined(l, scope, from->name);
        struct schema_message *to = slot_of(l->schema, name)->message;
        struct schema_features features = *outer;
        schema_features_refine(&features, &l->scratch, from->options ? &from->options->base : NULL,
                               FEATURES_OF_MESSAGE);
        if (features.unknown)
            refuse(l, to, "", "has an edition or features that are not known here");
        if (!fill_message(l, to, from, &features) ||
            !fill_messages(l, name, from->nested_type, from->n_nested_type, &features))
            return false;
    }
    return true;
}

/* A map is a repeated message whose type says map_entry; well-known types must look like it. */
static bool finish_message(struct loader *l, struct schema_message *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        struct schema_field *field = (struct schema_field *)&message->fields[i];
        const struct schema_message *entry = field->message;
        if (!field->repeated || !entry || !entry->is_map_entry)
            continue;
        field->map_key = schema_field_numbered(entry, 1);
        field->map_value = schema_field_numbered(entry, 2);
        if (!field->map_key || !field->map_value || field->map_key->message) {
            error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR", "%.*s is no map entry",
                      STR_ARG(entry->full_name));
            return false;
        }
    }
    if (message->well_known == SCHEMA_WRAPPER && !schema_field_numbered(message, 1)) {
        error_set(l->err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR", "%.*s has no field 1",
                  STR_ARG(message->full_name));
        return false;
    }
    return true;
}

static bool inherits_refusal(struct schema_message *message)
{
    for (uint32_t i = 0; i < message->field_count && !message->refused.ptr; i++)
        if (message->fields[i].message && message->fields[i].message->refused.ptr) {
            message->refused = message->fields[i].message->refused;
            return true;
        }
    return false;
}

/* Whatever holds a message that is refused is refused. */
static void spread_refusals(struct schema *schema)
{
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < schema->slot_count; i++)
            again |= schema->slots[i].message && inherits_refusal(schema->slots[i].message);
    }
}

/* --- all of it --- */

static bool read_files(struct loader *l)
{
    size_t types = 0;
    for (size_t i = 0; i < l->set->n_file; i++)
        types += l->set->file[i]->n_enum_type +
                 count_types(l->set->file[i]->message_type, l->set->file[i]->n_message_type, 0);
    l->schema->slot_count = 16;
    while (l->schema->slot_count < types * 2)
        l->schema->slot_count *= 2;
    l->schema->slots =
        arena_alloc0(&l->schema->arena, l->schema->slot_count * sizeof *l->schema->slots);
    for (size_t i = 0; i < l->set->n_file; i++) {
        const DESCRIPTOR(FileDescriptorProto) *file = l->set->file[i];
        struct str package = str_of(file->package);
        if (!name_messages(l, package, file->message_type, file->n_message_type, 0))
            return false;
        for (size_t k = 0; k < file->n_enum_type; k++)
            if (!name_enum(l, package, file->enum_type[k]))
                return false;
    }
    for (size_t i = 0; i < l->set->n_file; i++) {
        const DESCRIPTOR(FileDescriptorProto) *file = l->set->file[i];
        struct schema_features features = schema_features_of(&l->scratch, file);
        if (!fill_messages(l, str_of(file->package), file->message_type, file->n_message_type,
                           &features))
            return false;
    }
    for (uint32_t i = 0; i < l->schema->slot_count; i++)
        if (l->schema->slots[i].message && !finish_message(l, l->schema->slots[i].message))
            return false;
    spread_refusals(l->schema);
    return schema_load_services(l);
}

enum code schema_load(struct str descriptor_set, struct schema **schema, struct error *err)
{
    struct loader l = {.schema = xcalloc(1, sizeof *l.schema), .err = err};
    enum code code = CODE_OK;
    l.set = proto_decode(&l.scratch, &google__protobuf__file_descriptor_set__descriptor,
                         descriptor_set);
    if (!l.set || !l.set->n_file)
        code = error_set(err, CODE_INVALID_ARGUMENT, "INVALID_DESCRIPTOR",
                         "these bytes are no FileDescriptorSet");
    else if (!read_files(&l))
        code = err->code;
    arena_clear(&l.scratch);
    if (code != CODE_OK) {
        schema_free(l.schema);
        l.schema = NULL;
    }
    *schema = l.schema;
    return code;
}

void schema_free(struct schema *schema)
{
    if (schema)
        arena_clear(&schema->arena);
    xfree(schema);
}
