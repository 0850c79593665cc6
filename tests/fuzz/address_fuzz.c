/*
 * Any X-Forwarded-For, any list of proxies: what is taken as an address reads back as the same, and
 * the walk ends at somebody who is not one of ours, or at the last who could be believed.
 */
#include "gateway/address.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reads_back(const struct address *address)
{
    char text[ADDRESS_TEXT_BYTES];
    struct address again;
    address_format(address, text);
    if (!address_parse(str_of(text), false, &again) || memcmp(&again, address, sizeof again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, list;
    struct address_list *trusted;
    struct address address;
    struct error err = {0};
    str_next(&rest, '\n', &list);
    if (!rest.ptr)
        rest = STR("");
    if (address_list_new(list, &trusted, &err) != CODE_OK) {
        if (err.code != CODE_INVALID_ARGUMENT || !err.text[0])
            abort();
        if (address_list_new(STR("10.0.0.0/8, 2001:db8::/32"), &trusted, &err) != CODE_OK)
            abort();
    }
    struct http_header headers[] = {{STR("X-Forwarded-For"), rest}, {STR("x-forwarded-for"), rest}};
    struct http_request request = {.peer = STR("10.0.0.1"), .headers = headers, .header_count = 2};
    if (!address_of_client(&request, trusted, &address))
        abort();
    reads_back(&address);
    struct address network = address_network(&address);
    reads_back(&network);
    address_list_free(trusted);
    return 0;
}
