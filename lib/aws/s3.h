/*
 * S3 by its REST API: objects that are created once, read and listed. Keys are relative to the
 * location's prefix, on the way in and out.
 */
#pragma once
#include "aws/client.h"

extern const struct aws_service S3_SERVICE;

/* Where an object's bytes come from: a text, or a reader like pread. */
struct s3_content {
    struct str bytes;
    ssize_t (*read)(void *context, int64_t offset, char *into, size_t room);
    void *context;
    int64_t size_bytes;
    uint8_t sha256[32]; /* of all of it; sent as x-amz-checksum-sha256 and signed */
};

struct s3_object {
    struct str key;
    int64_t size_bytes;
    struct str etag;
    struct str sha256; /* base64, of the whole object; ptr NULL when nobody knows it */
    int64_t modified_ms;
};

/*
 * PUT with If-None-Match: *. The digest goes along as checksum and, for objects in parts and for
 * servers that keep no checksums, as metadata. *created says whether it was this call's object that
 * was created: false when the key is taken. A call whose earlier attempt lost its answer and then
 * finds the key taken is `unsure`: HEAD tells whose it is. ABORTED: S3 asks to try again (409).
 */
enum code s3_create(struct aws_client *client, struct str key, struct str content_type,
                    const struct s3_content *content, int64_t deadline_ms, bool *created,
                    bool *unsure, struct error *err) MUST_CHECK;

/* NOT_FOUND when there is no such object. */
enum code s3_head(struct aws_client *client, struct str key, int64_t deadline_ms,
                  struct arena *arena, struct s3_object *object, struct error *err) MUST_CHECK;
enum code s3_get(struct aws_client *client, struct str key, int64_t deadline_ms,
                 struct arena *arena, struct str *bytes, struct error *err) MUST_CHECK;
/* Deletes; one that is not there is no error. */
enum code s3_delete(struct aws_client *client, struct str key, int64_t deadline_ms,
                    struct error *err) MUST_CHECK;

/* A page of keys below `prefix`, in order, after `*token` (empty at first); *token gets the next
 * page's, or empty at the end. Everything in `arena`. */
enum code s3_list(struct aws_client *client, struct str prefix, struct str *token,
                  int64_t deadline_ms, struct arena *arena, struct s3_object **objects,
                  size_t *count, struct error *err) MUST_CHECK;

/* --- an object in parts: at least 5 MiB each but the last, at most 10,000 --- */

struct s3_part {
    int number; /* from 1 */
    struct str etag;
    uint8_t sha256[32];
};

/* `sha256` is the whole object's. *upload_id in `arena`. */
enum code s3_upload_begin(struct aws_client *client, struct str key, struct str content_type,
                          const uint8_t sha256[32], int64_t deadline_ms, struct arena *arena,
                          struct str *upload_id, struct error *err) MUST_CHECK;
/* Fills part->etag (in `arena`) from part->number and content->sha256. */
enum code s3_upload_part(struct aws_client *client, struct str key, struct str upload_id,
                         const struct s3_content *content, int64_t deadline_ms, struct arena *arena,
                         struct s3_part *part, struct error *err) MUST_CHECK;
/* Create-only, as s3_create; a 200 that holds an error is one. */
enum code s3_upload_finish(struct aws_client *client, struct str key, struct str upload_id,
                           const struct s3_part *parts, size_t count, int64_t deadline_ms,
                           bool *created, bool *unsure, struct error *err) MUST_CHECK;
/* An upload that is gone is no error. */
enum code s3_upload_abort(struct aws_client *client, struct str key, struct str upload_id,
                          int64_t deadline_ms, struct error *err) MUST_CHECK;

struct s3_upload {
    struct str key, upload_id;
    int64_t begun_ms;
};
/* Uploads below the location's prefix that are not finished: at most 1,000. */
enum code s3_uploads(struct aws_client *client, int64_t deadline_ms, struct arena *arena,
                     struct s3_upload **uploads, size_t *count, struct error *err) MUST_CHECK;

/* --- the bucket --- */

/* *created: false when it was ours already. */
enum code s3_bucket_create(struct aws_client *client, int64_t deadline_ms, bool *created,
                           struct error *err) MUST_CHECK;
