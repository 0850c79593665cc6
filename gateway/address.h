/*
 * From which address a request comes. That is the connection's other end, unless that is one of
 * our own proxies: then what the proxies say in X-Forwarded-For counts, read from the right, each
 * entry written by the hop behind it, up to the first that is none of ours. What stands further
 * left is the client's own invention. Without trusted proxies the header is not looked at.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "http/http.h"

#include <stdbool.h>

enum { ADDRESS_TEXT_BYTES = 46 };

/* IPv4 lies in IPv6 as ::ffff:a.b.c.d does. */
struct address {
    uint8_t bytes[16];
};

struct address_list;

/*
 * `CIDR,…`: 10.0.0.0/8, 2001:db8::/32, or one address. INVALID_ARGUMENT naming --trusted-proxies
 * and the entry. The empty text is the empty list.
 */
enum code address_list_new(struct str text, struct address_list **list,
                           struct error *err) MUST_CHECK;
void address_list_free(struct address_list *list);
bool address_list_has(const struct address_list *list, const struct address *address);

/* IPv4 or IPv6, whole; with `with_port` also `1.2.3.4:80`, `[::1]` and `[::1]:80`. */
bool address_parse(struct str text, bool with_port, struct address *address);

void address_format(const struct address *address, char text[ADDRESS_TEXT_BYTES]);

/* The same with the lower 64 bits of an IPv6 address cleared: what one subscriber has. */
struct address address_network(const struct address *address);

/* Who sent this request. False when the connection's other end has no IP address. */
bool address_of_client(const struct http_request *request, const struct address_list *trusted,
                       struct address *address);
