/* What every store refuses, in the same words. Each returns its code. */
#pragma once
#include "base/error.h"
#include "user/store_values.h"

/* NOT_FOUND (USER_NOT_FOUND). */
enum code store_refuse_unknown(struct error *err);

/* ALREADY_EXISTS (EMAIL_TAKEN), naming user.email. */
enum code store_refuse_email(struct error *err);

/* INVALID_ARGUMENT (IDEMPOTENCY_KEY_REUSED). */
enum code store_refuse_reused(struct error *err);

/*
 * PERMISSION_DENIED (NOT_OWNER) when the user (NULL: there is none) is not `owner`'s: one answer
 * for another's and for none, so that what there is stays unknown. `owner` NULL: NOT_FOUND when
 * there is none.
 */
enum code store_check_owner(const struct store_owner *owner, const struct user *user,
                            struct error *err) MUST_CHECK;
