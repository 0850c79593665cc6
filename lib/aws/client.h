/*
 * A client of one AWS service in one place: signs, sends, classifies the answer, and tries again
 * where that can help: three attempts in all, full jitter, as long as the bucket of retry tokens
 * that all calls of a client share is not empty and the deadline allows. A clock that AWS finds
 * wrong is corrected by AWS's own once a call; credentials that have ended are renewed once a call.
 *
 * The service's own files (dynamodb.h, s3.h, sqs.h, sns.h, sts.h) are thin layers over this.
 */
#pragma once
#include "aws/credentials.h"
#include "aws/location.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* --- what all clients of a process share --- */

struct aws;

struct aws_options {
    const struct clock *clock;          /* NULL: the machine's */
    char *(*environment)(const char *); /* NULL: getenv */
    const char *user_agent;             /* "omni-user" */
    int64_t connections;                /* to one host; 0: 64 */
};

/* An HTTP client, credentials, a thread for what happens later. Blocks until there are credentials;
 * errors as aws_provider_open. */
enum code aws_open(const struct aws_options *options, struct aws **aws,
                   struct error *err) MUST_CHECK;

/* After the clients made with it. Calls under way end with CANCELLED. NULL is allowed. */
void aws_free(struct aws *aws);

/* --- a client --- */

enum aws_action {
    AWS_FAIL,     /* tell the caller */
    AWS_RETRY,    /* it may work next time */
    AWS_THROTTLE, /* it may work later */
    AWS_EXPIRED,  /* renew the credentials, then once more */
    AWS_SKEWED,   /* adopt the server's time, then once more */
};

/* What an error name means. Names are as AWS documents them, without namespace. */
struct aws_error_rule {
    const char *name;
    enum code code;
    enum aws_action action;
};

enum aws_protocol { AWS_PROTOCOL_JSON, AWS_PROTOCOL_XML };

struct aws_service {
    const char *name; /* in signatures and addresses: "dynamodb" */
    enum aws_protocol protocol;
    const struct aws_error_rule *rules; /* beside those that hold for all services */
    size_t rule_count;
    bool path_once;    /* S3's signatures */
    bool content_hash; /* x-amz-content-sha256 is sent */
    /* May be NULL. What looks like a refusal may be worth another try after all: looks at the body.
     */
    bool (*transient)(struct str error, struct str body);
};

struct aws_client_options {
    struct aws *aws;                     /* the caller's */
    const struct aws_service *service;   /* static */
    const struct aws_location *location; /* copied */
    int attempts;                        /* 0: 3 */
    int64_t attempt_ms;                  /* of one; 0: 10 seconds */
    int64_t backoff_ms;                  /* the first pause is up to so long; 0: 50 */
    int64_t answer_bytes_max;            /* 0: 17 MiB */
    bool own_connections;                /* that others do not wait for: see aws_client_close */
};

struct aws_client;

struct aws_client *aws_client_new(const struct aws_client_options *options);
void aws_client_free(struct aws_client *client);

/* For a client with own connections: what is under way ends with CANCELLED soon, and nothing more
 * is sent. Not from `done`. */
void aws_client_close(struct aws_client *client);
const struct aws_location *aws_client_location(const struct aws_client *client);

struct aws_request {
    struct str method;                 /* "POST" */
    struct str path;                   /* raw; "/" when empty */
    struct str query;                  /* encoded: aws_encode_query (sigv4.h) */
    const struct http_header *headers; /* beside host, date, token and hash */
    size_t header_count;
    struct str body;        /* or body_read */
    struct str body_sha256; /* in hex, when it is known: needed with body_read */
    ssize_t (*body_read)(void *context, int64_t offset, char *into, size_t room); /* like pread */
    int64_t body_bytes;
    bool (*piece)(void *context, int status, struct str bytes); /* takes the body of a 2xx */
    void *context;
    bool error_in_200;   /* S3: a 200 may turn out to be an error */
    int64_t deadline_ms; /* from now, all attempts together */
    int64_t attempt_ms;  /* 0: the client's */
    int attempts;        /* 0: the client's */
    struct str host;     /* in place of the location's: a bucket's own */
};

struct aws_response {
    int status; /* of the last answer; 0: there was none */
    struct str body;
    const struct http_header *headers;
    size_t header_count;
    struct str error;   /* AWS's name of the error, without namespace; empty when there is none */
    struct str message; /* AWS's text */
    int sent;           /* attempts that reached the network */
    bool unsure;        /* an earlier attempt may have been carried out: its answer was lost */
};

/*
 * `err` is NULL after a 2xx. *response lives until it returns. Errors by service rules; else
 *   UNAVAILABLE         throttled, 5xx, no connection or no answer after all attempts
 *   DEADLINE_EXCEEDED   likewise
 *   CANCELLED           aws_free
 *   INTERNAL            what AWS refuses: names and texts of AWS's are in the message
 * with the name of AWS's error as reason. Runs in a thread of `aws` and must not block.
 */
typedef void (*aws_done_fn)(void *argument, const struct aws_response *response,
                            const struct error *err);

/* Starts; `done` runs exactly once, later. Or an error, and it never runs. *request is copied, but
 * what `context` points to. Any thread. */
enum code aws_start(struct aws_client *client, const struct aws_request *request, aws_done_fn done,
                    void *argument, struct error *err) MUST_CHECK;

/* The same, waiting; *response is in `arena`, also after an error. Not from `done`. */
enum code aws_call(struct aws_client *client, const struct aws_request *request,
                   struct arena *arena, struct aws_response *response,
                   struct error *err) MUST_CHECK;

/* Reads a date of HTTP's one form: "Sun, 06 Nov 1994 08:49:37 GMT". */
bool aws_read_date(struct str text, int64_t *seconds);

/* ptr NULL when there is none. */
struct str aws_response_header(const struct aws_response *response, struct str name);
