/* In a file of its own: jansson's names are also ours. */
#include "bench/jansson_peer.h"

#include <jansson.h>

bool jansson_peer_encode(void)
{
    static char out[1024];
    json_t *user = json_pack(
        "{ss ss ss ss ss ss ss ss}", "id", "01935c5e-7b5a-7c3e-9f4e-2b7d3a1c5e8f", "email",
        "jose.perez@example.org", "displayName", "José Pérez García", "givenName", "José",
        "familyName", "Pérez García", "status", "USER_STATUS_ACTIVE", "createTime",
        "2026-11-22T18:45:12.123456Z", "updateTime", "2026-11-22T18:45:12.123456Z");
    size_t size = json_dumpb(user, out, sizeof out, JSON_COMPACT);
    json_decref(user);
    return size > 0;
}

bool jansson_peer_decode(struct str text)
{
    json_t *user = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    json_decref(user);
    return user;
}
