/*
 * The stage that asks who is signed in (RFC 6750). It runs before anything of a body is read, so a
 * refusal is also the answer to `Expect: 100-continue`.
 *
 * Tokens come in the Authorization header only: one header, the scheme Bearer. Another scheme is no
 * token; a token in the query is not looked at, and never logged. A token that was sent must be
 * good, also where none is asked for: a client that believes it is signed in is not answered as
 * somebody else.
 */
#include "gateway/request.h"

#include "gateway/sign_in.h"

enum token_sent { TOKEN_NONE, TOKEN_SENT, TOKEN_TWICE };

static enum token_sent find_token(const struct http_request *http, struct str *token)
{
    struct str value = http_header_find(http, STR("Authorization"));
    if (http_header_count(http, STR("Authorization")) > 1)
        return TOKEN_TWICE;
    ptrdiff_t space = str_find(value, ' ');
    struct str scheme = {value.ptr, space < 0 ? value.len : (size_t)space};
    if (!str_eq_case(scheme, STR("Bearer")))
        return TOKEN_NONE;
    *token = str_trim(str_from(value, scheme.len));
    return TOKEN_SENT;
}

/* Whether the method is one for signed-in users only, by its policy. */
static bool needs_user(const struct request *request)
{
    const struct route *route = request->match.route;
    const struct schema_policy *policy = &route->method->policy;
    if (request->gateway->options.access != GATEWAY_ACCESS_POLICY)
        return false;
    switch (policy->access) {
    case SCHEMA_ACCESS_SIGNED_IN:
        return true;
    case SCHEMA_ACCESS_UNSPECIFIED:
        return policy->scope_count || !str_eq(route->binding->http_method, STR("GET"));
    case SCHEMA_ACCESS_PUBLIC:
    case SCHEMA_ACCESS_KEY:
    case SCHEMA_ACCESS_INTERNAL:
        break;
    }
    return policy->scope_count > 0;
}

/* --- refusals --- */

static enum stage_result challenge(struct request *request, int status, const char *error,
                                   const struct error *err)
{
    /* Our texts have neither quotes nor backslashes: they are quoted as they are. */
    const char *value = error ? arena_printf(request->arena,
                                             "Bearer realm=\"api\", error=\"%s\", "
                                             "error_description=\"%s\"",
                                             error, err->text)
                              : "Bearer realm=\"api\"";
    request_header(request, STR("WWW-Authenticate"), str_of(value));
    return request_fail_own(request, status, err);
}

static enum stage_result refuse_token(struct request *request, const struct error *err)
{
    if (err->code == CODE_UNAUTHENTICATED)
        return challenge(request, 0, "invalid_token", err);
    return request_fail_own(request, 0, err);
}

static enum stage_result ask_for_token(struct request *request)
{
    struct error err;
    error_set(&err, CODE_UNAUTHENTICATED, "TOKEN_MISSING",
              "This needs a signed-in user: send a token as Authorization: Bearer.");
    return challenge(request, 0, NULL, &err);
}

static enum stage_result refuse_two(struct request *request)
{
    struct error err;
    error_set(&err, CODE_INVALID_ARGUMENT, "TOKEN_TWICE",
              "There is more than one Authorization header.");
    return challenge(request, 0, "invalid_request", &err);
}

/* --- scopes --- */

static bool has_scope(const struct caller *caller, struct str wanted)
{
    for (size_t i = 0; i < caller->scope_count; i++)
        if (str_eq(caller->scopes[i], wanted))
            return true;
    return false;
}

static enum stage_result check_scopes(struct request *request)
{
    const struct schema_policy *policy = &request->match.route->method->policy;
    struct error err;
    struct buf value;
    size_t i = 0;
    while (i < policy->scope_count && has_scope(&request->caller, policy->scopes[i]))
        i++;
    if (i == policy->scope_count)
        return STAGE_GO;
    error_set(&err, CODE_PERMISSION_DENIED, "SCOPE_MISSING",
              "The token does not have the scopes that this needs.");
    buf_init_arena(&value, request->arena, 4096);
    buf_addf(&value,
             "Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"%s\", "
             "scope=\"",
             err.text);
    for (i = 0; i < policy->scope_count; i++)
        buf_addf(&value, "%s%.*s", i ? " " : "", STR_ARG(policy->scopes[i]));
    buf_add_char(&value, '"');
    request_header(request, STR("WWW-Authenticate"), buf_str(&value));
    return request_fail_own(request, 0, &err);
}

/* --- the stage --- */

static enum code identify(struct request *request, struct str token, struct error *err)
{
    struct sign_in_user user;
    struct caller *caller = &request->caller;
    struct sign_in *sign_in = request->gateway->sign_in;
    if (!sign_in)
        return error_set(err, CODE_UNAUTHENTICATED, "TOKEN_ISSUER",
                         "Nobody can sign in here: no issuer of tokens is configured.");
    struct str network = {(const char *)request->network.bytes, sizeof request->network.bytes};
    if (sign_in_check(sign_in, token, network, request->arena, &user, err) != CODE_OK)
        return err->code;
    caller->issuer = user.issuer;
    caller->subject = user.subject;
    caller->scopes = user.scopes;
    caller->scope_count = user.scope_count;
    caller->until_s = user.until_s;
    return CODE_OK;
}

enum stage_result stage_sign_in(struct request *request)
{
    struct gateway *gateway = request->gateway;
    struct str token;
    struct error err = {0};
    if (!gateway->sign_in && gateway->options.access == GATEWAY_ACCESS_OPEN)
        return STAGE_GO;
    bool needed = needs_user(request);
    switch (find_token(request->http, &token)) {
    case TOKEN_TWICE:
        return refuse_two(request);
    case TOKEN_NONE:
        return needed ? ask_for_token(request) : STAGE_GO;
    case TOKEN_SENT:
        break;
    }
    if (identify(request, token, &err) != CODE_OK)
        return refuse_token(request, &err);
    return needed ? check_scopes(request) : STAGE_GO;
}
