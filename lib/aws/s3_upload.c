/* An object in parts. Until it is finished nobody sees it; finishing is create-only. */
#include "aws/s3_internal.h"

#include "base/encode.h"

#include <stdio.h>

static struct str query_of(const char *name, struct str value, struct arena *arena)
{
    struct buf query;
    buf_init_arena(&query, arena, S3_TEXT_MAX);
    aws_encode_query(&query, str_of(name), value);
    return buf_str(&query);
}

enum code s3_upload_begin(struct aws_client *client, struct str key, struct str content_type,
                          const uint8_t sha256[32], int64_t deadline_ms, struct arena *arena,
                          struct str *upload_id, struct error *err)
{
    const struct http_header headers[] = {{STR("Content-Type"), content_type},
                                          {STR("x-amz-checksum-algorithm"), STR("SHA256")},
                                          {S3_META_SHA256, s3_checksum(sha256, arena).value}};
    struct aws_response response;
    const struct xml_node *root;
    struct aws_request request = s3_request(client, "POST", key, deadline_ms, arena);
    request.query = query_of("uploads", STR(""), arena);
    request.headers = headers;
    request.header_count = 3;
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return s3_refused(&response, err);
    if (xml_read(arena, response.body, &root, err) != CODE_OK)
        return error_prefix(err, "s3");
    *upload_id = xml_text(root, "UploadId");
    if (!upload_id->len)
        return error_set(err, CODE_INTERNAL, NULL, "s3: an upload without UploadId");
    return CODE_OK;
}

enum code s3_upload_part(struct aws_client *client, struct str key, struct str upload_id,
                         const struct s3_content *content, int64_t deadline_ms, struct arena *arena,
                         struct s3_part *part, struct error *err)
{
    const struct http_header checksum = s3_checksum(content->sha256, arena);
    struct aws_response response;
    struct aws_request request = s3_request(client, "PUT", key, deadline_ms, arena);
    struct buf query;
    char number[16];
    buf_init_arena(&query, arena, S3_TEXT_MAX);
    snprintf(number, sizeof number, "%d", part->number);
    aws_encode_query(&query, STR("partNumber"), str_of(number));
    aws_encode_query(&query, STR("uploadId"), upload_id);
    request.query = buf_str(&query);
    request.headers = &checksum;
    request.header_count = 1;
    s3_set_content(&request, content, arena);
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return s3_refused(&response, err);
    part->etag = aws_response_header(&response, STR("ETag"));
    if (!part->etag.len)
        return error_set(err, CODE_INTERNAL, NULL, "s3: a part without ETag");
    for (size_t i = 0; i < sizeof part->sha256; i++)
        part->sha256[i] = content->sha256[i];
    return CODE_OK;
}

static struct str list_of(const struct s3_part *parts, size_t count, struct arena *arena)
{
    struct buf body;
    buf_init_arena(&body, arena, S3_TEXT_MAX);
    buf_add(&body,
            STR("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
    for (size_t i = 0; i < count; i++) {
        buf_addf(&body, "<Part><PartNumber>%d</PartNumber><ETag>", parts[i].number);
        for (size_t j = 0; j < parts[i].etag.len; j++) {
            char byte = parts[i].etag.ptr[j];
            if (byte == '"')
                buf_add(&body, STR("&quot;"));
            else if (byte == '&' || byte == '<' || byte == '>')
                buf_addf(&body, "&#%d;", byte);
            else
                buf_add_char(&body, byte);
        }
        buf_add(&body, STR("</ETag><ChecksumSHA256>"));
        encode_base64(&body, (struct str){(const char *)parts[i].sha256, sizeof parts[i].sha256});
        buf_add(&body, STR("</ChecksumSHA256></Part>"));
    }
    buf_add(&body, STR("</CompleteMultipartUpload>"));
    return buf_str(&body);
}

enum code s3_upload_finish(struct aws_client *client, struct str key, struct str upload_id,
                           const struct s3_part *parts, size_t count, int64_t deadline_ms,
                           bool *created, bool *unsure, struct error *err)
{
    static const struct http_header headers[] = {{{"Content-Type", 12}, {"application/xml", 15}},
                                                 {{"If-None-Match", 13}, {"*", 1}}};
    struct arena arena = {0};
    struct aws_response response;
    struct aws_request request = s3_request(client, "POST", key, deadline_ms, &arena);
    request.query = query_of("uploadId", upload_id, &arena);
    request.headers = headers;
    request.header_count = 2;
    request.body = list_of(parts, count, &arena);
    request.error_in_200 = true;
    enum code code = aws_call(client, &request, &arena, &response, err);
    code = s3_creation(code, &response, created, unsure, err);
    arena_clear(&arena);
    return code;
}

enum code s3_upload_abort(struct aws_client *client, struct str key, struct str upload_id,
                          int64_t deadline_ms, struct error *err)
{
    struct arena arena = {0};
    enum code code =
        s3_remove(client, key, query_of("uploadId", upload_id, &arena), deadline_ms, err);
    arena_clear(&arena);
    return code;
}

enum code s3_uploads(struct aws_client *client, int64_t deadline_ms, struct arena *arena,
                     struct s3_upload **uploads, size_t *count, struct error *err)
{
    struct aws_response response;
    const struct xml_node *root;
    struct aws_request request = s3_request(client, "GET", (struct str){0}, deadline_ms, arena);
    struct buf query;
    size_t n = 0, place = 0;
    buf_init_arena(&query, arena, S3_TEXT_MAX);
    aws_encode_query(&query, STR("prefix"), s3_full_key(client, STR(""), arena));
    aws_encode_query(&query, STR("uploads"), STR(""));
    request.query = buf_str(&query);
    if (aws_call(client, &request, arena, &response, err) != CODE_OK)
        return s3_refused(&response, err);
    if (xml_read(arena, response.body, &root, err) != CODE_OK)
        return error_prefix(err, "s3");
    for (const struct xml_node *node = root->first; node; node = node->next)
        n += str_eq(node->name, STR("Upload"));
    *uploads = arena_alloc0(arena, (n + 1) * sizeof **uploads);
    for (const struct xml_node *node = root->first; node; node = node->next)
        if (str_eq(node->name, STR("Upload")))
            (*uploads)[place++] = (struct s3_upload){s3_own_key(client, xml_text(node, "Key")),
                                                     xml_text(node, "UploadId"),
                                                     s3_time_ms(xml_text(node, "Initiated"))};
    *count = n;
    return CODE_OK;
}
