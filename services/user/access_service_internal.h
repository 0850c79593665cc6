/* What the rooms of AccessService share; see access_service.h. */
#pragma once
#include "user/access_request.h"
#include "user/access_service.h"
#include "user/service_internal.h"

/* FAILED_PRECONDITION (KEY_DISABLED, KEY_EXPIRED). */
enum code access_key_usable(const struct access_key *key, int64_t now_us,
                            struct error *err) MUST_CHECK;

/* --- handlers --- */
enum code access_lease_quota(struct rpc_call *, const void *, void *, struct error *);
enum code access_get_usage(struct rpc_call *, const void *, void *, struct error *);
enum code access_get_key_usage(struct rpc_call *, const void *, void *, struct error *);
