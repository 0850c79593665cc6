/*
 * The gateway's transcoder as a testee of protobuf's conformance runner: on standard input
 * little-endian lengths and conformance.ConformanceRequests, on standard output the same with
 * ConformanceResponses. JSON goes to the wire by transcode_message_in, the wire to JSON by
 * transcode_message_out; what asks for neither is skipped, and so are messages of proto2 and
 * editions, which the gateway does not carry. Usage: testee DESCRIPTOR_SET
 */
#include "gateway/transcode.h"
#include "gateway/wire.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGE_BYTES_MAX = 64 << 20 };

/* Of conformance/conformance.proto. */
enum {
    REQUEST_PROTOBUF_PAYLOAD = 1,
    REQUEST_JSON_PAYLOAD = 2,
    REQUEST_OUTPUT_FORMAT = 3,
    REQUEST_MESSAGE_TYPE = 4,
    REQUEST_TEST_CATEGORY = 5,
    FORMAT_PROTOBUF = 1,
    FORMAT_JSON = 2,
    CATEGORY_IGNORE_UNKNOWN = 3,
    RESPONSE_PARSE_ERROR = 1,
    RESPONSE_RUNTIME_ERROR = 2,
    RESPONSE_PROTOBUF_PAYLOAD = 3,
    RESPONSE_JSON_PAYLOAD = 4,
    RESPONSE_SKIPPED = 5,
    RESPONSE_SERIALIZE_ERROR = 6,
};

struct request {
    struct str type, payload;
    uint64_t output, category;
    uint32_t input; /* the payload's field; 0: none */
};

struct testee {
    const struct schema *schema;
    struct arena arena;
    struct buf response;
};

static bool read_request(struct str rest, struct request *request)
{
    struct wire_record record;
    enum wire_result result;
    while ((result = wire_next(&rest, &record)) == WIRE_RECORD) {
        switch (record.number) {
        case REQUEST_PROTOBUF_PAYLOAD:
        case REQUEST_JSON_PAYLOAD:
            request->input = record.number;
            request->payload = record.bytes;
            break;
        case REQUEST_OUTPUT_FORMAT:
            request->output = record.value;
            break;
        case REQUEST_MESSAGE_TYPE:
            request->type = record.bytes;
            break;
        case REQUEST_TEST_CATEGORY:
            request->category = record.value;
            break;
        default:
            break;
        }
    }
    return result == WIRE_END;
}

static void answer(struct testee *testee, uint32_t field, struct str value)
{
    wire_put_bytes(&testee->response, field, value);
}

/* The message as wire bytes; false when the answer is there already. */
static bool parse(struct testee *testee, const struct request *request,
                  const struct schema_message *type, struct buf *wire)
{
    struct error err = {0};
    const struct json_value *json;
    struct transcode_in in = {.schema = testee->schema,
                              .arena = &testee->arena,
                              .out = wire,
                              .err = &err,
                              .ignore_unknown = request->category == CATEGORY_IGNORE_UNKNOWN};
    if (request->input == REQUEST_PROTOBUF_PAYLOAD) {
        buf_add(wire, request->payload);
        return true;
    }
    if (json_read(&testee->arena, request->payload, json_limits_default(), &json, &err) ==
            CODE_OK &&
        transcode_message_in(&in, type, json, NULL, STR("")) == CODE_OK)
        return true;
    answer(testee, RESPONSE_PARSE_ERROR, str_of(err.text));
    return false;
}

static void serialize(struct testee *testee, const struct schema_message *type, struct str wire)
{
    struct error err = {0};
    struct buf json;
    struct transcode_out to = {testee->schema, &json, &testee->arena, false};
    buf_init_arena(&json, &testee->arena, MESSAGE_BYTES_MAX);
    if (transcode_message_out(&to, type, wire, &err) == CODE_OK)
        answer(testee, RESPONSE_JSON_PAYLOAD, buf_str(&json));
    else
        answer(testee,
               strcmp(err.reason, "NO_JSON_FORM") == 0 ? RESPONSE_SERIALIZE_ERROR
                                                       : RESPONSE_PARSE_ERROR,
               str_of(err.text));
}

static void run(struct testee *testee, const struct request *request)
{
    const struct schema_message *type = schema_find_message(testee->schema, request->type);
    struct buf wire;
    bool ours = (request->input == REQUEST_JSON_PAYLOAD || request->output == FORMAT_JSON) &&
                (request->output == FORMAT_JSON || request->output == FORMAT_PROTOBUF);
    buf_init_arena(&wire, &testee->arena, MESSAGE_BYTES_MAX);
    if (!type || !request->input || !ours)
        answer(testee, RESPONSE_SKIPPED, STR("JSON of proto3 messages only"));
    else if (!parse(testee, request, type, &wire))
        return;
    else if (request->output == FORMAT_PROTOBUF)
        answer(testee, RESPONSE_PROTOBUF_PAYLOAD, buf_str(&wire));
    else
        serialize(testee, type, buf_str(&wire));
}

/* Before its first test the runner asks for a conformance.FailureSet: there are no failures. */
static void respond(struct testee *testee, struct str bytes)
{
    struct request request = {0};
    if (!read_request(bytes, &request))
        answer(testee, RESPONSE_RUNTIME_ERROR, STR("the request is malformed"));
    else if (str_eq(request.type, STR("conformance.FailureSet")))
        answer(testee, RESPONSE_PROTOBUF_PAYLOAD, STR(""));
    else
        run(testee, &request);
}

static bool load(struct testee *testee, const char *path, struct schema **schema)
{
    struct error err = {0};
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        perror(path);
        return false;
    }
    char *set = arena_alloc(&testee->arena, (size_t)info.st_size);
    bool whole = read(fd, set, (size_t)info.st_size) == info.st_size;
    close(fd);
    if (!whole || schema_load((struct str){set, (size_t)info.st_size}, schema, &err) != CODE_OK) {
        fprintf(stderr, "%s: %s\n", path, whole ? err.text : "cannot be read");
        return false;
    }
    testee->schema = *schema;
    return true;
}

int main(int argc, char **argv)
{
    struct testee testee = {0};
    struct schema *schema;
    uint32_t length;
    if (argc != 2 || !load(&testee, argv[1], &schema))
        return 2;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        arena_reset(&testee.arena);
        length = le32toh(length);
        if (length > MESSAGE_BYTES_MAX)
            return 2;
        char *bytes = arena_alloc(&testee.arena, length + 1);
        if (fread(bytes, 1, length, stdin) != length)
            return 2;
        buf_init_arena(&testee.response, &testee.arena, MESSAGE_BYTES_MAX);
        respond(&testee, (struct str){bytes, length});
        struct str response = buf_str(&testee.response);
        uint32_t size = htole32((uint32_t)response.len);
        fwrite(&size, sizeof size, 1, stdout);
        fwrite(response.ptr, 1, response.len, stdout);
        fflush(stdout);
    }
    arena_clear(&testee.arena);
    schema_free(schema);
    return 0;
}
