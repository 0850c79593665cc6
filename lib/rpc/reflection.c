/*
 * One handler answers both versions: their messages are the same on the wire. A file is sent with
 * everything it imports, as tools expect; what is wrong with a question is answered in the stream,
 * which goes on.
 */
#include "rpc/reflection.h"

#include "base/alloc.h"
#include "base/log.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "rpc/descriptor_index.h"

#include <string.h>

enum { EXTENSIONS_MAX = 1000 };

#define QUESTION Grpc__Reflection__V1__ServerReflectionRequest
#define ANSWER Grpc__Reflection__V1__ServerReflectionResponse
#define ASKS(which) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##which
#define ANSWERS(which) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##which

struct reflection {
    struct descriptor_index *index;
    const char **names;
    size_t name_count;
    struct rpc_method method;
    struct rpc_service services[REFLECTION_SERVICES];
};

/* The protos of health and reflection; see lib/rpc.mk. */
extern const char rpc_builtin_set[], rpc_builtin_set_end[];

static void answer_error(struct arena *arena, ANSWER *to, enum code code, const char *text)
{
    Grpc__Reflection__V1__ErrorResponse *error = arena_alloc(arena, sizeof *error);
    grpc__reflection__v1__error_response__init(error);
    error->error_code = (int32_t)code;
    error->error_message = (char *)(uintptr_t)text;
    to->message_response_case = ANSWERS(ERROR_RESPONSE);
    to->error_response = error;
}

/* The file and, each once, all that it imports: breadth first over the list that is being made. */
static size_t closure(const struct descriptor_index *index, int file, int *files)
{
    size_t count = 1;
    files[0] = file;
    for (size_t at = 0; at < count; at++) {
        int import;
        for (size_t i = 0; descriptor_file_import(index, files[at], i, &import); i++) {
            bool there = import == DESCRIPTOR_NOT_FOUND;
            for (size_t k = 0; k < count && !there; k++)
                there = files[k] == import;
            if (!there)
                files[count++] = import;
        }
    }
    return count;
}

static void answer_file(const struct reflection *reflection, struct arena *arena, ANSWER *to,
                        int file, const char *missing)
{
    if (file == DESCRIPTOR_NOT_FOUND) {
        answer_error(arena, to, CODE_NOT_FOUND, missing);
        return;
    }
    Grpc__Reflection__V1__FileDescriptorResponse *found = arena_alloc(arena, sizeof *found);
    int *files = arena_alloc(arena, descriptor_file_count(reflection->index) * sizeof *files);
    grpc__reflection__v1__file_descriptor_response__init(found);
    found->n_file_descriptor_proto = closure(reflection->index, file, files);
    found->file_descriptor_proto =
        arena_alloc(arena, found->n_file_descriptor_proto * sizeof *found->file_descriptor_proto);
    for (size_t i = 0; i < found->n_file_descriptor_proto; i++) {
        struct str bytes = descriptor_file_bytes(reflection->index, files[i]);
        found->file_descriptor_proto[i] =
            (ProtobufCBinaryData){bytes.len, (uint8_t *)(uintptr_t)bytes.ptr};
    }
    to->message_response_case = ANSWERS(FILE_DESCRIPTOR_RESPONSE);
    to->file_descriptor_response = found;
}

static void answer_extensions(const struct reflection *reflection, struct arena *arena, ANSWER *to,
                              char *type)
{
    if (descriptor_file_by_symbol(reflection->index, str_of(type)) == DESCRIPTOR_NOT_FOUND) {
        answer_error(arena, to, CODE_NOT_FOUND, "there is no such type");
        return;
    }
    Grpc__Reflection__V1__ExtensionNumberResponse *found = arena_alloc(arena, sizeof *found);
    grpc__reflection__v1__extension_number_response__init(found);
    found->base_type_name = type;
    found->extension_number = arena_alloc(arena, EXTENSIONS_MAX * sizeof(int32_t));
    size_t count = descriptor_extensions(reflection->index, str_of(type), found->extension_number,
                                         EXTENSIONS_MAX);
    found->n_extension_number = count < EXTENSIONS_MAX ? count : EXTENSIONS_MAX;
    to->message_response_case = ANSWERS(ALL_EXTENSION_NUMBERS_RESPONSE);
    to->all_extension_numbers_response = found;
}

static void answer_services(const struct reflection *reflection, struct arena *arena, ANSWER *to)
{
    Grpc__Reflection__V1__ListServiceResponse *list = arena_alloc(arena, sizeof *list);
    grpc__reflection__v1__list_service_response__init(list);
    list->service = arena_alloc(arena, reflection->name_count * sizeof(void *));
    for (size_t i = 0; i < reflection->name_count; i++) {
        Grpc__Reflection__V1__ServiceResponse *one = arena_alloc(arena, sizeof *one);
        grpc__reflection__v1__service_response__init(one);
        one->name = (char *)(uintptr_t)reflection->names[i];
        list->service[list->n_service++] = one;
    }
    to->message_response_case = ANSWERS(LIST_SERVICES_RESPONSE);
    to->list_services_response = list;
}

static void answer_one(const struct reflection *reflection, struct arena *arena,
                       const QUESTION *ask, ANSWER *to)
{
    const struct descriptor_index *index = reflection->index;
    const Grpc__Reflection__V1__ExtensionRequest *extension;
    switch (ask->message_request_case) {
    case ASKS(FILE_BY_FILENAME):
        answer_file(reflection, arena, to,
                    descriptor_file_by_name(index, str_of(ask->file_by_filename)),
                    "there is no such file");
        break;
    case ASKS(FILE_CONTAINING_SYMBOL):
        answer_file(reflection, arena, to,
                    descriptor_file_by_symbol(index, str_of(ask->file_containing_symbol)),
                    "there is no such symbol");
        break;
    case ASKS(FILE_CONTAINING_EXTENSION):
        extension = ask->file_containing_extension;
        answer_file(reflection, arena, to,
                    descriptor_file_by_extension(index, str_of(extension->containing_type),
                                                 extension->extension_number),
                    "there is no such extension");
        break;
    case ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_extensions(reflection, arena, to, ask->all_extension_numbers_of_type);
        break;
    case ASKS(LIST_SERVICES):
        answer_services(reflection, arena, to);
        break;
    default:
        answer_error(arena, to, CODE_INVALID_ARGUMENT, "the request asks for nothing known here");
        break;
    }
}

static enum code serve(struct rpc_call *call, const void *request, struct error *err)
{
    const struct reflection *reflection = rpc_call_context(call);
    (void)request;
    for (;;) {
        void *message;
        struct arena arena;
        enum code code = rpc_call_receive(call, &message, err);
        if (code != CODE_OK || !message)
            return code;
        QUESTION *ask = message;
        ANSWER to = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
        to.valid_host = ask->host;
        to.original_request = ask;
        arena_init(&arena);
        answer_one(reflection, &arena, ask, &to);
        code = rpc_call_send(call, &to.base, err);
        arena_clear(&arena);
        arena_reset(rpc_call_arena(call)); /* the question; the stream may go on for long */
        if (code != CODE_OK)
            return code;
    }
}

const struct rpc_service *reflection_services(const struct reflection *reflection)
{
    return reflection->services;
}

struct reflection *reflection_new(struct str set, const struct rpc_service *services,
                                  size_t service_count)
{
    static const char *const own[] = {"grpc.health.v1.Health",
                                      "grpc.reflection.v1.ServerReflection",
                                      "grpc.reflection.v1alpha.ServerReflection"};
    struct reflection *reflection = xcalloc(1, sizeof *reflection);
    struct str builtin = {rpc_builtin_set, (size_t)(rpc_builtin_set_end - rpc_builtin_set)};
    reflection->index = descriptor_index_new();
    if (!descriptor_index_add(reflection->index, set) ||
        !descriptor_index_add(reflection->index, builtin))
        log_warn("rpc.reflection", LOG_C("error", "the descriptor set is damaged"));
    descriptor_index_seal(reflection->index);
    reflection->name_count = service_count + sizeof own / sizeof *own;
    reflection->names = xcalloc(reflection->name_count, sizeof *reflection->names);
    for (size_t i = 0; i < service_count; i++)
        reflection->names[i] = services[i].name;
    memcpy(reflection->names + service_count, own, sizeof own);
    reflection->method = (struct rpc_method){
        .name = "ServerReflectionInfo",
        .input = &grpc__reflection__v1__server_reflection_request__descriptor,
        .output = &grpc__reflection__v1__server_reflection_response__descriptor,
        .stream = serve,
        .client_streams = true,
        .server_streams = true,
    };
    for (size_t i = 0; i < REFLECTION_SERVICES; i++)
        reflection->services[i] =
            (struct rpc_service){own[i + 1], &reflection->method, 1, reflection};
    return reflection;
}

void reflection_free(struct reflection *reflection)
{
    if (!reflection)
        return;
    descriptor_index_free(reflection->index);
    xfree((void *)reflection->names);
    xfree(reflection);
}
