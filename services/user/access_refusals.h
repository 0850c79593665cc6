/* What every access store refuses, in the same words. Each returns its code. */
#pragma once
#include "user/access.h"
#include "user/store_values.h"

#include "base/error.h"

enum code access_refuse_unknown_plan(struct str id, struct error *err); /* NOT_FOUND */
enum code access_refuse_plan_of_key(struct str id, struct error *err);  /* FAILED_PRECONDITION */
enum code access_refuse_more_plans(struct error *err);                  /* RESOURCE_EXHAUSTED */
enum code access_refuse_unknown_key(struct error *err);                 /* NOT_FOUND */
enum code access_refuse_changed_key(struct error *err);                 /* ABORTED */
enum code access_refuse_more_keys(struct error *err);                   /* RESOURCE_EXHAUSTED */
enum code access_refuse_changed_quota(struct error *err);               /* ABORTED */

/* A request_id that was used before, with this hash, and made `made`: ALREADY_EXISTS, or
 * INVALID_ARGUMENT when it was another request. */
enum code access_refuse_made_before(const struct store_once *once, struct str hash, struct id made,
                                    struct error *err);
