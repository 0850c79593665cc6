/*
 * From the messages of omnidata.access.v1 to the domain's values, checked: every violation is in
 * *err, with its path in the request.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "rpc/caller.h"
#include "user/access_store.h"

#include "omnidata/access/v1/access.pb-c.h"

enum code access_request_plan(const Omnidata__Access__V1__PutPlanRequest *request,
                              struct access_plan *plan, struct error *err) MUST_CHECK;

/* The key but for id, secret and times of its making; what the caller may not say is ignored. *once
 * is NULL without a request_id, which is the caller's own (request.h). */
enum code access_request_key(const struct rpc_caller *caller,
                             const Omnidata__Access__V1__CreateApiKeyRequest *request,
                             int64_t now_us, struct arena *arena, struct access_key *key,
                             const struct store_once **once, struct error *err) MUST_CHECK;

/* A change of a key: the fields that are set in `fields`, with their new values. */
enum {
    ACCESS_FIELD_NAME = 1,
    ACCESS_FIELD_PLAN = 2,
    ACCESS_FIELD_EXPIRY = 4,
    ACCESS_FIELDS_ALL = 7,
};
struct access_key_change {
    unsigned fields;
    struct access_key values;
    struct str etag; /* that it is based on; empty: any */
};
enum code access_request_change(const Omnidata__Access__V1__UpdateApiKeyRequest *request,
                                int64_t now_us, struct access_key_change *change,
                                struct error *err) MUST_CHECK;

/* A wish for a lease, a return, or both. */
struct access_lease_request {
    struct id key_id;
    uint64_t want, need; /* want 0: no lease is wanted */
    bool returns;
    uint64_t unspent;
    /* The gateway's name is part of them: no gateway can take or return another's lease. */
    uint8_t lease[QUOTA_LEASE_ID_BYTES], returned[QUOTA_LEASE_ID_BYTES];
};
enum code access_request_lease(const Omnidata__Access__V1__LeaseQuotaRequest *request,
                               struct access_lease_request *lease, struct error *err) MUST_CHECK;

/* Whose use of the key is counted. INVALID_ARGUMENT (field `subject`) when there is a subject and
 * the key is not public, or the other way round. */
enum code access_request_counter(const struct access_key *key, struct str subject,
                                 struct access_counter *counter, struct error *err) MUST_CHECK;

/* The subject of access.proto for a caller of a public key; empty when nothing is known of it. */
struct str access_subject_of(const struct rpc_caller *caller, struct arena *arena);
