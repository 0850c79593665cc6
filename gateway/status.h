/*
 * How a failure looks over HTTP, whichever stage found it: one status mapping, one body.
 *   {"error":{"code":404,"message":"…","status":"NOT_FOUND","details":[…]}}        (AIP-193)
 * `Accept: application/problem+json` gets RFC 9457; by configuration {"message":…} as AWS has it.
 * What an upstream says about its inside (INTERNAL, UNKNOWN, DATA_LOSS; addresses of connections)
 * stays here.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "gateway/schema.h"
#include "rpc/client.h"

enum status_shape { STATUS_GOOGLE, STATUS_PROBLEM, STATUS_AWS };

struct failure {
    int http_status;
    enum code code;
    struct str message;
    struct str details;      /* an upstream's encoded google.rpc.Status, or empty */
    const struct error *err; /* reason and fields when there are no details; may be NULL */
    uint32_t retry_after_s;  /* 0: none */
};

/* The gRPC code's HTTP status (google/rpc/code.proto); CANCELLED is 499. */
int status_of_code(enum code code);

/* The code that goes with an HTTP status the gateway chose by itself. */
enum code status_code_of_http(int http_status);

/* A failure of the gateway's own: status by its code unless `http_status` is not 0. */
struct failure status_own(int http_status, const struct error *err);

/*
 * An upstream's failure, with what must not be seen taken out. `if_match`: the request carried
 * If-Match, so a stale etag (reason ETAG_MISMATCH) is 412. *err is filled from the result and must
 * stay.
 */
struct failure status_upstream(const struct rpc_result *result, bool if_match, struct error *err);

/* Where the types of details are looked for: a service's own descriptors need not know
 * google.rpc's.
 */
struct status_types {
    const struct schema *schema;
    const struct schema *builtin; /* ours, or NULL: that is `schema` */
};

/* Appends the body, and says its content type. The types (may be NULL) are for the details. */
struct str status_body(const struct failure *failure, enum status_shape shape,
                       const struct status_types *types, struct arena *arena, struct buf *out);
