/* The refusals of access_refusals.h. */
#include "user/access_refusals.h"

#include "user/reasons.h"
#include "user/store_refusals.h"

#include <string.h>

enum code access_refuse_unknown_plan(struct str id, struct error *err)
{
    return error_set(err, CODE_NOT_FOUND, REASON_PLAN_NOT_FOUND, "there is no plan \"%.*s\"",
                     STR_ARG(str_utf8_cut(id, ACCESS_PLAN_ID_CHARS)));
}

enum code access_refuse_plan_of_key(struct str id, struct error *err)
{
    error_set(err, CODE_FAILED_PRECONDITION, REASON_PLAN_NOT_FOUND, "there is no plan \"%.*s\"",
              STR_ARG(id));
    return error_add_field(err, "api_key.plan_id", err->text);
}

enum code access_refuse_more_plans(struct error *err)
{
    return error_set(err, CODE_RESOURCE_EXHAUSTED, REASON_PLANS_FULL, "there are %d plans already",
                     ACCESS_PLANS_MAX);
}

enum code access_refuse_unknown_key(struct error *err)
{
    return error_set(err, CODE_NOT_FOUND, REASON_KEY_NOT_FOUND, "there is no such key");
}

enum code access_refuse_changed_key(struct error *err)
{
    return error_set(err, CODE_ABORTED, REASON_KEY_CHANGED, "the key has changed meanwhile");
}

enum code access_refuse_more_keys(struct error *err)
{
    return error_set(err, CODE_RESOURCE_EXHAUSTED, REASON_KEYS_FULL,
                     "there are %d keys already that are not disabled", ACCESS_KEYS_MAX);
}

enum code access_refuse_changed_quota(struct error *err)
{
    return error_set(err, CODE_ABORTED, REASON_QUOTA_CHANGED, "the quota has changed meanwhile");
}

enum code access_refuse_made_before(const struct store_once *once, struct str hash, struct id made,
                                    struct error *err)
{
    char text[ID_TEXT_BYTES + 1];
    if (hash.len != STORE_HASH_BYTES || memcmp(hash.ptr, once->hash, STORE_HASH_BYTES) != 0)
        return store_refuse_reused(err);
    id_format(made, text);
    return error_set(err, CODE_ALREADY_EXISTS, REASON_KEY_CREATED_BEFORE,
                     "this request has made the key %s; its secret was in that answer only: "
                     "rotate the key for another",
                     text);
}
