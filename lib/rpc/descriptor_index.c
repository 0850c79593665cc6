/*
 * Built once, then only read. Names are sorted for binary search; files keep the bytes they came
 * in, so that nothing (custom options, unknown fields) is lost on the way through.
 */
#include "rpc/descriptor_index.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "pb/proto.h"

#include <stdlib.h>
#include <string.h>

enum { SYMBOLS_FIRST = 256 };

struct file {
    struct str bytes;
    Google__Protobuf__FileDescriptorProto *parsed; /* in the arena */
};

struct symbol {
    struct str name;
    int file;
};

struct extension {
    struct str type;
    int32_t number;
    int file;
};

struct descriptor_index {
    struct arena arena;
    struct file *files;
    struct symbol *symbols;
    struct extension *extensions;
    size_t file_count, symbol_count, symbol_room, extension_count;
};

#define MESSAGE Google__Protobuf__DescriptorProto
#define FIELD Google__Protobuf__FieldDescriptorProto
#define ENUM Google__Protobuf__EnumDescriptorProto

/* --- adding --- */

/* "scope.name", or "name" where there is no scope. */
static struct str qualify(struct descriptor_index *index, struct str scope, const char *name)
{
    char *text = arena_printf(&index->arena, "%.*s%s%s", STR_ARG(scope), scope.len ? "." : "",
                              name ? name : "");
    return str_of(text);
}

static struct str add_symbol(struct descriptor_index *index, struct str scope, const char *name)
{
    struct str full = qualify(index, scope, name);
    if (index->symbol_count == index->symbol_room) {
        index->symbol_room = index->symbol_room ? 2 * index->symbol_room : SYMBOLS_FIRST;
        index->symbols = xrealloc(index->symbols, index->symbol_room * sizeof *index->symbols);
    }
    index->symbols[index->symbol_count++] = (struct symbol){full, (int)index->file_count - 1};
    return full;
}

static void add_extension(struct descriptor_index *index, struct str scope, const FIELD *field)
{
    struct str type = str_of(field->extendee);
    add_symbol(index, scope, field->name);
    if (str_starts(type, STR(".")))
        type = str_from(type, 1);
    index->extensions =
        xrealloc(index->extensions, (index->extension_count + 1) * sizeof *index->extensions);
    index->extensions[index->extension_count++] =
        (struct extension){type, field->number, (int)index->file_count - 1};
}

/* An enum's values are its siblings, not its children. */
static void add_enum(struct descriptor_index *index, struct str scope, const ENUM *type)
{
    add_symbol(index, scope, type->name);
    for (size_t i = 0; i < type->n_value; i++)
        add_symbol(index, scope, type->value[i]->name);
}

static void add_message(struct descriptor_index *index, struct str scope, const MESSAGE *type)
{
    struct str full = add_symbol(index, scope, type->name);
    for (size_t i = 0; i < type->n_field; i++)
        add_symbol(index, full, type->field[i]->name);
    for (size_t i = 0; i < type->n_oneof_decl; i++)
        add_symbol(index, full, type->oneof_decl[i]->name);
    for (size_t i = 0; i < type->n_enum_type; i++)
        add_enum(index, full, type->enum_type[i]);
    for (size_t i = 0; i < type->n_extension; i++)
        add_extension(index, full, type->extension[i]);
    for (size_t i = 0; i < type->n_nested_type; i++)
        add_message(index, full, type->nested_type[i]);
}

static void add_symbols(struct descriptor_index *index,
                        const Google__Protobuf__FileDescriptorProto *file)
{
    struct str package = str_of(file->package);
    for (size_t i = 0; i < file->n_message_type; i++)
        add_message(index, package, file->message_type[i]);
    for (size_t i = 0; i < file->n_enum_type; i++)
        add_enum(index, package, file->enum_type[i]);
    for (size_t i = 0; i < file->n_extension; i++)
        add_extension(index, package, file->extension[i]);
    for (size_t i = 0; i < file->n_service; i++) {
        struct str service = add_symbol(index, package, file->service[i]->name);
        for (size_t k = 0; k < file->service[i]->n_method; k++)
            add_symbol(index, service, file->service[i]->method[k]->name);
    }
}

static bool add_file(struct descriptor_index *index, struct str bytes)
{
    Google__Protobuf__FileDescriptorProto *parsed =
        proto_decode(&index->arena, &google__protobuf__file_descriptor_proto__descriptor, bytes);
    if (!parsed || !parsed->name)
        return false;
    if (descriptor_file_by_name(index, str_of(parsed->name)) != DESCRIPTOR_NOT_FOUND)
        return true;
    index->files = xrealloc(index->files, (index->file_count + 1) * sizeof *index->files);
    index->files[index->file_count++] = (struct file){bytes, parsed};
    add_symbols(index, parsed);
    return true;
}

static bool take_varint(struct str *rest, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && rest->len; shift += 7) {
        uint8_t byte = (uint8_t)rest->ptr[0];
        *rest = str_from(*rest, 1);
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

bool descriptor_index_add(struct descriptor_index *index, struct str set)
{
    enum { FILE_FIELD = 1 << 3 | 2 }; /* repeated FileDescriptorProto file = 1 */
    struct str rest = set;
    while (rest.len) {
        uint64_t tag, length;
        if (!take_varint(&rest, &tag) || tag != FILE_FIELD || !take_varint(&rest, &length) ||
            length > rest.len || !add_file(index, (struct str){rest.ptr, (size_t)length}))
            return false;
        rest = str_from(rest, (size_t)length);
    }
    return true;
}

static int compare_symbols(const void *a, const void *b)
{
    return str_cmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

void descriptor_index_seal(struct descriptor_index *index)
{
    if (index->symbol_count)
        qsort(index->symbols, index->symbol_count, sizeof *index->symbols, compare_symbols);
}

struct descriptor_index *descriptor_index_new(void)
{
    return xcalloc(1, sizeof(struct descriptor_index));
}

void descriptor_index_free(struct descriptor_index *index)
{
    if (!index)
        return;
    arena_clear(&index->arena);
    xfree(index->files);
    xfree(index->symbols);
    xfree(index->extensions);
    xfree(index);
}

/* --- asking --- */

int descriptor_file_by_name(const struct descriptor_index *index, struct str name)
{
    for (size_t i = 0; i < index->file_count; i++)
        if (str_eq(str_of(index->files[i].parsed->name), name))
            return (int)i;
    return DESCRIPTOR_NOT_FOUND;
}

int descriptor_file_by_symbol(const struct descriptor_index *index, struct str symbol)
{
    struct symbol wanted = {.name = symbol};
    if (!index->symbol_count)
        return DESCRIPTOR_NOT_FOUND;
    const struct symbol *found = bsearch(&wanted, index->symbols, index->symbol_count,
                                         sizeof *index->symbols, compare_symbols);
    return found ? found->file : DESCRIPTOR_NOT_FOUND;
}

int descriptor_file_by_extension(const struct descriptor_index *index, struct str type,
                                 int32_t number)
{
    for (size_t i = 0; i < index->extension_count; i++)
        if (index->extensions[i].number == number && str_eq(index->extensions[i].type, type))
            return index->extensions[i].file;
    return DESCRIPTOR_NOT_FOUND;
}

size_t descriptor_extensions(const struct descriptor_index *index, struct str type,
                             int32_t *numbers, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < index->extension_count; i++) {
        if (!str_eq(index->extensions[i].type, type))
            continue;
        if (count < max)
            numbers[count] = index->extensions[i].number;
        count++;
    }
    return count;
}

size_t descriptor_file_count(const struct descriptor_index *index)
{
    return index->file_count;
}

struct str descriptor_file_bytes(const struct descriptor_index *index, int file)
{
    return index->files[file].bytes;
}

bool descriptor_file_import(const struct descriptor_index *index, int file, size_t i, int *import)
{
    const Google__Protobuf__FileDescriptorProto *parsed = index->files[file].parsed;
    if (i >= parsed->n_dependency)
        return false;
    *import = descriptor_file_by_name(index, str_of(parsed->dependency[i]));
    return true;
}
