/* Between s3.c and s3_upload.c. */
#pragma once
#include "aws/s3.h"
#include "aws/sigv4.h"
#include "aws/xml.h"

enum { S3_TEXT_MAX = 4 << 20 };

/* Where the digest of the whole object is kept beside S3's own checksum, in base64. */
#define S3_META_SHA256 STR("x-amz-meta-sha256")

/* A request for a key below the location's prefix, or for the bucket itself (key.ptr NULL). */
struct aws_request s3_request(struct aws_client *client, const char *method, struct str key,
                              int64_t deadline_ms, struct arena *arena);
struct str s3_full_key(const struct aws_client *client, struct str key, struct arena *arena);
struct str s3_own_key(const struct aws_client *client, struct str key);

/* Away with it, or with the part of it that `query` (may be empty) names; OK as well when there is
 * none. */
enum code s3_remove(struct aws_client *client, struct str key, struct str query,
                    int64_t deadline_ms, struct error *err) MUST_CHECK;

/* Gives the error of an answer without body its code. Returns the code. */
enum code s3_refused(const struct aws_response *response, struct error *err) MUST_CHECK;

/* What a create-only request's result means: see s3_create. */
enum code s3_creation(enum code code, const struct aws_response *response, bool *created,
                      bool *unsure, struct error *err) MUST_CHECK;

void s3_set_content(struct aws_request *request, const struct s3_content *content,
                    struct arena *arena);
struct http_header s3_checksum(const uint8_t sha256[32], struct arena *arena);
int64_t s3_time_ms(struct str text);
