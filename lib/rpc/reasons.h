/*
 * The reasons (google.rpc.ErrorInfo) that every server gives before a handler sees the call, with
 * their codes. services/user/reasons.h and services/analytics/reasons.h hold those of the handlers.
 */
#pragma once

/* UNAUTHENTICATED: the call came without a certificate or token that names a peer. */
#define REASON_PEER_UNKNOWN "PEER_UNKNOWN"

/* UNAUTHENTICATED: it came with a token, and that is nobody's, or another peer's than the
 * certificate. */
#define REASON_PEER_TOKEN_WRONG "PEER_TOKEN_WRONG"

/* UNAUTHENTICATED: what the gateway says about its client cannot be read. */
#define REASON_CALLER_MALFORMED "CALLER_MALFORMED"

/* PERMISSION_DENIED: a peer that is no gateway says for whom it calls. */
#define REASON_CALLER_NOT_BELIEVED "CALLER_NOT_BELIEVED"

/* UNAUTHENTICATED: the method wants a signed-in user. */
#define REASON_SIGN_IN_REQUIRED "SIGN_IN_REQUIRED"

/* UNAUTHENTICATED: the method wants an API key. */
#define REASON_KEY_REQUIRED "KEY_REQUIRED"

/* PERMISSION_DENIED: the user's token lacks a scope of the method. */
#define REASON_SCOPE_REQUIRED "SCOPE_REQUIRED"

/* PERMISSION_DENIED: the method is for services only. */
#define REASON_METHOD_INTERNAL "METHOD_INTERNAL"

/* RESOURCE_EXHAUSTED: the answer is larger than the caller takes. */
#define REASON_MESSAGE_TOO_LARGE "MESSAGE_TOO_LARGE"

/* PERMISSION_DENIED: nothing grants the method to this peer. */
#define REASON_METHOD_NOT_GRANTED "METHOD_NOT_GRANTED"
