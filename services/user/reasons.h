/*
 * Every reason (google.rpc.ErrorInfo) that the user service gives, with its code and its meaning:
 * the registry that the documentation and the clients read. What is refused before a method is
 * reached has its reasons in rpc/reasons.h; lib/db adds DATABASE_* for a storage that fails.
 */
#pragma once

/* INVALID_ARGUMENT: a field of the request is wrong; the field violations say which (set by
 * error_field). */
#define REASON_INVALID_FIELD "INVALID_FIELD"

/* INVALID_ARGUMENT: the page token was not made by this server for this query. */
#define REASON_PAGE_TOKEN_INVALID "PAGE_TOKEN_INVALID"

/* INVALID_ARGUMENT: the request_id was used before, for another request. */
#define REASON_IDEMPOTENCY_KEY_REUSED "IDEMPOTENCY_KEY_REUSED"

/* PERMISSION_DENIED: the caller neither created this user, if there is one at all, nor holds the
 * scope `admin`. */
#define REASON_NOT_OWNER "NOT_OWNER"

/* NOT_FOUND: there is no user with this id. */
#define REASON_USER_NOT_FOUND "USER_NOT_FOUND"

/* ALREADY_EXISTS: another user has this email address, whatever its case. */
#define REASON_EMAIL_TAKEN "EMAIL_TAKEN"

/* NOT_FOUND: there is no API key with this id. */
#define REASON_KEY_NOT_FOUND "KEY_NOT_FOUND"

/* NOT_FOUND, FAILED_PRECONDITION (of a key to make): there is no plan with this id. */
#define REASON_PLAN_NOT_FOUND "PLAN_NOT_FOUND"

/* FAILED_PRECONDITION: the key has been disabled, for ever. */
#define REASON_KEY_DISABLED "KEY_DISABLED"

/* FAILED_PRECONDITION: the key's expire_time has passed. */
#define REASON_KEY_EXPIRED "KEY_EXPIRED"

/* ALREADY_EXISTS: a request with this request_id has made a key; its secret is not told twice. */
#define REASON_KEY_CREATED_BEFORE "KEY_CREATED_BEFORE"

/* ABORTED: the key was changed by another request at the same time; try again. */
#define REASON_KEY_CHANGED "KEY_CHANGED"

/* RESOURCE_EXHAUSTED: there are as many keys, or plans, as there may be. */
#define REASON_KEYS_FULL "KEYS_FULL"
#define REASON_PLANS_FULL "PLANS_FULL"

/* FAILED_PRECONDITION: the key's plan has no quota, so there is nothing to lease. */
#define REASON_PLAN_HAS_NO_QUOTA "PLAN_HAS_NO_QUOTA"

/* ABORTED: the quota was changed by another request at the same time; try again. */
#define REASON_QUOTA_CHANGED "QUOTA_CHANGED"

/* PERMISSION_DENIED: the call is about the caller's API key, and none came with it. */
#define REASON_API_KEY_NEEDED "API_KEY_NEEDED"

/* ABORTED: the user has changed since the etag was read. */
#define REASON_ETAG_MISMATCH "ETAG_MISMATCH"

/* RESOURCE_EXHAUSTED: the disk has no room; writes are refused until it has (set by lib/db). */
#define REASON_DISK_FULL "DISK_FULL"

/* RESOURCE_EXHAUSTED: too many events wait for the analytics service; writes are refused. */
#define REASON_OUTBOX_FULL "OUTBOX_FULL"

/* RESOURCE_EXHAUSTED: more writes wait than the server takes on. */
#define REASON_OVERLOADED "OVERLOADED"

/* DEADLINE_EXCEEDED: the caller's time ran out; a write may still have been carried out. */
#define REASON_DEADLINE "DEADLINE"

/* UNAVAILABLE: the server is shutting down. */
#define REASON_STOPPING "STOPPING"

/* UNAVAILABLE: the database cannot be reached or has too much to do; a write may still have been
 * carried out. */
#define REASON_STORE_UNAVAILABLE "STORE_UNAVAILABLE"

/* INTERNAL: the database refuses what it is asked; the log says why. */
#define REASON_STORE_REFUSED "STORE_REFUSED"
