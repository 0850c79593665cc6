/*
 * The places that credentials come from, each a function that knows one of them. A source that is
 * not configured says so and the next is asked; one that is configured and fails is an error that
 * names it: going on would give somebody else's rights. Files are read anew every time.
 */
#pragma once
#include "aws/credentials.h"
#include "base/arena.h"
#include "http/client.h"

#include <stdbool.h>

struct credentials_context {
    char *(*environment)(const char *);
    struct http_client *http;
    const struct clock *clock;
    struct arena *arena; /* what is found is in it */
};

struct credentials_found {
    struct str id, secret, token;
    int64_t expires_ms; /* UTC; INT64_MAX: never */
};

/* *configured false: nothing was tried and the result is CODE_OK. Blocks up to a few seconds. */
typedef enum code (*credentials_source_fn)(const struct credentials_context *context,
                                           struct credentials_found *found, bool *configured,
                                           struct error *err);

struct credentials_source {
    const char *name;
    credentials_source_fn fetch;
    bool silent; /* the last resort: that it does not answer means that it is not there */
};

extern const struct credentials_source CREDENTIALS_SOURCES[];
extern const size_t CREDENTIALS_SOURCE_COUNT;

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
enum code credentials_environment(const struct credentials_context *context,
                                  struct credentials_found *found, bool *configured,
                                  struct error *err) MUST_CHECK;
/* AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME; STS in AWS_REGION, or at
 * AWS_ENDPOINT_URL_STS. */
enum code credentials_web_identity(const struct credentials_context *context,
                                   struct credentials_found *found, bool *configured,
                                   struct error *err) MUST_CHECK;
/* AWS_PROFILE in AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, by default ~/.aws. */
enum code credentials_profile(const struct credentials_context *context,
                              struct credentials_found *found, bool *configured,
                              struct error *err) MUST_CHECK;
/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (ECS) or _FULL_URI (EKS), with
 * AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or _TOKEN. */
enum code credentials_container(const struct credentials_context *context,
                                struct credentials_found *found, bool *configured,
                                struct error *err) MUST_CHECK;
/* IMDSv2, unless AWS_EC2_METADATA_DISABLED; AWS_EC2_METADATA_SERVICE_ENDPOINT. */
enum code credentials_instance(const struct credentials_context *context,
                               struct credentials_found *found, bool *configured,
                               struct error *err) MUST_CHECK;

/* --- what the sources share --- */

/* True for https, and for http to loopback, 169.254.170.2, 169.254.170.23 and fd00:ec2::23, the
 * host compared as an address and not as a text. */
bool credentials_uri_allowed(struct str uri);

/* The JSON document that containers and instances answer with. */
enum code credentials_read_json(struct arena *arena, struct str text,
                                struct credentials_found *found, struct error *err) MUST_CHECK;

/* A small file whole, without spaces around its text. NOT_FOUND when it is not there. */
enum code credentials_read_file(const char *path, struct arena *arena, struct str *text,
                                struct error *err) MUST_CHECK;

/* One request with the body `sent`, at most `deadline_ms`, for a 200 and its body. */
enum code credentials_fetch(const struct credentials_context *context, const char *method,
                            const char *uri, struct str sent, const struct http_header *headers,
                            size_t count, int64_t deadline_ms, struct str *body,
                            struct error *err) MUST_CHECK;
