/*
 * Who a request comes from, as far as the stages have found out: the API key by the key stage, the
 * signed-in user by the sign-in stage. Services learn it as an encoded omnidata.api.v1.Caller in
 * the metadata `omni-caller-bin`; nothing of it ever comes from the client's own headers.
 */
#pragma once
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct caller {
    struct str key_id;          /* empty: no key, or none was needed */
    struct str issuer, subject; /* of the verified token; empty: nobody is signed in */
    int64_t until_s;            /* since 1970: when the token ends, with the skew of clocks */
    const struct str *scopes;   /* of the token, in the request's arena */
    size_t scope_count;
    struct str address; /* the client's IP address, without the port */
};
