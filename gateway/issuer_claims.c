/*
 * Claims against an issuer's settings.
 *
 * oidc: any token with an audience of ours, so access tokens in JWT form (RFC 9068) and id tokens
 * whose audience is listed. Cognito: access tokens by `client_id` (they have no `aud` unless they
 * are bound to a resource), id tokens by `aud`; `token_use` says which one it is.
 */
#include "gateway/issuer.h"

#include "base/buf.h"

#include <string.h>

static enum code refuse(struct error *err, const char *reason, const char *text)
{
    return error_set(err, CODE_UNAUTHENTICATED, reason, "%s", text);
}

static bool holds(const struct issuer_texts *texts, struct str text)
{
    for (size_t i = 0; i < texts->count; i++)
        if (str_eq(texts->items[i], text))
            return true;
    return false;
}

/* A string claim; ptr NULL when there is none or it is no string. */
static struct str text_of(const struct json_value *claims, struct str name)
{
    const struct json_value *value = json_get(claims, name);
    return value && value->kind == JSON_STRING ? value->text : (struct str){0};
}

const struct issuer *issuer_of(const struct issuer *issuers, size_t count, const struct jwt *jwt)
{
    struct str name = text_of(jwt->claims, STR("iss"));
    for (size_t i = 0; i < count && name.ptr; i++)
        if (str_eq(issuers[i].url, name))
            return &issuers[i];
    return NULL;
}

/* --- type, times, subject --- */

static enum code check_type(const struct jwt *jwt, struct error *err)
{
    static const struct str good[] = {
        {"", 0}, {"JWT", 3}, {"at+jwt", 6}, {"application/at+jwt", 18}, {"application/jwt", 15}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (str_eq_case(jwt->type, good[i]))
            return CODE_OK;
    return refuse(err, "TOKEN_TYPE", "The token is of a type that does not sign anybody in.");
}

static enum code check_times(const struct json_value *claims, int64_t now_s, int64_t skew_s,
                             int64_t *expires_s, struct error *err)
{
    int64_t from_s = 0, issued_s = 0;
    enum jwt_date from = jwt_date(claims, STR("nbf"), &from_s);
    enum jwt_date issued = jwt_date(claims, STR("iat"), &issued_s);
    if (jwt_date(claims, STR("exp"), expires_s) != JWT_DATE_SET)
        return refuse(err, "TOKEN_CLAIMS", "The token has no time at which it expires.");
    if (from == JWT_DATE_WRONG || issued == JWT_DATE_WRONG)
        return refuse(err, "TOKEN_CLAIMS", "The token has a time that is none.");
    if (now_s >= *expires_s + skew_s)
        return refuse(err, "TOKEN_EXPIRED", "The token has expired.");
    if (from_s > now_s + skew_s || issued_s > now_s + skew_s)
        return refuse(err, "TOKEN_NOT_YET_VALID", "The token is not valid yet.");
    return CODE_OK;
}

static bool is_subject(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return text.len > 0 && text.len <= ISSUER_SUBJECT_BYTES_MAX;
}

/* --- for whom it is --- */

/* `aud` is a text or a list of texts. */
static bool is_for(const struct json_value *claims, const struct issuer_texts *wanted)
{
    const struct json_value *aud = json_get(claims, STR("aud"));
    if (!aud)
        return false;
    if (aud->kind == JSON_STRING)
        return holds(wanted, aud->text);
    if (aud->kind == JSON_ARRAY)
        for (const struct json_value *v = aud->first; v; v = v->next)
            if (v->kind == JSON_STRING && holds(wanted, v->text))
                return true;
    return false;
}

static bool is_for_us_oidc(const struct issuer *issuer, const struct json_value *claims)
{
    if (!is_for(claims, &issuer->audiences))
        return false;
    if (!issuer->client_ids.count)
        return true;
    struct str client = text_of(claims, STR("client_id"));
    return holds(&issuer->client_ids, client.ptr ? client : text_of(claims, STR("azp")));
}

static bool is_for_us_cognito(const struct issuer *issuer, const struct json_value *claims)
{
    struct str use = text_of(claims, STR("token_use"));
    if (str_eq(use, STR("id")))
        return is_for(claims, &issuer->client_ids);
    if (!str_eq(use, STR("access")) ||
        !holds(&issuer->client_ids, text_of(claims, STR("client_id"))))
        return false;
    return !json_get(claims, STR("aud")) || is_for(claims, &issuer->audiences);
}

/* --- scopes --- */

struct collecting {
    const struct issuer *issuer;
    struct buf out;
    size_t count;
};

/* One scope; what has a space or a control character in it cannot be one. */
static void add_scope(struct collecting *scopes, struct str scope)
{
    for (size_t i = 0; i < scope.len; i++)
        if ((unsigned char)scope.ptr[i] <= ' ' || scope.ptr[i] == 0x7f)
            return;
    if (scopes->issuer->scope_prefix.len && str_starts(scope, scopes->issuer->scope_prefix))
        scope = str_from(scope, scopes->issuer->scope_prefix.len);
    if (!scope.len)
        return;
    if (scopes->count++)
        buf_add_char(&scopes->out, ' ');
    buf_add(&scopes->out, scope);
}

static void add_claim(struct collecting *scopes, const struct json_value *value)
{
    struct str piece;
    if (value && value->kind == JSON_STRING) {
        struct str rest = value->text;
        while (rest.len && str_next(&rest, ' ', &piece))
            add_scope(scopes, piece);
    } else if (value && value->kind == JSON_ARRAY) {
        for (const struct json_value *v = value->first; v; v = v->next)
            if (v->kind == JSON_STRING)
                add_scope(scopes, v->text);
    }
}

static enum code collect(const struct issuer *issuer, const struct json_value *claims,
                         struct arena *arena, struct str *scopes, struct error *err)
{
    struct collecting all = {.issuer = issuer};
    buf_init_arena(&all.out, arena, 4 << 10);
    add_claim(&all, json_get(claims, STR("scope")));
    if (issuer->cognito)
        add_claim(&all, json_get(claims, STR("cognito:groups")));
    for (size_t i = 0; i < issuer->scope_claims.count; i++)
        add_claim(&all, json_get(claims, issuer->scope_claims.items[i]));
    if (all.count > ISSUER_SCOPES_MAX || all.out.overflow)
        return refuse(err, "TOKEN_CLAIMS",
                      "The token has more than 100 scopes, or longer ones "
                      "than 4096 bytes in all.");
    *scopes = buf_str(&all.out);
    return CODE_OK;
}

enum code issuer_check(const struct issuer *issuer, const struct jwt *jwt, int64_t now_s,
                       int64_t skew_s, struct arena *arena, struct identity *identity,
                       struct error *err)
{
    const struct json_value *claims = jwt->claims;
    if (check_type(jwt, err) != CODE_OK)
        return err->code;
    if (json_get(claims, STR("cnf")))
        return refuse(err, "TOKEN_CLAIMS",
                      "The token is bound to a key whose proof is not looked at here.");
    if (check_times(claims, now_s, skew_s, &identity->expires_s, err) != CODE_OK)
        return err->code;
    if (!(issuer->cognito ? is_for_us_cognito(issuer, claims) : is_for_us_oidc(issuer, claims)))
        return refuse(err, "TOKEN_AUDIENCE", "The token is meant for another application.");
    identity->issuer = issuer->url;
    identity->subject = text_of(claims, STR("sub"));
    if (!is_subject(identity->subject))
        return refuse(err, "TOKEN_CLAIMS", "The token's subject is no text of 1 to 255 bytes.");
    return collect(issuer, claims, arena, &identity->scopes, err);
}
