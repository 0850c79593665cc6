/*
 * Request targets (RFC 9112 section 3.2) and hosts (RFC 3986 section 3.2.2). Where a target names
 * a host as well as the Host header does, the two must agree: the RFC would have the header
 * ignored, but a reader in front of us may have looked at the other one.
 */
#include "http/h1_parse.h"

#include <string.h>

static bool fail(struct h1_head *head, const char *text)
{
    head->status = 400;
    head->text = text;
    return false;
}

static bool is_alpha_num(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/* unreserved, sub-delims and '%' of RFC 3986. */
static bool is_reg_name_char(char byte)
{
    return is_alpha_num(byte) || (byte && strchr("-._~!$&'()*+,;=%", byte));
}

static bool is_port(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return text.len <= 5;
}

static bool is_port_suffix(struct str text)
{
    return text.len == 0 || (text.ptr[0] == ':' && is_port(str_from(text, 1)));
}

bool h1_host_is_valid(struct str host)
{
    size_t at = 0;
    if (host.len && host.ptr[0] == '[') {
        ptrdiff_t end = str_find(host, ']');
        if (end < 2)
            return false;
        for (at = 1; at < (size_t)end; at++) {
            if (!is_alpha_num(host.ptr[at]) && host.ptr[at] != ':' && host.ptr[at] != '.')
                return false;
        }
        return is_port_suffix(str_from(host, at + 1));
    }
    while (at < host.len && is_reg_name_char(host.ptr[at]) && host.ptr[at] != ',')
        at++;
    return is_port_suffix(str_from(host, at));
}

/* Path and query of the part that begins at `at`, which is the end of the target or a '/' or '?'.
 */
static void split_path(struct h1_head *head, const char *data, uint32_t at)
{
    uint32_t end = head->target.at + head->target.len;
    const char *mark = memchr(data + at, '?', end - at);
    uint32_t path_end = mark ? (uint32_t)(mark - data) : end;
    head->path = (struct h1_span){at, path_end - at};
    head->path_is_root = head->path.len == 0;
    if (mark)
        head->query = (struct h1_span){path_end + 1, end - path_end - 1};
}

static bool split_absolute(struct h1_head *head, const char *data, struct str target)
{
    size_t scheme =
        str_eq_case((struct str){target.ptr, target.len < 7 ? target.len : 7}, STR("http://")) ? 7
        : str_eq_case((struct str){target.ptr, target.len < 8 ? target.len : 8}, STR("https://"))
            ? 8
            : 0;
    if (!scheme)
        return fail(head, "The request target is neither a path nor an http URL");
    struct str rest = str_from(target, scheme);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    struct str authority = {rest.ptr, len};
    if (len == 0 || authority.ptr[0] == ':' || !h1_host_is_valid(authority))
        return fail(head, "The request target's host is not a host name with an optional port");
    struct str host = {data + head->host.at, head->host.len};
    if (head->hosts && !str_eq_case(host, authority))
        return fail(head, "The request target and Host name different hosts");
    uint32_t at = head->target.at + (uint32_t)scheme;
    head->host = (struct h1_span){at, (uint32_t)len};
    split_path(head, data, at + (uint32_t)len);
    return true;
}

bool h1_target_split(struct h1_head *head, const char *data)
{
    struct str method = {data + head->method.at, head->method.len};
    struct str target = {data + head->target.at, head->target.len};
    if (str_eq(method, STR("CONNECT"))) {
        fail(head, "This is not a proxy: CONNECT is not understood");
        head->status = 501;
        return false;
    }
    if (target.ptr[0] == '/') {
        split_path(head, data, head->target.at);
        return true;
    }
    if (str_eq(target, STR("*"))) {
        if (!str_eq(method, STR("OPTIONS")))
            return fail(head, "Only OPTIONS may have the target *");
        head->path = head->target;
        return true;
    }
    return split_absolute(head, data, target);
}
