/*
 * Every reason (google.rpc.ErrorInfo) that the user service gives, with its code and its meaning:
 * the registry that the documentation and the clients read. lib/db adds DATABASE_* for a storage
 * that fails.
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
