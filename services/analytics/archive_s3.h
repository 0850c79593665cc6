/*
 * The archive in an S3 bucket. Creating is one PUT with If-None-Match: * and the content's SHA-256,
 * which S3 checks; a large object goes up in parts, and finishing it is as conditional. An answer
 * that was lost is no trouble: what lies at the key tells by its digest whose it is.
 *
 * An upload that is never finished costs money and is seen by nobody: those that are older than
 * `orphan_ms` are aborted when the archive is opened. (A lifecycle rule of the bucket does the
 * same.)
 */
#pragma once
#include "analytics/archive.h"
#include "aws/s3.h"
#include "base/clock.h"

struct archive_s3_options {
    struct aws_client *client; /* of S3_SERVICE; the caller's */
    const struct clock *clock;
    int64_t call_ms;    /* of one request with its attempts; 0: a minute */
    int64_t part_bytes; /* larger objects go up in parts of so many bytes; 0: 32 MiB. S3 wants 5 MiB
                           at least */
    int64_t orphan_ms;  /* 0: a day */
};

/* Looks at the bucket: FAILED_PRECONDITION when it is not there or not ours to use. */
enum code archive_s3_open(const struct archive_s3_options *options, struct archive **archive,
                          struct error *err) MUST_CHECK;
