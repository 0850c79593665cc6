/* Whole objects. A bucket of AWS's own is addressed by its host name, one at an own endpoint, or
 * with a dot in its name, by the path. */
#include "aws/s3_internal.h"

#include "base/encode.h"
#include "base/time_text.h"
#include "crypto/crypto.h"

static const struct aws_error_rule RULES[] = {
    {"NoSuchKey", CODE_NOT_FOUND, AWS_FAIL},
    {"NoSuchUpload", CODE_NOT_FOUND, AWS_FAIL},
    {"NoSuchBucket", CODE_FAILED_PRECONDITION, AWS_FAIL},
    {"PreconditionFailed", CODE_ALREADY_EXISTS, AWS_FAIL},
    {"ConditionalRequestConflict", CODE_ABORTED, AWS_RETRY},
    {"OperationAborted", CODE_ABORTED, AWS_RETRY},
    {"BadDigest", CODE_UNAVAILABLE, AWS_RETRY},
    {"XAmzContentSHA256Mismatch", CODE_UNAVAILABLE, AWS_RETRY},
    {"IncompleteBody", CODE_UNAVAILABLE, AWS_RETRY},
};

const struct aws_service S3_SERVICE = {
    .name = "s3",
    .protocol = AWS_PROTOCOL_XML,
    .rules = RULES,
    .rule_count = sizeof RULES / sizeof *RULES,
    .path_once = true,
    .content_hash = true,
};

/* --- addresses --- */

static bool has_own_host(const struct aws_location *location)
{
    return !location->own_endpoint && str_find(location->name, '.') < 0;
}

struct aws_request s3_request(struct aws_client *client, const char *method, struct str key,
                              int64_t deadline_ms, struct arena *arena)
{
    const struct aws_location *location = aws_client_location(client);
    struct aws_request request = {
        .method = str_of(method), .deadline_ms = deadline_ms, .attempt_ms = deadline_ms / 2 + 1};
    struct buf path;
    buf_init_arena(&path, arena, S3_TEXT_MAX);
    if (has_own_host(location))
        request.host = str_of(
            arena_printf(arena, "%.*s.%.*s", STR_ARG(location->name), STR_ARG(location->host)));
    else
        buf_addf(&path, "/%.*s", STR_ARG(location->name));
    if (key.ptr)
        buf_addf(&path, "/%.*s", STR_ARG(s3_full_key(client, key, arena)));
    request.path = path.len ? buf_str(&path) : STR("/");
    return request;
}

struct str s3_full_key(const struct aws_client *client, struct str key, struct arena *arena)
{
    struct str prefix = aws_client_location(client)->prefix;
    if (!prefix.len)
        return key;
    return str_of(arena_printf(arena, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(key)));
}

struct str s3_own_key(const struct aws_client *client, struct str key)
{
    struct str prefix = aws_client_location(client)->prefix;
    return prefix.len ? str_from(key, prefix.len + 1) : key;
}

enum code s3_refused(const struct aws_response *response, struct error *err)
{
    /* An answer to HEAD has no body that could name the error. */
    if (response->status == 404 && !response->error.len)
        return error_set(err, CODE_NOT_FOUND, "NoSuchKey", "s3: there is no such object");
    if (response->status == 412 && !response->error.len)
        err->code = CODE_ALREADY_EXISTS;
    return err->code;
}

void s3_set_content(struct aws_request *request, const struct s3_content *content,
                    struct arena *arena)
{
    struct buf hex;
    buf_init_arena(&hex, arena, S3_TEXT_MAX);
    encode_hex(&hex, (struct str){(const char *)content->sha256, sizeof content->sha256});
    request->body = content->bytes;
    request->body_sha256 = buf_str(&hex);
    request->body_read = content->read;
    request->body_bytes = content->size_bytes;
    request->context = content->context;
}

struct http_header s3_checksum(const uint8_t sha256[32], struct arena *arena)
{
    struct buf text;
    buf_init_arena(&text, arena, S3_TEXT_MAX);
    encode_base64(&text, (struct str){(const char *)sha256, 32});
    return (struct http_header){STR("x-amz-checksum-sha256"), buf_str(&text)};
}

enum code s3_creation(enum code code, const struct aws_response *response, bool *created,
                      bool *unsure, struct error *err)
{
    *created = code == CODE_OK;
    *unsure = response->unsure;
    if (code == CODE_OK)
        return CODE_OK;
    if (s3_refused(response, err) != CODE_ALREADY_EXISTS)
        return err->code;
    error_clear(err);
    return CODE_OK;
}

/* --- objects --- */

enum code s3_create(struct aws_client *client, struct str key, struct str content_type,
                    const struct s3_content *content, int64_t deadline_ms, bool *created,
                    bool *unsure, struct error *err)
{
    struct arena arena = {0};
    struct aws_response response;
    struct aws_request request = s3_request(client, "PUT", key, deadline_ms, &arena);
    const struct http_header checksum = s3_checksum(content->sha256, &arena);
    const struct http_header headers[] = {{STR("Content-Type"), content_type},
                                          {STR("If-None-Match"), STR("*")},
                                          checksum,
                                          {S3_META_SHA256, checksum.value}};
    request.headers = headers;
    request.header_count = sizeof headers / sizeof *headers;
    s3_set_content(&request, content, &arena);
    enum code code = aws_call(client, &request, &arena, &response, err);
    code = s3_creation(code, &response, created, unsure, err);
    arena_clear(&arena);
    return code;
}

static int64_t http_date_ms(struct str text)
{
    int64_t seconds;
    return aws_read_date(text, &seconds) ? seconds * 1000 : 0;
}

/* S3's own checksum of an object in parts is one of checksums; what was said at its creation is
 * the whole's. */
static struct str digest_of(const struct aws_response *response)
{
    struct str said = aws_response_header(response, S3_META_SHA256);
    return said.ptr ? said : aws_response_header(response, STR("x-amz-checksum-sha256"));
}

enum code s3_head(struct aws_client *client, struct str key, int64_t deadline_ms,
                  struct arena *arena, struct s3_object *object, struct error *err)
{
    static const struct http_header checksum = {{"x-amz-checksum-mode", 19}, {"ENABLED", 7}};
    struct aws_response response;
    struct aws_request request = s3_request(client, "HEAD", key, deadline_ms, arena);
    request.headers = &checksum;
    request.header_count = 1;
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return s3_refused(&response, err);
    *object = (struct s3_object){
        .key = key,
        .etag = aws_response_header(&response, STR("ETag")),
        .sha256 = digest_of(&response),
        .modified_ms = http_date_ms(aws_response_header(&response, STR("Last-Modified"))),
    };
    if (!str_to_i64(aws_response_header(&response, STR("Content-Length")), &object->size_bytes))
        return error_set(err, CODE_INTERNAL, NULL, "s3: an object without Content-Length");
    return CODE_OK;
}

enum code s3_get(struct aws_client *client, struct str key, int64_t deadline_ms,
                 struct arena *arena, struct str *bytes, struct error *err)
{
    struct aws_response response;
    struct aws_request request = s3_request(client, "GET", key, deadline_ms, arena);
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return s3_refused(&response, err);
    *bytes = response.body;
    return CODE_OK;
}

enum code s3_remove(struct aws_client *client, struct str key, struct str query,
                    int64_t deadline_ms, struct error *err)
{
    struct arena arena = {0};
    struct aws_response response;
    struct aws_request request = s3_request(client, "DELETE", key, deadline_ms, &arena);
    request.query = query;
    enum code code = aws_call(client, &request, &arena, &response, err);
    if (code != CODE_OK && s3_refused(&response, err) == CODE_NOT_FOUND) {
        error_clear(err);
        code = CODE_OK;
    }
    arena_clear(&arena);
    return code;
}

enum code s3_delete(struct aws_client *client, struct str key, int64_t deadline_ms,
                    struct error *err)
{
    return s3_remove(client, key, STR(""), deadline_ms, err);
}

/* --- lists --- */

int64_t s3_time_ms(struct str text)
{
    int64_t seconds;
    int32_t nanos;
    return time_parse_rfc3339(text, &seconds, &nanos) ? seconds * 1000 + nanos / 1000000 : 0;
}

static void read_objects(const struct aws_client *client, const struct xml_node *root,
                         struct arena *arena, struct s3_object **objects, size_t *count)
{
    size_t n = 0, place = 0;
    for (const struct xml_node *node = root->first; node; node = node->next)
        n += str_eq(node->name, STR("Contents"));
    *objects = arena_alloc0(arena, (n + 1) * sizeof **objects);
    for (const struct xml_node *node = root->first; node; node = node->next) {
        if (!str_eq(node->name, STR("Contents")))
            continue;
        struct s3_object *object = &(*objects)[place++];
        object->key = s3_own_key(client, xml_text(node, "Key"));
        object->etag = xml_text(node, "ETag");
        object->modified_ms = s3_time_ms(xml_text(node, "LastModified"));
        if (!str_to_i64(xml_text(node, "Size"), &object->size_bytes))
            object->size_bytes = 0;
    }
    *count = n;
}

enum code s3_list(struct aws_client *client, struct str prefix, struct str *token,
                  int64_t deadline_ms, struct arena *arena, struct s3_object **objects,
                  size_t *count, struct error *err)
{
    struct aws_response response;
    const struct xml_node *root;
    struct aws_request request = s3_request(client, "GET", (struct str){0}, deadline_ms, arena);
    struct buf query;
    buf_init_arena(&query, arena, S3_TEXT_MAX);
    aws_encode_query(&query, STR("list-type"), STR("2"));
    aws_encode_query(&query, STR("prefix"), s3_full_key(client, prefix, arena));
    if (token->len)
        aws_encode_query(&query, STR("continuation-token"), *token);
    request.query = buf_str(&query);
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return s3_refused(&response, err);
    if (xml_read(arena, response.body, &root, err) != CODE_OK)
        return error_prefix(err, "s3");
    read_objects(client, root, arena, objects, count);
    *token = xml_text(root, "NextContinuationToken");
    if (!token->ptr)
        *token = STR("");
    return CODE_OK;
}

/* --- the bucket --- */

enum code s3_bucket_create(struct aws_client *client, int64_t deadline_ms, bool *created,
                           struct error *err)
{
    const struct aws_location *location = aws_client_location(client);
    struct arena arena = {0};
    struct aws_response response;
    struct aws_request request = s3_request(client, "PUT", (struct str){0}, deadline_ms, &arena);
    /* us-east-1 is what is meant when no region is named, and may not be named. */
    if (!str_eq(location->region, STR("us-east-1")))
        request.body = str_of(arena_printf(
            &arena,
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<LocationConstraint>%.*s</LocationConstraint></CreateBucketConfiguration>",
            STR_ARG(location->region)));
    enum code code = aws_call(client, &request, &arena, &response, err);
    *created = code == CODE_OK;
    if (str_eq(response.error, STR("BucketAlreadyOwnedByYou"))) {
        error_clear(err);
        code = CODE_OK;
    }
    arena_clear(&arena);
    return code;
}
