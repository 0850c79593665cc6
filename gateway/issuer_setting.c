/* --issuers, from text to structs. */
#include "gateway/issuer.h"

#include <string.h>

enum { TEXTS_MAX = 16, URL_BYTES_MAX = 512 };

/* While it is being read: room for the lists. */
struct draft {
    struct str audiences[TEXTS_MAX], client_ids[TEXTS_MAX], scope_claims[TEXTS_MAX];
    bool profile_said;
    struct issuer issuer;
};

static enum code wrong(struct error *err, struct str issuer, const char *text)
{
    return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_SETTING", "--issuers: \"%.*s\": %s",
                     STR_ARG(str_utf8_cut(issuer, 120)), text);
}

/* --- addresses --- */

static struct str host_of(struct str authority)
{
    if (authority.len && authority.ptr[0] == '[') {
        ptrdiff_t end = str_find(authority, ']');
        return (struct str){authority.ptr, end < 0 ? authority.len : (size_t)end + 1};
    }
    ptrdiff_t colon = str_find(authority, ':');
    return (struct str){authority.ptr, colon < 0 ? authority.len : (size_t)colon};
}

static struct str authority_of(struct str url)
{
    struct str rest = str_from(url, str_starts(url, STR("https://")) ? 8 : 7);
    ptrdiff_t slash = str_find(rest, '/');
    return (struct str){rest.ptr, slash < 0 ? rest.len : (size_t)slash};
}

bool issuer_address_ok(struct str url, bool loopback)
{
    bool https = str_starts(url, STR("https://"));
    if ((!https && !str_starts(url, STR("http://"))) || url.len > URL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f || strchr("\"\\<>@#", url.ptr[i]))
            return false;
    struct str host = host_of(authority_of(url));
    return host.len &&
           (https || (loopback && (str_eq_case(host, STR("localhost")) ||
                                   str_eq(host, STR("127.0.0.1")) || str_eq(host, STR("[::1]")))));
}

/* cognito-idp.eu-central-1.amazonaws.com, and those of China and the European cloud. */
static bool is_cognito(struct str url)
{
    struct str host = host_of(authority_of(url));
    return str_starts(host, STR("cognito-idp.")) &&
           (str_ends(host, STR(".amazonaws.com")) || str_ends(host, STR(".amazonaws.com.cn")) ||
            str_ends(host, STR(".amazonaws.eu")));
}

/* --- parameters --- */

static bool add_text(struct str *items, size_t *count, struct str value)
{
    if (*count == TEXTS_MAX)
        return false;
    items[(*count)++] = value;
    return true;
}

static enum code add_parameter(struct draft *draft, struct str name, struct str value,
                               struct error *err)
{
    struct issuer *issuer = &draft->issuer;
    bool room = true;
    if (!value.len)
        return wrong(err, issuer->url, "a parameter has no value");
    if (str_eq(name, STR("audience"))) {
        room = add_text(draft->audiences, &issuer->audiences.count, value);
    } else if (str_eq(name, STR("client-id"))) {
        room = add_text(draft->client_ids, &issuer->client_ids.count, value);
    } else if (str_eq(name, STR("scope-claim"))) {
        room = add_text(draft->scope_claims, &issuer->scope_claims.count, value);
    } else if (str_eq(name, STR("scope-prefix"))) {
        issuer->scope_prefix = value;
    } else if (str_eq(name, STR("profile"))) {
        if (!str_eq(value, STR("cognito")) && !str_eq(value, STR("oidc")))
            return wrong(err, issuer->url, "a profile is oidc or cognito");
        issuer->cognito = str_eq(value, STR("cognito"));
    } else {
        return wrong(err, issuer->url,
                     "parameters are audience, client-id, scope-claim, scope-prefix and profile");
    }
    return room ? CODE_OK : wrong(err, issuer->url, "there are more than 16 values of one kind");
}

static struct issuer_texts keep(struct arena *arena, const struct str *items, size_t count)
{
    struct str *copy = arena_alloc(arena, count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_str(arena, items[i]);
    return (struct issuer_texts){copy, count};
}

static enum code read_one(struct arena *arena, struct str text, struct issuer *issuer,
                          struct error *err)
{
    struct draft draft = {0};
    struct str rest = text, piece;
    str_next(&rest, ';', &piece);
    draft.issuer.url = arena_str(arena, str_trim(piece));
    if (!issuer_address_ok(draft.issuer.url, true) || str_find(draft.issuer.url, '?') >= 0)
        return wrong(err, draft.issuer.url, "is no https address (http is possible on loopback)");
    draft.issuer.cognito = is_cognito(draft.issuer.url);
    while (str_next(&rest, ';', &piece)) {
        piece = str_trim(piece);
        ptrdiff_t equals = str_find(piece, '=');
        struct str name = {piece.ptr, equals < 0 ? piece.len : (size_t)equals};
        struct str value = equals < 0 ? STR("") : str_from(piece, (size_t)equals + 1);
        if (add_parameter(&draft, name, value, err) != CODE_OK)
            return err->code;
    }
    if (draft.issuer.cognito && !draft.issuer.client_ids.count)
        return wrong(err, draft.issuer.url, "a Cognito pool needs a client-id");
    if (!draft.issuer.cognito && !draft.issuer.audiences.count)
        return wrong(err, draft.issuer.url, "needs an audience");
    *issuer = draft.issuer;
    issuer->audiences = keep(arena, draft.audiences, draft.issuer.audiences.count);
    issuer->client_ids = keep(arena, draft.client_ids, draft.issuer.client_ids.count);
    issuer->scope_claims = keep(arena, draft.scope_claims, draft.issuer.scope_claims.count);
    issuer->scope_prefix = arena_str(arena, draft.issuer.scope_prefix);
    return CODE_OK;
}

enum code issuers_read(struct arena *arena, struct str setting, struct issuer issuers[ISSUERS_MAX],
                       size_t *count, struct error *err)
{
    struct str rest = setting, piece;
    *count = 0;
    while (setting.len && str_next(&rest, ',', &piece)) {
        if (*count == ISSUERS_MAX)
            return wrong(err, piece, "there are more than 8 issuers");
        struct issuer *issuer = &issuers[*count];
        if (read_one(arena, piece, issuer, err) != CODE_OK)
            return err->code;
        for (size_t i = 0; i < *count; i++)
            if (str_eq(issuers[i].url, issuer->url))
                return wrong(err, issuer->url, "is listed twice");
        (*count)++;
    }
    return CODE_OK;
}
