/*
 * Where something of AWS is, as one setting says it:
 *
 *   dynamodb://TABLE?region=eu-central-1
 *   s3://BUCKET/PREFIX?region=eu-central-1&endpoint=http://127.0.0.1:9000
 *   sqs://QUEUE    sns://TOPIC    sns://arn:aws:sns:eu-central-1:123456789012:TOPIC
 *
 * Without `region` it is AWS_REGION's or AWS_DEFAULT_REGION's, without `endpoint` the service's
 * public one in that region. Pure.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* A parameter of the caller's own beside region and endpoint. */
struct aws_parameter {
    const char *name;
    struct str value; /* out; ptr NULL when it was not given */
};

struct aws_location {
    struct str service;  /* "dynamodb", "s3", "sqs", "sns": the scheme */
    struct str name;     /* of the table, bucket, queue or topic */
    struct str prefix;   /* s3: what stands before every key, without '/' around it; or empty */
    struct str region;   /* "eu-central-1" */
    struct str endpoint; /* "https://sqs.eu-central-1.amazonaws.com": no '/' at the end */
    struct str host;     /* the endpoint without its scheme: "127.0.0.1:8000" */
    bool own_endpoint;   /* it was given */
};

/*
 * Reads `text`; everything in *location is in `arena`. `environment` looks a variable up (getenv in
 * programs). INVALID_ARGUMENT saying what is wrong: another scheme than `service`, no or a bad
 * name, no region, an endpoint that is not http(s)://HOST[:PORT], an unknown parameter (by name)
 * or one that is given twice.
 */
enum code aws_location_read(struct str text, const char *service,
                            char *(*environment)(const char *), struct aws_parameter *parameters,
                            size_t parameter_count, struct arena *arena,
                            struct aws_location *location, struct error *err) MUST_CHECK;

/* The same service region and endpoint under another service's name, as STS beside SNS. The
 * endpoint is the public one unless the location has an own one. */
struct aws_location aws_location_beside(const struct aws_location *location, const char *service,
                                        struct arena *arena);
