/* Parsing is inet_pton's; the walk over the hops is here. */
#include "gateway/address.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <string.h>

enum { PROXIES_MAX = 256, HOPS_MAX = 16 };

static const uint8_t V4_PREFIX[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct range {
    struct address address;
    unsigned bits;
};

struct address_list {
    size_t count;
    struct range ranges[PROXIES_MAX];
};

static bool is_v4(const struct address *address)
{
    return memcmp(address->bytes, V4_PREFIX, sizeof V4_PREFIX) == 0;
}

static bool parse_bare(struct str text, struct address *address)
{
    char copy[ADDRESS_TEXT_BYTES];
    if (!text.len || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    memcpy(address->bytes, V4_PREFIX, sizeof V4_PREFIX);
    return inet_pton(AF_INET, copy, address->bytes + sizeof V4_PREFIX) == 1 ||
           inet_pton(AF_INET6, copy, address->bytes) == 1;
}

static bool is_port(struct str text)
{
    uint64_t port;
    return text.len <= 5 && str_to_u64(text, &port) && port <= 65535;
}

bool address_parse(struct str text, bool with_port, struct address *address)
{
    if (parse_bare(text, address))
        return true;
    if (!with_port)
        return false;
    if (text.len && text.ptr[0] == '[') {
        ptrdiff_t end = str_find(text, ']');
        if (end < 0 || !memchr(text.ptr, ':', (size_t)end))
            return false;
        struct str rest = str_from(text, (size_t)end + 1);
        if (rest.len && (rest.ptr[0] != ':' || !is_port(str_from(rest, 1))))
            return false;
        return parse_bare((struct str){text.ptr + 1, (size_t)end - 1}, address);
    }
    ptrdiff_t colon = str_find(text, ':');
    return colon > 0 && is_port(str_from(text, (size_t)colon + 1)) &&
           parse_bare((struct str){text.ptr, (size_t)colon}, address);
}

void address_format(const struct address *address, char text[ADDRESS_TEXT_BYTES])
{
    bool v4 = is_v4(address);
    inet_ntop(v4 ? AF_INET : AF_INET6, address->bytes + (v4 ? sizeof V4_PREFIX : 0), text,
              ADDRESS_TEXT_BYTES);
}

struct address address_network(const struct address *address)
{
    struct address network = *address;
    if (!is_v4(address))
        memset(network.bytes + 8, 0, 8);
    return network;
}

/* --- lists --- */

static bool parse_range(struct str text, struct range *range)
{
    ptrdiff_t slash = str_find(text, '/');
    struct str bare = {text.ptr, slash < 0 ? text.len : (size_t)slash};
    uint64_t bits;
    if (!parse_bare(bare, &range->address))
        return false;
    unsigned width = is_v4(&range->address) && str_find(bare, ':') < 0 ? 32 : 128;
    range->bits = 128;
    if (slash < 0)
        return true;
    struct str digits = str_from(text, (size_t)slash + 1);
    if (digits.len > 3 || !str_to_u64(digits, &bits) || bits > width)
        return false;
    range->bits = (unsigned)bits + 128 - width;
    return true;
}

static bool in_range(const struct range *range, const struct address *address)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(range->address.bytes, address->bytes, whole) != 0)
        return false;
    return !rest ||
           ((range->address.bytes[whole] ^ address->bytes[whole]) & (0xff00 >> rest & 0xff)) == 0;
}

enum code address_list_new(struct str text, struct address_list **list, struct error *err)
{
    struct str piece;
    *list = xcalloc(1, sizeof **list);
    while (text.len && str_next(&text, ',', &piece)) {
        piece = str_trim(piece);
        if ((*list)->count < PROXIES_MAX && parse_range(piece, &(*list)->ranges[(*list)->count])) {
            (*list)->count++;
            continue;
        }
        address_list_free(*list);
        *list = NULL;
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_SETTING",
                         "--trusted-proxies: \"%.*s\" is no address or network (10.0.0.0/8), or "
                         "there are more than %d",
                         STR_ARG(str_utf8_cut(piece, 64)), PROXIES_MAX);
    }
    return CODE_OK;
}

void address_list_free(struct address_list *list)
{
    xfree(list);
}

bool address_list_has(const struct address_list *list, const struct address *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (in_range(&list->ranges[i], address))
            return true;
    return false;
}

/* --- the walk --- */

/* Takes the last entry off a comma-separated value; false when nothing is left. */
static bool last_entry(struct str *value, struct str *entry)
{
    if (!value->ptr)
        return false;
    size_t start = value->len;
    while (start && value->ptr[start - 1] != ',')
        start--;
    *entry = str_trim(str_from(*value, start));
    *value = start ? (struct str){value->ptr, start - 1} : (struct str){NULL, 0};
    return true;
}

bool address_of_client(const struct http_request *request, const struct address_list *trusted,
                       struct address *address)
{
    if (!address_parse(request->peer, false, address))
        return false;
    if (!trusted->count || !address_list_has(trusted, address))
        return true;
    int hops = 0;
    for (size_t i = request->header_count; i-- > 0;) {
        struct str value = request->headers[i].value, entry;
        if (!str_eq_case(request->headers[i].name, STR("X-Forwarded-For")))
            continue;
        while (last_entry(&value, &entry)) {
            struct address hop;
            if (hops++ == HOPS_MAX || !address_parse(entry, true, &hop))
                return true; /* as far as our own proxies can be believed */
            *address = hop;
            if (!address_list_has(trusted, &hop))
                return true;
        }
    }
    return true;
}
