/*
 * The rich error model (AIP-193): struct error as an encoded google.rpc.Status with ErrorInfo,
 * BadRequest and RetryInfo, the content of the `grpc-status-details-bin` trailer, and back.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

/* The encoding, in the arena; empty when code and message say it all. */
struct str status_details_encode(struct arena *arena, const struct error *err);

/*
 * Adds reason, retry delay and fields to *err, as many as it has room for; code and message stay.
 * Bytes that are no Status, and details of other kinds, are passed over.
 */
void status_details_decode(struct str bytes, struct error *err);
