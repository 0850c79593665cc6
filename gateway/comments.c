/*
 * SourceCodeInfo names places by the way to them through the descriptors (descriptor.proto): field
 * numbers and indexes in turn, `4, 0, 2, 3` being the fourth field of the first message.
 */
#include "gateway/comments.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "pb/proto.h"

#include "google/protobuf/descriptor.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define DESCRIPTOR(name) Google__Protobuf__##name

/* Field numbers in descriptor.proto. */
enum {
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    ENUM_VALUE = 2,
    SERVICE_METHOD = 2,
};

enum { NAME_BYTES_MAX = 4096 };

struct comment {
    struct str name, text;
};

struct comments {
    struct arena arena;
    struct comment *list; /* by name */
    size_t count, room;
};

/* The rest of the way to an element, and the name so far. */
struct way {
    const int32_t *steps;
    size_t left;
    struct buf name;
};

static bool step(struct way *way, int32_t field, size_t count, size_t *index)
{
    if (way->left < 2 || way->steps[0] != field || way->steps[1] < 0 ||
        (size_t)way->steps[1] >= count)
        return false;
    *index = (size_t)way->steps[1];
    way->steps += 2;
    way->left -= 2;
    return true;
}

static void enter(struct way *way, const char *name)
{
    if (way->name.len)
        buf_add_char(&way->name, '.');
    buf_add_cstr(&way->name, name ? name : "");
}

static void into_enum(struct way *way, const DESCRIPTOR(EnumDescriptorProto) * type)
{
    size_t i;
    enter(way, type->name);
    if (step(way, ENUM_VALUE, type->n_value, &i))
        enter(way, type->value[i]->name);
}

static void into_message(struct way *way, const DESCRIPTOR(DescriptorProto) * message)
{
    size_t i;
    for (;;) {
        enter(way, message->name);
        if (!step(way, MESSAGE_NESTED, message->n_nested_type, &i))
            break;
        message = message->nested_type[i];
    }
    if (step(way, MESSAGE_FIELD, message->n_field, &i))
        enter(way, message->field[i]->name);
    else if (step(way, MESSAGE_ENUM, message->n_enum_type, &i))
        into_enum(way, message->enum_type[i]);
}

/* True when it led to something that has a name here. */
static bool walk(struct way *way, const DESCRIPTOR(FileDescriptorProto) * file)
{
    size_t i;
    if (file->package && file->package[0])
        enter(way, file->package);
    if (step(way, FILE_MESSAGE, file->n_message_type, &i)) {
        into_message(way, file->message_type[i]);
    } else if (step(way, FILE_ENUM, file->n_enum_type, &i)) {
        into_enum(way, file->enum_type[i]);
    } else if (step(way, FILE_SERVICE, file->n_service, &i)) {
        const DESCRIPTOR(ServiceDescriptorProto) *service = file->service[i];
        enter(way, service->name);
        if (step(way, SERVICE_METHOD, service->n_method, &i))
            enter(way, service->method[i]->name);
    } else {
        return false;
    }
    return way->left == 0 && !way->name.overflow;
}

static struct str cleaned(struct arena *arena, struct str comment)
{
    struct buf out;
    struct str line;
    buf_init_arena(&out, arena, comment.len + 1);
    while (comment.len && str_next(&comment, '\n', &line)) {
        if (line.len && line.ptr[0] == ' ')
            line = str_from(line, 1);
        if (out.len)
            buf_add_char(&out, '\n');
        buf_add(&out, line);
    }
    return str_trim(buf_str(&out));
}

static void add(struct comments *comments, struct str name, const char *text)
{
    if (comments->count == comments->room) {
        comments->room = comments->room ? 2 * comments->room : 256;
        comments->list = xrealloc(comments->list, comments->room * sizeof *comments->list);
    }
    comments->list[comments->count++] = (struct comment){arena_str(&comments->arena, name),
                                                         cleaned(&comments->arena, str_of(text))};
}

static void read_file(struct comments *comments, const DESCRIPTOR(FileDescriptorProto) * file,
                      struct arena *scratch)
{
    const DESCRIPTOR(SourceCodeInfo) *info = file->source_code_info;
    for (size_t i = 0; info && i < info->n_location; i++) {
        const DESCRIPTOR(SourceCodeInfo__Location) *location = info->location[i];
        struct way way = {location->path, location->n_path, {0}};
        buf_init_arena(&way.name, scratch, NAME_BYTES_MAX);
        if (location->leading_comments && walk(&way, file))
            add(comments, buf_str(&way.name), location->leading_comments);
    }
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct comment *)a)->name, ((const struct comment *)b)->name);
}

struct comments *comments_new(struct str descriptor_set)
{
    struct comments *comments = xcalloc(1, sizeof *comments);
    struct arena scratch = {0};
    const DESCRIPTOR(FileDescriptorSet) *set =
        proto_decode(&scratch, &google__protobuf__file_descriptor_set__descriptor, descriptor_set);
    for (size_t i = 0; set && i < set->n_file; i++)
        read_file(comments, set->file[i], &scratch);
    arena_clear(&scratch);
    if (comments->count)
        qsort(comments->list, comments->count, sizeof *comments->list, by_name);
    return comments;
}

void comments_free(struct comments *comments)
{
    if (!comments)
        return;
    arena_clear(&comments->arena);
    xfree(comments->list);
    xfree(comments);
}

struct str comments_find(const struct comments *comments, struct str full_name)
{
    const struct comment wanted = {.name = full_name};
    const struct comment *found =
        comments->count
            ? bsearch(&wanted, comments->list, comments->count, sizeof *comments->list, by_name)
            : NULL;
    return found ? found->text : STR("");
}
