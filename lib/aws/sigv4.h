/*
 * AWS Signature Version 4: from a request as it goes on the wire to its Authorization header, in
 * the three stages of AWS's description (IAM User Guide, "Create a signed AWS API request"). Pure:
 * time is a parameter, nothing is read from anywhere.
 *
 * Texts are percent-encoded once, by aws_encode_path and aws_encode_query, and the encoded form is
 * both what is sent and what is signed; services other than S3 encode the path a second time for
 * the signature alone.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SIGV4_TIME_BYTES = 16, /* "20150830T123600Z" */
    SIGV4_HEX_BYTES = 64,  /* of a SHA-256 */
};

struct sigv4_request {
    struct str method;
    struct str path;                   /* encoded; begins with '/' */
    struct str query;                  /* encoded, without '?'; in any order */
    const struct http_header *headers; /* all of them are signed: host, x-amz-date … */
    size_t header_count;
    struct str payload_hash; /* SHA-256 of the body in hex, or "UNSIGNED-PAYLOAD" */
};

struct sigv4_scope {
    struct str region, service; /* "eu-central-1", "dynamodb" */
    int64_t now_s;              /* UTC */
    bool path_once;             /* S3: the path is signed as it is sent, and not normalised */
};

struct sigv4_key {
    struct str id, secret;
};

/* "20150830T123600Z": x-amz-date. */
void sigv4_time(int64_t now_s, char text[SIGV4_TIME_BYTES + 1]);

/* SHA-256 in lower-case hex. */
void sigv4_hash(struct str bytes, char hex[SIGV4_HEX_BYTES + 1]);

/* Stage 1. The result is in `arena`; *signed_headers gets "host;x-amz-date". */
struct str sigv4_canonical_request(const struct sigv4_request *request,
                                   const struct sigv4_scope *scope, struct arena *arena,
                                   struct str *signed_headers);

/* Stage 2. */
struct str sigv4_string_to_sign(const struct sigv4_scope *scope, struct str canonical_request,
                                struct arena *arena);

/* The key of a day, region and service, kept from one request to the next. Thread-safe. */
struct sigv4_cache {
    pthread_mutex_t lock;
    char of[SIGV4_HEX_BYTES + 1]; /* a hash of what the key was derived from */
    uint8_t key[32];
};

void sigv4_cache_init(struct sigv4_cache *cache);
void sigv4_cache_clear(struct sigv4_cache *cache);

/* Stage 3: the signature in hex. `cache` may be NULL. */
void sigv4_signature(const struct sigv4_scope *scope, const struct sigv4_key *key,
                     struct str string_to_sign, struct sigv4_cache *cache,
                     char hex[SIGV4_HEX_BYTES + 1]);

/* All three: the Authorization header's value, in `arena`. */
struct str sigv4_authorization(const struct sigv4_request *request, const struct sigv4_scope *scope,
                               const struct sigv4_key *key, struct sigv4_cache *cache,
                               struct arena *arena);

/* A raw path, every byte but unreserved ones and '/' becoming %XX. */
void aws_encode_path(struct buf *out, struct str raw);

/* Adds "name=value", encoded, with '&' before it unless `out` is empty. */
void aws_encode_query(struct buf *out, struct str name, struct str value);
