/* The refusals of store_refusals.h. */
#include "user/store_refusals.h"

#include "user/reasons.h"

enum code store_refuse_unknown(struct error *err)
{
    return error_set(err, CODE_NOT_FOUND, REASON_USER_NOT_FOUND, "there is no such user");
}

enum code store_refuse_email(struct error *err)
{
    error_set(err, CODE_ALREADY_EXISTS, REASON_EMAIL_TAKEN, "another user has this email address");
    return error_add_field(err, "user.email", "belongs to another user");
}

enum code store_refuse_reused(struct error *err)
{
    return error_set(err, CODE_INVALID_ARGUMENT, REASON_IDEMPOTENCY_KEY_REUSED,
                     "this request_id was used for another request");
}

enum code store_check_owner(const struct store_owner *owner, const struct user *user,
                            struct error *err)
{
    if (!owner && !user)
        return store_refuse_unknown(err);
    if (!owner || (user && str_eq(owner->issuer, user->owner_issuer) &&
                   str_eq(owner->subject, user->owner_subject)))
        return CODE_OK;
    return error_set(
        err, CODE_PERMISSION_DENIED, REASON_NOT_OWNER,
        "only who created a user, or holds the scope \"admin\", may change it, if there "
        "is such a user");
}
