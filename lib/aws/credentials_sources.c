/* The order of the sources, what they share, and the two that ask nobody: environment, profile. */
#include "aws/credentials_sources.h"

#include "base/time_text.h"
#include "json/json_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20, ANSWER_BYTES_MAX = 64 * 1024 };

const struct credentials_source CREDENTIALS_SOURCES[] = {
    {"environment", credentials_environment, false},
    {"web identity", credentials_web_identity, false},
    {"profile", credentials_profile, false},
    {"container", credentials_container, false},
    {"instance metadata", credentials_instance, true},
};
const size_t CREDENTIALS_SOURCE_COUNT = sizeof CREDENTIALS_SOURCES / sizeof *CREDENTIALS_SOURCES;

enum code credentials_read_file(const char *path, struct arena *arena, struct str *text,
                                struct error *err)
{
    char *bytes = arena_alloc(arena, FILE_BYTES_MAX);
    ssize_t length = 0, more = 1;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_errno(err, errno == ENOENT ? CODE_NOT_FOUND : CODE_FAILED_PRECONDITION, errno,
                           "read %s", path);
    while (length < FILE_BYTES_MAX && more > 0) {
        more = read(file, bytes + length, (size_t)(FILE_BYTES_MAX - length));
        length += more > 0 ? more : 0;
    }
    int failed = more < 0 ? errno : 0;
    close(file);
    if (failed)
        return error_errno(err, CODE_FAILED_PRECONDITION, failed, "read %s", path);
    if (length == FILE_BYTES_MAX)
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "%s is too large", path);
    while (length && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    *text = str_trim((struct str){bytes, (size_t)length});
    return CODE_OK;
}

enum code credentials_fetch(const struct credentials_context *context, const char *method,
                            const char *uri, struct str sent, const struct http_header *headers,
                            size_t count, int64_t deadline_ms, struct str *body, struct error *err)
{
    const struct http_client_request request = {
        .method = str_of(method),
        .url = str_of(uri),
        .headers = headers,
        .header_count = count,
        .body = sent,
        .deadline_ms = deadline_ms,
        .response_bytes_max = ANSWER_BYTES_MAX,
    };
    struct http_client_response response;
    if (http_client_fetch(context->http, &request, context->arena, &response, err) != CODE_OK)
        return err->code;
    if (response.status != 200)
        return error_set(err, response.status >= 500 ? CODE_UNAVAILABLE : CODE_FAILED_PRECONDITION,
                         NULL, "answered %d", response.status);
    *body = response.body;
    return CODE_OK;
}

enum code credentials_read_json(struct arena *arena, struct str text,
                                struct credentials_found *found, struct error *err)
{
    const struct json_value *root;
    int64_t seconds;
    int32_t nanos;
    if (json_read(arena, text, json_limits_default(), &root, err) != CODE_OK)
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "the answer is no JSON");
    struct str code = json_get_text(root, STR("Code")),
               expires = json_get_text(root, STR("Expiration"));
    if (code.ptr && !str_eq(code, STR("Success")))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "the answer says %.*s",
                         STR_ARG(code));
    found->id = json_get_text(root, STR("AccessKeyId"));
    found->secret = json_get_text(root, STR("SecretAccessKey"));
    found->token = json_get_text(root, STR("Token"));
    found->expires_ms = INT64_MAX;
    if (!found->id.len || !found->secret.len)
        return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                         "the answer has no AccessKeyId or SecretAccessKey");
    if (!expires.len)
        return CODE_OK;
    if (!time_parse_rfc3339(expires, &seconds, &nanos))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "the answer's Expiration is no time");
    found->expires_ms = seconds * 1000;
    return CODE_OK;
}

/* --- environment --- */

enum code credentials_environment(const struct credentials_context *context,
                                  struct credentials_found *found, bool *configured,
                                  struct error *err)
{
    *found = (struct credentials_found){
        str_of(context->environment("AWS_ACCESS_KEY_ID")),
        str_of(context->environment("AWS_SECRET_ACCESS_KEY")),
        str_of(context->environment("AWS_SESSION_TOKEN")),
        INT64_MAX,
    };
    *configured = found->id.len || found->secret.len;
    if (*configured && !(found->id.len && found->secret.len))
        return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                         "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together");
    return CODE_OK;
}

/* --- profile files --- */

struct profile {
    struct str id, secret, token;
    struct str elsewhere; /* a way to get credentials that is not carried out here */
    bool found;
};

static void take_line(struct str line, struct profile *profile)
{
    static const char *const others[] = {"role_arn", "sso_session", "sso_start_url",
                                         "credential_process", "web_identity_token_file"};
    ptrdiff_t equals = str_find(line, '=');
    if (equals < 0)
        return;
    struct str name = str_trim((struct str){line.ptr, (size_t)equals});
    struct str value = str_trim(str_from(line, (size_t)equals + 1));
    if (str_eq(name, STR("aws_access_key_id")))
        profile->id = value;
    else if (str_eq(name, STR("aws_secret_access_key")))
        profile->secret = value;
    else if (str_eq(name, STR("aws_session_token")))
        profile->token = value;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (str_eq(name, str_of(others[i])))
            profile->elsewhere = name;
}

/* "[name]"; in the config file "[profile name]" unless it is the default one. */
static bool is_section_of(struct str line, struct str name)
{
    if (line.len < 2 || line.ptr[line.len - 1] != ']')
        return false;
    struct str inside = str_trim((struct str){line.ptr + 1, line.len - 2});
    if (str_starts(inside, STR("profile ")))
        inside = str_trim(str_from(inside, 8));
    return str_eq(inside, name);
}

static void read_profile(struct str text, struct str name, struct profile *profile)
{
    struct str rest = text, line;
    bool within = false;
    while (str_next(&rest, '\n', &line)) {
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        bool nested = line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
        line = str_trim(line);
        if (!line.len || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        if (line.ptr[0] == '[') {
            within = is_section_of(line, name);
            profile->found |= within;
        } else if (within && !nested) {
            take_line(line, profile);
        }
    }
}

static const char *profile_path(const struct credentials_context *context, const char *variable,
                                const char *usual)
{
    const char *path = context->environment(variable), *home = context->environment("HOME");
    if (path && *path)
        return path;
    return home && *home ? arena_printf(context->arena, "%s/.aws/%s", home, usual) : NULL;
}

static enum code read_profile_file(const struct credentials_context *context, const char *variable,
                                   const char *usual, struct str name, struct profile *profile,
                                   struct error *err)
{
    const char *path = profile_path(context, variable, usual);
    struct str text;
    if (!path)
        return CODE_OK;
    enum code code = credentials_read_file(path, context->arena, &text, err);
    if (code == CODE_OK)
        read_profile(text, name, profile);
    return code == CODE_NOT_FOUND ? CODE_OK : code;
}

enum code credentials_profile(const struct credentials_context *context,
                              struct credentials_found *found, bool *configured, struct error *err)
{
    struct str chosen = str_of(context->environment("AWS_PROFILE"));
    struct str name = chosen.len ? chosen : STR("default");
    struct profile profile = {0};
    *configured = true;
    /* The credentials file comes second: what stands there counts. */
    if (read_profile_file(context, "AWS_CONFIG_FILE", "config", name, &profile, err) != CODE_OK ||
        read_profile_file(context, "AWS_SHARED_CREDENTIALS_FILE", "credentials", name, &profile,
                          err) != CODE_OK)
        return err->code;
    *found = (struct credentials_found){profile.id, profile.secret, profile.token, INT64_MAX};
    if (found->id.len && found->secret.len)
        return CODE_OK;
    if (profile.elsewhere.len)
        return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                         "profile \"%.*s\" uses %.*s, which is not supported: give keys or a role "
                         "by another source",
                         STR_ARG(name), STR_ARG(profile.elsewhere));
    if (chosen.len)
        return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                         profile.found ? "profile \"%.*s\" has no keys"
                                       : "there is no profile \"%.*s\"",
                         STR_ARG(name));
    *configured = false;
    return CODE_OK;
}
