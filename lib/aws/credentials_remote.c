/* The sources that ask somebody: STS with a web identity, a container's agent, the instance. */
#include "aws/credentials_sources.h"

#include "aws/sigv4.h"
#include "aws/xml.h"
#include "base/time_text.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    STS_MS = 5000,
    CONTAINER_MS = 2000,
    INSTANCE_MS = 1000, /* off EC2 nobody answers, and nobody should wait for that */
    FIELDS_BYTES_MAX = 64 * 1024,
};

static struct str variable(const struct credentials_context *context, const char *name)
{
    return str_of(context->environment(name));
}

/* --- web identity --- */

static enum code read_sts(const struct credentials_context *context, struct str body,
                          struct credentials_found *found, struct error *err)
{
    const struct xml_node *root;
    int64_t seconds;
    int32_t nanos;
    if (xml_read(context->arena, body, &root, err) != CODE_OK)
        return err->code;
    const struct xml_node *answer = xml_get(root, STR("AssumeRoleWithWebIdentityResult"));
    found->id = xml_text(answer, "Credentials/AccessKeyId");
    found->secret = xml_text(answer, "Credentials/SecretAccessKey");
    found->token = xml_text(answer, "Credentials/SessionToken");
    if (!found->id.len || !found->secret.len || !found->token.len ||
        !time_parse_rfc3339(xml_text(answer, "Credentials/Expiration"), &seconds, &nanos))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "STS gave no complete credentials");
    found->expires_ms = seconds * 1000;
    return CODE_OK;
}

static const char *sts_endpoint(const struct credentials_context *context)
{
    struct str own = variable(context, "AWS_ENDPOINT_URL_STS");
    struct str region = variable(context, "AWS_REGION");
    if (!region.len)
        region = variable(context, "AWS_DEFAULT_REGION");
    if (own.len)
        return own.ptr;
    if (!region.len)
        return "https://sts.amazonaws.com";
    return arena_printf(context->arena, "https://sts.%.*s.amazonaws.com%s", STR_ARG(region),
                        str_starts(region, STR("cn-")) ? ".cn" : "");
}

enum code credentials_web_identity(const struct credentials_context *context,
                                   struct credentials_found *found, bool *configured,
                                   struct error *err)
{
    static const struct http_header form = {{"Content-Type", 12},
                                            {"application/x-www-form-urlencoded", 33}};
    struct str file = variable(context, "AWS_WEB_IDENTITY_TOKEN_FILE");
    struct str role = variable(context, "AWS_ROLE_ARN"), token, body;
    struct str session = variable(context, "AWS_ROLE_SESSION_NAME");
    struct buf fields;
    *configured = file.len && role.len;
    if (!*configured)
        return CODE_OK;
    if (credentials_read_file(file.ptr, context->arena, &token, err) != CODE_OK)
        return error_prefix(err, "AWS_WEB_IDENTITY_TOKEN_FILE");
    buf_init_arena(&fields, context->arena, FIELDS_BYTES_MAX);
    aws_encode_query(&fields, STR("Action"), STR("AssumeRoleWithWebIdentity"));
    aws_encode_query(&fields, STR("Version"), STR("2011-06-15"));
    aws_encode_query(&fields, STR("RoleArn"), role);
    aws_encode_query(&fields, STR("RoleSessionName"), session.len ? session : STR("omnidata"));
    aws_encode_query(&fields, STR("WebIdentityToken"), token);
    if (fields.overflow)
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "the web identity is too long");
    /* As a form: addresses are written to logs, and the token is a secret. */
    const char *sts = arena_printf(context->arena, "%s/", sts_endpoint(context));
    if (credentials_fetch(context, "POST", sts, buf_str(&fields), &form, 1, STS_MS, &body, err) !=
        CODE_OK)
        return error_prefix(err, "STS");
    return read_sts(context, body, found, err);
}

/* --- a container's agent --- */

static bool address_allowed(const char *host)
{
    static const char *const allowed[] = {"169.254.170.2", "169.254.170.23"};
    struct in_addr v4, other;
    struct in6_addr v6, eks;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        if (ntohl(v4.s_addr) >> 24 == 127)
            return true;
        for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
            if (inet_pton(AF_INET, allowed[i], &other) == 1 && v4.s_addr == other.s_addr)
                return true;
        return false;
    }
    return inet_pton(AF_INET6, host, &v6) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&v6) ||
            (inet_pton(AF_INET6, "fd00:ec2::23", &eks) == 1 && memcmp(&v6, &eks, sizeof v6) == 0));
}

bool credentials_uri_allowed(struct str uri)
{
    char host[64];
    if (str_starts(uri, STR("https://")))
        return true;
    if (!str_starts(uri, STR("http://")))
        return false;
    uri = str_from(uri, 7);
    size_t length = 0;
    while (length < uri.len && !strchr("/?#", uri.ptr[length]))
        length++;
    struct str authority = {uri.ptr, length};
    if (str_find(authority, '@') >= 0 || str_find(authority, '\\') >= 0)
        return false;
    bool v6 = str_starts(authority, STR("["));
    ptrdiff_t end = str_find(authority, v6 ? ']' : ':');
    if (v6 && end < 0)
        return false;
    struct str name = v6 ? (struct str){authority.ptr + 1, (size_t)end - 1}
                         : (struct str){authority.ptr, end < 0 ? authority.len : (size_t)end};
    if (str_eq(name, STR("localhost")))
        return true;
    if (name.len >= sizeof host)
        return false;
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    return address_allowed(host);
}

static enum code container_token(const struct credentials_context *context, struct str *token,
                                 struct error *err)
{
    struct str file = variable(context, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    *token = variable(context, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (file.len && credentials_read_file(file.ptr, context->arena, token, err) != CODE_OK)
        return error_prefix(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (memchr(token->ptr ? token->ptr : "", '\n', token->len))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                         "AWS_CONTAINER_AUTHORIZATION_TOKEN has more than one line");
    return CODE_OK;
}

enum code credentials_container(const struct credentials_context *context,
                                struct credentials_found *found, bool *configured,
                                struct error *err)
{
    struct str relative = variable(context, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    struct str full = variable(context, "AWS_CONTAINER_CREDENTIALS_FULL_URI"), body;
    struct http_header header = {STR("Authorization"), {0}};
    *configured = relative.len || full.len;
    if (!*configured)
        return CODE_OK;
    if (relative.len)
        full = str_of(arena_printf(context->arena, "http://169.254.170.2%.*s", STR_ARG(relative)));
    if (!credentials_uri_allowed(full) || (relative.len && relative.ptr[0] != '/'))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                         "%s: only https, loopback and the agents' addresses are asked",
                         relative.len ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
                                      : "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (container_token(context, &header.value, err) != CODE_OK)
        return err->code;
    if (credentials_fetch(context, "GET", full.ptr, STR(""), &header, header.value.len > 0,
                          CONTAINER_MS, &body, err) != CODE_OK)
        return err->code;
    return credentials_read_json(context->arena, body, found, err);
}

/* --- the instance --- */

static bool is_role_name(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '/')
            return false;
    return text.len > 0 && text.len <= 128;
}

enum code credentials_instance(const struct credentials_context *context,
                               struct credentials_found *found, bool *configured, struct error *err)
{
    static const struct http_header lifetime = {{"X-aws-ec2-metadata-token-ttl-seconds", 36},
                                                {"21600", 5}};
    struct http_header token = {STR("X-aws-ec2-metadata-token"), {0}};
    struct str own = variable(context, "AWS_EC2_METADATA_SERVICE_ENDPOINT"), role, body;
    struct arena *arena = context->arena;
    *configured = !str_eq_case(variable(context, "AWS_EC2_METADATA_DISABLED"), STR("true"));
    if (!*configured)
        return CODE_OK;
    while (own.len && own.ptr[own.len - 1] == '/')
        own.len--;
    const char *base =
        own.len ? arena_printf(arena, "%.*s", STR_ARG(own)) : "http://169.254.169.254";
    if (credentials_fetch(context, "PUT", arena_printf(arena, "%s/latest/api/token", base), STR(""),
                          &lifetime, 1, INSTANCE_MS, &token.value, err) != CODE_OK)
        return err->code;
    const char *list = arena_printf(arena, "%s/latest/meta-data/iam/security-credentials/", base);
    if (credentials_fetch(context, "GET", list, STR(""), &token, 1, INSTANCE_MS, &role, err) !=
        CODE_OK)
        return err->code;
    struct str lines = str_trim(role);
    str_next(&lines, '\n', &role);
    if (!is_role_name(role))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "the instance has no role");
    if (credentials_fetch(context, "GET", arena_printf(arena, "%s%.*s", list, STR_ARG(role)),
                          STR(""), &token, 1, INSTANCE_MS, &body, err) != CODE_OK)
        return err->code;
    return credentials_read_json(arena, body, found, err);
}
